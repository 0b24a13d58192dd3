"""The tokenisation policy: nothing is lost, position 0 is the start token, lone bytes are shown."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from headroles.errors import EmptyPromptError, HeadrolesError, LimitError, UnsupportedModelError
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
from headroles.view import html
from tests.chat_tokenizers import chatml_tokenizer

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


def test_a_start_token_is_there_once_or_its_places_are_told(tokenizer) -> None:
    plain = encode(tokenizer, "The cat")
    first, middle, thrice = (
        encode(tokenizer, text) for text in (f"{BOS}The cat", f"The{BOS} cat", f"{BOS * 3}The cat")
    )
    assert first.token_ids == plain.token_ids
    assert (html.cautions(plain), html.cautions(first)) == ([], [])
    assert middle.special_positions == (2,)
    assert "again, at position 2." in html.cautions(middle)[0]
    assert thrice.special_positions == (1, 2)
    assert "again, at positions 1 and 2." in html.cautions(thrice)[0]
    assert html.cautions(thrice)[0] in html.notes(thrice)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        (BOS, f"nothing but the start token {re.escape(BOS)}"),
        (BOS * 3, "nothing but the start token"),
    ],
)
def test_a_prompt_without_a_word_is_refused_with_the_reason(tokenizer, text: str, why: str) -> None:
    with pytest.raises(EmptyPromptError, match=why):
        encode(tokenizer, text)


def _changed(tokenizer, **parts) -> PreTrainedTokenizerFast:
    """The same tokenizer with another normaliser or the like."""
    inner = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    for name, part in parts.items():
        setattr(inner, name, part)
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token=BOS)


def _words(*known: str, **declared) -> PreTrainedTokenizerFast:
    """A vocabulary of whole words; all others are one unknown token."""
    inner = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(("<s>", *known))}, unk_token="<unk>")
    )
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.add_special_tokens([AddedToken("<s>")])
    return PreTrainedTokenizerFast(tokenizer_object=inner, bos_token="<s>", **declared)


def test_what_a_tokenizer_drops_or_changes_is_told(tokenizer) -> None:
    dropping = _changed(tokenizer, normalizer=normalizers.Replace("\u200b", ""))
    encoding = encode(dropping, "The\u200b cat\u200b")
    assert encoding.token_ids == encode(tokenizer, "The cat").token_ids
    assert encoding.lost == ("\u200b",)
    assert "leaves out or changes “‹ZWSP›”" in html.cautions(encoding)[0]
    with pytest.raises(EmptyPromptError, match="leaves nothing of “‹ZWSP›‹ZWSP›”"):
        encode(dropping, "\u200b\u200b")
    small = _changed(tokenizer, normalizer=normalizers.Lowercase())
    assert encode(small, "The Cat").lost == ("T", "C")
    assert encode(small, "the cat").lost == ()
    stripped = _changed(tokenizer, normalizer=normalizers.Strip())
    assert encode(stripped, "  The cat").lost == (" ",)
    composed = _changed(tokenizer, normalizer=normalizers.NFKC())
    assert encode(composed, "ﬁne é").lost == ("ﬁ",)


@given(unicode_text)
def test_nothing_is_said_to_be_lost_of_a_text_that_comes_back_whole(tokenizer, text: str) -> None:
    for longest in (EVERYTHING, 7):  # what was cut off is no loss
        encoding = encode(tokenizer, text, max_tokens=longest)
        assert (encoding.lost, encoding.unknown_positions) == ((), ())


def test_words_without_a_token_are_counted_and_nothing_but_them_is_refused() -> None:
    words = _words("<unk>", "the", "cat", unk_token="<unk>")
    encoding = encode(words, "the dog the emu")
    assert encoding.token_ids == (0, 2, 1, 2, 1)
    assert encoding.unknown_positions == (2, 4)
    (said,) = html.cautions(encoding)
    assert "no token for 2 pieces of your text. It reads “<unk>” instead." in said
    assert "repeats" not in html.cautions(encode(words, "the dog"))[0]
    with pytest.raises(EmptyPromptError, match="knows nothing of “dog emu”: it would read <unk>"):
        encode(words, "dog emu")


def test_a_tokenizer_that_fails_says_so_in_a_sentence() -> None:
    with pytest.raises(HeadrolesError, match="tokenizer cannot read this prompt"):
        encode(_words("the"), "dog")  # neither the word nor an unknown token


def test_special_tokens_that_are_typed_are_read_as_such_and_told() -> None:
    chat = chatml_tokenizer()
    encoding = encode(chat, "The <|im_end|> cat")
    assert encoding.tokens.count("<|im_end|>") == 1
    assert [encoding.tokens[place] for place in encoding.special_positions] == ["<|im_end|>"]
    assert (
        "“<|im_end|>” is a special token of this model. It is read as" in html.cautions(encoding)[0]
    )
    spaced = encode(chat, "The < |im_end|> cat")  # the way out that it names
    assert (spaced.special_positions, html.cautions(spaced)) == ((), [])


def test_a_tokenizer_that_adds_an_end_by_itself_does_not(tokenizer) -> None:
    ending = _changed(
        tokenizer,
        post_processor=TemplateProcessing(
            single=f"{BOS} $A {BOS}", special_tokens=[(BOS, tokenizer.bos_token_id)]
        ),
    )
    assert ending("The")["input_ids"][-1] == tokenizer.bos_token_id
    assert encode(ending, "The cat").token_ids == encode(tokenizer, "The cat").token_ids


def test_cautions_about_many_prompts_are_counted(tokenizer) -> None:
    texts = ("The cat", f"The{BOS} cat", "a\ud83d")
    encodings = [encode(tokenizer, text) for text in texts]
    assert html.cautions_of(encodings[:1]) == []
    assert html.cautions_of(encodings[1:2]) == html.cautions(encodings[1])
    (said,) = html.cautions_of(encodings)
    assert said.startswith("2 of 3 prompts are not read quite as typed. Number 2: Your text holds")
    (said,) = html.cautions_of(encodings[:2])
    assert said.startswith("1 of 2 prompts is not")
