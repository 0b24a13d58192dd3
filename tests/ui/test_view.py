"""What the page says, from hand-made verdicts."""

from __future__ import annotations

import pandas as pd
import torch

from headroles.roles import ROLES, SCORED_ROLES
from headroles.scoring import RoleActivation
from headroles.store import Hint, ModelEntry, RoleHints, TopHead, WokenHead
from headroles.types import Evidence, Head
from headroles.verdicts import thresholds_in
from headroles.view import head_maps, lamps, lists, role_cards, tables, waking
from tests.entries import entry
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
        "needed": 0.4,
        "rows": 6,
        "is_active": False,
        "state": "quiet",
        "reason": "It looks elsewhere.",
        "resting_share": 0.2,
        **changes,
    }


def card(*rows: dict[str, object], key: str = "induction") -> role_cards.RoleCard:
    return role_cards.RoleCard(ROLES[key], rows)


def woken(layer: int, head: int, activation: float) -> WokenHead:
    return WokenHead(layer=layer, head=head, activation=activation)


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
    needed = ROLES["induction"].needed(0.4, 0.6)
    why = card(row(0, 1, activation_score=0.62, chance=0.6, needed=needed)).why_asleep
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
    said = role_cards.also_sentence(card(both, row(0, 2), row(0, 3, roles=both["roles"])))
    assert says(said, "L1H1", "L0H3", "Duplicate token")
    assert "L0H2" not in said
    assert role_cards.also_sentence(card(row(0, 2))) == ""


def test_a_bar_without_places_has_no_number() -> None:
    assert role_cards.shown(row(0, 1, rows=0, state="not_applicable")) == "nothing to do here"
    assert role_cards.shown(row(0, 1, rows=0, state="too_short")) == "too short to tell"
    assert role_cards.shown(ACTIVE) == "90% · active"


def test_a_gray_bar_says_what_it_needs_or_what_else_decides() -> None:
    assert says(role_cards.shown(row(0, 1, activation_score=0.34)), "34%", "quiet", "40%")
    near = row(0, 1, activation_score=0.358, needed=0.362)
    assert says(role_cards.shown(near), "35.8%", "quiet", "36.2%")
    works = role_cards.shown(row(0, 1, activation_score=0.62))
    assert says(works, "62%", "does not rest")
    short = row(0, 1, activation_score=0.62, state="too_short")
    assert role_cards.shown(short) == "62% · too short to tell"
    lines = [role_cards.line(one) for one in (ACTIVE, near, short)]
    assert lines == [0.4, 0.362, None]


def test_the_strongest_head_on_the_prompt_comes_first_and_ties_stay() -> None:
    rows = [row(0, 1), row(0, 2, activation_score=0.5), row(0, 3)]
    labels = [one["label"] for one in role_cards.role_card(ROLES["induction"], rows, None).rows]
    assert labels == ["L0H2", "L0H1", "L0H3"]


def test_alt_text_states_the_take_away() -> None:
    alt = role_cards.bars_alt(card(ACTIVE, row(0, 2)))
    assert "1 of 2 heads active" in alt
    assert says(alt, "L1H1", "90%", "40%", "5%")


def test_a_card_for_every_scored_role_in_order() -> None:
    cards = role_cards.role_cards({})
    assert [c.role.key for c in cards] == [role.key for role in SCORED_ROLES]
    assert says(role_cards.overall(cards), "None", "5 roles", "Inactive", "Induction", "no head")


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


def test_more_cells_than_places_are_explained() -> None:
    activation = RoleActivation(torch.tensor([[0.75]]), 0.2, 1)
    cells = [Evidence(4, 2, 0.5), Evidence(4, 3, 0.3)]
    labels = ["start", *"abac"]
    sentences = role_cards.pattern_sentences(
        ROLES["induction"], activation, Head(0, 0), cells, labels
    )
    assert says(sentences[1], "2 cells", "more than one")


