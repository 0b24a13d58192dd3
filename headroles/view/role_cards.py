"""The page's sentences, worked out from the numbers. Pure: no Streamlit, charts or tensors.

>>> card = role_card(ROLES["induction"], summary["induction"], entry)  # doctest: +SKIP
>>> card.awake, card.headline  # doctest: +SKIP
(True, '3 of 4 listed heads active')
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headroles.formatting import listing, percent
from headroles.roles import ROLES, SCORED_ROLES, Role
from headroles.types import Evidence, Head, Verdict
from headroles.view import lists, waking
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.scoring import RoleActivation
    from headroles.store import ModelEntry, RoleHints

STATE_WORDS = {
    "active": "active",
    "quiet": "quiet",
    "not_applicable": "nothing to do here",
    "too_short": "too short to tell",
}
"""Every state of a verdict, as a student reads it."""


_ALL_HEADS = {1: "its only head does", 2: "both heads do"}


@dataclass(frozen=True)
class RoleCard:
    """One role on one prompt."""

    role: Role
    """The role."""
    rows: tuple[Mapping[str, object], ...]
    """[listed head] what ``get_active_head_summary`` says about each."""
    hints: RoleHints | None = None
    """Prompts that wake listed heads; None where none were tried."""
    over: int = 0
    """Heads of the model over the role's threshold, listed or not."""
    list_sentence: str = ""
    """How many heads that are, and how many of them are listed in which order."""

    @property
    def active(self) -> int:
        """How many listed heads are active."""
        return sum(bool(row["is_active"]) for row in self.rows)

    @property
    def awake(self) -> bool:
        """Whether a listed head does the role on this prompt."""
        return self.active > 0

    @property
    def headline(self) -> str:
        """``3 of 4 listed heads active``."""
        if not self.rows:
            return "no head of this model"
        return f"{self.active} of {count(len(self.rows), self.noun)} active"

    @property
    def noun(self) -> str:
        """What a row is: a head, or a listed one where an analysis made the list."""
        return "listed head" if self.list_sentence else "head"

    @property
    def gray(self) -> list[Head]:
        """The listed heads that are not active, in the order of the list."""
        return [
            Head(int(row["layer"]), int(row["head"])) for row in self.rows if not row["is_active"]
        ]

    def wake_ups(self, prompt: str) -> list[waking.WakeUp]:
        """As few prompts as wake every gray head that one is known for; never the present one."""
        return waking.wake_ups(self.hints, self.gray, besides=prompt)

    @property
    def tried(self) -> str:
        """How many prompts were tried, and for which gray heads in vain."""
        return waking.tried_sentence(self.hints, self.gray)

    @property
    def why_asleep(self) -> str:
        """Why no listed head does the role here; empty when one does."""
        if self.awake:
            return ""
        if not self.rows:
            return (
                "The analysis found no head of this model that does this. Other models have some."
            )
        reasons = Counter(str(row["reason"]) for row in self.rows)
        states = {row["state"] for row in self.rows}
        if len(reasons) == 1 and states != {"quiet"}:
            return next(iter(reasons))
        best = max(self.rows, key=lambda row: row["activation_score"])
        needed = self.role.needed(float(best["threshold"]), float(best["chance"]))
        return (
            "The role could show on this prompt, but "
            + _ALL_HEADS.get(len(self.rows), f"all {len(self.rows)} heads do")
            + f" something else. The closest is {best['label']} with "
            f"{percent(best['activation_score'])}; "
            f"it would need {percent(needed)}."
        )

    def hint(self, prompt: str, *, stories: bool) -> str | None:
        """A prompt that may wake the role, other than the present one.

        That is one that was tried on this model. Where none was, it is one of the role's own; where
        all were tried in vain, there is none.

        Args:
            prompt: the present one.
            stories: whether the model knows only the words of simple stories.
        """
        if known := self.wake_ups(prompt):
            return known[0].prompt
        if len(self.gray) == len(waking.in_vain(self.hints, self.gray)):
            return None
        own = self.role.story_hints if stories else self.role.text_hints
        return next((hint for hint in own if hint != prompt), None)


def role_cards(
    summary: Mapping[str, Sequence[Mapping[str, object]]], entry: ModelEntry | None = None
) -> list[RoleCard]:
    """A card for every scored role, in the order of the registry.

    Args:
        summary: what the listed heads do on a prompt.
        entry: the analysis, for what the cards say beside that.
    """
    return [role_card(role, summary.get(role.key, ()), entry) for role in SCORED_ROLES]


