"""Classes of tokens: by hand on real tokenizations, and for any text exactly one class each."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroles.models import load_model
from headroles.texts import CLASSES, classes, encode, traits
from headroles.texts.token_classes import FUNCTION_WORDS, bare

STORY = "Mary gave John (and 3 cats) 1,234 apples. \"It's fine\", she said: don't!"
# As SmolLM2 reads it: every digit a token, the space before a number on its own.
STORY_PIECES = (
    ("<|endoftext|>", "start"), ("Mary", "first_word"), (" gave", "word"), (" John", "name"),
    (" (", "opening"), ("and", "function"), (" ", "space"), ("3", "number"), (" cats", "word"),
    (")", "closing"), (" ", "space"), ("1", "number"), (",", "number"), ("2", "number"),
    ("3", "number"), ("4", "number"), (" apples", "word"), (".", "sentence_end"), (' "', "quote"),
    ("It", "first_word"), ("'s", "piece"), (" fine", "word"), ('",', "quote"), (" she", "function"),
    (" said", "word"), (":", "comma"), (" don", "word"), ("'t", "piece"), ("!", "sentence_end"),
)  # fmt: skip
# As the bundled model reads it: the apostrophe alone.
DEMO_TAIL = (
    (' "', "quote"), ("It", "first_word"), ("'", "piece"), ("s", "piece"), (" f", "word"),
    ("ine", "piece"), ('"', "quote"), (",", "comma"), (" she", "function"), (" said", "word"),
    (":", "comma"), (" d", "word"), ("on", "piece"), ("'", "piece"), ("t", "piece"),
    ("!", "sentence_end"),
)  # fmt: skip
CODE = (
    ("<s>", "start"), ("import", "word"), (" os", "word"), (".", "symbol"), ("path", "word"),
    ("\n\n", "newline"), ("def", "word"), (" f", "word"), ("(", "opening"), ("x", "word"),
    ("):", "closing"), ("\n    ", "newline"), ("return", "word"), (" r", "word"), ("'", "quote"),
    ("bc", "word"), ("',", "quote"), (" GP", "name"), ("T", "piece"), ("2", "piece"),
    ("().", "sentence_end"), ("\n", "newline"), ("if", "function"), (" x", "word"),
    (" !=", "symbol"), (" 1", "number"), (".", "number"), ("5", "number"), ("\t", "space"),
    ("<0xC3>", "symbol"), ("<|im_end|>", "symbol"), (" --", "symbol"),
)  # fmt: skip


def test_a_sentence_as_smollm2_reads_it() -> None:
    tokens, expected = zip(*STORY_PIECES, strict=True)
    assert classes(tokens) == expected


def test_the_bundled_model_reads_the_apostrophe_alone() -> None:
    tokens = encode(load_model("demo").tokenizer, STORY).tokens
    tail = tokens[-len(DEMO_TAIL) :]
    assert tail == tuple(token for token, _ in DEMO_TAIL)
    assert classes(tokens)[-len(DEMO_TAIL) :] == tuple(kind for _, kind in DEMO_TAIL)


def test_code() -> None:
    tokens, expected = zip(*CODE, strict=True)
    assert classes(tokens) == expected


@pytest.mark.parametrize(
    ("before", "word", "kind"),
    [
        ("", "Then", "first_word"),
        ("end. ", "Then", "first_word"),
        ('he said: "', "No", "first_word"),
        ('raised a "', "TypeError", "name"),
        ("wraps\n", "Here", "name"),
        ("heading\n\n", "Here", "first_word"),
        ("so ", "I", "function"),
        ("the ", "The", "name"),
        ("of ", "the", "function"),
        ("of ", "formal", "word"),
        ("os.", "Path", "name"),
    ],
)
def test_what_stands_before_a_word_says_what_it_is(before: str, word: str, kind: str) -> None:
    tokens = ("<s>", *re.findall(r" ?\w+| ?[^\w\s]|\s+", before), word)
    assert classes(tokens)[-1] == kind


def test_a_function_word_is_a_whole_word() -> None:
    assert classes(("<s>", " in", "formal"))[1:] == ("word", "piece")
    assert classes(("<s>", " in", " formal"))[1:] == ("function", "word")
    assert "the" in FUNCTION_WORDS
    assert "three" not in FUNCTION_WORDS


def test_traits_overlap_where_classes_do_not() -> None:
    tokens = ("<s>", ' ("', "Go", " on", '!").', " x", "()", " it", "'s", " 10", "00", " ok")
    found = traits(tokens)
    assert found.kinds[1] == "opening"
    assert found.quote[1]
    assert found.opening[1]
    assert found.in_quotes[1:6] == (False, True, True, True, False)
    assert found.closing[4]
    assert found.quote[4]
    assert found.sentence_end[4]
    assert not found.opening[6]
    assert not found.closing[6]
    assert found.capitalised[1:5] == (False, True, False, False)
    assert found.word_starts[7:] == (True, False, True, False, True)
    assert found.words[7] == found.words[8]
    assert found.words[9] == found.words[10] != found.words[11]


def test_a_number_with_marks_is_one_word() -> None:
    found = traits(tuple(token for token, _ in STORY_PIECES))
    assert len(set(found.words[11:16])) == 1
    assert [place for place, starts in enumerate(found.word_starts) if starts][:4] == [1, 2, 3, 5]


def test_quotations_end_at_their_mark_or_at_a_blank_line() -> None:
    tokens = ("<s>", " '", "a", "'", " dogs", "'", " b", ' "', "c", "\n", "\n", "d")
    assert traits(tokens).in_quotes == (
        False, False, True, False, False, False, False, False, True, True, False, False,
    )  # fmt: skip


def test_the_text_that_is_compared_has_no_space_in_front() -> None:
    assert [bare(token) for token in (" the", "the", " ", "  x")] == ["the", "the", " ", " x"]


_PIECES = st.one_of(
    st.text(max_size=4),
    st.sampled_from([" a", "B", ".", ",", "'", '"', "\n", " ", "1", "_", "<0xF0>", "<s>", "()"]),
)


@given(st.lists(_PIECES, min_size=1, max_size=12))
def test_every_token_of_any_text_has_one_class(tokens: list[str]) -> None:
    found = traits(tuple(tokens))
    assert len(found.kinds) == len(tokens)
    assert set(found.kinds) <= set(CLASSES)
    assert found.kinds.count("start") == 1
    for one in (found.word_starts, found.words, found.in_quotes, found.sentence_end, found.opening):
        assert len(one) == len(tokens)
