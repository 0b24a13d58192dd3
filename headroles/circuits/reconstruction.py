"""A matrix of the model beside the sum of its components, small enough to be drawn.

A matrix of 576 x 576 numbers has more squares than a picture can show. It is cut into square blocks
and each block is its root mean square, ``sqrt(mean of squares)``: no number is left out, and the
squares of all blocks, weighted by their size, still sum to those of the matrix. The difference is
taken before that. What is lost is the sign, so blocks have one only where they are single numbers.

>>> blocks(torch.tensor([[3.0, 4.0], [0.0, 0.0]]), 2)
tensor([[2.5000]])
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from headroles.circuits.component_sets import Kind, factors_at
from headroles.circuits.trained_components import Place, projection, relative_error
from headroles.circuits.weights import layer_weights
from headroles.models import LoadedModel

MOST = 40
"""Most squares on a side of a picture."""


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """A matrix for row vectors, the sum of its components, and their difference."""

    target: Float[Tensor, "row column"]
    """[row column] the model's own matrix in blocks: rows read, columns are written."""
    total: Float[Tensor, "row column"]
    """[row column] the sum of its components in the same blocks."""
    difference: Float[Tensor, "row column"]
    """[row column] sum - matrix, taken before it is cut into blocks."""
    side: int
    """Numbers on a side of a block; with 1 they keep their signs."""
    shape: tuple[int, int]
    """Of the whole matrix."""
    heads: int
    """Heads side by side: of the columns, or of the rows of an output matrix."""
    components: int
    """How many there are."""
    error: float
    """|sum - matrix| / |matrix|."""
    by_head: tuple[tuple[float, float], ...]
    """[head] |matrix| and |sum - matrix| of each head's part."""


def reconstruction(loaded: LoadedModel, kind: Kind, place: Place) -> Reconstruction:
    """A matrix of the model beside the sum of its components.

    Raises:
        DecompositionError: if there are no components of this kind.
    """
    weights = layer_weights(loaded, place[0])
    by_head = {"q": weights.W_Q, "k": weights.W_K, "v": weights.W_V, "o": weights.W_O}[place[1]]
    factors, W = factors_at(loaded, kind, place), projection(weights, place[1])
    side = block_side(W.shape, by_head.shape[1 if place[1] == "o" else 2])
    total = factors.matrix()
    return Reconstruction(
        blocks(W, side),
        blocks(total, side),
        blocks(total - W, side),
        side,
        tuple(W.shape),
        len(by_head),
        len(factors.U),
        relative_error(factors, W),
        tuple(zip(*(_norms(part, len(by_head), place) for part in (W, total - W)), strict=True)),
    )


def _norms(matrix: Float[Tensor, "d_in d_out"], heads: int, place: Place) -> list[float]:
    """[head] Frobenius norms of the parts of a matrix."""
    by_head = matrix.unflatten(0 if place[1] == "o" else 1, (heads, -1))
    return by_head.square().sum((1, 2) if place[1] == "o" else (0, 2)).sqrt().tolist()


def error_of(loaded: LoadedModel, kind: Kind, place: Place) -> tuple[int, float]:
    """How many components a matrix has, and |sum - matrix| / |matrix|.

    Raises:
        DecompositionError: if there are no components of this kind.
    """
    factors = factors_at(loaded, kind, place)
    W = projection(layer_weights(loaded, place[0]), place[1])
    return len(factors.U), relative_error(factors, W)


def block_side(shape: tuple[int, ...], d_head: int) -> int:
    """The smallest block that fits into :data:`MOST` squares on a side; a divisor of a head's
    features where one is large enough, so that no block lies in two heads.

    >>> block_side((128, 128), 16), block_side((576, 192), 64), block_side((30, 30), 10)
    (4, 16, 1)
    """
    least = -(-max(shape) // MOST)
    whole = [side for side in range(least, d_head + 1) if d_head % side == 0]
    return whole[0] if whole else least


def blocks(matrix: Float[Tensor, "row column"], side: int) -> Float[Tensor, "rows columns"]:
    """Root mean squares of square blocks; the numbers themselves where a block is one number.

    Blocks at the lower and right edges may be smaller.
    """
    if side == 1:
        return matrix.clone()
    rows, columns = matrix.shape
    room = (0, -columns % side, 0, -rows % side)
    squares = functional.pad(matrix.square(), room)
    count = functional.pad(torch.ones_like(matrix), room)
    sums = [
        part.unflatten(0, (-1, side)).unflatten(2, (-1, side)).sum((1, 3))
        for part in (squares, count)
    ]
    return (sums[0] / sums[1]).sqrt()
