"""Everything that a page says about one head, worked out from its attention and the stored scores.

With ``A[q, k]`` the head's attention on a prompt of n tokens (position 0 is the start token):

    without the rest   A'[q, k] = A[q, k] / sum over j >= 1 of A[q, j], and A'[q, 0] = 0
    k tokens back      mean of A[q, q-k] over the rows q with q-k >= 1

Row 0 can look only at itself, so it is left out of every mean.

Which of its roles a head mainly has cannot be read off the scores: half of all attention on the
token before is much, an entropy of a half is nothing. They are compared on one scale
(:func:`kappa`): 0 is an even spread, 1 a perfect head (Cohen's kappa).

>>> passport(entry, Head(1, 1), known=named_heads("demo")).headline  # doctest: +SKIP
'Mainly induction, also previous token.'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.errors import ShapeError, UnknownHeadError, UnknownPositionError
from headroles.formatting import listing, percent
from headroles.roles import EXTENDED_ROLES, ROLES, SCORED_ROLES, KnownHead, Role, get_role
from headroles.scoring import DIFFUSE_BOUNDS, FLOOR_LIFT, offset_profile, row_sizes
from headroles.store import CausalHead, CausalRole, ModelEntry
from headroles.types import CausalVerdict, Evidence, Head, Verdict
from headroles.verdicts.prompt import (
    DEFAULT_THRESHOLDS,
    PromptScores,
    active_heads,
    judge,
    thresholds_in,
)

EVEN_ENTROPY = (DIFFUSE_BOUNDS[0] - FLOOR_LIFT) / (1 - FLOOR_LIFT)
"""Where the common scale puts 0 for ``diffuse``, whose chance is 1 and so cannot be the zero. It is
chosen so that the lowest threshold stands a quarter of the way to 1, as for every other role."""


# ------------------------------------------------------------------ the pattern


@dataclass(frozen=True)
class TokenLinks:
    """One token's row and column of a pattern, largest weight first."""

    looks_at: tuple[Evidence, ...]
    """One cell a token up to and with itself; the weights sum to 1."""
    looked_at_by: tuple[Evidence, ...]
    """One cell a later token; these weights belong to different rows and sum to anything."""


def token_links(attention: Float[Tensor, "query key"], position: int) -> TokenLinks:
    """What a token looks at, and the later tokens that look at it.

    Raises:
        UnknownPositionError: if the prompt has no such position.
    """
    length = attention.shape[0]
    if not 0 <= position < length:
        raise UnknownPositionError(
            f"This prompt has no position {position}.",
            hint=f"Its {length:,} tokens stand at the positions 0 to {length - 1}.",
            value=position,
        )
    row = enumerate(attention[position, : position + 1].tolist())
    column = enumerate(attention[position + 1 :, position].tolist(), start=position + 1)
    return TokenLinks(
        looks_at=_largest_first(Evidence(position, key, weight) for key, weight in row),
        looked_at_by=_largest_first(Evidence(query, position, weight) for query, weight in column),
    )


def _largest_first(cells: Iterable[Evidence]) -> tuple[Evidence, ...]:
    return tuple(sorted(cells, key=lambda cell: (-cell.weight, cell.query, cell.key)))


# ------------------------------------------------------------------ the passport


@dataclass(frozen=True)
class AblationEvidence:
    """What knocking out a head showed of one of its roles, and what the role's heads together."""

    head: CausalHead | None
    """The evidence for the head alone; None where it was not tested."""
    role: CausalRole
    """The role's evidence: its group, the texts and their number."""

    @property
    def verdict(self) -> CausalVerdict:
        """Of the head alone."""
        return self.head.verdict if self.head else "not_tested"


def ablation_evidence(
    entry: ModelEntry | None, head: Head, role_key: str
) -> AblationEvidence | None:
    """The stored evidence of a head in a role.

    None where the role does not list the head, or nothing was knocked out for the role.
    """
    evidence = entry.causal.get(role_key) if entry else None
    category = entry.categories.get(role_key) if entry else None
    if evidence is None or category is None:
        return None
    if not any((top.layer, top.head) == head for top in category.top_heads):
        return None
    return AblationEvidence(evidence.of(*head), evidence)


