"""What changes between two prompts, from hand-made verdicts."""

from __future__ import annotations

import pytest

from headroles.roles import ROLES
from headroles.texts import DEFAULT_PROMPT
from headroles.view import RoleCard, two_prompts
from headroles.view.two_prompts import Pair, RolePair, suggestion
from tests.facts import says


def row(value: float, *, active: bool = False, rows: int = 6, **changes: object) -> dict:
    return {
        "layer": 1,
        "head": 3,
        "label": "L1H3",
        "score": 0.9,
        "roles": ["induction"],
        "activation_score": value,
        "chance": 0.1,
        "threshold": 0.4,
        "needed": 0.4,
        "rows": rows,
        "is_active": active,
        "state": "active" if active else ("quiet" if rows else "not_applicable"),
        "reason": "It looks elsewhere.",
        **changes,
    }


SHORT = row(0.9, state="too_short", reason="Too short to tell.")
IDLE = row(0.0, rows=0, reason="No token appears twice.")


def pair(first: dict, second: dict, *, role: str = "induction") -> RolePair:
    return RolePair(RoleCard(ROLES[role], (first,)), RoleCard(ROLES[role], (second,)))


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (row(0.3), row(0.73, active=True), "+43 points · became active"),
        (row(0.73, active=True), row(0.3), "−43 points · became inactive"),
        (row(0.39), row(0.4, active=True), "+1 point · became active"),
        (row(0.6, active=True), row(0.8, active=True), "+20 points · still active"),
        (row(0.3), row(0.1), "−20 points · still quiet"),
        (row(0.3), row(0.34), "+4 points · no clear change"),
        (row(0.3), row(0.3), "0 points · no clear change"),
        (IDLE, row(0.7, active=True), "became active"),  # no number to count points from
        (row(0.7, active=True), IDLE, "became inactive"),
        (row(0.2), IDLE, "no clear change"),
        (IDLE, IDLE, "no clear change"),
        (row(0.8, active=True), SHORT, "too short to tell"),  # nobody knows that it sleeps
        (SHORT, row(0.8, active=True), "too short to tell"),
    ],
)
def test_a_change_in_points_and_words(first: dict, second: dict, said: str) -> None:
    assert Pair(first, second).change == said


def test_the_summary_counts_only_roles_of_which_the_model_has_heads() -> None:
    awake = row(0.8, active=True)
    nobody = RolePair(RoleCard(ROLES["diffuse"], ()), RoleCard(ROLES["diffuse"], ()))
    pairs = [
        pair(IDLE, awake),
        pair(row(0.1), awake, role="duplicate_token"),
        pair(awake, row(0.2), role="previous_token"),
        pair(awake, awake, role="positional"),
        nobody,
    ]
    assert says(
        two_prompts.summary(pairs),
        "Induction",
        "Duplicate token",
        "become active",
        "Previous token",
        "becomes inactive",
        "1",
    )
    assert says(
        two_prompts.summary([pair(IDLE, IDLE), pair(awake, awake), nobody]),
        *("No role", "1 is active on both", "1 is inactive"),
    )


def test_a_prompt_that_is_too_short_wakes_and_lulls_nobody() -> None:
    awake = row(0.8, active=True)
    short = pair(awake, SHORT)
    assert says(short.headline, "too short", "1 → 0 of 1")
    assert says(two_prompts.summary([short, pair(awake, awake)]), "1 is active", "1", "too short")


def test_two_bars_a_head_each_with_its_own_chance() -> None:
    one, two = two_prompts.bar_records(
        pair(row(0.3, chance=0.2), row(0.73, active=True, chance=0.05))
    )
    assert [one["side"], one["value"], one["chance"], one["number"]] == [1, 0.3, 0.2, "30%"]
    assert [two["side"], two["value"], two["chance"], two["number"]] == [2, 0.73, 0.05, "73%"]
    assert one["bottom"] < two["top"] < two["bottom"] < two["to"]
    assert one["turned"]
    assert one["change"] == two["change"] == "+43 points · became active"


def test_a_bar_without_places_has_words_and_no_number() -> None:
    _, idle = two_prompts.bar_records(pair(row(0.3), IDLE))
    assert (idle["applies"], idle["number"], idle["idle"]) == (False, "–", "nothing to do here")


