"""A forward pass in which attention patterns or head outputs are changed, through PyVene.

Two places are enough for every knock-out. At the *probe* of a layer stands the pattern
``[row head query key]``; what leaves it is what the values are weighted with. At the input of the
layer's output projection stand the heads' outputs ``z`` ``[row query head dim]``, side by side:
``out = z @ W_O + b_O``. A change there leaves the projection's bias, as TransformerLens'
``hook_z`` does.

Rows are independent: each may be another prompt or another condition on the same prompt, which is
why a table of twenty knock-outs is one pass. Shorter rows are padded on the right; attention is
causal, so padding changes nothing before it. Rows of one prompt are a single row until the first
layer that anything is done to (:mod:`headroles.models.blocks`).

>>> loaded = load_model("demo")  # doctest: +SKIP
>>> run_edited(loaded, torch.tensor([[0, 5, 6]])).logits.shape  # doctest: +SKIP
torch.Size([1, 3, 2048])
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from headroles.capture.runner import Runner, inputs, pyvene
from headroles.errors import UnsupportedModelError
from headroles.models import LoadedModel, are_logits, are_numbers, blocks, cores, not_a_number
from headroles.models.beginnings import Beginning
from headroles.models.sight import Sights, layer_sight

Edit = Callable[[Tensor], Tensor]
"""Takes a layer's tensor and returns the one to use instead; it may change its argument."""


@dataclass(frozen=True)
class EditOfSeen:
    """An edit of a pattern that has to know what the layer's heads can see."""

    edit: Callable[[Tensor, Tensor | None], Tensor]
    """Takes the pattern, and [query key] True where heads can look, None for every token so far."""

    def __call__(self, pattern: Tensor) -> Tensor:
        """The edit in a layer that sees every token so far."""
        return self.edit(pattern, None)


_PROJECTIONS = "output_projections"
_FEW = torch.arange(4)
"""The tokens of the pass that finds them."""


@dataclass(frozen=True, eq=False)
class EditedRun:
    """What one pass gives."""

    logits: Float[Tensor, "row pos vocab"] | None
    """[row pos vocab] logits; the last position alone if only that was asked for; None if none."""
    patterns: dict[int, Float[Tensor, "row head query key"]]
    """{layer: [row head query key]} the patterns that were kept, as used: after any change."""
    outputs: dict[int, Float[Tensor, "row query head dim"]]
    """{layer: [row query head dim]} the head outputs z that were kept, as used."""
    sight: dict[int, Bool[Tensor, "query key"] | None]
    """{layer: [query key]} what heads can see where patterns were kept: True where they can look,
    None where that is every token so far."""


def run_edited(
    loaded: LoadedModel,
    token_ids: Int[Tensor, "row pos"],
    *,
    patterns: Mapping[int, Edit] | None = None,
    outputs: Mapping[int, Edit] | None = None,
    keep_patterns: Iterable[int] = (),
    keep_outputs: Iterable[int] = (),
    last_only: bool = False,
    with_logits: bool = True,
    known: Beginning | None = None,
    hooked: int | None = None,
) -> EditedRun:
    """Run rows of tokens once, with changes.

    Args:
        loaded: a model from :func:`headroles.models.loading.load_model`.
        token_ids: [row pos] ids; position 0 is the BOS token or its stand-in.
        patterns: {layer: edit of its pattern [row head query key]}; nothing is renormalised.
        outputs: {layer: edit of its head outputs z [row query head dim]}.
        keep_patterns, keep_outputs: layers whose patterns and whose head outputs are returned.
        last_only: ask for the logits of the last position alone, where the model can be asked.
        with_logits: without, the pass ends after the last layer of which something is kept.
        known: positions at the beginning that are not run again: edits of outputs are of the rest.
        hooked: the first layer that the caller's own hooks change; they see all rows from it on.

    Raises:
        UnsupportedModelError: if outputs are wanted and the output projection is not to be found.
        NotANumberError: if the model computes NaN or infinity, by itself or with the changes.
    """
    kept_patterns, kept_outputs = set(keep_patterns), set(keep_outputs)
    rows, length = token_ids.shape
    at_probe = _places_of(patterns or {}, kept_patterns, (rows, -1, length, length))
    rest = length - known.length if known else length
    at_projection = _places_of(outputs or {}, kept_outputs, (rows, rest, loaded.num_heads, -1))
    sights = Sights(loaded.key, length)
    for layer, place in at_probe.items():
        place.see = partial(layer_sight, loaded, layer, sights)
    places = _by_path(loaded, at_probe, at_projection)
    used = sorted({*at_probe, *at_projection, *([] if hooked is None else [hooked])})
    with loaded.lock, torch.no_grad():  # in inference mode the probes would copy every pattern
        logits = _run(loaded, token_ids, places, used, known, last=last_only, wanted=with_logits)
        shown = [(layer, at_probe[layer]) for layer in sorted(kept_patterns)]
        kept = {layer: at_projection[layer].kept for layer in sorted(kept_outputs)}
        seen = {layer: place.visible for layer, place in shown}
        run = EditedRun(logits, {layer: place.kept for layer, place in shown}, kept, seen)
        _check_numbers(loaded, token_ids, run)
    return run


