"""Activation patching: which head, at which token, carries the difference between two prompts.

Of a pair of prompts (:mod:`headroles.ablation.pairs`) one is run, and one thing of the other's run
is put into it: a head's output z, at all positions or at a single one. d is the logit of the first
prompt's answer less that of the second's, at the last position.

- ``denoise``: the second prompt runs, and something of the first is put in. How much of the
  difference comes back? (d_patched - d_second) / (d_first - d_second): what is enough by itself.
- ``noise``: the first prompt runs, and something of the second is put in. How much is lost?
  (d_first - d_patched) / (d_first - d_second): what cannot be replaced.

So in both maps 0 means that the head makes no difference and 1 that it makes all of it; below 0 it
works against the answer. The two need not agree: of two heads that each do the whole work, either
is enough and neither is needed (Heimersheim & Nanda 2024, arXiv 2404.15255). The measure is that
of Wang et al. 2022 (arXiv 2211.00593); Zhang & Nanda 2024 (arXiv 2309.16042) compare it with
others.

The *control* puts in something that should make no difference: the outputs of the same prompt with
a word exchanged that does not matter for the answer (the place in "went to the store"). A head
whose share lies within the spread of such exchanges recovers nothing of its own
(:func:`beside_control`).

Before the first token that differs both runs are the same, as attention is causal: only positions
from there on are patched, and those before are 0.

>>> pair = make_pair(loaded, "The cat sat. The cat", "The cat ran. The cat")  # doctest: +SKIP
>>> every_head(pair, *loaded.shape).all(loaded).share.shape  # doctest: +SKIP
torch.Size([4, 8])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import torch

from headroles.ablation.conditions import OTHER, Condition, HeadOutput
from headroles.ablation.pairs import Pair, logit_difference
from headroles.ablation.run import head_outputs, run_conditions
from headroles.scoring import effect_of, judge
from headroles.texts import encode, exchanged
from headroles.types import CausalVerdict, Encoding, Head

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from headroles.models import LoadedModel


Direction = Literal["denoise", "noise"]
DENOISE, NOISE = "denoise", "noise"

MOST_EXCHANGES = 5
"""Exchanges of a control."""
LEAST_SHARE = 0.01
"""The least share of the difference that counts."""

_ROWS, _TOKENS = 32, 400
"""Most conditions of one part, and tokens that they run together: a part is a moment's work. Fewer
would run the layers below the first changed one, which are one row, more often than they need."""


@dataclass(frozen=True, eq=False)
class Patched:
    """What each patch did: a table of heads, or of heads and positions."""

    pair: Pair
    """The prompts and their answers."""
    direction: Direction
    """``denoise``: the first prompt's outputs in the second's run; ``noise``: the other way."""
    rows: tuple[tuple[Head, ...], ...]
    """[row] the heads of a row: those of its columns, or all that are patched together."""
    by_position: bool
    """Whether a column is a position of the prompt; else it is a head of the row."""
    differences: Float[Tensor, "row column"]
    """[row column] logits of the answer less the other's, with the patch."""

    @property
    def share(self) -> Float[Tensor, "row column"]:
        """[row column] what the patch recovers of the difference, or for ``noise`` loses: 0 is
        nothing, 1 everything."""
        return share_of(self.pair, self.differences, self.direction)


def share_of(
    pair: Pair, differences: Float[Tensor, "*grid"], direction: Direction
) -> Float[Tensor, "*grid"]:
    """Logit differences of patched runs as shares of the pair's.

    >>> share_of(_pair(first=3.0, second=-1.0), torch.tensor([-1.0, 1.0]), "denoise").tolist()
    ... # doctest: +SKIP
    [0.0, 0.5]
    """
    if direction == DENOISE:
        return (differences - pair.second_difference) / pair.gap
    return (pair.first_difference - differences) / pair.gap


