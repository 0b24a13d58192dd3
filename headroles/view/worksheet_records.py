"""What the charts of a class draw, and the tables that say the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from headroles import texts
from headroles.formatting import percent
from headroles.lessons.answers import unit_of
from headroles.lessons.lesson import CERTAINTIES, Value
from headroles.lessons.measures import SHARES
from headroles.view import class_worksheets
from headroles.view.html import shorten

if TYPE_CHECKING:
    from headroles.lessons.class_question import Group, Level
    from headroles.view.class_worksheets import Names

LONGEST_PROMPT = 160
"""Characters of a prompt in a table."""
CELLS = ("This token", "looks at", "Chosen by", "The head’s attention", "Strongest")
OPTIONS = ("Option", "Chosen by", "Right", "On the model")
NUMBERS = ("From", "To", "Students")
PROMPTS = ("Student", "Prompt", "Woke it", "Tries", "Hints")


class Pattern(NamedTuple):
    """A class's cells beside the head's."""

    cells: list[dict[str, object]]
    """A record each (:func:`headroles.charts.classroom.class_and_head`)."""
    lines: list[str]
    """[line] what each row of cells is."""
    tokens: list[str]
    """[pos] the tokens as short text."""


def pattern(group: Group) -> Pattern:
    """Two rows for each token that looks: how many chose each cell, and the head's attention."""
    answer, counts, right = group.answer, group.cell_counts(), group.right_cells()
    tokens, cells, lines = texts.token_labels(answer.tokens), [], []
    for query, row in zip(answer.queries, answer.rows, strict=True):
        for is_class in (True, False):
            line = len(lines)
            lines.append(f"{tokens[query]} ({query}) · {'class' if is_class else 'head'}")
            for key, share in enumerate(row):
                times = counts.get((query, key), 0)
                of_class = f"{times} of {group.size} chose it"
                said = of_class if is_class else f"{percent(share)} of the head’s attention"
                cells.append(
                    {
                        "line": line,
                        "key": key,
                        "shade": round(times / group.size if is_class else min(share, 1.0), 4),
                        "number": (f"{times}" if times else "")
                        if is_class
                        else (f"{100 * share:.0f}" if share >= 0.005 else ""),
                        "is_class": is_class,
                        "is_right": (query, key) in right,
                        "said": f"{tokens[query]} ({query}) → {tokens[key]} ({key}): {said}",
                    }
                )
    return Pattern(cells, lines, tokens)


def pattern_rows(group: Group) -> list[list[str]]:
    """A row of :data:`CELLS` for each cell that somebody chose, or that is among the strongest."""
    answer, counts, right = group.answer, group.cell_counts(), group.right_cells()
    rows = dict(zip(answer.queries, answer.rows, strict=True))
    cells = sorted({*counts, *right}, key=lambda cell: (cell[0], -counts.get(cell, 0), cell[1]))
    return [
        [
            class_worksheets.token(group, query),
            class_worksheets.token(group, key),
            f"{counts.get((query, key), 0)} of {group.size}",
            percent(rows[query][key]),
            "yes" if (query, key) in right else "no",
        ]
        for query, key in cells
    ]


def option_records(group: Group) -> list[dict[str, object]]:
    """A bar for each option."""
    return [
        {
            "place": place,
            "name": f"{'✓ ' if option.is_right else ''}{option.label}",
            "times": option.times,
            "is_right": option.is_right,
            "said": f"{option.times} of {group.size}",
        }
        for place, option in enumerate(group.options())
    ]


def option_rows(group: Group) -> list[list[str]]:
    """A row of :data:`OPTIONS` for each option."""
    return [
        [
            option.label,
            f"{option.times} of {group.size}",
            "yes" if option.is_right else "no",
            class_worksheets.number(group, option.value),
        ]
        for option in group.options()
    ]


class Slider(NamedTuple):
    """The scale on which a number was said."""

    low: float
    high: float
    step: float
    """Of the slider, or a hundredth where the lesson is not here."""
    title: str
    """What the number is."""
    unit: str
    """Its format in a chart."""


def slider(group: Group) -> Slider:
    """The scale of a question for a number."""
    step, said = group.step, group.numbers
    if isinstance(step, Value):
        unit = unit_of(step)
        name = class_worksheets.measured(group)
        shown = "" if unit in (*SHARES, "") else f", {unit}"
        return Slider(
            step.low, step.high, step.step, f"{name}{shown}", "~%" if unit in SHARES else "~f"
        )
    ends = [*said, group.answer.value]
    low, high = min(ends), max(ends)
    return Slider(low, high, (high - low) / 100 or 1.0, "what was said", "~f")


def number_rows(group: Group, bins: Sequence[dict[str, float]]) -> list[list[str]]:
    """A row of :data:`NUMBERS` for each bin that holds a number."""
    return [
        [
            class_worksheets.number(group, one["from"]),
            class_worksheets.number(group, one["to"]),
            f"{one['times']} of {group.size}",
        ]
        for one in bins
        if one["times"]
    ]


def prompt_rows(group: Group, names: Names) -> list[list[str]]:
    """A row of :data:`PROMPTS` for each student, those who woke the head first."""
    rows = sorted(group.tried(), key=lambda one: (not one.is_awake, one.tries))
    return [
        [
            names[one.student],
            shorten(one.prompt, limit=LONGEST_PROMPT),
            "yes" if one.is_awake else "no",
            f"{one.tries}",
            f"{one.hints}",
        ]
        for one in rows
    ]


def level_records(levels: Sequence[Level]) -> list[dict[str, object]]:
    """A bar for each certainty."""
    return [
        {
            "place": place,
            "name": CERTAINTIES[level.sure - 1],
            "score": level.score,
            "said": f"{percent(level.score)}, n = {level.answers:,}"
            if level.answers
            else "no answers",
        }
        for place, level in enumerate(levels)
    ]
