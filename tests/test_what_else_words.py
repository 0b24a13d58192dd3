"""What else a knock-out changes, in records and sentences: hand-worked numbers."""

from __future__ import annotations

import math

import pytest
import torch

from headroles import charts
from headroles.ablation import Condition, HeadOutput, Looks, OffsetPoint, Values, removal
from headroles.scoring import RoleActivation
from headroles.types import ComponentSet, Encoding, Head
from headroles.view import attention_shift, changed_roles, knocked_out, token_by_token
from tests.facts import says

# ------------------------------------------------------------------ token by token


def encoded(ids) -> Encoding:
    return Encoding(tuple(ids), tuple(f" t{one}" for one in ids), " t0", True, len(ids))


REPEATED = encoded([0, 5, 6, 7, 5, 6, 7])  # positions 5 and 6 continue a pair


def logs(*shares: float) -> list[float]:
    return [-math.log(share) for share in shares]


@pytest.fixture
def lines():
    before = logs(0.1, 0.2, 0.1, 0.2, 0.8, 0.6)
    after = logs(0.1, 0.2, 0.1, 0.2, 0.1, 0.3)
    draws = [logs(0.1, 0.2, 0.1, 0.2, 0.8, 0.5), logs(0.1, 0.2, 0.1, 0.2, 0.6, 0.5)]
    return token_by_token.lines(REPEATED, before, after, draws)


def test_the_repeated_tokens_and_their_means(lines) -> None:
    assert [line.position for line in lines if line.repeated] == [5, 6]
    before, after, others = token_by_token.on_repeats(lines)
    assert (before, after) == pytest.approx((0.7, 0.2))
    assert others == pytest.approx([0.65, 0.55])
    assert lines[4].others_mean == pytest.approx((math.log(0.8) + math.log(0.6)) / 2)


def test_the_sentence_of_a_repeat(lines) -> None:
    said = token_by_token.sentence(lines, "without L1H4")
    assert says(said, "“·t6” on", "70%", "without L1H4 with 20%", "60% ± 7")


def test_repeats_that_are_scattered_are_counted() -> None:
    ids = encoded([0, 5, 6, 9, 5, 6, 8, 5, 6])
    found = token_by_token.lines(ids, logs(*[0.5] * 8), logs(*[0.25] * 8))
    assert token_by_token.spans([x.position for x in found if x.repeated]) == [(5, 5), (8, 8)]
    assert says(token_by_token.sentence(found, "without it"), "2 of 8 tokens", "50%", "25%")


def test_a_text_without_repeats_names_the_token_that_loses_most() -> None:
    ids = encoded([0, 5, 6, 7])
    found = token_by_token.lines(ids, logs(0.5, 0.9, 0.01), logs(0.5, 0.3, 0.0001))
    assert says(token_by_token.sentence(found, "without L1H4"), "Nothing repeats", "“·t6” loses",
                "90% → 30%")  # fmt: skip
    beside = token_by_token.lines(
        ids, logs(0.5, 0.9, 0.01), logs(0.5, 0.3, 0.0001), [logs(0.5, p, 0.01) for p in (0.8, 0.9)]
    )
    assert says(token_by_token.sentence(beside, "without L1H4"), "90% → 30%", "85% ± 7")
    same = token_by_token.lines(ids, logs(0.5, 0.9, 0.01), logs(0.5, 0.9, 0.01))
    assert says(token_by_token.sentence(same, "without L1H4"), "No token")


def test_an_impossible_token_is_drawn_at_the_edge_and_kept_in_the_file() -> None:
    found = token_by_token.lines(encoded([0, 5, 6]), [0.1, math.inf], [0.2, 0.3])
    assert token_by_token.records(found)[1]["before"] == token_by_token.SMALLEST
    assert token_by_token.file_rows(found)[1]["log_probability_untouched"] == -math.inf
    assert token_by_token.table_rows(found)[1][2] == "0%"


