"""What docs/teachers.md tells teachers: its lesson holds, and no field or measure is left out."""

from __future__ import annotations

import re

import pytest

from headroles import paths
from headroles.lessons import checking, reading
from headroles.lessons.faults import KINDS
from headroles.lessons.lesson import Case, Lesson, Option, _Question, _Step
from headroles.lessons.measures import MEASURES
from headroles.models import load_model

DOCUMENT = (paths.ROOT / "docs" / "teachers.md").read_text(encoding="utf-8")


def test_the_lesson_that_it_writes_is_one_and_holds() -> None:
    blocks = re.findall(r"<!-- lesson -->\n```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    read = reading.parse("\n".join(blocks).encode(), name="from-the-docs.toml")
    assert {"read", "cells", "largest", "wake"} == {step.kind for step in read.lesson.steps}
    report = checking.check({"docs": read.lesson}, load=load_model)
    assert not report.not_checked
    assert [row for row in report.rows if row.faults] == []
    assert len(report.rows) == len(read.lesson.steps)


def rows(text: str) -> dict[str, list[str]]:
    """{name in the first cell: the other cells} of all tables of a text."""
    lines = re.findall(r"^\| `(\w+)` \|(.*)\|$", text, re.MULTILINE)
    return {name: [cell.strip() for cell in rest.split("|")] for name, rest in lines}


def section(heading: str) -> str:
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^##|\Z)", DOCUMENT, re.DOTALL | re.M)
    assert found, heading
    return found[1]


COMMON = {*_Question.model_fields, *_Step.model_fields, "kind"}


@pytest.mark.parametrize(
    ("heading", "fields"),
    [
        ("Every field", {**Lesson.model_fields, **_Question.model_fields, "kind": None}),
        *(
            (f"`{kind}`", {k: v for k, v in step.model_fields.items() if k not in COMMON})
            for kind, step in KINDS.items()
            if kind != "largest"
        ),
        (
            "`largest`",
            {k: v for k, v in KINDS["largest"].model_fields.items() if k not in COMMON}
            | Option.model_fields,
        ),
    ],
)
def test_every_field_stands_there_and_says_whether_it_is_needed(heading: str, fields: dict) -> None:
    told = rows(section(heading))
    assert told.keys() == fields.keys()
    for name, field in fields.items():
        if field is not None and name not in Case.model_fields:
            assert (told[name][0] == "yes") == field.is_required(), name


def test_every_measure_stands_there_with_what_it_needs() -> None:
    told = rows(section("Every measure"))
    assert told.keys() == MEASURES.keys()
    for name, measure in MEASURES.items():
        _, unit, needs, takes = told[name]
        assert unit == measure.unit
        assert tuple(re.findall(r"`(\w+)`", needs)) == measure.needs, name
        assert tuple(re.findall(r"`(\w+)`", takes)) == measure.takes, name
