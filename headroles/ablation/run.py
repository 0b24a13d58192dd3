"""Running conditions: one per row of a batch, so that many knock-outs take one pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headroles.ablation.component_model import without
from headroles.ablation.conditions import (
    ALL_COMPONENTS,
    MEAN,
    OTHER,
    OWN,
    UNTOUCHED,
    Condition,
    HeadMeans,
    HeadOutput,
    Replacement,
    check,
    edits,
    first_position,
)
from headroles.capture import run_edited
from headroles.capture.interventions import EditedRun
from headroles.models import LoadedModel, beginnings
from headroles.models.beginnings import Beginning
from headroles.models.memory import PASS_NUMBERS
from headroles.texts import SENTENCES, encode
from headroles.texts.probe_texts import pack
from headroles.types import Encoding

_TEXTS_AT_ONCE = 8
"""Texts of one pass over reference text: the outputs of all their heads are in memory together."""
_MEANS = "head_means"


@dataclass(frozen=True, eq=False)
class Outcome:
    """What the model says under one condition."""

    condition: Condition
    """The condition."""
    logits: Float[Tensor, " vocab"]
    """[vocab] logits of the token after the last one, or after the one that was asked for."""
    losses: Float[Tensor, " target"]
    """[pos - 1] nats: minus the log-probability of each token after the first, given those before;
    empty where losses were not asked for."""
    nameless: Int[Tensor, " id"] = field(default_factory=lambda: torch.tensor([], dtype=torch.long))
    """Ids that no token has (:meth:`headroles.models.loading.LoadedModel.nameless`): they are no
    guess and take no place, though a probability is a share of all."""

    @property
    def named(self) -> Float[Tensor, " vocab"]:
        """[vocab] the logits, and -inf where no token has the id: what guesses and places go by."""
        return self.logits.index_fill(0, self.nameless, -torch.inf)

    @property
    def guess(self) -> int:
        """The id of the most probable next token."""
        return int(self.named.argmax())


def ablate(
    loaded: LoadedModel,
    encoding: Encoding,
    conditions: Sequence[Condition],
    *,
    losses: bool = True,
    read_at: int = -1,
    other: Float[Tensor, "layer pos head dim"] | None = None,
) -> tuple[Outcome, ...]:
    """Run a prompt untouched and under every condition, in as few passes as memory allows.

    Args:
        loaded: a model.
        encoding: the prompt.
        conditions: what is changed, condition by condition.
        losses: whether each token's loss is wanted.
        read_at: the position after which the next token is guessed.
        other: :func:`head_outputs` of another prompt, where a condition takes outputs from there.

    Returns:
        The untouched outcome first, then that of every condition, in order.

    Raises:
        UnknownHeadError, UnknownPositionError: if a condition names a head or position that does
            not exist.
    """
    every = [UNTOUCHED, *conditions]
    rows = [encoding.token_ids] * len(every)
    return tuple(run_conditions(loaded, rows, every, losses=losses, read_at=read_at, other=other))


def ablate_beside(
    loaded: LoadedModel,
    encoding: Encoding,
    conditions: Sequence[Condition],
    *,
    losses: bool = True,
    read_at: int = -1,
) -> tuple[Outcome, list[tuple[Outcome, Outcome]]]:
    """As :func:`ablate`, every outcome together with the one that it is compared with.

    Returns:
        The untouched outcome; and for every condition, in order, the outcome of its
        :attr:`~headroles.ablation.conditions.Condition.baseline` and its own.

    Raises:
        HeadrolesError: as :func:`ablate`.
    """
    rows = [*conditions, *missing_baselines(conditions)]
    clean, *found = ablate(loaded, encoding, rows, losses=losses, read_at=read_at)
    standing = {outcome.condition: outcome for outcome in found}
    own = found[: len(conditions)]
    return clean, [(compared_with(one.condition, clean, standing), one) for one in own]


def missing_baselines(conditions: Sequence[Condition]) -> list[Condition]:
    """The model with all trained components, if some conditions are compared with it and it is not
    among them. Components of the SVD sum to the weights: their baseline is the untouched model."""
    needed = any(condition.is_beside_all for condition in conditions)
    return [ALL_COMPONENTS] if needed and ALL_COMPONENTS not in conditions else []


def compared_with(
    condition: Condition, clean: Outcome, standing: Mapping[Condition, Outcome]
) -> Outcome:
    """The outcome that a condition's is compared with: of the model with all components where it
    takes some away, and of the untouched one for that model itself."""
    if condition.baseline == condition:
        return clean
    return standing.get(condition.baseline, clean)


def run_conditions(
    loaded: LoadedModel,
    token_ids: Sequence[Sequence[int]],
    conditions: Sequence[Condition],
    *,
    losses: bool = True,
    rows_at_once: int | None = None,
    read_at: int = -1,
    other: Float[Tensor, "layer pos head dim"] | None = None,
) -> Iterator[Outcome]:
    """Run many pairs of a prompt and a condition, several in one pass.

    It is a generator: outcomes come pass by pass, so a caller can show progress and stop.

    Args:
        loaded: a model.
        token_ids: [row] the ids of each row's prompt; lengths may differ.
        conditions: [row] its condition.
        losses: whether each token's loss is wanted; without, the last logits alone are computed.
        rows_at_once: rows per pass; by default as many as fit into a bounded memory.
        read_at: the position after which the next token is guessed; it must exist in every row.
        other: :func:`head_outputs` of another prompt, where a condition takes outputs from there.

    Raises:
        UnknownHeadError, UnknownPositionError: before the first pass.
    """
    for ids, condition in zip(token_ids, conditions, strict=True):
        check(condition, loaded, len(ids))
    replacements = replacements_for(loaded, token_ids, conditions, other)
    step = rows_at_once or _rows_that_fit(loaded, max(map(len, token_ids)), losses=losses)
    for start in range(0, len(conditions), step):
        part = slice(start, start + step)
        yield from _one_pass(
            loaded, token_ids[part], conditions[part], replacements, losses=losses, read_at=read_at
        )


def replacements_for(
    loaded: LoadedModel,
    token_ids: Sequence[Sequence[int]],
    conditions: Sequence[Condition],
    other: Float[Tensor, "layer pos head dim"] | None = None,
) -> dict[str, Replacement]:
    """What the conditions set outputs to, as far as they need it."""
    outputs = [c for cond in conditions for c in cond.changes if isinstance(c, HeadOutput)]
    needed = {change.to for change in outputs}
    found: dict[str, Replacement] = {}
    if MEAN in needed:
        found[MEAN] = reference_means(loaded).z
    if OTHER in needed:
        if other is None:
            raise ValueError("a condition takes outputs from another prompt, and none is given")
        found[OTHER] = other
    if OWN in needed:
        if len(set(map(tuple, token_ids))) > 1:
            raise ValueError("outputs are held at those of one prompt; these rows are of several")
        found[OWN] = head_outputs(loaded, token_ids[0])
    return found


def head_outputs(
    loaded: LoadedModel, token_ids: Sequence[int]
) -> Float[Tensor, "layer pos head dim"]:
    """[layer pos head dim] what every head puts out (z) at every position of one prompt.

    Raises:
        UnsupportedModelError: if the outputs of single heads cannot be had.
    """
    every = range(loaded.num_layers)
    run = run_edited(loaded, torch.tensor([token_ids]), keep_outputs=every, with_logits=False)
    return torch.stack([run.outputs[layer][0] for layer in every])


def _rows_that_fit(loaded: LoadedModel, length: int, *, losses: bool) -> int:
    vocabulary = loaded.model.config.get_text_config().vocab_size
    a_row = max(loaded.num_heads * length**2, vocabulary * (length if losses else 1))
    return max(1, min(64, PASS_NUMBERS // a_row))


def _one_pass(
    loaded: LoadedModel,
    token_ids: Sequence[Sequence[int]],
    conditions: Sequence[Condition],
    replacements: Mapping[str, Replacement],
    *,
    losses: bool,
    read_at: int,
) -> Iterator[Outcome]:
    lengths = [len(ids) for ids in token_ids]
    ids = pack(token_ids).token_ids
    same = len(set(lengths)) == 1
    known = None
    if same and not losses and read_at == -1:
        known = beginnings.known(loaded, ids, first_position(conditions, lengths[0]))
    logits = run_under(
        loaded, ids, conditions, lengths, replacements=replacements, known=known,
        last_only=same and not losses and read_at == -1,
    ).logits  # fmt: skip
    each = token_losses(logits, ids) if losses else logits.new_zeros(len(lengths), 0)
    for row, (condition, length) in enumerate(zip(conditions, lengths, strict=True)):
        last = logits[row, read_at % min(length, logits.shape[1])]
        losses_of = each[row, : length - 1].clone()
        yield Outcome(condition, last.clone(), losses_of, loaded.nameless(len(last)))


def run_under(
    loaded: LoadedModel,
    token_ids: Int[Tensor, "row pos"],
    conditions: Sequence[Condition],
    lengths: Sequence[int],
    *,
    replacements: Mapping[str, Replacement] | None = None,
    known: Beginning | None = None,
    **what: object,
) -> EditedRun:
    """One pass over rows of tokens, each under its condition; :func:`headroles.capture.run_edited`
    takes the rest.

    Args:
        loaded: a model.
        token_ids: [row pos] ids, padded on the right.
        conditions: [row] conditions, checked.
        lengths: [row] tokens of each row.
        replacements: from :func:`replacements_for`.
        known: positions at the beginning that are not run again.
        what: what is kept of the run.
    """
    patterns, outputs = edits(
        conditions, lengths, num_layers=loaded.num_layers, replacements=replacements,
        known=known.length if known else 0,
    )  # fmt: skip
    with loaded.lock, without(loaded, conditions, lengths) as hooked:
        return run_edited(
            loaded, token_ids, patterns=patterns, outputs=outputs, known=known, hooked=hooked,
            **what,
        )  # fmt: skip


def token_losses(
    logits: Float[Tensor, "row pos vocab"], token_ids: Int[Tensor, "row pos"]
) -> Float[Tensor, "row target"]:
    """[row pos - 1] minus the log-probability of each token after the first one, in nats."""
    logits, targets = logits[:, :-1], token_ids[:, 1:]
    own = logits.gather(-1, targets[..., None]).squeeze(-1)  # [row target]
    if not len(logits):
        return own
    total = torch.stack([row.logsumexp(-1) for row in logits])  # row by row: it takes a row's room
    return total - own


def reference_means(loaded: LoadedModel) -> HeadMeans:
    """Every head's mean output over the project's reference sentences; computed once per model.

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
    rows = sorted(
        (encode(loaded.tokenizer, text, max_tokens=loaded.max_tokens).token_ids for text in texts),
        key=len,
    )
    total, count = 0, 0
    for start in range(0, len(rows), _TEXTS_AT_ONCE):
        part = rows[start : start + _TEXTS_AT_ONCE]
        run = run_edited(
            loaded, pack(part).token_ids, keep_outputs=range(loaded.num_layers), with_logits=False
        )
        for row, ids in enumerate(part):
            z = torch.stack([kept[row, 1 : len(ids)] for kept in run.outputs.values()])
            total = total + z.double().sum(1)  # [layer head dim]
            count += z.shape[1]
    return HeadMeans((total / count).float(), len(texts), count)
