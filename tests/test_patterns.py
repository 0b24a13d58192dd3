"""Detection patterns against the same cells written out in plain Python."""

from __future__ import annotations

import pytest
import torch

from headroles.errors import EmptyPromptError, LimitError, PatternError
from headroles.roles import BUILT_IN, ROLES, Prompts, Role, parse_pattern, patterns, read_prompts
from headroles.types import Sequences

TEXTS = (
    "<s>",
    "The",
    " lo",
    "qu",
    "acious",
    ".",
    " The",
    " cat",
    ",",
    "\n",
    "sat",
    "<0xF0>",
    "<0x9F>",
)
IDS = list(range(len(TEXTS)))
IDS[6] = 1  # the same token again


def prompts(*lengths: int) -> Prompts:
    rows = [IDS[:n] + [0] * (len(IDS) - n) for n in lengths]
    return Prompts(
        Sequences(torch.tensor(rows), torch.tensor(lengths)), tuple(TEXTS[:n] for n in lengths)
    )


def cells(drawn: torch.Tensor) -> set[tuple[int, int]]:
    return {tuple(cell) for cell in drawn.nonzero().tolist()}


def test_current_word_is_the_earlier_tokens_of_the_word() -> None:
    words = [[2, 3, 4], [10, 11, 12]]  # " lo|qu|acious" and "sat|<0xF0>|<0x9F>"
    expected = {(q, k) for word in words for q in word for k in word if k < q}
    assert cells(ROLES["current_word"].draw(prompts(13))[0]) == expected


def test_delimiters_are_the_marks_so_far() -> None:
    expected = {(q, k) for q in range(13) for k in (5, 8, 9) if k <= q}
    assert cells(ROLES["delimiter"].draw(prompts(13))[0]) == expected


@pytest.mark.parametrize("places", [0, 1, 3])
def test_same_offset_never_predicts_the_start_token(places: int) -> None:
    expected = {(q, q - places) for q in range(13) if q - places >= 1}
    assert cells(patterns.offset(places).draw(prompts(13))[0]) == expected


@pytest.mark.parametrize(
    "pattern",
    [*BUILT_IN, patterns.offset(2), patterns.of_expression("t[k] == t[q]")],
    ids=lambda pattern: pattern.spec,
)
def test_a_batch_draws_what_each_prompt_draws_alone(pattern: Role) -> None:
    together = pattern.draw(prompts(13, 7, 4))
    for row, length in enumerate((13, 7, 4)):
        alone = pattern.draw(prompts(13, length).some(torch.tensor([1])))[0]
        assert torch.equal(together[row, :length, :length], alone)
        assert not together[row, length:].any()
        assert not together[row].triu(1).any()


def test_a_painted_pattern_fits_one_length() -> None:
    painted = patterns.of_matrix(
        [[0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.5, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
    )
    batch = prompts(7, 4)
    assert painted.fits(batch).tolist() == [False, True]
    drawn = painted.draw(batch)
    assert not drawn[0].any()
    assert drawn[1, 2, 1] == 0.5
    assert painted.length == 4


def test_specs_are_read_back() -> None:
    for pattern in (*BUILT_IN, patterns.offset(3), patterns.of_expression("k == q")):
        assert parse_pattern(pattern.spec) == pattern
        assert pattern.name
        assert pattern.looks_at
    assert parse_pattern("delimiters") is ROLES["delimiter"]  # its earlier name


def test_patterns_are_the_same_by_what_they_say_and_how_they_are_called() -> None:
    """A page keeps them between runs, and ticks them again by equality."""
    assert patterns.offset(2) == patterns.offset(2)
    assert hash(patterns.of_expression("k == q")) == hash(patterns.of_expression(" k == q"))
    assert patterns.of_expression("k == q", title="own") != patterns.of_expression("k == q")
    assert patterns.offset(2) != patterns.offset(3)


def test_a_role_that_needs_the_text_of_the_tokens_says_so() -> None:
    with pytest.raises(PatternError, match="text of the tokens"):
        ROLES["delimiter"].draw(Prompts.of_ids(IDS))


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("inductoin", "Did you mean 'induction"),
        ("offset:x", "not a whole number"),
        ("offset:-1", "not possible"),
        ("offset:65", "not possible"),
        ("expression:k = q", "cannot be read"),
        ("", "no pattern called"),
    ],
)
def test_an_unknown_spec_is_explained(spec: str, says: str) -> None:
    with pytest.raises(PatternError) as caught:
        parse_pattern(spec)
    assert says in f"{caught.value}"


def test_prompts_are_padded_and_counted(tokenizer) -> None:
    batch, encodings = read_prompts(tokenizer, ["The cat", "The cat sat."], max_tokens=64)
    assert [len(tokens) for tokens in batch.tokens] == batch.sequences.lengths.tolist()
    assert encodings[1].tokens == batch.tokens[1]
    with pytest.raises(EmptyPromptError):
        read_prompts(tokenizer, [], max_tokens=64)
    with pytest.raises(LimitError, match="at most 1,000"):
        read_prompts(tokenizer, ["a"] * 1001, max_tokens=64)