def test_a_pattern_without_places_gives_the_reason() -> None:
    activation = RoleActivation(torch.zeros(1, 1), 0.0, 0)
    sentences = role_cards.pattern_sentences(
        ROLES["induction"], activation, Head(0, 0), [], ["start"]
    )
    assert sentences == [ROLES["induction"].asleep]


# ------------------------------------------------------------------ what wakes gray heads

HINTS = RoleHints(
    tried=9,
    prompts=[
        Hint(prompt="wide", heads=[woken(0, 1, 0.5), woken(0, 2, 0.6), woken(1, 0, 0.5)]),
        Hint(prompt="narrow", heads=[woken(1, 0, 0.9), woken(1, 1, 0.7)]),
    ],
    in_vain=[(1, 2)],
)
GRAY = [Head(0, 1), Head(1, 0), Head(1, 1), Head(1, 2)]


def test_few_prompts_wake_all_gray_heads_that_one_is_known_for() -> None:
    first, second = waking.wake_ups(HINTS, GRAY, besides="asdf")
    assert (first.prompt, first.heads) == ("wide", (Head(0, 1), Head(1, 0)))
    assert (second.prompt, second.heads) == ("narrow", (Head(1, 1),))
    assert says(first.sentence, "activates", "L0H1", "L1H0")
    assert [one.prompt for one in waking.wake_ups(HINTS, GRAY[1:3], besides="")] == ["narrow"]


def test_the_present_prompt_wakes_nothing() -> None:
    (only,) = waking.wake_ups(HINTS, GRAY, besides="wide")
    assert only.prompt == "narrow"
    assert waking.wake_ups(HINTS, [Head(1, 2)], besides="") == []
    assert waking.wake_ups(None, GRAY, besides="") == []


def test_what_was_tried_in_vain_or_not_at_all_is_said() -> None:
    assert says(waking.tried_sentence(HINTS, GRAY), "9 prompts", "none", "L1H2")
    assert says(waking.tried_sentence(HINTS, [*GRAY, Head(2, 2)]), "none is known for L2H2")
    woken_only = waking.tried_sentence(HINTS, GRAY[:3])
    assert "9 prompts" in woken_only
    assert "L" not in woken_only
    assert waking.tried_sentence(HINTS, []) == waking.tried_sentence(None, GRAY) == ""


def test_a_card_offers_a_prompt_that_was_tried_before_one_of_the_role_s_own() -> None:
    rows = (row(0, 1), row(1, 2), row(0, 2, is_active=True, state="active"))
    tried = role_cards.RoleCard(ROLES["induction"], rows, hints=HINTS)
    assert tried.gray == [Head(0, 1), Head(1, 2)]
    assert tried.hint("asdf", stories=True) == "wide"
    assert tried.hint("wide", stories=True) == ROLES["induction"].story_hints[0]
    in_vain = role_cards.RoleCard(ROLES["induction"], rows[1:2], hints=HINTS)
    assert in_vain.hint("asdf", stories=True) is None
    assert "L1H2" in in_vain.tried


def test_a_single_head_is_told_the_prompt_on_which_it_reached_most() -> None:
    one = entry(hints={"induction": HINTS.model_dump()})
    stored = one.role("induction")
    sentence, prompt = waking.of_head(stored, Head(0, 2), besides="asdf")
    assert prompt == "wide"
    assert says(sentence, "Induction", "gray", "60%")
    sentence, prompt = waking.of_head(stored, Head(1, 2), besides="asdf")
    assert prompt is None
    assert says(sentence, "none", "L1H2")
    assert waking.of_head(stored, Head(0, 2), besides="wide")[1] is None


# ------------------------------------------------------------------ what a list leaves out


def listing_of(
    scores: list[float], key: str = "induction", *, cap: int = 8, spread: int = 0
) -> str:
    """The sentence for an entry whose heads over .5 are four, and whose list has these scores."""
    return lists.list_sentence(listed(scores, key, cap=cap, spread=spread), key)


