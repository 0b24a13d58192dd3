"""What a head is doing on a prompt, in one sentence.

>>> describe(Head(1, 1), scores, attention=A, ...)  # doctest: +SKIP
'On this prompt L1H1 mostly looks at the token just before (93% of its attention ...).'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.formatting import count, listing, percent
from headroles.roles import SCORED_ROLES, get_role
from headroles.scoring import Visible, offset_profile, row_sizes
from headroles.types import Head, Verdict
from headroles.verdicts.head import kappa
from headroles.verdicts.prompt import judge
from headroles.verdicts.reasons import MENTIONED
from headroles.verdicts.scores import PromptScores


def describe(
    head: Head,
    scores: PromptScores,
    *,
    attention: Float[Tensor, "query key"],
    token_ids: Sequence[int],
    labels: Sequence[str],
    thresholds: Mapping[str, float],
) -> str:
    """What a head is doing on this prompt, in one sentence (plain text).

    Every active role is named with its numbers, the clearest first and resting last. Where none is
    active, the sentence names what the head prefers most: a distance, the first token or a token
    of the text, by how far its share lies above that of an even spread.

    Args:
        head: the head.
        scores: the prompt's scores.
        attention: [query key] the head's pattern.
        token_ids: [pos] the prompt's ids.
        labels: [pos] the tokens as people read them.
        thresholds: {role key: threshold}.
    """
    visible = scores.visible_to(head.layer)
    verdicts = [
        judge(head, verdict.key, scores, thresholds.get(verdict.key)) for verdict in SCORED_ROLES
    ]
    judged = [verdict for verdict in verdicts if verdict.state in ("active", "quiet")]
    if not judged:
        least = min(role.min_tokens for role in SCORED_ROLES)
        return (
            f"Too little to tell what {head.label} does: with the start token, this prompt has "
            f"{count(scores.num_tokens, 'token')}, and a verdict takes at least {least}."
        )
    active = [verdict for verdict in judged if verdict.is_active]
    if active:
        active.sort(key=lambda verdict: (verdict.role == "positional", -_prompt_lift(verdict)))
        return (
            f"On this prompt, {head.label} {listing([_activity(verdict) for verdict in active])}."
        )
    where = "" if len(judged) == len(verdicts) else " that can be judged on this prompt"
    return (
        f"On this prompt, {head.label} does none of the {len(judged)} jobs{where}. Its attention "
        f"goes most clearly to {_preference(attention, token_ids, labels, visible)}."
    )


def _prompt_lift(verdict: Verdict) -> float:
    activation = verdict.activation
    return kappa(get_role(verdict.role), activation.value, activation.chance)


def _activity(verdict: Verdict) -> str:
    """An active role with its numbers, without the head's name."""
    role, activation = get_role(verdict.role), verdict.activation
    if not role.has_cells:
        evenness = percent(activation.value)
        part = "" if activation.nowhere < MENTIONED else f" {percent(activation.work)} of"
        return f"spreads{part} its attention over many tokens ({evenness} of perfectly even)"
    if role.key == "positional":
        return (
            f"rests: {percent(activation.value)} of its attention is on the first token (an even "
            f"spread: {percent(activation.chance)})"
        )
    # What most of the little beside the first token does is not what the head mostly does.
    awake = 1 - verdict.resting_share - activation.nowhere if role.among else 1.0
    mostly = "mostly " if activation.value * awake > 0.5 else ""
    whole = (
        f"the {percent(awake)} of its attention that does not rest"
        if role.among
        else "its attention"
    )
    return (
        f"{mostly}looks at {role.looks_at} ({percent(activation.value)} of {whole}; an even "
        f"spread: {percent(activation.chance)})"
    )


def _preference(
    attention: Float[Tensor, "query key"],
    token_ids: Sequence[int],
    labels: Sequence[str],
    visible: Visible,
) -> str:
    """The distance or token whose share lies furthest above an even spread's."""
    profile = offset_profile(attention, longest=len(token_ids), visible=visible)
    rows = profile.rows
    # Shares of the whole prompt: a distance that few rows have must not win on these few.
    shares = [
        (name, mean.share * mean.rows / rows, mean.chance * mean.rows / rows)
        for name, mean in [
            ("the first token", profile.first),
            ("no token, but to a learned sink", profile.nowhere),
            *((_back(distance), mean) for distance, mean in enumerate(profile.near)),
        ]
    ]
    ids, keys = torch.as_tensor(token_ids, dtype=torch.long), row_sizes(len(token_ids), visible)
    for token_id in dict.fromkeys(token_ids[1:]):
        columns = ids == token_id
        columns[0] = False  # the first token is named on its own
        share = attention[1:, columns].sum(-1).mean()
        seen = columns.cumsum(0) if visible is None else (visible & columns).sum(-1)
        chance = (seen[1:] / keys[1:]).mean()
        label = labels[int(columns.nonzero()[0])]
        shares.append((f"the token “{label}”", float(share), float(chance)))
    name, share, chance = max(shares, key=lambda mean: mean[1] - mean[2])
    return f"{name} ({percent(share)} of it; an even spread: {percent(chance)})"


def _back(distance: int) -> str:
    if not distance:
        return "the token itself"
    return f"the token {distance} back" if distance > 1 else "the token just before"
