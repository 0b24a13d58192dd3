"""What the pages report about one head, worked out from its attention and the stored scores.

With ``A[q, k]`` the head's attention on a prompt of n tokens (position 0 is the start token):

    without the rest   A'[q, k] = A[q, k] / sum over j >= 1 of A[q, j], and A'[q, 0] = 0
    k tokens back      mean of A[q, q-k] over the rows q with q-k >= 1

Row 0 can look only at itself, so it is left out of every mean.

Which of its roles a head mainly has cannot be read off the scores: half of all attention on the
previous token is a lot, an entropy of a half is nothing. They are compared on one scale
(:func:`kappa`): 0 is an even spread, 1 a perfect head (Cohen's kappa).

>>> passport(entry, Head(1, 1), known=named_heads("demo")).headline  # doctest: +SKIP
'Mainly induction, also previous token.'
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from jaxtyping import Float
from torch import Tensor

from headroles.errors import UnknownHeadError, UnknownPositionError
from headroles.formatting import listing, places
from headroles.roles import ROLES, SCORED_ROLES, KnownHead, Role, get_role, resting
from headroles.scoring import FLOOR_LIFT
from headroles.store import CausalHead, CausalRole, ModelEntry
from headroles.types import CausalVerdict, Evidence, Head
from headroles.verdicts.prompt import thresholds_in

EVEN_ENTROPY = (ROLES["diffuse"].default_threshold - FLOOR_LIFT) / (1 - FLOOR_LIFT)
"""Where the common scale puts 0 for ``diffuse``, whose chance is 1 and so cannot be the zero. It is
chosen so that the threshold by convention stands a quarter of the way to 1."""


# ------------------------------------------------------------------ the pattern


@dataclass(frozen=True)
class TokenLinks:
    """One token's row and column of a pattern, largest weight first."""

    looks_at: tuple[Evidence, ...]
    """One cell per token up to and including itself; the weights sum to 1, or to less where a
    learned sink takes the rest."""
    looked_at_by: tuple[Evidence, ...]
    """One cell per later token; these weights belong to different rows and need not sum to 1."""


