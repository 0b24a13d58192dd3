"""Knock-outs: what a head, an edge or a value does, seen by running the model without it.

An attention pattern is a correlation; removing a head asks the causal question. A *condition* is a
list of changes to one forward pass:

- :class:`HeadOutput`: a head's output z, set to zero, to its mean over reference text, to what it
  is on another prompt (activation patching), or held at what it is on this one (path patching);
- :class:`Pattern`: a head's attention row, replaced by rest on the first token or by an even one;
- :class:`Edge`: one cell (query, key) set to zero. The row is *not* renormalised unless asked: what
  the head would have read there is missing, and nothing else is read more;
- :class:`Values`: the value vectors at some positions, zero for every head of a layer or of all;
- :class:`Without`: components of the weight matrices, in all heads or in some; the run is then that
  of the model with all other components, and is compared with :data:`ALL_COMPONENTS`.

All but the mean are exact changes of the pattern: a zero row is a zero head, a zero column is a
zero value vector. Zero ablation leaves the output projection's bias, as TransformerLens does. Zero
ablation: Olsson et al. 2022 (arXiv 2209.11895); mean ablation: Wang et al. 2022 (arXiv 2211.00593).

Conditions are the rows of one batch (:func:`run_conditions`), so that a table of twenty costs one
or a few passes.

>>> loaded = load_model("demo")  # doctest: +SKIP
>>> clean, without = ablate(loaded, encoding, [Condition("L1H4", (HeadOutput((Head(1, 4),)),))])
... # doctest: +SKIP
>>> compare(clean, without, answer=clean.guess).rank  # doctest: +SKIP
1
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headroles.capture import Edit, EditOfSeen
from headroles.circuits import TRAINED, Kind, check_components
from headroles.models import LoadedModel
from headroles.types import Component, ComponentSet, Head, place_in

ZERO, MEAN = "zero", "mean"
OTHER, OWN = "other", "own"
FIRST_TOKEN, UNIFORM = "first_token", "uniform"


@dataclass(frozen=True)
class HeadOutput:
    """Heads whose output is replaced."""

    heads: tuple[Head, ...]
    """The heads."""
    to: Literal["zero", "mean", "other", "own"] = ZERO
    """``zero``; ``mean`` over reference text; ``other``: its output at the same position of another
    prompt; ``own``: its output in the untouched run, whatever else is changed."""
    positions: tuple[int, ...] | None = None
    """Query positions; None for all. Negative ones count from the end."""


@dataclass(frozen=True)
class Pattern:
    """Heads whose attention rows are replaced."""

    heads: tuple[Head, ...]
    """The heads."""
    to: Literal["first_token", "uniform"] = FIRST_TOKEN
    """``first_token``: all attention on position 0. ``uniform``: evenly over all keys so far."""
    positions: tuple[int, ...] | None = None
    """Query positions; None for all. Negative ones count from the end."""


@dataclass(frozen=True)
class Edge:
    """A cut link: the attention of one query to one key."""

    heads: tuple[Head, ...]
    """The heads."""
    query: int
    """The position that looks."""
    key: int
    """The position that it looks at."""
    renormalise: bool = False
    """Whether the rest of the row is scaled up to sum to 1 again."""


@dataclass(frozen=True)
class Values:
    """Value vectors that are set to zero."""

    positions: tuple[int, ...]
    """Key positions. Negative ones count from the end."""
    layers: tuple[int, ...] | None = None
    """The layers; None for all."""
    queries: tuple[int, ...] | None = None
    """The query positions that miss them; None for all, as a zero value vector is missed by all."""


@dataclass(frozen=True)
class Without:
    """The model as the sum of its components, without some of them."""

    components: tuple[Component, ...] = ()
    """The components; none for the model with all of them."""
    kind: Kind = TRAINED
    """Trained components or those of the SVD."""
    only_in: tuple[Head, ...] | None = None
    """The heads that lose them; None for all heads of the layer. Heads that share a key or value
    head lose its components together."""
    positions: tuple[int, ...] | None = None
    """Query positions at which components of queries and outputs are missing; None for all. Keys
    and values, which any later query may read, lose theirs everywhere."""


Change = HeadOutput | Pattern | Edge | Values | Without


@dataclass(frozen=True)
class Condition:
    """A named list of changes to one run; without changes, the untouched run."""

    name: str
    """Its name on pages, e.g. ``L1H4 to zero``."""
    changes: tuple[Change, ...] = ()
    """Applied in this order."""

    @property
    def heads(self) -> tuple[Head, ...]:
        """Every head that the changes name, once, in order."""
        named = (head for change in self.changes for head in getattr(change, "heads", ()))
        return tuple(dict.fromkeys(named))

    @property
    def first_layer(self) -> int:
        """The first layer that is changed; 0 where all are, or nothing is."""
        layers = [head.layer for head in self.heads]
        for change in self.changes:
            if isinstance(change, Values):
                layers += (0,) if change.layers is None else change.layers
        return min([*layers, *(component.layer for component in self.components)], default=0)

    @property
    def looks_from(self) -> int:
        """The first layer whose heads may look elsewhere, beside :attr:`baseline`: the layer of a
        query or key that loses components, and for any other change the one after it."""
        own = [component.layer for component in self.components if component.projection in "qk"]
        return min([self.first_layer + 1, *own])

    @property
    def components(self) -> tuple[Component, ...]:
        """Every component that the changes take away, once, in order."""
        taken = (c for change in self.changes for c in getattr(change, "components", ()))
        return tuple(dict.fromkeys(taken))

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers of the heads and components that the changes name."""
        return tuple(sorted({one.layer for one in (*self.heads, *self.components)}))

    @property
    def baseline(self) -> Condition:
        """What a run under the condition is compared with: the model with all components where some
        are missing, else the untouched one.

        >>> Condition("", (Without((Component(0, "q", 1),)),)).baseline.name
        'all components'
        """
        kinds = {change.kind: None for change in self.changes if isinstance(change, Without)}
        changes = tuple(Without(kind=kind) for kind in kinds)
        return Condition(ALL_COMPONENTS.name, changes) if kinds else UNTOUCHED

    @property
    def is_beside_all(self) -> bool:
        """Whether it is compared with the model that has all trained components; those of the SVD
        sum to the weights, and are compared with the untouched model."""
        return self.baseline == ALL_COMPONENTS

    def at(self, positions: tuple[int, ...] | None) -> Condition:
        """The same at some query positions alone; None for all. Changes that have no query
        positions stay as they are."""
        changed = tuple(
            replace(change, positions=positions)
            if isinstance(change, HeadOutput | Pattern | Without)
            else change
            for change in self.changes
        )
        return replace(self, changes=changed)

    def with_heads(self, others: Mapping[Head, Head], *, name: str) -> Condition:
        """The same changes at other heads."""
        changed = tuple(
            replace(change, heads=tuple(others[head] for head in change.heads))
            if hasattr(change, "heads")
            else change
            for change in self.changes
        )
        return Condition(name, changed)


