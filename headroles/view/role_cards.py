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

from headroles.formatting import decimal, listing, percent, told_apart
from headroles.roles import ROLES, SCORED_ROLES, Role
from headroles.types import Evidence, Head, Verdict
from headroles.view import lists, waking
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.scoring import RoleActivation
    from headroles.store import ModelEntry, RoleHints

MOST_OF_A_ROW = 0.6
"""0..1, a mean largest weight from which one token takes most of a row."""
STANDS_OUT = 2
"""Times an even spread's: with a larger one, tokens stand out."""
STATE_WORDS = {
    "active": "active",
    "quiet": "quiet",
    "not_applicable": "nothing to do here",
    "too_short": "too short to tell",
}
"""Every state of a verdict, as a student reads it."""

WORKS = "works, does not rest"
"""A head that reaches the line of the resting heads and is quiet: the second witness decides."""
BY_PLACE = "does so without its cue, too"
"""A head over the line of a role that needs a cue, and quiet: the analysis' control decides."""

_ALL_HEADS = {1: "its only head does", 2: "both heads do"}


@dataclass(frozen=True)
class RoleCard:
    """One role on one prompt."""

    role: Role
    """The role."""
    rows: tuple[Mapping[str, object], ...]
    """[listed head] what ``get_active_head_summary`` says about each, the strongest on this prompt
    first."""
    hints: RoleHints | None = None
    """Prompts that wake listed heads; None where none were tried."""
    over: int = 0
    """Heads of the model over the role's threshold, listed or not."""
    list_sentence: str = ""
    """How many heads that are, and how many of them are listed."""
    made_elsewhere: bool = False
    """Whether the list is another program's, which may have looked for other roles."""

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
            return "no head listed" if self.made_elsewhere else "no head of this model"
        return f"{self.active} of {count(len(self.rows), self.noun)} active"

    @property
    def noun(self) -> str:
        """What a row is: a head, or a listed one where an analysis made the list."""
        return "listed head" if self.list_sentence else "head"

    @property
    def gray(self) -> list[Head]:
        """The listed heads that are not active, in the order of the rows."""
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
        if not self.rows and self.made_elsewhere:
            return "The file that was made elsewhere lists no head for this role."
        if not self.rows:
            return (
                "The analysis found no head with this role in this model. Other models have some."
            )
        reasons = Counter(str(row["reason"]) for row in self.rows)
        states = {row["state"] for row in self.rows}
        if len(reasons) == 1 and states != {"quiet"}:
            return next(iter(reasons))
        best = max(self.rows, key=lambda row: row["activation_score"])
        reached, needed = told_apart(float(best["activation_score"]), float(best["needed"]))
        falls_short = best["activation_score"] < best["needed"]
        return (
            "The role could show on this prompt, but "
            + _ALL_HEADS.get(len(self.rows), f"all {len(self.rows)} heads do")
            + f" something else. The closest is {best['label']} with {reached}"
            + (f"; it would need {needed}." if falls_short else ", but it does not rest.")
        )

    @property
    def briefly_asleep(self) -> str:
        """The same in a few words, for a list of sleeping roles."""
        if not self.rows:
            return "no head listed" if self.made_elsewhere else "this model has no head for it"
        states = {row["state"] for row in self.rows}
        if states == {"too_short"}:
            reason = self.why_asleep.rstrip(".")
            return f"{reason[0].lower()}{reason[1:]}"
        if states == {"not_applicable"}:
            return "no repetition" if self.role.requires_repetition else "nothing to do here"
        return "its heads do something else"

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
    """The card of one role; its heads by what they reach on the prompt, ties as they came."""
    rows = tuple(sorted(rows, key=lambda row: -row["activation_score"]))
    if entry is None:
        return RoleCard(role, rows)
    return RoleCard(
        role,
        rows,
        hints=entry.hints.get(role.key),
        over=entry.heads_over(role.key),
        list_sentence=lists.list_sentence(entry, role.key),
        made_elsewhere=entry.made_elsewhere,
    )


