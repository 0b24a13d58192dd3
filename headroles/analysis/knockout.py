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

Many knock-outs share one pass: the batch holds every text once per condition.

>>> listed = {"induction": [Head(1, 4)]}
>>> measure_ablation(bridge, probe, listed, seed=0)["induction"].n  # doctest: +SKIP
24
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge

from headroles.analysis.bridge import forget_patterns
from headroles.analysis.measure import ProbeTexts, Progress
from headroles.reference import CAUSAL_TEXTS, MAX_CELLS
from headroles.roles import ROLES, earlier_copies
from headroles.scoring import Draws, Effect, draw_control, effect_of, judge
from headroles.store import CausalEffect, CausalGroup, CausalHead, CausalRole
from headroles.texts import batches
from headroles.types import Head, Sequences

MAX_LOGITS = 24_000_000
"""Numbers in one pass' logits: about 100 MB."""

Condition = frozenset[Head]
"""The heads that are knocked out together."""


@dataclass(frozen=True, eq=False)
class Baseline:
    """The untouched model on some texts."""

    loss: Float[Tensor, " n"]
    """[n] nats per counted token, text by text."""
    means: Float[Tensor, "layer head d_head"]
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


def untouched(
    bridge: TransformerBridge, texts: Sequences, counted: Bool[Tensor, "n pos"]
) -> Baseline:
    """One pass over the texts without an intervention, which also gives the means."""
    shape = (bridge.cfg.n_layers, bridge.cfg.n_heads, bridge.cfg.d_head)
    sums, loss = torch.zeros(shape), torch.zeros(len(texts))
    for rows in _batches(bridge, texts, conditions=1):
        ids, lengths = texts.token_ids[rows], texts.lengths[rows]
        ids = ids[:, : int(lengths.max())]
        text = torch.arange(ids.shape[1]) < lengths.unsqueeze(-1)
        text[:, 0] = False

        def add(z: Tensor, layer: int, text: Tensor = text) -> Tensor:
            sums[layer] += z[text].float().sum(0).reshape(sums.shape[1:])
            return z

        hooked = dict.fromkeys(range(shape[0]), add)
        loss[rows] = _loss(bridge, ids, counted[rows, : ids.shape[1]], hooked)
    return Baseline(loss, sums / int((texts.lengths - 1).sum()))


def knocked_out(
    bridge: TransformerBridge,
    texts: Sequences,
    conditions: Sequence[Condition],
    *,
    counted: Bool[Tensor, "n pos"],
    means: Float[Tensor, "layer head d_head"],
    advance: Callable[[int], None] = lambda passes: None,
) -> Float[Tensor, "condition n"]:
    """The loss of every condition on every text, nats per counted token.

    Args:
        bridge: the model.
        texts: the texts.
        conditions: the heads that are knocked out together, condition by condition.
        counted: [n pos] from :func:`counted_positions`.
        means: [layer head d_head] what the outputs are set to.
        advance: told after every pass how many texts x conditions it held.
    """
    losses = torch.zeros(len(conditions), len(texts))
    for rows in _batches(bridge, texts, conditions=len(conditions)):
        ids = texts.token_ids[rows, : int(texts.lengths[rows].max())]  # [rows pos]
        together = _conditions_a_pass(bridge, ids)
        for start in range(0, len(conditions), together):
            chunk = conditions[start : start + together]
            loss = _loss(
                bridge,
                ids.repeat(len(chunk), 1),  # [condition * rows pos]
                counted[rows, : ids.shape[1]].repeat(len(chunk), 1),
                _set_to_means(chunk, len(rows), means),
            )
            losses[start : start + len(chunk), rows] = loss.view(len(chunk), len(rows))
            advance(len(chunk) * len(rows))
    return losses


OnOutput = Callable[[Tensor, int], Tensor]
"""``(z [batch pos head d_head], layer) -> z`` that goes on."""


def _set_to_means(
    conditions: Sequence[Condition], rows: int, means: Float[Tensor, "layer head d_head"]
) -> dict[int, OnOutput]:
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


def _loss(
    bridge: TransformerBridge,
    token_ids: Int[Tensor, "batch pos"],
    counted: Bool[Tensor, "batch pos"],
    hooked: Mapping[int, OnOutput],
) -> Float[Tensor, " batch"]:
    """[batch] mean next-token loss over the counted positions, with each layer's z passed on."""

    def hook_for(layer: int, change: OnOutput) -> Callable[..., Tensor]:
        def hook(z: Tensor, hook: object) -> Tensor:
            forget_patterns(bridge)
            return change(z, layer)

        return hook

    hooks = [(f"blocks.{n}.attn.hook_z", hook_for(n, change)) for n, change in hooked.items()]
    with torch.inference_mode():
        logits = bridge.run_with_hooks(
            token_ids,
            return_type="logits",
            fwd_hooks=hooks,
            output_attentions=False,
            use_cache=False,
        )
        forget_patterns(bridge)
        rows, places = counted.nonzero(as_tuple=True)
        each = torch.nn.functional.cross_entropy(
            logits[rows, places].float(), token_ids[rows, places + 1], reduction="none"
        )
    total = torch.zeros(len(token_ids)).index_add_(0, rows, each)
    return total / counted.sum(-1).clamp_min(1)


def _batches(
    bridge: TransformerBridge, texts: Sequences, *, conditions: int
) -> list[Int[Tensor, " rows"]]:
    """Rows of like length that run together, whatever number of conditions they run under."""
    longest = int(texts.lengths.max())
    most = MAX_LOGITS // bridge.cfg.d_vocab * longest
    return batches(texts, max_cells=min(MAX_CELLS // 4 if conditions > 1 else MAX_CELLS, most))


def _conditions_a_pass(bridge: TransformerBridge, ids: Int[Tensor, "rows pos"]) -> int:
    rows, length = ids.shape
    by_logits = MAX_LOGITS // (rows * length * bridge.cfg.d_vocab)
    return max(1, min(by_logits, 4 * MAX_CELLS // (rows * length**2)))


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
    total = sum(len(texts[kind]) * len(wanted[kind]) for kind in texts)
    done = 0

    def advance(rows: int) -> None:
        nonlocal done
        done += rows
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
