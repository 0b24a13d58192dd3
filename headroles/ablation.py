"""Knock-outs: what a head, an edge or a value is good for, by running the model without it.

An attention pattern is a correlation; removing a head asks the causal question. A *condition* is a
list of changes to one forward pass:

- :class:`HeadOutput`: a head's output z, set to zero or to its mean over reference text;
- :class:`Pattern`: a head's attention row, replaced by rest on the first token or by an even one;
- :class:`Edge`: one cell (query, key) set to zero. The row is *not* renormalised unless asked: what
  the head would have read there is missing, and nothing else is read more;
- :class:`Values`: the value vectors at some positions, zero for every head of a layer or of all.

All but the mean are exact changes of the pattern: a zero row is a zero head, a zero column is a
zero value vector. Zero ablation leaves the output projection's bias, as TransformerLens does. Zero
ablation: Olsson et al. 2022 (arXiv 2209.11895); mean ablation: Wang et al. 2022 (arXiv 2211.00593).

Conditions are the rows of one batch (:func:`run_conditions`), so that a table of twenty costs one
or a few passes.

>>> loaded = load_model("demo")  # doctest: +SKIP
>>> clean, without = ablate(loaded, encoding, [Condition("L1H4", (HeadOutput((Head(1, 4),)),))])
... # doctest: +SKIP
>>> compare(clean, without, answer=clean.guess).rank  # doctest: +SKIP
1
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headroles.errors import UnknownHeadError, UnknownPositionError
from headroles.interventions import Edit, run_edited
from headroles.models import LoadedModel
from headroles.reference_texts import SENTENCES
from headroles.tokens import encode
from headroles.types import Encoding, Head

ZERO, MEAN = "zero", "mean"
FIRST_TOKEN, UNIFORM = "first_token", "uniform"

_ROW_BUDGET = 24_000_000
"""Most numbers that the logits, or one layer's patterns, of one pass may hold (96 MB)."""
_MEANS = "head_means"


@dataclass(frozen=True)
class HeadOutput:
    """Heads whose output is replaced."""

    heads: tuple[Head, ...]
    """The heads."""
    to: str = ZERO
    """``zero`` or ``mean``."""
    positions: tuple[int, ...] | None = None
    """Query positions; None for all. Negative ones count from the end."""


@dataclass(frozen=True)
class Pattern:
    """Heads whose attention rows are replaced."""

    heads: tuple[Head, ...]
    """The heads."""
    to: str = FIRST_TOKEN
    """``first_token``: all attention on position 0. ``uniform``: evenly over all keys so far."""
    positions: tuple[int, ...] | None = None
    """Query positions; None for all. Negative ones count from the end."""


@dataclass(frozen=True)
class Edge:
    """One look that is cut: the attention of one query to one key."""

    heads: tuple[Head, ...]
    """The heads."""
    query: int
    """The position that looks."""
    key: int
    """The position that it looks at."""
    renormalise: bool = False
    """Whether the rest of the row is scaled up to sum to 1 again."""


@dataclass(frozen=True)
class Values:
    """Value vectors that are set to zero."""

    positions: tuple[int, ...]
    """Key positions. Negative ones count from the end."""
    layers: tuple[int, ...] | None = None
    """The layers; None for all."""
    queries: tuple[int, ...] | None = None
    """The query positions that miss them; None for all, as a zero value vector is missed by all."""


Change = HeadOutput | Pattern | Edge | Values


@dataclass(frozen=True)
class Condition:
    """A named list of changes to one run; without changes, the untouched run."""

    name: str
    """What people call it, e.g. ``L1H4 to zero``."""
    changes: tuple[Change, ...] = ()
    """Applied in this order."""

    @property
    def heads(self) -> tuple[Head, ...]:
        """Every head that it names, once, in order."""
        named = (head for one in self.changes for head in getattr(one, "heads", ()))
        return tuple(dict.fromkeys(named))

    def with_heads(self, others: Mapping[Head, Head], *, name: str) -> Condition:
        """The same changes at other heads."""
        changed = tuple(
            replace(one, heads=tuple(others[head] for head in one.heads))
            if hasattr(one, "heads")
            else one
            for one in self.changes
        )
        return Condition(name, changed)


UNTOUCHED = Condition("untouched")


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the model says under one condition."""

    condition: Condition
    """The condition."""
    logits: Float[Tensor, " vocab"]
    """[vocab] logits of the token after the last one."""
    losses: Float[Tensor, " target"]
    """[pos - 1] nats: minus the log-probability of each token after the first, given those before;
    empty where losses were not asked for."""

    @property
    def guess(self) -> int:
        """The id of the most probable next token."""
        return int(self.logits.argmax())


@dataclass(frozen=True, eq=False)
class HeadMeans:
    """Every head's mean output over reference text."""

    z: Float[Tensor, "layer head dim"]
    """[layer head dim] mean over the positions after the first of every text."""
    texts: int
    """Count of texts."""
    positions: int
    """Count of positions that the mean is over."""


