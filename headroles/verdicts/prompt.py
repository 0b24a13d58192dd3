"""Which heads do on this prompt what the reference scores say they can do.

The three functions that the rest of the project and its users call:

>>> import headroles
>>> entry = headroles.load_head_categories("demo")  # doctest: +SKIP
>>> headroles.verify_head_activation(A, ids, Head(3, 6), "induction")  # doctest: +SKIP
>>> headroles.get_active_head_summary(run, "demo")["induction"][0]["is_active"]  # doctest: +SKIP

A head is *active* in a role when its activation reaches the role's calibrated threshold and lies
clearly above chance on this very prompt: at least :data:`MIN_LIFT` of the way from chance to a
perfect head. The second condition is what keeps a six-word prompt from lighting everything up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headroles.errors import CategoriesMissingError, ShapeError, UnknownHeadError
from headroles.roles import ROLES, SCORED_ROLES, KnownHead, Role, get_role, named_heads
from headroles.scoring import RoleActivation
from headroles.scoring import activation as scoring_activation
from headroles.store import ModelEntry, categories
from headroles.types import Activation, Head, PromptRun, Verdict

MIN_LIFT = 0.25
"""Smallest (activation - chance) / (1 - chance) that counts as clearly above chance."""

MAX_CHANCE = 0.5
"""Where an even spread already gives more than this, a prompt ("no no no") cannot tell heads."""

RESTING = 0.5
"""A quiet head with more of its attention on position 0 than this is said to rest."""

DEFAULT_THRESHOLDS = {
    "previous_token": 0.4,
    "induction": 0.4,
    "duplicate_token": 0.4,
    "positional": 0.5,
    "diffuse": 0.75,
}
"""Used for a model that has no calibrated thresholds yet, and always said to be provisional."""


@dataclass(frozen=True, eq=False)
class PromptScores:
    """Every head's activation for every role on one prompt, computed once."""

    activations: Mapping[str, RoleActivation]
    """{role key: [layer head]}."""
    resting: Float[Tensor, "layer head"]
    """[layer head] mean attention on position 0."""
    self_share: Float[Tensor, "layer head"]
    """[layer head] mean attention of a token on itself, over q >= 1."""
    num_tokens: int
    """Tokens of the prompt, BOS included."""


def summarize(entry: ModelEntry, scores: PromptScores) -> dict[str, list[dict[str, object]]]:
    """The body of :func:`get_active_head_summary`, for callers that hold the scores already."""
    roles_of = _roles_of_heads(entry)
    summary: dict[str, list[dict[str, object]]] = {}
    for key, category in entry.categories.items():
        summary[key] = [
            {
                "layer": top.layer,
                "head": top.head,
                "label": Head(top.layer, top.head).label,
                "score": top.score,
                "standard_error": top.standard_error,
                "roles": roles_of[Head(top.layer, top.head)],
                **verdict_row(judge(Head(top.layer, top.head), key, scores, category.threshold)),
            }
            for top in category.top_heads
        ]
    return summary


def literature_entry(model_name: str) -> dict[str, list[KnownHead]]:
    """The heads that papers name for a model, by scored role; empty where no paper speaks of it.

    A head that several sources name for one role stands there once, with all of them.
    """
    found: dict[str, list[KnownHead]] = {}
    for role in SCORED_ROLES:
        merged: dict[Head, KnownHead] = {}
        for one in named_heads(model_name, role=role.key):
            if first := merged.get(one.head):
                basis = "pattern" if "pattern" in (first.basis, one.basis) else first.basis
                one = one._replace(basis=basis, source=f"{first.source}; {one.source}")
            merged[one.head] = one
        if merged:
            found[role.key] = list(merged.values())
    return found