@dataclass(frozen=True)
class RoleRecord:
    """What the stored analysis says of one head in one role."""

    role: str
    """The role's key."""
    score: float
    """0..1, mean activation on the texts of the analysis."""
    standard_error: float | None
    """Of that mean; None where it was not stored."""
    chance: float | None
    """0..1, mean chance level on the same texts; None where it was not stored."""
    control: float | None
    """0..1, the head's score on the control texts; None where the role has none."""
    control_name: str
    """What the control texts are; empty without any."""
    threshold: float
    """0..1, what it takes in this model."""
    rank: int
    """1 is the highest score of all heads; equal scores share a rank."""
    out_of: int
    """Heads of the model."""
    listed: bool
    """Whether the role lists the head; one of another layer may enter below the threshold."""
    proof: AblationEvidence | None = None
    """What knocking it out showed; None where the analysis knocked nothing out for this role."""

    @property
    def is_over(self) -> bool:
        """Whether the score reaches the threshold."""
        return self.score >= self.threshold

    @property
    def lift(self) -> float:
        """-inf..1 on the scale on which roles can be compared (:func:`kappa`)."""
        return kappa(get_role(self.role), self.score, self.chance or 0.0)


@dataclass(frozen=True)
class Passport:
    """One head's roles, as the analysis measured them, and what papers say."""

    head: Head
    """The head."""
    records: tuple[RoleRecord, ...]
    """One a scored role, in the order of the registry; empty without an analysis."""
    roles: tuple[str, ...]
    """The keys of the roles whose threshold it reaches, the main one first."""
    papers: tuple[KnownHead, ...]
    """What sources say of this head, roles that are not scored here included."""

    @property
    def main_role(self) -> str | None:
        """The key of its main role; None where it reaches no threshold, or nothing is known."""
        return self.roles[0] if self.roles else None

    @property
    def also(self) -> tuple[str, ...]:
        """The keys of its other roles, the clearest first."""
        return self.roles[1:]

    @property
    def headline(self) -> str:
        """Its roles in a sentence."""
        if not self.records:
            named = list(dict.fromkeys(role_title(one.role) for one in self.papers))
            if named:
                return f"From the literature, not measured here: {listing(named)}."
            return "There is no analysis of this model that could name its role."
        if not self.roles:
            return (
                "It fits none of the five patterns: its scores stay below every role's threshold."
            )
        names = [_in_sentence(ROLES[key].name) for key in self.roles]
        if len(names) == 1:
            return f"Its role: {names[0]}."
        return f"Mainly {names[0]}, also {listing(names[1:])}."


def passport(
    entry: ModelEntry | None,
    head: Head,
    *,
    known: Sequence[KnownHead] = (),
    thresholds: Mapping[str, float] | None = None,
) -> Passport:
    """Everything that is known of a head apart from a prompt.

    A head has every role whose threshold its score reaches. The main one is the one with the
    largest lift (:func:`kappa`), not the largest score: the scores of two roles are measured
    against different chance levels, and an entropy is no share of attention. Resting on the first
    token comes last whatever its lift: nearly every head rests when it has nothing to do, and that
    must not hide what it does otherwise.

    Args:
        entry: the stored analysis; without one, only what papers say.
        head: the head.
        known: what sources say of the model's heads.
        thresholds: {role key: threshold}; the entry's own where none are given.

    Raises:
        UnknownHeadError: if the analysed model has no such head.
    """
    papers = tuple(one for one in known if one.head == head)
    if entry is None:
        return Passport(head, (), (), papers)
    if not (0 <= head.layer < entry.num_layers and 0 <= head.head < entry.num_heads):
        raise UnknownHeadError(head.label, layers=entry.num_layers, heads=entry.num_heads)
    limits = {**thresholds_in(entry), **(thresholds or {})}
    records = tuple(_record(entry, head, role.key, limits[role.key]) for role in SCORED_ROLES)
    over = [one for one in records if one.is_over]
    over.sort(key=lambda one: (one.role == "positional", -one.lift))
    return Passport(head, records, tuple(one.role for one in over), papers)


