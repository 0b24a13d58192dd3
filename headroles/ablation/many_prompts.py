"""Many prompts under many knock-outs: where t is, what random others do, and all prompts together.

The position *t* is where one-position conditions act, and the next token is guessed after it. It is
the last token, another one, or a random one per prompt. Nothing after t can change that guess, so
the random others run on the prompt up to t alone.

What a condition costs over n prompts is the mean of what the watched token loses, with its standard
error; draw k knocks out the same random heads on every prompt, and its mean over the same prompts
is one draw of the control (:mod:`headroles.scoring.causal_verdict` has the rule).

>>> settings = Settings((Head(1, 4),), draws=5)
>>> table = tabulate_prompt(loaded, ready, settings)  # doctest: +SKIP
>>> tables, left_out = assemble([table, draw_others(loaded, ready, settings)])  # doctest: +SKIP
>>> headline(summarise(tables))  # doctest: +SKIP
'L1H4 to mean costs most of the knock-outs of your heads: …'
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import numpy as np

from headroles.ablation.conditions import Condition
from headroles.ablation.controls import (
    Judgement,
    judge,
    others_of,
)
from headroles.ablation.outcomes import Comparison, compare
from headroles.ablation.run import ablate, compared_with, missing_baselines, run_conditions
from headroles.ablation.tables import (
    TOP,
    PromptTable,
    Row,
    component_conditions,
    find_watched,
    standard_conditions,
    tabulate,
)
from headroles.circuits import TRAINED, Kind
from headroles.errors import EmptyPromptError, HeadrolesError, LimitError, UnknownPositionError
from headroles.formatting import count, decimal, places, signed
from headroles.models import LoadedModel
from headroles.scoring.causal_verdict import LEAST_CHANGE
from headroles.texts import ReadyPrompt, encode
from headroles.texts.prompt_files import OWN
from headroles.types import BESIDE_CHANCE, ComponentSet, Encoding, Head, place_in

RANDOM = "random"
"""A position t that is drawn for every prompt."""
NOT_CLEAR = "not clear"
"""An effect on several prompts that differ too much to tell its mean from zero."""
_OF_PROMPTS = (EmptyPromptError, LimitError, UnknownPositionError)
"""What is wrong with one prompt, and no reason to leave out the others."""


@dataclass(frozen=True)
class Settings:
    """What is done to every prompt."""

    heads: tuple[Head, ...]
    """The heads around which the conditions are made; none where only components are removed."""
    position: int | str = -1
    """t: a position, below 0 from the end; or :data:`RANDOM`."""
    draws: int = 0
    """Draws of random others for every condition."""
    seed: int = 0
    """Fixes random positions and draws."""
    top: int = TOP
    """Tokens per direction."""
    named_at_t: bool = False
    """Whether the answer of an own prompt is for t, wherever that is, and not for its end."""
    sets: tuple[ComponentSet, ...] = ()
    """Sets of components, each of which is removed."""
    kind: Kind = TRAINED
    """Trained components or those of the SVD."""


@dataclass(frozen=True)
class LeftOut:
    """A prompt that could not be run."""

    prompt: str
    """The text."""
    error: HeadrolesError
    """Why."""


@dataclass(frozen=True)
class Drawn:
    """The random others of one condition on one prompt."""

    condition: str
    """The condition's name."""
    lost: tuple[float, ...]
    """[draw] nats that the watched token loses."""
    note: str
    """What was knocked out, in a sentence or two."""


Part = PromptTable | LeftOut | Sequence[Drawn]
"""A step's result: a prompt's table or why there is none, then the draws of its conditions."""


def place_of_t(encoding: Encoding, position: int | str, *, seed: int = 0) -> int:
    """The position t of a prompt, from 0.

    A random one lies from 1 to the last but one, so that the token after it is known; it depends on
    the seed and on the prompt's own tokens, whatever other prompts there are.

    Raises:
        UnknownPositionError: if the prompt has no such position.
    """
    length = len(encoding.token_ids)
    if position == RANDOM:
        rng = np.random.default_rng([seed, *encoding.token_ids])
        return int(rng.integers(1, max(2, length - 1)))
    return place_in(position, length)


