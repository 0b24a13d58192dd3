"""The two-step circuit: how far induction heads depend on previous-token heads.

An induction head has to find "a token that stood after A". It can look for that only because an
earlier head has written, at every token, which token stood before it (K-composition; Elhage et al.
2021, Olsson et al. 2022, arXiv 2209.11895). So with the previous-token heads knocked out, an
induction head's activation on repeated random tokens should fall, and more than with as many other
heads of the same layers knocked out.

For one text, with a(h | C) head h's induction activation (:mod:`headroles.scoring`) while the heads
C are knocked out (set to their mean over reference text, after position 0),

    drop(h) = a(h | nothing) - a(h | previous-token heads)
    control = a(h | nothing) - mean over draws of a(h | random others)

Means and standard errors are over texts; both drops are paired, text by text. Whether a drop is
clear is what :mod:`headroles.scoring.causal_verdict` says, as for every other knock-out: it is over
0.01, and at the level of 5 % larger than zero (not tested with one text) and than the control's.

>>> row = measure(loaded, repeated_rows(loaded, n=1)[0], previous, induction)  # doctest: +SKIP
>>> summarise([row])[0].before  # doctest: +SKIP
0.97
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from headroles.ablation.conditions import MEAN, Condition, HeadOutput, check
from headroles.ablation.controls import random_others
from headroles.ablation.run import replacements_for, run_under
from headroles.models import LoadedModel
from headroles.scoring import DRAWS, Effect, judge, role_activation
from headroles.texts import known_ids, start_token
from headroles.types import CausalVerdict, Component, Head

SEGMENT = (12, 24)
"""Shortest and longest repeated segment, in tokens."""
TEXTS = 16
"""Repeated sequences of the lesson."""
LEAST_DROP = 0.01
"""The least drop of an activation (0..1) that counts as one."""
_MOST_CELLS = 4_000_000
"""Attention cells of a layer in one pass."""


@dataclass(frozen=True, eq=False)
class Measured:
    """One text: the induction activation of some heads under every condition."""

    heads: tuple[Head, ...]
    """The induction heads."""
    before: Float[Tensor, " head"]
    """[head] activation of the untouched model."""
    after: Float[Tensor, " head"]
    """[head] with the previous-token heads knocked out."""
    others: Float[Tensor, "draw head"]
    """[draw head] with random other heads knocked out instead; none where there are no others."""
    chance: Float[Tensor, " head"]
    """[head] 0..1, of a head that spreads evenly over what it sees, on this text."""
    rows: int
    """Positions at which the role can show in the head that sees most; 0 without a repeat."""


@dataclass(frozen=True)
class Drop:
    """How far one induction head depends on the previous-token heads, over some texts."""

    head: Head
    """The induction head."""
    before: float
    """0..1, mean activation of the untouched model."""
    after: float
    """0..1, mean with the previous-token heads knocked out."""
    others: float | None
    """0..1, mean with random others knocked out instead, over draws and texts; None without."""
    before_error: float | None
    """Standard error over texts; None with one text."""
    after_error: float | None
    """The same of ``after``."""
    others_error: float | None
    """The same of ``others``, of each text's mean over the draws."""
    others_spread: float | None
    """Standard deviation over draws of the draw's mean over texts."""
    drop: float
    """before - after."""
    drop_error: float | None
    """Standard error over texts of the paired difference; None with one text."""
    chance: float
    """0..1, mean chance level."""
    texts: int
    """Texts behind the means."""
    draws: int
    """Random choices of other heads; 0 without a control."""
    is_after: bool
    """Whether the head comes after something that is knocked out: a head or component of an earlier
    layer, or a query or key component of its own; otherwise it cannot be affected."""

    @property
    def verdict(self) -> CausalVerdict:
        """``holds_up``: the head clearly needs them; ``not_tested`` without a control."""
        has_control = self.others is not None and self.others_spread is not None
        effect = Effect(
            self.drop,
            self.drop_error or 0.0,
            self.before - self.others if has_control else None,
            self.others_spread if has_control else None,
            LEAST_DROP,
            self.texts,
            self.draws,
        )
        return judge(effect)