@dataclass(eq=False)
class Patches:
    """Patches that are still to be run, part by part, so that a page can show how far it is.

    >>> todo = every_head(pair, 4, 8)  # doctest: +SKIP
    >>> todo.result([todo.run(loaded, part) for part in todo.parts])  # doctest: +SKIP
    """

    pair: Pair
    """The prompts."""
    direction: Direction
    """Which of them runs."""
    rows: tuple[tuple[Head, ...], ...]
    """[row] as :attr:`Patched.rows`."""
    by_position: bool
    """As :attr:`Patched.by_position`."""
    conditions: tuple[Condition, ...]
    """Row by row, from the first column that can matter on."""
    source: Encoding | None = None
    """The prompt whose outputs are put in; None for the other one of the pair."""
    _taken: Float[Tensor, "layer pos head dim"] | None = field(default=None, repr=False)

    @property
    def runs(self) -> Encoding:
        """The prompt that is run."""
        return self.pair.second if self.direction == DENOISE else self.pair.first

    @property
    def parts(self) -> tuple[tuple[Condition, ...], ...]:
        """The conditions in parts of one pass each, from layer to layer."""
        rows = max(4, min(_ROWS, _TOKENS // (self.pair.length - self.pair.start)))
        starts = range(0, len(self.conditions), rows)
        return tuple(self.conditions[at : at + rows] for at in starts)

    def run(self, loaded: LoadedModel, part: Sequence[Condition]) -> list[float]:
        """[condition] the logit differences of one part.

        Raises:
            UnknownHeadError: if the model has no such head.
            UnsupportedModelError: if the outputs of its heads cannot be had.
        """
        if self._taken is None:
            other = self.pair.first if self.direction == DENOISE else self.pair.second
            self._taken = head_outputs(loaded, (self.source or other).token_ids)
        rows = [self.runs.token_ids] * len(part)
        outcomes = run_conditions(loaded, rows, part, losses=False, other=self._taken)
        return [
            logit_difference(outcome, self.pair.answer_id, self.pair.against_id)
            for outcome in outcomes
        ]

    def result(self, done: Sequence[Sequence[float]]) -> Patched:
        """The table, from what :meth:`run` gave for all parts, in order."""
        found = torch.tensor([one for part in done for one in part], dtype=torch.double)
        grid = found.reshape(len(self.rows), -1)
        if self.by_position:
            pair = self.pair
            same = pair.second_difference if self.direction == DENOISE else pair.first_difference
            grid = torch.cat([grid.new_full((len(grid), pair.start), same), grid], 1)
        return Patched(self.pair, self.direction, self.rows, self.by_position, grid)

    def all(
        self, loaded: LoadedModel, on_part: Callable[[int, int], None] | None = None
    ) -> Patched:
        """Run every part; ``on_part`` is told (conditions done, of how many)."""
        done: list[list[float]] = []
        for part in self.parts:
            done.append(self.run(loaded, part))
            if on_part:
                on_part(sum(map(len, done)), len(self.conditions))
        return self.result(done)


# ------------------------------------------------------------------ what is patched


def every_head(
    pair: Pair, num_layers: int, num_heads: int, *, direction: Direction = DENOISE
) -> Patches:
    """Every head by itself, at all positions from the first differing token on: [layer head]."""
    rows = _layers(num_layers, num_heads)
    later = tuple(range(pair.start, pair.length))
    conditions = tuple(
        Condition(head.label, (HeadOutput((head,), OTHER, later),)) for row in rows for head in row
    )
    return Patches(pair, direction, rows, by_position=False, conditions=conditions)


def heads_by_position(
    pair: Pair, heads: Sequence[Head], *, direction: Direction = DENOISE
) -> Patches:
    """Some heads, each by itself at each single position: [head pos]."""
    rows = tuple((head,) for head in dict.fromkeys(heads))
    return _by_position(pair, rows, direction, [row[0].label for row in rows])


def layers_by_position(
    pair: Pair, num_layers: int, num_heads: int, *, direction: Direction = DENOISE
) -> Patches:
    """All heads of each layer together, at each single position: [layer pos]."""
    rows = _layers(num_layers, num_heads)
    return _by_position(pair, rows, direction, [f"layer {layer}" for layer in range(num_layers)])


def all_heads(
    pair: Pair, num_layers: int, num_heads: int, *, direction: Direction = DENOISE
) -> Patches:
    """Every head of every layer together, at all positions: [1 1].

    It proves the table: positions know of each other through heads alone, so where both prompts end
    in the same token the share is exactly 1.
    """
    heads = tuple(Head.every(num_layers, num_heads))
    later = tuple(range(pair.start, pair.length))
    together = Condition("all heads", (HeadOutput(heads, OTHER, later),))
    return Patches(pair, direction, (heads,), by_position=False, conditions=(together,))


def _layers(num_layers: int, num_heads: int) -> tuple[tuple[Head, ...], ...]:
    return tuple(tuple(Head.every([layer], num_heads)) for layer in range(num_layers))


def _by_position(
    pair: Pair, rows: tuple[tuple[Head, ...], ...], direction: Direction, names: Sequence[str]
) -> Patches:
    conditions = tuple(
        Condition(f"{name} at {place}", (HeadOutput(row, OTHER, (place,)),))
        for name, row in zip(names, rows, strict=True)
        for place in range(pair.start, pair.length)
    )
    return Patches(pair, direction, rows, by_position=True, conditions=conditions)


# ------------------------------------------------------------------ the control


@dataclass(frozen=True)
class Beside:
    """One head's share beside what it does in the control."""

    head: Head
    """The head."""
    share: float
    """As :attr:`Patched.share`."""
    control_mean: float
    """Mean share over the exchanges; 0 for fewer than two."""
    control_spread: float
    """Standard deviation over the exchanges; 0 for fewer than two."""
    exchanges: int
    """Count of exchanges."""
    verdict: CausalVerdict
    """``holds_up``: it is farther from the control's mean than chance, by the rule of
    :mod:`headroles.scoring.causal_verdict`; ``not_tested`` with fewer than two exchanges."""


def control_sources(
    loaded: LoadedModel, pair: Pair, *, direction: Direction = DENOISE
) -> tuple[Encoding, ...]:
    """The prompt that runs, with its word that does not matter exchanged: up to
    :data:`MOST_EXCHANGES`, of the same length and not the same."""
    text = pair.second_text if direction == DENOISE else pair.first_text
    runs = pair.second if direction == DENOISE else pair.first
    made = [
        encode(loaded.tokenizer, other, max_tokens=loaded.max_tokens, chat=runs.is_chat)
        for other in exchanged(text, pair.exchange)
    ]
    fitting = {
        one.token_ids: one
        for one in made
        if len(one.token_ids) == pair.length and one.token_ids != runs.token_ids
    }
    return tuple(fitting.values())[:MOST_EXCHANGES]


def control_patches(
    pair: Pair,
    heads: Sequence[Head],
    sources: Sequence[Encoding],
    *,
    direction: Direction = DENOISE,
) -> tuple[Patches, ...]:
    """[source] the same patches of some heads, from prompts that differ in nothing that matters."""
    rows = tuple((head,) for head in dict.fromkeys(heads))
    made = []
    for source in sources:
        todo = Patches(pair, direction, rows, by_position=False, conditions=(), source=source)
        places = zip(source.token_ids, todo.runs.token_ids, strict=True)
        start = next(place for place, (one, other) in enumerate(places) if one != other)
        later = tuple(range(start, pair.length))
        todo.conditions = tuple(
            Condition(row[0].label, (HeadOutput(row, OTHER, later),)) for row in rows
        )
        made.append(todo)
    return tuple(made)


def beside_control(patched: Patched, controls: Sequence[Patched]) -> tuple[Beside, ...]:
    """[head] the heads of a control with their shares in a table of every head.

    Args:
        patched: every head by itself (:func:`every_head`).
        controls: [source] the results of :func:`control_patches`.
    """
    if not controls:
        return ()
    heads = [row[0] for row in controls[0].rows]
    shares = torch.stack([control.share.flatten() for control in controls], -1)  # [head source]
    return tuple(
        _beside(head, float(patched.share[head]), others.tolist())
        for head, others in zip(heads, shares, strict=True)
    )


def _beside(head: Head, share: float, others: Sequence[float]) -> Beside:
    """A share below 0 is held against the control's as one above 0 is."""
    sign = -1.0 if share < 0 else 1.0
    effect = effect_of(sign * share, [sign * other for other in others], least=LEAST_SHARE)
    return Beside(
        head,
        share,
        sign * (effect.control_mean or 0.0),
        effect.control_spread or 0.0,
        len(others),
        judge(effect),
    )


def strongest(patched: Patched, n: int = 10) -> tuple[Head, ...]:
    """The heads of the largest shares in a table of every head, whichever way they work."""
    order = patched.share.abs().flatten().argsort(descending=True, stable=True)[:n]
    columns = patched.share.shape[1]
    return tuple(Head(*divmod(int(place), columns)) for place in order)