def test_the_chart_holds_both_lines_the_band_and_the_stretch(lines) -> None:
    drawing = charts.token_lines(
        token_by_token.records(lines), [(5, 6)], ["start", *"abcdef"], names=("untouched", "off")
    )
    spec = drawing.to_dict()
    data = spec["datasets"]
    assert [(row["who"], round(row["p"], 3)) for row in data["points"][-2:]] == [
        ("off", 0.1), ("off", 0.3),
    ]  # fmt: skip
    assert data["spans"] == [{"from": 4.5, "to": 6.5, "word": "↻ repeats"}]
    assert all(row["mean"] == pytest.approx(row["p"]) for row in data["points"])
    assert data["tokens"][5]["low"] == pytest.approx(0.5)  # both draws .5
    assert drawing.values["ticks"] == [1.0, 0.1]


def test_a_long_text_is_a_line_without_points() -> None:
    ids = encoded(range(500))
    found = token_by_token.lines(ids, logs(*[0.5] * 499), logs(*[1e-6] * 499))
    records = token_by_token.records(found)
    drawing = charts.token_lines(records, [], [f"t{n}" for n in range(500)], names=("a", "b"))
    marks = [
        one["mark"]["type"] for one in drawing.to_dict()["layer"] if isinstance(one["mark"], dict)
    ]
    assert "point" not in marks
    assert charts.before_after.running(499) == 17
    wave = [
        {**record, "before": 0.1 if place % 2 else 0.001} for place, record in enumerate(records)
    ]
    drawn = charts.token_lines(wave, [], [f"t{n}" for n in range(500)], names=("a", "b"))
    middle = drawn.to_dict()["datasets"]["points"][250]
    assert middle["mean"] == pytest.approx(0.001 ** (9 / 17) * 0.1 ** (8 / 17))
    assert drawing.values["ticks"][-1] >= 1e-6


# ------------------------------------------------------------------ where a head looks


def looks(at, **activations) -> Looks:
    """Two layers of two heads; the activations of ``induction`` and others, [layer head]."""
    return Looks(
        Condition("x"),
        torch.tensor(at),
        {
            key: RoleActivation(torch.tensor(value), torch.tensor([0.1] * 2), torch.tensor([6] * 2))
            for key, value in activations.items()
        },
        None,
    )


STILL = [[0.8, 0.1, 0.1], [0.8, 0.1, 0.1]]
BEFORE = looks([STILL, [[0.1, 0.8, 0.1], [0.2, 0.2, 0.6]]], induction=[[0.1, 0.1], [0.8, 0.5]])
AFTER = looks([STILL, [[0.7, 0.2, 0.1], [0.2, 0.2, 0.6]]], induction=[[0.1, 0.1], [0.1, 0.45]])
DRAWS = [
    looks(
        [STILL, [[0.1, 0.8 - a, 0.1 + a], [0.2, 0.2, 0.6]]],
        induction=[[0.1, 0.1], [0.8 - a, 0.5 - 10 * a]],
    )
    for a in (0.0, 0.01, 0.02)
]
OFF = (Head(0, 1),)
LATER = [Head(1, 0), Head(1, 1)]
LABELS = ["start", "·cat", "·sat"]


def test_only_later_heads_can_change() -> None:
    assert attention_shift.later_heads(BEFORE, 1, OFF) == LATER
    assert attention_shift.later_heads(BEFORE, 1, (Head(0, 1), Head(1, 1))) == [Head(1, 0)]
    assert attention_shift.later_heads(BEFORE, 2, ()) == []
    assert says(attention_shift.nothing_later(2), "layer 1 is the last")


def test_the_head_that_changes_most_comes_first() -> None:
    every = attention_shift.shifts(BEFORE, AFTER, DRAWS, LATER)
    assert every.moved == pytest.approx({Head(1, 0): 0.6, Head(1, 1): 0.0})
    assert list(every.moved) == LATER
    assert every.clear == {Head(1, 0)}
    assert attention_shift.shifts(BEFORE, AFTER, DRAWS[:1], LATER).clear is None


def sentence(head: Head, *, off=OFF) -> str:
    every = attention_shift.shifts(BEFORE, AFTER, DRAWS, LATER)
    shift = attention_shift.shift(BEFORE, AFTER, DRAWS, head, every)
    return attention_shift.shift_sentence(shift, LABELS, "without L0H1", knocked_out=off, since=1)


