"""A model's weights as the circuits papers write them: W_E, W_Q, W_K, W_V, W_O and W_U by head.

Row vectors throughout: ``q = x @ W_Q[h] + b_Q[h]``, where ``x`` is the residual stream after the
layer's norm, and ``score = scale * q @ k``. Families store these numbers differently (GPT-2 fuses
all three side by side, GPT-NeoX and BLOOM interleave them head by head, Llama keeps them apart and
lets query heads share a key). Which layout a model has is found by trying: the one that reproduces
the query, key and value tensors of the model's own pass over a few tokens
(:mod:`headroles.circuits.tracing`) is taken, and a model for which none does is refused. Rotary
embeddings do nothing at position 0, so queries and keys are compared there.

Notation: Elhage et al. 2021, "A Mathematical Framework for Transformer Circuits".

>>> weights = layer_weights(load_model("demo"), 0)  # doctest: +SKIP
>>> weights.W_Q.shape  # doctest: +SKIP
torch.Size([8, 128, 16])
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from headroles.circuits.tracing import LENGTH, AttentionTrace, Call, Trace, same, trace_model
from headroles.errors import UnsupportedModelError
from headroles.models import LoadedModel

Features = Int[Tensor, "head d_head"]


@dataclass(frozen=True, eq=False)
class HeadWeights:
    """One attention layer, split by head; row vectors: ``q = x @ W_Q[h] + b_Q[h]``.

    The matrices are views of the model's own weights where its layout allows it: read only.
    """

    W_Q: Float[Tensor, "head d_model d_head"]
    """[head d_model d_head] residual stream to query."""
    b_Q: Float[Tensor, "head d_head"]
    """[head d_head] its bias, zeros where the model has none."""
    W_K: Float[Tensor, "kv_head d_model d_head"]
    """[kv_head d_model d_head] residual stream to key."""
    b_K: Float[Tensor, "kv_head d_head"]
    """[kv_head d_head] its bias."""
    W_V: Float[Tensor, "kv_head d_model d_head"]
    """[kv_head d_model d_head] residual stream to value."""
    b_V: Float[Tensor, "kv_head d_head"]
    """[kv_head d_head] its bias."""
    W_O: Float[Tensor, "head d_head d_model"]
    """[head d_head d_model] a head's weighted values back to the residual stream."""
    b_O: Float[Tensor, " d_model"]
    """[d_model] the bias of the output, shared by all heads."""
    kv_of: tuple[int, ...]
    """[head] which key/value head each query head uses."""
    scale: float
    """A score is this times ``q @ k``: 1/sqrt(d_head) in most models, 1 in GPT-Neo."""
    q_norm: Norm | None
    """The norm of each query between its projection and the score, or None (Qwen3, Gemma 3)."""
    k_norm: Norm | None
    """The same of each key."""

    @property
    def num_heads(self) -> int:
        """Query heads."""
        return self.W_Q.shape[0]

    def key_of(self, head: int) -> Float[Tensor, "d_model d_head"]:
        """W_K of the key/value head that a query head uses."""
        return self.W_K[self.kv_of[head]]

    def value_of(self, head: int) -> Float[Tensor, "d_model d_head"]:
        """W_V of the key/value head that a query head uses."""
        return self.W_V[self.kv_of[head]]


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

    def apply(self, x: Float[Tensor, "... d_model"]) -> Float[Tensor, "... d_model"]:
        """The norm as the model applies it."""
        return self.normalise(x) * self.weight + self.bias


@dataclass(frozen=True)
class Layout:
    """What was found out about how a model is put together."""

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
    """[pair] the second one."""
    angles: Float[Tensor, " pair"]
    """[pair] radians that one position turns the pair by."""

    def apply(self, x: Float[Tensor, "... d_head"], position: int) -> Float[Tensor, "... d_head"]:
        """Queries or keys turned to where they stand at a position."""
        turn = torch.polar(torch.ones_like(self.angles), self.angles * position)
        turned = torch.complex(x[..., self.first], x[..., self.second]) * turn
        x = x.clone()
        x[..., self.first], x[..., self.second] = turned.real, turned.imag
        return x


