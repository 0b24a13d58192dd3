"""Patterns in words, and what a table of kinds says: by hand."""

from __future__ import annotations

import pytest

from headroles.corpus.candidates import KINDS, PATTERNS, either, narrowed
from headroles.store.token_kinds import KindTable, Proposal, Proposals
from headroles.types import Head
from headroles.view import proposals, token_kinds


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("k == q", "the token itself"),
        ("k == q - 3", "3 tokens back"),
        ("q - k <= 4", "the token itself and the 4 tokens before"),
        ("last(is_opening(k))", "the last opening bracket"),
        ('kind(k) == "number" and k < q', "earlier numbers"),
        ('first(t[k] == "the")', "the first “the”"),
        ("last(is_sentence_end(k-1))", "the last token after a sentence end"),
        ("t[k-1] == t[q] and k < q", "earlier tokens after copies"),
        ('kind(q) == "comma" and k == q - 1', "from commas and colons: the token before"),
        ("k == q or k == q - 1", "the token itself, or the token before"),
        (
            'kind(q) == "comma" and k == q - 1 or k == q',
            "from commas and colons: the token before; or the token itself",
        ),
    ],
)
def test_a_pattern_in_words(pattern: str, words: str) -> None:
    assert proposals.in_words(pattern) == words


def test_every_candidate_has_words_of_its_own() -> None:
    said = {pattern: proposals.in_words(pattern) for pattern in PATTERNS}
    assert not [pattern for pattern, words in said.items() if "k)" in words or "==" in words]
    same = {words for words in said.values() if list(said.values()).count(words) > 1}
    assert same <= {  # a kind, and the question that asks for it
        f"{which}{words}"
        for which in ("the last ", "the first ", "earlier ")
        for words in (
            "opening bracket", "opening brackets", "closing bracket", "closing brackets",
            "sentence end", "sentence ends", "quotation mark", "quotation marks",
            "capitalised word", "capitalised words",
        )
    }  # fmt: skip
    assert proposals.in_words(narrowed(PATTERNS[0], KINDS[1])).startswith("from line breaks: ")
    assert " or " in either("a", "b")


def found(gain: int) -> Proposals:
    one = Proposal(pattern=0, fit=520, share=500, error=12, chance=20, gain=gain)
    return Proposals(
        tried=100, chosen_on=10, held_out=12, patterns=["k == q - 1"], free=[[0.5, 0.0]],
        heads=[[[one], []]],
    )  # fmt: skip


def test_a_small_gain_is_no_explanation() -> None:
    assert proposals.explanation(found(149), Head(0, 0)) == "nothing"
    assert proposals.explanation(found(150), Head(0, 0)) == "pattern"
    assert proposals.explanation(found(490), Head(0, 1)) == "nothing"
    assert "No simple pattern" in proposals.conclusion(found(149), Head(0, 0))
    assert "50% ± 1.2" in proposals.conclusion(found(490), Head(0, 0))
    assert "0.0%" in proposals.conclusion(found(490), Head(0, 1))
    assert proposals.head_rows(found(490), [Head(0, 0), Head(0, 1)]) == [
        ["L0H0", "the token before", "50% ± 1.2", "2.0%", "0.49", "50%"]
    ]


def test_the_pattern_that_is_named_is_the_one_that_explains() -> None:
    """The best where it was chosen fails elsewhere; that the second does not is not its praise."""
    failing = found(100)
    second = failing.heads[0][0][0].model_copy(update={"gain": 400})
    failing.heads[0][0].append(second)
    assert proposals.explanation(failing, Head(0, 0)) == "nothing"
    assert proposals.conclusion(failing, Head(0, 0)).startswith("No simple pattern")


def test_a_range_of_distance_says_how_far_and_not_at_what() -> None:
    """The same figures: one head looks at itself and the eight before, one just before."""
    one = found(490).heads[0][0][0]
    wide, narrow = one, one.model_copy(update={"pattern": 1, "gain": 480, "share": 490})
    both = found(490).model_copy(
        update={
            "patterns": ["q - k <= 8", "k == q - 1", "q - k <= 2"],
            "heads": [
                [[wide, narrow], [narrow, wide], [wide], [one.model_copy(update={"pattern": 2})]]
            ],
            "free": [[0.5, 0.5, 0.5, 0.5]],
        }
    )
    every = [Head(0, 0), Head(0, 1), Head(0, 2)]
    assert [proposals.explanation(both, head) for head in every] == ["nearby", "pattern", "nearby"]
    assert "not at what" in proposals.conclusion(both, every[0])
    assert "“the token before”" in proposals.conclusion(both, every[0])
    assert "not at what" not in proposals.conclusion(both, every[1])
    assert "Nothing else" in proposals.conclusion(both, every[2])
    assert proposals.explanation(both, Head(0, 3)) == "pattern"  # three cells are a place
    said = proposals.count_sentence(both, every)
    assert "1 of 3 heads" in said
    assert "Of 2 more" in said
    assert proposals.best_example(both, every[::-1]) == every[1]
    assert proposals.best_example(both, []) is None
    assert [row[1].split(":")[0] for row in proposals.head_rows(both, every)] == [
        "nearby", "nearby", "the token before",
    ]  # fmt: skip


def test_a_single_group_has_no_error() -> None:
    alone = found(490)
    alone.heads[0][0][0] = alone.heads[0][0][0].model_copy(update={"error": None})
    assert proposals.explains(alone.of(Head(0, 0))[0]) == "50%"
    assert "±" not in proposals.conclusion(alone, Head(0, 0))


def test_a_proposal_of_no_pattern_is_refused() -> None:
    with pytest.raises(ValueError, match="names no pattern"):
        Proposals(**{**found(0).model_dump(), "patterns": []})


TABLE = KindTable(
    queries=["number", "name"],
    keys=["start", "number", "itself"],
    rows=[100, 20],
    even=[[[300, 60, 640], [300, 50, 650]]],
    mean=[[[[500, 410, 90], [100, 900, 0]]]],
)


def test_numbers_look_at_numbers_and_few_names_say_nothing() -> None:
    said = token_kinds.conclusion(TABLE, Head(0, 0))
    assert said.startswith("L0H0: numbers look at numbers with 41% of their attention, 6%")
    assert "kind" not in said  # 20 names are too few to tell
    framed = [one for one in token_kinds.records(TABLE, Head(0, 0)) if one["framed"]]
    assert [(one["query"], one["key"]) for one in framed] == [("number", "number")]
    assert token_kinds.rest(TABLE, Head(0, 0)) == pytest.approx((0.5 * 100 + 0.1 * 20) / 120)
    assert token_kinds.best_heads(TABLE, "number", "number")[0][0] == Head(0, 0)
    assert "41%" in token_kinds.own_kind(TABLE, Head(0, 0))
    assert "capitalised" not in token_kinds.own_kind(TABLE, Head(0, 0))


def test_a_table_of_other_kinds_is_refused() -> None:
    with pytest.raises(ValueError, match="not of these kinds"):
        KindTable(**{**TABLE.model_dump(), "keys": ["start"]})