def repeated_rows(loaded: LoadedModel, *, n: int = TEXTS, seed: int = 0) -> list[tuple[int, ...]]:
    """[n] the start token, a segment of random ordinary tokens, and the segment again."""
    rng, tokenizer = random.Random(seed), loaded.tokenizer
    special = set(tokenizer.all_special_ids)
    pool = [token for token in known_ids(tokenizer) if token not in special]
    start = start_token(tokenizer).token_id
    longest = max(2, min(SEGMENT[1], (loaded.max_tokens - 1) // 2))
    rows = []
    for _ in range(n):
        segment = rng.choices(pool, k=rng.randint(min(SEGMENT[0], longest), longest))
        rows.append((start, *segment, *segment))
    return rows


def measure(
    loaded: LoadedModel,
    token_ids: Sequence[int],
    previous_token_heads: Sequence[Head],
    induction_heads: Sequence[Head],
    *,
    draws: int = DRAWS,
    seed: int = 0,
    copy_ids: Sequence[int] | None = None,
) -> Measured:
    """Run one text untouched, without the previous-token heads, and without random others.

    Args:
        loaded: a model.
        token_ids: [pos] the text, position 0 being the start token.
        previous_token_heads: what is knocked out.
        induction_heads: whose activation is measured.
        draws: random choices of as many other heads of the same layers; the same for every text.
        seed: fixes them.
        copy_ids: [pos] by which copies are found, where they are not the ids
            (:attr:`headroles.types.Encoding.copy_ids`).

    Raises:
        UnsupportedModelError: if the outputs of single heads cannot be had.
    """
    positions = tuple(range(1, len(token_ids)))
    without = Condition("without", (HeadOutput(tuple(previous_token_heads), MEAN, positions),))
    control = random_others(
        without,
        num_layers=loaded.num_layers,
        num_heads=loaded.num_heads,
        length=len(token_ids),
        draws=draws,
        seed=seed,
        listed=induction_heads,
    )
    return measure_under(
        loaded, token_ids, without, induction_heads, control=control.conditions, copy_ids=copy_ids
    )


def measure_under(
    loaded: LoadedModel,
    token_ids: Sequence[int],
    without: Condition,
    induction_heads: Sequence[Head],
    *,
    control: Sequence[Condition] = (),
    copy_ids: Sequence[int] | None = None,
) -> Measured:
    """Run one text under any condition: without heads, or without components of weight matrices.

    ``before`` is that of the condition's baseline: the untouched model, or the one with all
    components.

    Args:
        loaded: a model.
        token_ids: [pos] the text, position 0 being the start token.
        without: what is knocked out.
        induction_heads: whose activation is measured.
        control: [draw] what is knocked out instead.
        copy_ids: as in :func:`measure`.

    Raises:
        UnknownHeadError, UnknownComponentError: if what is knocked out is not there.
        UnsupportedModelError: if the outputs of single heads cannot be had.
    """
    every = [without.baseline, without, *control]
    for condition in every:
        check(condition, loaded, len(token_ids))
    activations, even = _activations(
        loaded, token_ids, torch.tensor(copy_ids or token_ids), every, induction_heads
    )
    return Measured(
        tuple(induction_heads),
        before=activations[0],
        after=activations[1],
        others=activations[2:],
        chance=torch.tensor([chance for chance, _ in even]),
        rows=max(rows for _, rows in even),
    )


def _activations(
    loaded: LoadedModel,
    token_ids: Sequence[int],
    copy_ids: Int[Tensor, " pos"],
    conditions: Sequence[Condition],
    induction_heads: Sequence[Head],
) -> tuple[Float[Tensor, "condition head"], list[tuple[float, int]]]:
    """[condition head] induction activations, in as few passes as memory allows; and each head's
    chance and rows."""
    length = len(token_ids)
    activations = torch.zeros(len(conditions), len(induction_heads))
    even = [(0.0, 0)] * len(induction_heads)
    step = max(1, _MOST_CELLS // (loaded.num_heads * length**2))
    ids = torch.tensor(token_ids)
    for start in range(0, len(conditions), step):
        chunk = conditions[start : start + step]
        run = run_under(
            loaded,
            ids.expand(len(chunk), -1),
            chunk,
            [length] * len(chunk),
            replacements=replacements_for(loaded, [token_ids], chunk),
            keep_patterns={head.layer for head in induction_heads},
            with_logits=False,
        )
        for place, head in enumerate(induction_heads):
            attention = run.patterns[head.layer][:, head.head]  # [condition query key]
            found = role_activation(
                attention, copy_ids, "induction", sight=[run.sight[head.layer]] * len(chunk)
            )
            activations[start : start + len(chunk), place] = found.value
            even[place] = found.by_layer[0]
    return activations, even


def summarise(measured: Sequence[Measured], knocked_out: Sequence[Head | Component]) -> list[Drop]:
    """Means and errors over texts, one record per induction head, in the order given."""
    return [
        _drop(head, place, measured, is_after=_is_after(head, knocked_out))
        for place, head in enumerate(measured[0].heads)
    ]


def _is_after(head: Head, knocked_out: Sequence[Head | Component]) -> bool:
    """Whether a head's pattern can depend on any of them: queries and keys of its own layer make
    it, heads of its own layer do not."""
    return any(
        one.layer < head.layer
        or (one.layer == head.layer and isinstance(one, Component) and one.projection in "qk")
        for one in knocked_out
    )


def _drop(head: Head, place: int, measured: Sequence[Measured], *, is_after: bool) -> Drop:
    before = [float(text.before[place]) for text in measured]
    after = [float(text.after[place]) for text in measured]
    others = [float(text.others[:, place].mean()) for text in measured if len(text.others)]
    drops = [first - second for first, second in zip(before, after, strict=True)]
    by_draw = torch.stack([text.others[:, place] for text in measured]).mean(0)  # [draw]
    return Drop(
        head=head,
        before=statistics.fmean(before),
        after=statistics.fmean(after),
        others=statistics.fmean(others) if others else None,
        before_error=_error(before),
        after_error=_error(after),
        others_error=_error(others),
        others_spread=float(by_draw.std()) if len(by_draw) > 1 else None,
        drop=statistics.fmean(drops),
        drop_error=_error(drops),
        chance=statistics.fmean(float(text.chance[place]) for text in measured),
        texts=len(measured),
        draws=len(by_draw),
        is_after=is_after,
    )


def _error(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else None
