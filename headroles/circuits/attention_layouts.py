"""Which module gives an attention layer its queries, keys and values, and in which layout.

Each candidate is tried: the one that reproduces what the attention multiplied in the pass is taken,
and a model for which none does is refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.circuits.parts import (
    Features,
    Layer,
    Norm,
    Projection,
    Rotation,
    as_norm,
    linear_calls,
    no_layout,
    no_norm,
    norm_heads,
)
from headroles.circuits.tracing import LENGTH, AttentionTrace, Call, Trace, same
from headroles.models import LoadedModel


def find_layer(loaded: LoadedModel, trace: Trace, seen: AttentionTrace) -> Layer:
    """The projections, norms, scale and positions of one attention layer.

    Raises:
        UnsupportedModelError: if no layout gives what the layer multiplied in the pass.
    """
    inside = trace.within(seen.path)
    linears = list(linear_calls(inside))
    query, _, query_call = _project(loaded, inside, linears, seen.query, "query")
    key, key_of, _ = _project(loaded, inside, linears, seen.key, "key")
    value, value_of, _ = _project(loaded, inside, linears, seen.value, "value")
    if key_of != value_of:
        raise no_layout(loaded, "sharing of keys and values")
    mixed = (seen.pattern @ seen.value).transpose(1, 2).flatten(2)  # [batch pos head*d_head]
    output = next((call for call in linears if same(call.given, mixed)), None)
    if output is None:
        raise no_layout(loaded, "head outputs")
    stream = trace.of(seen.block)
    norm = _norm_before(loaded, trace.within(seen.block), query_call.given, stream)
    scale, slopes, cap = _score_rule(loaded, trace.of(seen.path), seen)
    return Layer(
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
) -> tuple[Projection, tuple[int, ...], Call]:
    """The linear module, layout and norm that give a tensor which the attention multiplied.

    Returns:
        the projection, [head] which of its heads each query head uses, and the module's call.
    """
    d_head = seen.shape[-1]
    position = None if role == "value" else 0  # where rotary embeddings do nothing
    for call in linears:
        for features in _layouts(call.result.shape[-1], d_head, loaded.num_heads, role):
            plain = Projection(call.module, features)
            norms = _head_norms(inside, call, features, role)
            for projection in (
                plain,
                replace(plain, factor=d_head**-0.5),
                *(replace(plain, norm=norm) for norm in norms),
            ):
                shared = _explains(projection, call, seen, position=position)
                if shared:
                    return projection, shared, call
    raise no_layout(loaded, f"{role} vectors")


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
            norm = as_norm(other)
            if norm is not None:
                yield norm


def _explains(
    projection: Projection,
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
        matches = [n for n in options if same(result[:, n, where], seen[:, head, where])]
        if not matches:
            return ()
        of.append(matches[0])
    return tuple(of)


def _projected(
    projection: Projection, call: Call, seen: Float[Tensor, "batch head pos d_head"]
) -> Float[Tensor, "batch some_head some_pos d_head"]:
    """What a projection gave each of its heads in the pass, which may be another one's."""
    result = call.result.float()
    if result.ndim == 2:  # OPT flattens batch and position
        result = result.reshape(seen.shape[0], seen.shape[2], -1)
    result = norm_heads(projection.norm, result[..., projection.features]).transpose(1, 2)
    return result * projection.factor


def _find_rotation(
    loaded: LoadedModel,
    query: Projection,
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
            rotation = Rotation(first, second, (new * old.conj()).sum((0, 1)).angle())
            if all(same(rotation.apply(before[:, :, p], p), seen[:, :, p]) for p in range(LENGTH)):
                return rotation
    raise no_layout(loaded, "rotary positions")


def _score_rule(
    loaded: LoadedModel, attention: Call | None, seen: AttentionTrace
) -> tuple[float, Tensor | None, float | None]:
    """How a score follows from ``q @ k``: scale, whether positions add to it, and its cap.

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
    raise no_layout(loaded, "attention scores")


def _tidy(scale: float, d_head: int) -> float:
    """A measured scale as the exact number that it must be, where that is one of the usual two."""
    usual = (d_head**-0.5, 1.0)
    return next((number for number in usual if abs(scale / number - 1) < 1e-3), scale)


def _norm_before(
    loaded: LoadedModel, calls: tuple[Call, ...], given: Tensor, stream: Call | None
) -> Norm:
    """The norm whose output the projections read, or none where they read the stream itself."""
    stream_in = stream.given if stream else given
    for call in calls:
        if same(call.result.reshape(-1), given.reshape(-1)) and same(call.given, stream_in):
            norm = as_norm(call)
            if norm is not None:
                return norm
    if same(given.reshape(stream_in.shape), stream_in):
        return no_norm(given.shape[-1])
    raise no_layout(loaded, "input of the attention layers")


def _is_normed(calls: tuple[Call, ...], output: Call) -> bool:
    """Whether a norm reads the attention's output alone, before it is added to the stream."""
    return any(same(call.given, output.result) and as_norm(call) is not None for call in calls)


def _is_parallel(calls: tuple[Call, ...], path: str, stream: Call | None, normed: Tensor) -> bool:
    """Whether something after the attention still reads what the attention read."""
    if stream is None:
        return False
    own = next((n for n, call in enumerate(calls) if call.path == path), len(calls))
    after = [call for call in calls[own + 1 :] if not path.startswith(f"{call.path}.")]
    return any(same(call.given, stream.given) or same(call.given, normed) for call in after)
