"""Everything that one pass over a few tokens shows of a model's weights, found once per model."""

from __future__ import annotations

import torch

from headroles.circuits.attention_layouts import find_layer
from headroles.circuits.embedding_layouts import find_embedding, find_end
from headroles.circuits.parts import (
    Layout,
    Parts,
)
from headroles.circuits.tracing import Trace, one_core, trace_model
from headroles.models import LoadedModel


def parts_of(loaded: LoadedModel) -> Parts:
    """Everything about a model, found once; it goes when the model goes."""
    if "weights" not in loaded.tools:
        with one_core(), torch.no_grad():
            trace = trace_model(loaded)
            loaded.tools["weights"] = _find_parts(loaded, trace)
    return loaded.tools["weights"]


def _find_parts(loaded: LoadedModel, trace: Trace) -> Parts:
    layers = tuple(find_layer(loaded, trace, layer) for layer in trace.layers)
    table = find_embedding(loaded, trace)
    norm, project_out, logit_scale, logit_cap = find_end(loaded, trace)
    if table.positions is not None:
        where = "learned"
    elif any(layer.rotation is not None for layer in layers):
        where = "rotary"
    else:
        where = "bias" if any(layer.slopes is not None for layer in layers) else "none"
    return Parts(
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