def tabulate_prompt(
    loaded: LoadedModel, ready: ReadyPrompt, settings: Settings
) -> PromptTable | LeftOut:
    """A prompt under all conditions at its t; or why it cannot be run.

    Raises:
        HeadrolesError: for what is not the prompt's fault.
    """
    try:
        _, t, named = _read(loaded, ready, settings)
        return tabulate(
            loaded,
            ready.prompt,
            partial(conditions_of, settings, position=t),
            answer=named,
            top=settings.top,
            position=t,
            read_at=t,
            kind=ready.kind,
        )
    except _OF_PROMPTS as error:
        return LeftOut(ready.prompt, error)


def conditions_of(settings: Settings, encoding: Encoding, *, position: int = -1) -> list[Condition]:
    """What is knocked out on one prompt: around the heads, then set by set of components.

    Raises:
        UnknownPositionError: if the prompt has no such position.
    """
    heads = settings.heads
    of_heads = standard_conditions(heads, encoding, position=position) if heads else []
    return [*of_heads, *component_conditions(settings.sets, settings.kind)]


def draw_others(
    loaded: LoadedModel, ready: ReadyPrompt, settings: Settings, *, part: int = 0, parts: int = 1
) -> tuple[Drawn, ...]:
    """The random others of a prompt's conditions, or of every ``parts``-th condition from ``part``.

    All of them are rows of a few passes over the prompt up to t: one for each layer in which they
    begin, because rows are a single one before that. A prompt that cannot be run has none.
    """
    try:
        encoding, t, named = _read(loaded, ready, settings)
        seen = replace(
            encoding, token_ids=encoding.token_ids[: t + 1], tokens=encoding.tokens[: t + 1]
        )
        conditions = conditions_of(settings, seen)[part::parts]
        controls = [
            others_of(condition, loaded, length=t + 1, draws=settings.draws, seed=settings.seed)
            for condition in conditions
        ]
        every = [other for control in controls for other in control.conditions]
        clean, *more = ablate(loaded, seen, missing_baselines(every), losses=False)
        standing = {outcome.condition: outcome for outcome in more}
        answer = find_watched(loaded, clean, ready.prompt, named, encoding=encoding, read_at=t)
    except _OF_PROMPTS:
        return ()
    lost = [0.0] * len(every)
    begins = [condition.first_layer for condition in every]
    for layer in sorted(set(begins)):
        places = [place for place, begin in enumerate(begins) if begin == layer]
        rows = [every[place] for place in places]
        outcomes = run_conditions(loaded, [seen.token_ids] * len(rows), rows, losses=False)
        for place, outcome in zip(places, outcomes, strict=True):
            before = compared_with(outcome.condition, clean, standing)
            lost[place] = compare(before, outcome, answer=answer.token_id).surprise
    left = iter(lost)
    return tuple(
        Drawn(condition.name, tuple(islice(left, len(control.conditions))), control.note)
        for condition, control in zip(conditions, controls, strict=True)
    )


def _read(loaded: LoadedModel, ready: ReadyPrompt, settings: Settings) -> tuple[Encoding, int, str]:
    """A prompt's tokens, its t, and the answer that was named for this t."""
    encoding = encode(loaded.tokenizer, ready.prompt, max_tokens=loaded.max_tokens)
    t = place_of_t(encoding, settings.position, seed=settings.seed)
    is_last = t + 1 == len(encoding.token_ids)
    named_here = settings.named_at_t and ready.kind == OWN and settings.position != RANDOM
    return encoding, t, ready.answer if is_last or named_here else ""


def assemble(parts: Sequence[Part]) -> tuple[list[PromptTable], list[LeftOut]]:
    """The tables with the random others of their conditions, and what was left out.

    Args:
        parts: what the steps returned, in order; draws belong to the table before them.
    """
    tables: list[PromptTable] = []
    left_out: list[LeftOut] = []
    for part in parts:
        if isinstance(part, PromptTable):
            tables.append(part)
        elif isinstance(part, LeftOut):
            left_out.append(part)
        elif part:
            tables[-1] = _with_others(tables[-1], {drawn.condition: drawn for drawn in part})
    return tables, left_out


