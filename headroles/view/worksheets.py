"""A worksheet as a document to read or print: every question with what was said to it. Pure.

What a lesson asks stands in its file, which this server may have in another version, or not at all;
then the document says so and shows what the worksheet itself holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from headroles import export, lessons, models, texts
from headroles.export.documents import Block, Document, Section, Table, Text
from headroles.formatting import count, decimal, listing, percent
from headroles.view import lesson_progress, lesson_texts

if TYPE_CHECKING:
    from headroles.lessons import Answer, Entry, Lesson, Question, Worksheet
    from headroles.lessons.reading import Read

STRONGEST = 3
"""Cells of a row that are named."""


def html(sheet: Worksheet, by_key: Mapping[str, Read]) -> str:
    """The worksheet as one HTML file.

    Args:
        sheet: the worksheet.
        by_key: the lessons of this server.
    """
    return export.document_html.to_html(document(sheet, by_key))


def document(sheet: Worksheet, by_key: Mapping[str, Read]) -> Document:
    """The worksheet as a document: a section per lesson, and in it one per question."""
    order = [key for key in by_key if any(entry.lesson == key for entry in sheet.entries)]
    unknown = dict.fromkeys(entry.lesson for entry in sheet.entries if entry.lesson not in by_key)
    return Document(
        title=f"Worksheet of {sheet.name}" if sheet.name else "Worksheet",
        about=f"Saved on {_when(sheet.saved)} by headroles {sheet.headroles_version}.",
        lead=(
            Text(
                f"{count(len(sheet.entries), 'answer')} in "
                f"{count(len(order) + len(unknown), 'lesson')}. Of several answers to a question "
                "the first one counts: only it was given before the model's was known.",
                "summary",
            ),
        ),
        sections=tuple(_lesson(key, by_key.get(key), sheet.entries) for key in (*order, *unknown)),
        end="Every answer was computed from the model that stands beside it, and none was written "
        "down beforehand.",
    )


def _lesson(key: str, read: Read | None, entries: Sequence[Entry]) -> Section:
    own = [entry for entry in entries if entry.lesson == key]
    given: dict[str, list[Entry]] = {}
    for entry in own:
        given.setdefault(entry.step, []).append(entry)
    lead: list[Block] = []
    lesson = read.lesson if read else None
    if lesson is not None:
        rows = lesson_progress.rows(key, lesson, own)
        levels = lesson_progress.by_certainty([row.first for row in rows if row.first])
        said = [lesson_progress.outcome(rows), lesson_progress.certainty_sentence(levels)]
        lead.append(Text(" ".join(filter(None, said)), "lead"))
        if any(entry.lesson_digest != read.digest for entry in own):
            lead.append(Text("Some of it was answered in another version of this lesson.", "note"))
    else:
        lead.append(Text("This lesson is not on this server: what was asked is left out.", "note"))
    steps = [step.key for step in lesson.questions] if lesson else []
    shown = [*(step for step in steps if step in given), *(s for s in given if s not in steps)]
    return Section(
        title=lesson.title if lesson else key,
        blocks=tuple(lead),
        sections=tuple(_question(lesson, step, given[step]) for step in shown),
        anchor=f"lesson-{key}",
    )


def _question(lesson: Lesson | None, key: str, answers: Sequence[Entry]) -> Section:
    """One question and all answers to it, side by side."""
    step = next((one for one in lesson.questions if one.key == key), None) if lesson else None
    blocks: list[Block] = []
    if step is not None:
        first = answers[0].answer
        for text in filter(None, (step.text, step.question)):
            asked = lesson_texts.filled(text, model=_model(first), head=first.head)
            blocks.append(Text(lesson_texts.to_plain(asked)))
    headers = ("", *(f"Answer {n}" for n in range(1, len(answers) + 1)))
    lines = [_column(entry, step) for entry in answers]
    rows = [(name, *(line[name] for line in lines)) for name in lines[0]]
    rows = [row for row in rows if any(cell != "" for cell in row[1:])]
    title = step.title if step else key
    return Section(title, (*blocks, Table("", headers, tuple(rows))))


def _column(entry: Entry, step: Question | None) -> dict[str, str]:
    """{name of a row: what stands there} of one answer; "" for what it has not."""
    answer, unit = entry.answer, _unit(step)
    pinned = f" ({answer.revision})" if answer.revision else ""
    return {
        "Prompt": answer.prompt if entry.kind != "wake" else "",
        "Predicted": predicted(entry, unit),
        "How sure": lesson_progress.sure_words(entry),
        "The model": told(entry, unit),
        "Result": lesson_progress.came(entry, step),
        "Hints": str(entry.hints),
        "Tried before": "; ".join(
            f"“{one.prompt}”: {percent(one.value)}, {one.state}" for one in entry.tries
        ),
        "Answered": _when(entry.answered),
        "It took": f"{max(round((entry.answered - entry.asked).total_seconds()), 0):,} s",
        "Model": f"{_model(answer)}{pinned}",
    }


def _model(answer: Answer) -> str:
    return models.name_of(answer.model)


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _unit(step: object) -> str:
    measure = lessons.measures.MEASURES.get(getattr(step, "measure", ""))
    return measure.unit if measure else "share"


def _number(value: float, unit: str) -> str:
    """A number with its unit.

    >>> _number(0.25, "share"), _number(3.0, "heads"), _number(1.5, "nats")
    ('25%', '3 heads', '1.50 nats')
    """
    if unit in lessons.measures.SHARES:
        return percent(value)
    number = f"{value:,.0f}" if value == round(value) else decimal(value)
    return f"{number} {unit}".strip()


def predicted(entry: Entry, unit: str = "share") -> str:
    """What a student predicted, in words.

    Args:
        entry: one answer.
        unit: of a number.
    """
    said = entry.prediction
    if entry.kind == "cells":
        labels = texts.token_labels(entry.answer.tokens)
        return listing([f"{_token(labels, q)} → {_token(labels, k)}" for q, k in said.cells])
    if entry.kind == "wake":
        return f"“{said.prompt}”"
    if said.number is not None:
        return _number(said.number, unit)
    return listing(said.chosen) or "none of them"


def told(entry: Entry, unit: str = "share") -> str:
    """What the model answered, in words and numbers.

    Args:
        entry: one answer.
        unit: of its numbers.
    """
    answer = entry.answer
    if entry.kind == "cells":
        return "; ".join(_row(answer, place) for place in range(len(answer.queries)))
    if entry.kind == "wake":
        needed = "" if answer.needed is None else f"; {percent(answer.needed)} are needed"
        return f"{answer.head}: {percent(answer.value or 0.0)}, {answer.state}{needed}"
    if answer.value is not None:
        return _number(answer.value, unit)
    return "; ".join(
        option.label
        + f": {_number(option.value, unit)}" * (option.label != lessons.lesson.SAME)
        + " (right)" * option.is_right
        for option in answer.options
    )


def _row(answer: Answer, place: int) -> str:
    """Where the head looks most from one token."""
    labels, row = texts.token_labels(answer.tokens), answer.rows[place]
    strongest = sorted(range(len(row)), key=lambda key: (-row[key], key))[:STRONGEST]
    cells = [f"{_token(labels, key)} {percent(row[key])}" for key in strongest if row[key] > 0]
    return f"from {_token(labels, answer.queries[place])}: {', '.join(cells)}"


def _token(labels: Sequence[str], place: int) -> str:
    return f"“{labels[place]}” ({place})"
