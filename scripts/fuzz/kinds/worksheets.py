"""Worksheets: files that students hand in, changed by hand, cut off or no worksheets at all."""

from __future__ import annotations

import contextlib
import json
import random
from datetime import UTC, datetime

from headroles.errors import HeadrolesError
from headroles.lessons import marking, worksheet
from headroles.lessons.answers import Answer, OptionAnswer
from headroles.lessons.lesson import Active, Cells, Question, Value, Wake
from headroles.lessons.worksheet import AlteredError, Entry, Prediction, Worksheet
from scripts.fuzz import odd
from scripts.fuzz.cases import Case
from scripts.fuzz.kinds.categories import spoilt

ASKED = {"title": "A", "question": "?", "explain": "!", "prompt": "one two"}
STEPS: dict[str, Question] = {
    "cells": Cells(kind="cells", key="cells", head="L0H0", queries=(1, 2), **ASKED),
    "active": Active(kind="active", key="active", options=("induction", "diffuse"), **ASKED),
    "number": Value(
        kind="number", key="number", measure="loss", case={"prompt": "x"}, low=0, high=1, step=0.1,
        within=0.1, title="A", question="?", explain="!",
    ),
    "wake": Wake(
        kind="wake", key="wake", role="induction", solution="x", title="A", question="?",
        explain="!",
    ),
}  # fmt: skip
ANSWERS = {
    "cells": Answer(model="demo", revision="", queries=(1, 2), rows=((0.5, 0.5), (0.2, 0.3, 0.5)),
                    tokens=("<s>", "one", "two")),
    "active": Answer(model="demo", revision="", options=(
        OptionAnswer(label="Induction", value=0.1, is_right=False, needed=0.4),
        OptionAnswer(label="Diffuse", value=0.9, is_right=True, needed=0.4),
    )),
    "number": Answer(model="demo", revision="", value=0.5),
    "wake": Answer(model="demo", revision="", value=0.5, state="active"),
}  # fmt: skip
PREDICTIONS = {
    "cells": Prediction(cells=((1, 0), (2, 2))),
    "active": Prediction(chosen=("Induction",)),
    "number": Prediction(number=0.4),
    "wake": Prediction(prompt="one one"),
}
WHEN = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def _sheet() -> Worksheet:
    entries = [
        Entry(
            lesson="a-lesson",
            lesson_digest="0" * 12,
            step=kind,
            kind=kind,
            prediction=PREDICTIONS[kind],
            sure=None if kind == "wake" else 2,
            answer=ANSWERS[kind],
            score=0.5,
            asked=WHEN,
            answered=WHEN,
        )
        for kind in STEPS
    ]
    return Worksheet(name="student-01", saved=WHEN, entries=tuple(entries))


def case(rng: random.Random) -> Case:
    """The bytes of a file with a few flaws."""
    text = worksheet.to_json(_sheet())
    if rng.random() < 0.25:
        raw = odd.damaged(rng, text.encode())
        return Case(f"worksheet {raw[:150]!r}", lambda: _used(raw))
    plain: object = json.loads(text)
    for _ in range(rng.choice([0, 1, 1, 2, 4])):
        plain = spoilt(rng, plain)
    if isinstance(plain, dict) and rng.random() < 0.6:  # who knows how makes a checksum that fits
        with contextlib.suppress(ValueError, TypeError):
            plain["checksum"] = worksheet.checksum(plain)
    text = json.dumps(plain)
    return Case(f"worksheet {text[:150]}", lambda: _used(text.encode()))


def _used(raw: bytes) -> Worksheet:
    """It ends in a worksheet that is written as it is read and whose answers can be marked."""
    try:
        sheet = worksheet.read(raw)
    except AlteredError as error:
        sheet = error.sheet
    assert worksheet.read(worksheet.to_json(sheet)) == sheet, "a worksheet changes"
    for entry in sheet.entries:
        if entry.kind in STEPS:
            with contextlib.suppress(HeadrolesError):
                step = STEPS[entry.kind]
                mark = marking.mark(step, ANSWERS[entry.kind], entry.prediction)
                assert 0 <= mark.score <= 1, "a mark that is none"
                marking.feedback(step, ANSWERS[entry.kind], entry.prediction)
    return sheet
