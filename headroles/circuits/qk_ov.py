"""What a head looks for and what it writes, read from its weights: QK and OV circuits in tokens.

Two tables over the vocabulary describe a head that reads tokens and writes logits (Elhage et al.
2021, "A Mathematical Framework for Transformer Circuits")::

    QK = scale * (W_E W_Q + b_Q) (W_E W_K + b_K)^T    how much query token q wants key token k
    OV = (W_E W_V + b_V) W_O W_U                      what attending to token k does to each logit

with W_O and W_U as the residual stream and the logits find them: what the family multiplies a
head's output or the logits with, and the gain of a norm between head and stream, are in
(:mod:`headroles.circuits.residual`).

Neither is ever made whole: at 50,000 tokens one would take 10 GB. Each is a product of two thin
matrices (:class:`Factors`), out of which maxima, best tokens and single rows are taken in blocks.
Subtracting the value of the BOS key, or each source's mean, changes a thin factor only, and so is
exact.

Above the first layer W_E is each token's embedding *after the first block*
(:mod:`headroles.circuits.effective`), or the bare one if so asked.

What the tables leave out. They hold what goes *directly* from embedding to head and from head to
logits: exact at the input of the first layer of a model without learned positions, an approximation
in deeper ones, whose input other layers have changed. The final norm divides by the size of the
whole residual stream, which no single head decides: that division is left out.

>>> factors = head_factors(load_model("demo"), Head(0, 6), CircuitSettings())  # doctest: +SKIP
>>> factors.qk([262], [263]).shape  # doctest: +SKIP
torch.Size([1, 1])
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headroles.circuits import effective, weights
from headroles.circuits.parts import Norm, norm_heads
from headroles.circuits.tracing import unreadable
from headroles.circuits.weights import HeadWeights
from headroles.errors import HeadrolesError, NotANumberError
from headroles.models import LoadedModel, are_numbers
from headroles.models.cores import one_core
from headroles.types import Head

NORMS = ("applied", "folded", "none")
"""What is done about a layer's norm: all of it; its gain and centring only; nothing."""

EMBEDDINGS = ("first_block", "bare")
"""What a head above the first layer is taken to find of a token: its embedding after the first
block, or the bare one. The first layer finds the bare one."""

BLOCK_BYTES = 48_000_000
"""The largest piece of a table that is in memory at once."""

_STREAM_BYTES = 4_000_000
"""The largest piece of the embedding that is normed at once: small enough for a processor's cache.
"""
RIVALS = 1024
"""The longest queries, or outputs, that stand for all of them in a first guess: a maximum is most
often at one of them."""

_EXPONENT = 0.1  # a probable token is preferred a little: p ** 0.1

OnBlock = Callable[[int, int], None]
"""Told how many of how many tokens are done; it may raise to stop."""


class CircuitError(HeadrolesError):
    """A request that a circuit cannot answer."""


@dataclass(frozen=True)
class CircuitSettings:
    """What is done to the weights before the tables are read."""

    norm: str = "applied"
    """``applied``: each embedding goes through the layer's norm as the model has it; ``folded``:
    the norm's gain and centring are multiplied into the weights, and no embedding is divided by its
    size; ``none``: the bare embedding, as in W_E W_Q W_K^T W_E^T."""
    biases: bool = True
    """Whether b_Q, b_K, b_V and the norm's bias are in."""
    minus_bos: bool = True
    """QK: subtract, for each query, its value for the BOS key, where heads rest by default."""
    minus_mean: bool = True
    """OV: subtract each source token's mean over all outputs."""
    embedding: str = "first_block"
    """One of :data:`EMBEDDINGS`."""

    def __post_init__(self) -> None:
        if self.embedding not in EMBEDDINGS:
            raise CircuitError(
                f"'{self.embedding}' is not an embedding.",
                hint=f"Choose one of {', '.join(EMBEDDINGS)}.",
                value=self.embedding,
            )
        if self.norm not in NORMS:
            raise CircuitError(
                f"'{self.norm}' is not a way to treat the norm.",
                hint=f"Choose one of {', '.join(NORMS)}.",
                value=self.norm,
            )

    def embedding_at(self, layer: int) -> str:
        """The embedding that the tables of a layer take: always the bare one in the first."""
        return self.embedding if layer else "bare"