def test_the_table_says_what_the_bars_say() -> None:
    assert two_prompts.table_rows(pair(IDLE, row(0.73, active=True))) == [
        ["L1H3", "nothing to do here", "73% · active", "became active"]
    ]


def test_either_prompt_has_its_own_line_and_the_words_say_both() -> None:
    asleep = row(0.357, needed=0.364, chance=0.01)
    both = pair(row(0.35, active=True, needed=0.33), asleep)
    assert [one["needed"] for one in two_prompts.bar_records(both)] == [0.33, 0.364]
    assert says(two_prompts.levels(both), "33%", "36%", "10%", "1%")
    assert both.heads[0].change == "+1 point · became inactive: now needs 36%"
    awake = row(0.34, active=True, needed=0.33)
    assert Pair(asleep, awake).change == "−2 points · became active: now needs only 33%"
    works = Pair(row(0.6, active=True), row(0.7)).change
    assert says(works, "+10 points", "became inactive", "does not rest")
    assert Pair(row(0.7), row(0.9, active=True)).change == (
        "+20 points · became active: now it rests"
    )
    assert says(Pair(row(0.7), row(0.7)).change, "no clear change", "does not rest")
    assert says(Pair(row(0.7), row(0.3)).change, "still quiet", "at first", "does not rest")


def test_the_largest_change_comes_first() -> None:
    cards = [
        RoleCard(ROLES["induction"], (row(0.3), row(0.2, label="L0H1"), row(0.6, label="L0H2"))),
        RoleCard(ROLES["induction"], (row(0.6, label="L0H2"), row(0.4), row(0.9, label="L0H1"))),
    ]
    assert [head.first["label"] for head in RolePair(*cards).heads] == ["L0H1", "L1H3", "L0H2"]


def test_a_lamp_says_what_changed() -> None:
    (lamp,) = two_prompts.lamps([pair(IDLE, row(0.73, active=True))])
    assert says(lamp, "○ → ●", "Induction", "0 → 1 of 1")


def test_a_shared_reason_is_said_once() -> None:
    assert two_prompts.reasons(pair(IDLE, IDLE)) == ["No token appears twice."]
    (reason,) = two_prompts.reasons(pair(row(0.8, active=True), IDLE))
    assert says(reason, "second prompt", IDLE["reason"])
    assert two_prompts.reasons(pair(row(0.8, active=True), row(0.8, active=True))) == []


def test_the_alt_text_names_the_largest_change() -> None:
    assert says(
        two_prompts.alt_text(pair(row(0.3), row(0.73, active=True))),
        *("Induction", "0 → 1 of 1", "L1H3", "30%", "quiet", "73%", "active", "+43"),
    )


def test_rows_for_a_file_hold_both_prompts() -> None:
    (found,) = two_prompts.export_rows([pair(IDLE, row(0.73, active=True))])
    assert found["first_activation_score"] == 0.0
    assert found["second_activation_score"] == 0.73
    assert found["second_needed"] == 0.4
    assert found["first_state"] == "not_applicable"
    assert found["change_in_points"] is None
    assert found["change"] == "became active"


@pytest.mark.parametrize(
    ("prompt", "second"),
    [
        (DEFAULT_PROMPT, "The cat sat on the mat."),
        ("one two three one two", "one two three"),
        ("a\nb  a\nb", "a\nb"),  # its own line ends are kept
        ("la la la", "la"),
        ("a b a c a b a", "a b a c"),
        ("a a a b", "a a a b a a a b"),
        ("A dog barks.", "A dog barks. A dog barks."),
        ("word", "word word"),
        ("", DEFAULT_PROMPT),
        ("x" * 30_000, DEFAULT_PROMPT),  # twice would be more than this app reads
    ],
)
def test_a_second_prompt_to_begin_with(prompt: str, second: str) -> None:
    assert suggestion(prompt) == second


def test_looking_for_the_repetition_takes_one_pass() -> None:
    """A long prompt that repeats almost to its end once took the square of its words."""

    class Word(str):
        __slots__ = ()
        compared = 0
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            Word.compared += 1
            return str.__eq__(self, other)

        def __ne__(self, other: object) -> bool:
            Word.compared += 1
            return str.__ne__(self, other)

    words = [*[Word("a")] * 2000, Word("b")]
    assert two_prompts._period(words) == 2001
    assert Word.compared <= 4 * len(words)