def _with_others(table: PromptTable, drawn: Mapping[str, Drawn]) -> PromptTable:
    rows = tuple(
        replace(row, others=own.lost, control=own.note) if (own := drawn.get(row.name)) else row
        for row in table.rows
    )
    return replace(table, rows=rows)


# ------------------------------------------------------------------ over all prompts


@dataclass(frozen=True)
class Summary:
    """One condition over all prompts."""

    name: str
    """The condition."""
    still_first: int
    """Prompts where the watched token was first and still is."""
    were_first: int
    """Prompts where it was first before."""
    lost: float
    """Nats of log-probability that it loses, mean over prompts."""
    spread: float | None
    """Standard deviation over prompts; None with fewer than two."""
    prompts: int
    """Prompts that have this condition."""
    fell: int
    """Prompts where it got less likely."""
    logit_change: float
    """Logits by which its own logit rose, mean over prompts; below 0 it fell."""
    of_heads: bool
    """Whether heads or components are knocked out, and not value vectors that all heads read."""
    beside: Judgement | None = None
    """What it loses beside the random others, mean over the prompts that have a control; None where
    none were asked for."""
    controlled: int = 0
    """Prompts that have a control."""
    of_components: bool = False
    """Whether components are knocked out."""
    is_baseline: bool = False
    """Whether it is the model with all components, which nothing is taken from."""
    beside_all: bool = False
    """Whether it is compared with that model, and not with the untouched one."""


def summarise(tables: Sequence[PromptTable]) -> list[Summary]:
    """Every condition over the prompts that have it, in the order in which they come."""
    by_name: dict[str, list[Row]] = {}
    for table in tables:
        for row in table.rows:
            by_name.setdefault(row.name, []).append(row)
    return [_summary(name, rows) for name, rows in by_name.items()]


def _summary(name: str, rows: Sequence[Row]) -> Summary:
    comparisons = [row.comparison for row in rows]
    first = [comparison for comparison in comparisons if comparison.rank_before == 1]
    lost = [comparison.surprise for comparison in comparisons]
    controlled = [row for row in rows if len(row.others) > 1]
    return Summary(
        name,
        still_first=sum(comparison.rank == 1 for comparison in first),
        were_first=len(first),
        lost=statistics.fmean(lost),
        spread=statistics.stdev(lost) if len(lost) > 1 else None,
        prompts=len(lost),
        fell=sum(
            comparison.probability < comparison.probability_before for comparison in comparisons
        ),
        logit_change=statistics.fmean(comparison.logit_change for comparison in comparisons),
        of_heads=bool(rows[0].heads or rows[0].components),
        of_components=bool(rows[0].components),
        is_baseline=rows[0].is_baseline,
        beside_all=rows[0].beside_all,
        beside=_beside(controlled) if any(row.control for row in rows) else None,
        controlled=len(controlled),
    )


def _beside(rows: Sequence[Row]) -> Judgement:
    """The mean effect over prompts beside the means of the draws over the same prompts."""
    if not rows:
        return judge(0.0, [])
    lost = [row.comparison.surprise for row in rows]
    draws = min(len(row.others) for row in rows)
    others = [statistics.fmean(row.others[draw] for row in rows) for draw in range(draws)]
    error = statistics.stdev(lost) / math.sqrt(len(lost)) if len(lost) > 1 else 0.0
    return judge(statistics.fmean(lost), others, standard_error=error, texts=len(lost))


