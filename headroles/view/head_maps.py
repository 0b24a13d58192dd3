"""Every head's number in every role, from the reference scores or from a prompt. Pure.

>>> model = of_prompt(scores, thresholds, entry)  # doctest: +SKIP
>>> model.roles["induction"].sentence  # doctest: +SKIP
'3 of 32 heads are active as Induction on this prompt; 3 of these 3 are listed.'
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from headroles import verdicts
from headroles.formatting import decimal, listing, percent
from headroles.roles import FALL, ROLES, SCORED_ROLES, Role
from headroles.types import Head
from headroles.view import causal, role_cards
from headroles.view.head_records import (
    FINE,
    going_by_place,
    head_record,
    number,
    percent_number,
    signed_number,
)
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.store import ModelEntry, StoredRole
    from headroles.types import Verdict
    from headroles.verdicts import PromptScores


@dataclass(frozen=True)
class RoleMap:
    """One role of a model."""

    role: Role
    """The role."""
    records: tuple[Mapping[str, object], ...]
    """One per head, layer by layer: :func:`headroles.view.head_records.head_record`."""
    threshold: float | None
    """The score that it takes; None for ``other``."""
    chance: float | None
    """0..1, an even spread's number; None where it is not known or the role does not apply. Where
    each head has a distance of its own, the mean over the heads."""
    sentence: str
    """The take-away."""
    why_nobody: str = ""
    """Why no head can be judged; empty where it can."""
    unjudged: int = 0
    """On a prompt: heads that cannot be judged, where others can."""


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
    extended: Mapping[Role, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    """{extended role as it was measured: its records}, where those are shown; they do not count for
    ``other``."""

    largest: Mapping[Head, float] = field(default_factory=dict)
    """{head: 0..1, its mean largest weight} on a prompt, beside the evenness of *Diffuse*; empty
    where that is not known."""

    def roles_of(self, place: int) -> list[str]:
        """The keys of the roles that the head at a place of :attr:`heads` has here.

        By the reference scores also those that list it below their threshold, as the best head of
        its layer.
        """
        has = ("active", "listed") if self.unit == "score" else ("active",)
        return [
            key
            for key, role_map in self.roles.items()
            if any(role_map.records[place][how] for how in has)
        ]

    def names_of(self, place: int) -> list[str]:
        """The names of its roles, then of its extended roles."""
        more = [role.name for role, records in self.extended.items() if records[place]["active"]]
        return [*(ROLES[key].name for key in self.roles_of(place)), *more]

    @property
    def is_whole(self) -> bool:
        """Whether every head has a number in every role."""
        records = (record for role_map in self.roles.values() for record in role_map.records)
        return all(record["value"] is not None for record in records)

    def other_score(self, place: int) -> float | None:
        """Of a head that fits nothing, its largest number on a role with cells; else None.

        A role whose places are out of its layer's sight gives no number.
        """
        if self.heads[place] not in self.other:
            return None
        with_cells = [role_map for role_map in self.roles.values() if role_map.role.has_cells]
        values = [role_map.records[place]["value"] for role_map in with_cells]
        return max((float(value) for value in values if value is not None), default=0.0)

    def other_map(self) -> RoleMap:
        """The heads that fit nothing, each with its largest number; the others are 0."""
        records = []
        for place, head in enumerate(self.heads):
            score = self.other_score(place)
            words = [f"no role; at most {score:.0%}"] if score is not None else self.names_of(place)
            records.append(
                head_record(
                    head,
                    score or 0.0,
                    number="" if score is None else percent_number(score),
                    mark="" if score is None else "fits nothing",
                    shown=in_a_line(words),
                )
            )
        total = count(len(self.heads), "head")
        done = (
            "do none of the five jobs on this prompt"
            if self.unit == "prompt"
            else "fit nothing: they have none of the five roles"
        )
        sentence = f"{len(self.other)} of {total} {done}."
        if not self.is_whole:
            sentence = "The scores do not say which heads fit nothing."
        return RoleMap(ROLES["other"], tuple(records), None, None, sentence)


def of_entry(entry: ModelEntry, thresholds: Mapping[str, float]) -> ModelMap:
    """The reference scores of a model."""
    roles = {
        role.key: stored_map(entry.role(role.key), threshold=thresholds[role.key])
        for role in SCORED_ROLES
    }
    calibrated = not entry.made_elsewhere
    other = frozenset(entry.listed("other") if calibrated else _without_role(entry, roles))
    ablations = causal.of_heads(entry)
    return ModelMap(roles, tuple(entry.heads), other, "score", calibrated, ablations)


def _without_role(entry: ModelEntry, roles: Mapping[str, RoleMap]) -> list[Head]:
    """The heads that have no role by scores that were made elsewhere, where all are known."""
    return [
        head
        for place, head in enumerate(entry.heads)
        if not any(
            record["value"] is None or record["active"] or record["listed"]
            for record in (role_map.records[place] for role_map in roles.values())
        )
    ]


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
    layers, width = scores.resting.shape
    heads = tuple(Head(*divmod(place, width)) for place in range(layers * width))
    roles = {}
    for role in SCORED_ROLES:
        judged = [verdicts.judge(head, role.key, scores, thresholds[role.key]) for head in heads]
        marked = entry.listed(role.key) if entry is not None else papers.get(role.key, ())
        mark = "listed" if entry is not None else "named by papers" if papers else ""
        roles[role.key] = prompt_map(role, judged, marked=marked, mark=mark)
    largest = _largest(scores, heads)
    roles["diffuse"] = _with_largest(roles["diffuse"], largest)
    busy = {
        heads[place]
        for role_map in roles.values()
        for place, record in enumerate(role_map.records)
        if record["active"]
    }
    other = frozenset(head for head in heads if head not in busy)
    ablations = causal.of_heads(entry)
    calibrated = entry is not None and not entry.made_elsewhere
    return ModelMap(
        roles, heads, other, "prompt", calibrated, ablations, bool(papers), largest=largest
    )


def _largest(scores: PromptScores, heads: Sequence[Head]) -> dict[Head, float]:
    """Every head's mean largest weight, where it is known."""
    known = {head: scores.largest_of(head) for head in heads}
    return {head: both[0] for head, both in known.items() if both is not None}


