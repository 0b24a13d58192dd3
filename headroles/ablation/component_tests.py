"""What a set of components does, in three tests that heads can take too.

Each test compares a run without the set with its baseline
(:attr:`headroles.ablation.conditions.Condition.baseline`): the model with all components, or for
heads, whose output is set to zero, the untouched model.

- *Previous token* (:mod:`headroles.ablation.offset_test`): how much of what the token before
  contributes is gone without the set.
- *Loss on repeats*: how much less likely the tokens become that a second copy of random tokens
  makes known, in nats per token.
- *Induction score* (:mod:`headroles.ablation.induction_circuit`): how far the attention of
  induction heads to the token after the earlier copy falls.

Beside every effect stands the same one of random others: of equally many other heads of the same
layers, or other components of the same matrices (:mod:`headroles.ablation.controls`). A set can
also be tested beside equally many components of the SVD, those that hold most of what the set
takes away: with M the part that is removed and u_i, v_i the singular vectors of the matrix, the
largest ``|u_i^T M v_i|``.

>>> one = of_components(loaded, ComponentSet.parse("L0Q17, L0K3"))  # doctest: +SKIP
>>> rows = [on_repeats(loaded, row, one, [Head(1, 4)]) for row in rows]  # doctest: +SKIP
>>> loss_effect(rows).verdict  # doctest: +SKIP
'holds_up'
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.ablation import induction_circuit, offset_test
from headroles.ablation.conditions import (
    Condition,
    HeadOutput,
    Without,
    check,
    removal,
    short_names,
)
from headroles.ablation.controls import (
    Control,
    Judgement,
    judge,
    random_components,
    random_others,
)
from headroles.ablation.induction_circuit import Drop, summarise
from headroles.ablation.outcomes import repeated_positions
from headroles.ablation.run import run_conditions
from headroles.circuits import SVD, TRAINED, Kind, check_components, factors_at
from headroles.circuits.component_sets import null
from headroles.circuits.trained_components import Place
from headroles.models import LoadedModel
from headroles.scoring import DRAWS
from headroles.types import Component, ComponentSet, Head


@dataclass(frozen=True)
class Subject:
    """What is tested: heads or components, with random others of the same kind."""

    name: str
    """Its name in a table, e.g. ``L0Q17, L0K3``."""
    condition: Condition
    """The change."""
    control: Control
    """The same change at random others."""

    @property
    def size(self) -> int:
        """How many heads or components it is."""
        return len(self.condition.heads) + len(self.condition.components)

    @property
    def kind(self) -> str:
        """``heads``, ``trained`` or ``svd``."""
        kinds = (change.kind for change in self.condition.changes if isinstance(change, Without))
        return next(kinds, "heads")


def of_heads(
    loaded: LoadedModel,
    heads: Sequence[Head],
    *,
    draws: int = DRAWS,
    seed: int = 0,
    listed: Sequence[Head] = (),
) -> Subject:
    """Heads whose output is set to zero, with random other heads of the same layers.

    Args:
        loaded: a model.
        heads: the heads.
        draws: how many random choices to compare with, at most.
        seed: fixes them.
        listed: heads that have a role, which are drawn last where there are too few.

    Raises:
        UnknownHeadError: if the model lacks one.
    """
    for head in heads:
        head.check(*loaded.shape)
    name = ", ".join(head.label for head in heads)
    condition = Condition(f"{name} to zero", (HeadOutput(tuple(heads)),))
    control = random_others(
        condition,
        num_layers=loaded.num_layers,
        num_heads=loaded.num_heads,
        length=0,  # it matters to conditions that name positions alone
        draws=draws,
        seed=seed,
        listed=listed,
    )
    return Subject(name, condition, control)


def of_components(
    loaded: LoadedModel,
    components: ComponentSet,
    kind: Kind = TRAINED,
    *,
    pool: Mapping[Place, Sequence[int]] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Subject:
    """A set of components that is removed, with random other components of the same matrices.

    Args:
        loaded: a model.
        components: the set.
        kind: trained components or those of the SVD.
        pool: what the others are drawn among (:func:`headroles.ablation.controls.alive_on`).
        draws: how many random choices to compare with, at most.
        seed: fixes them.

    Raises:
        UnknownComponentError, DecompositionError: if there are no such components.
    """
    condition = removal(components, kind)
    check(condition, loaded, length=1)
    control = random_components(condition, loaded, pool=pool, draws=draws, seed=seed)
    return Subject(short_names(components), condition, control)


def nearest_svd(loaded: LoadedModel, components: ComponentSet) -> ComponentSet:
    """Equally many components of the SVD of the same matrices: those that hold most of what trained
    ones take away. They are removed in the same heads.

    Raises:
        UnknownComponentError, DecompositionError: if there are no such trained components.
    """
    check_components(loaded, TRAINED, components.components)
    nearest: list[Component] = []
    every = sorted(components.components)
    for place, own in groupby(every, key=lambda component: component.place):
        numbers = [component.number for component in own]
        of, parts = factors_at(loaded, TRAINED, place), factors_at(loaded, SVD, place)
        u = parts.U / parts.U.norm(dim=1, keepdim=True).clamp_min(1e-30)
        held = ((u @ of.U[numbers].T) * (parts.V @ of.V[numbers].T)).sum(1).abs()  # [component]
        held[null(parts)] = -1.0
        nearest += [Component(*place, n) for n in held.topk(len(numbers)).indices.tolist()]
    return ComponentSet(tuple(sorted(nearest)), components.only_in)


# ------------------------------------------------------------------ the previous token


def carries(
    loaded: LoadedModel, sample: offset_test.Sample, subject: Subject, *, offsets: int, most: int
) -> offset_test.Measured:
    """The offset test on one sample, beside up to ``most`` of the random others.

    Raises:
        UnknownPositionError: if the sample is shorter than the largest offset.
    """
    others = subject.control.conditions[:most]
    return offset_test.measure(loaded, sample, subject.condition, offsets=offsets, others=others)


def carried_effect(measured: Sequence[offset_test.Measured], *, offset: int = 1) -> Judgement:
    """What the set carries from so many tokens back, in nats, beside what random others carry."""
    with_it = torch.stack([each.with_head[offset - 1] for each in measured])  # [sample]
    without = torch.stack([each.without_head[offset - 1] for each in measured])
    others = torch.stack([each.without_other[:, offset - 1] for each in measured])
    carried = (with_it - without).tolist()  # [sample]
    by_draw = (with_it[:, None] - others).mean(0).tolist()  # [draw]
    return judge(
        statistics.fmean(carried), by_draw, standard_error=_error(carried), texts=len(carried)
    )


# ------------------------------------------------------------------ repeats


@dataclass(frozen=True, eq=False)
class OnRepeats:
    """One text of repeated random tokens."""

    loss_before: float
    """Nats per token that the first copy makes known, with everything."""
    loss_after: float
    """The same without the set."""
    loss_others: Float[Tensor, " draw"]
    """[draw] the same without random others."""
    induction: induction_circuit.Measured
    """The induction heads' scores; of no heads where none were given."""


