"""The numbers of the scatter: what an analysis holds, one beside another."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from headroles import verdicts
from headroles.capture import capture
from headroles.charts import scatter
from headroles.models import load_model
from headroles.scoring import likeness
from headroles.store import RealText, read_entry, read_real_text
from headroles.store.real_text import Profiles
from headroles.types import Head
from headroles.view import causal, head_numbers
from headroles.view import scatter as scatter_words
from headroles.view.head_numbers import HeadNumber
from headroles.view.scatter import Region
from tests.facts import says


@pytest.fixture(scope="module")
def entry():
    return read_entry("demo")


@pytest.fixture(scope="module")
def numbers(entry):
    return head_numbers.of_entry(entry)


def number(*values: float | None, key: str = "one", **more) -> HeadNumber:
    return HeadNumber(key, key.capitalize(), "a number", values, **more)


def test_every_number_is_that_of_the_analysis_head_by_head(entry, numbers) -> None:
    for place, head in enumerate(entry.heads):
        for key in ("previous_token", "induction", "delimiter"):
            score = entry.all_scores[key][head.layer][head.head]
            assert numbers[key].values[place] == score
        control = entry.controls["previous_token"].scores[head.layer][head.head]
        assert numbers["previous_token.control"].values[place] == control
        difference = numbers["previous_token.difference"].values[place]
        assert difference == pytest.approx(
            entry.all_scores["previous_token"][head.layer][head.head] - control
        )
        peak = entry.profiles["fixed_offset"].peaks[head.layer][head.head]
        assert numbers["fixed_offset.distance"].values[place] == peak
    assert numbers["induction"].threshold == entry.categories["induction"].threshold
    assert "induction.control" not in numbers  # its texts are random tokens already


def test_a_role_of_one_head_is_not_said_to_have_all_of_them_together(entry) -> None:
    alone, several = entry.causal["duplicate_token"], entry.causal["induction"]
    assert (len(alone.group.heads), len(several.group.heads)) == (1, 7)
    assert "together" not in causal.together(alone)
    assert "all 7 together" in causal.together(several)


def test_what_a_number_is_called_follows_its_unit(numbers) -> None:
    even = {key for key, number in numbers.items() if "even its attention" in number.about}
    assert even == {"diffuse"}  # no other role is an evenness, retrieval least of all
    assert "copies" in numbers["retrieval"].about


def test_the_evidence_by_ablation_stands_where_a_head_was_knocked_out(entry, numbers) -> None:
    tested = {(one.layer, one.head): one.change for one in entry.causal["induction"].heads}
    found = numbers[f"ablation.{entry.causal['induction'].measured_on}"]
    for place, head in enumerate(entry.heads):
        if tuple(head) in tested:
            assert found.values[place] == tested[tuple(head)]
    assert 0 < found.n < len(entry.heads)


def test_every_question_names_two_numbers_that_there_are(numbers) -> None:
    known = numbers | head_numbers.prompt_names() | head_numbers.circuit_names()
    for along, up in head_numbers.PRESETS.values():
        assert {along, up} <= known.keys()
    assert len({number.name for number in known.values()}) == len(known)


def test_numbers_of_a_prompt_are_its_activations(entry) -> None:
    run = capture(load_model("demo"), "The old man walked to the river with his dog.")
    scores = verdicts.score_run(run)
    found = head_numbers.of_prompt(scores)
    previous = found["previous_token.prompt"].values
    before = run.attention[0, 5].diagonal(-1)[1:].mean()
    assert previous[5] == pytest.approx(float(before), abs=1e-6)
    repeats = capture(load_model("demo"), "One two three four five.")
    assert set(head_numbers.of_prompt(verdicts.score_run(repeats))["induction.prompt"].values) == {
        None
    }  # nothing is repeated


def test_points_know_their_third_their_role_and_whether_they_are_inside() -> None:
    along, up = number(0.1, 0.5, None, 0.9), number(0.2, 0.4, 0.6, 0.8, key="two")
    records = scatter_words.points(
        Head.every(4, 1),
        along,
        up,
        roles={Head(1, 0): "induction"},
        layers=4,
        opened=Head(3, 0),
        region=Region((0.0, 0.5), (0.3, 1.0)),
    )
    assert [record["label"] for record in records] == ["L0H0", "L1H0", "L3H0"]
    assert [record["third"] for record in records] == ["early", "early", "late"]
    assert [record["role"] for record in records] == ["other", "induction", "other"]
    assert [record["inside"] for record in records] == [False, True, False]
    assert [record["open"] for record in records] == [False, False, True]
    (row,) = scatter_words.rows(records, along, up)
    assert (row["label"], row["one"], row["two"], row["role"]) == ("L1H0", 0.5, 0.4, "induction")


def test_two_names_never_lie_over_each_other() -> None:
    values = tuple(0.5 + place / 1000 for place in range(30))
    records = scatter_words.points(
        Head.every(30, 1), number(*values), number(*values, key="two"), roles={}, layers=30
    )
    assert 1 <= sum(bool(record["named"]) for record in records) <= 2 * scatter_words.MOST_NAMED


@pytest.mark.parametrize(
    ("others", "side"),
    [
        ([], "left"),
        ([(0.85, 0.5)], "above"),
        ([(0.85, 0.5), (1.0, 0.54)], "below"),
        ([(0.85, 0.5), (0.87, 0.5), (1.0, 0.54), (1.0, 0.46)], "above"),
    ],
)
def test_a_name_stands_where_it_hides_no_point(others, side) -> None:
    """The point is at the right edge, so its name cannot stand on its right."""
    spots = [(1.0, 0.5), (0.0, 0.0), (0.5, 1.0), *others]
    records = [{"label": str(place), "x": x, "y": y} for place, (x, y) in enumerate(spots)]
    ((record, found),) = scatter_words.name_places(records[:1], records)
    assert (record["label"], found) == ("0", side)


def test_names_do_not_lie_over_each_other() -> None:
    records = [{"label": str(place), "x": x, "y": 0.5} for place, x in enumerate((0.3, 0.45))]
    records += [{"label": "low", "x": 0.0, "y": 0.0}, {"label": "high", "x": 1.0, "y": 1.0}]
    sides = [side for _, side in scatter_words.name_places(records[:2], records)]
    assert sides == ["left", "right"]  # to its right, the first would lie over the second


def test_the_sentence_has_the_correlation_and_how_many_heads_have_both() -> None:
    along, up = number(1.0, 2.0, 3.0, 4.0, None), number(2.0, 1.0, 4.0, 3.0, 9.0, key="two")
    assert likeness.spearman(along.values, up.values) == (0.6, 4)
    assert says(
        scatter_words.correlation_sentence(along, up), "4 heads", "+0.60", "n = 4", "1 head"
    )
    flat = number(1.0, 1.0, 1.0, 1.0, 1.0)
    assert says(scatter_words.correlation_sentence(flat, up), "n = 5")


@pytest.mark.parametrize(
    ("value", "more", "shown"),
    [
        (0.256, {}, "26%"),
        (-0.25, {"is_share": False}, "−0.25"),
        (0.256, {"key": "one.difference"}, "+26 points"),
        (None, {}, "–"),
    ],
)
def test_a_value_is_shown_in_its_unit(value, more: dict, shown: str) -> None:
    assert number(0.5, value, **more).shown(value) == shown


def test_the_main_role_is_the_one_with_the_highest_score_and_resting_the_last(entry) -> None:
    roles = scatter_words.main_roles(entry)
    for head in entry.heads:
        having = {
            role: entry.all_scores[role][head.layer][head.head]
            for role in ("previous_token", "induction", "duplicate_token", "diffuse")
            if head in entry.listed(role)
            or entry.all_scores[role][head.layer][head.head] >= entry.categories[role].threshold
        }
        if having:
            assert roles[head] == max(having, key=having.get)
        else:
            assert roles.get(head, "positional") == "positional"
    assert set(entry.listed("positional")) <= set(roles)
    assert scatter_words.main_roles(None) == {}


def test_numbers_on_real_text_are_shares_of_the_profile() -> None:
    matrix = [[0.5, 0.25]]
    profiles = Profiles(
        rows=10,
        first=matrix,
        entropy=matrix,
        distance=[[[0.1, 0.2]], [[0.3, 0.4]]],
        copies=[[[0.05, 0.0]], [[0.0, 0.15]]],
        classes={},
    )
    found = head_numbers._of_profiles(profiles)
    assert found["first.real_text"].values == (0.5, 0.25)
    assert found["previous.real_text"].values == (0.3, 0.4)
    assert found["after_copy.real_text"].values == (0.05, 0.0)
    assert found["copy.real_text"].values == (0.0, 0.15)


@pytest.mark.parametrize(
    "event",
    [
        None,
        "text",
        {},
        {"selection": {"region": {}}},
        {"selection": {"region": {"x": [1], "y": [0, 1]}}},
        {"selection": {"region": {"x": ["a", "b"], "y": [0, 1]}}},
        {"selection": {"region": {"x": [0.5, 0.5], "y": [0, 1]}}},
    ],
)
def test_an_odd_event_marks_nothing(event) -> None:
    assert scatter.region_of_event(event) is None


def test_a_rectangle_has_its_edges_in_order() -> None:
    event = {"selection": {"region": {"x": [0.5, 0.1], "y": [0.9, 0.2]}}}
    assert scatter.region_of_event(event) == (0.1, 0.5, 0.2, 0.9)


def test_roles_on_real_text_are_those_of_the_stored_pass() -> None:
    record = read_real_text("demo")
    found = head_numbers.of_real_text(record)
    means = record.activity["induction"].text
    place = Head(1, 4)
    assert found["induction.real_text"].values[12] == means.mean[1][4]
    assert found["induction.rate.real_text"].values[12] == means.rate(place)
    assert all(len(number.values) == 32 for number in found.values())


def test_profiles_of_another_shape_are_refused() -> None:
    plain = json.loads(read_real_text("demo").model_dump_json(exclude_none=True))
    matrix = [[0.5, 0.25]]
    plain["profiles"] = {
        "rows": 10, "first": matrix, "entropy": matrix, "distance": [matrix], "copies": [matrix],
        "classes": {},
    }  # fmt: skip
    with pytest.raises(ValidationError, match="shape"):
        RealText.model_validate_json(json.dumps(plain))