def layer_weights(loaded: LoadedModel, layer: int) -> HeadWeights:
    """The weights of one attention layer by head.

    Raises:
        UnsupportedModelError: if no known layout gives the queries, keys and values of the model.
    """
    found = _found(loaded).layers[layer]
    W_Q, b_Q = _columns(found.query)
    W_K, b_K = _columns(found.key)
    W_V, b_V = _columns(found.value)
    W_out, b_O = _matrix(found.output)
    heads, d_head = W_Q.shape[0], W_V.shape[2]
    return HeadWeights(
        W_Q, b_Q, W_K, b_K, W_V, b_V,
        W_O=W_out.reshape(heads, d_head, -1),
        b_O=torch.zeros(W_out.shape[1]) if b_O is None else b_O,
        kv_of=found.kv_of,
        scale=found.scale,
        q_norm=found.q_norm,
        k_norm=found.k_norm,
    )  # fmt: skip


def query_place(loaded: LoadedModel, layer: int) -> tuple[nn.Module, Int[Tensor, "head d_head"]]:
    """The linear module that makes a layer's queries, and its output features, head by head.

    For hooks that change single heads' queries before they are rotated or scaled.
    """
    found = _found(loaded).layers[layer].query
    return found.module, found.features


def embedding(loaded: LoadedModel) -> Float[Tensor, "vocab d_model"]:
    """What each token puts into the residual stream, position left out.

    Gemma's scale, BLOOM's norm and OPT-350M's projection of the embedding are applied: row ``t`` is
    what the first layer finds of token ``t``.

    Raises:
        UnsupportedModelError: if the first layer finds something else.
    """
    found = _found(loaded).embedding
    return found.apply(loaded.model.get_input_embeddings().weight.detach())


def positions(loaded: LoadedModel) -> Float[Tensor, "pos d_model"] | None:
    """What each position adds to the residual stream, or None without learned positions."""
    return _found(loaded).embedding.positions


def unembedding(
    loaded: LoadedModel,
) -> tuple[Float[Tensor, "d_model vocab"], Float[Tensor, " vocab"] | None]:
    """From the residual stream after the final norm to the logits: the matrix and its bias."""
    found = _found(loaded)
    W_U, b_U = _matrix(loaded.model.get_output_embeddings())
    if found.project_out is not None:
        W_U = _matrix(found.project_out)[0] @ W_U
    return (W_U, b_U) if found.logit_scale == 1 else (W_U * found.logit_scale, b_U)


def attention_norm(loaded: LoadedModel, layer: int) -> Norm:
    """The norm between the residual stream and a layer's queries, keys and values."""
    return _found(loaded).layers[layer].norm


def final_norm(loaded: LoadedModel) -> Norm:
    """The norm between the last layer and the unembedding."""
    return _found(loaded).final_norm


def rotation(loaded: LoadedModel, layer: int) -> Rotation | None:
    """How a layer turns its queries and keys by position, or None where it does not."""
    return _found(loaded).layers[layer].rotation


def distance_slopes(loaded: LoadedModel, layer: int) -> Float[Tensor, " head"] | None:
    """[head] by how much a score falls with each position of distance (ALiBi), or None."""
    return _found(loaded).layers[layer].slopes


def layout(loaded: LoadedModel) -> Layout:
    """What was found out about how the model is put together, so that a table can state it."""
    return _found(loaded).layout


# What the pass over a few tokens showed. ----------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Projection:
    """A linear module and the output features that belong to each head."""

    module: nn.Module
    features: Features
    norm: Norm | None = None
    factor: float = 1.0
    """What its output is multiplied with before the score (OPT scales its queries first)."""


@dataclass(frozen=True, eq=False)
class _Layer:
    query: _Projection
    key: _Projection
    value: _Projection
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
class _Embedding:
    scale: float
    norm: Norm | None
    project: nn.Module | None
    positions: Float[Tensor, "pos d_model"] | None

    def apply(self, table: Float[Tensor, "... width"]) -> Float[Tensor, "... d_model"]:
        if self.scale != 1:
            table = table * self.scale
        if self.project is not None:
            table = table @ _matrix(self.project)[0]
        return table if self.norm is None else self.norm.apply(table)


@dataclass(frozen=True, eq=False)
class _Found:
    layers: tuple[_Layer, ...]
    embedding: _Embedding
    final_norm: Norm
    project_out: nn.Module | None
    logit_scale: float
    layout: Layout


def _found(loaded: LoadedModel) -> _Found:
    """Everything about a model, found once; it goes when the model goes."""
    if "weights" not in loaded.tools:
        trace = trace_model(loaded)
        with torch.no_grad():
            loaded.tools["weights"] = _find(loaded, trace)
    return loaded.tools["weights"]