def summarize_literature(
    named: Mapping[str, Sequence[KnownHead]], scores: PromptScores
) -> dict[str, list[dict[str, object]]]:
    """The rows of :func:`summarize` for heads from papers, judged by provisional thresholds.

    Nobody has measured them here, so ``score`` and ``standard_error`` are None; ``source`` is the
    citation, and ``basis`` says whether it names the head for its pattern or its effect.

    Raises:
        UnknownHeadError: if a named head is not in this model.
    """
    layers, heads = scores.resting.shape
    roles_of: dict[Head, list[str]] = {}
    for key, rows in named.items():
        for one in rows:
            if one.head.layer >= layers or one.head.head >= heads:
                raise UnknownHeadError(one.head.label, layers=layers, heads=heads)
            roles_of.setdefault(one.head, []).append(key)
    return {
        key: [
            {
                "layer": one.head.layer,
                "head": one.head.head,
                "label": one.head.label,
                "score": None,
                "standard_error": None,
                "roles": roles_of[one.head],
                "basis": one.basis,
                "source": one.source,
                **verdict_row(judge(one.head, key, scores, None)),
            }
            for one in rows
        ]
        for key, rows in named.items()
    }


def score_prompt(
    attention: Float[Tensor, "layer head query key"], token_ids: Sequence[int]
) -> PromptScores:
    """Every number that the verdicts of a prompt rest on."""
    diagonal = attention.diagonal(dim1=-2, dim2=-1)[..., 1:]  # [layer head query-1]
    return PromptScores(
        activations=scoring_activation.prompt_activations(attention, token_ids),
        resting=scoring_activation.resting_share(attention),
        self_share=diagonal.sum(-1) / max(diagonal.shape[-1], 1),
        num_tokens=len(token_ids),
    )


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
    return thresholds_in(entry), True


def thresholds_in(entry: ModelEntry) -> dict[str, float]:
    """The threshold of every scored role; the default where the entry has none."""
    calibrated = {
        key: category.threshold
        for key, category in entry.categories.items()
        if key in DEFAULT_THRESHOLDS and category.threshold is not None
    }
    return {**DEFAULT_THRESHOLDS, **calibrated}


def active_heads(
    role: Role, activation: RoleActivation, threshold: float, *, num_tokens: int
) -> Bool[Tensor, "layer head"]:
    """[layer head] which heads are active in a role on this prompt."""
    if too_little(role, activation.rows, num_tokens, chance=activation.chance):
        return torch.zeros_like(activation.value, dtype=torch.bool)
    value = activation.value.double().clamp(0, 1)  # as Activation holds it, so that judge() agrees
    active = value >= threshold
    if role.has_cells:
        active &= (value - activation.chance) / (1 - activation.chance) >= MIN_LIFT
    return active


def judge(head: Head, role_key: str, scores: PromptScores, threshold: float | None) -> Verdict:
    """One head's state in one role on one prompt, with its reason in plain words."""
    return judge_as(get_role(role_key), head, scores, threshold)


def judge_as(role: Role, head: Head, scores: PromptScores, threshold: float | None) -> Verdict:
    """The same for a role that need not be of the registry; ``scores`` holds its activation."""
    role_key, resting = role.key, float(scores.resting[head])
    if not role.is_scored:
        own = Activation(0.0, 0.0, 0)
        return Verdict(head, role_key, own, 0.0, "quiet", _what_instead(head, scores), resting)
    threshold = DEFAULT_THRESHOLDS[role_key] if threshold is None else threshold
    activation = scores.activations[role_key].of(*head)
    state = _state(role, activation, threshold, scores.num_tokens)
    reason = _reason(role, state, activation, head, scores, threshold)
    return Verdict(head, role_key, activation, threshold, state, reason, resting)


def _state(role: Role, activation: Activation, threshold: float, num_tokens: int) -> str:
    if role.requires_repetition and activation.rows == 0:
        return "not_applicable"
    if too_little(role, activation.rows, num_tokens, chance=activation.chance):
        return "too_short"
    clearly = not role.has_cells or activation.lift >= MIN_LIFT
    return "active" if activation.value >= threshold and clearly else "quiet"


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