@dataclass(frozen=True)
class Comparison:
    """One outcome against the untouched run."""

    rank: int
    """1..vocab, the place of the answer among all tokens under the condition."""
    rank_before: int
    """1..vocab, its place in the untouched run."""
    probability: float
    """0..1, of the answer under the condition."""
    probability_before: float
    """0..1, of the answer in the untouched run."""
    kl: float
    """0.. nats, KL(untouched || condition) of the next-token distributions."""
    loss_change: float | None
    """Nats a token, mean over the prompt; None without losses."""
    repeat_loss_change: float | None
    """Nats a token, mean over the repeated tokens; None where there are none."""

    @property
    def surprise(self) -> float:
        """Nats by which the answer got less likely: log p before - log p after."""
        tiny = 1e-45  # a probability that underflowed
        return math.log(max(self.probability_before, tiny)) - math.log(max(self.probability, tiny))


@dataclass(frozen=True)
class LogitChange:
    """One token whose logit moved."""

    token_id: int
    """Its id."""
    change: float
    """Condition minus untouched, in logits."""


def ablate(
    loaded: LoadedModel,
    encoding: Encoding,
    conditions: Sequence[Condition],
    *,
    losses: bool = True,
) -> tuple[Outcome, ...]:
    """Run a prompt untouched and under every condition, in as few passes as memory allows.

    Returns:
        The untouched outcome first, then one for every condition, in order.

    Raises:
        UnknownHeadError, UnknownPositionError: if a condition names what is not there.
    """
    rows = [encoding.token_ids] * (len(conditions) + 1)
    return tuple(run_conditions(loaded, rows, [UNTOUCHED, *conditions], losses=losses))


def run_conditions(
    loaded: LoadedModel,
    token_ids: Sequence[Sequence[int]],
    conditions: Sequence[Condition],
    *,
    losses: bool = True,
    rows_at_once: int | None = None,
) -> Iterator[Outcome]:
    """Run many pairs of a prompt and a condition, several in one pass.

    It is a generator: outcomes come pass by pass, so a caller can show progress and stop.

    Args:
        loaded: a model.
        token_ids: [row] the ids of each row's prompt; lengths may differ.
        conditions: [row] its condition.
        losses: whether each token's loss is wanted; without, the last logits alone are computed.
        rows_at_once: rows a pass; by default as many as fit into a bounded memory.

    Raises:
        UnknownHeadError, UnknownPositionError: before the first pass.
    """
    for ids, condition in zip(token_ids, conditions, strict=True):
        check(condition, loaded, len(ids))
    means = None
    if any(getattr(one, "to", "") == MEAN for cond in conditions for one in cond.changes):
        means = reference_means(loaded)
    step = rows_at_once or _rows_that_fit(loaded, max(map(len, token_ids)), losses=losses)
    for start in range(0, len(conditions), step):
        part = slice(start, start + step)
        yield from _one_pass(loaded, token_ids[part], conditions[part], means, losses=losses)