@dataclass(frozen=True, eq=False)
class Factors:
    """One head's two tables as thin matrices: ``QK = query @ key.T`` and ``OV = value @ out``."""

    query: Float[Tensor, "vocab d_head"]
    """[vocab d_head] the query of each token, scale included."""
    key: Float[Tensor, "vocab d_head"]
    """[vocab d_head] the key of each token, minus that of the BOS if so asked."""
    value: Float[Tensor, "vocab d_head"]
    """[vocab d_head] the value of each token."""
    out: Float[Tensor, "d_head vocab"]
    """[d_head vocab] from a value to the logits, minus their mean if so asked."""
    some: Int[Tensor, " some"] | None = None
    """[some] the tokens that a pivot table chooses from, as keys, queries and outputs; None: all.
    """

    def among(self, ids: Int[Tensor, " some"] | Sequence[int] | None) -> Factors:
        """The same head for a table of these tokens only, whole words for one."""
        return replace(self, some=None if ids is None else torch.as_tensor(ids))

    @cached_property
    def ids(self) -> Int[Tensor, " some"]:
        """[some] the tokens that a pivot table chooses from."""
        return torch.arange(self.vocab_size) if self.some is None else self.some

    @cached_property
    def queries(self) -> Float[Tensor, "some d_head"]:
        """[some d_head] their queries."""
        return self.query if self.some is None else self.query[self.some]

    @cached_property
    def outs(self) -> Float[Tensor, "d_head some"]:
        """[d_head some] from a value to their logits."""
        return self.out if self.some is None else self.out[:, self.some]

    @property
    def vocab_size(self) -> int:
        """Tokens."""
        return self.query.shape[0]

    def qk(self, queries: Sequence[int], keys: Sequence[int]) -> Float[Tensor, "query key"]:
        """Some cells of QK, in units of the score that goes into the softmax."""
        return self.query[list(queries)] @ self.key[list(keys)].T

    def ov(self, sources: Sequence[int], outputs: Sequence[int]) -> Float[Tensor, "source output"]:
        """Some cells of OV, in units of logits before the final norm's division."""
        return self.value[list(sources)] @ self.out[:, list(outputs)]


@one_core()
def head_factors(
    loaded: LoadedModel, head: Head, settings: CircuitSettings, *, own: HeadWeights | None = None
) -> Factors:
    """Make the thin matrices of one head.

    Args:
        loaded: the model.
        head: which head.
        settings: what is done to the weights.
        own: the layer's weights, if the caller has them already.

    Raises:
        UnsupportedModelError: if the model's weights cannot be read by head.
        NotANumberError: if they give NaN or infinity for any token.
    """
    own = own or weights.layer_weights(loaded, head.layer)
    shape = (weights.embedding(loaded).shape[0], own.W_Q.shape[2])
    query, key, value = (torch.empty(shape) for _ in range(3))
    for block, x in normed_embedding(loaded, head.layer, settings):
        query[block] = own.scale * side(own, x, head.head, "Q", settings)
        key[block] = side(own, x, head.head, "K", settings)
        value[block] = side(own, x, head.head, "V", settings)
    if settings.minus_bos:
        key -= key[loaded.start.token_id].clone()
    end = weights.final_norm(loaded)
    W_O = weights.writing(loaded, head.layer).apply(own.W_O[head.head])
    W_O = W_O if settings.norm == "none" else end.fold(W_O)
    out = W_O @ weights.unembedding(loaded)[0]  # [d_head vocab]
    if out.shape[1] != shape[0]:
        why = (
            f"it reads {shape[0]:,} tokens and writes {out.shape[1]:,}, so its tables do not match."
        )
        raise unreadable(loaded, why)
    if settings.minus_mean:
        out -= out.mean(1, keepdim=True)
    if not all(map(are_numbers, (query, key, value, out))):  # of any token, typed or not
        where = f"the tables of {head.label}: the weights of some token are none"
        raise NotANumberError(loaded.key, where=where)
    return Factors(query, key, value, out)


def token_vectors(
    loaded: LoadedModel, layer: int, settings: CircuitSettings
) -> Float[Tensor, "vocab d_model"]:
    """[vocab d_model] what a layer is taken to find of each token, before its norm."""
    if settings.embedding_at(layer) == "bare":
        return weights.embedding(loaded)
    return effective.effective_embedding(loaded)


