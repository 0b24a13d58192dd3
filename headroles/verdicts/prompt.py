"""Which heads do on this prompt what the reference scores say they can do.

A head is *active* in a role when its activation reaches the role's calibrated threshold and lies
clearly above chance on this very prompt: at least the role's ``min_lift`` of the way from chance to
a perfect head. The second condition keeps a six-word prompt from lighting everything up. Both are
one number, :meth:`~headroles.roles.Role.needed`. The same rule holds for all roles that attention
can show: those of the registry and a student's own.

>>> judge(Head(3, 6), "induction", score_prompt(A, ids), 0.4).state  # doctest: +SKIP
'active'
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headroles.errors import CategoriesMissingError
from headroles.roles import SCORED_ROLES, Role, get_role, prompts_of_run, resting
from headroles.scoring import RoleActivation
from headroles.scoring import activation as scoring_activation
from headroles.store import ModelEntry, StoredRole, categories
from headroles.types import Activation, Head, PromptRun, State, Verdict
from headroles.verdicts import reasons
from headroles.verdicts.scores import PromptScores, score_run

MAX_CHANCE = 0.5
"""Where an even spread already gives more than this, a prompt ("no no no") cannot tell heads
apart."""

DEFAULT_THRESHOLDS = {role.key: role.default_threshold for role in SCORED_ROLES}
"""Used for a model that has no calibrated thresholds yet, and always marked as provisional."""


def thresholds_of(model_name: str, path: Path | None = None) -> tuple[dict[str, float], bool]:
    """The calibrated threshold of every scored role, and whether they are calibrated at all.

    A model without an entry gets :data:`DEFAULT_THRESHOLDS` and False.

    Raises:
        CategoriesBrokenError: if the file is damaged and no earlier version has the model.
    """
    try:
        entry, _ = categories.good_entry(model_name, path)
    except CategoriesMissingError:
        return dict(DEFAULT_THRESHOLDS), False
    return thresholds_in(entry), not entry.made_elsewhere


def thresholds_in(entry: ModelEntry) -> dict[str, float]:
    """The threshold of every scored role; the default where the entry has none."""
    calibrated = {
        key: category.threshold
        for key, category in entry.categories.items()
        if key in DEFAULT_THRESHOLDS and category.threshold is not None
    }
    return {**DEFAULT_THRESHOLDS, **calibrated}


def active_heads(
    role: Role,
    activation: RoleActivation,
    threshold: float,
    *,
    num_tokens: int,
    output_change: Float[Tensor, "layer head"] | None = None,
) -> Bool[Tensor, "layer head"]:
    """[layer head] which heads are active in a role on this prompt."""
    needed = [
        torch.inf
        if too_little(role, rows, num_tokens, chance=chance)
        else role.needed(threshold, chance)
        for chance, rows in activation.by_layer
    ]
    value = activation.value.double().clamp(0, 1)  # as Activation holds it, so that judge() agrees
    active = value >= torch.tensor(needed, dtype=torch.double).unsqueeze(-1)
    if role.key == resting.WITNESSED and output_change is not None:
        active &= output_change.double() <= resting.CHANGES_LITTLE
    return active


def judge(head: Head, role_key: str, scores: PromptScores, threshold: float | None) -> Verdict:
    """One head's state in one basic role on one prompt, with the reason as a sentence."""
    role = get_role(role_key)
    activation = scores.activations[role_key if role.is_scored else "diffuse"].of(*head)
    if not role.is_scored:  # no number of its own, only what the head does instead
        activation = replace(activation, value=0.0, chance=0.0, rows=0)
    return judge_as(role, head, activation, scores, threshold)


def judge_as(
    role: Role,
    head: Head,
    activation: Activation,
    scores: PromptScores,
    threshold: float | None,
) -> Verdict:
    """The same for any role that attention can show, from the head's activation in it.

    Args:
        role: a role of the registry, or one made by a student.
        head: the head.
        activation: how much of its attention goes where the role says.
        scores: of the same prompt; they show what a quiet head does instead.
        threshold: 0..1; None for the role's provisional one.
    """
    resting_share = scores.resting_of(head)
    if not role.is_scored and not role.has_cells:
        return Verdict(
            head,
            role.key,
            activation,
            0.0,
            "quiet",
            reasons.what_instead(head, activation, scores),
            resting_share,
            needed=0.0,
        )
    threshold = role.default_threshold if threshold is None else threshold
    state = _state(role, activation, threshold, scores.num_tokens)
    if state == "active" and role.key == resting.WITNESSED and reasons.works(head, scores):
        state, reason = "quiet", reasons.at_first_token(head, activation, scores)
    else:
        reason = reasons.reason_of(role, state, activation, head, scores, threshold)
    needed = role.needed(threshold, activation.chance)
    return Verdict(head, role.key, activation, threshold, state, reason, resting_share, needed)


def judge_heads(
    stored: StoredRole, run: PromptRun, scores: PromptScores | None = None
) -> list[Verdict]:
    """Every head of a model, layer by layer, in a role that attention can show.

    Where each head has a distance of its own, each is judged at that distance. A head that the
    control showed to go by the place, not by the role's cue, is never active.

    Args:
        stored: the role as it was measured: its threshold, and each head's distance.
        run: the prompt.
        scores: of the same prompt, where they are known already.
    """
    scores = scores or score_run(run)
    prompts = prompts_of_run(run)
    heads_at: dict[int | None, list[Head]] = {}
    for head in stored.heads:
        heads_at.setdefault(stored.distance(head), []).append(head)
    judged: dict[Head, Verdict] = {}
    for distance, heads in heads_at.items():
        role = stored.role if distance is None else stored.role.at_distance(distance)
        attention = torch.stack([run.attention[head] for head in heads])
        activations = scoring_activation.role_activation(
            attention, prompts, role, sight=[scores.visible_to(head.layer) for head in heads]
        )
        for place, head in enumerate(heads):
            judged[head] = _by_the_cue(
                stored,
                judge_as(role, head, activations.of(place), scores, stored.category.threshold),
            )
    return [judged[head] for head in stored.heads]


def _by_the_cue(stored: StoredRole, verdict: Verdict) -> Verdict:
    """The verdict, or a quiet one for an active head that does the same without the role's cue."""
    if not verdict.is_active or stored.goes_by_cue(verdict.head):
        return verdict
    return replace(verdict, state="quiet", reason=reasons.without_the_cue(stored, verdict))


def cannot_be_judged(role: Role, activation: RoleActivation, num_tokens: int) -> bool:
    """Whether a prompt is too short, or too uniform, to judge any head by."""
    return all(
        too_little(role, rows, num_tokens, chance=chance) for chance, rows in activation.by_layer
    )


def _state(role: Role, activation: Activation, threshold: float, num_tokens: int) -> State:
    if activation.rows == 0 and not role.always_applies:
        return "not_applicable"
    if too_little(role, activation.rows, num_tokens, chance=activation.chance):
        return "too_short"
    needed = role.needed(threshold, activation.chance)
    return "active" if activation.value >= needed else "quiet"


def too_little(role: Role, rows: int, num_tokens: int, *, chance: float = 0.0) -> bool:
    """Whether a prompt is too short, or too uniform, to judge heads by.

    Args:
        role: the role in question.
        rows: its applying rows.
        num_tokens: tokens of the prompt, position 0 included.
        chance: 0..1, its chance level on the prompt.
    """
    uniform = role.has_cells and chance > MAX_CHANCE
    return uniform or num_tokens < role.min_tokens or rows < role.min_rows
