"""Heads knocked out at the last position of prompts, many in few passes.

What a head writes at the last position reaches no other one, so the prompts up to there are run
once and their keys and values kept (the model's own cache). A pass then runs the last token alone,
from the first changed layer on: the blocks before it answer with the residual stream of the
untouched model, as in :mod:`headroles.analysis.knockout_passes`. Both are held against whole passes
before any number is believed.

>>> end = LastPosition(bridge, token_ids)  # doctest: +SKIP
>>> without = end.without([Head(20, 0)], means, watch=[23])  # doctest: +SKIP
>>> without.patterns[23].shape  # [condition row head key]  # doctest: +SKIP
torch.Size([1, 64, 9, 15])
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from headroles.analysis.bridge import forget_patterns, run_hooked
from headroles.analysis.knockout_passes import MAX_HIDDEN, each_tensor, skipped_blocks
from headroles.errors import HeadrolesError
from headroles.models.blocks import SeenEnough
from headroles.types import Head

TOLERANCE = 1e-4
"""How far from a whole pass an attention or a hidden state may be, as a share of its size."""

Means = Float[Tensor, "layer head d_head"]


class NoLastPassError(HeadrolesError):
    """The last token of this model's prompts cannot be run on its own."""


@dataclass(frozen=True, eq=False)
class SeenAtEnd:
    """What the last position shows under every condition."""

    patterns: dict[int, Float[Tensor, "condition row head key"]]
    """{layer: attention}, for the layers that were asked for."""
    hidden: Float[Tensor, "condition row model"] | None
    """What the final norm gives; None where the pass ended before."""


