"""Where heads look before and after a knock-out, and how active they are in every role then.

A knock-out changes what later layers read, and so where their heads look. Let A be a head's
attention in the untouched run and A' under a condition, both as the layer computes them, *before*
the condition changes anything there: the pattern of a head that is itself knocked out is the one
that it would have used. So the layers up to the first one that is changed look exactly as before;
only later ones can differ. Two questions:

- at one position t: ``A'[t, k] - A[t, k]``, key by key. How far the row moves is its total
  variation, ``1/2 sum over k of |A'[t, k] - A[t, k]|``: from 0 (nothing) to 1 (all of it moved).
  Over many texts the keys are counted back from t (0 is t itself), the start token apart.
- over the prompt: the activation of every head in every role, by :mod:`headroles.scoring`.

A change means something beside those that random other heads make (:func:`beyond_chance`).

>>> before, after = looks(loaded, encoding, [UNTOUCHED, condition])  # doctest: +SKIP
>>> moved(before.at, after.at).argmax()  # the head that looks most elsewhere  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from headroles import capture, scoring
from headroles.ablation.component_model import without
from headroles.ablation.conditions import (
    Change,
    Condition,
    Edge,
    Values,
    check,
    edits,
)
from headroles.ablation.offset_test import Sample
from headroles.ablation.run import replacements_for
from headroles.capture import Edit, EditOfSeen, run_edited
from headroles.models import LoadedModel, are_numbers, not_a_number
from headroles.roles import SCORED_ROLES
from headroles.scoring import RoleActivation, Visible
from headroles.texts.probe_texts import pack
from headroles.types import Encoding, Head

LEAST = 0.05
"""0..1, the smallest change of an activation, or part of a row that moved, that counts."""
OFFSETS = 8
"""How far back the mean over many texts goes, position by position; the rest is *further back*."""


@dataclass(frozen=True, eq=False)
class Looks:
    """Where every head looks on one prompt under one condition."""

    condition: Condition
    """The condition."""
    at: Float[Tensor, "layer head key"]
    """[layer head key] every head's attention at position t, key 0 to t."""
    activations: dict[str, RoleActivation]
    """{role key: [layer head]}, over the whole prompt."""
    output_change: Float[Tensor, "layer head"] | None
    """[layer head] how much each head's output changes from token to token, the second witness of
    resting; None where single heads' outputs cannot be had."""


def looks(
    loaded: LoadedModel,
    encoding: Encoding,
    conditions: Sequence[Condition],
    *,
    position: int = -1,
    untouched: Looks | None = None,
) -> list[Looks]:
    """[condition] where every head looks, in one pass.

    Patterns are read layer by layer and let go, so that a long prompt needs no more memory.

    Args:
        loaded: a model.
        encoding: the prompt.
        conditions: what is changed, condition by condition.
        position: t.
        untouched: the untouched run's, or that of the conditions' baseline, from which layers
            before the first change are taken; without it all of them are run.

    Raises:
        UnknownHeadError, UnknownPositionError: if a condition names what does not exist.
        NotANumberError: if the model computes NaN or infinity.
    """
    length = len(encoding.token_ids)
    for condition in conditions:
        check(condition, loaded, length)
    taken = _Taken(encoding, position % length, capture.attention.roots_of(loaded))
    rows = [encoding.token_ids] * len(conditions)
    first = min(one.first_layer for one in conditions) if untouched is not None else 0
    hear = None if taken.roots is None else taken.hear
    _run(loaded, rows, conditions, taken.see, hear, since=first)
    found = [taken.looks(condition, row) for row, condition in enumerate(conditions)]
    return found if untouched is None else [_below(untouched, later, first) for later in found]


class _Taken:
    """What is kept of each layer while a pass goes by: a row of each pattern, and the scores."""

    def __init__(self, encoding: Encoding, t: int, roots: Tensor | None) -> None:
        self.ids, self.t, self.roots = encoding.copy_ids, t, roots
        self.at: list[Tensor] = []
        self.scored: list[dict[str, RoleActivation]] = []
        self.written: list[Tensor] = []

    def see(self, _layer: int, patterns: Tensor, visible: Visible) -> None:
        """A layer's patterns, [row head query key]."""
        patterns = patterns.float()
        self.at.append(patterns[:, :, self.t, : self.t + 1].clone())  # [row head key]
        sight = (visible,) * len(patterns)
        self.scored.append(scoring.prompt_activations(patterns, self.ids, sight=sight))

    def hear(self, layer: int, z: Tensor) -> None:
        """A layer's outputs, [row query head dim]."""
        self.written.append(capture.output_change(z, self.roots[layer]))  # [row head]

    def looks(self, condition: Condition, row: int) -> Looks:
        """One condition's."""
        return Looks(
            condition,
            torch.stack([layer[row] for layer in self.at]),
            {role.key: _of_row(self.scored, role.key, row) for role in SCORED_ROLES},
            torch.stack([layer[row] for layer in self.written]) if self.written else None,
        )


