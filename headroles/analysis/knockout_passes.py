"""Many knock-outs in few passes, each from its first changed layer on.

The batch holds every text once per condition. What a condition leaves as it is, is run once for
all conditions of a batch of texts:

    layers      the residual stream that enters layer l is that of the untouched model for every
                condition whose first head lies in layer l, so the blocks before l are skipped and
                the last of them hands out the stored residual stream
    logits      a vocabulary is the widest matrix of a small model; the hidden states that reach the
                unembedding are gathered at the counted positions, and only these are multiplied

Both go through the model's own forward, so masks, rotary angles, norms and soft caps are the
family's own. A family that cannot be run so (layers that read earlier layers' keys, say) is seen by
:func:`_is_exact`, which compares with plain passes on two texts, and is run by plain passes.

>>> losses = knocked_out(bridge, texts, [frozenset([Head(1, 4)])], ...)  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, groupby

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformer_lens.model_bridge import TransformerBridge

from headroles.analysis.bridge import forget_patterns, run_hooked
from headroles.models.blocks import SeenEnough
from headroles.reference import MAX_CELLS
from headroles.roles import earlier_copies
from headroles.texts import batches
from headroles.types import Head, Sequences

MAX_LOGITS = 12_000_000
"""Numbers in the logits of one pass: about 50 MB."""
MAX_HIDDEN = 3_000_000
"""Numbers in the widest layer of one pass: about 12 MB. Larger passes leave the caches."""
LONGER = 1.15
"""How much longer than the shortest the texts of one pass may be: padding is run for nothing."""
TOLERANCE = 1e-5
"""How far from a plain pass a loss may be, in nats and as a share of it."""

PASSES = (MAX_LOGITS, MAX_HIDDEN, MAX_CELLS, LONGER)
"""What the passes are cut by: with the same ones, pass number n is the same pass."""

Condition = frozenset[Head]
"""The heads that are knocked out together."""

Means = Float[Tensor, "layer head d_head"]
Recall = Callable[[str, Callable[[], Tensor]], Tensor]
OnOutput = Callable[[Tensor, int], Tensor]
"""``(z [batch pos head d_head], layer) -> z`` that goes on."""


@dataclass(frozen=True, eq=False)
class Baseline:
    """The untouched model on some texts."""

    loss: Float[Tensor, " n"]
    """[n] nats per counted token, text by text."""
    means: Means
    """[layer head d_head] mean output of every head over the positions after 0."""


# ------------------------------------------------------------------ which tokens count


def counted_positions(texts: Sequences, kind: str) -> Bool[Tensor, "n pos"]:
    """[n pos] True where the guess of the *next* token counts.

    Args:
        texts: probe texts, position 0 being the start token.
        kind: ``repeats``: the token has an earlier copy that was followed by the right guess;
            ``sentences``, ``held_out``: every position after 0 that has a next token.
    """
    ids, lengths = texts.token_ids, texts.lengths
    has_next = torch.arange(ids.shape[1]) + 1 < lengths.unsqueeze(-1)  # [n pos]
    if kind == "repeats":
        copies = earlier_copies(ids)  # [n query key]
        following = torch.zeros_like(copies)
        following[:, :-1, :-1] = copies[:, 1:, 1:]  # t[k+1] = t[q+1]
        return (copies & following).any(-1) & has_next
    counted = has_next.clone()
    counted[:, 0] = False
    return counted


# ------------------------------------------------------------------ running


@dataclass(frozen=True, eq=False)
class _Batch:
    """Texts that run together."""

    ids: Int[Tensor, "rows pos"]
    counted: Bool[Tensor, "rows pos"]

    @classmethod
    def of(cls, texts: Sequences, rows: Tensor, counted: Tensor) -> _Batch:
        longest = int(texts.lengths[rows].max())
        return cls(texts.token_ids[rows, :longest], counted[rows, :longest])

    def times(self, n: int) -> _Batch:
        """All texts of the first condition, then all of the second, ..."""
        return _Batch(self.ids.repeat(n, 1), self.counted.repeat(n, 1))

    @property
    def following(self) -> Int[Tensor, " counted"]:
        """The right guesses, row by row."""
        rows, places = self.counted.nonzero(as_tuple=True)
        return self.ids[rows, places + 1]

    def mean(self, each: Float[Tensor, " counted"]) -> Float[Tensor, " rows"]:
        """[rows] means over the counted positions."""
        total = torch.zeros(len(self.ids)).index_add_(0, self.counted.nonzero()[:, 0], each)
        return total / self.counted.sum(-1).clamp_min(1)


def untouched(
    bridge: TransformerBridge, texts: Sequences, counted: Bool[Tensor, "n pos"]
) -> Baseline:
    """One pass over the texts without an intervention, which also gives the means."""
    shape = (bridge.cfg.n_layers, bridge.cfg.n_heads, bridge.cfg.d_head)
    sums, loss = torch.zeros(shape), torch.zeros(len(texts))
    most = min(MAX_CELLS, MAX_LOGITS // bridge.cfg.d_vocab * int(texts.lengths.max()))
    for rows in batches(texts, max_cells=most):
        batch = _Batch.of(texts, rows, counted)
        text = torch.arange(batch.ids.shape[1]) < texts.lengths[rows].unsqueeze(-1)
        text[:, 0] = False

        def add(z: Tensor, layer: int, text: Tensor = text) -> Tensor:
            sums[layer] += z[text].float().sum(0).reshape(sums.shape[1:])
            return z

        loss[rows] = _plain_loss(bridge, batch, dict.fromkeys(range(shape[0]), add))
    return Baseline(loss, sums / int((texts.lengths - 1).sum()))


def knocked_out(
    bridge: TransformerBridge,
    texts: Sequences,
    conditions: Sequence[Condition],
    *,
    counted: Bool[Tensor, "n pos"],
    means: Means,
    advance: Callable[[int], None] = lambda work: None,
    recall: Recall = lambda name, run: run(),
) -> Float[Tensor, "condition n"]:
    """The loss of every condition on every text, nats per counted token.

    Args:
        bridge: the model.
        texts: the texts.
        conditions: the heads that are knocked out together, condition by condition.
        counted: [n pos] from :func:`counted_positions`.
        means: [layer head d_head] what the outputs are set to.
        advance: told after every pass how much of :func:`work` it was.
        recall: gives a pass' losses by its name, or has it run.
    """
    number = count()
    losses = torch.zeros(len(conditions), len(texts))
    order = sorted(range(len(conditions)), key=lambda place: first_layer(conditions[place]))
    kind = _FromLayer if _is_exact(bridge, texts, conditions, counted, means) else _Plain
    for rows in kind.batches(bridge, texts):
        batch = _Batch.of(texts, rows, counted)
        passes = kind(bridge, batch, {first_layer(condition) for condition in conditions})
        for layer, group in groupby(order, key=lambda place: first_layer(conditions[place])):
            for places in _parts(list(group), passes.conditions_a_pass):
                chunk = [conditions[place] for place in places]

                def run(
                    passes: _Plain | _FromLayer = passes,
                    layer: int = layer,
                    chunk: Sequence[Condition] = chunk,
                    rows: Tensor = rows,
                ) -> Tensor:
                    hooked = _set_to_means(chunk, len(rows), means)
                    return passes.losses(layer, len(chunk), hooked)

                loss = recall(f"{kind.cut} pass {next(number)}", run)
                losses[torch.tensor(places)[:, None], rows] = loss.view(len(chunk), len(rows))
                advance(work(bridge, chunk, texts.lengths[rows]))
    return losses


def first_layer(condition: Condition) -> int:
    """The layer that a condition changes first."""
    return min(head.layer for head in condition)


def work(
    bridge: TransformerBridge, conditions: Sequence[Condition], lengths: Int[Tensor, " n"]
) -> int:
    """What conditions take on texts: layers x tokens, the logits counting as three layers."""
    layers = bridge.cfg.n_layers + 3
    return sum(layers - first_layer(each) for each in conditions) * int(lengths.sum())


def _parts(items: list[int], most: int) -> list[list[int]]:
    """Parts of at most so many, about as long as each other."""
    size = -(-len(items) // -(-len(items) // most))
    return [items[start : start + size] for start in range(0, len(items), size)]


def _set_to_means(conditions: Sequence[Condition], rows: int, means: Means) -> dict[int, OnOutput]:
    """{layer: what sets its knocked-out heads to their means}, for the layers that have some."""
    out = torch.zeros(len(conditions), *means.shape[:2], dtype=torch.bool)
    for place, condition in enumerate(conditions):
        for layer, head in condition:
            out[place, layer, head] = True

    def replace(z: Tensor, layer: int) -> Tensor:
        # [condition * rows 1 head 1]: the batch holds all texts of the first condition, then ...
        is_out = out[:, layer].repeat_interleave(rows, 0)[:, None, :, None]
        after_start = (torch.arange(z.shape[1]) > 0)[None, :, None, None]
        mean = means[layer].to(z.dtype)
        return torch.where(is_out & after_start, mean, z)

    return dict.fromkeys(out.any(0).any(-1).nonzero().flatten().tolist(), replace)


def _is_exact(
    bridge: TransformerBridge,
    texts: Sequences,
    conditions: Sequence[Condition],
    counted: Bool[Tensor, "n pos"],
    means: Means,
) -> bool:
    """Whether passes from a layer on give the plain losses: on two texts, for every first layer.

    What a model keeps beside the residual stream, from other texts or fewer conditions, shows.
    """
    by_layer = {first_layer(condition): condition for condition in conditions}
    rows = texts.lengths.argsort()[:2]
    batch = _Batch.of(texts, rows, counted)

    def losses(passes: _Plain | _FromLayer) -> Tensor:
        return torch.cat(
            [
                passes.losses(layer, 2, _set_to_means([condition] * 2, len(rows), means))
                for layer, condition in by_layer.items()
            ]
        )

    try:
        skipping = losses(_FromLayer(bridge, batch, by_layer))
    except Exception:  # whatever does not go with a family: it is run whole
        return False
    whole = losses(_Plain(bridge, batch, by_layer))
    return torch.allclose(skipping, whole, atol=TOLERANCE, rtol=TOLERANCE / 10)


# ------------------------------------------------------------------ plain passes


class _Plain:
    """Passes through the whole model, for every family."""

    cut = "whole"
    """How the texts are cut into passes, for the passes' names."""

    def __init__(self, bridge: TransformerBridge, batch: _Batch, layers: Collection[int]) -> None:
        self._bridge, self._batch = bridge, batch
        rows, length = batch.ids.shape
        by_logits = MAX_LOGITS // (rows * length * bridge.cfg.d_vocab)
        self.conditions_a_pass = max(1, min(by_logits, 4 * MAX_CELLS // (rows * length**2)))

    @staticmethod
    def batches(bridge: TransformerBridge, texts: Sequences) -> list[Int[Tensor, " rows"]]:
        """Rows of like length that run together, whatever number of conditions they run under."""
        most = MAX_LOGITS // bridge.cfg.d_vocab * int(texts.lengths.max())
        return batches(texts, max_cells=min(MAX_CELLS // 4, most))

    def losses(
        self, layer: int, n: int, hooked: Mapping[int, OnOutput]
    ) -> Float[Tensor, " losses"]:
        """[condition * rows] losses of n conditions; their first layer does not matter here."""
        return _plain_loss(self._bridge, self._batch.times(n), hooked)


def _plain_loss(
    bridge: TransformerBridge, batch: _Batch, hooked: Mapping[int, OnOutput]
) -> Float[Tensor, " rows"]:
    """[rows] mean next-token loss over the counted positions, with each layer's z passed on."""
    logits = _run(bridge, batch.ids, hooked)
    return batch.mean(_nats(logits[batch.counted], batch.following))


def _nats(
    logits: Float[Tensor, "counted vocab"], right: Int[Tensor, " counted"]
) -> Float[Tensor, " counted"]:
    return cross_entropy(logits.float(), right, reduction="none")


def _run(
    bridge: TransformerBridge,
    token_ids: Int[Tensor, "rows pos"],
    hooked: Mapping[int, OnOutput],
    before_logits: Callable[[Tensor], Tensor] | None = None,
) -> Tensor | None:
    """The logits, with each layer's z and the hidden states before the unembedding passed on; None
    where one of these ended the pass."""

    def hook_for(layer: int, change: OnOutput) -> Callable[..., Tensor]:
        def hook(z: Tensor, hook: object) -> Tensor:
            forget_patterns(bridge)
            return change(z, layer)

        return hook

    hooks = [(f"blocks.{n}.attn.hook_z", hook_for(n, change)) for n, change in hooked.items()]
    if before_logits:
        hooks.append(("unembed.hook_in", lambda hidden, hook: before_logits(hidden)))
    try:
        return run_hooked(bridge, token_ids, hooks, returns="logits")
    finally:
        forget_patterns(bridge)


# ------------------------------------------------------------------ passes from a layer on

_Output = Tensor | tuple[object, ...] | list[object]
"""Of a block: the residual stream, alone or before other things."""


class _FromLayer:
    """Passes from the first changed layer on, with logits at the counted positions only.

    Args:
        bridge: the model, whose blocks' outputs are kept where one of ``layers`` follows.
        batch: the texts. Their last token is left out, since its guess never counts.
        layers: where conditions begin.
    """

    cut = "later"

    def __init__(self, bridge: TransformerBridge, batch: _Batch, layers: Collection[int]) -> None:
        self._bridge, self._batch = bridge, batch
        rows, length = batch.ids.shape
        widest = max(bridge.cfg.d_mlp or 0, 4 * bridge.cfg.d_model)
        by_width = MAX_HIDDEN // (rows * length * widest)
        self.conditions_a_pass = max(1, min(by_width, 4 * MAX_CELLS // (rows * length**2)))
        self._outputs: dict[int, _Output] = {}

        def keeper(layer: int) -> Callable[..., None]:
            def keep(block: object, given: object, output: _Output) -> None:
                self._outputs[layer] = each_tensor(output, torch.clone)

            return keep

        handles = [
            bridge.blocks[layer].register_forward_hook(keeper(layer))
            for layer in {max(layer - 1, 0) for layer in layers}
        ]
        try:
            self._hidden(batch, {})
        finally:
            for handle in handles:
                handle.remove()

    @staticmethod
    def batches(bridge: TransformerBridge, texts: Sequences) -> list[Int[Tensor, " rows"]]:
        """Rows that run together: padding is run under every condition, so there is little."""
        return batches(texts, max_cells=MAX_CELLS // 4, longer=LONGER)

    def losses(
        self, layer: int, n: int, hooked: Mapping[int, OnOutput]
    ) -> Float[Tensor, " losses"]:
        """[condition * rows] losses of n conditions that begin in a layer."""
        batch = self._batch.times(n)
        if layer == 0:
            hidden = self._hidden(batch, hooked)
        else:
            output = each_tensor(self._outputs[layer - 1], lambda kept: torch.cat([kept] * n))
            with skipped_blocks(self._bridge.blocks[:layer], output):
                hidden = self._hidden(batch, hooked)
        return batch.mean(self._nats(hidden, batch.following))

    def _hidden(
        self, batch: _Batch, hooked: Mapping[int, OnOutput]
    ) -> Float[Tensor, "counted width"]:
        """What reaches the unembedding at the counted positions."""
        kept: list[Tensor] = []

        def keep(hidden: Tensor) -> Tensor:
            kept.append(hidden[batch.counted[:, :-1]])
            raise SeenEnough

        _run(self._bridge, batch.ids[:, :-1], hooked, keep)
        return kept[0]

    def _nats(
        self, hidden: Float[Tensor, "counted width"], right: Int[Tensor, " counted"]
    ) -> Float[Tensor, " counted"]:
        """[counted] losses: the forward of a single token, in whose place others reach its end."""
        some = next(iter(self._outputs.values()))
        most = max(1, MAX_LOGITS // self._bridge.cfg.d_vocab)
        nats = []
        with skipped_blocks(self._bridge.blocks, each_tensor(some, lambda kept: kept[:1, :1])):
            for part, following in zip(hidden.split(most), right.split(most), strict=True):
                token = self._batch.ids[:1, :1]
                logits = _run(self._bridge, token, {}, lambda _, part=part: part[None])
                nats.append(_nats(logits[0], following))
        return torch.cat(nats)


def each_tensor(output: _Output, change: Callable[[Tensor], Tensor]) -> _Output:
    """What a block gives, with every tensor in it changed."""
    if isinstance(output, tuple | list):
        return type(output)(change(part) if isinstance(part, Tensor) else part for part in output)
    return change(output)


@contextlib.contextmanager
def skipped_blocks(blocks: Iterable[torch.nn.Module], output: _Output) -> Iterator[None]:
    """Let blocks answer with what is known already instead of running."""
    blocks = list(blocks)
    for block in blocks:
        block.__dict__["forward"] = lambda *given, **settings: output
    try:
        yield
    finally:
        for block in blocks:
            del block.__dict__["forward"]
