"""Every head's number in every role, from the reference scores or from a prompt. Pure.

>>> found = of_prompt(scores, thresholds, entry)  # doctest: +SKIP
>>> found.roles["induction"].sentence  # doctest: +SKIP
'3 of 32 heads are active as Induction on this prompt; 3 of these 3 are listed.'
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headroles import verdicts
from headroles.formatting import listing
from headroles.roles import EXTENDED_ROLES, ROLES, SCORED_ROLES, Role
from headroles.types import Head
from headroles.view import causal, role_cards
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.store import ModelEntry
    from headroles.verdicts import PromptScores


@dataclass(frozen=True)
class RoleMap:
    """One role of a model."""

    role: Role
    """The role."""
    records: tuple[Mapping[str, object], ...]
    """One a head, layer by layer: layer, head, label, value, active, listed, shown."""
    threshold: float
    """0..1, what it takes."""
    chance: float | None
    """0..1, an even spread's number; None where it is not known or the role does not apply."""
    sentence: str
    """The take-away."""
    why_nobody: str
    """Why no head can be judged; empty where it can."""


@dataclass(frozen=True)
class ModelMap:
    """All scored roles of a model, from one source."""

    roles: Mapping[str, RoleMap]
    """{role key: map} in the order of the registry."""
    heads: tuple[Head, ...]
    """Every head, layer by layer: the order of all records."""
    other: frozenset[Head]
    """The heads that fit nothing here."""
    unit: str
    """``score`` or ``prompt``: where the numbers come from."""
    calibrated: bool
    """Whether the thresholds were measured."""
    ablations: Mapping[Head, str]
    """{head: what knocking it out showed, role by role}; only heads that were knocked out."""
    by_papers: bool = False
    """Whether the marked heads are those that papers name, for want of an analysis."""
    extended: Mapping[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    """{extended role: its records}, where those are shown; they do not count for ``other``."""

    def roles_of(self, place: int) -> list[str]:
        """The keys of the roles that the head at a place of :attr:`heads` has here."""
        return [key for key, one in self.roles.items() if one.records[place]["active"]]

    def names_of(self, place: int) -> list[str]:
        """The names of its roles, then of its extended roles."""
        keys = [key for key, one in self.extended.items() if one[place]["active"]]
        basic = [ROLES[key].name for key in self.roles_of(place)]
        return [*basic, *(EXTENDED_ROLES[key].name for key in keys)]

    def other_score(self, place: int) -> float | None:
        """Of a head that fits nothing, its largest number on a role with cells; else None."""
        if self.heads[place] not in self.other:
            return None
        with_cells = [one for one in self.roles.values() if one.role.has_cells]
        return max(float(one.records[place]["value"]) for one in with_cells)


def of_entry(entry: ModelEntry, thresholds: Mapping[str, float]) -> ModelMap:
    """The reference scores of a model."""
    heads = _heads(entry.num_layers, entry.num_heads)
    roles = {role.key: _stored(role, entry, thresholds[role.key], heads) for role in SCORED_ROLES}
    ablations, other = causal.of_heads(entry), frozenset(role_cards.listed_heads(entry, "other"))
    return ModelMap(roles, heads, other, "score", True, ablations)


def of_prompt(
    scores: PromptScores,
    thresholds: Mapping[str, float],
    entry: ModelEntry | None,
    *,
    papers: Mapping[str, Collection[Head]] | None = None,
) -> ModelMap:
    """Every head's activations on a prompt.

    Args:
        scores: of the prompt.
        thresholds: {role key: threshold}.
        entry: says which heads are listed.
        papers: {role key: heads that papers name}, which are marked where there is no entry.
    """
    papers = {} if entry is not None else papers or {}
    heads = _heads(*scores.resting.shape)
    roles = {
        role.key: _measured(
            role, scores, thresholds[role.key], heads, entry, papers.get(role.key, ())
        )
        for role in SCORED_ROLES
    }
    busy = {
        heads[place]
        for one in roles.values()
        for place, record in enumerate(one.records)
        if record["active"]
    }
    other = frozenset(head for head in heads if head not in busy)
    ablations = causal.of_heads(entry)
    return ModelMap(roles, heads, other, "prompt", entry is not None, ablations, bool(papers))


def _heads(layers: int, heads: int) -> tuple[Head, ...]:
    return tuple(Head(layer, head) for layer in range(layers) for head in range(heads))


def _stored(role: Role, entry: ModelEntry, threshold: float, heads: tuple[Head, ...]) -> RoleMap:
    category = entry.categories.get(role.key)
    listed, errors = role_cards.listed_heads(entry, role.key), entry.standard_errors.get(role.key)
    records = []
    for head in heads:
        layer, number = head
        value = entry.all_scores[role.key][layer][number]
        error = f" ± {errors[layer][number]:.3f}" if errors else ""
        words = [
            f"{value:.3f}{error} of 1",
            *(["over the threshold"] if value >= threshold else []),
        ]
        records.append(_record(head, value, value >= threshold, head in listed, ", ".join(words)))
    over = sum(bool(record["active"]) for record in records)
    best = max(records, key=lambda record: record["value"])
    sentence = (
        f"{over} of {count(len(heads), 'head')} reach the threshold of {role.name}, "
        f"{threshold:.2f}; the highest is {best['label']} with {best['value']:.2f} of 1."
    )
    chance = category.chance if category else None
    return RoleMap(role, tuple(records), threshold, chance, sentence, "")


def _measured(
    role: Role,
    scores: PromptScores,
    threshold: float,
    heads: tuple[Head, ...],
    entry: ModelEntry | None,
    papers: Collection[Head],
) -> RoleMap:

    listed, mark = (
        (role_cards.listed_heads(entry, role.key), "listed")
        if entry is not None
        else (papers, "named by papers")
    )
    judged = [verdicts.judge(head, role.key, scores, threshold) for head in heads]
    records = []
    for head, verdict in zip(heads, judged, strict=True):
        words = role_cards.shown_verdict(verdict)
        value = verdict.activation.value
        records.append(_record(head, value, verdict.is_active, head in listed, words, mark=mark))
    # What keeps one head from being judged keeps every head, so the first one speaks for all.
    first = judged[0]
    unable = first.state in ("not_applicable", "too_short")
    activation = scores.activations[role.key]
    return RoleMap(
        role=role,
        records=tuple(records),
        threshold=threshold,
        chance=activation.chance if activation.rows else None,
        sentence=_prompt_sentence(role, records, mark=mark if entry or papers else ""),
        why_nobody=first.reason if unable else "",
    )


def _record(
    head: Head, value: float, active: bool, listed: bool, shown: str, *, mark: str = "listed"
) -> dict[str, object]:
    return {
        "layer": head.layer,
        "head": head.head,
        "label": head.label,
        "value": round(value, 3),
        "active": active,
        "listed": listed,
        "shown": shown + (f", {mark}" if listed else ""),
    }


def _prompt_sentence(role: Role, records: list[dict[str, object]], *, mark: str) -> str:
    active = [record for record in records if record["active"]]
    total = count(len(records), "head")
    sentence = f"{len(active)} of {total} are active as {role.name} on this prompt"
    if not mark or not active:
        return f"{sentence}."
    listed = sum(bool(record["listed"]) for record in active)
    return f"{sentence}; {listed} of these {len(active)} {'is' if listed == 1 else 'are'} {mark}."


def in_a_line(names: list[str]) -> str:
    """The names of roles in a line; of none, that of ``other``."""
    return listing(names) if names else ROLES["other"].name