def listed(scores: list[float], key: str, *, cap: int, spread: int = 0) -> ModelEntry:
    """The entry itself."""
    one = entry(cap=cap)
    heads = [(1, 2), (1, 1), (1, 0), (0, 2), (0, 1)]
    tops = [
        TopHead(
            layer=layer,
            head=head,
            score=score,
            standard_error=0.0,
            entered_by="layer diversity" if place >= len(scores) - spread else "threshold",
        )
        for place, ((layer, head), score) in enumerate(zip(heads, scores, strict=False))
    ]
    role = ROLES[key]
    category = one.categories["induction"].model_copy(
        update={"top_heads": tops, "threshold": 0.5, "display_name": role.name}
    )
    scores_of = {**one.all_scores, key: one.all_scores["induction"]}
    return one.model_copy(update={"categories": {key: category}, "all_scores": scores_of})


def test_a_list_says_how_many_heads_it_leaves_out() -> None:
    assert says(listing_of([1.0, 0.875], cap=2), "2 of the 4", "(2 at most)")
    assert says(listing_of([1.0], cap=1), "1 of the 4", "is listed (1 at most).")
    assert says(listing_of([1.0, 0.875, 0.75, 0.5]), "All 4 heads")
    assert "at most" not in listing_of([1.0, 0.875, 0.75, 0.5])


def test_a_map_says_when_the_list_names_other_heads_than_reach_the_threshold() -> None:
    def said(scores: list[float], cap: int, spread: int = 0) -> str:
        stored = listed(scores, "induction", cap=cap, spread=spread).role("induction")
        return head_maps.stored_map(stored).sentence

    assert says(said([1.0, 0.875], 2), "4 of 6 heads reach")
    assert says(said([1.0, 0.875], 2), "Listed: 2 heads.")
    assert says(said([1.0, 0.875, 0.75, 0.5, 0.25], 8, 1), "5 heads", "1 of them below")
    assert "Listed" not in said([1.0, 0.875, 0.75, 0.5], 8)


def test_tables_write_a_real_minus_and_keep_their_numbers() -> None:
    frame = pd.DataFrame({"score": [-0.5, float("nan")], "change": [0.25, -0.25], "rank": [1, 2]})
    styled = tables.with_minus(frame, {"score": 2, "change": 1}, changes=["change"])
    words = styled.hide(axis="index").to_string().split()
    assert words == ["score", "change", "rank", "−0.50", "+0.2", "1", "–", "−0.2", "2"]
    assert styled.data["score"][0] == -0.5


def test_the_list_of_resting_heads_counts_those_that_rest() -> None:
    """As the head map says of more heads that they are over the threshold and work."""
    resting = listing_of([1.0], "positional", cap=1)
    assert says(resting, "1 of the 4 heads over the threshold is listed")


def test_the_summary_counts_roles_and_listed_heads_and_says_what_sleeps() -> None:
    cards = role_cards.role_cards({role.key: [ACTIVE] for role in SCORED_ROLES}, entry())
    assert says(role_cards.overall(cards), "All 5 roles", "5 of 5 listed heads")
    assert "Asleep" not in role_cards.overall(cards)
    idle = row(0, 2, state="not_applicable", reason="No token comes back.", rows=0)
    some = {"induction": [idle], "diffuse": [ACTIVE, row(0, 2)], "positional": [row(0, 3)]}
    words = role_cards.overall(role_cards.role_cards(some, entry()))
    assert says(words, "1 of 5 roles is active", "1 of 4 listed heads", "Inactive")
    assert says(words, "Induction", "no repetition")
    assert says(words, "First token", "something else")


def test_a_reason_that_cards_share_is_said_once_in_the_summary() -> None:
    short = row(0, 2, state="too_short", reason="Too short to tell: 2 tokens.")
    cards = role_cards.role_cards({"diffuse": [short], "positional": [short]}, entry())
    assert role_cards.shared_reasons(cards) == {"Too short to tell: 2 tokens."}
    assert role_cards.overall(cards).count("too short to tell: 2 tokens") == 1
    assert [line[-1] for line in role_cards.table_rows(cards[-1])] == [""]