def removal(components: ComponentSet, kind: Kind = TRAINED, *, name: str = "") -> Condition:
    """The model without some components.

    >>> removal(ComponentSet.parse("L0Q17, L0K3")).name
    'without L0Q17, L0K3'
    """
    change = Without(components.components, kind, components.only_in or None)
    return Condition(name or f"without {short_names(components)}", (change,))


def removal_of(sets: Sequence[ComponentSet], kind: Kind = TRAINED) -> Condition:
    """The model without several sets of components at once, each in its own heads.

    >>> removal_of(ComponentSet.parse_all("L0Q17; L1V5 @ H2")).name
    'without L0Q17; L1V5 @ L1H2'
    """
    changes = tuple(change for one in sets for change in removal(one, kind).changes)
    return Condition(f"without {'; '.join(map(short_names, sets))}", changes)


def short_names(components: ComponentSet, *, most: int = 4) -> str:
    """A set of components as a list; many of them as a count.

    >>> short_names(ComponentSet(tuple(Component(0, "q", n) for n in range(9))))
    '9 components (L0Q0, L0Q1, L0Q2, …)'
    """
    every = components.components
    if len(every) <= most:
        return components.label
    shown = components._replace(components=every[: most - 1]).label.partition(" @ ")
    return f"{len(every)} components ({shown[0]}, …){shown[1]}{shown[2]}"


