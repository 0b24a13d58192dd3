"""Proof by knock-out: what the model loses without a head, against random other heads.

A knocked-out head's output ``z`` (the head's attention-weighted values, before W_O) is set to its
mean over the same texts: the head then says the same whatever the text is. The mean and not zero,
because zero would also take away the constant part of the output, which later layers count on like
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
mean, holds the texts' own difficulty out. The control knocks out as many random heads without the
role, of the same layers, in up to :data:`DRAWS` draws. Where a layer has too few other heads, heads
of the nearest layers fill up, and the record says so: first those that no role lists at all, since
a listed one may be part of the very circuit that is tested (induction heads read what the previous
layer's previous-token head writes). :mod:`headroles.scoring.causal_verdict` has the verdicts.

Many knock-outs share one pass: the batch holds every text once a condition.

>>> prove(bridge, probe, {"induction": [Head(1, 4)]}, seed=0)["induction"].n  # doctest: +SKIP
24
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
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
from headroles.scoring import Effect, judge
from headroles.store import CausalEffect, CausalGroup, CausalHead, CausalRole
from headroles.texts import batches
from headroles.types import Head, Sequences

DRAWS = 20
"""Of the control, at most: where fewer different ones exist, all of them are drawn."""
LEAST_POOL = 4
"""Other heads that a layer's control is drawn from at least; fewer tell no spread."""
MAX_LOGITS = 24_000_000
"""Numbers in one pass' logits: about 100 MB."""

Condition = frozenset[Head]
"""The heads that are knocked out together."""


@dataclass(frozen=True, eq=False)
class Baseline:
    """The untouched model on some texts."""

    loss: Float[Tensor, " n"]
    """[n] nats a counted token, text by text."""
    means: Float[Tensor, "layer head d_head"]
    """[layer head d_head] mean output of every head over the positions after 0."""


@dataclass(frozen=True)
class Draws:
    """What a control is drawn from, once for a group of heads."""

    conditions: tuple[Condition, ...]
    """Different sets of as many other heads."""
    same_layers: bool
    """Whether every drawn head is of the layers that it stands for."""


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
    """The loss of every condition on every text, nats a counted token.

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
            found = _loss(
                bridge,
                ids.repeat(len(chunk), 1),  # [condition * rows pos]
                counted[rows, : ids.shape[1]].repeat(len(chunk), 1),
                _set_to_means(chunk, len(rows), means),
            )
            losses[start : start + len(chunk), rows] = found.view(len(chunk), len(rows))
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

    hooks = [(f"blocks.{n}.attn.hook_z", hook_for(n, one)) for n, one in hooked.items()]
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


# ------------------------------------------------------------------ the control


def draw_control(
    heads: Sequence[Head],
    role_heads: Sequence[Head],
    *,
    shape: tuple[int, int],
    rng: np.random.Generator,
    listed: Collection[Head] = (),
) -> Draws:
    """Different random sets of heads to compare with: as many a layer, none of the role's.

    Args:
        heads: what is knocked out.
        role_heads: every head that the role lists.
        shape: layers and heads of the model.
        rng: the source of randomness.
        listed: every head that any role lists; another layer lends its other heads first.
    """
    role, others = set(role_heads), set(listed)
    needed = {layer: sum(one.layer == layer for one in heads) for layer in {h.layer for h in heads}}
    pools = {
        layer: _pool(layer, role, others, shape=shape, least=max(LEAST_POOL, n + 1))
        for layer, n in needed.items()
    }
    found: dict[Condition, None] = {}
    for _ in range(10 * DRAWS):  # most are new; where few different ones exist, all turn up
        taken: set[Head] = set()
        for layer, count in needed.items():
            free = [one for one in pools[layer] if one not in taken]
            if len(free) < count:
                return Draws((), same_layers=True)
            taken |= {free[place] for place in rng.choice(len(free), count, replace=False)}
        found[frozenset(taken)] = None
        if len(found) == DRAWS:
            break
    within = all(one.layer == layer for layer, pool in pools.items() for one in pool)
    return Draws(tuple(found) if len(found) > 1 else (), same_layers=within)


def _pool(
    layer: int, role: set[Head], listed: set[Head], *, shape: tuple[int, int], least: int
) -> list[Head]:
    """The other heads of a layer; while these are too few, those of the nearest layers as well.

    What other layers lend are the heads that no role lists; only where all of these are too few,
    the heads of other roles, layer by layer too. Of two layers that are as near, the later one:
    what earlier layers do, others build on, so a knock-out there is the harder comparison.
    """
    layers, heads = shape
    near = sorted(range(layers), key=lambda one: (abs(one - layer), -one))[1:]
    there = {one: [Head(one, n) for n in range(heads) if Head(one, n) not in role] for one in near}
    unlisted = [[head for head in there[one] if head not in listed] for one in near]
    of_other_roles = [[head for head in there[one] if head in listed] for one in near]
    pool = [Head(layer, n) for n in range(heads) if Head(layer, n) not in role]
    for lent in (*unlisted, *of_other_roles):
        if len(pool) >= least:
            break
        pool += lent
    return pool


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
        kind are used. held_out: the model's own kind of text, all of it in place of the sentences.
        listed: {role key: heads}, from the finished lists.
        seed: draws the controls.
        progress: told after every pass.

    Returns:
        {role key: evidence} for every scored role that lists a head.
    """
    rng = np.random.default_rng(seed)
    of_any_role = frozenset(head for heads in listed.values() for head in heads)
    tasks = [
        _Task(role, tuple(heads), listed=of_any_role, bridge=bridge, rng=rng)
        for role, heads in listed.items()
        if heads
    ]
    if held_out is not None:
        for task in tasks:
            task.kind = "held_out" if task.kind == "sentences" else task.kind
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

    found: dict[str, CausalRole] = {}
    for kind, sequences in texts.items():
        counted = counted_positions(sequences, kind)
        baseline = untouched(bridge, sequences, counted)
        losses = knocked_out(
            bridge,
            sequences,
            wanted[kind],
            counted=counted,
            means=baseline.means,
            advance=advance,
        )
        changes = dict(zip(wanted[kind], losses - baseline.loss, strict=True))
        for task in tasks:
            if task.kind == kind:
                found[task.role] = task.record(changes, float(baseline.loss.mean()))
    return {role: found[role] for role in listed if role in found}


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


