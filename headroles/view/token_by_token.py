"""How well a model expects each token of a prompt, with and without what was knocked out. Pure.

>>> spans([3, 4, 5, 9])
[(3, 5), (9, 9)]
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from headroles.ablation.outcomes import repeated_positions
from headroles.formatting import decimal, percent, quoted, signed, told_apart
from headroles.texts import token_labels

if TYPE_CHECKING:
    from headroles.types import Encoding

UNTOUCHED = "untouched"
FEW = 3
"""With fewer repeated tokens than this, a text that repeats is offered."""
SMALLEST = 1e-8
"""The smallest probability that a chart shows."""


class Line(NamedTuple):
    """One token of the prompt, after the first one."""

    position: int
    """Its position."""
    token: str
    """Its label."""
    before: float
    """Nats: its log-probability in the untouched run, given the tokens before it."""
    after: float
    """Nats: the same with something knocked out."""
    others: tuple[float, ...]
    """[draw] nats: the same with random others knocked out; empty where they were not run."""
    repeated: bool
    """Whether it and the token before it stood together earlier on."""

    @property
    def others_mean(self) -> float | None:
        """Nats, mean over the draws; None without any."""
        return statistics.fmean(self.others) if self.others else None

    @property
    def others_spread(self) -> float:
        """Nats, standard deviation over the draws; 0 for fewer than two."""
        return statistics.stdev(self.others) if len(self.others) > 1 else 0.0


def lines(
    encoding: Encoding,
    untouched: Sequence[float],
    knocked_out: Sequence[float],
    draws: Sequence[Sequence[float]] = (),
) -> list[Line]:
    """[target] every token after the first one.

    Args:
        encoding: the prompt.
        untouched: [target] losses of the untouched run, in nats.
        knocked_out: [target] losses under the condition.
        draws: [draw][target] losses with random others knocked out.
    """
    repeated = set(repeated_positions(encoding.copy_ids))
    labels = token_labels(encoding.tokens)
    return [
        Line(place, labels[place], -before, -after, tuple(-draw[place - 1] for draw in draws),
             place in repeated)
        for place, (before, after) in enumerate(zip(untouched, knocked_out, strict=True), start=1)
    ]  # fmt: skip


def spans(positions: Sequence[int]) -> list[tuple[int, int]]:
    """The runs of positions that follow each other: the first and last of each."""
    found: list[tuple[int, int]] = []
    for place in positions:
        if found and found[-1][1] == place - 1:
            found[-1] = (found[-1][0], place)
        else:
            found.append((place, place))
    return found


def on_repeats(of_prompt: Sequence[Line]) -> tuple[float, float, list[float]]:
    """The mean probability of the repeated tokens: before, after, and for every draw."""
    again = [line for line in of_prompt if line.repeated]
    draws = len(again[0].others)

    def mean(values: Sequence[float]) -> float:
        return statistics.fmean(math.exp(value) for value in values)

    others = [mean([line.others[draw] for line in again]) for draw in range(draws)]
    return mean([line.before for line in again]), mean([line.after for line in again]), others


def sentence(of_prompt: Sequence[Line], without: str, *, before: str = UNTOUCHED) -> str:
    """What becomes of the tokens, in a sentence (plain text).

    Args:
        of_prompt: from :func:`lines`.
        without: what is missing, e.g. ``without these heads``.
        before: the run that it is compared with.
    """
    again = [line for line in of_prompt if line.repeated]
    if not again:
        return f"Nothing repeats in this text. {_hit_most(of_prompt, without)}"
    was, now, others = on_repeats(of_prompt)
    beside = ""
    if others:
        spread = f" ± {_points(others)}" if len(others) > 1 else ""
        beside = f" (random others knocked out: {percent(statistics.fmean(others))}{spread})"
    was, now = told_apart(was, now)
    return (
        f"{_where(of_prompt, again)}; {before}, the model expects the repeated tokens with {was} "
        f"on average, {without} with {now}{beside}."
    )


def _points(shares: Sequence[float]) -> str:
    return f"{100 * statistics.stdev(shares):.0f}"


def _where(of_prompt: Sequence[Line], again: Sequence[Line]) -> str:
    """Where the text repeats."""
    runs = spans([line.position for line in again])
    if len(runs) == 1 and again[-1].position == of_prompt[-1].position:
        return f"From {quoted(again[0].token)} on, the text repeats"
    if len(runs) == 1 and len(again) > 1:
        return f"From {quoted(again[0].token)} to {quoted(again[-1].token)}, the text repeats"
    return f"{len(again)} of {len(of_prompt)} tokens repeat what came before"


def _hit_most(of_prompt: Sequence[Line], without: str) -> str:
    """The token whose probability changes most."""
    most = max(of_prompt, key=lambda line: abs(math.exp(line.after) - math.exp(line.before)))
    before, after = math.exp(most.before), math.exp(most.after)
    if abs(after - before) < 0.01:
        return "No token's probability changes by more than one percentage point."
    was, now = told_apart(before, after)
    way = "loses" if after < before else "gains"
    beside = ""
    if most.others:
        others = [math.exp(value) for value in most.others]
        spread = f" ± {_points(others)}" if len(others) > 1 else ""
        beside = f" (random others knocked out: {percent(statistics.fmean(others))}{spread})"
    return f"{quoted(most.token)} {way} most {without}: {was} → {now}{beside}."


HEADERS = ["Position", "Token", "Untouched", "Knocked out", "Change (nats)", "Random (control)"]


def table_rows(of_prompt: Sequence[Line]) -> list[tuple[str, ...]]:
    """The table twin of the chart."""
    return [
        (
            f"{line.position}{' ↻' if line.repeated else ''}",
            line.token,
            percent(math.exp(line.before)),
            percent(math.exp(line.after)),
            signed(line.after - line.before),
            "–" if line.others_mean is None else percent(math.exp(line.others_mean)),
        )
        for line in of_prompt
    ]


def file_rows(of_prompt: Sequence[Line]) -> list[dict[str, object]]:
    """The rows of a file; log-probabilities in nats."""
    return [
        {
            "position": line.position,
            "token": line.token,
            "repeated": line.repeated,
            "log_probability_untouched": line.before,
            "log_probability_knocked_out": line.after,
            "random_heads_mean": line.others_mean,
            "random_heads_spread": line.others_spread if line.others else None,
            "random_draws": len(line.others),
        }
        for line in of_prompt
    ]


def records(of_prompt: Sequence[Line]) -> list[dict[str, object]]:
    """One record per token for the chart: probabilities, and the words of its tooltip."""
    return [
        {
            "position": line.position,
            "token": line.token,
            "before": _shown(line.before),
            "after": _shown(line.after),
            "low": None if line.others_mean is None else _shown(line.others_mean - spread),
            "high": None if line.others_mean is None else _shown(line.others_mean + spread),
            "was": _with_log(line.before),
            "now": _with_log(line.after),
            "random": "not run" if line.others_mean is None else _with_log(line.others_mean),
            "again": "yes" if line.repeated else "no",
        }
        for line in of_prompt
        for spread in [line.others_spread]
    ]


def _shown(log_probability: float) -> float:
    return min(1.0, max(SMALLEST, math.exp(log_probability)))


def _with_log(log_probability: float) -> str:
    return f"{percent(math.exp(log_probability))} ({decimal(log_probability)} nats)"