def _find(loaded: LoadedModel, trace: Trace) -> _Found:
    layers = tuple(_find_layer(loaded, trace, layer) for layer in trace.layers)
    table = _find_embedding(loaded, trace)
    norm, project_out, logit_scale, logit_cap = _find_end(loaded, trace)
    if table.positions is not None:
        where = "learned"
    elif any(layer.rotation is not None for layer in layers):
        where = "rotary"
    else:
        where = "bias" if any(layer.slopes is not None for layer in layers) else "none"
    return _Found(
        layers, table, norm, project_out, logit_scale,
        Layout(
            positions=where,
            order="post-norm" if layers[-1].norm.kind == "none" else "pre-norm",
            parallel=any(layer.parallel for layer in layers),
            output_normed=any(layer.output_normed for layer in layers),
            qk_normed=any(layer.q_norm is not None for layer in layers),
            score_cap=next((layer.cap for layer in layers if layer.cap), None),
            logit_cap=logit_cap,
        ),
    )  # fmt: skip


def _refuse(loaded: LoadedModel, what: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        loaded.key, why=f"no known layout of its weights gives its own {what}."
    )


def _matrix(module: nn.Module) -> tuple[Float[Tensor, "given result"], Tensor | None]:
    """A linear module's matrix for row vectors, and its bias.

    A ``Linear`` keeps [result given]; GPT-2's ``Conv1D`` (it has ``nf``) keeps [given result].
    """
    weight = module.weight.detach()
    bias = getattr(module, "bias", None)
    matrix = weight if hasattr(module, "nf") else weight.T
    return matrix, None if bias is None else bias.detach()


def _columns(projection: _Projection) -> tuple[Tensor, Tensor]:
    """A projection's matrix [head d_model d_head] and bias [head d_head]."""
    matrix, bias = _matrix(projection.module)
    features = projection.features
    first, count = int(features[0, 0]), features.numel()
    if torch.equal(features.flatten(), torch.arange(first, first + count)):
        part = matrix[:, first : first + count].unflatten(1, features.shape)  # a view
    else:
        part = matrix[:, features]
    biases = torch.zeros(features.shape) if bias is None else bias[features]
    return part.movedim(1, 0), biases


def _linears(calls: tuple[Call, ...]) -> Iterator[Call]:
    """The calls that are one product with a matrix: checked by computing it again."""
    for call in calls:
        weight = getattr(call.module, "weight", None)
        if not isinstance(weight, Tensor) or weight.ndim != 2 or not call.given.is_floating_point():
            continue
        matrix, bias = _matrix(call.module)
        if call.given.shape[-1] != matrix.shape[0] or call.result.shape[-1] != matrix.shape[1]:
            continue
        again = call.given @ matrix + (0 if bias is None else bias)
        if same(again.reshape(call.result.shape), call.result):
            yield call


# Attention ----------------------------------------------------------------------------------------


def _find_layer(loaded: LoadedModel, trace: Trace, seen: AttentionTrace) -> _Layer:
    inside = trace.within(seen.path)
    linears = list(_linears(inside))
    query, _, query_call = _project(loaded, inside, linears, seen.query, "query")
    key, key_of, _ = _project(loaded, inside, linears, seen.key, "key")
    value, value_of, _ = _project(loaded, inside, linears, seen.value, "value")
    if key_of != value_of:
        raise _refuse(loaded, "sharing of keys and values")
    mixed = (seen.pattern @ seen.value).transpose(1, 2).flatten(2)  # [batch pos head*d_head]
    output = next((call for call in linears if same(call.given, mixed)), None)
    if output is None:
        raise _refuse(loaded, "head outputs")
    stream = trace.of(seen.block)
    norm = _norm_before(loaded, trace.within(seen.block), query_call.given, stream)
    scale, slopes, cap = _score_rule(loaded, trace.of(seen.path), seen)
    return _Layer(
        query, key, value, output.module, key_of, norm,
        scale=_tidy(scale * query.factor * key.factor, seen.query.shape[-1]),
        q_norm=query.norm,
        k_norm=key.norm,
        rotation=_find_rotation(loaded, query, query_call, seen.query),
        slopes=slopes,
        cap=cap,
        output_normed=_is_normed(trace.within(seen.block), output),
        parallel=_is_parallel(trace.within(seen.block), seen.path, stream, query_call.given),
    )  # fmt: skip


