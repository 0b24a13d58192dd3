"""What stands at position 0: the rule on every kind of tokenizer, and once only."""

from __future__ import annotations

import pytest
from transformers import AutoTokenizer

from headroles.errors import EmptyPromptError, HeadrolesError, UnsupportedModelError
from headroles.models import load_model, load_tokenizer
from headroles.texts import encode, probe_texts, start_token, start_tokens
from headroles.view import html
from tests.chat_tokenizers import CHATML, LLAMA_2, chat_tokenizer, chatml_tokenizer, save_model

END = "<|endoftext|>"


def test_a_chat_marker_gives_way_to_what_texts_begin_with() -> None:
    start = start_token(chatml_tokenizer())
    assert (start.token_id, start.text, start.is_stand_in) == (0, END, True)
    assert start.passed_over == "<|im_start|>"


@pytest.mark.parametrize(
    ("special", "declared", "template", "wanted"),
    [
        # a base model's own, whatever else there is
        (["<s>", "</s>", END], {"bos_token": "<s>", "eos_token": "</s>"}, None, "<s>"),
        # it opens pairs of messages, and is a start of text all the same
        (["<s>", "</s>"], {"bos_token": "<s>", "eos_token": "</s>"}, LLAMA_2, "<s>"),
        (
            ["<begin>", "</s>", END],
            {"bos_token": "<begin>", "eos_token": "</s>"},
            LLAMA_2,
            "<begin>",
        ),
        # a marker that nobody knows by name: the template puts it before every turn
        (
            ["<turn>", "<fin>", "<bos>"],
            {"bos_token": "<turn>", "eos_token": "<fin>"},
            "{% for m in messages %}<turn>{{ m.role }}: {{ m.content }}<fin>{% endfor %}",
            "<bos>",
        ),
        # no BOS: the end of text, unless that closes a turn
        (["<e>", "<s>"], {"eos_token": "<e>"}, None, "<e>"),
        (["<|im_end|>", END], {"eos_token": "<|im_end|>", "pad_token": END}, CHATML, END),
        # one that the tokenizer declares comes before others that it only holds
        (
            ["<|im_start|>", "<s>", END],
            {"bos_token": "<|im_start|>", "unk_token": END},
            CHATML,
            END,
        ),
        # nothing better: a marker is better than a refusal
        (["<|im_start|>"], {"bos_token": "<|im_start|>"}, CHATML, "<|im_start|>"),
        # a template that fails says nothing about a token
        (["<b>", END], {"bos_token": "<b>"}, "{{ raise_exception('no') }}", "<b>"),
    ],
)
def test_the_rule(special, declared, template, wanted: str) -> None:
    start = start_token(chat_tokenizer(*special, template=template, **declared))
    assert (start.text, start.token_id) == (wanted, special.index(wanted))
    assert start.is_stand_in == (declared.get("bos_token") != wanted)


def test_a_word_that_is_spelt_like_one_is_no_start() -> None:
    words = chat_tokenizer("<|im_start|>", "<e>", bos_token="<|im_start|>", eos_token="<e>")
    words.add_tokens(["<s>"])  # an ordinary word
    assert start_token(words).text == "<e>"


def test_one_without_an_embedding_is_no_start(tmp_path) -> None:
    words = chat_tokenizer(END, eos_token=END)
    rows = len(words)
    words.add_special_tokens({"bos_token": "<s>"})  # its number is the first that has no row
    assert (words.bos_token_id, start_token(words).text) == (rows, "<s>")
    loaded = load_model(save_model(tmp_path / "m", words, rows=rows))
    assert (loaded.start.token_id, loaded.start.rows) == (0, rows)
    assert encode(loaded.tokenizer, "The cat").token_ids[0] == 0
    assert max(probe_texts.ordinary_ids(loaded.tokenizer)) < rows
    with pytest.raises(HeadrolesError, match=rf"“<s>” has number {rows}.*first {rows} only"):
        encode(loaded.tokenizer, "The <s> cat")


def test_a_model_without_any_that_it_knows_is_refused(tmp_path) -> None:
    words = chat_tokenizer("<x>")
    rows = len(words)
    words.add_special_tokens({"bos_token": "<s>"})
    source = save_model(tmp_path / "m", words, rows=rows)
    with pytest.raises(UnsupportedModelError, match=f"among the {rows} tokens"):
        load_model(source)


def test_the_analysis_and_the_app_take_the_same_one(tmp_path) -> None:
    source = save_model(tmp_path / "m", chatml_tokenizer())
    assert start_token(load_tokenizer(source)) == load_model(source).start


def test_typed_in_the_text_it_is_not_put_there_twice() -> None:
    words = chatml_tokenizer()
    plain, typed = encode(words, "The cat sat"), encode(words, f"{END}The cat sat")
    assert typed.token_ids == plain.token_ids
    assert (plain.start_added_by, typed.start_added_by) == ("app", "text")
    assert typed.full_length == plain.full_length == len(plain.token_ids)
    assert "app adds none" in html.notes(typed)[0]
    assert "<|im_start|>" in html.notes(plain)[0]
    # the declared one is no start here: it is a token of the text
    assert encode(words, "<|im_start|>The").token_ids[:2] == (0, 1)


def test_nothing_but_the_start_token_is_no_prompt() -> None:
    with pytest.raises(EmptyPromptError):
        encode(chatml_tokenizer(), END)


def test_special_tokens_are_read_as_such_whatever_the_tokenizers_file_says(tmp_path) -> None:
    words = chatml_tokenizer()
    words.save_pretrained(tmp_path)
    settled = AutoTokenizer.from_pretrained(tmp_path, split_special_tokens=True)
    assert encode(settled, f"The{END}cat").token_ids == encode(words, f"The{END}cat").token_ids
    assert encode(settled, f"The{END}cat").token_ids.count(0) == 2


def test_the_candidates_are_the_chosen_one_and_what_else_might_stand_there() -> None:
    assert start_tokens.candidates(chatml_tokenizer()) == {
        END: 0,
        "<|im_start|>": 1,
        "<|im_end|>": 2,
    }
    assert list(start_tokens.candidates(chat_tokenizer("<s>", bos_token="<s>"))) == ["<s>"]