def overall(cards: Sequence[RoleCard]) -> str:
    """The page's answer: how many roles are awake, how many heads active; what sleeps, and why.

    A head on two lists counts on each.
    """
    asleep: dict[str, list[str]] = {}
    for card in cards:
        if not card.awake:
            asleep.setdefault(card.briefly_asleep, []).append(card.role.name)
    awake = sum(card.awake for card in cards)
    listed = sum(len(card.rows) for card in cards)
    active = sum(card.active for card in cards)
    its = "is doing its job" if active == 1 else "are doing their job"
    doing = f": {active} of {count(listed, 'listed head')} {its}" if awake else ""
    answer = f"{_awake(awake, len(cards))}{doing}."
    sleeping = "; ".join(f"{listing(names)} ({why})" for why, names in asleep.items())
    return f"{answer} Inactive: {sleeping}." if asleep else answer


def _awake(awake: int, roles: int) -> str:
    if awake in (0, roles):
        return f"{'All' if awake else 'None of the'} {roles} roles are active on this prompt"
    return f"{awake} of {roles} roles {'is' if awake == 1 else 'are'} active on this prompt"


def shared_reasons(cards: Sequence[RoleCard]) -> set[str]:
    """Reasons that several cards have in common, so that the summary alone says them."""
    reasons = Counter(card.why_asleep for card in cards if card.rows and not card.awake)
    return {reason for reason, cards_with_it in reasons.items() if cards_with_it > 1}


def why_gray(cards: Sequence[RoleCard]) -> str:
    """How many listed heads are gray for each reason, in one sentence; no head is no sentence."""
    gray = [row for card in cards for row in card.rows if not row["is_active"]]
    counted = Counter(str(row["state"]) for row in gray)
    parts = [f"{counted[state]} {words}" for state, words in _GRAY_WORDS.items() if counted[state]]
    if not parts:
        return "No listed head is gray on this prompt."
    listed = sum(len(card.rows) for card in cards)
    are = "is" if len(gray) == 1 else "are"
    return f"Of {count(listed, 'listed head')}, {len(gray)} {are} gray: {listing(parts)}."


_GRAY_WORDS = {
    "quiet": "quiet (able to do the job here, but doing something else)",
    "not_applicable": "with nothing to do here (the prompt has no work for the role)",
    "too_short": "too short to tell (too few tokens)",
}


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
            "note": row.get("note", ""),
            "value": row["activation_score"],
            "chance": row["chance"],
            "needed": line(row),
            "needs": needs(row),
            "state": row["state"],
            "applies": row["rows"] > 0,
            "shown": shown(row),
            "reason": row["reason"],
        }
        for order, row in enumerate(card.rows)
    ]


def also_sentence(card: RoleCard) -> str:
    """Which heads of a card stand on another list too, list by list; empty if none does."""
    on: dict[str, list[str]] = {}
    for row in card.rows:
        for name in also_roles(row, card.role):
            on.setdefault(name, []).append(str(row["label"]))
    parts = [f"{listing(labels)} under {name}" for name, labels in on.items()]
    return f"Also listed: {'; '.join(parts)}." if parts else ""


def line(row: Mapping[str, object]) -> float | None:
    """0..1, where the line that decides stands in a bar; None where no number decides."""
    return float(row["needed"]) if row["state"] in ("active", "quiet") else None


def needs(row: Mapping[str, object]) -> str:
    """The same in words."""
    return "–" if line(row) is None else percent(line(row))


def shown(row: Mapping[str, object]) -> str:
    """Value and state in words, at the end of a bar; of a quiet head what it needs, too."""
    words, state = STATE_WORDS[str(row["state"])], row["state"]
    if not row["rows"]:
        return words
    value, needed = float(row["activation_score"]), float(row["needed"])
    if state != "quiet":
        return f"{percent(value)} · {words}"
    if value >= needed:
        return f"{percent(value)} · {WORKS}"
    reached, least = told_apart(value, needed)
    return f"{reached} · {words}, needs {least}"