def _with_largest(role_map: RoleMap, largest: Mapping[Head, float]) -> RoleMap:
    """*Diffuse* with the largest weight in the words of every cell: evenness alone cannot tell an
    even spread from two peaks."""
    records = []
    for record in role_map.records:
        head = Head(record["layer"], record["head"])
        more = f", largest weight {percent(largest[head])}" if head in largest else ""
        records.append({**record, "shown": f"{record['shown']}{more}"})
    return replace(role_map, records=tuple(records))


# ------------------------------------------------------------------ one role


def stored_map(
    stored: StoredRole, *, threshold: float | None = None, papers: Collection[Head] = ()
) -> RoleMap:
    """Every head's reference score in a role that was measured.

    A ring goes round the heads that have the role: those that reach the threshold, or, of a role
    that lists steady heads only, those that are listed.

    Args:
        stored: the role as it was measured.
        threshold: in place of its own.
        papers: heads that papers name for the role, which get a mark of their own.
    """
    role, listed = stored.role, set(stored.listed)
    threshold = stored.category.threshold if threshold is None else threshold
    limit = max([0.1, *(abs(stored.score(head)) for head in stored.known_heads)])
    records = []
    for head in stored.heads:
        value = stored.score(head)
        over = threshold is not None and stored.fits(head, threshold)
        words = [score_words(stored, head), *offset_words(stored, head)]
        words += ["over the threshold"] * over
        records.append(
            head_record(
                head,
                value,
                **_drawn(role, value, limit),
                aside=_distance(stored, head),
                active=head in listed if role.selection == "steady" else over,
                mark="listed" if head in listed else "",
                shown=", ".join(words),
                papers=head in papers,
            )
        )
    sentence = stored_sentence(stored, threshold)
    return RoleMap(role, tuple(records), threshold, stored.category.chance, sentence)


def _drawn(role: Role, value: float | None, limit: float) -> dict[str, object]:
    """Shade, colour and number of a cell: of a share the percent, else the size with its sign."""
    if value is None:
        return {}
    if not role.is_signed:
        return {"number": percent_number(value)}
    digits = 2 if limit < FINE else 1
    return {
        "most": limit,
        "number": signed_number(value, digits),
    }


def score_words(stored: StoredRole, head: Head) -> str:
    """A head's reference score with its error, and with its control where the role has one."""
    role, value, error = stored.role, stored.score(head), stored.error(head)
    if value is None:
        return (
            "not measured: out of its sight" if stored.is_unseen(head) else "no score in the file"
        )
    spread = "" if error is None else f" ± {error:.3f}"
    if role.level == "basic":
        return f"{decimal(value, digits=3)}{spread}"
    control = number(role, stored.control_score(head))
    return f"{number(role, value)} ({spread.strip()}), control: {control}"


def _distance(stored: StoredRole, head: Head) -> str:
    """Beside the number in a cell: the distance of a role whose heads each have their own."""
    distance = stored.distance(head)
    return "" if distance is None else f" (−{distance})"


def offset_words(stored: StoredRole, head: Head) -> list[str]:
    """Where a head's offset profile peaks; nothing for other roles."""
    if stored.profile is None:
        return []
    words = [f"{stored.distance(head)} tokens back"]
    if stored.profile.previous[head.layer][head.head]:
        words.append("but more clearly 1 back: a previous-token head")
    return words