def _record(entry: ModelEntry, head: Head, key: str, threshold: float) -> RoleRecord:
    layer, place = head
    scores, control = entry.all_scores[key], entry.controls.get(key)
    errors, category = entry.standard_errors.get(key), entry.categories.get(key)
    score = scores[layer][place]
    listed = category is not None and any(
        (top.layer, top.head) == head for top in category.top_heads
    )
    return RoleRecord(
        role=key,
        score=score,
        standard_error=errors[layer][place] if errors else None,
        chance=category.chance if category else None,
        control=control.scores[layer][place] if control else None,
        control_name=control.name if control else "",
        threshold=threshold,
        rank=1 + sum(other > score for row in scores for other in row),
        out_of=entry.num_layers * entry.num_heads,
        listed=listed,
        proof=ablation_evidence(entry, head, key),
    )


def kappa(role: Role, score: float, chance: float) -> float:
    """How far a score lies on the way from an even spread (0) to a perfect head (1).

    ``(score - chance) / (1 - chance)``. For ``diffuse`` an even spread *is* the perfect head, so
    :data:`EVEN_ENTROPY` stands in for chance.
    """
    zero = chance if role.has_cells else EVEN_ENTROPY
    return (score - zero) / (1 - zero) if zero < 1 else 0.0


def role_title(key: str) -> str:
    """A role's name as people read it, also of one that only papers speak of.

    >>> role_title("induction"), role_title("name_mover")
    ('Induction', 'Name mover')
    """
    role = ROLES.get(key) or EXTENDED_ROLES.get(key)
    return role.name if role else key.replace("_", " ").capitalize()


def _in_sentence(name: str) -> str:
    return name[:1].lower() + name[1:]


# ------------------------------------------------------------------ other heads


def key_value_partners(head: Head, *, num_heads: int, num_kv_heads: int) -> list[Head]:
    """The other query heads that share a head's keys and values (grouped-query attention).

    Query head h uses the key/value head ``h // (num_heads / num_kv_heads)``, as transformers lays
    them out (Ainslie et al. 2023, arXiv 2305.13245). Empty where the model does not share.

    Raises:
        UnknownHeadError: if a layer has no such head.
        ShapeError: if the query heads cannot be dealt out evenly.
    """
    if not 0 <= head.head < num_heads:
        raise UnknownHeadError(head.label)
    if not 0 < num_kv_heads <= num_heads or num_heads % num_kv_heads:
        raise ShapeError(
            "The key/value heads", expected=f"a divisor of {num_heads}", got=num_kv_heads
        )
    size = num_heads // num_kv_heads
    first = head.head // size * size
    return [Head(head.layer, one) for one in range(first, first + size) if one != head.head]


@dataclass(frozen=True)
class Neighbours:
    """The heads before and after one, layer by layer."""

    previous: Head | None
    """None before the model's first head."""
    next: Head | None
    """None after its last head."""


def neighbours(head: Head, *, layers: int, heads: int) -> Neighbours:
    """The previous and the next head. There is none beyond the ends: a reader who goes through the
    model should notice that it is over, and not begin anew.

    Raises:
        UnknownHeadError: if the model has no such head.
    """
    if not (0 <= head.layer < layers and 0 <= head.head < heads):
        raise UnknownHeadError(head.label, layers=layers, heads=heads)
    place = head.layer * heads + head.head

    def at(other: int) -> Head | None:
        return Head(*divmod(other, heads)) if 0 <= other < layers * heads else None

    return Neighbours(at(place - 1), at(place + 1))


def same_role(
    source: ModelEntry | PromptScores,
    role_key: str,
    *,
    head: Head | None = None,
    threshold: float | None = None,
) -> Head | None:
    """Another head of a role: the one after ``head``, the first one after the last.

    Args:
        source: a stored analysis, whose listed heads are gone through in their order; or a prompt's
            scores, whose active heads are gone through from the highest activation down.
        role_key: the role.
        head: where the reader is; the first head of the role follows one that is not among them.
        threshold: with a prompt's scores, what it takes to be active.

    Returns:
        None where the role has no other head.

    Raises:
        UnknownRoleError: for an unknown role.
    """
    role = get_role(role_key)
    if isinstance(source, ModelEntry):
        category = source.categories.get(role_key)
        found = [Head(top.layer, top.head) for top in category.top_heads] if category else []
    else:
        found = _active(source, role, threshold)
    if head not in found:
        return found[0] if found else None
    following = found[(found.index(head) + 1) % len(found)]
    return None if following == head else following