def losses_on_repeats(
    loaded: LoadedModel, token_ids: Sequence[int], conditions: Sequence[Condition]
) -> Float[Tensor, " condition"]:
    """[condition] mean loss in nats over the tokens that an earlier copy makes known
    (:func:`headroles.ablation.outcomes.repeated_positions`).

    Raises:
        ValueError: if nothing is repeated.
    """
    places = [position - 1 for position in repeated_positions(token_ids)]
    if not places:
        raise ValueError("no token of this text is known from an earlier copy")
    rows = [token_ids] * len(conditions)
    outcomes = run_conditions(loaded, rows, conditions)
    return torch.stack([outcome.losses[places].mean() for outcome in outcomes])


def on_repeats(
    loaded: LoadedModel,
    token_ids: Sequence[int],
    subject: Subject,
    induction_heads: Sequence[Head] = (),
) -> OnRepeats:
    """Loss and induction scores on one repeated text: with everything, without the set, and without
    each of the random others.

    Raises:
        UnsupportedModelError: if the outputs of single heads cannot be had.
    """
    condition, others = subject.condition, subject.control.conditions
    before, after, *_ = losses = losses_on_repeats(
        loaded, token_ids, [condition.baseline, condition, *others]
    )
    if induction_heads:
        scores = induction_circuit.measure_under(
            loaded, token_ids, condition, induction_heads, control=others
        )
    else:
        empty = torch.zeros(0)
        scores = induction_circuit.Measured(
            (), empty, empty, torch.zeros(len(others), 0), empty, len(token_ids) // 2
        )
    return OnRepeats(float(before), float(after), losses[2:], scores)


def loss_effect(measured: Sequence[OnRepeats]) -> Judgement:
    """How far the loss on repeats rises without the set, beside random others."""
    rises = [text.loss_after - text.loss_before for text in measured]
    by_draw = torch.stack([text.loss_others - text.loss_before for text in measured]).mean(0)
    return judge(
        statistics.fmean(rises), by_draw.tolist(), standard_error=_error(rises), texts=len(rises)
    )


def induction_drops(measured: Sequence[OnRepeats], subject: Subject) -> list[Drop]:
    """How far every induction head's score falls without the set, beside random others."""
    gone = (*subject.condition.heads, *subject.condition.components)
    return summarise([text.induction for text in measured], gone)


# ------------------------------------------------------------------ all three


@dataclass(frozen=True)
class Result:
    """What one subject does in all three tests."""

    subject: Subject
    """What was tested."""
    profile: offset_test.Profile
    """The offset test."""
    carried: Judgement
    """What it carries from the token before, in nats, beside random others."""
    loss_before: float
    """Nats per token on repeats, with everything."""
    loss: Judgement
    """How far that rises without it, beside random others."""
    loss_error: float
    """Standard error of the rise over texts."""
    drops: tuple[Drop, ...]
    """How far every induction head's score falls."""
    texts: int
    """Repeated texts."""


def combine(
    subject: Subject,
    samples: Sequence[offset_test.Measured],
    texts: Sequence[OnRepeats],
) -> Result:
    """All samples and texts of one subject together.

    Raises:
        AnalysisError: without a sample.
    """
    return Result(
        subject,
        offset_test.profile(samples),
        carried_effect(samples),
        statistics.fmean(text.loss_before for text in texts),
        loss_effect(texts),
        _error([text.loss_after - text.loss_before for text in texts]),
        tuple(induction_drops(texts, subject)) if texts[0].induction.heads else (),
        len(texts),
    )


def _error(values: Sequence[float]) -> float:
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
