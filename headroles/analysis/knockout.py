"""Evidence by ablation: what the model loses without a head, against random other heads.

A knocked-out head's output ``z`` (the head's attention-weighted values, before W_O) is set to its
mean over the same texts, so that it no longer depends on the text. The mean and not zero,
because zero would also remove the constant part of the output, which later layers count on like
a bias, and that would look like an effect of the role (Wang et al. 2022, arXiv 2211.00593, use
means for the same reason). Position 0 is left alone and counts in no mean: there a head can only
look at itself, so its role cannot show, and the start token's unusual activations are not text.

The loss is that of the next token, in nats, where the role can matter:

    repeats     induction, duplicate token: every token whose right continuation stands after an
                earlier copy of it, i.e. the repeated copies and not the first one
    sentences   previous token, first token, diffuse: every token after position 0
    held_out    instead of the project's sentences where the model's folder has a file of passages
                of its own kind of text (:func:`headroles.texts.probe_texts.held_out_sequences`):
                every token after position 0 too. The bundled models can read nothing else

Differences from the untouched model are taken text by text, so that e, the standard error of their
mean, is free of the texts' own difficulty. :mod:`headroles.scoring.random_heads` draws the control:
as many random heads without the role, of the same layers as far as there are enough, up to 20
times. :mod:`headroles.scoring.causal_verdict` has the verdicts.

A role whose output another role reads is tested where that one works, too (:data:`ALSO_ON`).

There are two rounds. The first knocks out every listed head, and every role's heads together. The
second asks of each head without an effect of its own, where its role's heads together have one,
whether others back it up: it knocks out all of the role but this head, and all but this head and
one random other.

:mod:`headroles.analysis.knockout_passes` runs them, many in one pass.

>>> listed = {"induction": [Head(1, 4)]}
>>> measure_ablation(bridge, probe, listed, seed=0)["induction"].n  # doctest: +SKIP
24
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from jaxtyping import Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from headroles.analysis.finished_parts import FinishedParts
from headroles.analysis.knockout_passes import (
    Baseline,
    Condition,
    counted_positions,
    knocked_out,
    untouched,
    work,
)
from headroles.analysis.measure import ProbeTexts, Progress
from headroles.reference import ALSO_ON, CAUSAL_TEXTS
from headroles.roles import ROLES
from headroles.scoring import (
    Draws,
    Effect,
    clear_against_zero,
    clear_direction,
    draw_control,
    effect_of,
    judge,
    level_over,
)
from headroles.store import CausalEffect, CausalGroup, CausalHead, CausalRole, CausalRule
from headroles.types import Head, Sequences

# ------------------------------------------------------------------ putting it together

FIRST_ROUND = 0.8
"""Of the progress; how much the second round has to do is known when the first is done."""
Changes = Mapping[Condition, Float[Tensor, " n"]]
"""{condition: [n] nats, the loss less that of the untouched model, text by text}."""


def measure_ablation(
    bridge: TransformerBridge,
    probe: ProbeTexts,
    listed: Mapping[str, Sequence[Head]],
    *,
    seed: int,
    held_out: Sequences | None = None,
    progress: Progress | None = None,
    parts: FinishedParts | None = None,
) -> dict[str, CausalRole]:
    """Knock out every listed head, and every role's heads together, each against its control.

    Args:
        bridge: the model.
        probe: the texts of the analysis, of which the shortest of each kind are used.
        listed: {role key: heads}, from the finished lists.
        seed: draws the controls.
        held_out: the model's own kind of text, all of it in place of the sentences.
        progress: told after every pass.
        parts: what an analysis that was cut off had finished.

    Returns:
        {role key: evidence} for every scored role that lists a head.
    """
    parts = parts or FinishedParts(None, {})
    tasks = _tasks(bridge, listed, seed=seed, with_held_out=held_out is not None)
    kinds = {"repeats": probe.repeats, "sentences": probe.sentences, "held_out": held_out}
    runs = {
        kind: _Runs(bridge, _usable(kinds[kind], kind), kind, parts)
        for kind in dict.fromkeys(task.kind for task in tasks)
    }
    bar = _Bar(progress)
    _run_round(runs, tasks, lambda task: task.conditions, bar, FIRST_ROUND)
    readable = [task for task in tasks if runs[task.kind].loss < task.even_guess]
    effects = [effect for task in readable for effect in task.effects(runs[task.kind].changes)]
    level = _level(effects)
    found = _second_round(runs, readable, level, bar)
    tested = [part for parts_of_role in found.values() for part in parts_of_role.values()]
    rule = CausalRule(
        comparisons=2 * len(effects),
        level=level,
        parts=2 * len(tested),
        parts_level=_level(tested) if tested else None,
    )
    return _by_role(task.record(runs[task.kind], found.get(task, {}), rule) for task in tasks)


def _second_round(
    runs: Mapping[str, _Runs], tasks: Sequence[_Task], level: float, bar: _Bar
) -> dict[_Task, dict[Head, Effect]]:
    """{task: {head without an effect of its own: what it adds to the others}}."""
    unclear = {task: task.without_effect(runs[task.kind].changes, level) for task in tasks}
    _run_round(runs, tasks, lambda task: task.conditions_without(unclear[task]), bar, 1.0)
    return {
        task: {head: task.part(head, runs[task.kind].changes) for head in heads}
        for task, heads in unclear.items()
    }


def _level(effects: Iterable[Effect]) -> float:
    """What a p value may be, with both tests of every effect as one family."""
    return level_over(p for effect in effects for p in (effect.p_zero, effect.p_control))


def _by_role(records: Iterable[tuple[str, CausalRole]]) -> dict[str, CausalRole]:
    """{role key: its own evidence, with that on other texts in it}."""
    evidence: dict[str, CausalRole] = {}
    for key, record in records:
        own = evidence.get(key)
        evidence[key] = own.model_copy(update={"also": [*own.also, record]}) if own else record
    return evidence


def _run_round(
    runs: Mapping[str, _Runs],
    tasks: Sequence[_Task],
    conditions_of: Callable[[_Task], Sequence[Condition]],
    bar: _Bar,
    until: float,
) -> None:
    """Run what the tasks want, the conditions of all tasks on one kind of text together."""
    wanted = {
        kind: list(dict.fromkeys(c for t in tasks if t.kind == kind for c in conditions_of(t)))
        for kind in runs
    }
    bar.begin(sum(run.work(wanted[kind]) for kind, run in runs.items()), until)
    for kind, run in runs.items():
        run.run(wanted[kind], bar.advance)


class _Bar:
    """The progress over both rounds, of which the second one's length is not known at first."""

    TOTAL = 10_000

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._from = self._until = 0.0
        self._done = self._work = 0

    def begin(self, work: int, until: float) -> None:
        """A round that has so much to do, and ends at ``until`` of the whole."""
        self._from, self._until = self._until, until
        self._done, self._work = 0, work
        if not work:
            self._tell(1.0)

    def advance(self, more: int) -> None:
        self._done += more
        self._tell(self._done / self._work)

    def _tell(self, share: float) -> None:
        reached = self._from + (self._until - self._from) * share
        if self._progress:
            self._progress("knocking heads out", round(self.TOTAL * reached), self.TOTAL)