def _of_row(scored: Sequence[dict[str, RoleActivation]], role: str, row: int) -> RoleActivation:
    """One condition's activations in a role, [layer head], from those of every layer."""
    layers = [layer[role] for layer in scored]
    return RoleActivation(
        torch.stack([layer.value[row] for layer in layers]),
        torch.tensor([float(layer.chance) for layer in layers]),
        torch.tensor([int(layer.rows) for layer in layers]),
    )


def _below(untouched: Looks, later: Looks, first: int) -> Looks:
    """The same with the untouched run's layers below those that were run."""

    def whole(before: Tensor, after: Tensor) -> Tensor:
        return torch.cat([before[:first], after])

    change = later.output_change
    return replace(
        later,
        at=whole(untouched.at, later.at),
        activations={
            key: RoleActivation(
                whole(before.value, later.activations[key].value), before.chance, before.rows
            )
            for key, before in untouched.activations.items()
        },
        output_change=None if change is None else whole(untouched.output_change, change),
    )


def _run(
    loaded: LoadedModel,
    token_ids: Sequence[Sequence[int]],
    conditions: Sequence[Condition],
    see: Callable[[int, Tensor, Visible], None],
    hear: Callable[[int, Tensor], None] | None = None,
    *,
    since: int = 0,
) -> None:
    """One pass that hands over each layer's patterns and outputs before they are changed."""
    lengths = [len(ids) for ids in token_ids]
    ids = pack(token_ids).token_ids
    patterns, outputs = edits(
        conditions,
        lengths,
        num_layers=loaded.num_layers,
        replacements=replacements_for(loaded, token_ids, conditions, None),
    )
    fault: list[int] = []

    def note(tensor: Tensor, layer: int) -> None:
        if not are_numbers(tensor):
            fault.append(layer)

    def first(edit: Edit | None, layer: int) -> EditOfSeen:
        def seen(pattern: Tensor, visible: Visible) -> Tensor:  # [row head query key]
            note(pattern, layer)
            see(layer, pattern, visible)
            return pattern if edit is None else edit.edit(pattern, visible)

        return EditOfSeen(seen)

    def heard(edit: Edit | None, layer: int, z: Tensor) -> Tensor:  # [row query head dim]
        hear(layer, z)
        return z if edit is None else edit(z)

    every = range(since, loaded.num_layers)
    listened = {layer: partial(heard, outputs.get(layer), layer) for layer in every if hear}
    with loaded.lock, without(loaded, conditions, lengths) as hooked:
        run_edited(
            loaded,
            ids,
            patterns={layer: first(patterns.get(layer), layer) for layer in every},
            outputs=outputs | listened,
            with_logits=False,
            hooked=hooked,
        )
    if fault:
        where = "a run with something knocked out"
        raise not_a_number(loaded.model, loaded.key, ids, otherwise=where)


def moved(
    before: Float[Tensor, "*heads key"], after: Float[Tensor, "*heads key"]
) -> Float[Tensor, "*heads"]:
    """0..1, the part of a row that moved: half the sum of the differences, key by key.

    What a learned sink takes counts as one more key.

    >>> round(moved(torch.tensor([0.5, 0.5]), torch.tensor([0.1, 0.9])).item(), 3)
    0.4
    """
    change = after - before
    return (change.abs().sum(-1) + change.sum(-1).abs()) / 2


def beyond_chance(
    changes: Sequence[float], draws: Sequence[Sequence[float]], *, least: float = LEAST
) -> list[bool]:
    """[item] whether a change is larger than random other heads make it.

    The rule is the project's one (:mod:`headroles.scoring.causal_verdict`), with the level of
    Benjamini and Hochberg over all items: of those called so, 5 % are expected by chance.

    Args:
        changes: [item] what the knock-out changed, either way.
        draws: [draw][item] what random other heads changed.
        least: the smallest change that counts.

    >>> beyond_chance([0.5, 0.5], [[0.0, 0.4], [0.01, -0.4], [0.02, 0.1]])
    [True, False]
    """
    return scoring.clear_among(
        [
            scoring.effect_of(change, [draw[item] for draw in draws], least=least)
            for item, change in enumerate(changes)
        ]
    )


# ------------------------------------------------------------------ over many texts


@dataclass(frozen=True)
class OffsetPoint:
    """One place that a head can look at, counted back from the query; shares of attention, 0..1."""

    place: str
    """``0``, ``1``, ...: tokens back; ``further back``; ``start token``."""
    before: float
    """Mean share in the untouched run."""
    before_error: float
    """Its standard error over texts."""
    after: float
    """Mean share under the condition."""
    after_error: float
    """Its standard error over texts."""
    change: float
    """Mean of after minus before."""
    change_error: float
    """Its standard error over texts, from the differences text by text."""
    others: float | None
    """Mean of the same difference for random other heads, another draw in every text; None without
    any."""
    others_error: float | None
    """Its standard error over texts."""


