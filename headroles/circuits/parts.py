"""The parts that a model's weights fall into, and the two tests that tell what a module is.

A module is taken for a product with a matrix, or for a norm, only if computing it again gives what
it gave in the pass (:mod:`headroles.circuits.tracing`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from headroles.circuits.tracing import Call, same, unreadable
from headroles.errors import UnsupportedModelError
from headroles.models import LoadedModel

Features = Int[Tensor, "head d_head"]
"""[head d_head] which output features of a linear module belong to each head."""


@dataclass(frozen=True, eq=False)
class Norm:
    """A layer norm, ready to be applied or folded into the weights after it."""

    kind: str
    """``LayerNorm``, ``RMSNorm``, or ``none`` where there is nothing."""
    weight: Float[Tensor, " d_model"]
    """[d_model] the gain; Gemma's ``1 + weight`` is already summed here."""
    bias: Float[Tensor, " d_model"]
    """[d_model] added after the gain; zeros where there is none."""
    eps: float
    """Added to the variance or mean square under the root."""

    def normalise(self, x: Float[Tensor, "... d_model"]) -> Float[Tensor, "... d_model"]:
        """Centre (LayerNorm) and scale to unit size, without gain and bias."""
        if self.kind == "none":
            return x
        if self.kind == "LayerNorm":
            x = x - x.mean(-1, keepdim=True)
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps)

    def fold(self, x: Float[Tensor, "... d_model"]) -> Float[Tensor, "... d_model"]:
        """Centring and gain alone: what the norm makes of a part of its input, up to its scale."""
        return (x - x.mean(-1, keepdim=True) if self.kind == "LayerNorm" else x) * self.weight

    def apply(self, x: Float[Tensor, "... d_model"]) -> Float[Tensor, "... d_model"]:
        """The norm as the model applies it."""
        return self.normalise(x) * self.weight + self.bias


@dataclass(frozen=True)
class Layout:
    """How a model is put together, as the pass showed."""

    positions: str
    """How a head learns where tokens are: ``learned``, ``rotary``, ``bias`` (ALiBi) or ``none``."""
    order: str
    """``pre-norm``, or ``post-norm`` where a layer's attention reads the bare residual stream."""
    parallel: bool
    """Whether attention and MLP read the same residual stream (GPT-NeoX, Phi)."""
    output_normed: bool
    """Whether a head's output is normed again before it is added (Gemma 2 and 3, OLMo 2)."""
    qk_normed: bool
    """Whether queries and keys are normed before the score."""
    score_cap: float | None
    """Scores are squashed to within plus/minus this many units (Gemma 2), or None."""
    logit_cap: float | None
    """Logits are squashed to within plus/minus this many units, or None."""


@dataclass(frozen=True, eq=False)
class Rotation:
    """Rotary position embedding (Su et al. 2021) of one layer, as measured."""

    first: Int[Tensor, " pair"]
    """[pair] the first feature of each pair that turns together."""
    second: Int[Tensor, " pair"]
    """[pair] the second feature of each pair."""
    angles: Float[Tensor, " pair"]
    """[pair] radians that one position turns the pair by."""

    def apply(self, x: Float[Tensor, "... d_head"], position: int) -> Float[Tensor, "... d_head"]:
        """Queries or keys turned to where they stand at a position."""
        turn = torch.polar(torch.ones_like(self.angles), self.angles * position)
        turned = torch.complex(x[..., self.first], x[..., self.second]) * turn
        x = x.clone()
        x[..., self.first], x[..., self.second] = turned.real, turned.imag
        return x


@dataclass(frozen=True, eq=False)
class Projection:
    """A linear module and the output features that belong to each head."""

    module: nn.Module
    features: Features
    norm: Norm | None = None
    factor: float = 1.0
    """What its output is multiplied with before the score (OPT scales its queries first)."""


@dataclass(frozen=True, eq=False)
class Writing:
    """From what a layer's output projection gives to what the end of the stream holds of it."""

    factor: Float[Tensor, " d_model"] | float
    """What it is multiplied with: one number, or one for each component."""
    norm: Norm | None
    """The norm that reads the attention's output alone, or None."""
    norm_module: nn.Module | None = None
    """The module of that norm."""
    carried_in: Float[Tensor, " d_model"] | float = 1.0
    """What the stream before the layer is multiplied with on its way to the end."""
    carried: Float[Tensor, " d_model"] | float = 1.0
    """The same of the stream behind the layer."""

    def apply(self, written: Float[Tensor, "... d_model"]) -> Float[Tensor, "... d_model"]:
        """What arrives of something written, the division by the norm's scale left out."""
        if self.norm is not None:
            written = self.norm.fold(written)
        plain = isinstance(self.factor, float) and self.factor == 1
        return written if plain else written * self.factor


@dataclass(frozen=True, eq=False)
class Mlp:
    """What a layer adds to the stream besides its attention."""

    module: nn.Module | None
    """The module whose result it is; None where no module's alone is, or nothing is added."""
    factor: Float[Tensor, " d_model"] | float
    """What the end of the stream holds of that result; 0 where nothing is added."""

    @property
    def is_rest(self) -> bool:
        """Whether something is added that no single module gives."""
        nothing = isinstance(self.factor, float) and self.factor == 0
        return self.module is None and not nothing


