"""A prompt as a chat message: the ids of the template, which are its own, and copies of nothing."""

from __future__ import annotations

import pytest
import torch
from tokenizers import normalizers, processors

from headroles import get_active_head_summary
from headroles.ablation import Condition, HeadOutput, tabulate
from headroles.capture import capture
from headroles.errors import ChatTemplateError, EmptyPromptError
from headroles.export import notebook
from headroles.models import CatalogueEntry, load_model, on_disk
from headroles.texts import encode
from headroles.texts.chat_format import wrap
from headroles.types import Head
from headroles.verdicts import score_prompt
from headroles.view import html
from tests.chat_tokenizers import LLAMA_2, chat_tokenizer, chatml_tokenizer, save_model

PROMPT = "The cat sat on the mat."


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    return load_model(save_model(tmp_path_factory.mktemp("chat") / "model", chatml_tokenizer()))


def test_the_ids_are_those_of_the_template_behind_the_start_token() -> None:
    words = chatml_tokenizer()
    message = [{"role": "user", "content": PROMPT}]
    wanted = words.apply_chat_template(message, add_generation_prompt=True)["input_ids"]
    encoding = encode(words, PROMPT, chat=True)
    assert encoding.token_ids == (0, *wanted)
    assert (encoding.is_chat, encoding.start_added_by) == (True, "app")


def test_the_templates_tokens_are_told_from_the_prompts() -> None:
    encoding = encode(chatml_tokenizer(), PROMPT, chat=True)
    template = set(encoding.template_positions)
    assert 0 not in template
    own = "".join(t for place, t in enumerate(encoding.tokens) if place and place not in template)
    assert own == PROMPT
    assert f"{len(template)} tokens were added" in html.chat_sentence(encoding)
    assert html.token_strip(encoding).count("hr-template") == len(template)


def test_a_prompt_that_stands_in_the_template_too_is_found_where_it_was_put() -> None:
    words = chatml_tokenizer()  # its system message is "Be kind."
    wrapped = wrap(words, "Be kind.")
    first, last = wrapped.typed
    assert wrapped.text[:first].count("Be kind.") == 1
    assert wrapped.text[first:last] == "Be kind."


def test_a_template_that_brings_the_start_token_gets_no_second_one() -> None:
    words = chat_tokenizer("<s>", "</s>", template=LLAMA_2, bos_token="<s>", eos_token="</s>")
    encoding = encode(words, f"  {PROMPT}", chat=True)  # it trims what was typed
    assert encoding.token_ids.count(0) == 1
    assert encoding.start_added_by == "template"
    assert "".join(encoding.tokens).startswith("<s>[INST] The cat")
    assert "chat template begins" in html.notes(encoding)[1]


def test_the_template_repeats_itself_and_that_is_no_copy_of_anything() -> None:
    encoding = encode(chatml_tokenizer(), PROMPT, chat=True)
    template = set(encoding.template_positions)
    assert len(set(encoding.token_ids)) < len(encoding.token_ids) - 5  # markers, line breaks
    assert [encoding.copy_ids[place] for place in sorted(template)] == [
        -p for p in sorted(template)
    ]
    plain = encode(chatml_tokenizer(), PROMPT)
    assert plain.copy_ids is plain.token_ids
    own = [i for place, i in enumerate(encoding.copy_ids) if place not in template]
    assert own == list(plain.token_ids)


def test_no_head_looks_like_one_that_copies_because_of_the_template(loaded) -> None:
    """A head that follows every earlier copy: by the ids it does, and nothing typed has one."""
    run = capture(loaded, "The cat", chat=True)
    ids = torch.tensor(run.token_ids)
    follows = torch.zeros(len(ids), len(ids))
    follows[:, 1:] = (ids[:, None] == ids[None]).tril(-1).float()[:, :-1]
    follows = follows.tril(-1)
    follows[:, 0] += follows.sum(-1) == 0
    attention = (follows / follows.sum(-1, keepdim=True)).expand(1, 1, -1, -1)
    assert score_prompt(attention, run.token_ids).activations["induction"].rows > 0
    assert score_prompt(attention, run.copy_ids).activations["induction"].rows == 0


def test_every_way_to_the_numbers_takes_the_ids_of_copies(loaded, monkeypatch) -> None:
    run = capture(loaded, "The cat", chat=True)
    demo = load_model("demo")
    attention = torch.eye(len(run.token_ids)).expand(4, 8, -1, -1)
    summary = get_active_head_summary(
        type(run)(demo.key, run.prompt, run.encoding, attention, ()), demo.key
    )
    assert {row["state"] for row in summary["induction"]} == {"not_applicable"}


