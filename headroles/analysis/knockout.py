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

:mod:`headroles.analysis.knockout_passes` runs them, many in one pass.

>>> listed = {"induction": [Head(1, 4)]}
>>> measure_ablation(bridge, probe, listed, seed=0)["induction"].n  # doctest: +SKIP
24
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from headroles.analysis.knockout_passes import (
    Condition,
    counted_positions,
    knocked_out,
    untouched,
    work,
)
from headroles.analysis.measure import ProbeTexts, Progress
from headroles.reference import CAUSAL_TEXTS
from headroles.roles import ROLES
from headroles.scoring import Draws, Effect, draw_control, effect_of, judge
from headroles.store import CausalEffect, CausalGroup, CausalHead, CausalRole
from headroles.types import Head, Sequences

# ------------------------------------------------------------------ putting it together


def measure_ablation(
    bridge: TransformerBridge,
    probe: ProbeTexts,
    listed: Mapping[str, Sequence[Head]],
    *,
    seed: int,
    held_out: Sequences | None = None,
    progress: Progress | None = None,
) -> dict[str, CausalRole]:
    """Knock out every listed head, and every role's heads together, each against its control.

    Args:
        bridge: the model.
        probe: the analysis' own texts; :data:`~headroles.reference.settings.CAUSAL_TEXTS` of each
            kind are used.
        listed: {role key: heads}, from the finished lists.
        seed: draws the controls.
        held_out: the model's own kind of text, all of it in place of the sentences.
        progress: told after every pass.

    Returns:
        {role key: evidence} for every scored role that lists a head.
    """
    tasks = _tasks(bridge, listed, seed=seed, with_held_out=held_out is not None)
    kinds = {"repeats": probe.repeats, "sentences": probe.sentences, "held_out": held_out}
    texts = {kind: _usable(kinds[kind], kind) for kind in dict.fromkeys(t.kind for t in tasks)}
    wanted = {
        kind: list(dict.fromkeys(c for task in tasks if task.kind == kind for c in task.conditions))
        for kind in texts
    }
    total = sum(work(bridge, wanted[kind], texts[kind].lengths) for kind in texts)
    done = 0

    def advance(more: int) -> None:
        nonlocal done
        done += more
        if progress:
            progress("knocking heads out", done, total)

    evidence: dict[str, CausalRole] = {}
    for kind, sequences in texts.items():
        changes, baseline_loss = _changes(bridge, sequences, kind, wanted[kind], advance)
        for task in tasks:
            if task.kind == kind:
                evidence[task.role] = task.record(changes, baseline_loss)
    return {role: evidence[role] for role in listed if role in evidence}


Changes = Mapping[Condition, Float[Tensor, " n"]]
"""{condition: [n] nats, the loss less that of the untouched model, text by text}."""


def _changes(
    bridge: TransformerBridge,
    texts: Sequences,
    kind: str,
    conditions: Sequence[Condition],
    advance: Callable[[int], None],
) -> tuple[Changes, float]:
    """The changes under every condition, and the untouched model's mean loss in nats."""
    counted = counted_positions(texts, kind)
    baseline = untouched(bridge, texts, counted)
    losses = knocked_out(
        bridge, texts, conditions, counted=counted, means=baseline.means, advance=advance
    )
    changes = dict(zip(conditions, losses - baseline.loss, strict=True))
    return changes, float(baseline.loss.mean())


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


@dataclass(frozen=True)
class _Task:
    """One role: what has to be run for it, and the record of what came out."""

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
    def conditions(self) -> list[Condition]:
        drawn = [condition for draws in self.draws.values() for condition in draws.conditions]
        return [*self.draws, *drawn]

    def record(self, changes: Changes, baseline_loss: float) -> CausalRole:
        """The role's evidence."""
        can_read = baseline_loss < self.even_guess
        group = frozenset(self.heads)
        together = _effect(group, self.draws[group], changes)
        alone = {head: frozenset([head]) for head in self.heads}
        heads = []
        for head, condition in alone.items():
            effect = _effect(condition, self.draws[condition], changes)
            verdict = judge(effect, together, can_read=can_read)
            stored = _stored(effect, self.draws[condition], verdict)
            heads.append(CausalHead(layer=head.layer, head=head.head, **stored))
        verdict = judge(together, can_read=can_read)
        return CausalRole(
            measured_on=self.kind,
            n=len(changes[group]),
            baseline_loss=round(baseline_loss, 6),
            even_guess_loss=self.even_guess,
            heads=heads,
            group=CausalGroup(
                heads=list(self.heads), **_stored(together, self.draws[group], verdict)
            ),
        )


def _tasks(
    bridge: TransformerBridge,
    listed: Mapping[str, Sequence[Head]],
    *,
    seed: int,
    with_held_out: bool,
) -> list[_Task]:
    """One task per role that lists a head; the controls are drawn in the order of the lists."""
    rng = np.random.default_rng(seed)
    of_any_role = frozenset(head for heads in listed.values() for head in heads)
    shape = (bridge.cfg.n_layers, bridge.cfg.n_heads)
    tasks = []
    for role, heads in listed.items():
        if not heads:
            continue
        kind = ROLES[role].measured_on
        draws = {
            frozenset(group): draw_control(group, heads, shape=shape, rng=rng, listed=of_any_role)
            for group in [*((head,) for head in heads), tuple(heads)]
        }
        tasks.append(
            _Task(
                role,
                tuple(heads),
                kind="held_out" if with_held_out and kind == "sentences" else kind,
                even_guess=round(math.log(bridge.cfg.d_vocab), 6),
                draws=draws,
            )
        )
    return tasks


def _effect(condition: Condition, draws: Draws, changes: Changes) -> Effect:
    """A condition beside its control, rounded as it is stored, so that the verdict follows."""
    change = changes[condition].double()
    drawn = [float(changes[draw].double().mean()) for draw in draws.conditions]
    exact = effect_of(float(change.mean()), drawn)
    return Effect(
        round(exact.change, 6),
        round(float(change.std(unbiased=True)) / len(change) ** 0.5, 6),
        None if exact.control_mean is None else round(exact.control_mean, 6),
        None if exact.control_spread is None else round(exact.control_spread, 6),
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