def _check_numbers(loaded: LoadedModel, token_ids: Tensor, run: EditedRun) -> None:
    """Refuse a run in which something that is handed out is NaN or infinite."""
    kept = (*run.patterns.values(), *run.outputs.values())
    if (run.logits is None or are_logits(run.logits)) and all(map(are_numbers, kept)):
        return
    where = "a run with something knocked out"
    raise not_a_number(loaded.model, loaded.key, token_ids, otherwise=where)


class _Place(pyvene.ConstantSourceIntervention, pyvene.LocalistRepresentationIntervention):
    """One layer's tensor, whole: gathering single heads in PyVene returns wrong splits."""

    def __init__(self, edit: Edit | None, shape: tuple[int, ...], *, keep: bool) -> None:
        super().__init__()
        self.edit, self.shape, self.keep = edit, shape, keep
        self.see: Callable[[], Tensor | None] = lambda: None
        self.kept: Tensor | None = None
        self.visible: Tensor | None = None

    def forward(self, base: Tensor, source: object = None, subspaces: object = None) -> Tensor:
        """The tensor to use instead; some families fold heads into rows or into the width."""
        tensor = base.reshape(self.shape)
        if isinstance(self.edit, EditOfSeen):
            tensor = self.edit.edit(tensor, self.see())
        elif self.edit is not None:
            tensor = self.edit(tensor)
        if self.keep:
            self.visible = self.see()
            self.kept = tensor.float().clone()
        return tensor.reshape(base.shape)


def _places_of(
    edits: Mapping[int, Edit], kept: set[int], shape: tuple[int, ...]
) -> dict[int, _Place]:
    """{layer: what stands there} of the layers that are changed or kept."""
    return {
        layer: _Place(edits.get(layer), shape, keep=layer in kept)
        for layer in sorted({*edits, *kept})
    }


def _by_path(
    loaded: LoadedModel, at_probe: Mapping[int, _Place], at_projection: Mapping[int, _Place]
) -> dict[str, _Place]:
    """{path of a module and its side: what stands there}, as PyVene takes it."""
    places = {f"{loaded.probe_paths[layer]}.output": place for layer, place in at_probe.items()}
    if at_projection:
        paths = output_projections(loaded)
        places |= {f"{paths[layer]}.input": place for layer, place in at_projection.items()}
    return places


def _run(
    loaded: LoadedModel,
    token_ids: Tensor,
    places: Mapping[str, nn.Module],
    used: Sequence[int],
    known: Beginning | None,
    *,
    last: bool,
    wanted: bool,
) -> Tensor | None:
    """One pass; ``used`` are the layers that something is done to, in order.

    The logits of the last position alone if only those are wanted; None if none are.
    """
    rows = len(token_ids)
    with contextlib.ExitStack() as around:
        if used:
            token_ids = around.enter_context(blocks.forked(loaded, used[0], token_ids))
        if not wanted:
            around.enter_context(blocks.until(loaded, used[-1]))
        rest = token_ids[:, known.length :] if known else token_ids
        given = inputs(loaded, rest, last_only=last or not wanted)
        if known:
            given |= known.for_rows(rows, used[0] if len(token_ids) < rows else 0)
        output = Runner(loaded.model, places).run(given) if places else loaded.model(**given)
        if wanted:
            return (output.logits[:, -1:] if last else output.logits).float()
    return None


