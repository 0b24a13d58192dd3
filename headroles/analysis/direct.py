"""Run a batch and hand out what each head writes: patterns, values, and frozen norms.

Direct effects are exact only if the parts are what they are taken for: that ``sum over h of
(A v[g(h)]) W_O[h] + b_O`` is the layer's attention output, that the end of the residual stream
holds a fixed multiple of it (:mod:`headroles.circuits.residual`), that each norm is linear once its
scale is frozen, and that the logits are a fixed multiple of what the unembedding gives.
:class:`Direct` checks all of it by running the model, and one that fails is refused with the
reason, not approximated.

Where a family squashes its logits (Gemma 2), they are those before that: :attr:`Direct.cap`.

>>> direct = Direct(bridge)  # doctest: +SKIP
>>> scale = direct.run(token_ids, lambda layer, seen: print(seen.values.shape))  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformer_lens.model_bridge import TransformerBridge

from headroles.analysis.bridge import forget_patterns, noting, run_hooked
from headroles.circuits.residual import writings
from headroles.circuits.tracing import BATCH, LENGTH, calls_of, same
from headroles.errors import HeadrolesError, ours
from headroles.models.blocks import SeenEnough
from headroles.models.sight import Sights
from headroles.scoring import key_value_index, through_norm

TOLERANCE = 1e-3
"""Largest error of a layer's output, put together from its heads, relative to its size."""


@dataclass(frozen=True, eq=False)
class FrozenNorm:
    """A LayerNorm or RMSNorm as ``P x * gain / scale + bias``."""

    gain: Float[Tensor, " model"]
    """[model] what each component is multiplied with."""
    bias: Float[Tensor, " model"]
    """[model] zero for an RMSNorm."""
    centers: bool
    """Whether P subtracts the mean."""

    def scale(
        self, before: Float[Tensor, "*batch model"], after: Float[Tensor, "*batch model"]
    ) -> Float[Tensor, "*batch"]:
        """What the norm divided by, found from its input and output, epsilon included."""
        centered = before - before.mean(-1, keepdim=True) if self.centers else before
        linear = centered * self.gain
        return linear.square().sum(-1) / (linear * (after - self.bias)).sum(-1)


def freeze(norm: Callable[[Tensor], Tensor], width: int) -> FrozenNorm:
    """Find a norm's gain and bias by asking it: f(x) = P x * gain + bias at x of unit scale.

    It needs no knowledge of how a family stores its gain (Gemma's is 1 + weight).
    """
    unit = torch.ones(width)
    unit[1::2] = -1  # mean 0 and mean square 1
    with torch.inference_mode():
        there, back, flat = (
            norm(vector.view(1, 1, -1)).flatten() for vector in (unit, -unit, unit**2)
        )
    gain, bias = (there - back) / 2 * unit, (there + back) / 2
    return FrozenNorm(gain, bias, centers=bool((flat - bias).abs().max() < 1e-3))


@dataclass(frozen=True, eq=False)
class Seen:
    """One layer on one batch."""

    pattern: Float[Tensor, "batch head query key"]
    """[batch head query key] attention."""
    values: Float[Tensor, "batch key kv width"]
    """[batch key kv width] values by key/value head."""
    output: Float[Tensor, "head width model"]
    """[head width model] W_O, times what the layer's writing is multiplied with on its way."""
    post: FrozenNorm | None
    """The norm between the layer's attention and the residual stream, where there is one."""
    post_scale: Float[Tensor, "batch query"] | float
    """[batch query] its scale; 1 without one."""
    visible: Bool[Tensor, "query key"] | None
    """[query key] what the heads can see; None for every token so far."""

    def before(self, directions: Float[Tensor, "*token model"]) -> Float[Tensor, "*token model"]:
        """Directions of the residual stream as directions of the heads' own outputs."""
        if self.post is None:
            return directions
        return through_norm(directions, self.post.gain, centers=self.post.centers)


class HeadsInseparableError(HeadrolesError):
    """What single heads write cannot be told apart in this model."""