def _rows_that_fit(loaded: LoadedModel, length: int, *, losses: bool) -> int:
    vocabulary = loaded.model.config.get_text_config().vocab_size
    a_row = max(loaded.num_heads * length**2, vocabulary * (length if losses else 1))
    return max(1, min(64, _ROW_BUDGET // a_row))


def _one_pass(
    loaded: LoadedModel,
    token_ids: Sequence[Sequence[int]],
    conditions: Sequence[Condition],
    means: HeadMeans | None,
    *,
    losses: bool,
) -> Iterator[Outcome]:
    lengths = [len(ids) for ids in token_ids]
    padded = torch.zeros(len(lengths), max(lengths), dtype=torch.long)  # [row pos]
    for row, ids in enumerate(token_ids):
        padded[row, : lengths[row]] = torch.tensor(ids)
    patterns, outputs = edits(conditions, lengths, num_layers=loaded.num_layers, means=means)
    same = len(set(lengths)) == 1
    logits = run_edited(
        loaded, padded, patterns=patterns, outputs=outputs, last_only=same and not losses
    ).logits
    for row, (condition, length) in enumerate(zip(conditions, lengths, strict=True)):
        own = logits[row] if logits.shape[1] == 1 else logits[row, :length]
        each = token_losses(own, padded[row, :length]) if losses else own.new_zeros(0)
        yield Outcome(condition, own[-1].clone(), each)


def token_losses(
    logits: Float[Tensor, "pos vocab"], token_ids: Int[Tensor, " pos"]
) -> Float[Tensor, " target"]:
    """[pos - 1] minus the log-probability of each token after the first one, in nats."""
    return torch.nn.functional.cross_entropy(logits[:-1], token_ids[1:], reduction="none")


# ------------------------------------------------------------------ from conditions to edits


def edits(
    conditions: Sequence[Condition],
    lengths: Sequence[int],
    *,
    num_layers: int,
    means: HeadMeans | None = None,
) -> tuple[dict[int, Edit], dict[int, Edit]]:
    """What :func:`headroles.interventions.run_edited` takes, one condition a row.

    Args:
        conditions: [row] conditions.
        lengths: [row] tokens of each row's prompt; padding after them is left alone.
        num_layers: layers of the model.
        means: needed where a condition sets outputs to their mean.

    Returns:
        {layer: edit of its patterns}, {layer: edit of its head outputs}; only layers that change.
    """
    at_pattern: dict[int, list[tuple[int, Change]]] = defaultdict(list)
    at_output: dict[int, list[tuple[int, HeadOutput]]] = defaultdict(list)
    for row, condition in enumerate(conditions):
        for change in condition.changes:
            to_mean = isinstance(change, HeadOutput) and change.to == MEAN
            for layer in _layers(change, num_layers):
                (at_output if to_mean else at_pattern)[layer].append((row, change))
    patterns = {
        layer: _pattern_edit(layer, todo, lengths) for layer, todo in sorted(at_pattern.items())
    }
    outputs = {
        layer: _mean_edit(layer, todo, lengths, means.z[layer])
        for layer, todo in sorted(at_output.items())
    }
    return patterns, outputs


def _layers(change: Change, num_layers: int) -> Sequence[int]:
    if isinstance(change, Values):
        return range(num_layers) if change.layers is None else change.layers
    return sorted({head.layer for head in change.heads})


def _pattern_edit(layer: int, todo: Sequence[tuple[int, Change]], lengths: Sequence[int]) -> Edit:
    def edit(patterns: Tensor) -> Tensor:  # [row head query key]
        for row, change in todo:
            change_pattern(patterns[row, :, : lengths[row], : lengths[row]], change, layer)
        return patterns

    return edit


def change_pattern(pattern: Float[Tensor, "head query key"], change: Change, layer: int) -> None:
    """Apply one change to one layer's patterns on one prompt, in place.

    >>> pattern = torch.tensor([[[1.0, 0.0], [0.25, 0.75]]])
    >>> change_pattern(pattern, Edge((Head(0, 0),), 1, 1), 0)
    >>> pattern[0, 1].tolist()
    [0.25, 0.0]
    """
    length = pattern.shape[-1]
    if isinstance(change, Values):
        keys = _places(change.positions, length)
        queries = _places(change.queries, length)
        pattern[:, queries[:, None], keys] = 0
        return
    heads = torch.tensor([head.head for head in change.heads if head.layer == layer])
    if isinstance(change, Edge):
        query, key = _places((change.query, change.key), length).tolist()
        pattern[heads, query, key] = 0
        if change.renormalise:
            rest = pattern[heads, query].sum(-1, keepdim=True)
            pattern[heads, query] /= rest.clamp_min(torch.finfo(rest.dtype).tiny)
        return
    queries = _places(change.positions, length)
    new = pattern.new_zeros(length, length)
    if isinstance(change, Pattern) and change.to == FIRST_TOKEN:
        new[:, 0] = 1
    elif isinstance(change, Pattern):
        new = torch.ones_like(new).tril() / torch.arange(1, length + 1)[:, None]
    pattern[heads[:, None], queries] = new[queries]


def _mean_edit(
    layer: int,
    todo: Sequence[tuple[int, HeadOutput]],
    lengths: Sequence[int],
    means: Float[Tensor, "head dim"],
) -> Edit:
    def edit(z: Tensor) -> Tensor:  # [row query head dim]
        for row, change in todo:
            heads = torch.tensor([head.head for head in change.heads if head.layer == layer])
            queries = _places(change.positions, lengths[row])
            z[row, queries[:, None], heads] = means[heads].to(z.dtype)
        return z

    return edit


def _places(positions: Sequence[int] | None, length: int) -> Int[Tensor, " place"]:
    """Positions as indices from 0; None is all of them."""
    if positions is None:
        return torch.arange(length)
    return torch.tensor(list(positions), dtype=torch.long) % length


def check(condition: Condition, loaded: LoadedModel, length: int) -> None:
    """See that every head and position of a condition is there.

    Raises:
        UnknownHeadError, UnknownPositionError: if one is not.
    """
    for head in condition.heads:
        if not (0 <= head.layer < loaded.num_layers and 0 <= head.head < loaded.num_heads):
            raise UnknownHeadError(head.label, layers=loaded.num_layers, heads=loaded.num_heads)
    for change in condition.changes:
        for position in _named_positions(change):
            if not -length <= position < length:
                raise UnknownPositionError(
                    f"There is no position {position} in a prompt of {length} tokens.",
                    mend=f"Choose one from 0 to {length - 1}, the start token being 0.",
                    value=position,
                )


def _named_positions(change: Change) -> tuple[int, ...]:
    if isinstance(change, Edge):
        return (change.query, change.key)
    if isinstance(change, Values):
        return (*change.positions, *(change.queries or ()))
    return change.positions or ()


# ------------------------------------------------------------------ reference means


def reference_means(loaded: LoadedModel) -> HeadMeans:
    """Every head's mean output over the project's reference sentences; once a model.

    Raises:
        UnsupportedModelError: if the outputs of single heads cannot be had.
    """
    if _MEANS not in loaded.tools:
        loaded.tools[_MEANS] = head_means(loaded, SENTENCES)
    return loaded.tools[_MEANS]


def head_means(loaded: LoadedModel, texts: Sequence[str]) -> HeadMeans:
    """Mean of every head's output z over the positions after the first of some texts.

    Position 0 is left out: every prompt starts with the same token, where heads do nothing typical.
    """
    total, count = 0, 0
    for text in texts:
        ids = torch.tensor([encode(loaded.tokenizer, text, max_tokens=loaded.max_tokens).token_ids])
        run = run_edited(loaded, ids, keep_outputs=range(loaded.num_layers), last_only=True)
        z = torch.stack([run.outputs[layer][0, 1:] for layer in range(loaded.num_layers)])
        total = total + z.double().sum(1)  # [layer head dim]
        count += z.shape[1]
    return HeadMeans((total / count).float(), len(texts), count)


# ------------------------------------------------------------------ what changed


def compare(
    clean: Outcome, other: Outcome, *, answer: int, token_ids: Sequence[int] = ()
) -> Comparison:
    """One outcome against the untouched run.

    Args:
        clean: the untouched run's outcome.
        other: the condition's.
        answer: the token id whose rank and probability are told.
        token_ids: [pos] the prompt's ids; needed for the loss on its repeated part.
    """
    before, after = clean.logits.double().log_softmax(-1), other.logits.double().log_softmax(-1)
    loss = repeated = None
    if len(other.losses):
        difference = other.losses - clean.losses
        loss = difference.mean().item()
        places = repeated_positions(token_ids)
        if places:
            repeated = difference[[place - 1 for place in places]].mean().item()
    return Comparison(
        rank=rank(other.logits, answer),
        rank_before=rank(clean.logits, answer),
        probability=after[answer].exp().item(),
        probability_before=before[answer].exp().item(),
        kl=max(0.0, (before.exp() * (before - after)).sum().item()),
        loss_change=loss,
        repeat_loss_change=repeated,
    )


def rank(logits: Float[Tensor, " vocab"], token_id: int) -> int:
    """The place of a token among all, from 1; tokens with the same logit share the better place.

    >>> rank(torch.tensor([0.5, 2.0, 1.0]), 2)
    2
    """
    return int((logits > logits[token_id]).sum()) + 1


def repeated_positions(token_ids: Sequence[int]) -> tuple[int, ...]:
    """The tokens that an induction head could know: those of a pair that occurred before.

    Position q counts if ``t[q-1], t[q]`` stood next to each other earlier, the start token aside.

    >>> repeated_positions([0, 5, 6, 7, 5, 6, 7])
    (5, 6)
    """
    seen: set[tuple[int, int]] = set()
    found = []
    for position in range(2, len(token_ids)):
        pair = (token_ids[position - 1], token_ids[position])
        if pair in seen:
            found.append(position)
        seen.add(pair)
    return tuple(found)


def logit_changes(
    clean: Outcome, other: Outcome, *, top: int
) -> tuple[tuple[LogitChange, ...], tuple[LogitChange, ...]]:
    """The tokens whose logits rose most, and those whose logits fell most, largest first.

    A token that did not move in that direction is not listed: either may be shorter than ``top``.
    """
    change = other.logits - clean.logits
    top = min(top, len(change))
    return tuple(
        tuple(
            LogitChange(int(place), float(change[place]))
            for place in (change * sign).topk(top).indices
            if change[place] * sign > 0
        )
        for sign in (1, -1)
    )