def token_links(attention: Float[Tensor, "query key"], position: int) -> TokenLinks:
    """What a token looks at, and the later tokens that look at it.

    Raises:
        UnknownPositionError: if the prompt has no such position.
    """
    length = attention.shape[0]
    if not 0 <= position < length:
        raise UnknownPositionError(
            f"This prompt has no position {position}.",
            hint=f"It has {places('position', length)}.",
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
    """What knocking out a head showed about one of its roles, on one kind of text."""

    head: CausalHead | None
    """The evidence for the head alone; None where it was not tested."""
    role: CausalRole
    """The role's evidence: its group, the texts and their number."""

    @property
    def verdict(self) -> CausalVerdict:
        """The verdict on the head alone."""
        return self.head.verdict if self.head else "not_tested"

    def everywhere(self, head: Head) -> list[AblationEvidence]:
        """The same head's evidence on every kind of text, the role's own first."""
        return [AblationEvidence(role.of(*head), role) for role in self.role.everywhere]


def ablation_evidence(
    entry: ModelEntry | None, head: Head, role_key: str
) -> AblationEvidence | None:
    """The stored evidence of a head in a role.

    None where the role does not list the head, or nothing was knocked out for the role.
    """
    evidence = entry.causal.get(role_key) if entry else None
    category = entry.categories.get(role_key) if entry else None
    if evidence is None or category is None or head not in category.heads:
        return None
    return AblationEvidence(evidence.of(*head), evidence)


@dataclass(frozen=True)
class RoleRecord:
    """What the stored analysis says about one head in one role."""

    role: str
    """The role's key."""
    score: float | None
    """0..1, mean activation on the texts of the analysis; None where a list that was made elsewhere
    does not hold it."""
    standard_error: float | None
    """Of that mean by sampling; None where it was not stored."""
    chance: float | None
    """0..1, mean chance level on the same texts; None where it was not stored."""
    control: float | None
    """0..1, the head's score on the control texts; None where the role has none."""
    control_name: str
    """What the control texts are; empty without any."""
    threshold: float
    """0..1, the score that it takes in this model."""
    rank: int | None
    """1 is the highest score of all heads; equal scores share a rank. None where not every head's
    score is known."""
    out_of: int
    """Heads of the model."""
    rank_in_layer: int | None
    """The same among the heads of its layer."""
    listed: bool
    """Whether the role lists the head; one of another layer may enter below the threshold."""
    output_change: float | None = None
    """0 and up, the second witness, where the role needs one and it was measured."""
    ablation: AblationEvidence | None = None
    """What knocking it out showed; None where the analysis knocked nothing out for this role."""
    on_kinds: Mapping[str, float] = field(default_factory=dict)
    """{kind of text: mean}; empty where one kind was tried."""
    kind_error: float | None = None
    """How far a kind's mean typically lies from the score; None where one kind was tried."""

    @property
    def is_over(self) -> bool:
        """Whether the score reaches the threshold, and the second witness says the same."""
        return self.reaches and resting.hardly_changes(self.output_change)

    @property
    def reaches(self) -> bool:
        """Whether the score reaches the threshold."""
        return self.score is not None and self.score >= self.threshold

    @property
    def only_looks(self) -> str:
        """Why a score that reaches the threshold is not enough; empty where it is."""
        if not self.reaches or self.is_over:
            return ""
        return (
            f"It looks at the first token but does not rest: what it writes changes by "
            f"{self.output_change:.0%} of what a head of its layer writes; a resting head's "
            f"changes by at most {resting.CHANGES_LITTLE:.0%}."
        )

    @property
    def lift(self) -> float:
        """-inf..1 on the scale on which roles can be compared (:func:`kappa`)."""
        return kappa(get_role(self.role), self.score or 0.0, self.chance or 0.0)


@dataclass(frozen=True)
class Passport:
    """One head's roles, as the analysis measured them, and what papers say."""

    head: Head
    """The head."""
    records: tuple[RoleRecord, ...]
    """One per scored role, in the order of the registry; empty without an analysis."""
    roles: tuple[str, ...]
    """The keys of the roles whose threshold it reaches, the main one first."""
    papers: tuple[KnownHead, ...]
    """What sources say about this head, including roles that are not scored here."""
    made_elsewhere: bool = False
    """Whether lists and scores are another program's."""

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
            named = list(dict.fromkeys(role_title(known.role) for known in self.papers))
            if named:
                return f"From the literature, not measured here: {listing(named)}."
            return "There is no analysis of this model that could name its role."
        if not self.roles and self.made_elsewhere:
            return self._named_elsewhere
        if not self.roles:
            lower = [_in_sentence(ROLES[one.role].name) for one in self.records if one.listed]
            if lower:
                return (
                    f"Listed for {listing(lower)} as the best head of its layer, though its score "
                    "stays below the threshold."
                )
            return (
                "It fits none of the five patterns: its scores stay below every role's threshold."
                if not any(record.reaches for record in self.records)
                else "It looks at the first token but does not rest: it has none of the roles."
            )
        names = [_in_sentence(ROLES[key].name) for key in self.roles]
        if len(names) == 1:
            return f"Its role: {names[0]}."
        return f"Mainly {names[0]}, also {listing(names[1:])}."

    @property
    def _named_elsewhere(self) -> str:
        """What a file that was made elsewhere says of a head that reaches no threshold."""
        listed = [_in_sentence(ROLES[one.role].name) for one in self.records if one.listed]
        if listed:
            return f"Listed for {listing(listed)}, though its score stays below our threshold."
        if any(one.score is None for one in self.records):
            return "The file that was made elsewhere does not list it."
        return "It fits none of the five patterns: its scores stay below every role's threshold."


def passport(
    entry: ModelEntry | None,
    head: Head,
    *,
    known: Sequence[KnownHead] = (),
    thresholds: Mapping[str, float] | None = None,
) -> Passport:
    """Everything that is known about a head apart from a prompt.

    A head has every role whose threshold its score reaches. The main one is the one with the
    largest lift (:func:`kappa`), not the largest score: the scores of two roles are measured
    against different chance levels, and an entropy is no share of attention. Resting on the first
    token comes last whatever its lift: nearly every head rests when it has nothing to do, and that
    must not hide what it does otherwise.

    Args:
        entry: the stored analysis; without one, only what papers say.
        head: the head.
        known: what sources say about the model's heads.
        thresholds: {role key: threshold}; the entry's own where none are given.

    Raises:
        UnknownHeadError: if the analysed model has no such head.
    """
    papers = tuple(record for record in known if record.head == head)
    if entry is None:
        return Passport(head, (), (), papers)
    if not (0 <= head.layer < entry.num_layers and 0 <= head.head < entry.num_heads):
        raise UnknownHeadError(head.label, layers=entry.num_layers, heads=entry.num_heads)
    limits = {**thresholds_in(entry), **(thresholds or {})}
    records = tuple(_record(entry, head, role.key, limits[role.key]) for role in SCORED_ROLES)
    over = [record for record in records if record.is_over]
    over.sort(key=lambda record: (record.role == "positional", -record.lift))
    roles = tuple(record.role for record in over)
    return Passport(head, records, roles, papers, made_elsewhere=entry.made_elsewhere)


def _record(entry: ModelEntry, head: Head, key: str, threshold: float) -> RoleRecord:
    stored = entry.role(key)
    score, errors = stored.score(head), stored.error(head)
    is_whole = len(stored.known_heads) == len(entry.heads)
    others = [stored.score(other) for other in stored.heads] if is_whole else []
    first = head.layer * entry.num_heads
    return RoleRecord(
        role=key,
        score=score,
        standard_error=errors,
        chance=stored.category.chance,
        control=stored.control_score(head),
        control_name=stored.control.name if stored.control else "",
        threshold=threshold,
        rank=_rank(score, others) if is_whole else None,
        out_of=len(entry.heads),
        rank_in_layer=_rank(score, others[first : first + entry.num_heads]) if is_whole else None,
        listed=head in stored.listed,
        output_change=stored.output_change(head),
        ablation=ablation_evidence(entry, head, key),
        on_kinds=stored.on_kinds(head),
        kind_error=stored.kind_error(head),
    )


def _rank(score: float, scores: Sequence[float]) -> int:
    return 1 + sum(other > score for other in scores)


def kappa(role: Role, score: float, chance: float) -> float:
    """How far a score lies on the way from an even spread (0) to a perfect head (1).

    ``(score - chance) / (1 - chance)``. For ``diffuse`` an even spread *is* the perfect head, so
    :data:`EVEN_ENTROPY` is used instead of chance.
    """
    zero = chance if role.has_cells else EVEN_ENTROPY
    return (score - zero) / (1 - zero) if zero < 1 else 0.0


def role_title(key: str) -> str:
    """A role's name as people read it, also of a role that only papers name.

    >>> role_title("induction"), role_title("name_mover")
    ('Induction', 'Name mover')
    """
    role = ROLES.get(key)
    return role.name if role else key.replace("_", " ").capitalize()


def _in_sentence(name: str) -> str:
    return name[:1].lower() + name[1:]