def _project(
    loaded: LoadedModel,
    inside: tuple[Call, ...],
    linears: list[Call],
    seen: Float[Tensor, "batch head pos d_head"],
    role: str,
) -> tuple[_Projection, tuple[int, ...], Call]:
    """The linear module, layout and norm that give a tensor which the attention multiplied.

    Returns:
        the projection, [head] which of its heads each query head uses, and the module's call.
    """
    d_head = seen.shape[-1]
    position = None if role == "value" else 0  # where rotary embeddings do nothing
    for call in linears:
        for features in _layouts(call.result.shape[-1], d_head, loaded.num_heads, role):
            plain = _Projection(call.module, features)
            norms = _head_norms(inside, call, features, role)
            for projection in (
                plain,
                replace(plain, factor=d_head**-0.5),
                *(replace(plain, norm=norm) for norm in norms),
            ):
                shared = _explains(projection, call, seen, position=position)
                if shared:
                    return projection, shared, call
    raise _refuse(loaded, f"{role} vectors")


def _layouts(width: int, d_head: int, heads: int, role: str) -> Iterator[Features]:
    """Which output features may belong to which head, apart or fused in the ways that are known."""
    if width % d_head:
        return
    every = torch.arange(width).reshape(-1, d_head)  # [feature group, d_head]
    groups = every.shape[0]
    if groups <= heads and heads % groups == 0:
        yield every  # a projection of its own; fewer heads where query heads share it
    shared = (groups - heads) // 2  # fused: heads queries, then as many keys as values
    if shared < 1 or heads % shared or heads + 2 * shared != groups:
        return
    place = {"query": 0, "key": 1, "value": 2}[role]
    yield every.split([heads, shared, shared])[place]  # side by side: GPT-2, Phi-3
    by_head = every.reshape(shared, -1, d_head)  # head by head: GPT-NeoX, BLOOM, Falcon
    each = heads // shared
    chosen = (by_head[:, :each], by_head[:, each : each + 1], by_head[:, each + 1 :])[place]
    yield chosen.reshape(-1, d_head)


def _head_norms(
    inside: tuple[Call, ...], call: Call, features: Features, role: str
) -> Iterator[Norm]:
    """Norms that were given this projection's output: of each head, or of all heads at once."""
    if role == "value":
        return
    result = call.result[..., features]  # [batch pos head d_head]
    for other in inside:
        weight = getattr(other.module, "weight", None)
        if not isinstance(weight, Tensor) or weight.ndim != 1 or other is call:
            continue
        given = (result, result.transpose(1, 2), result.flatten(2))
        if any(same(other.given, option) for option in given):
            norm = _as_norm(other)
            if norm is not None:
                yield norm


def _explains(
    projection: _Projection,
    call: Call,
    seen: Float[Tensor, "batch head pos d_head"],
    *,
    position: int | None,
) -> tuple[int, ...]:
    """[head] which projected head each seen head is, at one position or all; empty if none fits."""
    result = _projected(projection, call, seen)
    where = slice(None) if position is None else slice(position, position + 1)
    heads, of = seen.shape[1], []
    for head in range(heads):
        # Query heads share a key in order: try the likely one first.
        likely = head * result.shape[1] // heads
        options = sorted(range(result.shape[1]), key=lambda option: option != likely)
        found = [n for n in options if same(result[:, n, where], seen[:, head, where])]
        if not found:
            return ()
        of.append(found[0])
    return tuple(of)


def _projected(
    projection: _Projection, call: Call, seen: Float[Tensor, "batch head pos d_head"]
) -> Float[Tensor, "batch some_head pos d_head"]:
    """What a projection gave each of its heads in the pass."""
    result = call.result.float()
    if result.ndim == 2:  # OPT flattens batch and position
        result = result.reshape(seen.shape[0], seen.shape[2], -1)
    result = norm_heads(projection.norm, result[..., projection.features]).transpose(1, 2)
    return result * projection.factor


