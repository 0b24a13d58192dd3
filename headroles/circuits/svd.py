"""A head's QK and OV maps by singular values, found without forming the large matrices."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.circuits.weights import (
    HeadWeights,
)
from headroles.errors import DecompositionError, UnknownHeadError

OV, QK = "OV", "QK"


@dataclass(frozen=True, eq=False)
class Components:
    """A map of one head, split by singular values."""

    kind: str
    """``OV`` or ``QK``."""
    U: Float[Tensor, "component d_model"]
    """[component d_model] what is read: of the looked-at token (OV), of the query (QK)."""
    S: Float[Tensor, " component"]
    """[component] singular values, largest first."""
    V: Float[Tensor, "component d_model"]
    """[component d_model] what is written (OV), or read of the key (QK)."""

    @property
    def shares(self) -> Float[Tensor, " component"]:
        """[component] ``s_i^2 / sum s^2``; they sum to 1."""
        squares = self.S.square()
        return squares / squares.sum().clamp_min(torch.finfo(squares.dtype).tiny)

    def matrix(self, *, keep: slice = slice(None)) -> Float[Tensor, "d_model d_model"]:
        """[d_model d_model] the sum of some components; of all, the map itself. For small models:
        nothing but tests needs it.
        """
        return (self.U[keep] * self.S[keep, None]).T @ self.V[keep]


def thin_svd(
    left: Float[Tensor, "d_in rank"], right: Float[Tensor, "d_out rank"]
) -> tuple[
    Float[Tensor, "component d_in"], Float[Tensor, " component"], Float[Tensor, "component d_out"]
]:
    """The SVD of ``left @ right.T`` by its thin factors; rows of U and V are singular vectors.

    >>> U, S, V = thin_svd(torch.eye(3)[:, :1] * 2, torch.eye(3)[:, 1:2])
    >>> S.tolist()
    [2.0]
    """
    Q_A, R_A = torch.linalg.qr(left.double())  # [d_in r], [r rank]
    Q_B, R_B = torch.linalg.qr(right.double())
    U, S, Vh = torch.linalg.svd(R_A @ R_B.T, full_matrices=False)
    return (Q_A @ U).T.float(), S.float(), (Vh @ Q_B.T).float()


def ov_components(weights: HeadWeights, head: int) -> Components:
    """The components of ``W_V W_O`` of a head; with shared values, those of its own W_O."""
    _check_head(weights, head)
    return Components(OV, *thin_svd(weights.value_of(head), weights.W_O[head].T))


def qk_components(weights: HeadWeights, head: int) -> Components:
    """The components of ``W_Q W_K^T`` of a head, without scale and biases.

    Raises:
        DecompositionError: if queries or keys are normed between the projection and the score.
    """
    _check_head(weights, head)
    if weights.q_norm is not None or weights.k_norm is not None:
        raise DecompositionError(
            "This model norms its queries and keys after the projection, so a score is not a sum "
            "of components.",
            hint="Look at the OV components, or choose a model without such a norm.",
        )
    return Components(QK, *thin_svd(weights.W_Q[head], weights.key_of(head)))


def components(weights: HeadWeights, head: int, *, kind: str) -> Components:
    """:func:`ov_components` or :func:`qk_components`."""
    return ov_components(weights, head) if kind == OV else qk_components(weights, head)


def _check_head(weights: HeadWeights, head: int) -> None:
    if not 0 <= head < weights.num_heads:
        raise UnknownHeadError(f"H{head}")


@dataclass(frozen=True, eq=False)
class Spread:
    """Over which heads of a layer each of some directions is spread."""

    shares: Float[Tensor, "component head"]
    """[component head] p of the module's docstring; rows sum to 1."""
    entropy: Float[Tensor, " component"]
    """[component] nats, 0 (one head) to log(heads) (all alike)."""

    @property
    def effective_heads(self) -> Float[Tensor, " component"]:
        """[component] e^entropy: 1 for one head, the number of heads for an even spread."""
        return self.entropy.exp()


def spread(weights: HeadWeights, split: Components) -> Spread:
    """How much of each direction every head of the layer writes (OV) or reads in a query (QK)."""
    squares = []
    for head in range(weights.num_heads):
        if split.kind == OV:
            thin, other = (
                weights.W_O[head] @ split.V.T,
                weights.value_of(head),
            )  # [d_head component]
        else:
            thin, other = weights.W_Q[head].T @ split.U.T, weights.key_of(head)
        # |other @ thin|: through R of other's QR, which keeps lengths, and not [d_model component].
        squares.append((torch.linalg.qr(other).R @ thin).square().sum(0))
    shares = torch.stack(squares, 1)  # [component head]
    shares = shares / shares.sum(1, keepdim=True).clamp_min(torch.finfo(shares.dtype).tiny)
    return Spread(shares, entropy_of(shares))


def entropy_of(shares: Float[Tensor, "*rows head"]) -> Float[Tensor, "*rows"]:
    """Entropy of shares in nats, with 0 log 0 = 0.

    >>> entropy_of(torch.tensor([0.5, 0.5, 0.0])).item()  # log 2
    0.693...
    """
    return torch.special.entr(shares).sum(-1)
