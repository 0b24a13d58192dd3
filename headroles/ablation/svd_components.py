"""Below the head: the ranked components of its QK and OV maps, and the model without some of them.

A head reads and writes through two maps of the residual stream (Elhage et al. 2021); row vectors,
x after the layer's norm:

    OV   what it writes of a token it looks at      x @ (W_V W_O)
    QK   how much x_q wants to look at x_k          x_q (W_Q W_K^T) x_k^T

Each is a [d_model d_model] matrix of rank d_head at most, ``M = sum_i s_i u_i v_i^T`` by its
singular values, s_1 >= s_2 >= ... These are SVD components: they are ranked by size and orthogonal,
and nothing was trained to make each of them mean one thing. (Trained decompositions can be read by
:mod:`headroles.circuits.trained_components`.) The big matrix is never made: with the thin factors
``A B^T``, QR gives ``A = Q_A R_A`` and ``B = Q_B R_B``, and the SVD of the small ``R_A R_B^T``
turned by Q_A and Q_B is that of M.

    share of weight     s_i^2 / sum_j s_j^2
    spread over heads   p_g = |M_g v_i|^2 / sum over heads (OV),  |u_i^T M_g|^2 likewise (QK);
                        entropy -sum p_g log p_g, e^entropy "effective heads"

Ablation of an OV component: the output loses its part along v_i,

    z' = z - (z W_O v_i) w,   w = v_i^T W_O^+ / (v_i^T W_O^+ W_O v_i)

with W_O^+ the pseudo-inverse. For the head's own component the denominator is 1, and the output is
exactly ``z W_O`` minus its projection on v_i. Another head of the layer need not be able to write
v_i alone; then w is the closest that it can write, and its output along v_i is zero all the same.

Ablation of a QK component: the query no longer reads u_i,

    q' = q - (x . u_i) u_i^T W_Q

before any rotation, so it is exact at every distance. With rotary positions the map between two
places that are d apart is ``W_Q R_d W_K^T``; the singular vectors are those of d = 0. Where queries
are normed after the projection (Qwen3, Gemma 3), a score is no sum over components, and QK
components are refused.

>>> split = ov_components(layer_weights(loaded, 1), 4)  # doctest: +SKIP
>>> split.shares[:2]  # doctest: +SKIP
tensor([0.21, 0.15])
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headroles.ablation.conditions import UNTOUCHED, Condition, HeadOutput, Pattern, edits
from headroles.ablation.outcomes import Comparison, compare
from headroles.ablation.run import Outcome, token_losses
from headroles.capture import run_edited
from headroles.circuits import (
    OV,
    QK,
    Components,
    HeadWeights,
    attention_norm,
    layer_weights,
    layout,
    query_key_products,
    query_place,
)
from headroles.errors import DecompositionError
from headroles.formatting import count
from headroles.models import LoadedModel, are_numbers, blocks, not_a_number
from headroles.models.memory import PASS_NUMBERS
from headroles.models.sight import Sights, layer_sight
from headroles.types import Head

LONGEST = 16
"""Tokens back that an offset profile goes."""
_CANNOT_WRITE = 1e-6
"""A head whose map has less than this of a direction cannot write it."""


# ------------------------------------------------------------------ ablation


@dataclass(frozen=True)
class Removal:
    """Components that one run does without."""

    components: tuple[int, ...]
    """Their ranks, 0 being the largest."""
    everywhere: bool = False
    """Whether every head of the layer loses the directions, or the head alone."""


@dataclass(frozen=True)
class Removed:
    """What one removal changed on a prompt."""

    removal: Removal | None
    """The components; None for the whole head."""
    comparison: Comparison
    """Against the untouched run; the answer is the untouched run's own first guess."""


def writing_weights(
    output: Float[Tensor, "head d_head d_model"], directions: Float[Tensor, "component d_model"]
) -> tuple[Float[Tensor, "head component d_head"], Float[Tensor, "head d_head component"]]:
    """For each head, what z is read with (``W_O v``) and the w that removes that part.

    For several orthogonal directions at once the w are corrected for each other: after
    ``z' = z - (z @ reads) @ w`` the output of a head has no part along any of them.
    """
    W_O, directions = output.double(), directions.double()
    reads = W_O @ directions.T  # [head d_head component]
    w = directions @ torch.linalg.pinv(W_O)  # [head component d_head]
    overlap = w @ reads  # [head component component]
    weak = overlap.diagonal(dim1=-2, dim2=-1) < _CANNOT_WRITE
    inverse = torch.linalg.pinv(overlap, rtol=_CANNOT_WRITE)
    w = (inverse @ w).masked_fill(weak.unsqueeze(-1), 0.0)
    return w.float(), reads.float()


def ov_edit(
    weights: HeadWeights, split: Components, head: int, removals: Sequence[Removal | None]
) -> Callable[[Tensor], Tensor]:
    """[row] removals as an edit of a layer's head outputs z ``[row query head d_head]``."""
    prepared = [
        None if removal is None else writing_weights(weights.W_O, split.V[list(removal.components)])
        for removal in removals
    ]

    def edit(z: Tensor) -> Tensor:
        for row, (removal, made) in enumerate(zip(removals, prepared, strict=True)):
            if removal is None or made is None:
                continue
            w, reads = made
            for place in range(weights.num_heads) if removal.everywhere else (head,):
                own = z[row, :, place]  # [query d_head]
                z[row, :, place] = own - (own.float() @ reads[place] @ w[place]).to(z.dtype)
        return z

    return edit