class _Runs:
    """One kind of text: the untouched model on it, and what every condition so far changed."""

    def __init__(
        self, bridge: TransformerBridge, texts: Sequences, kind: str, parts: FinishedParts
    ) -> None:
        self._bridge, self._texts, self._kind, self._parts = bridge, texts, kind, parts
        self._counted = counted_positions(texts, kind)
        self._rounds = 0
        self.changes: dict[Condition, Float[Tensor, " n"]] = {}

    @cached_property
    def _untouched(self) -> Baseline:
        return untouched(self._bridge, self._texts, self._counted)

    @property
    def loss(self) -> float:
        """Nats, the untouched model's mean loss."""
        return float(self._untouched.loss.mean())

    def work(self, conditions: Sequence[Condition]) -> int:
        return work(self._bridge, self._new(conditions), self._texts.lengths)

    def run(self, conditions: Sequence[Condition], advance: Callable[[int], None]) -> None:
        """Add the changes under these conditions."""
        new = self._new(conditions)
        self._rounds += 1
        if not new:
            return
        round_name = f"{self._kind}, round {self._rounds}"
        losses = knocked_out(
            self._bridge,
            self._texts,
            new,
            counted=self._counted,
            means=self._untouched.means,
            advance=advance,
            recall=lambda name, run: self._parts.recall(f"{round_name}, {name}", run),
        )
        self.changes |= zip(new, losses - self._untouched.loss, strict=True)

    def _new(self, conditions: Sequence[Condition]) -> list[Condition]:
        return [condition for condition in conditions if condition not in self.changes]


