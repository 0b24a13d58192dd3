"""What the page says, from hand-made verdicts."""

from __future__ import annotations

import torch

from headroles.roles import ROLES, SCORED_ROLES
from headroles.scoring import RoleActivation
from headroles.types import Evidence, Head
from headroles.view import role_cards
from tests.facts import says
from tests.pages.planted import PLANTED, planted_entry


def row(layer: int, head: int, **changes: object) -> dict[str, object]:
    return {
        "layer": layer,
        "head": head,
        "label": f"L{layer}H{head}",
        "score": 0.9,
        "standard_error": 0.01,
        "roles": ["induction"],
        "activation_score": 0.1,
        "chance": 0.05,
        "threshold": 0.4,
        "rows": 6,
        "is_active": False,
        "state": "quiet",
        "reason": "It looks elsewhere.",
        "resting_share": 0.2,
        **changes,
    }


def card(*rows: dict[str, object], key: str = "induction") -> role_cards.RoleCard:
    return role_cards.RoleCard(ROLES[key], rows)


ACTIVE = row(1, 1, is_active=True, state="active", activation_score=0.9)


def test_one_active_head_wakes_a_role() -> None:
    awake = card(ACTIVE, row(0, 2))
    assert awake.awake
    assert awake.headline == "1 of 2 heads active"
    assert awake.why_asleep == ""


def test_a_shared_reason_is_the_role_s_reason() -> None:
    asleep = {"state": "not_applicable", "reason": "No token appears twice.", "rows": 0}
    assert card(row(0, 1, **asleep), row(0, 2, **asleep)).why_asleep == "No token appears twice."


def test_quiet_heads_name_the_nearest_one_and_what_it_takes() -> None:
    why = card(row(0, 1, activation_score=0.3), row(0, 2), row(0, 3)).why_asleep
    assert says(why, "could", "all 3 heads", "else")
    assert says(why, "L0H1", "30%", "40%")


def test_what_it_takes_is_clearly_over_chance_where_chance_is_high() -> None:
    # chance .6: .35 of the way from there to a perfect head is .74, above the threshold of .4
    why = card(row(0, 1, activation_score=0.62, chance=0.6)).why_asleep
    assert says(why, "L0H1", "62%", "74%")


def test_a_role_without_heads_has_no_hint_and_says_so() -> None:
    nobody = card()
    assert nobody.headline == "no head of this model"
    assert "found no head" in nobody.why_asleep
    assert nobody.hint("anything", stories=True) is None


def test_a_hint_is_never_the_present_prompt() -> None:
    hints = ROLES["induction"].story_hints
    assert card(row(0, 1)).hint("another prompt", stories=True) == hints[0]
    assert card(row(0, 1)).hint(hints[0], stories=True) == hints[1]
    assert card(row(0, 1)).hint(hints[0], stories=False) == ROLES["induction"].text_hints[0]


def test_the_other_role_of_a_head_is_named() -> None:
    both = row(1, 1, roles=["induction", "duplicate_token", "other"])
    assert role_cards.also_roles(both, ROLES["induction"]) == ["Duplicate token"]
    assert role_cards.bar_records(card(both))[0]["note"] == "also Duplicate token"


def test_a_bar_without_places_has_no_number() -> None:
    assert role_cards.shown(row(0, 1, rows=0, state="not_applicable")) == "nothing to do here"
    assert role_cards.shown(row(0, 1, rows=0, state="too_short")) == "too short to tell"
    assert role_cards.shown(ACTIVE) == "90% · active"


def test_alt_text_states_the_take_away() -> None:
    alt = role_cards.bars_alt(card(ACTIVE, row(0, 2)))
    assert "1 of 2 heads active" in alt
    assert says(alt, "L1H1", "90%")
    assert "chance is 5%" in alt


def test_a_card_for_every_scored_role_in_order() -> None:
    cards = role_cards.role_cards({})
    assert [c.role.key for c in cards] == [role.key for role in SCORED_ROLES]
    assert says(role_cards.overall(cards), "0 of 5", "0 of 0")


def test_the_heads_that_fit_nothing_are_those_that_the_analysis_lists_so() -> None:
    nothing = role_cards.listed_heads(planted_entry(4, 8), "other")
    assert len(nothing) == 4 * 8 - len(PLANTED)
    assert not nothing & set(PLANTED.values())


def test_listed_heads_of_a_model_without_analysis() -> None:
    assert role_cards.listed_heads(None, "induction") == set()
    assert role_cards.listed_heads(planted_entry(4, 8), "induction") == {PLANTED["induction"]}


def test_a_pattern_in_words() -> None:
    activation = RoleActivation(torch.tensor([[0.75]]), 0.2, 4)
    labels = ["start", "a", "b", "a"]
    first, second = role_cards.pattern_sentences(
        ROLES["induction"], activation, Head(0, 0), [Evidence(3, 2, 0.9)], labels
    )
    assert says(first, "4 places", "75%")
    assert says(first, "even", "20%")
    assert says(second, "“a”", "3", "90%", "“b”", "2")


def test_a_pattern_without_places_gives_the_reason() -> None:
    activation = RoleActivation(torch.zeros(1, 1), 0.0, 0)
    sentences = role_cards.pattern_sentences(
        ROLES["induction"], activation, Head(0, 0), [], ["start"]
    )
    assert sentences == [ROLES["induction"].asleep]