def test_gray_heads_are_counted_by_reason() -> None:
    idle = row(0, 2, state="not_applicable", rows=0)
    cards = role_cards.role_cards({"induction": [idle, row(0, 3)], "diffuse": [ACTIVE]}, entry())
    assert says(role_cards.why_gray(cards), "3 listed heads", "2", "gray", "1", "quiet", "1")
    awake = role_cards.role_cards({"diffuse": [ACTIVE]}, entry())
    assert says(role_cards.why_gray(awake), "No listed head is gray")


def test_a_lamp_shows_its_state_by_shape_and_words_and_leads_to_its_card() -> None:
    idle = row(0, 2, state="not_applicable", rows=0)
    cards = role_cards.role_cards({"induction": [idle], "diffuse": [ACTIVE, row(0, 2)]}, entry())
    shown = zip(cards, lamps.of_cards(cards), strict=True)
    by_role = {card.role.key: lamp for card, lamp in shown}
    assert says(by_role["induction"], "○", "Induction", "0 of 1")
    assert says(by_role["diffuse"], "●", "Diffuse", "1 of 2")
    assert 'href="#role-diffuse"' in by_role["diffuse"]


def test_a_list_says_who_stands_on_it_for_the_layer() -> None:
    below = listing_of([1.0, 0.875, 0.75, 0.5, 0.25], spread=1)
    assert says(below, "All 4 heads", "1 more below it is listed", "best of its layer")
    over = listing_of([1.0, 0.875, 0.75], cap=3, spread=2)
    assert says(over, "3 of the 4", "2 of them", "best of their layer")


def test_a_list_of_steady_heads_says_why_it_leaves_some_out() -> None:
    assert says(listing_of([1.0], "delimiter"), "1 of the 4", "others", "uncertain")
    assert says(listing_of([], "delimiter"), "4 heads are over", "not listed", "uncertain")
    assert says(listing_of([], "fixed_offset"), "one token back")


def test_no_head_over_the_threshold_needs_no_sentence() -> None:
    one = entry()
    high = one.categories["induction"].model_copy(update={"threshold": 1.0, "top_heads": []})
    scores = [[0.125, 0.25, 0.5], [0.75, 0.875, 0.9]]
    nobody = one.model_copy(
        update={
            "categories": {"induction": high},
            "all_scores": {**one.all_scores, "induction": scores},
        }
    )
    assert lists.list_sentence(nobody, "induction") == ""
    low = high.model_copy(
        update={
            "top_heads": [
                TopHead(layer=1, head=2, score=0.9, standard_error=0, entered_by="layer diversity")
            ]
        }
    )
    spread = nobody.model_copy(update={"categories": {"induction": low}})
    assert says(lists.list_sentence(spread, "induction"), "No head is over", "1 below it")


def test_a_head_that_is_listed_below_the_threshold_is_not_called_other() -> None:
    one = entry()
    top = TopHead(layer=0, head=0, score=0.125, standard_error=0, entered_by="layer diversity")
    category = one.categories["induction"].model_copy(update={"top_heads": [top]})
    none = one.categories["other"].model_copy(update={"top_heads": []})
    one = one.model_copy(
        update={"categories": {**one.categories, "induction": category, "other": none}}
    )
    stored = head_maps.of_entry(one, thresholds_in(one))
    assert stored.names_of(0) == ["Induction"]
    assert stored.names_of(1) == []
    assert says(str(stored.other_map().records[0]["shown"]), "Induction")


def test_cards_of_an_analysis_carry_its_hints_and_its_lists() -> None:
    one = entry(hints={"induction": HINTS.model_dump()})
    cards = {card.role.key: card for card in role_cards.role_cards({"induction": [ACTIVE]}, one)}
    assert cards["induction"].hints == HINTS
    assert cards["induction"].over == 4  # of .125 .25 .5 .75 .875 1, at a threshold of .5
    assert cards["induction"].headline == "1 of 1 listed head active"
    assert says(cards["induction"].list_sentence, "2 of the 4")
    assert cards["diffuse"].hints is None
