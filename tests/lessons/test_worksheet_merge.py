"""Two worksheets put together, and a file of a newer headroles."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from headroles.errors import HeadrolesError
from headroles.lessons import worksheet
from headroles.lessons.answers import Answer
from headroles.lessons.worksheet import Entry, Prediction, Worksheet

START = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)


def entry(step: str, minute: int, *, score: float = 1.0) -> Entry:
    at = START + timedelta(minutes=minute)
    return Entry(
        lesson="one", lesson_digest="0" * 12, step=step, kind="number", sure=2, score=score,
        prediction=Prediction(number=0.5), answer=Answer(model="demo", revision="", value=0.5),
        asked=at, answered=at,
    )  # fmt: skip


def test_answers_of_both_stand_in_the_order_in_which_they_were_given() -> None:
    early, late, other = entry("a", 1, score=0.0), entry("a", 9), entry("b", 5)
    here, file = Worksheet(entries=(late,)), Worksheet(name="student-01", entries=(early, other))
    both = worksheet.merged(here, file)
    assert both.entries == (early, other, late)
    assert both.first_of("one", "a").score == 0.0
    assert both.name == "student-01"
    assert worksheet.merged(both, file).entries == both.entries  # nothing twice
    assert worksheet.merged(Worksheet(name="student-02"), file).name == "student-02"


def test_too_many_answers_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(worksheet, "MOST_ENTRIES", 2)
    with pytest.raises(HeadrolesError) as refused:
        worksheet.merged(
            Worksheet(entries=(entry("a", 1), entry("b", 2))), Worksheet(entries=(entry("c", 3),))
        )
    assert refused.value.value == 3


def test_a_newer_form_is_named() -> None:
    newer = {**json.loads(worksheet.to_json(Worksheet())), "version": 7}
    with pytest.raises(HeadrolesError) as refused:
        worksheet.read(json.dumps(newer))
    assert refused.value.value == 7