def _usable(texts: Sequences, kind: str) -> Sequences:
    """The shortest texts in which anything counts: most repeats among them have two copies only.

    The held-out ones are few and short, and stay together: the shortest would be lists alone.
    """
    rows = counted_positions(texts, kind).any(-1).nonzero().flatten()
    if kind == "held_out":
        return Sequences(texts.token_ids[rows], texts.lengths[rows])
    rows = rows[texts.lengths[rows].argsort(stable=True)][:CAUSAL_TEXTS]
    lengths = texts.lengths[rows]
    return Sequences(texts.token_ids[rows, : int(lengths.max())], lengths)


# ------------------------------------------------------------------ a role's record


@dataclass(frozen=True, eq=False)
class _Task:
    """One role on one kind of text: what has to be run for it, and what came out."""

    role: str
    """Its key."""
    heads: tuple[Head, ...]
    """The heads that it lists."""
    kind: str
    """The texts that it is measured on."""
    even_guess: float
    """nats, the loss of an even guess over the vocabulary."""
    draws: Mapping[Condition, Draws]
    """{each head alone, then all together: its control}."""

    @property
    def group(self) -> Condition:
        """All heads of the role."""
        return frozenset(self.heads)

    @property
    def conditions(self) -> list[Condition]:
        """Of the first round."""
        drawn = [condition for draws in self.draws.values() for condition in draws.conditions]
        return [*self.draws, *drawn]

    def effects(self, changes: Changes) -> list[Effect]:
        """Of each head alone, then of all together, where there is a control; a lone head once."""
        judged = (_effect(condition, self.draws[condition], changes) for condition in self.draws)
        return [effect for effect in judged if effect.draws]

    def without_effect(self, changes: Changes, level: float) -> list[Head]:
        """The heads without a clear effect of their own, where all together have one."""
        if len(self.heads) < 2:
            return []
        together = _effect(self.group, self.draws[self.group], changes)
        if clear_direction(together, level) <= 0:
            return []
        alone = {head: frozenset([head]) for head in self.heads}
        effects = {head: _effect(one, self.draws[one], changes) for head, one in alone.items()}
        return [
            head
            for head, effect in effects.items()
            if effect.draws and not clear_against_zero(effect, level)
        ]

    def conditions_without(self, heads: Iterable[Head]) -> list[Condition]:
        """Of the second round: all but a head, then all but it and one random other."""
        return [
            condition
            for head in heads
            for condition in (self.group - {head}, *self._in_place_of(head))
        ]

    def _in_place_of(self, head: Head) -> list[Condition]:
        drawn = self.draws[frozenset([head])].conditions
        return [self.group - {head} | other for other in drawn]

    def part(self, head: Head, changes: Changes) -> Effect:
        """What a head adds to all the others together, beside what random others add."""
        without = changes[self.group - {head}]
        others = [changes[condition] - without for condition in self._in_place_of(head)]
        return _rounded(changes[self.group] - without, others)

    def record(
        self, run: _Runs, parts: Mapping[Head, Effect], rule: CausalRule
    ) -> tuple[str, CausalRole]:
        """The role's key and its evidence on these texts."""
        changes, can_read = run.changes, run.loss < self.even_guess
        heads = []
        for head in self.heads:
            draws = self.draws[frozenset([head])]
            effect = _effect(frozenset([head]), draws, changes)
            part = parts.get(head)
            backed = part is not None and clear_direction(part, rule.parts_level or 0.0) > 0
            verdict = judge(effect, level=rule.level, others_stand_in=backed, can_read=can_read)
            stored = _stored(effect, draws, verdict) | (_stored_part(part) if part else {})
            heads.append(CausalHead(layer=head.layer, head=head.head, **stored))
        draws = self.draws[self.group]
        together = _effect(self.group, draws, changes)
        verdict = judge(together, level=rule.level, can_read=can_read)
        evidence = CausalRole(
            measured_on=self.kind,
            n=len(changes[self.group]),
            baseline_loss=round(run.loss, 6),
            even_guess_loss=self.even_guess,
            heads=heads,
            group=CausalGroup(heads=list(self.heads), **_stored(together, draws, verdict)),
            rule=rule,
        )
        return self.role, evidence


