"""The tokenisation policy: nothing is lost, position 0 is the start token, lone bytes are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from headroles.errors import EmptyPromptError, LimitError, UnsupportedModelError
from headroles.limits import PROMPT
from headroles.texts import (
    Span,
    encode,
    is_delimiter,
    spans,
    start_token,
    token_labels,
    token_texts,
)

BOS = "<|endoftext|>"
EVERYTHING = 10**6
"""A limit that no test reaches."""

unicode_text = st.text(st.characters(exclude_categories=["Cs"])).filter(str.strip)


@given(unicode_text)
def test_any_unicode_text_comes_back_whole(tokenizer, text: str) -> None:
    encoding = encode(tokenizer, text, max_tokens=EVERYTHING)
    assert tokenizer.decode(encoding.token_ids[1:], clean_up_tokenization_spaces=False) == text
    assert not encoding.truncated
    assert len(encoding.tokens) == len(encoding.token_ids) == encoding.full_length


@given(unicode_text)
def test_the_shown_tokens_hold_every_byte_of_the_text(tokenizer, text: str) -> None:
    """Text tokens as they are, lone bytes as <0xF0>: put together they are the prompt's bytes."""
    shown = encode(tokenizer, text, max_tokens=EVERYTHING).tokens[1:]
    ids = encode(tokenizer, text, max_tokens=EVERYTHING).token_ids[1:]
    together = b""
    for token, token_id in zip(shown, ids, strict=True):
        if "�" in tokenizer.decode([token_id]):  # not text on its own, so written as bytes
            assert token.startswith("<0x")
            together += bytes.fromhex(token.replace("<0x", "").replace(">", ""))
        else:
            together += token.encode()
    assert together == text.encode()


def test_an_emoji_outside_the_vocabulary_is_shown_byte_by_byte(tokenizer) -> None:
    # U+1F408 CAT in UTF-8 is F0 9F 90 88
    encoding = encode(tokenizer, "🐈")
    assert encoding.tokens == (BOS, "<0xF0>", "<0x9F>", "<0x90>", "<0x88>")


@given(unicode_text)
def test_joined_tokens_are_the_characters_of_the_text(tokenizer, text: str) -> None:
    tokens = encode(tokenizer, text, max_tokens=EVERYTHING).tokens[1:]
    joined = spans(tokens)
    assert "".join(span.text for span in joined) == text
    assert [place for span in joined for place in range(span.first, span.last + 1)] == list(
        range(len(tokens))
    )


@given(st.lists(st.sampled_from(["a", " ", "<s>", *(f"<0x{b:02X}>" for b in "é🐈".encode())])))
def test_every_token_is_in_one_span_whatever_bytes_come(tokens: list[str]) -> None:
    joined = spans(tokens)
    assert sum(span.size for span in joined) == len(tokens)
    assert [span.first for span in joined[1:]] == [span.last + 1 for span in joined[:-1]]
    for span in joined:
        if span.size > 1:  # "é" and the cat are the only characters that these bytes make
            assert set(span.text) <= set("é🐈") | set(map(chr, range(0x80, 0x110000)))
            assert "".join(f"<0x{b:02X}>" for b in span.text.encode()) == "".join(
                tokens[span.first : span.last + 1]
            )
        else:
            assert span.text in (tokens[span.first], "é")


@pytest.mark.parametrize(
    ("tokens", "joined"),
    [
        # SmolLM2, bytes as GPT-2 writes them: the space before the emoji is in its first token
        (
            ["a", "<0x20><0xF0><0x9F>", "<0x99>", "<0x82>"],
            [Span(0, 1, "a"), Span(1, 3, " 🙂")],
        ),
        # the end of one character and the beginning of the next share a token
        (["<0xE4><0xB8>", "<0xAD><0xE6>", "<0x96><0x87>"], [Span(0, 3, "中文")]),
        # a special token stands in the middle of a character
        (
            ["<0xC3>", "<|im_end|>", "<0xA9>"],
            [Span(0, 1, "<0xC3>"), Span(1, 1, "<|im_end|>"), Span(2, 1, "<0xA9>")],
        ),
        # the prompt was cut off in the middle of one
        (["<0xC3>", "<0xA9>", "<0xF0>", "<0x9F>"], [
            Span(0, 2, "é"), Span(2, 1, "<0xF0>"), Span(3, 1, "<0x9F>"),
        ]),
        # a byte that begins nothing
        (["<0x9F>", "<0xC3>", "<0xA9>"], [Span(0, 1, "<0x9F>"), Span(1, 2, "é")]),
        ([], []),
    ],
)  # fmt: skip
def test_tokens_are_joined_to_whole_characters(tokens: list[str], joined: list[Span]) -> None:
    assert spans(tokens) == tuple(joined)


def test_labels_count_the_tokens_of_a_character() -> None:
    tokens = [BOS, " a", "<0xF0>", "<0x9F>", "<0x99>", "<0x82>", "<0xE2>", " everlasting", "\u00a0"]
    assert token_labels(tokens, limit=8) == [
        *("start", "·a", "🙂 1/4", "🙂 2/4", "🙂 3/4", "🙂 4/4", "‹E2›", "·everla…", "‹NBSP›"),
    ]