UNTOUCHED = Condition("untouched")
ALL_COMPONENTS = Condition("all components", (Without(),))
"""The model with all of its trained components: what a run without some of them is compared
with."""


@dataclass(frozen=True, eq=False)
class HeadMeans:
    """Every head's mean output over reference text."""

    z: Float[Tensor, "layer head dim"]
    """[layer head dim] mean over the positions after the first of every text."""
    texts: int
    """Count of texts."""
    positions: int
    """Count of positions that the mean is over."""


Replacement = Float[Tensor, "layer head dim"] | Float[Tensor, "layer pos head dim"]
"""What head outputs are set to: the same at every position, or one per position."""


# ------------------------------------------------------------------ from conditions to edits


def edits(
    conditions: Sequence[Condition],
    lengths: Sequence[int],
    *,
    num_layers: int,
    replacements: Mapping[str, Replacement] | None = None,
    known: int = 0,
) -> tuple[dict[int, Edit], dict[int, Edit]]:
    """What :func:`headroles.capture.interventions.run_edited` takes, one condition per row.

    Args:
        conditions: [row] conditions.
        lengths: [row] tokens of each row's prompt; padding after them is left alone.
        num_layers: layers of the model.
        replacements: {``mean``, ``other`` or ``own``: what outputs are set to}, for each of them
            that a condition names; [layer head dim], or [layer pos head dim] one per position.
        known: positions at the beginning that the pass does not run (:func:`first_position`).

    Returns:
        {layer: edit of its patterns}, {layer: edit of its head outputs}; only layers that change.
    """
    at_pattern: dict[int, list[tuple[int, Change]]] = defaultdict(list)
    at_output: dict[int, list[tuple[int, HeadOutput]]] = defaultdict(list)
    for row, condition in enumerate(conditions):
        for change in condition.changes:
            if isinstance(change, Without):
                continue  # headroles.ablation.component_model
            replaced = isinstance(change, HeadOutput) and change.to != ZERO
            for layer in _layers(change, num_layers):
                (at_output if replaced else at_pattern)[layer].append((row, change))
    patterns = {
        layer: _pattern_edit(layer, todo, lengths) for layer, todo in sorted(at_pattern.items())
    }
    outputs = {
        layer: _output_edit(layer, todo, lengths, replacements or {}, known)
        for layer, todo in sorted(at_output.items())
    }
    return patterns, outputs


def first_position(conditions: Sequence[Condition], length: int) -> int:
    """The first position at which any of some conditions on one prompt changes a head's output; 0
    where patterns are changed, or every output of a head.

    >>> first_position([Condition("", (HeadOutput((Head(0, 1),), MEAN, (5, -3)),))], 9)
    5
    """
    changes = [change for condition in conditions for change in condition.changes]
    if not all(isinstance(change, HeadOutput) and change.to != ZERO for change in changes):
        return 0
    places = torch.cat(
        [_places(change.positions, length) for change in changes] or [_places((), 1)]
    )
    return int(places.min()) if len(places) else 0


def _layers(change: Change, num_layers: int) -> Sequence[int]:
    if isinstance(change, Values):
        return range(num_layers) if change.layers is None else change.layers
    return sorted({head.layer for head in change.heads})


