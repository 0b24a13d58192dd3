"""Everything that one pass over a few tokens shows of a model's weights, found once per model."""

from __future__ import annotations

import torch

from headroles.circuits.attention_layouts import find_layer
from headroles.circuits.embedding_layouts import find_embedding, find_end
from headroles.circuits.parts import Layer, Layout, Mlp, Parts, Writing
from headroles.circuits.residual import StreamError, mlps, writings
from headroles.circuits.tracing import Trace, trace_model
from headroles.models import LoadedModel, blocks
from headroles.models.cores import one_core
from headroles.models.numbers import check_weights


def parts_of(loaded: LoadedModel) -> Parts:
    """Everything about a model, found once; it goes when the model goes.

    Raises:
        NotANumberError: if a weight is NaN or infinite. A few tokens may pass it by, and what is
            computed from all weights would not: LAPACK ends the process at a NaN.
        UnsupportedModelError: if no known layout explains the model.
    """
    if "weights" not in loaded.tools:
        with one_core(), torch.no_grad():
            check_weights(loaded.model, loaded.key)
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
    written, added = _find_writings(loaded, trace, layers)
    return Parts(
        layers, written, added, table, norm, project_out, logit_scale,
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


def _find_writings(
    loaded: LoadedModel, trace: Trace, layers: tuple[Layer, ...]
) -> tuple[tuple[Writing, ...] | str, tuple[Mlp, ...]]:
    """What each layer adds to the end of the stream, or why that cannot be told."""
    paths = [blocks.path_of(path) for path in loaded.probe_paths]
    stack = list(loaded.model.get_submodule(paths[0].rpartition(".")[0]).children())
    each = zip(paths, layers, strict=True)
    outputs = {int(path.rpartition(".")[2]): layer.output for path, layer in each}
    try:
        with loaded.lock:
            found = writings(
                stack,
                outputs,
                trace.calls,
                lambda: loaded.model(trace.token_ids, use_cache=False),
            )
    except StreamError as error:
        return error.message, ()
    return tuple(found.values()), tuple(mlps(stack, outputs, trace.calls, found).values())
