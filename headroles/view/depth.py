"""Where a role sits in models of different depth: the best head of every layer. Pure.

>>> relative(1, 4), relative(0, 1)
(0.3333333333333333, None)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from headroles.formatting import count, listing, percent, signed
from headroles.roles import LOGITS, Role
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.store import ModelEntry, StoredRole


class LayerBest(NamedTuple):
    """The best head of a layer for a role."""

    model: str
    """The catalogue key."""
    name: str
    """The model's name."""
    layers: int
    """Of the model."""
    head: Head
    """Which head."""
    score: float
    """Its score, with its sign."""
    reaches: bool
    """Whether it has the role: over the threshold, and at rest where the role asks for that."""

    @property
    def depth(self) -> float | None:
        """0 for the first layer, 1 for the last; None in a model of one layer."""
        return relative(self.head.layer, self.layers)


def relative(layer: int, layers: int) -> float | None:
    """0..1, how far down a layer lies; None in a model of one layer."""
    return layer / (layers - 1) if layers > 1 else None


def has_scores(entry: ModelEntry, role: str) -> bool:
    """Whether an entry holds a score of the role for any head."""
    stored = entry.role(role)
    return bool(stored.is_measured and stored.known_heads)


def by_layer(entry: ModelEntry, role: str, *, name: str) -> list[LayerBest]:
    """The best head of every layer that has scores, on the role's side of zero.

    Args:
        entry: the model's analysis.
        role: the key of the role.
        name: the model's name.
    """
    stored = entry.role(role)
    sign = stored.role.sign or 1
    layers: dict[int, list[Head]] = {}
    for head in stored.known_heads:
        layers.setdefault(head.layer, []).append(head)
    found = []
    for heads in layers.values():
        best = max(heads, key=lambda head: sign * stored.score(head))
        has = _reaches(stored, best)
        found.append(
            LayerBest(entry.model_name, name, entry.num_layers, best, stored.score(best), has)
        )
    return found


def _reaches(stored: StoredRole, head: Head) -> bool:
    threshold = stored.category.threshold
    return threshold is not None and stored.fits(head, threshold)


def peaks(found: Sequence[LayerBest], role: Role) -> dict[str, LayerBest]:
    """{model: its best head of all layers}."""
    sign, best = role.sign or 1, {}
    for one in found:
        if one.model not in best or sign * one.score > sign * best[one.model].score:
            best[one.model] = one
    return best


def shown(role: Role, score: float) -> str:
    """A score as people read it."""
    return f"{signed(score)} logits" if role.unit == LOGITS else percent(score)


def place(one: LayerBest) -> str:
    """Where a head stands, in words."""
    if one.depth is None:
        return "in the only layer"
    layer = f"layer {one.head.layer} of {one.layers}, counted from 0"
    return f"at {percent(one.depth)} of the depth ({layer})"


def sentence(found: Sequence[LayerBest], role: Role) -> str:
    """Where the best head of each model stands; models in which none has the role are named."""
    best = peaks(found, role)
    having = [one for one in best.values() if one.reaches]
    lacking = [one.name for one in best.values() if not one.reaches]
    parts = []
    if having:
        where = listing(
            [
                f"in {one.name} {place(one)}: {one.head.label}, {shown(role, one.score)}"
                for one in having
            ]
        )
        parts.append(f"The best head of the role {role.name} stands {where}.")
    if lacking:
        parts.append(f"No head of {listing(lacking)} reaches the threshold of {role.name}.")
    depths = sorted(one.depth for one in having if one.depth is not None)
    if len(depths) > 1 and depths[-1] - depths[0] >= 0.005:
        parts.append(
            f"So the role’s best head lies anywhere from {percent(depths[0])} to "
            f"{percent(depths[-1])} of the depth in these {count(len(depths), 'model')}."
        )
    return " ".join(parts)


def records(found: Sequence[LayerBest], role: Role) -> list[dict[str, object]]:
    """One record per layer of a model, for the chart; a model of one layer stands at the left."""
    return [
        {
            "model": one.model,
            "name": one.name,
            "layer": one.head.layer,
            "head": one.head.head,
            "label": one.head.label,
            "depth": one.depth or 0.0,
            "score": one.score,
            "reaches": one.reaches,
            "shown": f"{one.name}, {shown(role, one.score)}",
        }
        for one in found
    ]


def rows(found: Sequence[LayerBest], role: Role) -> list[dict[str, object]]:
    """The same for a file."""
    return [
        {
            "model": one.model,
            "role": role.key,
            "layer": one.head.layer,
            "layers": one.layers,
            "relative_depth": one.depth,
            "label": one.head.label,
            "head": one.head.head,
            "score": one.score,
            "reaches_threshold": one.reaches,
        }
        for one in found
    ]


def about(role: Role) -> dict[str, object]:
    """What stands above a table of layers."""
    return {"role": f"{role.name}: {role.formula}", "relative_depth": "layer / (layers - 1)"}


def table(
    found: Sequence[LayerBest], role: Role, *, entries: Mapping[str, ModelEntry]
) -> tuple[list[str], list[list[str]]]:
    """Headers and a line per model: where the role peaks, and how many heads have it.

    Args:
        found: of all models.
        role: the role.
        entries: {model: analysis}.
    """
    headers = ["Model", "Layers × heads", "Best head", "Score", "Depth", "Heads with the role"]
    lines = []
    for model, best in peaks(found, role).items():
        entry = entries[model]
        total = entry.num_layers * entry.num_heads
        having = entry.heads_over(role.key)
        lines.append(
            [
                best.name,
                f"{entry.num_layers} × {entry.num_heads}",
                best.head.label,
                shown(role, best.score),
                "only layer" if best.depth is None else percent(best.depth),
                f"{having} of {total} ({percent(having / total)})",
            ]
        )
    return headers, lines