class LastPosition:
    """Prompts of one length, run up to their last token.

    Args:
        bridge: the model.
        token_ids: [row pos] the prompts, without padding.

    Raises:
        NoLastPassError: if the model hands out no keys and values that a pass could go on from.
    """

    def __init__(self, bridge: TransformerBridge, token_ids: Int[Tensor, "row pos"]) -> None:
        self._bridge, self._ids = bridge, token_ids
        self._blocks = [bridge.blocks[layer] for layer in range(bridge.cfg.n_layers)]
        given = run_hooked(bridge, token_ids[:, :-1], returns="logits_and_cache", use_cache=True)
        self._cache = given[1] if isinstance(given, tuple) else None
        forget_patterns(bridge)
        if not hasattr(self._cache, "layers"):
            raise NoLastPassError("This model keeps no keys and values to go on from.")
        self._outputs: dict[int, object] = {}
        """{layer: the untouched block's output at the last position}."""
        shape = (len(token_ids), len(self._blocks), bridge.cfg.n_heads, bridge.cfg.d_head)
        self.outputs: Float[Tensor, "row layer head d_head"] = torch.zeros(shape)
        """[row layer head d_head] the heads' own outputs (z) at the last position."""
        self.untouched = self._untouched()

    def _untouched(self) -> SeenAtEnd:
        """One pass without a knock-out, which keeps what the others go on from."""

        def keep(z: Tensor, layer: int) -> Tensor:
            self.outputs[:, layer] = z[:, -1].float()
            return z

        def keeper(layer: int) -> Callable[..., None]:
            def hook(block: object, given: object, output: object) -> None:
                self._outputs[layer] = each_tensor(output, torch.clone)

            return hook

        layers = range(len(self._blocks))
        handles = [self._blocks[layer].register_forward_hook(keeper(layer)) for layer in layers]
        try:
            changed = dict.fromkeys(layers, keep)
            return self._pass(self._ids[:, -1:], self._copy(0, 1), changed, layers, to_end=True)
        finally:
            for handle in handles:
                handle.remove()

    def without(
        self, heads: Sequence[Head], means: Means, *, watch: Collection[int], to_end: bool = False
    ) -> SeenAtEnd:
        """Each of some heads of one layer knocked out alone, at the last position.

        Args:
            heads: of one layer.
            means: [layer head d_head] what the outputs are set to.
            watch: the layers whose attention is wanted.
            to_end: whether the hidden states are wanted; without them the pass ends at the last
                watched layer.
        """
        (layer,) = {head.layer for head in heads}
        rows, n = len(self._ids), len(heads)
        token, cache = self._ids[:, -1:].repeat(n, 1), self._copy(layer, n)
        with self._from(layer, n):
            seen = self._pass(
                token, cache, {layer: _knock_out(heads, rows, means)}, watch, to_end=to_end
            )
        return _by_condition(seen, n)

    def at_once(self) -> int:
        """How many conditions a pass may hold."""
        widest = max(self._bridge.cfg.d_mlp or 0, 4 * self._bridge.cfg.d_model)
        kept = self._ids.shape[1] * self._bridge.cfg.d_model
        return max(1, MAX_HIDDEN // (len(self._ids) * max(widest, kept)))

    def check(self, layers: Collection[int], means: Means, *, watch: Collection[int]) -> None:
        """Compare with whole passes, which skip and keep nothing, on two prompts.

        Args:
            layers: where heads are knocked out.
            means: what their outputs are set to.
            watch: the layers whose attention is compared; the hidden states always are.

        Raises:
            NoLastPassError: if this model's passes cannot be cut in this way.
        """
        few = LastPosition(self._bridge, self._ids[:2])
        for layer in layers:
            heads = [Head(layer, 0), Head(layer, self._bridge.cfg.n_heads - 1)]
            cut = few.without(heads, means, watch=watch, to_end=True)
            changed = {layer: _knock_out(heads, len(few._ids), means)}
            ids = few._ids.repeat(len(heads), 1)
            whole = _by_condition(self._pass(ids, None, changed, watch, to_end=True), len(heads))
            pairs = [(cut.patterns[at], whole.patterns[at]) for at in watch]
            pairs.append((cut.hidden, whole.hidden))
            if not all(_close(one, other) for one, other in pairs):
                raise NoLastPassError(
                    "The last token of a prompt, run on its own, gives other numbers than in a "
                    "whole pass of this model."
                )

    def _from(self, layer: int, n: int) -> contextlib.AbstractContextManager[None]:
        if layer == 0:
            return contextlib.nullcontext()
        known = each_tensor(self._outputs[layer - 1], lambda kept: torch.cat([kept] * n))
        return skipped_blocks(self._blocks[:layer], known)

    def _copy(self, layer: int, n: int) -> object:
        """The keys and values, from a layer on once per condition: [condition * row ...]."""
        cache, rows = copy.deepcopy(self._cache), torch.arange(len(self._ids)).repeat(n)
        if n > 1:
            for kept in cache.layers[layer:]:
                kept.batch_select_indices(rows)
        return cache

    def _pass(
        self,
        token_ids: Int[Tensor, "row pos"],
        cache: object | None,
        changed: dict[int, Callable[[Tensor, int], Tensor]],
        watch: Collection[int],
        *,
        to_end: bool,
    ) -> SeenAtEnd:
        """One pass with each layer's z passed on; [1 row ...]."""
        patterns: dict[int, Tensor] = {}
        hidden: list[Tensor] = []

        def see(layer: int) -> Callable[..., None]:
            def hook(pattern: Tensor, hook: object) -> None:
                forget_patterns(self._bridge)
                patterns[layer] = pattern[None, :, :, -1].float()

            return hook

        def end(value: Tensor, hook: object) -> None:
            hidden.append(value[None, :, -1].float())
            raise SeenEnough

        def stop(value: Tensor, hook: object) -> None:
            raise SeenEnough

        hooks = [(f"blocks.{at}.attn.hook_pattern", see(at)) for at in watch]
        hooks += [
            (f"blocks.{at}.attn.hook_z", lambda z, hook, at=at, change=change: change(z, at))
            for at, change in changed.items()
        ]
        # Some families show their pattern after their output: a pass ends behind the block.
        last = "ln_final.hook_out" if to_end else f"blocks.{max(watch)}.hook_resid_post"
        hooks.append((last, end if to_end else stop))
        kept = {} if cache is None else {"past_key_values": cache}
        run_hooked(self._bridge, token_ids, hooks, use_cache=cache is not None, **kept)
        forget_patterns(self._bridge)
        return SeenAtEnd(patterns, hidden[0] if hidden else None)


def _knock_out(heads: Sequence[Head], rows: int, means: Means) -> Callable[[Tensor, int], Tensor]:
    """Set one head per condition to its mean at the last position: z is [condition * row ...]."""

    def change(z: Tensor, layer: int) -> Tensor:
        z = z.clone()
        for place, head in enumerate(heads):
            z[place * rows : (place + 1) * rows, -1, head.head] = means[head].to(z.dtype)
        return z

    return change


def _by_condition(seen: SeenAtEnd, n: int) -> SeenAtEnd:
    def divided(kept: Tensor) -> Tensor:
        return kept[0].unflatten(0, (n, -1))

    patterns = {layer: divided(pattern) for layer, pattern in seen.patterns.items()}
    return SeenAtEnd(patterns, None if seen.hidden is None else divided(seen.hidden))


def _close(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and bool(
        (one - other).abs().max() <= TOLERANCE * other.abs().max().clamp_min(1)
    )
