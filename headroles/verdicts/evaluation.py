"""Does the page's verdict tell heads of a role from heads without it? Measured on unseen prompts.

For a role and a prompt, the heads that the reference scores put over the role's threshold should
have higher activations than all other heads. The area under the ROC curve says how often: the
chance that a head of the role beats a head without it (Mann & Whitney 1947), .5 for a coin, 1 for
a perfect order. Beside it is what a student sees: how many heads of the role are called
active (hits), and how many others are (false alarms).

The two differ on purpose. A head can play a role on a prompt although its reference scores do not
show it.

>>> auc([0.9, 0.8], [0.1, 0.85])
0.75
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool
from scipy.stats import mannwhitneyu
from torch import Tensor

from headroles.roles import SCORED_ROLES, Role
from headroles.store import ModelEntry
from headroles.verdicts.prompt import active_heads, cannot_be_judged, thresholds_in
from headroles.verdicts.scores import PromptScores

LENGTHS = ((3, 7), (8, 14), (15, 24), (25, 50), (51, None))
"""Bands of prompt length in tokens, BOS included; both ends belong to the band, the last has none.
"""


@dataclass(frozen=True)
class ActivityRow:
    """One role in one band of prompt lengths."""

    role: str
    """The role's key."""
    band: tuple[int, int | None]
    """Shortest and longest prompt, in tokens; None: any length."""
    prompts: int
    """Prompts of the band."""
    judged: int
    """Of these, prompts on which the role applies and is not too short to tell."""
    auc: float | None
    """0..1, area under the curve over all judged (head, prompt) pairs; None without pairs."""
    hits: float | None
    """0..1, share of the role's heads called active."""
    false_alarms: float | None
    """0..1, share of the other heads called active."""


def auc(positives: Sequence[float], negatives: Sequence[float]) -> float | None:
    """Area under the ROC curve, ties counting half; None if either side is empty."""
    if not len(positives) or not len(negatives):
        return None
    statistic = mannwhitneyu(positives, negatives).statistic
    return float(statistic / (len(positives) * len(negatives)))


def heads_with_role(entry: ModelEntry, role: Role) -> Bool[Tensor, "layer head"]:
    """[layer head] the heads that have the role by their reference scores, listed or not."""
    stored = entry.role(role.key)
    fits = [stored.fits(head, thresholds_in(entry)[role.key]) for head in stored.heads]
    return torch.tensor(fits).reshape(entry.num_layers, entry.num_heads)


def activity_table(entry: ModelEntry, prompts: Iterable[PromptScores]) -> list[ActivityRow]:
    """Every role in every band of lengths.

    Args:
        entry: reference scores and thresholds of the model that ran the prompts.
        prompts: the scores of prompts that neither the analysis nor the model has seen.
    """
    prompts = list(prompts)
    return [
        _row(
            entry,
            role,
            band,
            [
                prompt
                for prompt in prompts
                if shortest <= prompt.num_tokens <= (longest or prompt.num_tokens)
            ],
        )
        for role in SCORED_ROLES
        for band in LENGTHS
        for shortest, longest in [band]
    ]


def _row(
    entry: ModelEntry, role: Role, band: tuple[int, int | None], prompts: list[PromptScores]
) -> ActivityRow:
    with_role = heads_with_role(entry, role)
    threshold = thresholds_in(entry)[role.key]
    judged = [prompt for prompt in prompts if not _cannot_be_judged(role, prompt)]
    values = [prompt.activations[role.key].value for prompt in judged]
    active = [
        active_heads(
            role,
            prompt.activations[role.key],
            threshold,
            num_tokens=prompt.num_tokens,
            output_change=prompt.output_change,
        )
        for prompt in judged
    ]

    def gather(tensors: list[Tensor], chosen: Tensor) -> list[float]:
        return [float(number) for tensor in tensors for number in tensor[chosen]]

    hits, alarms = gather(active, with_role), gather(active, ~with_role)
    return ActivityRow(
        role=role.key,
        band=band,
        prompts=len(prompts),
        judged=len(judged),
        auc=auc(gather(values, with_role), gather(values, ~with_role)),
        hits=sum(hits) / len(hits) if hits else None,
        false_alarms=sum(alarms) / len(alarms) if alarms else None,
    )


def _cannot_be_judged(role: Role, prompt: PromptScores) -> bool:
    activation = prompt.activations[role.key]
    return cannot_be_judged(role, activation, prompt.num_tokens)