@dataclass(frozen=True, eq=False)
class Layer:
    """What the pass showed of one attention layer."""

    query: Projection
    key: Projection
    value: Projection
    output: nn.Module
    kv_of: tuple[int, ...]
    norm: Norm
    scale: float
    q_norm: Norm | None
    k_norm: Norm | None
    rotation: Rotation | None
    slopes: Float[Tensor, " head"] | None
    cap: float | None
    output_normed: bool
    parallel: bool


@dataclass(frozen=True, eq=False)
class Embedding:
    """How a row of the table of tokens becomes what the first layer finds."""

    scale: float
    norm: Norm | None
    project: nn.Module | None
    positions: Float[Tensor, "pos d_model"] | None

    def apply(self, table: Float[Tensor, "... width"]) -> Float[Tensor, "... d_model"]:
        """Rows of the table as the first layer finds them, positions left out."""
        if self.scale != 1:
            table = table * self.scale
        if self.project is not None:
            table = table @ matrix_of(self.project)[0]
        return table if self.norm is None else self.norm.apply(table)


@dataclass(frozen=True, eq=False)
class Parts:
    """What the pass showed of a whole model."""

    layers: tuple[Layer, ...]
    writings: tuple[Writing, ...] | str
    """[layer] what the end of the residual stream holds of it, or why that cannot be told."""
    mlps: tuple[Mlp, ...]
    """[layer] what adds the rest of each layer; empty where ``writings`` cannot be told."""
    embedding: Embedding
    final_norm: Norm
    project_out: nn.Module | None
    logit_scale: float
    layout: Layout


def no_layout(loaded: LoadedModel, what: str) -> UnsupportedModelError:
    """The error for a model that no layout explains."""
    return unreadable(loaded, f"no known layout of its weights gives its own {what}.")


def matrix_of(module: nn.Module) -> tuple[Float[Tensor, "given result"], Tensor | None]:
    """A linear module's matrix for row vectors, and its bias.

    A ``Linear`` keeps [result given]; GPT-2's ``Conv1D`` (it has ``nf``) keeps [given result].
    """
    weight = module.weight.detach()
    bias = getattr(module, "bias", None)
    matrix = weight if hasattr(module, "nf") else weight.T
    return matrix, None if bias is None else bias.detach()


def columns_of(projection: Projection) -> tuple[Tensor, Tensor]:
    """A projection's matrix [head d_model d_head] and bias [head d_head]."""
    matrix, bias = matrix_of(projection.module)
    features = projection.features
    first, count = int(features[0, 0]), features.numel()
    if torch.equal(features.flatten(), torch.arange(first, first + count)):
        part = matrix[:, first : first + count].unflatten(1, features.shape)  # a view
    else:
        part = matrix[:, features]
    biases = torch.zeros(features.shape) if bias is None else bias[features]
    return part.movedim(1, 0), biases


def linear_calls(calls: tuple[Call, ...]) -> Iterator[Call]:
    """The calls that are one product with a matrix: checked by computing it again."""
    for call in calls:
        weight = getattr(call.module, "weight", None)
        if not isinstance(weight, Tensor) or weight.ndim != 2 or not call.given.is_floating_point():
            continue
        matrix, bias = matrix_of(call.module)
        if call.given.shape[-1] != matrix.shape[0] or call.result.shape[-1] != matrix.shape[1]:
            continue
        again = call.given @ matrix + (0 if bias is None else bias)
        if same(again.reshape(call.result.shape), call.result):
            yield call


def norm_heads(
    norm: Norm | None, x: Float[Tensor, "... head d_head"]
) -> Float[Tensor, "... head d_head"]:
    """Apply a query or key norm: of each head alone, or of all heads together (OLMo 2)."""
    if norm is None:
        return x
    if norm.weight.numel() == x.shape[-1]:
        return norm.apply(x)
    return norm.apply(x.flatten(-2)).unflatten(-1, x.shape[-2:])


def as_norm(call: Call) -> Norm | None:
    """A module as a norm, if it computes one: checked by computing it again."""
    width = call.given.shape[-1]
    weight = getattr(call.module, "weight", None)
    bias = getattr(call.module, "bias", None)
    eps = getattr(call.module, "eps", getattr(call.module, "variance_epsilon", None))
    if eps is None or not call.given.is_floating_point():
        return None
    gain = torch.ones(width) if weight is None else weight.detach()
    offset = torch.zeros(width) if bias is None else bias.detach()
    if gain.shape != (width,):
        return None
    for kind in ("LayerNorm", "RMSNorm"):
        norm = Norm(kind, gain, offset, float(eps))
        for option in (norm, replace(norm, weight=1 + gain)):
            if same(option.apply(call.given.float()), call.result.float()):
                return option
    return None


def no_norm(width: int) -> Norm:
    """What stands where a model has no norm."""
    return Norm("none", torch.ones(width), torch.zeros(width), 0.0)
