"""What turns a token into the residual stream, and the residual stream into logits.

Every candidate is computed again on the tokens of the pass, and taken only if it gives the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from headroles.circuits.parts import (
    Embedding,
    Norm,
    as_norm,
    linear_calls,
    no_layout,
    no_norm,
)
from headroles.circuits.tracing import LENGTH, Trace, same
from headroles.models import LoadedModel


def find_embedding(loaded: LoadedModel, trace: Trace) -> Embedding:
    """What turns a token's row of the table into what the first layer finds."""
    table = loaded.model.get_input_embeddings().weight.detach()
    rows = table[trace.token_ids].float()  # [batch pos width]
    stream = trace.of(trace.layers[0].block)
    if stream is None:
        raise no_layout(loaded, "embedding")
    stream = stream.given
    learned = _learned_positions(trace, loaded, rows)
    rest = stream if learned is None else stream - learned[:LENGTH]
    for option in _embedding_options(trace, rows, rest, learned):
        if same(option.apply(rows), rest):
            return option
    raise no_layout(loaded, "embedding")


def _embedding_options(
    trace: Trace, rows: Tensor, rest: Tensor, learned: Tensor | None
) -> Iterator[Embedding]:
    yield Embedding(1.0, None, None, learned)
    if rows.shape == rest.shape:
        ratio = float((rest * rows).sum() / rows.square().sum())
        yield Embedding(ratio, None, None, learned)
    blocks = {layer.block for layer in trace.layers}
    outside = tuple(c for c in trace.calls if not any(c.path.startswith(f"{b}.") for b in blocks))
    for call in outside:
        if same(call.given, rows):
            norm = as_norm(call)
            if norm is not None:
                yield Embedding(1.0, norm, None, learned)
    for call in linear_calls(outside):
        if same(call.given, rows):
            yield Embedding(1.0, None, call.module, learned)


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


def find_end(
    loaded: LoadedModel, trace: Trace
) -> tuple[Norm, nn.Module | None, float, float | None]:
    """The final norm, a projection after it, and how logits follow from the unembedding."""
    head = loaded.model.get_output_embeddings()
    call = next((call for call in trace.calls if call.module is head), None)
    if call is None or call not in list(linear_calls((call,))):
        raise no_layout(loaded, "logits")
    given, project = call.given, None
    makers = [other for other in trace.calls if other is not call and same(other.result, given)]
    before = list(linear_calls(tuple(makers)))
    if before:
        given, project = before[0].given, before[0].module
    last = trace.of(trace.layers[-1].block)
    norms = [
        other
        for other in trace.calls
        if same(other.result, given) and same(other.given, last.result)
    ]
    norm = next((candidate for candidate in map(as_norm, norms) if candidate is not None), None)
    if norm is None:
        if not same(given, last.result):
            raise no_layout(loaded, "final norm")
        norm = no_norm(given.shape[-1])
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
    raise no_layout(loaded, "logits")
