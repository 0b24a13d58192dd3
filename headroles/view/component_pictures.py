"""Components in pictures, their words, rows and records: alive together, importance by activation,
and a matrix beside the sum of its components. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headroles.formatting import count, decimal, percent, small, told_apart
from headroles.types import Component

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from headroles.ablation.outcomes import Comparison
    from headroles.circuits.co_activation import CoActivation
    from headroles.circuits.reconstruction import Reconstruction

MATRICES = {"q": "query", "k": "key", "v": "value", "o": "output"}
"""{matrix: its name in a sentence}."""
PHI, JACCARD, COUNTS = "phi", "jaccard", "counts"
MEASURES = {PHI: "Phi coefficient", JACCARD: "Jaccard index", COUNTS: "Tokens of both"}
"""{measure: what the reader sees}."""
EXACT_BELOW = 1e-4
"""A sum that misses less than this share of a matrix is the matrix, up to rounding."""
MOST_COUPLED = 20
"""Components of either kind on the map."""
MOST_POINTS, SMALL_POINTS = 400, 80
"""Tokens of a scatter, and of each of a grid of them: a browser draws every one as a shape."""

ROUNDING = 1e-6
"""Nats; a difference below this is rounding."""

# ------------------------------------------------------------------ alive together


def measure_of(found: CoActivation, measure: str) -> Float[Tensor, "key value"]:
    """[key value] the numbers of a map."""
    made = {PHI: found.phi, JACCARD: found.jaccard, COUNTS: found.both.float()}
    return made[measure]


def couple_records(found: CoActivation, layer: int, measure: str) -> list[dict[str, object]]:
    """Squares of the most coupled key and value components; none where no two ever meet."""
    keys, values = found.coupled(MOST_COUPLED)
    numbers = measure_of(found, measure)
    most = max((abs(float(numbers[k, v])) for k in keys for v in values), default=0.0) or 1.0
    digits = 0 if measure == COUNTS else 1
    return [
        {
            "key": Component(layer, "k", k).label,
            "value_component": Component(layer, "v", v).label,
            "value": float(numbers[k, v]),
            "shade": abs(float(numbers[k, v])) / most,
            "against": float(numbers[k, v]) < 0,
            "number": decimal(float(numbers[k, v]), digits=digits),
            "shown": decimal(float(numbers[k, v]), digits=0 if measure == COUNTS else 2),
        }
        for k in keys
        for v in values
    ]


def couples(found: CoActivation, most: int | None = None) -> list[tuple[int, int]]:
    """Key and value components that are alive together at least once, the largest phi first."""
    phi = found.phi
    meeting = [tuple(place) for place in found.both.nonzero().tolist()]
    return sorted(meeting, key=lambda pair: -float(phi[pair]))[:most]


def couple_table(found: CoActivation, layer: int) -> tuple[list[str], list[list[str]]]:
    """The table twin: the closest couples."""
    headers = [
        "Key component", "Value component", "Phi", "Jaccard", "Both alive", "Key alive",
        "Value alive",
    ]  # fmt: skip
    phi, jaccard = found.phi, found.jaccard
    rows = [
        [
            Component(layer, "k", k).label,
            Component(layer, "v", v).label,
            decimal(float(phi[k, v])),
            decimal(float(jaccard[k, v])),
            *(f"{int(n):,}" for n in (found.both[k, v], found.first[k], found.second[v])),
        ]
        for k, v in couples(found, MOST_COUPLED)
    ]
    return headers, rows


def couple_sentence(found: CoActivation, layer: int) -> str:
    """What the map shows (plain text)."""
    best = couples(found, 1)
    keys, values = int((found.first > 0).sum()), int((found.second > 0).sum())
    if not best:
        return (
            f"On {count(found.tokens, 'token')} of text, no key component and value component of "
            f"layer {layer} are alive together."
        )
    k, v = best[0]
    both, phi = int(found.both[k, v]), float(found.phi[k, v])
    either = int(found.first[k] + found.second[v]) - both
    names = Component(layer, "k", k).label, Component(layer, "v", v).label
    return (
        f"{names[0]} and {names[1]} go together most closely: on {both:,} of the {either:,} tokens "
        f"where either is alive, both are (phi {decimal(phi)}). On {count(found.tokens, 'token')} "
        f"of text, {keys} key components and {values} value components of layer {layer} were alive "
        "at all."
    )


def couple_rows(found: CoActivation, layer: int) -> list[dict[str, object]]:
    """All couples that are alive together at least once."""
    phi, jaccard = found.phi, found.jaccard
    return [
        {
            "key_component": Component(layer, "k", k).label,
            "value_component": Component(layer, "v", v).label,
            "phi": float(phi[k, v]),
            "jaccard": float(jaccard[k, v]),
            "both_alive": int(found.both[k, v]),
            "key_alive": int(found.first[k]),
            "value_alive": int(found.second[v]),
            "tokens": found.tokens,
        }
        for k, v in couples(found)
    ]


# ------------------------------------------------------------------ importance by activation


def most_alive(
    importances: Float[Tensor, "token component"], alive: float, most: int
) -> list[tuple[int, float]]:
    """(component, share of tokens on which it is alive), the most often alive first; those that
    are never alive are left out."""
    shares = (importances > alive).double().mean(0)
    order = shares.argsort(descending=True, stable=True).tolist()
    return [(number, float(shares[number])) for number in order if shares[number] > 0][:most]


def scatter_records(
    activations: Float[Tensor, " token"],
    importances: Float[Tensor, " token"],
    tokens: Sequence[str],
    most: int = MOST_POINTS,
) -> list[dict[str, object]]:
    """A point per token, in the order of the text; of more than ``most``, so many that lie evenly
    over all of them, sorted by inner activation: the lowest, the highest, and as large a share of
    every stretch between."""
    order = activations.argsort(stable=True)
    if len(order) > most:
        order = order[[round(n * (len(order) - 1) / (most - 1)) for n in range(most)]]
    return [
        {
            "activation": round(float(activations[place]), 3),
            "importance": round(float(importances[place]), 3),
            "token": tokens[place],
            "where": f"token {place + 1:,} of the text",
        }
        for place in sorted(order.tolist())
    ]


def points_sentence(tokens: int, most: int) -> str:
    """How many of the tokens are drawn (plain text).

    >>> points_sentence(1674, 80)
    'Of 1,674 tokens of text 80 are drawn, evenly from the lowest inner activation to the highest.'
    """
    if tokens <= most:
        return f"All {count(tokens, 'token')} of text are drawn."
    return (
        f"Of {tokens:,} tokens of text {most:,} are drawn, evenly from the lowest inner activation "
        "to the highest."
    )


def scatter_sentence(
    label: str,
    activations: Float[Tensor, " token"],
    importances: Float[Tensor, " token"],
    alive: float,
) -> str:
    """When a component is alive, by its inner activation (plain text)."""
    on = importances > alive
    share = float(on.double().mean())
    if not on.any():
        return f"{label} is alive on no token of this text."
    low, high = float(activations[on].min()), float(activations[on].max())
    up, down = float((activations[on] > 0).double().mean()), float((activations[on] < 0).sum())
    reach = f"({decimal(low)} to {decimal(high)})"
    side = (
        f"always with a positive inner activation {reach}" if not down
        else f"always with a negative inner activation {reach}" if up == 0
        else f"with inner activations on either side of zero {reach}, {percent(up)} of them above"
    )  # fmt: skip
    return f"{label} is alive on {percent(share)} of the tokens of text, {side}."


# ------------------------------------------------------------------ a matrix and its components


def matrix_records(
    blocks: Float[Tensor, "row column"], most: float, *, is_rms: bool
) -> list[dict[str, object]]:
    """Squares of one matrix; ``most`` is what the strongest shade of all three stands for."""
    return [
        {
            "row": row,
            "bottom": row + 1,
            "column": column,
            "right": column + 1,
            "value": value,
            "shade": min(1.0, abs(value) / (most or 1.0)),
            "against": value < 0,
            "shown": small(value) if is_rms else f"{_sign(value)}{small(abs(value))}",
        }
        for row, values in enumerate(blocks.tolist())
        for column, value in enumerate(values)
    ]


def _sign(value: float) -> str:
    return "+" if value > 0 else "−" if value < 0 else ""


def head_edges(found: Reconstruction, *, across: bool) -> list[float]:
    """Where the heads of a matrix part, in blocks."""
    whole = found.shape[1 if across else 0] / found.side
    return [whole * number / found.heads for number in range(1, found.heads)]


def block_sentence(found: Reconstruction) -> str:
    """What one square of the picture is (plain text)."""
    rows, columns = found.shape
    if found.side == 1:
        return f"Each square is one of the {rows} × {columns} numbers; orange is below zero."
    return (
        f"The matrix has {rows} × {columns} numbers, too many to draw. Each square is the root "
        f"mean square of {found.side} × {found.side} of them: how large they are, without their "
        "signs."
    )


def is_exact(found: Reconstruction) -> bool:
    """Whether the sum is the matrix, up to rounding."""
    return found.error < EXACT_BELOW


def reconstruction_sentence(found: Reconstruction, matrix: str, layer: int) -> str:
    """How near the sum is (plain text)."""
    what = f"the {MATRICES[matrix]} matrix of layer {layer}"
    if is_exact(found):
        return f"The sum of the {found.components} components is {what}, but for rounding."
    return (
        f"The sum of the {found.components} components misses {error_words(found.error)} of {what}."
    )


def shade_sentence(blocks: Float[Tensor, "row column"], most: float, *, is_rounding: bool) -> str:
    """What the shades of a picture of a matrix stand for (plain text).

    Args:
        blocks: the squares.
        most: what the strongest shade stands for.
        is_rounding: whether it is the difference of a sum that is exact.
    """
    largest = float(blocks.abs().max())
    if is_rounding:
        return f"nothing but rounding: the largest square is {small(largest)}"
    return f"strongest shade: {small(most)}; largest square: {small(largest)}"


def error_words(error: float) -> str:
    """A relative error as a share.

    >>> error_words(0.0213), error_words(3e-7)
    ('2.1%', 'nothing but rounding')
    """
    if error < EXACT_BELOW:
        return "nothing but rounding"
    return f"{100 * error:.1f}%" if error >= 1e-3 else f"{100 * error:.2f}%"


def head_rows(found: Reconstruction, matrix: str) -> tuple[list[str], list[list[str]]]:
    """The table twin of the three pictures, head by head: headers and rows."""
    heads = "Key/value head" if matrix in "kv" else "Head"
    rows = [
        [f"H{number}", decimal(size), decimal(missing, digits=4), error_words(missing / size)]
        for number, (size, missing) in enumerate(found.by_head)
        if size
    ]
    return [heads, "Size of the matrix", "Size of the difference", "Missing"], rows


def head_exports(found: Reconstruction) -> list[dict[str, object]]:
    """The same as rows of a file."""
    return [
        {
            "head": number,
            "size": size,
            "difference": missing,
            "relative_error": missing / size if size else None,
        }
        for number, (size, missing) in enumerate(found.by_head)
    ]


def prompt_sentence(found: Comparison) -> str:
    """The model with all components beside the model, on the prompt (plain text)."""
    guess = "the same first guess" if found.rank == 1 else f"that guess on rank {found.rank}"
    now, before = told_apart(found.probability, found.probability_before)
    if found.kl < ROUNDING and found.rank == 1 and now == before:
        return (
            "On your prompt, the model computed from all components says the same as the model: "
            f"its first guess has {percent(found.probability)} in both."
        )
    with_now = (
        f"{percent(found.probability)} as before" if now == before else f"{now} instead of {before}"
    )
    return (
        "On your prompt, the model computed from all components differs from the model by "
        f"{small(found.kl)} nats (KL divergence of the next token; 0 is no difference). It has "
        f"{guess}, with {with_now}."
    )


EXACT = (
    "SVD components sum to the matrix, so the model with all of them is the model itself: on no "
    "prompt is there a difference to measure."
)
"""What stands in place of :func:`prompt_sentence` for components of the SVD."""


def lines_sentence(heads: int, matrix: str) -> str:
    """What the thin lines are (plain text); "" where there are none."""
    what = "key/value head" if matrix in "kv" else "head"
    return "" if heads < 2 else f" Thin lines part the {count(heads, what)}."


def error_rows(
    errors: Sequence[tuple[tuple[int, str], int, float]],
) -> tuple[list[str], list[list[str]]]:
    """Headers and rows of the table of all matrices: (place, components, error)."""
    rows = [
        [f"{MATRICES[matrix]}, layer {layer}", str(components), error_words(error)]
        for (layer, matrix), components, error in errors
    ]
    return ["Matrix", "Components", "Missing"], rows


def error_exports(
    errors: Sequence[tuple[tuple[int, str], int, float]],
) -> list[dict[str, object]]:
    """The same as rows of a file."""
    return [
        {"layer": layer, "matrix": matrix, "components": components, "relative_error": error}
        for (layer, matrix), components, error in errors
    ]