def role_card(
    role: Role, rows: Sequence[Mapping[str, object]], entry: ModelEntry | None
) -> RoleCard:
    """The card of one role."""
    if entry is None:
        return RoleCard(role, tuple(rows))
    return RoleCard(
        role,
        tuple(rows),
        hints=entry.hints.get(role.key),
        over=entry.heads_over(role.key),
        list_sentence=lists.list_sentence(entry, role.key),
    )


def overall(cards: Sequence[RoleCard]) -> str:
    """The page's answer in one sentence."""
    awake = sum(card.awake for card in cards)
    listed = sum(len(card.rows) for card in cards)
    active = sum(card.active for card in cards)
    heads = {(row["layer"], row["head"]) for card in cards for row in card.rows}
    twice = " (a head on two lists counts twice)" if len(heads) < listed else ""
    return (
        f"{awake} of {len(cards)} roles are awake on this prompt, "
        f"and {active} of {listed} listed heads are active{twice}."
    )


def also_roles(row: Mapping[str, object], role: Role) -> list[str]:
    """The names of the other scored roles that list the same head."""
    keys = [key for key in row["roles"] if key != role.key and ROLES[key].is_scored]
    return [ROLES[key].name for key in keys]


def bar_records(card: RoleCard) -> list[dict[str, object]]:
    """What the bar chart of a card draws, one record per head."""
    return [
        {
            "order": order,
            "layer": row["layer"],
            "head": row["head"],
            "label": row["label"],
            "note": _note(row, card.role),
            "value": row["activation_score"],
            "chance": row["chance"],
            "threshold": row["threshold"],
            "state": row["state"],
            "applies": row["rows"] > 0,
            "shown": shown(row),
            "reason": row["reason"],
        }
        for order, row in enumerate(card.rows)
    ]


def _note(row: Mapping[str, object], role: Role) -> str:
    """The note beside a head: its other roles, or how far back it looks."""
    also = also_roles(row, role)
    return f"also {listing(also)}" if also else str(row.get("note", ""))


def shown(row: Mapping[str, object]) -> str:
    """Value and state in words, at the end of a bar."""
    words = STATE_WORDS[str(row["state"])]
    if not row["rows"]:
        return words
    return f"{percent(float(row['activation_score']))} · {words}"


def shown_verdict(verdict: Verdict) -> str:
    """The same of a verdict."""
    return shown(
        {
            "state": verdict.state,
            "activation_score": verdict.activation.value,
            "rows": verdict.activation.rows,
        }
    )


def bars_alt(card: RoleCard) -> str:
    """The take-away of a card's chart."""
    if not card.awake:
        return f"{card.role.name}: {card.headline}. {card.why_asleep}"
    best = max(card.rows, key=lambda row: row["activation_score"])
    return (
        f"{card.role.name}: {card.headline}. The strongest is {best['label']} with "
        f"{percent(best['activation_score'])}; chance is {percent(best['chance'])}, the threshold "
        f"{percent(best['threshold'])}."
    )


def table_rows(card: RoleCard) -> list[list[str]]:
    """The table twin of a card's chart, the reason last."""
    return [
        [
            str(row["label"]),
            shown(row),
            percent(row["chance"]) if row["rows"] else "–",
            percent(row["threshold"]),
            f"{row['score']:.2f}",
            str(row["reason"])
            + (
                f" It is listed under {listing(also_roles(row, card.role))} too."
                if also_roles(row, card.role)
                else ""
            ),
        ]
        for row in card.rows
    ]


def listed_heads(entry: ModelEntry | None, role_key: str) -> set[Head]:
    """The heads that a role lists; none without an analysis."""
    return set() if entry is None else set(entry.listed(role_key))


def pattern_sentences(
    role: Role,
    activation: RoleActivation | None,
    head: Head,
    cells: Sequence[Evidence],
    labels: Sequence[str],
) -> list[str]:
    """An attention pattern in plain words, from its numbers."""
    if activation is None:
        return []
    if not activation.rows:
        return [role.asleep]
    value = float(activation.value[head])
    if not role.has_cells:
        return [
            f"Averaged over {count(activation.rows, 'token')}, its attention is {percent(value)} "
            "as even as possible (100% is perfectly even, 0% is all on one token)."
        ]
    sentences = [
        f"At the {count(activation.rows, 'place')} where the role could show, {percent(value)} of "
        f"its attention{role.aside}{',' if role.aside else ''} goes to {role.looks_at}. "
        f"An even spread would give "
        f"{percent(activation.chance)}."
    ]
    if len(cells) > activation.rows:
        sentences.append(
            f"{len(cells)} cells are outlined, because some of these places have more than one."
        )
    if cells:
        best = cells[0]
        sentences.append(
            f"The strongest outlined cell: at “{labels[best.query]}” (position {best.query}) it "
            f"puts {percent(best.weight)} on “{labels[best.key]}” (position {best.key})."
        )
    return sentences