def stored_sentence(stored: StoredRole, threshold: float | None) -> str:
    """The take-away of a role's reference scores."""
    role, sign, total = stored.role, stored.role.sign or 1, count(len(stored.heads), "head")
    if not role.is_scored:
        return f"{len(stored.listed)} of {total} have none of the five roles, and are on no list."
    if not stored.known_heads:
        return f"The file that was made elsewhere lists no head as {role.name}."
    best = max(stored.known_heads, key=lambda head: sign * stored.score(head))
    if len(stored.known_heads) < len(stored.heads) and not stored.category.unseen_layers:
        listed = len(stored.listed)
        return (
            f"{listed} of {total} {'is' if listed == 1 else 'are'} listed as {role.name} in a "
            f"file that was made elsewhere. The highest is {best.label}, with "
            f"{stored.score(best):.2f}."
        )
    if role.selection == "diverse":
        over = sum(stored.score(head) >= threshold for head in stored.known_heads)
        fits = sum(stored.fits(head, threshold) for head in stored.heads)
        rest = "rests" if fits == 1 else "rest"
        works = ""
        if fits < over:
            others = "the other one still writes" if over - fits == 1 else "the others still write"
            works = f" {fits} of them {rest}; {others} something new at every token."
        return (
            f"{over} of {total} {'reaches' if over == 1 else 'reach'} the threshold of "
            f"{role.name}, {threshold:.2f}. The highest is {best.label}, "
            f"with {stored.score(best):.2f}.{works}{_on_the_list(stored, threshold, fits)}"
        )
    listed = len(stored.listed)
    names = f"{listed or 'None'} of {total} {'are' if listed > 1 else 'is'}"
    sentence = (
        f"{names} listed as {role.name}; the strongest is {stored.strongest.label} with "
        f"{number(role, stored.score(stored.strongest))}."
    )
    return " ".join(part for part in (sentence, opposite(stored), going_by_place(stored)) if part)


def _on_the_list(stored: StoredRole, threshold: float, fits: int) -> str:
    """How many heads the list names; empty where these are the ones that have the role."""
    listed = len(stored.listed)
    below = sum(stored.score(head) < threshold for head in stored.listed)
    if listed == fits and not below:
        return ""
    under = f", {below} of them below the threshold" if below else ""
    return f" Listed: {count(listed, 'head')}{under}."


def opposite(stored: StoredRole) -> str:
    """Of a signed role, how many heads do the opposite as strongly; empty where none does."""
    role, threshold = stored.role, stored.category.threshold
    if not role.is_signed:
        return ""
    over = [head for head in stored.known_heads if -role.sign * stored.score(head) >= threshold]
    if not over:
        return ""
    best = max(over, key=lambda head: -role.sign * stored.score(head))
    value = number(role, stored.score(best)).partition(",")[0]
    one = "s" * (len(over) == 1)
    if role.unit == FALL:
        deed = f"turn{one} the name movers towards the subject"
    else:
        way = "for the token: they copy it" if role.sign < 0 else "against the token"
        deed = f"write{one} {way}"
    return f"{count(len(over), 'head')} {deed} (most strongly {best.label}, {value})."


def prompt_map(
    role: Role,
    judged: Sequence[Verdict],
    *,
    marked: Collection[Head],
    mark: str = "listed",
    stored: StoredRole | None = None,
    papers: Collection[Head] = (),
) -> RoleMap:
    """Every head in a role on a prompt.

    Args:
        role: a role that attention can show.
        judged: every head's verdict, layer by layer.
        marked: the heads that get a square.
        mark: what the square says; empty where nothing is known of any head.
        stored: the role as it was measured, for the heads' own distances.
        papers: heads that papers name for the role, which get a mark of their own.
    """
    records = []
    for verdict in judged:
        words = [role_cards.shown_verdict(verdict)]
        words += offset_words(stored, verdict.head)[:1] if stored else []
        records.append(
            head_record(
                verdict.head,
                verdict.activation.value,
                number=percent_number(verdict.activation.value),
                aside=_distance(stored, verdict.head) if stored else "",
                active=verdict.is_active,
                mark=mark if verdict.head in marked else "",
                shown=", ".join(words),
                papers=verdict.head in papers,
            )
        )
    applying = [verdict.activation.chance for verdict in judged if verdict.activation.rows]
    unable = [verdict for verdict in judged if verdict.state in ("not_applicable", "too_short")]
    why = judged[0].reason if len(unable) == len(judged) else ""
    if why and role.at_distance:
        why = "This prompt is too short for the heads' distances."
    return RoleMap(
        role=role,
        records=tuple(records),
        threshold=judged[0].threshold,
        chance=sum(applying) / len(applying) if applying else None,
        sentence=_prompt_sentence(role, records, mark=mark),
        why_nobody=why,
        unjudged=0 if why else len(unable),
    )


def _prompt_sentence(role: Role, records: list[dict[str, object]], *, mark: str) -> str:
    active = [record for record in records if record["active"]]
    total = count(len(records), "head")
    verb = "is" if len(active) == 1 else "are"
    sentence = f"{len(active)} of {total} {verb} active as {role.name} on this prompt"
    if not mark or not active:
        return f"{sentence}."
    listed = sum(bool(record["listed"]) for record in active)
    if len(active) == 1:
        return f"{sentence}; it is {'' if listed else 'not '}{mark}."
    return f"{sentence}; {listed} of these {len(active)} {'is' if listed == 1 else 'are'} {mark}."


def in_a_line(names: list[str]) -> str:
    """The names of roles in a line; of none, that of ``other``."""
    return listing(names) if names else ROLES["other"].name
