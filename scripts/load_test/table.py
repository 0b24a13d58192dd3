"""The figures of one run, and the table that they stand in."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from scripts.load_test.servers import Sample
from scripts.load_test.visitors import Class, Outcome, Report


class Times(NamedTuple):
    """Seconds that something took; NaN where it never happened."""

    p50: float
    p95: float
    max: float

    def __str__(self) -> str:
        return "–" if math.isnan(self.max) else " / ".join(f"{time:.2f}" for time in self)


class Figures(NamedTuple):
    """One row."""

    visitors: int
    activity: str
    """What they did, and what went on beside it."""
    servers: int
    opened: Times
    """Until the app stood there with its first answer, its files included."""
    answered: Times
    answers: int
    per_second: float
    """Answers a second, from the first question to the last answer."""
    wrong: int
    """Answers to another prompt than the visitor's own."""
    errors: int
    """Exceptions, lost connections and time-outs, openings included."""
    refused: int
    """Openings and questions that got a sentence instead of an answer."""
    megabytes: float
    """Most that all servers held together."""
    cores: float
    """Busy for the servers and the proxy while questions were open."""
    health: Times
    """Of the health address."""
    client_cores: float
    """Busy for the visitors."""
    load: float
    """Of the machine in the minute before."""
    first_fault: str
    """The first wrong answer or error, for whoever looks into it."""


def times(seconds: Sequence[float]) -> Times:
    """Median, 95th percentile (nearest rank) and maximum."""
    if not seconds:
        return Times(math.nan, math.nan, math.nan)
    ordered = sorted(seconds)
    rank = math.ceil(0.95 * len(ordered)) - 1
    return Times(statistics.median(ordered), ordered[rank], ordered[-1])


def figures(
    plan: Class,
    report: Report,
    faults: Sequence[str],
    samples: Sequence[Sample],
    *,
    beside: str = "",
    servers: int = 1,
    load: float = 0.0,
) -> Figures:
    """One row, from everything that was seen.

    Args:
        plan: what the visitors did.
        report: what they saw.
        faults: what is wrong with each wrong answer.
        samples: the looks at the servers.
        beside: what went on beside it.
        servers: how many processes.
        load: of the machine before.
    """
    good = [outcome for outcome in report.outcomes if not (outcome.error or outcome.refused)]
    answers = [outcome for outcome in good if outcome.question and outcome.page]
    counted = [answer for answer in answers if (answer.question.activity == "long") == (
        plan.activity == "long"
    )]  # fmt: skip
    errors = [outcome.error for outcome in report.outcomes if outcome.error]
    began, ended = _span(answers or report.outcomes)
    looks = [sample for sample in samples if began <= sample.at <= ended] or list(samples)
    busy = looks[-1].cpu_seconds - looks[0].cpu_seconds
    return Figures(
        visitors=plan.visitors,
        activity=" + ".join(filter(None, [plan.activity, beside])),
        servers=servers,
        opened=times([outcome.seconds for outcome in good if outcome.question is None]),
        answered=times([answer.seconds for answer in counted]),
        answers=len(answers),
        per_second=len(counted) / max(ended - began, 1e-9),
        wrong=len(faults),
        errors=len(errors),
        refused=sum(bool(outcome.refused) for outcome in report.outcomes),
        megabytes=max(sample.megabytes for sample in samples),
        cores=busy / max(looks[-1].at - looks[0].at, 1e-9),
        health=times([sample.health_seconds for sample in samples]),
        client_cores=report.cpu_seconds / report.wall_seconds,
        load=load,
        first_fault=next(iter([*faults, *errors]), ""),
    )


def _span(outcomes: Sequence[Outcome]) -> tuple[float, float]:
    return (
        min(outcome.began for outcome in outcomes),
        max(outcome.began + outcome.seconds for outcome in outcomes),
    )


HEAD = """\
| visitors | activity | servers | opened (s) | answered (s) | answers/s | answers | wrong | errors \
| refused | memory (MB) | cores | health (s) | client cores | load before |
|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|"""
"""Times are p50 / p95 / max."""


def row(shown: Figures) -> str:
    """One row of the Markdown table."""
    cells = [
        shown.visitors,
        shown.activity,
        shown.servers,
        shown.opened,
        shown.answered,
        f"{shown.per_second:.2f}",
        shown.answers,
        shown.wrong,
        shown.errors,
        shown.refused,
        f"{shown.megabytes:.0f}",
        f"{shown.cores:.2f}",
        shown.health,
        f"{shown.client_cores:.2f}",
        f"{shown.load:.1f}",
    ]
    return f"| {' | '.join(map(str, cells))} |"