def _pattern_edit(layer: int, todo: Sequence[tuple[int, Change]], lengths: Sequence[int]) -> Edit:
    def edit(patterns: Tensor, visible: Tensor | None) -> Tensor:  # [row head query key]
        for row, change in todo:
            n = lengths[row]
            seen = None if visible is None else visible[:n, :n]
            change_pattern(patterns[row, :, :n, :n], change, layer, seen)
        return patterns

    return EditOfSeen(edit)


def change_pattern(
    pattern: Float[Tensor, "head query key"],
    change: Change,
    layer: int,
    visible: Bool[Tensor, "query key"] | None = None,
) -> None:
    """Apply one change to one layer's patterns on one prompt, in place.

    ``visible`` is what the layer's heads can see; None for every token so far. A head that is put
    to rest looks at the first token that it sees, one that spreads evenly at all that it sees.

    >>> pattern = torch.tensor([[[1.0, 0.0], [0.25, 0.75]]])
    >>> change_pattern(pattern, Edge((Head(0, 0),), 1, 1), 0)
    >>> pattern[0, 1].tolist()
    [0.25, 0.0]
    """
    length = pattern.shape[-1]
    if isinstance(change, Values):
        keys = _places(change.positions, length)
        queries = _places(change.queries, length)
        pattern[:, queries[:, None], keys] = 0
        return
    heads = torch.tensor([head.head for head in change.heads if head.layer == layer])
    if isinstance(change, Edge):
        query, key = _places((change.query, change.key), length).tolist()
        whole = pattern[heads, query].sum(-1, keepdim=True)
        pattern[heads, query, key] = 0
        if change.renormalise:  # to what it was: less than 1 where a learned sink takes the rest
            rest = pattern[heads, query].sum(-1, keepdim=True)
            pattern[heads, query] *= whole / rest.clamp_min(torch.finfo(rest.dtype).tiny)
        return
    queries = _places(change.positions, length)
    new = pattern.new_zeros(length, length)
    seen = torch.ones_like(new).tril() if visible is None else visible.to(new.dtype)
    if isinstance(change, Pattern) and change.to == FIRST_TOKEN:
        new.scatter_(-1, seen.argmax(-1, keepdim=True), 1)
    elif isinstance(change, Pattern):
        new = seen / seen.sum(-1, keepdim=True)
    pattern[heads[:, None], queries] = new[queries]


def _output_edit(
    layer: int,
    todo: Sequence[tuple[int, HeadOutput]],
    lengths: Sequence[int],
    replacements: Mapping[str, Replacement],
    known: int,
) -> Edit:
    def edit(z: Tensor) -> Tensor:  # [row query head dim]
        for row, change in todo:
            heads = torch.tensor([head.head for head in change.heads if head.layer == layer])
            queries = _places(change.positions, lengths[row])[:, None]
            new = replacements[change.to][layer].to(z.dtype)
            z[row, queries - known, heads] = new[heads] if new.ndim == 2 else new[queries, heads]
        return z

    return edit


def _places(positions: Sequence[int] | None, length: int) -> Int[Tensor, " place"]:
    """Positions as indices from 0; None is all of them."""
    if positions is None:
        return torch.arange(length)
    return torch.tensor(list(positions), dtype=torch.long) % length


def check(condition: Condition, loaded: LoadedModel, length: int) -> None:
    """Check that every head and position of a condition exists.

    Raises:
        UnknownHeadError, UnknownPositionError, UnknownComponentError: if one does not.
        DecompositionError: if the model has no such components.
    """
    for head in condition.heads:
        head.check(*loaded.shape)
    for change in condition.changes:
        if isinstance(change, Without):
            check_components(loaded, change.kind, change.components)
            for head in change.only_in or ():
                head.check(*loaded.shape)
            continue
        for position in _named_positions(change):
            place_in(position, length)


def _named_positions(change: Change) -> tuple[int, ...]:
    if isinstance(change, Edge):
        return (change.query, change.key)
    if isinstance(change, Values):
        return (*change.positions, *(change.queries or ()))
    return change.positions or ()