class _Task:
    """One role: what has to be run for it, and the record of what came out."""

    def __init__(
        self,
        role: str,
        heads: tuple[Head, ...],
        *,
        listed: Collection[Head],
        bridge: TransformerBridge,
        rng: np.random.Generator,
    ) -> None:
        self.role, self.heads, self.kind = role, heads, ROLES[role].measured_on
        self._even_guess = round(math.log(bridge.cfg.d_vocab), 6)
        shape = (bridge.cfg.n_layers, bridge.cfg.n_heads)
        groups = [*((head,) for head in heads), heads]
        self._draws = {
            frozenset(group): draw_control(group, heads, shape=shape, rng=rng, listed=listed)
            for group in groups
        }

    @property
    def conditions(self) -> list[Condition]:
        drawn = [one for draws in self._draws.values() for one in draws.conditions]
        return [*self._draws, *drawn]

    def record(
        self, changes: Mapping[Condition, Float[Tensor, " n"]], baseline_loss: float
    ) -> CausalRole:
        """The role's evidence; ``changes`` are [n] differences from the untouched model."""
        together = self._effect(frozenset(self.heads), changes)
        single = {head: self._effect(frozenset([head]), changes) for head in self.heads}
        n = len(changes[frozenset(self.heads)])
        can_read = baseline_loss < self._even_guess
        return CausalRole(
            measured_on=self.kind,
            n=n,
            baseline_loss=round(baseline_loss, 6),
            even_guess_loss=self._even_guess,
            heads=[
                CausalHead(
                    layer=head.layer,
                    head=head.head,
                    **self._stored(
                        frozenset([head]), effect, judge(effect, together, can_read=can_read)
                    ),
                )
                for head, effect in single.items()
            ],
            group=CausalGroup(
                heads=list(self.heads),
                **self._stored(frozenset(self.heads), together, judge(together, can_read=can_read)),
            ),
        )

    def _effect(
        self, condition: Condition, changes: Mapping[Condition, Float[Tensor, " n"]]
    ) -> Effect:
        change = changes[condition].double()
        drawn = self._draws[condition].conditions
        control = torch.stack([changes[one].double().mean() for one in drawn]) if drawn else None
        return Effect(
            change=round(float(change.mean()), 6),
            standard_error=round(float(change.std(unbiased=True)) / len(change) ** 0.5, 6),
            control_mean=None if control is None else round(float(control.mean()), 6),
            control_spread=None if control is None else round(float(control.std()), 6),
        )

    def _stored(self, condition: Condition, effect: Effect, verdict: str) -> dict[str, object]:
        draws = self._draws[condition]
        plain = CausalEffect(
            change=effect.change,
            standard_error=effect.standard_error,
            control_mean=effect.control_mean,
            control_spread=effect.control_spread,
            draws=len(draws.conditions),
            same_layers=draws.same_layers,
            verdict=verdict,
        )
        return dict(plain)