def test_the_sentence_of_a_look() -> None:
    said = sentence(Head(1, 0))
    assert says(said, "“·sat”", "L1H0", "“·cat” (position 1)", "80%", "without L0H1 with 20%")
    assert says(said, "“start” (position 0): 10% → 70%", "60%", "more than", "1% ± 1")
    assert says(sentence(Head(0, 0)), "L0H0 looks exactly as before", "layer 0")
    assert says(sentence(Head(0, 1)), "L0H1 is itself knocked out")


def test_two_marks_per_token_and_the_change_beside_random_others() -> None:
    every = attention_shift.shifts(BEFORE, AFTER, DRAWS, LATER)
    shift = attention_shift.shift(BEFORE, AFTER, DRAWS, Head(1, 0), every)
    names = ("untouched", "off")
    raw = attention_shift.token_records(shift, LABELS, names, difference=False)
    assert [(r["row"], r["who"], round(r["share"], 2)) for r in raw[:3]] == [
        (0, "untouched", 0.1), (0, "off", 0.7), (1, "untouched", 0.8),
    ]  # fmt: skip
    change = attention_shift.token_records(shift, LABELS, names, difference=True)
    assert [round(r["share"], 2) for r in change] == [0.6, 0.0, -0.6, -0.01, 0.0, 0.01]
    assert change[3]["low"] == pytest.approx(
        -0.02, abs=1e-6
    )  # one standard deviation of 0, -.01, -.02
    assert [row[1] for row in attention_shift.token_rows(shift, LABELS)] == LABELS
    rows = attention_shift.token_file([shift], LABELS)
    assert rows[0]["change"] == pytest.approx(0.6)
    drawing = charts.looks_by_token(raw, LABELS, names=names, title="share", signed=False)
    assert drawing.to_dict()["datasets"]["looks"] == raw
    assert drawing.values["ends"][0] == 0.0  # one axis for both


def test_a_long_row_shows_what_is_looked_at_most() -> None:
    before = [0.5, *[0.5 / 99] * 99]
    after = [0.1, *[0.9 / 99] * 99]
    shift = attention_shift.Shift(Head(1, 0), before, after, [], 0.4, [], None)
    kept = attention_shift.kept_rows(shift)
    assert len(kept) == attention_shift.MOST_ROWS
    assert kept == sorted(kept)
    assert says(attention_shift.left_out(shift), "24", "76", "38%", "69%")


POINTS = [
    OffsetPoint("0", 0.2, 0.01, 0.21, 0.01, 0.01, 0.01, 0.0, 0.01),
    OffsetPoint("1", 0.6, 0.02, 0.1, 0.02, -0.5, 0.03, -0.01, 0.01),
    OffsetPoint("start token", 0.2, 0.01, 0.69, 0.02, 0.49, 0.03, None, None),
]


def test_the_sentence_of_a_mean() -> None:
    said = attention_shift.offset_sentence(POINTS, Head(1, 0), "without L0H1", 48)
    assert says(said, "48 places", "L1H0", "just before", "60%", "10%", "3.0", "−1.0 points")
    still = attention_shift.offset_sentence(POINTS[:1], Head(1, 0), "without L0H1", 48)
    assert says(still, "48 places", "nothing", "L1H0")
    assert attention_shift.offset_rows(POINTS)[1][3] == "−50.0 points ± 3.0"


def test_offsets_stand_in_order_with_their_errors() -> None:
    records = attention_shift.offset_records(POINTS, ("untouched", "off"), difference=False)
    assert (records[2]["low"], records[2]["high"]) == pytest.approx((0.58, 0.62))
    drawing = charts.looks_by_offset(
        records, ["0", "1", "start token"], names=("untouched", "off"), title="x", signed=False
    )
    assert drawing.to_dict()["datasets"]["looks"] == records
    change = attention_shift.offset_records(POINTS, ("untouched", "off"), difference=True)
    assert [row["who"] for row in change][-1] == "off"  # no random others at the start token


# ------------------------------------------------------------------ roles


def changes(draws=tuple(DRAWS)):
    return changed_roles.role_changes(
        BEFORE, AFTER, draws, heads=LATER, thresholds={"induction": 0.47}, num_tokens=12
    )