def shown_verdict(verdict: Verdict) -> str:
    """The same of a verdict."""
    role, over = ROLES.get(verdict.role), verdict.activation.value >= verdict.needed
    if role and role.needs_cue and verdict.state == "quiet" and over:
        return f"{percent(verdict.activation.value)} · {BY_PLACE}"
    return shown(
        {
            "state": verdict.state,
            "activation_score": verdict.activation.value,
            "rows": verdict.activation.rows,
            "needed": verdict.needed,
        }
    )


def bars_alt(card: RoleCard) -> str:
    """The take-away of a card's chart."""
    best = max(card.rows, key=lambda row: row["activation_score"])
    answer = f"{card.role.name}: {card.headline}."
    if line(best) is None:
        return f"{answer} {best['label']}: {shown(best)}."
    reached, needed = told_apart(float(best["activation_score"]), float(best["needed"]))
    return (
        f"{answer} The strongest is {best['label']} with {reached}; it needs {needed} here, and "
        f"chance is {percent(best['chance'])}."
    )


def table_headers(role: Role, *, measured: str = "Measured") -> list[str]:
    """The heads of :func:`table_rows`."""
    return ["Head", "On this prompt", "Needs", "Chance" if role.has_cells else "Even", measured]


def table_rows(card: RoleCard) -> list[list[str]]:
    """The table twin of a card's chart, the reason last, unless the card says the same."""
    return [
        [
            str(row["label"]),
            shown(row),
            needs(row),
            percent(row["chance"]) if row["rows"] else "–",
            decimal(float(row["score"])),
            "" if row["reason"] == card.why_asleep else str(row["reason"]),
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
    *,
    largest: tuple[float, float] | None = None,
) -> list[str]:
    """An attention pattern in plain words, from its numbers.

    Args:
        role: the role that it is seen as.
        activation: of every head in that role; None for a role without a number.
        head: the head.
        cells: those that the role predicts, largest first.
        labels: [pos] the tokens as short text.
        largest: the head's mean largest weight and an even spread's, for a role without cells.
    """
    if activation is None:
        return []
    own = activation.of(*head)
    if not own.rows:
        return [role.asleep]
    value = float(activation.value[head])
    if not role.has_cells:
        return [
            f"Averaged over {count(own.rows, 'token')}, the evenness of its attention is "
            f"{percent(value)} (100%: perfectly even; 0%: all on one token).",
            *([largest_sentence(*largest)] if largest else []),
        ]
    sentences = [
        f"At the {count(own.rows, 'place')} where the role could show, {percent(value)} of "
        f"its attention{role.aside}{',' if role.aside else ''} goes to {role.looks_at}. "
        f"An even spread would give "
        f"{percent(own.chance)}."
    ]
    if len(cells) > own.rows:
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


def largest_sentence(largest: float, even: float) -> str:
    """The mean largest weight of a row, beside an even spread's: peaks that evenness does not show.

    >>> largest_sentence(0.45, 0.1)
    'The largest weight of a row is 45% on average, where an even spread has 10%.'
    """
    return (
        f"The largest weight of a row is {percent(largest)} on average, where an even spread has "
        f"{percent(even)}."
    )


def sharpness(largest: float, even: float) -> str:
    """What the largest weight says, in a few words.

    >>> sharpness(0.7, 0.1), sharpness(0.45, 0.1), sharpness(0.15, 0.1)
    ('One token takes most of a row.', 'A few tokens stand out.', 'No token stands out.')
    """
    if largest >= MOST_OF_A_ROW:
        return "One token takes most of a row."
    return "A few tokens stand out." if largest > STANDS_OUT * even else "No token stands out."