@contextlib.contextmanager
def queries_without(
    loaded: LoadedModel,
    head: Head,
    split: Components,
    removals: Sequence[Removal | None],
) -> Iterator[None]:
    """While it is open, row r's queries of the layer do not read the directions of ``removals[r]``.

    The caller holds the model's lock.
    """
    module, features = query_place(loaded, head.layer)
    weights = layer_weights(loaded, head.layer)

    def hook(_module: object, given: tuple, result: Tensor) -> Tensor:
        x = given[0].reshape(len(removals), -1, given[0].shape[-1])  # OPT folds rows and positions
        changed = result.clone().reshape(len(removals), x.shape[1], -1)
        for row, removal in enumerate(removals):
            if removal is None:
                continue
            directions = split.U[list(removal.components)].to(x.dtype)  # [component d_model]
            for place in range(weights.num_heads) if removal.everywhere else (head.head,):
                part = x[row] @ directions.T @ (directions @ weights.W_Q[place])  # [pos d_head]
                changed[row, :, features[place]] -= part
        return changed.reshape(result.shape)

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def remove(
    loaded: LoadedModel,
    token_ids: Sequence[int],
    head: Head,
    split: Components,
    removals: Sequence[Removal],
) -> list[Removed]:
    """Run a prompt without the whole head, and under every removal; one row each.

    "The whole head" is, for OV, its output set to zero; for QK, even attention at every position,
    which is a head whose queries say nothing.

    Returns:
        the whole head first, then the removals in order.

    Raises:
        UnsupportedModelError: if the outputs of single heads cannot be had.
        DecompositionError: for a component that is not there.
    """
    most = len(split.S)
    for removal in removals:
        if not all(0 <= number < most for number in removal.components):
            raise DecompositionError(
                f"There is no component {max(removal.components) + 1}.",
                hint=f"The map of this head has {count(most, 'component')}.",
            )
    whole = HeadOutput((head,)) if split.kind == OV else Pattern((head,), to="uniform")
    ids = torch.tensor(token_ids)
    conditions = [UNTOUCHED, Condition(head.label, (whole,))]
    patterns, outputs = edits(conditions, [len(ids)] * 2, num_layers=loaded.num_layers)
    reference = run_edited(loaded, ids.expand(2, -1), patterns=patterns, outputs=outputs).logits
    clean = _outcome(loaded, reference[0], ids)
    outcomes = [_outcome(loaded, reference[1], ids), *_without(loaded, ids, head, split, removals)]
    return [
        Removed(removal, compare(clean, other, answer=clean.guess, token_ids=token_ids))
        for removal, other in zip([None, *removals], outcomes, strict=True)
    ]


def _outcome(
    loaded: LoadedModel, logits: Float[Tensor, "pos vocab"], ids: Int[Tensor, " pos"]
) -> Outcome:
    (losses,) = token_losses(logits[None], ids[None])
    return Outcome(UNTOUCHED, logits[-1].clone(), losses, loaded.nameless(logits.shape[-1]))