def test_a_head_crosses_its_line_only_beyond_chance() -> None:
    first, second = changes()["induction"]
    assert (first.head, first.was, first.is_now, first.clear) == (Head(1, 0), True, False, True)
    assert first.crosses
    # L1H1 falls from .50 to .45, below its line of .47; random others do as much.
    assert (second.was, second.is_now, second.clear, second.crosses) == (True, False, False, False)
    assert [change.crosses for change in changes(())["induction"]] == [True, True]


def test_the_sentence_of_roles() -> None:
    said = changed_roles.roles_sentence(changes(), "without L0H1", draws=3)
    assert says(said, "Without L0H1", "1 of 2 later heads", "L1H0 is no longer an induction head",
                "80% → 10%")  # fmt: skip
    assert says(changed_roles.roles_sentence({}, "without L0H1", draws=3), "too short")
    assert [row[:4] for row in changed_roles.role_rows(changes())] == [
        ("L1H0", "no longer an induction head", "80%", "10%")
    ]
    assert changed_roles.most_changed(changes()) == "induction"


def test_the_map_is_signed_and_says_where_nothing_can_change() -> None:
    records = changed_roles.role_records(BEFORE, changes()["induction"], knocked_out=OFF)
    by_label = {record["label"]: record for record in records}
    assert by_label["L0H0"]["value"] is None
    assert by_label["L0H0"]["shown"] == "cannot change"
    assert by_label["L0H1"]["shown"] == "knocked out"
    assert by_label["L1H0"]["number"] == "−70"
    assert by_label["L1H0"]["against"]
    assert by_label["L1H0"]["active"]
    assert by_label["L1H1"]["number"] == "−5"
    assert not by_label["L1H1"]["active"]


def test_a_role_that_the_prompt_cannot_show_is_left_out() -> None:
    nothing = RoleActivation(torch.zeros(2, 2), torch.zeros(2), torch.zeros(2, dtype=torch.int64))
    before = Looks(BEFORE.condition, BEFORE.at, {"induction": nothing}, None)
    assert changed_roles.role_changes(
        before, before, [], heads=LATER, thresholds={"induction": 0.4}, num_tokens=3
    ) == {}  # fmt: skip


def test_in_a_long_text_the_band_is_as_smooth_as_the_lines_beside_it() -> None:
    record = {"token": "a", "before": 0.5, "after": 0.2, "was": "", "now": "", "random": "",
              "again": "no"}  # fmt: skip
    records = [
        {**record, "position": place, "low": 0.01 if place == 51 else 0.08, "high": 0.25}
        for place in range(1, 121)
    ]
    drawing = charts.token_lines(records, [], ["a"] * 121, names=("untouched", "without L1H4"))
    band = drawing.data["tokens"]
    assert charts.before_after.running(120) == 5
    # one of five places: the fifth root of 0.01 * 0.08^4
    assert [band[place]["low"] for place in (47, 48, 50, 52, 53)] == pytest.approx(
        [0.08, *[(0.01 * 0.08**4) ** 0.2] * 3, 0.08]
    )
    assert {round(one["high"], 9) for one in band} == {0.25}

    short = charts.token_lines(records[40:60], [], ["a"] * 121, names=("untouched", "without L1H4"))
    assert [one["low"] for one in short.data["tokens"]] == pytest.approx(
        [one["low"] for one in records[40:60]]
    )


@pytest.mark.parametrize(
    ("condition", "before", "without", "others", "matter"),
    [
        (removal(ComponentSet.parse("L0Q1")), "with all components", "without L0Q1",
         "random components", "L0Q1 matters"),
        (removal(ComponentSet.parse("L0Q1, L0K2"), "svd"), "untouched",
         "without these components", "random sets", "These components matter"),
        (Condition("", (HeadOutput((Head(1, 4),)),)), "untouched", "without L1H4",
         "random heads", "L1H4 matters"),
        (Condition("", (HeadOutput((Head(1, 4), Head(1, 5))),)), "untouched",
         "without these heads", "random groups", "These heads matter"),
        (Condition("", (Values((1,)),)), "untouched", "without these value vectors",
         "other places", "These value vectors matter"),
    ],
)  # fmt: skip
def test_what_is_knocked_out_in_words(condition, before, without, others, matter) -> None:
    found = knocked_out.of(condition)
    assert (found.before, found.without) == (before, without)
    assert (found.others, found.matter) == (others, matter)
    assert found.them == ("it" if len(found.named) == 1 else "them")
