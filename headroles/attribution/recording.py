"""One pass of a model, kept at one position of each row: all that any target's parts need.

Hooks keep what modules give there; edits that change nothing keep attention and head outputs
(:func:`headroles.capture.run_edited`), so a pass with a knock-out is kept in the same way. Which
module is a layer's MLP, and what is multiplied with what on its way to the end of the residual
stream, :mod:`headroles.circuits.residual` has found by trying.

>>> record(loaded, encoding).logits.shape  # doctest: +SKIP
torch.Size([49152])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from headroles.capture import Edit, EditOfSeen, run_edited
from headroles.circuits import weights
from headroles.circuits.layouts import parts_of
from headroles.circuits.parts import Norm, Parts, matrix_of
from headroles.circuits.tracing import unreadable
from headroles.models import LoadedModel, are_numbers, blocks, not_a_number
from headroles.models.memory import PASS_NUMBERS
from headroles.texts import pack
from headroles.types import Encoding, place_in

_TOLERANCE = 1e-3
"""Largest difference of a head's output from attention times values, relative to the layer's."""


@dataclass(frozen=True, eq=False)
class Recording:
    """What the parts of a model did at one position of one prompt, for any target."""

    position: int
    """The position whose next token is predicted."""
    z: tuple[Float[Tensor, "head d_head"], ...]
    """[layer] [head d_head] what each head put out, as used."""
    replaced: Bool[Tensor, "layer head"]
    """[layer head] whether an edit of head outputs changed that."""
    attention: Float[Tensor, "layer head key"]
    """[layer head key] attention from the position, as used."""
    values: tuple[Float[Tensor, "kv_head key d_head"], ...]
    """[layer] [kv_head key d_head] what it weighs."""
    scales: Float[Tensor, " layer"]
    """[layer] what the norm behind each attention divided by; 1 where there is none."""
    mlps: Float[Tensor, "layer d_model"]
    """[layer d_model] what the end of the stream holds of each MLP."""
    remainders: tuple[int, ...]
    """Layers whose MLP is what is left of the layer's change."""
    embedding: Float[Tensor, " d_model"]
    """[d_model] what the end of the stream holds of the token's embedding."""
    positions: Float[Tensor, " d_model"]
    """[d_model] the same of its learned position; zeros where there is none."""
    end: Float[Tensor, " d_model"]
    """[d_model] the end of the stream."""
    logits: Float[Tensor, " vocab"]
    """[vocab] the model's own logits, before any soft cap; empty where they were not asked for."""


def record(
    loaded: LoadedModel,
    encoding: Encoding,
    *,
    position: int = -1,
    patterns: Mapping[int, Edit] | None = None,
    outputs: Mapping[int, Edit] | None = None,
) -> Recording:
    """One pass over a prompt, kept for every target; see :func:`contribute`."""
    (seen,) = record_rows(
        loaded, [encoding.token_ids], positions=[position], patterns=patterns, outputs=outputs
    )
    return seen