def test_a_knock_out_runs_the_wrapped_prompt(loaded) -> None:
    condition = Condition("off", (HeadOutput((Head(0, 1),)),))
    table = tabulate(loaded, "The cat", [condition], chat=True)
    run = capture(loaded, "The cat", chat=True)
    assert table.encoding.token_ids == run.token_ids
    assert table.says == run.next_tokens[0].text
    assert table.repeated == 0  # what the template repeats does not count


def test_the_exported_script_wraps_it_too(loaded) -> None:
    given = {"headroles_version": "1", "date": "today", "revision": "r", "source": "s"}
    script = notebook.script(capture(loaded, "Hi", chat=True), [], provenance=given)
    assert "capture(loaded, PROMPT, chat=True)" in script
    assert "chat=True" not in notebook.script(capture(loaded, "Hi"), [], provenance=given)


_LOOP = "{% for b in range(90000) %}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "why"),
    [
        (None, "its tokenizer has none"),
        ("{{ raise_exception('Only system messages, please.\nReally.') }}", "Only system messages"),
        ("{% for %}", "it says"),
        ("{{ messages[5].content }}", "it says"),
        ("{{ 1 / 0 }}", "division by zero"),
        ("hello", "leaves out"),
        ("{{ 'x' * 2000000 }}{{ messages[0].content }}", "2,000,000 characters"),
        (f"{{% for a in range(90000) %}}{_LOOP}{{% endfor %}}", "did not end"),
        ("{{ messages[0].content | upper }}", "changes"),
    ],
)
def test_a_template_that_fails_says_so_in_a_sentence(template: str | None, why: str) -> None:
    words = chat_tokenizer("<s>", template=template, bos_token="<s>")
    with pytest.raises(ChatTemplateError, match=why) as raised:
        encode(words, "Hello there", chat=True)
    assert "\n" not in raised.value.message
    assert "Switch the chat format off" in raised.value.hint
    assert encode(words, "Hello there").tokens[0] == "<s>"  # as it is, it can be run


def test_whether_a_model_has_a_template_is_told_by_its_small_files(tmp_path) -> None:
    def says(folder) -> bool:
        return on_disk.has_chat_template(CatalogueEntry("m", "M", str(folder), "", 0, "", ""))

    chat, plain = tmp_path / "chat", tmp_path / "plain"
    chatml_tokenizer().save_pretrained(chat)
    chat_tokenizer("<s>", bos_token="<s>").save_pretrained(plain)
    assert says(chat)
    assert not says(plain)
    assert not says(tmp_path / "nothing")
    (chat / "chat_template.jinja").unlink(missing_ok=True)  # older files hold it in their settings
    settings = chat / "tokenizer_config.json"
    settings.write_text('{"chat_template": "x"}')
    assert says(chat)
    settings.write_text("[1")
    assert not says(chat)


def test_a_start_token_typed_in_a_message_or_put_inside_by_the_template_is_told() -> None:
    encoding = encode(chatml_tokenizer(), "<|endoftext|>The cat", chat=True)
    (place,) = encoding.special_positions
    assert (encoding.tokens[place], encoding.tokens[place + 1]) == ("<|endoftext|>", "The")
    assert place not in encoding.template_positions
    assert (
        f"Your text holds the start token <|endoftext|> again, at position {place}"
        in (html.cautions(encoding)[0])
    )
    late = "\n{{ bos_token }}{{ messages[0].content }}"
    encoding = encode(chat_tokenizer("<s>", template=late, bos_token="<s>"), "The cat", chat=True)
    assert encoding.tokens[:3] == ("<s>", "\n", "<s>")
    assert (
        "The chat template holds the start token <s> again, at position 2"
        in (html.cautions(encoding)[0])
    )
    assert html.cautions(encode(chatml_tokenizer(), "The cat", chat=True)) == []


def test_a_lone_space_that_is_cut_off_its_token_is_still_typed() -> None:
    """GPT-2's post-processor does so: the token of a space ends where it begins."""
    words = chatml_tokenizer()
    words.chat_template = "[{{ messages[0].content }}]"
    words.backend_tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    read = words("[ a ]", return_offsets_mapping=True, add_special_tokens=False)
    assert (2, 2) in read["offset_mapping"] or (1, 2) not in read["offset_mapping"]
    encoding = encode(words, " a ", chat=True)
    own = [
        token
        for place, token in enumerate(encoding.tokens)
        if place and place not in encoding.template_positions
    ]
    assert "".join(own) == " a "
    assert encoding.lost == ()


def test_a_template_that_leaves_no_room_is_refused_and_a_message_that_vanishes_too() -> None:
    words = chatml_tokenizer()
    with pytest.raises(ChatTemplateError, match=r"before the prompt, and the model reads 8 at"):
        encode(words, "The cat", chat=True, max_tokens=8)
    words.backend_tokenizer.normalizer = normalizers.Replace("\u200b", "")
    with pytest.raises(EmptyPromptError, match="leaves nothing of “‹ZWSP›”"):
        encode(words, "\u200b", chat=True)
