"""Pairs of components by distance in words, rows and records. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from headroles.formatting import decimal, listing, signed
from headroles.types import Component, Head

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from headroles.circuits.component_pairs import Pair, PairProfile

BIASES, REST, SUM = "biases", "all other pairs", "sum"
"""What the lines are called that are no pair."""
UNIT = "added to the score"
ALIKE = 0.1
"""Distances are nearly alike that are apart by less than this share of the whole range."""
MOST_NAMED = 3
"""Distances that are named when several are alike."""
HOW = (
    "A **score** decides how much a token looks at another: the attention is the softmax of the "
    "scores of all tokens so far. It is the product of a *query* (what the token that looks asks "
    "for) and a *key* (what the other one offers). Both are sums of components, so a score is a "
    "sum over pairs of a query component and a key component, and the bias of either.\n\n"
    "A component reads one number of a token, its **inner activation**, and writes its own vector "
    "as many times. What a pair adds is therefore the two inner activations times a number that "
    "follows from the weights. {turns}\n\n"
    "- **Typical activations**: each component at the size that it usually has on text (the root "
    "mean square, with the sign of its mean), the same at every distance. What changes with "
    "distance is then in the weights alone.\n"
    "- **Measured**: the mean over all pairs of tokens of the text that are so far apart. The sum "
    "of everything is then the mean score of the model.\n\n"
    "Softmax compares the tokens of one row. What is added at all distances alike moves attention "
    "nowhere; look at how a line changes."
)


TURNS = "This model turns queries and keys by their position, so that number changes with distance."
STILL = (
    "This model does not turn queries and keys by their position, so that number is the same at "
    "every distance; where a token stands is in its inner activations alone. Look at “Measured”."
)


def how(found: PairProfile) -> str:
    """How it is measured, in Markdown."""
    return HOW.format(turns=TURNS if found.rotates else STILL)


def name_of(layer: int, pair: Pair) -> str:
    """A pair as it is written: ``L0Q17 × L0K3``.

    >>> name_of(0, (17, 3))
    'L0Q17 × L0K3'
    """
    return f"{Component(layer, 'q', pair[0]).label} × {Component(layer, 'k', pair[1]).label}"


def part_names(layer: int, found: PairProfile) -> list[str]:
    """[part] what the parts are called: the pairs, the biases, and all other pairs."""
    return [*(name_of(layer, pair) for pair in found.pairs), BIASES, REST]


def _together(found: PairProfile, head: int | None) -> Float[Tensor, "part offset"]:
    """[part offset] of one head, or the sum over all."""
    return found.parts.sum(1) if head is None else found.parts[:, head]


def line_records(
    layer: int, found: PairProfile, head: int | None, *, with_rest: bool = False
) -> list[dict[str, object]]:
    """Points of the lines, for one head or all together: of the strongest pairs, and if so asked of
    what is left and of the sum."""
    parts = _together(found, head)
    named = list(zip(part_names(layer, found), parts, strict=True))
    named = [*named, (SUM, parts.sum(0))] if with_rest else named[: len(found.pairs)]
    return [_point(name, offset, value) for name, offset, value in _points(named)]


def small_records(layer: int, found: PairProfile) -> list[dict[str, object]]:
    """The strongest pairs of every head, with its label."""
    return [
        {"head": Head(layer, head).label, **record}
        for head in found.heads
        for record in line_records(layer, found, head)
    ]


def _points(named: Sequence[tuple[str, Tensor]]) -> Iterator[tuple[str, int, float]]:
    for name, values in named:
        for offset, value in enumerate(values.tolist()):
            yield name, offset, value


def _point(name: str, offset: int, value: float) -> dict[str, object]:
    return {"part": name, "offset": offset, "value": round(value, 4), "shown": signed(value)}


def square_records(
    layer: int, found: PairProfile, head: int | None, *, by_head: bool = False
) -> list[dict[str, object]]:
    """Squares: a row per part, or per head for the sum of all pairs.

    Args:
        layer: the layer.
        found: the profile.
        head: whose numbers; None for all heads together. Of no account by head.
        by_head: whether a row is a head.
    """
    if by_head:
        pairs = found.total - found.biases  # [head offset]
        named = [(Head(layer, number).label, pairs[number]) for number in found.heads]
    else:
        named = list(zip(part_names(layer, found), _together(found, head), strict=True))
    most, most_left = _full_shades(found, head, by_head=by_head)
    return [
        {
            "row": name,
            "offset": offset,
            "value": value,
            "shade": abs(value) / ((most_left if name in (BIASES, REST) else most) or 1.0),
            "against": value < 0 and signed(value) != signed(0),
            "number": signed(value, digits=1),
            "shown": signed(value),
        }
        for name, offset, value in _points(named)
    ]


def _full_shades(
    found: PairProfile, head: int | None, *, by_head: bool
) -> tuple[float, float | None]:
    """What the strongest shade stands for: of the pairs or heads, and of the biases and all other
    pairs. What is left is often far larger than a pair, and must not take the shades from them."""
    if by_head:
        return float((found.total - found.biases).abs().max()), None
    parts = _together(found, head).abs()
    pairs, left = parts[: len(found.pairs)], parts[len(found.pairs) :]
    return float(pairs.max()) if len(pairs) else 0.0, float(left.max())


def shade_sentence(found: PairProfile, head: int | None, *, by_head: bool = False) -> str:
    """What the strongest shade of the squares stands for (plain text).

    Args:
        found, head, by_head: as of :func:`square_records`.
    """
    most, left = _full_shades(found, head, by_head=by_head)
    if left is None:
        return f"The strongest shade stands for {decimal(most, digits=1)}."
    return (
        f"The strongest shade stands for {decimal(most, digits=1)} in the rows of pairs, and for "
        f"{decimal(left, digits=1)} in the two below: {BIASES} and {REST} have shades of their own."
    )


def sentence(layer: int, found: PairProfile, head: int | None, *, order: str = "size") -> str:
    """What the lines show, in a sentence or two (plain text).

    Args:
        layer: the layer.
        found: the profile.
        head: whose numbers; None for all heads together.
        order: by what the pairs were chosen: one of
            :data:`headroles.circuits.component_pairs.ORDERS`.
    """
    parts = _together(found, head)
    whose = f"all heads of layer {layer} together" if head is None else Head(layer, head).label
    total = parts.sum(0) - parts[-2]  # without the biases
    if not found.pairs:
        return f"Layer {layer} has no pair of components."
    if all(_is_flat(values) for values in (*parts[: len(found.pairs)], total)):
        return (
            f"For {whose}, every pair adds the same at every distance, so none of them favours a "
            f"distance. {_lead(layer, found, parts[0], order)}"
        )
    lead = f"For {whose}, {_lower(_lead(layer, found, parts[0], order))}"
    rest = parts[-1]
    others, drawn = (decimal(_range(values), digits=1) for values in (rest, total - rest))
    number = len(found.pairs)
    those = "this pair adds" if number == 1 else f"the {number} pairs that are drawn add together"
    return (
        f"{lead} {_favoured(total)} From distance to distance, what {those} varies by {drawn}; "
        f"what all other pairs add, by {others}."
    )


def _range(values: Float[Tensor, " offset"]) -> float:
    return float(values.max() - values.min())


def _favoured(total: Float[Tensor, " offset"]) -> str:
    """The distance where all pairs together add most, or that several are alike."""
    near = (total >= total.max() - ALIKE * _range(total)).nonzero().flatten().tolist()
    if len(near) == 1:
        return f"All pairs together favour {_distance(near[0])}."
    if len(near) > MOST_NAMED:
        return f"All pairs together favour no single distance: {len(near)} are nearly alike."
    return f"All pairs together favour no single distance: {_distances(near)} are nearly alike."


def _lead(layer: int, found: PairProfile, values: Float[Tensor, " offset"], order: str) -> str:
    """What the first pair does; which one it is depends on by what the pairs were chosen."""
    name = name_of(layer, found.pairs[0])
    if _is_flat(values):
        return f"The strongest pair is {name} ({signed(float(values[0]))})."
    if order == "change":
        low, high = int(values.argmin()), int(values.argmax())
        return (
            f"The pair that changes most with distance is {name}: from {signed(float(values[low]))}"
            f" at {_distance(low)} to {signed(float(values[high]))} at {_distance(high)}."
        )
    at = int(values.abs().argmax())
    most = float(values[at])
    word = "adds" if most > 0 else "takes away"
    return f"The strongest pair is {name}: it {word} most at {_distance(at)} ({signed(most)})."


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _is_flat(values: Float[Tensor, " offset"]) -> bool:
    """Whether a line shows the same number at every distance."""
    return signed(float(values.min())) == signed(float(values.max()))


def _distance(offset: int) -> str:
    return {0: "the token itself", 1: "the token before"}.get(offset, f"{offset} tokens back")


def _distances(offsets: Sequence[int]) -> str:
    """Several distances, in order.

    >>> _distances([0, 1]), _distances([1, 2, 3])
    ('the token itself and the token before', 'the token before, 2 and 3 tokens back')
    """
    far = " tokens back" if offsets[-1] > 1 else ""
    return listing([_distance(n) if n < 2 else str(n) for n in offsets]) + far


def table_rows(
    layer: int, found: PairProfile, head: int | None, remarks: dict[str, str]
) -> tuple[list[str], list[list[str]]]:
    """The table twin: headers and rows.

    Args:
        layer: the layer.
        found: the profile.
        head: whose numbers; None for all heads together.
        remarks: {label of a component: why it is not to be interpreted}.
    """
    parts = _together(found, head)
    offsets = range(min(9, parts.shape[1]))
    headers = ["Part", *(f"−{offset}" if offset else "0" for offset in offsets), "Strongest head"]
    rows = []
    names = [*part_names(layer, found), SUM]
    for place, name in enumerate(names):
        values = parts[place] if place < len(parts) else parts.sum(0)
        by_head = found.parts[place] if place < len(parts) else found.total
        best = int(by_head.abs().amax(1).argmax())
        said = listing([f"{c}: {remarks[c]}" for c in name.split(" × ") if c in remarks])
        rows.append(
            [
                f"{name} ({said})" if said else name,
                *(signed(float(values[offset])) for offset in offsets),
                Head(layer, best).label,
            ]
        )
    return headers, rows


def remarked(pairs: Sequence[Pair], layer: int, remarks: dict[str, str]) -> str:
    """What is said about components among the pairs that are not to be interpreted; "" for none."""
    used: Collection[str] = {
        label
        for query, key in pairs
        for label in (Component(layer, "q", query).label, Component(layer, "k", key).label)
    }
    named = [label for label in remarks if label in used]
    if not named:
        return ""
    return (
        f"{listing(named)}: the direction is arbitrary, because another component is as large. "
        "Do not interpret single ones."
    )


def export_rows(layer: int, found: PairProfile) -> list[dict[str, object]]:
    """One row per part, head and distance; those of a head and distance add up to the whole."""
    names = part_names(layer, found)
    return [
        {
            "part": name,
            "query_component": found.pairs[place][0] if place < len(found.pairs) else None,
            "key_component": found.pairs[place][1] if place < len(found.pairs) else None,
            "layer": layer,
            "head": head,
            "tokens_back": offset,
            "added_to_score": value,
        }
        for place, name in enumerate(names)
        for head in found.heads
        for offset, value in enumerate(found.parts[place, head].tolist())
    ]