def _without(
    loaded: LoadedModel,
    ids: Int[Tensor, " pos"],
    head: Head,
    split: Components,
    removals: Sequence[Removal],
) -> Iterator[Outcome]:
    """Every removal is a row of a batch; as many batches as memory asks for."""
    weights, length = layer_weights(loaded, head.layer), len(ids)
    vocabulary = loaded.model.config.get_text_config().vocab_size
    step = max(1, PASS_NUMBERS // (length * max(vocabulary, loaded.num_heads * length)))
    for start in range(0, len(removals), step):
        part = removals[start : start + step]
        rows = ids.expand(len(part), -1)
        if split.kind == OV:
            edit = ov_edit(weights, split, head.head, part)
            logits = run_edited(loaded, rows, outputs={head.layer: edit}).logits
        else:
            # Without edits it is a plain pass: PyVene would remove the hook on the queries.
            with (
                loaded.lock,
                blocks.forked(loaded, head.layer, rows) as begun,
                queries_without(loaded, head, split, part),
            ):
                logits = run_edited(loaded, begun).logits
        yield from (_outcome(loaded, own, ids) for own in logits)


# ------------------------------------------------------------------ scores by distance


@dataclass(frozen=True, eq=False)
class OffsetScores:
    """What parts of a head add to its attention scores on some texts, by distance."""

    parts: Float[Tensor, "part offset"]
    """[part offset] mean contribution of the named components, then of all the rest (the smaller
    components and the query's bias)."""
    total: Float[Tensor, " offset"]
    """[offset] the head's own mean scores: the sum over parts."""
    pairs: tuple[int, ...]
    """[offset] pairs of tokens behind each mean."""
    texts: int
    """Count of texts."""


def offset_scores(
    loaded: LoadedModel,
    head: Head,
    split: Components,
    texts: Sequence[Sequence[int]],
    *,
    top: int = 5,
    longest: int = LONGEST,
) -> OffsetScores:
    """How much each QK component adds to the scores of keys 0, 1, 2 ... tokens back.

    The score of a query is a sum over components, ``scale * (x_q . u_i) (u_i^T W_Q) R k``, with R
    the rotation of the distance where there is one and k the key as the model made it; learned
    positions take part through x. What is measured is the model's own product of queries and keys
    with all of the query but one part removed, before a cap on scores or an ALiBi bias.

    A softmax does not see what all keys of a row have in common, so each row's mean over its keys
    is taken off. Position 0, where heads rest, counts neither as a query nor as a key; nor does a
    key that the layer's mask hides.

    Args:
        loaded: a model.
        head: the head.
        split: its QK components.
        texts: [text] ids, position 0 being the start token.
        top: components on their own.
        longest: the last distance.

    Raises:
        DecompositionError: for OV components.
        UnsupportedModelError: if the layer's scores are not one product.
        NotANumberError: if the model computes NaN or infinity.
    """
    if split.kind != QK:
        raise DecompositionError(
            "Only QK components add to attention scores.", hint="Use qk_components()."
        )
    top, scale = min(top, len(split.S)), layer_weights(loaded, head.layer).scale
    # Row 0 is untouched, row 1 + i lacks component i: the difference is what it adds.
    removals = [None, *(Removal((number,)) for number in range(top))]
    sums, counts = torch.zeros(top + 1, longest + 1, dtype=torch.float64), [0] * (longest + 1)
    for text in texts:
        products, sees = _products_without(loaded, head, split, removals, text)
        _add_by_offset(_centred(scale * products.double(), sees), sees, sums, counts)
    means = (sums / torch.tensor(counts).clamp_min(1)).float()
    named = means[0] - means[1:]  # [top offset]
    rest = means[0] - named.sum(0)
    return OffsetScores(torch.cat([named, rest[None]]), means[0], tuple(counts), len(texts))


def _products_without(
    loaded: LoadedModel,
    head: Head,
    split: Components,
    removals: Sequence[Removal | None],
    text: Sequence[int],
) -> tuple[Float[Tensor, "row query key"], Bool[Tensor, "query key"]]:
    """The head's products of queries and keys on a text, one row per removal; and which of them
    count: those that it sees, but for position 0."""
    ids = torch.tensor(text).expand(len(removals), -1)
    sights, seen = Sights(loaded.key, len(text)), []
    probe = loaded.model.get_submodule(loaded.probe_paths[head.layer])
    with (
        loaded.lock,
        torch.no_grad(),
        blocks.forked(loaded, head.layer, ids) as begun,
        queries_without(loaded, head, split, removals),
    ):
        watch = probe.register_forward_hook(
            lambda *_: seen.append(layer_sight(loaded, head.layer, sights))
        )
        try:
            query, key = query_key_products(loaded, head.layer, begun)
        finally:
            watch.remove()
        products = query[:, head.head] @ key[:, head.head].mT
    if not are_numbers(products):
        raise not_a_number(loaded.model, loaded.key, ids[:1])
    causal = torch.ones(products.shape[1:], dtype=torch.bool).tril()
    sees = causal if seen[-1] is None else seen[-1].clone()
    sees[:, 0] = False
    return products, sees


def _add_by_offset(
    scores: Float[Tensor, "row query key"],
    sees: Bool[Tensor, "query key"],
    sums: Float[Tensor, "row offset"],
    counts: list[int],
) -> None:
    """Add one text's scores to the sums and counts of their distances, in place."""
    for offset in range(min(len(counts), scores.shape[-1] - 1)):
        sums[:, offset] += scores.diagonal(-offset, 1, 2).sum(1)
        counts[offset] += int(sees.diagonal(-offset).sum())


def _centred(
    scores: Float[Tensor, "row query key"], sees: Bool[Tensor, "query key"]
) -> Float[Tensor, "row query key"]:
    """Scores less each row's mean over the keys that count; the rest is zero."""
    scores = scores.masked_fill(~sees, 0)
    means = scores.sum(-1) / sees.sum(-1).clamp_min(1)
    return (scores - means.unsqueeze(-1)).masked_fill(~sees, 0)


def remarks(loaded: LoadedModel, head: Head) -> list[str]:
    """What a reader should know about this model's components, each in a sentence."""
    attention, sentences = layout(loaded), []
    if attention.positions == "rotary":
        sentences.append(
            "This model rotates queries and keys by their position. The QK components are those of "
            "two tokens at the same position; a removed component is removed at every distance."
        )
    if attention.positions == "bias":
        sentences.append(
            "The components leave out what this model's position bias adds to the scores."
        )
    if attention.score_cap:
        sentences.append("Scores are shown before the model's cap squashes them.")
    if attention.output_normed:
        sentences.append("This model normalises what heads write once more before adding it.")
    if attention_norm(loaded, head.layer).kind != "none":
        sentences.append("The head reads the residual stream after the layer's norm.")
    return sentences