def record_rows(
    loaded: LoadedModel,
    token_ids: Sequence[Sequence[int]],
    *,
    positions: Sequence[int] | None = None,
    patterns: Mapping[int, Edit] | None = None,
    outputs: Mapping[int, Edit] | None = None,
    logits: bool = True,
) -> list[Recording]:
    """Many prompts, or one under many conditions, in as few passes as memory allows.

    Args:
        loaded: a model.
        token_ids: [row] the ids of each row; lengths may differ.
        positions: [row] the position of each that is recorded; by default the last.
        patterns: edits of all rows at once, in one pass.
        outputs: the same of head outputs.
        logits: whether each row's logits are wanted.

    Raises:
        UnknownPositionError, UnsupportedModelError, NotANumberError: as :func:`contribute`.
    """
    where = [
        place_in(at, len(ids))
        for at, ids in zip(positions or [-1] * len(token_ids), token_ids, strict=True)
    ]
    if patterns or outputs:
        return _one_pass(loaded, token_ids, where, patterns or {}, outputs or {}, logits=logits)
    rows = [ids[: at + 1] for ids, at in zip(token_ids, where, strict=True)]  # nothing looks ahead
    step = max(1, min(32, PASS_NUMBERS // (loaded.num_heads * max(map(len, rows)) ** 2)))
    return [
        seen
        for start in range(0, len(rows), step)
        for seen in _one_pass(
            loaded, rows[start : start + step], where[start : start + step], {}, {}, logits=logits
        )
    ]


# ------------------------------------------------------------------ one pass


class _Seen:
    """What hooks and edits keep of a pass: of each tensor, one position of every row."""

    def __init__(self, rows: int, length: int, positions: Sequence[int]) -> None:
        self.rows, self.length = rows, length
        self.positions = torch.tensor(positions)
        self.kept: dict[tuple[str, int], Tensor] = {}
        self.edits: dict[tuple[str, int], Edit] = {}

    def whole(self, tensor: Tensor) -> Float[Tensor, "row pos width"]:
        """Some families fold positions into rows."""
        return tensor.reshape(self.rows, self.length, tensor.shape[-1]).float()

    def keep(self, name: str, layer: int, tensor: Tensor) -> None:
        """Keep a module's tensor at each row's position."""
        if self.fits(tensor):
            at = self.whole(tensor)[torch.arange(self.rows), self.positions]
            self.kept[name, layer] = at.clone()

    def fits(self, tensor: Tensor) -> bool:
        """Whether it is of this pass: a model's first pass may start others, over a few tokens."""
        return tensor.numel() == self.rows * self.length * tensor.shape[-1]

    def result(self, name: str, layer: int) -> Callable[..., None]:
        """A hook that keeps what a module gives."""

        def hook(_module: nn.Module, _args: object, output: object) -> None:
            self.keep(name, layer, _first(output))

        return hook

    def given(self, name: str, layer: int) -> Callable[..., None]:
        """A hook that keeps what a module is given."""

        def hook(_module: nn.Module, args: tuple, kwargs: dict) -> None:
            self.keep(name, layer, _first((*args, *kwargs.values())))

        return hook

    def values(self, layer: int, features: Int[Tensor, "kv_head d_head"]) -> Callable[..., None]:
        """A hook that keeps a layer's values at every position."""

        def hook(_module: nn.Module, _args: object, output: object) -> None:
            if self.fits(tensor := _first(output)):
                by_head = self.whole(tensor)[..., features]  # [row pos kv_head d_head]
                self.kept["values", layer] = by_head.transpose(1, 2).clone()

        return hook

    def uncapped(self, scale: float) -> Callable[..., None]:
        """A hook that keeps the logits before they are squashed."""

        def hook(_module: nn.Module, _args: object, output: Tensor) -> None:
            self.kept["uncapped", 0] = output.float() * scale

        return hook

    def pattern(self, layer: int, edit: Edit | None) -> Edit:
        """An edit that keeps what another one makes of a layer's pattern."""

        def kept(pattern: Tensor) -> Tensor:
            self.kept["pattern", layer] = pattern[
                torch.arange(self.rows), :, self.positions
            ].float()
            return pattern

        if isinstance(edit, EditOfSeen):
            return EditOfSeen(lambda pattern, sight: kept(edit.edit(pattern, sight)))
        return kept if edit is None else lambda pattern: kept(edit(pattern))

    def output(self, layer: int, edit: Edit | None) -> Edit:
        """The same of its head outputs, and as they were before."""

        def kept(z: Tensor) -> Tensor:
            every = torch.arange(self.rows)
            self.kept["unedited", layer] = z[every, self.positions].float().clone()
            z = z if edit is None else edit(z)
            self.kept["z", layer] = z[every, self.positions].float().clone()
            return z

        return kept


def _one_pass(
    loaded: LoadedModel,
    token_ids: Sequence[Sequence[int]],
    positions: Sequence[int],
    patterns: Mapping[int, Edit],
    outputs: Mapping[int, Edit],
    *,
    logits: bool,
) -> list[Recording]:
    parts = parts_of(loaded)
    weights.writing(loaded, 0)  # refuses what cannot be told
    ids, every = pack(token_ids).token_ids, range(loaded.num_layers)
    seen = _Seen(*ids.shape, positions)
    at_end = all(position == ids.shape[1] - 1 for position in positions)
    with loaded.lock:
        hooks = _hang(loaded, parts, seen)
        try:
            run = run_edited(
                loaded,
                ids,
                patterns={layer: seen.pattern(layer, patterns.get(layer)) for layer in every},
                outputs={layer: seen.output(layer, outputs.get(layer)) for layer in every},
                last_only=at_end,
                with_logits=logits,
            )
        finally:
            for hook in hooks:
                hook.remove()
    if not all(are_numbers(kept) for (name, _), kept in seen.kept.items() if name != "uncapped"):
        raise not_a_number(loaded.model, loaded.key, ids, otherwise="what its parts write")
    given = seen.kept.get(("uncapped", 0), run.logits)
    return [
        _recording(loaded, seen, row, int(ids[row, position]), given[row] if logits else None)
        for row, position in enumerate(positions)
    ]


def _hang(
    loaded: LoadedModel, parts: Parts, seen: _Seen
) -> list[torch.utils.hooks.RemovableHandle]:
    """Put the hooks of one pass in place."""
    hooks = []
    for layer, (own, writing, mlp) in enumerate(
        zip(parts.layers, parts.writings, parts.mlps, strict=True)
    ):
        value, block = own.value, blocks.block_of(loaded, layer)
        hook = seen.values(layer, value.features)
        hooks.append(value.module.register_forward_hook(hook))
        hooks.append(block.register_forward_hook(seen.result("stream", layer)))
        if writing.norm_module is not None:
            hook = seen.given("norm", layer)
            hooks.append(writing.norm_module.register_forward_pre_hook(hook, with_kwargs=True))
        if mlp.module is not None:
            hooks.append(mlp.module.register_forward_hook(seen.result("mlp", layer)))
    if parts.layout.logit_cap:
        head = loaded.model.get_output_embeddings()
        hooks.append(head.register_forward_hook(seen.uncapped(parts.logit_scale)))
    return hooks


def _recording(
    loaded: LoadedModel, seen: _Seen, row: int, token_id: int, logits: Tensor | None
) -> Recording:
    """What was kept of one row, as the end of the stream finds it."""
    parts, every = parts_of(loaded), range(loaded.num_layers)
    position, by_head = int(seen.positions[row]), (loaded.num_heads, -1)
    keys = slice(0, position + 1)
    z = tuple(seen.kept["z", layer][row].reshape(by_head) for layer in every)
    unedited = tuple(seen.kept["unedited", layer][row].reshape(by_head) for layer in every)
    attention = torch.stack([seen.kept["pattern", layer][row, :, keys] for layer in every])
    values = tuple(seen.kept["values", layer][row, :, keys].clone() for layer in every)
    _check_values(loaded, parts, attention, values, unedited)
    scales = torch.stack([_norm_scale(parts, seen, layer, row) for layer in every])
    embedding, learned = _start(loaded, parts, token_id, position)
    stream = [embedding + learned, *(seen.kept["stream", layer][row] for layer in every)]
    carried_in = parts.writings[0].carried_in
    added = [
        seen.kept["mlp", layer][row] * mlp.factor
        if mlp.module is not None
        else _rest(loaded, layer, stream, z[layer], scales[layer])
        for layer, mlp in enumerate(parts.mlps)
    ]
    return Recording(
        position=position,
        z=z,
        replaced=torch.stack([(a != b).any(-1) for a, b in zip(z, unedited, strict=True)]),
        attention=attention,
        values=values,
        scales=scales,
        mlps=torch.stack(added),
        remainders=tuple(n for n, mlp in enumerate(parts.mlps) if mlp.is_rest),
        embedding=embedding * carried_in,
        positions=learned * carried_in,
        end=stream[-1],
        logits=torch.empty(0) if logits is None else logits[min(position, len(logits) - 1)].clone(),
    )


def _check_values(
    loaded: LoadedModel,
    parts: Parts,
    attention: Float[Tensor, "layer head key"],
    values: Sequence[Tensor],
    unedited: Sequence[Tensor],
) -> None:
    """Attention times values is what the heads put out, before any edit of it."""
    for layer, z in enumerate(unedited):
        weighed = values[layer][list(parts.layers[layer].kv_of)]  # [head key d_head]
        again = (attention[layer][:, None] @ weighed).squeeze(1)
        if (again - z).abs().max() > _TOLERANCE * max(1e-6, float(z.abs().max())):
            raise unreadable(loaded, f"the heads of layer {layer} do more than weigh its values.")


def _start(
    loaded: LoadedModel, parts: Parts, token_id: int, position: int
) -> tuple[Float[Tensor, " d_model"], Float[Tensor, " d_model"]]:
    """What the first layer finds of a token and of its learned position."""
    table = loaded.model.get_input_embeddings().weight.detach()
    embedding = weights.apply_embedding(loaded, table[[token_id]].float())[0]
    learned = parts.embedding.positions
    return embedding, torch.zeros_like(embedding) if learned is None else learned[position].float()


def _norm_scale(parts: Parts, seen: _Seen, layer: int, row: int) -> Float[Tensor, ""]:
    """What the norm behind a layer's attention divided by."""
    norm = parts.writings[layer].norm
    return torch.tensor(1.0) if norm is None else scale_of(norm, seen.kept["norm", layer][row])


def _rest(
    loaded: LoadedModel,
    layer: int,
    stream: Sequence[Float[Tensor, " d_model"]],
    z: Float[Tensor, "head d_head"],
    scale: Float[Tensor, ""],
) -> Float[Tensor, " d_model"]:
    """What a layer adds to the end of the stream besides its attention, as a difference."""
    parts = parts_of(loaded)
    writing, mlp = parts.writings[layer], parts.mlps[layer]
    if not mlp.is_rest:
        return torch.zeros_like(stream[0])
    matrix, bias = matrix_of(parts.layers[layer].output)
    written = z.flatten() @ matrix.float() + (0 if bias is None else bias.float())
    if writing.norm is not None:
        written = writing.norm.fold(written) / scale + writing.norm.bias
    change = stream[layer + 1] * writing.carried - stream[layer] * writing.carried_in
    return change - written * writing.factor


def scale_of(norm: Norm, seen: Float[Tensor, " d_model"]) -> Float[Tensor, ""]:
    """What a norm divides by."""
    if norm.kind == "none":
        return torch.ones((), dtype=seen.dtype)
    centred = seen - seen.mean() if norm.kind == "LayerNorm" else seen
    return (centred.square().mean() + norm.eps).sqrt()


def _first(values: object) -> Tensor:
    """A module's tensor, or the first of several."""
    if isinstance(values, Tensor):
        return values
    return next(value for value in values if isinstance(value, Tensor))