def normed_embedding(
    loaded: LoadedModel, layer: int, settings: CircuitSettings
) -> Iterator[tuple[slice, Float[Tensor, "token d_model"]]]:
    """What the layer's projections read of every token, block by block."""
    table, norm = token_vectors(loaded, layer, settings), weights.attention_norm(loaded, layer)
    size = max(1, _STREAM_BYTES // (4 * table.shape[1]))
    for start in range(0, len(table), size):
        block = slice(start, min(len(table), start + size))
        yield block, read_stream(norm, table[block], settings)


def read_stream(
    norm: Norm, x: Float[Tensor, "... d_model"], settings: CircuitSettings
) -> Float[Tensor, "... d_model"]:
    """The residual stream as the layer's projections read it, under the settings."""
    if settings.norm == "none":
        return x
    if settings.norm == "applied":
        x = norm.normalise(x) * norm.weight
    else:
        x = (x - x.mean(-1, keepdim=True) if norm.kind == "LayerNorm" else x) * norm.weight
    return x + norm.bias if settings.biases else x


def side(
    own: HeadWeights,
    x: Float[Tensor, "... d_model"],
    head: int,
    side: str,
    settings: CircuitSettings,
) -> Float[Tensor, "... d_head"]:
    """Queries, keys or values of one query head; a query or key norm is applied to each."""
    W, b = getattr(own, f"W_{side}"), getattr(own, f"b_{side}")
    norm = {"Q": own.q_norm, "K": own.k_norm, "V": None}[side]
    index = head if side == "Q" else own.kv_of[head]
    if norm is not None and norm.weight.numel() > W.shape[2]:  # of all heads at once (OLMo 2)
        every = torch.einsum("...m,hmd->...hd", x, W) + (b if settings.biases else 0)
        return norm_heads(norm, every)[..., index, :]
    made = x @ W[index] + (b[index] if settings.biases else 0)
    return made if norm is None else norm.apply(made)


# The pivot table ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class TokenValue:
    """A token and a number about it."""

    token_id: int
    value: float
    """The number, in the unit of its list."""


@dataclass(frozen=True)
class KeyRow:
    """One key token: the queries that want it, and what attending to it writes."""

    token_id: int
    """The key (source) token."""
    importance: float
    """max QK x max OV x p^0.1."""
    max_qk: float
    """The strongest query's value."""
    max_ov: float
    """The most promoted output's value."""
    queries: tuple[TokenValue, ...]
    """The strongest queries by QK x p^0.1, with their QK."""
    promoted: tuple[TokenValue, ...]
    """The outputs with the largest OV, largest first."""
    suppressed: tuple[TokenValue, ...]
    """The outputs with the smallest OV, smallest first."""

    @property
    def by_strength(self) -> tuple[TokenValue, ...]:
        """The same queries, the largest QK first, as tables for people list them."""
        return tuple(sorted(self.queries, key=lambda item: -item.value))


@dataclass(frozen=True, eq=False)
class Peaks:
    """The largest value of each key's column of QK and of each source's row of OV."""

    ids: Int[Tensor, " key"]
    """[key] the tokens: every one of the vocabulary, or some."""
    qk: Float[Tensor, " key"]
    """[key] over all queries."""
    ov: Float[Tensor, " key"]
    """[key] over all outputs."""


def peaks(factors: Factors, *, on_block: OnBlock | None = None) -> Peaks:
    """Find the maxima of both tables, block by block (:func:`key_blocks`)."""
    blocks = key_blocks(factors.ids)
    room, parts, done = torch.empty(len(blocks[0]), len(factors.ids)), [], 0
    for ids in blocks:
        parts.append(block_peaks(factors, ids, room=room))
        done += len(ids)
        if on_block:
            on_block(done, len(factors.ids))
    return join_peaks(parts)


def key_blocks(ids: Int[Tensor, " key"]) -> tuple[Int[Tensor, " block"], ...]:
    """All tokens, in any order, in blocks whose rows of a table take :data:`BLOCK_BYTES`."""
    return ids.split(max(1, BLOCK_BYTES // (4 * len(ids))))


@one_core()
def likely_first(factors: Factors, probabilities: Float[Tensor, " vocab"]) -> Int[Tensor, " key"]:
    """[key] all tokens of the table, those first that are likely to be the most telling keys.

    The guess takes the maxima over the :data:`RIVALS` longest queries and outputs. It decides on
    the order of the search alone, so that a table is useful long before the search is over.
    """
    ids = factors.ids
    queries, outputs = _longest(factors.queries), _longest(factors.outs.T)
    guess = Peaks(
        ids,
        _maxima(factors.key[ids], factors.queries[queries]),
        _maxima(factors.value[ids], factors.outs[:, outputs].T),
    )
    return ids[importance(guess, probabilities).argsort(descending=True)]


def _longest(vectors: Float[Tensor, "vocab d_head"]) -> Int[Tensor, " some"]:
    return vectors.norm(dim=1).topk(min(RIVALS, len(vectors))).indices


def _maxima(
    rows: Float[Tensor, "vocab d_head"], rivals: Float[Tensor, "some d_head"]
) -> Float[Tensor, " vocab"]:
    """[vocab] each row's largest product with some vectors."""
    parts = rows.split(max(1, _STREAM_BYTES // (4 * len(rivals))))
    return torch.cat([(part @ rivals.T).amax(1) for part in parts])


def block_peaks(
    factors: Factors,
    ids: Int[Tensor, " block"],
    *,
    room: Float[Tensor, "rows some"] | None = None,
) -> Peaks:
    """The maxima of some keys; ``room`` is overwritten, so that no block needs memory anew."""
    piece = torch.empty(len(ids), len(factors.ids)) if room is None else room[: len(ids)]
    return Peaks(
        ids,
        torch.mm(factors.key[ids], factors.queries.T, out=piece).amax(1),
        torch.mm(factors.value[ids], factors.outs, out=piece).amax(1),
    )


def join_peaks(parts: Sequence[Peaks]) -> Peaks:
    """The maxima of all keys, of those of all blocks in order."""
    return Peaks(
        torch.cat([part.ids for part in parts]),
        torch.cat([part.qk for part in parts]),
        torch.cat([part.ov for part in parts]),
    )


def importance(maxima: Peaks, probabilities: Float[Tensor, " vocab"]) -> Float[Tensor, " key"]:
    """[key] how telling each key is: max QK x max OV x p^0.1."""
    return maxima.qk * maxima.ov * probabilities[maxima.ids] ** _EXPONENT


def best_keys(maxima: Peaks, probabilities: Float[Tensor, " vocab"], count: int) -> list[int]:
    """The most telling keys, the first one first."""
    best = importance(maxima, probabilities).topk(min(count, len(maxima.ids))).indices
    return maxima.ids[best].tolist()


def key_table(
    factors: Factors,
    probabilities: Float[Tensor, " vocab"],
    *,
    keys: int = 10,
    each: int = 20,
    outputs: int | None = None,
    maxima: Peaks | None = None,
    on_block: OnBlock | None = None,
) -> tuple[KeyRow, ...]:
    """The pivot table: the most telling keys, each with its queries and outputs.

    Args:
        factors: one head's thin matrices.
        probabilities: [vocab] how often each token occurs; uniform if unknown.
        keys: how many key tokens.
        each: how many queries per key.
        outputs: how many promoted, and how many suppressed outputs; as many as queries by default.
        maxima: what :func:`peaks` gave, if the caller has it.
        on_block: told how far the search for the keys is.
    """
    maxima = maxima or peaks(factors, on_block=on_block)
    ids = best_keys(maxima, probabilities, keys)
    return rows_for(factors, probabilities, ids, each=each, outputs=outputs)


def rows_for(
    factors: Factors,
    probabilities: Float[Tensor, " vocab"],
    token_ids: Sequence[int],
    *,
    each: int = 20,
    outputs: int | None = None,
) -> tuple[KeyRow, ...]:
    """The pivot table's rows of given key tokens, as :func:`key_table` has them."""
    weight, ids = probabilities**_EXPONENT, factors.ids
    each, outputs = (min(n, len(ids)) for n in (each, each if outputs is None else outputs))
    rows = []
    for token in token_ids:
        qk = factors.queries @ factors.key[token]  # [some]
        ov = factors.value[token] @ factors.outs  # [some]
        strongest = (qk * weight[ids]).topk(each).indices
        most, least = ov.topk(outputs), ov.topk(outputs, largest=False)
        max_qk, max_ov = float(qk.max()), float(ov.max())
        rows.append(
            KeyRow(
                token,
                max_qk * max_ov * float(weight[token]),
                max_qk,
                max_ov,
                _values(ids[strongest], qk[strongest]),
                _values(ids[most.indices], most.values),
                _values(ids[least.indices], least.values),
            )
        )
    return tuple(rows)


def _values(ids: Int[Tensor, " n"], values: Float[Tensor, " n"]) -> tuple[TokenValue, ...]:
    pairs = zip(ids.tolist(), values.tolist(), strict=True)
    return tuple(TokenValue(token, value) for token, value in pairs)


def uniform(vocab_size: int) -> Float[Tensor, " vocab"]:
    """[vocab] equal probabilities, for a model without a frequency file."""
    return torch.full((vocab_size,), 1 / vocab_size)
