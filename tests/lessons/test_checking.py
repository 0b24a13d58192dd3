"""A lesson that does not hold is found out, step by step; one that does is left in peace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from headroles.lessons import checking, reading
from headroles.lessons.lesson import Lesson
from headroles.models import LoadedModel, load_model
from scripts import check_lessons

CAT = "The cat sat on the mat. The cat sat on the mat."
SHOP = "Every morning we open a small shop near the river."
ASKED = {"title": "A", "question": "?", "explain": "!"}


@pytest.fixture(scope="module")
def demo() -> LoadedModel:
    return load_model("demo")


def step(**fields) -> dict:
    return {"key": "a", **ASKED, **fields}


GOOD = {
    "cells": step(kind="cells", prompt=CAT, head="induction", queries=[11], expect=0.3),
    "active": step(
        kind="active",
        prompt=SHOP,
        options=["induction", "previous_token"],
        expect=["previous_token"],
    ),
    "largest": step(
        kind="largest",
        measure="activation",
        case={"head": "induction", "role": "induction"},
        options=[{"label": "twice", "prompt": CAT}, {"label": "once", "prompt": SHOP}],
        expect="twice",
    ),
    "number": step(
        kind="number",
        measure="chance",
        case={"role": "induction", "prompt": CAT},
        low=0,
        high=1,
        step=0.1,
        within=0.1,
        expect=[0.05, 0.2],
    ),
    "wake": step(kind="wake", role="induction", start=SHOP, solution=CAT),
}
BAD = {
    "cells": [
        {"expect": 1},
        {"queries": ["dog"]},
        {"head": "L9H9"},
        {"head": "induction 30"},
        {"feedback": {"dog": "!"}},
    ],
    "active": [
        {"expect": ["previous_token", "induction"]},
        {"question": "Is {head}?"},
        {"role": "induction", "options": ["L0H0", "L9H9"]},
    ],
    "largest": [
        {"expect": "once"},
        {"options": [{"label": "a", "prompt": SHOP}, {"label": "b", "prompt": SHOP}]},
    ],
    "number": [{"expect": [0.5, 1]}, {"low": 0.5, "expect": None}],
    "wake": [{"solution": SHOP}, {"start": CAT}, {"solution": {"gpt2": CAT}}],
}


def lesson(*steps: dict) -> Lesson:
    return Lesson.model_validate(
        {"title": "T", "goal": "G", "models": ["demo"], "steps": list(steps)}
    )


def row_of(fields: dict, loaded: LoadedModel) -> checking.Row:
    [row] = checking.check_lesson("l", lesson(fields), loaded)
    return row


@pytest.mark.parametrize("kind", GOOD)
def test_what_holds_has_an_answer_and_no_fault(kind: str, demo: LoadedModel) -> None:
    row = row_of(GOOD[kind], demo)
    assert row.faults == ()
    assert row.found
    assert row.expected


@pytest.mark.parametrize(
    ("kind", "change"), [(kind, change) for kind, changes in BAD.items() for change in changes]
)
def test_what_does_not_hold_is_one_fault(kind: str, change: dict, demo: LoadedModel) -> None:
    plain = {k: v for k, v in {**GOOD[kind], **change}.items() if v is not None}
    if "options" in change:
        plain.pop("expect", None)
    assert len(row_of(plain, demo).faults) == 1


@pytest.mark.parametrize(
    ("expect", "faults", "expected"),
    [
        ({"demo": "twice", "other": "once"}, 0, "“twice”"),
        ({"demo": "once", "default": "twice"}, 1, "“once”"),
        ({"other": "once", "default": "twice"}, 0, "“twice”"),
        ({"other": "once"}, 0, ""),
    ],
)
def test_models_may_differ_in_what_is_expected(
    expect: dict, faults: int, expected: str, demo: LoadedModel
) -> None:
    row = row_of({**GOOD["largest"], "expect": expect}, demo)
    assert (len(row.faults), row.expected) == (faults, expected)


def test_each_model_is_loaded_once_and_one_that_is_missing_is_named(demo: LoadedModel) -> None:
    loads: list[str] = []

    def load(key: str) -> LoadedModel:
        loads.append(key)
        return demo

    one = lesson(GOOD["cells"], {**GOOD["wake"], "key": "b", "model": "no/such-model"})
    report = checking.check({"x": one, "y": one}, load=load)
    assert loads == ["demo"]
    assert list(report.not_checked) == ["no/such-model"]
    assert [(row.lesson, row.step) for row in report.rows] == [("x", "a"), ("y", "a")]
    assert report.holds
    assert checking.check({"x": one}, only=["no/such-model"], load=load).rows == ()


def test_the_command_names_what_fails_and_ends_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "bad.toml").write_text("title = ")
    (tmp_path / "good.toml").write_text(
        f"""
title = "T"
goal = "G"
models = ["demo"]
[[steps]]
kind = "wake"
key = "a"
title = "A"
question = "?"
explain = "!"
role = "induction"
solution = "{SHOP}"
"""
    )
    assert check_lessons.main([str(tmp_path), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert list(told["files"]) == ["bad.toml"]
    assert [(row["lesson"], len(row["faults"])) for row in told["rows"]] == [("good", 1)]


def test_the_lessons_that_ship_hold_on_the_bundled_models() -> None:
    read = reading.read_all()
    assert not read.faults
    lessons = {key: found.lesson for key, found in read.by_key.items()}
    report = checking.check(lessons, load=load_bundled)
    assert {row.model for row in report.rows} >= {"demo"}
    assert [row for row in report.rows if row.faults] == []


def load_bundled(key: str) -> LoadedModel:
    """Models of this repository only: others take too long for every run of the tests."""
    if key not in ("demo", "attn-only-1l-tiny", "attn-only-2l-tiny"):
        raise checking.HeadrolesError("left out")
    return load_model(key)