def _find_rotation(
    loaded: LoadedModel,
    query: _Projection,
    call: Call,
    seen: Float[Tensor, "batch head pos d_head"],
) -> Rotation | None:
    """The turn between what was projected and what was multiplied, measured at position 1.

    The features that turn together are half a block apart (GPT-NeoX, Llama) or neighbours (GPT-J);
    the block is the whole head or a part of it. What is taken must also give position 2.
    """
    if _explains(query, call, seen, position=None):
        return None
    before = _projected(query, call, seen)
    d_head = seen.shape[-1]
    for size in range(d_head - d_head % 2, 0, -2):
        half = torch.arange(size // 2)
        for first, second in ((half, half + size // 2), (2 * half, 2 * half + 1)):
            old = torch.complex(before[:, :, 1][..., first], before[:, :, 1][..., second])
            new = torch.complex(seen[:, :, 1][..., first], seen[:, :, 1][..., second])
            found = Rotation(first, second, (new * old.conj()).sum((0, 1)).angle())
            if all(same(found.apply(before[:, :, p], p), seen[:, :, p]) for p in range(LENGTH)):
                return found
    raise _refuse(loaded, "rotary positions")


def norm_heads(
    norm: Norm | None, x: Float[Tensor, "... head d_head"]
) -> Float[Tensor, "... head d_head"]:
    """Apply a query or key norm: of each head alone, or of all heads together (OLMo 2)."""
    if norm is None:
        return x
    if norm.weight.numel() == x.shape[-1]:
        return norm.apply(x)
    return norm.apply(x.flatten(-2)).unflatten(-1, x.shape[-2:])


def _score_rule(
    loaded: LoadedModel, attention: Call | None, seen: AttentionTrace
) -> tuple[float, Tensor | None, float | None]:
    """How a score comes of ``q @ k``: scale, whether positions add to it, and its cap.

    Two keys of one row differ in log attention by what their scores differ in, whatever the row's
    sum (or sink). Over the sequences of the pass that is a straight line: its slope is the scale,
    its height what the positions add.
    """
    products = seen.query @ seen.key.transpose(-1, -2)  # [batch head query key]
    x = products[:, :, -1, 1:] - products[:, :, -1, :-1]  # [batch head pair]
    pattern = seen.pattern.clamp(min=1e-30)
    y = pattern[:, :, -1, 1:].log() - pattern[:, :, -1, :-1].log()
    x_spread, y_spread = x - x.mean(0), y - y.mean(0)
    scale = float((x_spread * y_spread).sum() / x_spread.square().sum())
    if same(scale * x_spread, y_spread) or (scale * x_spread - y_spread).abs().max() < 1e-3:
        height = y.mean(0) - scale * x.mean(0)  # [head pair]
        if height.abs().max() < 1e-2:
            return scale, None, None
        if (height - height.mean(1, keepdim=True)).abs().max() < 1e-3:  # each step adds the same
            return scale, height.mean(1), None
    module = attention.module if attention else None
    cap = getattr(module, "attn_logit_softcapping", None)
    scaling = getattr(module, "scaling", None)
    if cap and scaling:
        capped = cap * torch.tanh(products * scaling / cap)
        again = capped[:, :, -1, 1:] - capped[:, :, -1, :-1]
        if (again - y).abs().max() < 1e-3:
            return float(scaling), None, float(cap)
    raise _refuse(loaded, "attention scores")


def _tidy(scale: float, d_head: int) -> float:
    """A measured scale as the exact number that it must be, where that is one of the usual two."""
    usual = (d_head**-0.5, 1.0)
    return next((number for number in usual if abs(scale / number - 1) < 1e-3), scale)


# Norms --------------------------------------------------------------------------------------------


def _as_norm(call: Call) -> Norm | None:
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


def _norm_before(
    loaded: LoadedModel, calls: tuple[Call, ...], given: Tensor, stream: Call | None
) -> Norm:
    """The norm whose output the projections read, or none where they read the stream itself."""
    stream_in = stream.given if stream else given
    for call in calls:
        if same(call.result.reshape(-1), given.reshape(-1)) and same(call.given, stream_in):
            norm = _as_norm(call)
            if norm is not None:
                return norm
    if same(given.reshape(stream_in.shape), stream_in):
        return _no_norm(given.shape[-1])
    raise _refuse(loaded, "input of the attention layers")


def _no_norm(width: int) -> Norm:
    return Norm("none", torch.ones(width), torch.zeros(width), 0.0)


def _is_normed(calls: tuple[Call, ...], output: Call) -> bool:
    """Whether a norm reads the attention's output alone, before it is added to the stream."""
    return any(same(call.given, output.result) and _as_norm(call) is not None for call in calls)


def _is_parallel(calls: tuple[Call, ...], path: str, stream: Call | None, normed: Tensor) -> bool:
    """Whether something after the attention still reads what the attention read."""
    if stream is None:
        return False
    own = next((n for n, call in enumerate(calls) if call.path == path), len(calls))
    after = [call for call in calls[own + 1 :] if not path.startswith(f"{call.path}.")]
    return any(same(call.given, stream.given) or same(call.given, normed) for call in after)


# Embedding and unembedding ------------------------------------------------------------------------


def _find_embedding(loaded: LoadedModel, trace: Trace) -> _Embedding:
    """What turns a token's row of the table into what the first layer finds."""
    table = loaded.model.get_input_embeddings().weight.detach()
    rows = table[trace.token_ids].float()  # [batch pos width]
    stream = trace.of(trace.layers[0].block)
    if stream is None:
        raise _refuse(loaded, "embedding")
    stream = stream.given
    learned = _learned_positions(trace, loaded, rows)
    rest = stream if learned is None else stream - learned[:LENGTH]
    for option in _embedding_options(trace, rows, rest, learned):
        if same(option.apply(rows), rest):
            return option
    raise _refuse(loaded, "embedding")


def _embedding_options(
    trace: Trace, rows: Tensor, rest: Tensor, learned: Tensor | None
) -> Iterator[_Embedding]:
    yield _Embedding(1.0, None, None, learned)
    if rows.shape == rest.shape:
        ratio = float((rest * rows).sum() / rows.square().sum())
        yield _Embedding(ratio, None, None, learned)
    blocks = {layer.block for layer in trace.layers}
    outside = tuple(c for c in trace.calls if not any(c.path.startswith(f"{b}.") for b in blocks))
    for call in outside:
        if same(call.given, rows):
            norm = _as_norm(call)
            if norm is not None:
                yield _Embedding(1.0, norm, None, learned)
    for call in _linears(outside):
        if same(call.given, rows):
            yield _Embedding(1.0, None, call.module, learned)


def _learned_positions(trace: Trace, loaded: LoadedModel, rows: Tensor) -> Tensor | None:
    """The table of positions from the row that position 0 uses, or None if there is none."""
    tokens = loaded.model.get_input_embeddings()
    for call in trace.calls:
        weight = getattr(call.module, "weight", None)
        if not isinstance(call.module, nn.Embedding) or call.module is tokens:
            continue
        used = call.result.reshape(-1, LENGTH, call.result.shape[-1])[0]  # [pos d_model]
        first = [n for n in range(min(8, len(weight))) if same(weight[n], used[0])]
        for start in first:  # OPT's first position is row 2
            if same(weight[start : start + LENGTH], used):
                return weight.detach()[start:]
    return None


def _find_end(
    loaded: LoadedModel, trace: Trace
) -> tuple[Norm, nn.Module | None, float, float | None]:
    """The final norm, a projection after it, and how logits come of the unembedding's product."""
    head = loaded.model.get_output_embeddings()
    call = next((call for call in trace.calls if call.module is head), None)
    if call is None or call not in list(_linears((call,))):
        raise _refuse(loaded, "logits")
    given, project = call.given, None
    before = [
        other for other in _linears(trace.calls) if other is not call and same(other.result, given)
    ]
    if before:
        given, project = before[0].given, before[0].module
    last = trace.of(trace.layers[-1].block)
    norms = [
        other
        for other in trace.calls
        if same(other.result, given) and same(other.given, last.result)
    ]
    norm = next((found for found in map(_as_norm, norms) if found is not None), None)
    if norm is None:
        if not same(given, last.result):
            raise _refuse(loaded, "final norm")
        norm = _no_norm(given.shape[-1])
    scale, cap = _logit_rule(loaded, call.result, trace.logits)
    return norm, project, scale, cap


def _logit_rule(loaded: LoadedModel, raw: Tensor, logits: Tensor) -> tuple[float, float | None]:
    if same(raw, logits):
        return 1.0, None
    scale = float((raw * logits).sum() / raw.square().sum())
    if same(scale * raw, logits):
        return scale, None
    cap = getattr(loaded.model.config.get_text_config(), "final_logit_softcapping", None)
    if cap and same(cap * torch.tanh(raw / cap), logits):
        return 1.0, float(cap)
    raise _refuse(loaded, "logits")
