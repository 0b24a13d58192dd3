"""How often components are alive on the same tokens: counts, and two measures of the coupling.

Of n tokens, with n_c and n_d those on which c and d are alive and n_cd those on which both are,

    phi        (n n_cd - n_c n_d) / sqrt(n_c (n - n_c) n_d (n - n_d))    -1 ... 1
    Jaccard    n_cd / (n_c + n_d - n_cd)                                  0 ... 1

phi is the correlation of two numbers that are 0 or 1: 0 where the two are alive independently. It
says nothing of a component that is alive on no token or on all, and is 0 there; the Jaccard index
is the tokens of both out of the tokens of either, 0 where there are none.

>>> found = co_activation(torch.tensor([[1], [1], [0]]) > 0, torch.tensor([[1], [0], [0]]) > 0)
>>> found.both.item(), found.phi.item(), found.jaccard.item()
(1, 0.5, 0.5)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True, eq=False)
class CoActivation:
    """How two sets of components are alive on the same tokens."""

    both: Int[Tensor, "first second"]
    """[first second] tokens on which both are alive."""
    first: Int[Tensor, " first"]
    """[first] tokens on which each of the one set is."""
    second: Int[Tensor, " second"]
    """[second] the same of the other set."""
    tokens: int
    """All tokens."""

    @property
    def phi(self) -> Float[Tensor, "first second"]:
        """[first second] correlation, -1..1; 0 where one of them never changes."""
        n, first, second = self.tokens, self.first[:, None].double(), self.second[None].double()
        spread = (first * (n - first) * second * (n - second)).sqrt()
        phi = (n * self.both.double() - first * second) / spread
        return torch.where(spread > 0, phi, 0.0).float()

    @property
    def jaccard(self) -> Float[Tensor, "first second"]:
        """[first second] tokens of both out of those of either, 0..1."""
        either = self.first[:, None] + self.second[None] - self.both
        return self.both / either.clamp_min(1)

    def coupled(self, most: int) -> tuple[list[int], list[int]]:
        """The components of either set that take part in the closest couples by phi, in the order
        of those; at most so many of each."""
        order = self.phi.flatten().argsort(descending=True, stable=True).tolist()
        firsts: dict[int, None] = {}
        seconds: dict[int, None] = {}
        for place in order:
            one, other = divmod(place, self.both.shape[1])
            if not self.both[one, other]:
                continue
            if len(firsts) < most:
                firsts[one] = None
            if len(seconds) < most:
                seconds[other] = None
            if len(firsts) == len(seconds) == most:
                break
        return list(firsts), list(seconds)


def co_activation(
    first: Bool[Tensor, "token first"], second: Bool[Tensor, "token second"]
) -> CoActivation:
    """Count on which tokens two sets of components are alive.

    Args:
        first: whether each of the one set is alive on a token.
        second: the same of the other set, on the same tokens.
    """
    one, other = first.double(), second.double()
    return CoActivation(
        (one.T @ other).round().long(), first.sum(0), second.sum(0), tokens=len(first)
    )