def output_projections(loaded: LoadedModel) -> tuple[str, ...]:
    """[layer] the dotted path of each layer's output projection, whose input is z.

    It is found by structure, not by name: the first linear map of the block that runs after the
    pattern passed the probe, and that passes a test: a head without attention must leave zeros in
    its slice of the input, and only there.

    Raises:
        UnsupportedModelError: if a layer has none, or one that fails the test.
        NotANumberError: if that is because the model computes NaN or infinity.
    """
    if _PROJECTIONS not in loaded.tools:
        with loaded.lock, torch.no_grad(), cores.one_core():
            loaded.tools[_PROJECTIONS] = _find_projections(loaded)
    return loaded.tools[_PROJECTIONS]


def head_weights(loaded: LoadedModel) -> list[Float[Tensor, "head dim model"]]:
    """[layer] W_O of every head: its rows of the layer's output projection, without the bias.

    Raises:
        UnsupportedModelError: as :func:`output_projections`.
    """
    weights = []
    for path in output_projections(loaded):
        projection = loaded.model.get_submodule(path)
        weight = projection.weight.detach()
        rows = weight if isinstance(projection, Conv1D) else weight.T  # [head * dim model]
        weights.append(rows.unflatten(0, (loaded.num_heads, -1)))
    return weights


def _find_projections(loaded: LoadedModel) -> tuple[str, ...]:
    """[layer] the first linear map of each block after its probe whose input is z.

    Two rows of one text are run, and in the second one head 0 is silenced in every layer, for that
    layer alone: its slice of z must be zero there, and those of the others as in the first row.
    """
    order: list[str] = []
    given: dict[str, Tensor] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(_module: nn.Module, args: tuple, _output: object) -> None:
            order.append(name)
            given[name] = args[0].clone() if args else torch.empty(0)

        return hook

    model, probes = loaded.model, loaded.probe_paths
    around = [blocks.path_of(probe) for probe in probes]
    watched = [
        f"{block}.{name}"
        for block in around
        for name, module in model.get_submodule(block).named_modules()
        if isinstance(module, nn.Linear | Conv1D)
    ]
    hooks = [(path, _silence_second) for path in probes] + [(path, _as_first) for path in around]
    hooks += [(path, note(path)) for path in (*probes, *watched)]
    handles = [model.get_submodule(path).register_forward_hook(hook) for path, hook in hooks]
    try:
        model(**inputs(loaded, _FEW.expand(2, -1)))
    finally:
        for handle in handles:
            handle.remove()
    found = []
    for layer, (block, probe) in enumerate(zip(around, probes, strict=True)):
        after = [p for p in order[order.index(probe) + 1 :] if p.startswith(f"{block}.")]
        fitting = (path for path in after if _is_z(given[path], loaded.num_heads))
        if (path := next(fitting, None)) is None:
            if not all(are_numbers(given[path]) for path in after):
                raise not_a_number(model, loaded.key, _FEW.expand(2, -1))
            why = f"the heads of layer {layer} do not lie side by side before a projection."
            raise UnsupportedModelError(
                loaded.key, why=f"the output of a single head is not there: {why}"
            )
        found.append(path)
    return tuple(found)


def _silence_second(_module: nn.Module, _args: tuple, pattern: Tensor) -> Tensor:
    """Head 0 without attention in the second of two rows."""
    pattern = pattern.clone()
    pattern.view(2, -1, *pattern.shape[-2:])[1, 0] = 0
    return pattern


def _as_first(_module: nn.Module, _args: tuple, output: object) -> None:
    """The second row leaves a block as the first one does."""
    hidden = output[0] if isinstance(output, tuple | list) else output
    hidden[1] = hidden[0]


def _is_z(tensor: Tensor, heads: int) -> bool:
    """Whether these are the heads' outputs side by side: only head 0's differ, and are zero."""
    if tensor.ndim < 2 or tensor.shape[-1] % heads or len(tensor) % 2 or not are_numbers(tensor):
        return False
    first, second = tensor.unflatten(-1, (heads, -1)).movedim(-2, 0).unflatten(1, (2, -1)).unbind(1)
    return (
        bool(first.flatten(1).any(1).all())
        and not second[0].any()
        and torch.allclose(first[1:], second[1:], rtol=1e-2, atol=1e-3 * float(first.abs().max()))
    )