class Direct:
    """A model whose heads' direct effects can be computed.

    Raises:
        HeadsInseparableError: if it has no final norm or no readable weights, or what heads write
            does not add up, or arrives in the logits by no fixed multiple.
    """

    def __init__(self, bridge: TransformerBridge) -> None:
        self.bridge, self._checked = bridge, False
        with ours(_unreadable):
            width, layers = bridge.cfg.d_model, bridge.cfg.n_layers
            self.final = freeze(bridge.ln_final, width)
            blocks = [bridge.blocks[layer] for layer in range(layers)]
            self._outputs = [block.attn.W_O.detach().float() for block in blocks]
            self.posts = [
                freeze(block.ln1_post, width) if _has(block, "ln1_post") else None
                for block in blocks
            ]
            self.unembed = bridge.W_U.detach().float()  # [model vocabulary]
        ids = torch.linspace(0, bridge.cfg.d_vocab - 1, BATCH * LENGTH + 2)[1:-1].long()
        ids = ids.reshape(BATCH, LENGTH)
        self.outputs = self._arriving(blocks, ids)
        """[layer][head width model] W_O, times what the family multiplies it with."""
        self.run(ids, lambda layer, seen: None)
        self._checked = False  # nor are its heads believed before a text has shown the same

    def _arriving(
        self, blocks: Sequence[nn.Module], ids: Int[Tensor, "batch pos"]
    ) -> list[Float[Tensor, "head width model"]]:
        """W_O by what arrives of it at the end of the stream, from two passes over a few tokens."""
        logits: list[Tensor] = []

        def run() -> None:
            logits.append(run_hooked(self.bridge, ids, returns="logits"))

        with ours(_unreadable):
            calls = calls_of(self.bridge, run)
            projections = {layer: block.attn.o for layer, block in enumerate(blocks)}
            found = writings(blocks, projections, calls, run)
        last = {call.module: call for call in calls}  # the last call of each module
        end = last.get(self.bridge.ln_final)
        if end is None or not same(end.given, last[blocks[-1]].result):
            raise HeadsInseparableError(
                "The end of this model's residual stream is not what its final norm reads, so the "
                "heads' effects cannot be told apart."
            )
        scale, self.cap = self._logit_rule(end.result.float(), logits[0].float())
        self.unembed = self.unembed if scale == 1 else self.unembed * scale
        for layer, writing in found.items():
            if (writing.norm is None) != (self.posts[layer] is None):
                raise HeadsInseparableError(
                    f"Something stands between the heads of layer {layer} and the residual stream "
                    "that cannot be read, so their effects cannot be told apart."
                )
        return [
            written if _is_one(found[layer].factor) else written * found[layer].factor
            for layer, written in enumerate(self._outputs)
        ]

    def _logit_rule(
        self, normed: Float[Tensor, "batch pos model"], logits: Float[Tensor, "batch pos vocab"]
    ) -> tuple[float, float | None]:
        """What the logits are times the unembedding of the final norm's output, and their cap."""
        if normed.shape[-1] == self.unembed.shape[0]:
            raw = (normed - normed[:1]) @ self.unembed  # without a bias
            if scale := _multiple(raw, logits - logits[:1]):
                return scale, None
            config = self.bridge.original_model.config.get_text_config()
            if cap := getattr(config, "final_logit_softcapping", None):
                before = cap * torch.atanh((logits / cap).double()).float()
                if scale := _multiple(raw, before - before[:1]):
                    return scale, float(cap)
        raise HeadsInseparableError(
            "The logits of this model are no fixed multiple of what its unembedding gives, so what "
            "a head adds to them cannot be told."
        )

    @property
    def on_what(self) -> str:
        """What the effects are on, for the words about the texts; empty for plain logits."""
        return f"; logits before they are squashed to ±{self.cap:g}" if self.cap else ""

    def directions(
        self, token_ids: Int[Tensor, "*token"], reference: Float[Tensor, "... model"]
    ) -> Float[Tensor, "*token model"]:
        """The logits of tokens, less a reference, as directions of the residual stream."""
        wanted = self.unembed.T[token_ids] - reference
        return through_norm(wanted, self.final.gain, centers=self.final.centers)

    def run(
        self, token_ids: Int[Tensor, "batch pos"], on_layer: Callable[[int, Seen], None]
    ) -> tuple[Float[Tensor, "batch pos"], Float[Tensor, "batch pos model"]]:
        """Run a batch once; ``on_layer`` is called for every layer in turn.

        Returns:
            [batch pos] the scale of the final norm, [batch pos model] its output.

        Raises:
            HeadsInseparableError: if a layer's output is not the sum of its heads'.
            UnsupportedModelError: if what heads can see depends on the head or on the text.
        """
        kept: dict[str, Tensor] = {}
        masks: dict[int, list[Tensor]] = {}
        sights = Sights(self.bridge.cfg.model_name, token_ids.shape[1])
        hooks = self._hooks(kept, on_layer, lambda layer: sights.of(masks.pop(layer)))
        with noting(self.bridge, masks):
            run_hooked(self.bridge, token_ids, hooks)
        self._checked = True
        return self.final.scale(kept["final_in"], kept["final_out"]), kept["final_out"]

    def _hooks(
        self,
        kept: dict[str, Tensor],
        on_layer: Callable[[int, Seen], None],
        sight: Callable[[int], Tensor | None],
    ) -> list[tuple[str, Callable[..., None]]]:
        """Hooks that keep what a layer shows, and hand it on when the layer is over."""
        hooks: list[tuple[str, Callable[..., None]]] = []

        def keep(name: str, place: str) -> None:
            hooks.append((place, lambda value, hook: kept.__setitem__(name, value.float())))

        def done(layer: int) -> Callable[..., None]:
            def hook(value: Tensor, hook: object) -> None:
                forget_patterns(self.bridge)
                self._check(layer, kept)
                on_layer(layer, self._seen(layer, kept, sight(layer)))

            return hook

        def end(value: Tensor, hook: object) -> None:
            if "pattern" not in kept:  # a family may norm its embeddings by the same module
                return
            kept["final_out"] = value.float()
            raise SeenEnough

        for layer in range(self.bridge.cfg.n_layers):
            here = f"blocks.{layer}"
            keep("values", f"{here}.attn.hook_v")
            keep("pattern", f"{here}.attn.hook_pattern")
            keep("out", f"{here}.attn.hook_out")
            if self.posts[layer]:
                keep("post_in", f"{here}.ln1_post.hook_in")
                keep("post_out", f"{here}.ln1_post.hook_out")
            # At the end of the block: some families show their pattern after their output.
            hooks.append((f"{here}.hook_resid_post", done(layer)))
        keep("final_in", "ln_final.hook_in")
        hooks.append(("ln_final.hook_out", end))
        return hooks

    def _seen(self, layer: int, kept: dict[str, Tensor], visible: Tensor | None) -> Seen:
        post = self.posts[layer]
        scale = post.scale(kept["post_in"], kept["post_out"]) if post else 1.0
        return Seen(kept["pattern"], kept["values"], self.outputs[layer], post, scale, visible)

    def _check(self, layer: int, kept: dict[str, Tensor]) -> None:
        """Once per model: the heads' outputs add up to the layer's."""
        if self._checked:
            return
        output, values = self._outputs[layer], kept["values"]
        if values.ndim != 4 or kept["out"].ndim != 3:
            raise self._refuse(layer)
        if values.shape[-1] != output.shape[1] or output.shape[0] % values.shape[2]:
            raise self._refuse(layer)
        index = key_value_index(output.shape[0], values.shape[2])
        moved = torch.einsum("bhqk,bkhw->bqhw", kept["pattern"], values[:, :, index])
        whole = torch.einsum("bqhw,hwm->bqm", moved, output)
        bias = getattr(self.bridge.blocks[layer].attn.o, "bias", None)
        whole = whole if bias is None else whole + bias.float()
        if (whole - kept["out"]).abs().max() > TOLERANCE * kept["out"].abs().max():
            raise self._refuse(layer)

    def _refuse(self, layer: int) -> HeadsInseparableError:
        return HeadsInseparableError(
            f"What the heads of layer {layer} write does not add up to the layer's output, so "
            "their effects cannot be told apart in this kind of model."
        )


def _has(block: object, name: str) -> bool:
    try:
        return getattr(block, name) is not None
    except AttributeError:
        return False


def _is_one(factor: Float[Tensor, " model"] | float) -> bool:
    return isinstance(factor, float) and factor == 1


def _unreadable(error: BaseException) -> HeadsInseparableError:
    return HeadsInseparableError(
        "The weights of this model cannot be read head by head, so what its heads write cannot be "
        "told apart."
    )


def _multiple(raw: Tensor, logits: Tensor) -> float | None:
    """By what the logits are a multiple of something; None if they are not, or of nothing."""
    scale = float((raw * logits).sum() / raw.square().sum())
    if not (raw * scale - logits).abs().max() <= TOLERANCE * logits.abs().max():
        return None
    return 1.0 if abs(scale - 1) < 1e-4 else scale
