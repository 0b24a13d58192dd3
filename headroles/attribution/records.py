"""What a logit is made of, as records.

With the scale of the final norm frozen, a logit is linear in the end of the residual stream, and
that is a sum: the embedding, what every head, MLP and bias wrote. So each has its share of the
logit, and the shares add up to it (direct logit attribution; Elhage et al. 2021, "A Mathematical
Framework for Transformer Circuits").
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class Target:
    """The token whose logit is taken apart, or two whose difference is."""

    token_id: int
    """The token's id."""
    text: str
    """The token as text, its leading space included."""
    against_id: int | None = None
    """The id of the token that is subtracted; None for the logit of one token."""
    against: str = ""
    """That token as text."""
    named: bool = True
    """True if someone named the token; False for the model's own guess."""
    part_of: str = ""
    """The whole of what was named, where the token is only its beginning."""
    against_part_of: str = ""
    """The same of the token that is subtracted."""


@dataclass(frozen=True, eq=False)
class Contributions:
    """What the parts of a model added to a target at one position, in logits."""

    target: Target
    """What they are contributions to."""
    position: int
    """The position whose next token is predicted."""
    heads: Float[Tensor, "layer head"]
    """[layer head] what each head wrote."""
    by_key: Float[Tensor, "layer head key"]
    """[layer head key] the same by the token that it was read from, keys from 0 to the position;
    sums to ``heads``. Zero where the output was ``replaced``: it was read from no token."""
    attention: Float[Tensor, "layer head key"]
    """[layer head key] how much each head looked at each token from the position."""
    attention_biases: Float[Tensor, " layer"]
    """[layer] the biases of the output projections (and of a norm behind one), which belong to no
    head."""
    mlps: Float[Tensor, " layer"]
    """[layer] what each MLP wrote, its bias included."""
    embedding: float
    """The token at the position itself."""
    positions: float
    """Its learned position; 0 where a model has none."""
    final_bias: float
    """The bias of the final norm and of the unembedding."""
    logit: float
    """The target in the model's own pass, before any soft cap."""
    replaced: Bool[Tensor, "layer head"]
    """[layer head] whether an edit of head outputs changed it (not of its attention)."""
    remainders: tuple[int, ...] = ()
    """Layers in whose ``mlps`` stands what is left of the layer's change after its attention: no
    single module gives it, so there the sum proves less."""
    cap: float | None = None
    """What the model squashes its logits with afterwards (Gemma 2), in logits; else None."""

    @property
    def total(self) -> float:
        """The sum of all parts."""
        parts = (self.heads, self.attention_biases, self.mlps)
        return (
            sum(float(part.double().sum()) for part in parts)
            + self.embedding
            + self.positions
            + self.final_bias
        )

    @property
    def error(self) -> float:
        """By how much the sum misses the logit."""
        return abs(self.total - self.logit)

    @property
    def size(self) -> float:
        """The largest part, or the logit if that is larger: what an error is small beside."""
        parts = (self.heads, self.attention_biases, self.mlps)
        single = (self.embedding, self.positions, self.final_bias, self.logit, 1.0)
        return max(*(float(part.abs().max()) for part in parts), *map(abs, single))


@dataclass(frozen=True, eq=False)
class Chance:
    """The same heads' contributions to the same target on prompts where it is not the answer."""

    mean: Float[Tensor, "layer head"]
    """[layer head] logits, the mean over the prompts."""
    spread: Float[Tensor, "layer head"]
    """[layer head] logits, the standard deviation over the prompts."""
    n: int
    """Count of prompts."""
    what: str
    """What these prompts are, in a sentence."""
