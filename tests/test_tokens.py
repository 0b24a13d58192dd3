"""The tokenisation policy: nothing is lost, position 0 is the start token, lone bytes are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from headroles.errors import EmptyPromptError, LimitError, UnsupportedModelError
from headroles.limits import PROMPT
from headroles.texts import encode, is_delimiter, start_token, token_texts

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