FURTHER, START = "further back", "start token"


def counted_back(
    condition: Condition, *, position: int, length: int, most: int = OFFSETS
) -> Condition | None:
    """The condition for texts that end at the position: its places are counted back from there.

    The start token stays what it is, and places after the position are left out: they change
    nothing before them. None where a place lies further back than ``most`` tokens, or nothing is
    left.

    >>> counted_back(Condition("", (Values((3,)),)), position=4, length=9).changes[0].positions
    (-2,)
    """
    t = position % length

    def back(places: Sequence[int] | None) -> tuple[int, ...] | None:
        if places is None:
            return None
        named = sorted({place % length for place in places})
        return tuple(place - t - 1 if place else 0 for place in named if place <= t)

    changes = [_counted_back(change, back) for change in condition.changes]
    named = [place for change in changes for place in _places(change)]
    if any(place < -1 - most for place in named) or any(
        _places(change) == () for change in changes
    ):
        return None
    return Condition(condition.name, tuple(changes))


def _counted_back(change: Change, back: Callable) -> Change:
    if isinstance(change, Edge):
        query, key = (back([place]) for place in (change.query, change.key))
        return replace(change, query=query[0], key=key[0]) if query and key else change
    if isinstance(change, Values):
        return replace(change, positions=back(change.positions), queries=back(change.queries))
    return replace(change, positions=back(change.positions))


def _places(change: Change) -> tuple[int, ...] | list[int]:
    """The places that a change names; [0] where it acts everywhere."""
    if isinstance(change, Edge):
        return (change.query, change.key)
    if isinstance(change, Values):
        return change.positions
    return [0] if change.positions is None else change.positions


def looks_back(
    loaded: LoadedModel,
    samples: Sequence[Sample],
    condition: Condition,
    others: Sequence[Condition] = (),
    *,
    offsets: int = OFFSETS,
) -> Float[Tensor, "sample run layer head place"]:
    """How much every head looks at each place before the last token of a few texts, in one pass.

    Args:
        loaded: a model.
        samples: texts, each up to the position t that is looked from, with ``offsets`` tokens
            before it, the start token aside.
        condition: from :func:`counted_back`.
        others: [sample] random other heads knocked out; none for no control.
        offsets: the largest offset.

    Returns:
        [sample run layer head place]: runs are its baseline, under the condition, and with others;
        places are the offsets 0 to ``offsets``, then what lies further back, then the start token.
    """
    runs = [[condition.baseline, condition, *others[i : i + 1]] for i in range(len(samples))]
    rows = [sample.token_ids for sample, of in zip(samples, runs, strict=True) for _ in of]
    every = [one for of in runs for one in of]
    for ids, one in zip(rows, every, strict=True):
        check(one, loaded, len(ids))
    found: list[Tensor] = []

    def see(_layer: int, patterns: Tensor, _visible: Visible) -> None:
        by_row = []
        for row, ids in enumerate(rows):
            seen = patterns[row, :, len(ids) - 1, : len(ids)].float().flip(-1)  # offset 0 first
            rest = seen[:, offsets + 1 : -1].sum(-1, keepdim=True)
            by_row.append(torch.cat([seen[:, : offsets + 1], rest, seen[:, -1:]], -1))
        found.append(torch.stack(by_row))  # [row head place]

    _run(loaded, rows, every, see)
    return torch.stack(found, 1).unflatten(0, (len(samples), -1))


def together(
    parts: Sequence[Float[Tensor, "_ run layer head place"]],
) -> Float[Tensor, "sample run layer head place"]:
    """The samples of several calls of :func:`looks_back`."""
    return torch.cat(list(parts))


def by_offset(
    measured: Float[Tensor, "sample run layer head place"], head: Head
) -> list[OffsetPoint]:
    """[place] one head's mean attention before and after, with standard errors over the samples."""
    of_head = measured[:, :, head.layer, head.head].double()  # [sample run place]
    before, after = of_head[:, 0], of_head[:, 1]
    has_others = of_head.shape[1] > 2
    numbers = [before, after, after - before]
    if has_others:
        numbers.append(of_head[:, 2] - before)
    last = of_head.shape[-1] - 2
    places = [*map(str, range(last)), FURTHER, START]
    columns = [column for values in numbers for column in _mean_and_error(values)]
    columns += [] if has_others else [[None] * len(places)] * 2
    return [OffsetPoint(*row) for row in zip(places, *columns, strict=True)]


def _mean_and_error(values: Float[Tensor, "sample place"]) -> tuple[list[float], list[float]]:
    n = len(values)
    error = values.std(0) / n**0.5 if n > 1 else torch.zeros(values.shape[1])
    return values.mean(0).tolist(), error.tolist()