def headline(rows: Sequence[Summary]) -> str:
    """Which knock-out costs most, on how many prompts, and beside chance (plain text)."""
    rows = [row for row in rows if not row.is_baseline]
    if not rows:
        return "No prompt could be run."
    what = {row.of_components: None for row in rows if row.of_heads}
    yours = " and ".join("components" if one else "heads" for one in what) or "heads"
    of_heads = [row for row in rows if row.of_heads] or list(rows)
    worst = max(of_heads, key=lambda row: row.lost)
    on = f"on {worst.fell} of {count(worst.prompts, 'prompt')}"
    mean = " on average" if worst.prompts > 1 else ""
    beside = f", {of_control(worst)}" if worst.beside else ""
    if worst.lost > LEAST_CHANGE:
        said = (
            f"Costliest knock-out of your {yours}: “{worst.name}”. The watched token gets less "
            f"likely {on} and loses {nats(worst.lost)}{mean}{beside}."
        )
    else:
        said = (
            f"No knock-out of your {yours} costs anything{mean}. Costliest: “{worst.name}”. The "
            f"watched token gets less likely {on} and loses {nats(worst.lost)}{mean}{beside}."
        )
    clear = [row for row in of_heads if row.beside and row.beside.verdict == "holds_up"]
    if clear and worst not in clear:
        most = max(clear, key=lambda row: row.lost)
        said += (
            f" Larger than chance: {len(clear)} of {len(of_heads)} ways, most of all "
            f"“{most.name}” ({nats(most.lost)})."
        )
    elif worst.beside and not clear and len(of_heads) > 1:
        said += f" None of {len(of_heads)} ways is larger than chance."
    more = max((row for row in rows if not row.of_heads), key=lambda row: row.lost, default=worst)
    if more.lost > worst.lost:
        said += f" With “{more.name}” at zero it loses more still: {nats(more.lost)}."
    return said


# ------------------------------------------------------------------ the same words everywhere


def nats(lost: float) -> str:
    """Log-probability that was lost, in a sentence that says so.

    >>> nats(0.5)
    '0.50 nats'
    """
    return f"{decimal(lost)} nats"


def of_logit(comparison: Comparison) -> str:
    """The watched token's own logit before and after, and the change.

    >>> of_logit(Comparison(2, 1, 0.1, 0.7, 1.0, None, None, logit=9.5, logit_before=12.25))
    '12.25 → 9.50 (−2.75)'
    """
    before, after = decimal(comparison.logit_before), decimal(comparison.logit)
    return f"{before} → {after} ({signed(comparison.logit_change)})"


def of_chance(of: Row | Summary) -> str:
    """What a condition does beside the random others; over several prompts that differ too much
    for a mean, it is "not clear"."""
    beside = of.beside
    if beside is None:
        return "–"
    if beside.verdict == "no_effect" and abs(beside.effect) > LEAST_CHANGE:
        return NOT_CLEAR
    return BESIDE_CHANCE[beside.verdict]


def of_control(row: Summary) -> str:
    """The same in a sentence."""
    beside = row.beside
    if beside is None or beside.draws < 2:
        return "without enough random others to compare with"
    others = f"{decimal(beside.mean)} ± {decimal(beside.spread)}, {count(beside.draws, 'draw')}"
    chance = of_chance(row)
    if chance == NOT_CLEAR:
        chance = "which is not clear, because the prompts differ so much"
    return f"{chance} (random others lose {others})"


def of_draws(beside: Judgement) -> str:
    """What the watched token loses with random others instead.

    >>> of_draws(judge(2.0, [0.4, 0.6])), of_draws(judge(2.0, []))
    ('+0.50 ± 0.14 (2 draws)', '–')
    """
    if beside.draws < 2:
        return "–"
    return f"{signed(beside.mean)} ± {decimal(beside.spread)} ({count(beside.draws, 'draw')})"


def of_spread(row: Summary) -> str:
    """What the watched token loses, mean and standard deviation over prompts, if several."""
    return signed(row.lost) + ("" if row.spread is None else f" ± {decimal(row.spread)}")


def of_position(table: PromptTable) -> str:
    """Where t is, e.g. ``t = 4 (positions 0 to 16)``."""
    last = len(table.encoding.tokens) - 1
    return f"t = {table.position}" + (
        ", the last token" if table.position == last else f" ({places('position', last + 1)})"
    )