def _tasks(
    bridge: TransformerBridge,
    listed: Mapping[str, Sequence[Head]],
    *,
    seed: int,
    with_held_out: bool,
) -> list[_Task]:
    """The tasks of each role that lists a head; controls are drawn in the order of the lists."""
    rng = np.random.default_rng(seed)
    of_any_role = frozenset(head for heads in listed.values() for head in heads)
    shape = (bridge.cfg.n_layers, bridge.cfg.n_heads)
    even_guess = round(math.log(bridge.cfg.d_vocab), 6)
    tasks = []
    for role, heads in listed.items():
        if not heads:
            continue
        draws = {
            frozenset(group): draw_control(group, heads, shape=shape, rng=rng, listed=of_any_role)
            for group in [*((head,) for head in heads), tuple(heads)]
        }
        for kind in (ROLES[role].measured_on, *ALSO_ON.get(role, ())):
            own = "held_out" if with_held_out and kind == "sentences" else kind
            tasks.append(_Task(role, tuple(heads), own, even_guess, draws))
    return tasks


def _effect(condition: Condition, draws: Draws, changes: Changes) -> Effect:
    """A condition beside its control."""
    return _rounded(changes[condition], [changes[draw] for draw in draws.conditions])


def _rounded(change: Float[Tensor, " n"], drawn: Sequence[Float[Tensor, " n"]]) -> Effect:
    """An effect and its control, rounded as it is stored, so that the verdict follows."""
    change = change.double()
    exact = effect_of(
        float(change.mean()),
        [float(draw.double().mean()) for draw in drawn],
        standard_error=float(change.std(unbiased=True)) / len(change) ** 0.5,
        texts=len(change),
    )
    return replace(
        exact,
        change=round(exact.change, 6),
        standard_error=round(exact.standard_error, 6),
        control_mean=None if exact.control_mean is None else round(exact.control_mean, 6),
        control_spread=None if exact.control_spread is None else round(exact.control_spread, 6),
    )


def _stored(effect: Effect, draws: Draws, verdict: str) -> dict[str, object]:
    """The fields of an effect in the file."""
    return dict(
        CausalEffect(
            change=effect.change,
            standard_error=effect.standard_error,
            control_mean=effect.control_mean,
            control_spread=effect.control_spread,
            draws=len(draws.conditions),
            same_layers=draws.same_layers,
            verdict=verdict,
        )
    )


def _stored_part(part: Effect) -> dict[str, object]:
    """The fields of what a head adds to the others."""
    return {
        "part": part.change,
        "part_error": part.standard_error,
        "part_control_mean": part.control_mean,
        "part_control_spread": part.control_spread,
    }