def _active(scores: PromptScores, role: Role, threshold: float | None) -> list[Head]:
    if not role.is_scored:
        return []
    activation = scores.activations[role.key]
    limit = DEFAULT_THRESHOLDS[role.key] if threshold is None else threshold
    active = active_heads(role, activation, limit, num_tokens=scores.num_tokens)
    heads = [Head(*place) for place in active.nonzero().tolist()]
    return sorted(heads, key=lambda one: -float(activation.value[one]))


# ------------------------------------------------------------------ one sentence


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
    verdicts = [judge(head, one.key, scores, thresholds.get(one.key)) for one in SCORED_ROLES]
    judged = [one for one in verdicts if one.state in ("active", "quiet")]
    if not judged:
        least = min(role.min_tokens for role in SCORED_ROLES)
        return (
            f"Too little to tell what {head.label} does: this prompt has {scores.num_tokens} "
            f"token{'s' if scores.num_tokens > 1 else ''} with the start token, and it takes "
            f"{least}."
        )
    active = [one for one in judged if one.is_active]
    if active:
        active.sort(key=lambda one: (one.role == "positional", -_prompt_lift(one)))
        return f"On this prompt {head.label} {listing([_activity(one) for one in active])}."
    told = "" if len(judged) == len(verdicts) else " that can be told on this prompt"
    return (
        f"On this prompt {head.label} has none of the {len(judged)} roles{told}; its attention "
        f"goes most clearly to {_preference(attention, token_ids, labels)}."
    )


def _prompt_lift(verdict: Verdict) -> float:
    activation = verdict.activation
    return kappa(get_role(verdict.role), activation.value, activation.chance)


def _activity(verdict: Verdict) -> str:
    """An active role with its numbers, without the head's name."""
    role, activation = get_role(verdict.role), verdict.activation
    if not role.has_cells:
        evenness = percent(activation.value)
        return f"spreads its attention over many tokens ({evenness} as even as can be)"
    if role.key == "positional":
        return (
            f"rests: {percent(activation.value)} of its attention is on the first token (an even "
            f"spread would give {percent(activation.chance)})"
        )
    mostly = "mostly " if activation.value > 0.5 else ""
    return (
        f"{mostly}looks at {role.looks_at} ({percent(activation.value)} of its attention at the "
        f"{activation.rows} places where that can show; an even spread would give "
        f"{percent(activation.chance)})"
    )


def _preference(
    attention: Float[Tensor, "query key"], token_ids: Sequence[int], labels: Sequence[str]
) -> str:
    """Of all distances and tokens the one whose share lies furthest above an even spread's."""
    profile = offset_profile(attention, longest=len(token_ids))
    rows = profile.rows
    # Shares of the whole prompt: a distance that few rows have must not win on these few.
    found = [("the first token", profile.first.share, profile.first.chance)]
    found += [
        (_back(distance), one.share * one.rows / rows, one.chance * one.rows / rows)
        for distance, one in enumerate(profile.near)
    ]
    ids, keys = torch.as_tensor(token_ids, dtype=torch.long), row_sizes(len(token_ids))
    for token_id in dict.fromkeys(token_ids[1:]):
        columns = ids == token_id
        columns[0] = False  # the start token is never a copy
        share = attention[1:, columns].sum(-1).mean()
        chance = (columns.cumsum(0)[1:] / keys[1:]).mean()
        label = labels[int(columns.nonzero()[0])]
        found.append((f"the token “{label}”", float(share), float(chance)))
    name, share, chance = max(found, key=lambda one: one[1] - one[2])
    return f"{name} ({percent(share)} of it; an even spread would give {percent(chance)})"


def _back(distance: int) -> str:
    if not distance:
        return "the token itself"
    return f"the token {distance} back" if distance > 1 else "the token just before"