def _reason(
    role: Role,
    state: str,
    activation: Activation,
    head: Head,
    scores: PromptScores,
    threshold: float,
) -> str:
    if state == "not_applicable":
        return role.asleep
    if state == "too_short":
        return _why_too_short(role, activation, scores.num_tokens)
    if role.has_cells:
        number = (
            f"{activation.value:.0%} of its attention goes to {role.looks_at} "
            f"(an even spread would give {activation.chance:.0%})"
        )
    else:
        number = f"its attention is {activation.value:.0%} as even as can be"
    if state == "active":
        return f"Active: {number}."
    if activation.value >= threshold:
        return f"Not clearly above chance: {number}."
    return f"{_what_instead(head, scores, unless=role.key)} Only {number}."


def _why_too_short(role: Role, activation: Activation, num_tokens: int) -> str:
    if num_tokens < role.min_tokens:
        return (
            f"Too short to tell: {num_tokens} tokens with the start token, and it takes "
            f"{role.min_tokens} to judge."
        )
    if activation.rows < role.min_rows:
        places = "one place" if activation.rows == 1 else f"{activation.rows} places"
        return (
            f"Too little to tell: only {places} where it could show, and it takes {role.min_rows}."
        )
    return (
        f"Too uniform to tell: a head that looks everywhere alike would already score "
        f"{activation.chance:.0%} on this prompt."
    )


def _what_instead(head: Head, scores: PromptScores, *, unless: str = "") -> str:
    """What a quiet head does on this prompt, as far as the numbers say."""
    if unless != "positional" and scores.resting[head] >= RESTING:
        return f"Resting: {scores.resting[head]:.0%} of its attention is on the first token."
    if scores.self_share[head] >= RESTING:
        return f"Each token looks mostly at itself ({scores.self_share[head]:.0%})."
    for key, role_activation in scores.activations.items():
        own = role_activation.of(*head)
        if key != unless and ROLES[key].has_cells and own.value >= RESTING and own.lift >= MIN_LIFT:
            return f"Busy elsewhere: {own.value:.0%} goes to {ROLES[key].looks_at}."
    return "It looks elsewhere."


def verdict_row(verdict: Verdict) -> dict[str, object]:
    """A verdict as the part of a summary's row that depends on the prompt."""
    return {
        "activation_score": verdict.activation.value,
        "chance": verdict.activation.chance,
        "rows": verdict.activation.rows,
        "threshold": verdict.threshold,
        "is_active": verdict.is_active,
        "state": verdict.state,
        "reason": verdict.reason,
        "resting_share": verdict.resting_share,
    }


def _roles_of_heads(entry: ModelEntry) -> dict[Head, list[str]]:
    roles: dict[Head, list[str]] = {}
    for key, category in entry.categories.items():
        for top in category.top_heads:
            roles.setdefault(Head(top.layer, top.head), []).append(key)
    return roles


def unpack_heads(activation_data: PromptRun | Mapping[str, object]) -> tuple[Tensor, Sequence[int]]:
    """[layer head query key] attention and [pos] token ids of a run, or of a mapping with both."""
    if isinstance(activation_data, PromptRun):
        return activation_data.attention, activation_data.token_ids
    try:
        attention, token_ids = activation_data["attention"], activation_data["token_ids"]
    except KeyError as error:
        raise ShapeError(
            "The activation data",
            expected="{'attention': [layer, head, query, key], 'token_ids': [pos]}",
            got=sorted(activation_data),
        ) from error
    return torch.as_tensor(attention), token_ids


def head_index(head_info: Mapping[str, object] | Head, weights: Tensor) -> tuple[int, int]:
    """Layer and head, checked against the attention's shape."""
    layer, head = (
        head_info if isinstance(head_info, Head) else (head_info["layer"], head_info["head"])
    )
    layers, heads = weights.shape[:2]
    if not (0 <= layer < layers and 0 <= head < heads):
        raise UnknownHeadError(Head(layer, head).label, layers=layers, heads=heads)
    return layer, head