def test_spaces_stay_with_their_tokens(tokenizer) -> None:
    encoding = encode(tokenizer, "The cat sat")
    assert encoding.tokens == (BOS, "The", " cat", " sat")
    assert encoding.token_ids[0] == tokenizer.bos_token_id
    assert (encoding.start_token, encoding.start_is_stand_in) == (BOS, False)


def test_a_sentencepiece_vocabulary_keeps_its_spaces_and_bytes() -> None:
    """Such a tokenizer drops the leading space of a single token, and writes raw bytes itself."""
    vocabulary = ["<s>", "▁the", "▁cat", *(f"<0x{byte:02X}>" for byte in range(256))]
    inner = Tokenizer(
        models.BPE({piece: i for i, piece in enumerate(vocabulary)}, [], byte_fallback=True)
    )
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    inner.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    inner.add_special_tokens([AddedToken("<s>")])
    pieces = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>")
    ids = [0, 1, 2, *(vocabulary.index(f"<0x{byte:02X}>") for byte in "🐈".encode())]
    assert token_texts(pieces, ids) == (
        *("<s>", " the", " cat"),
        *("<0xF0>", "<0x9F>", "<0x90>", "<0x88>"),
    )


def test_an_id_outside_the_vocabulary_is_shown_as_a_number(tokenizer) -> None:
    # models often pad their output beyond the tokenizer's vocabulary
    assert token_texts(tokenizer, [len(tokenizer) + 5]) == (f"<{len(tokenizer) + 5}>",)


@pytest.mark.parametrize("text", ["", " ", "\n\t  \r\n", "\u00a0\u2003"])
def test_a_blank_prompt_is_refused(tokenizer, text: str) -> None:
    with pytest.raises(EmptyPromptError):
        encode(tokenizer, text)


def test_the_limit_of_characters_is_the_last_one_allowed(tokenizer) -> None:
    longest = "a" * PROMPT.most
    encoding = encode(tokenizer, longest, max_tokens=8)
    assert len(encoding.token_ids) == 8
    assert encoding.full_length > 8
    with pytest.raises(LimitError, match=r"50,001 characters.*at most 50,000") as raised:
        encode(tokenizer, longest + "a")
    assert raised.value.value == PROMPT.most + 1


def test_truncation_cuts_the_end_and_counts_all(tokenizer) -> None:
    whole = encode(tokenizer, "The cat sat on the mat")
    cut = encode(tokenizer, "The cat sat on the mat", max_tokens=3)
    assert cut.token_ids == whole.token_ids[:3]
    assert cut.full_length == whole.full_length == len(whole.token_ids)
    assert (cut.truncated, whole.truncated) == (True, False)


def test_a_lone_surrogate_becomes_a_question_mark(tokenizer) -> None:
    # It comes out of broken copies from other programs, and is no Unicode text.
    assert encode(tokenizer, "a\ud83d b").token_ids == encode(tokenizer, "a? b").token_ids


def test_the_name_of_the_start_token_may_be_typed(tokenizer) -> None:
    """Then it is that token once more, as the model would read it; position 0 is still its own."""
    encoding = encode(tokenizer, f"a{BOS}b")
    assert encoding.tokens == (BOS, "a", BOS, "b")


def test_markup_is_only_text(tokenizer) -> None:
    text = "<b>bold</b> **bold** $x^2$ <script>"
    assert "".join(encode(tokenizer, text).tokens[1:]) == text


def test_a_tokenizer_that_adds_its_own_start_gets_only_one(tokenizer) -> None:
    from tokenizers.processors import TemplateProcessing

    inner = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    inner.post_processor = TemplateProcessing(
        single=f"{BOS} $A", special_tokens=[(BOS, tokenizer.bos_token_id)]
    )
    eager = PreTrainedTokenizerFast(tokenizer_object=inner, bos_token=BOS)
    assert eager("The")["input_ids"][0] == tokenizer.bos_token_id  # it does add one by itself
    assert encode(eager, "The cat").token_ids == encode(tokenizer, "The cat").token_ids


def test_eos_stands_in_for_a_missing_bos_and_nothing_stands_in_for_both(tokenizer) -> None:
    inner = tokenizer.backend_tokenizer
    stand_in = start_token(PreTrainedTokenizerFast(tokenizer_object=inner, eos_token=BOS))
    assert (stand_in.text, stand_in.is_stand_in) == (BOS, True)
    with pytest.raises(UnsupportedModelError, match="neither a start token"):
        start_token(PreTrainedTokenizerFast(tokenizer_object=inner))


@pytest.mark.parametrize(
    "text", [".", " ,", ";", ":", "!", " ?", "?!", "...", "\n", " \n\n", ".\n"]
)
def test_marks_and_line_breaks_are_delimiters(text: str) -> None:
    assert is_delimiter(text)


@pytest.mark.parametrize("text", ["", " ", "a", "a.", ".a", "-", "(", "<0x0A>", "\t"])
def test_words_spaces_and_other_signs_are_not(text: str) -> None:
    assert not is_delimiter(text)
