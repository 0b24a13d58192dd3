"""What changes between two prompts, in numbers and words. Pure: no Streamlit, no charts.

>>> pairs = role_pairs(cards_of_the_first, cards_of_the_second)  # doctest: +SKIP
>>> summary(pairs)  # doctest: +SKIP
'From the first prompt to the second, Induction becomes active; of the other roles, 4 are ...'
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from headroles import limits
from headroles.formatting import listing, percent, signed, told_apart
from headroles.roles import Role
from headroles.texts import DEFAULT_PROMPT
from headroles.view.html import count
from headroles.view.lamps import anchor, lamp
from headroles.view.role_cards import STATE_WORDS, WORKS, RoleCard, line, needs, shown

CLEAR = 0.05
"""A change of fewer points than five of a hundred, without another state, does not count as a
change."""

TURNS = ("becomes active", "becomes inactive")
"""What a role can do from the first prompt to the second."""

TOO_SHORT = "too short to tell"
"""A prompt without enough tokens, or places, shows neither waking nor sleeping."""

MARKS = {
    "becomes active": "○ → ●",
    "becomes inactive": "● → ○",
    "active on both": "●",
    "inactive on both": "○",
    TOO_SHORT: "◌",
}
"""What a role does from one prompt to the other, as shapes."""

ROW = 62
"""Pixels that a head's line of text and its two bars take."""
_BARS = (22, 40)  # pixels from the top of a row to each bar
_BAR = 12


@dataclass(frozen=True)
class Pair:
    """One listed head on two prompts."""

    first: Mapping[str, object]
    """What ``get_active_head_summary`` says about it on the first prompt."""
    second: Mapping[str, object]
    """The same on the second prompt."""

    @property
    def points(self) -> int | None:
        """By how many points of 100 it changes; None where a prompt has no work for the role."""
        if not (self.first["rows"] and self.second["rows"]):
            return None
        return round(100 * (_value(self.second) - _value(self.first)))

    @property
    def turn(self) -> str:
        """``became active``, ``became inactive``, or why neither can be said."""
        if "too_short" in (self.first["state"], self.second["state"]):
            return TOO_SHORT
        before, after = bool(self.first["is_active"]), bool(self.second["is_active"])
        if before != after:
            return "became active" if after else "became inactive"
        if self.points is None or abs(self.points) < 100 * CLEAR:
            return "no clear change"
        return "still active" if after else "still quiet"

    @property
    def change(self) -> str:
        """``+43 points · became active``."""
        if self.points is None or self.turn == TOO_SHORT:
            return self.turn
        amount = signed(self.points, digits=0)
        points = f"{amount} point{'' if abs(self.points) == 1 else 's'}"
        return ": ".join(filter(None, [f"{points} · {self.turn}", self._in_spite]))

    @property
    def _in_spite(self) -> str:
        """What decides besides the number, or that the line moved; mostly empty."""
        if _works(self.second):
            return WORKS
        if _works(self.first):
            return "now it rests" if self.second["is_active"] else f"at first {WORKS}"
        if self.turn == "became inactive" and self.points >= 0:
            return f"now needs {needs(self.second)}"
        if self.turn == "became active" and self.points <= 0:
            return f"now needs only {needs(self.second)}"
        return ""


def _works(row: Mapping[str, object]) -> bool:
    """Whether a head reaches the line and does not rest all the same."""
    return row["state"] == "quiet" and _value(row) >= float(row["needed"])


def _value(row: Mapping[str, object]) -> float:
    return float(row["activation_score"])


@dataclass(frozen=True)
class RolePair:
    """One role on two prompts."""

    first: RoleCard
    """The role on the first prompt."""
    second: RoleCard
    """The role on the second prompt."""

    @property
    def role(self) -> Role:
        """The role."""
        return self.first.role

    @cached_property
    def heads(self) -> tuple[Pair, ...]:
        """[listed head] the same heads on both, the largest change first."""
        second = {row["label"]: row for row in self.second.rows}
        pairs = [Pair(row, second[row["label"]]) for row in self.first.rows]
        return tuple(sorted(pairs, key=lambda pair: -abs(_value(pair.second) - _value(pair.first))))

    @property
    def turn(self) -> str:
        """``becomes active``, ``becomes inactive``, ``active on both``, ``inactive on both`` or
        that a prompt is too short to tell.
        """
        if any(
            card.rows and all(row["state"] == "too_short" for row in card.rows)
            for card in (self.first, self.second)
        ):
            return TOO_SHORT
        if self.first.awake == self.second.awake:
            return "active on both" if self.first.awake else "inactive on both"
        return "becomes active" if self.second.awake else "becomes inactive"

    @property
    def headline(self) -> str:
        """``becomes active · 0 → 3 of 4 listed heads``."""
        if not self.heads:
            return self.first.headline
        heads = count(len(self.heads), self.first.noun)
        return f"{self.turn} · {self.first.active} → {self.second.active} of {heads}"


def role_pairs(first: Sequence[RoleCard], second: Sequence[RoleCard]) -> list[RolePair]:
    """The cards of two prompts, role by role."""
    return [RolePair(*cards) for cards in zip(first, second, strict=True)]


def lamps(pairs: Sequence[RolePair]) -> list[str]:
    """A lamp for every role with what it does from the first prompt to the second."""
    return [
        lamp(
            MARKS[pair.turn],
            pair.role.name,
            f"{pair.first.active} → {pair.second.active} of {len(pair.heads)}"
            if pair.heads
            else "no head",
            unit=" active" * bool(pair.heads),
            lit=pair.second.awake,
            target=anchor(pair.role),
        )
        for pair in pairs
    ]


def summary(pairs: Sequence[RolePair]) -> str:
    """Which roles become active or inactive from one prompt to the other, in one sentence.

    Roles of which the model has no head are not counted.
    """
    turns = [(pair.turn, pair.role.name) for pair in pairs if pair.heads]
    unknown = sum(turn == TOO_SHORT for turn, _ in turns)
    stay = listing(
        [
            f"{number} {'is' if number == 1 else 'are'} {words}"
            for words in ("active on both", "inactive on both")
            if (number := sum(turn == words for turn, _ in turns))
        ]
        + ([f"{unknown} cannot be judged (too short)"] if unknown else [])
    )
    woken, fallen = ([name for turn, name in turns if turn == word] for word in TURNS)
    parts = []
    if woken:
        parts.append(f"{listing(woken)} {'becomes' if len(woken) == 1 else 'become'} active")
    if fallen:
        parts.append(f"{listing(fallen)} {'becomes' if len(fallen) == 1 else 'become'} inactive")
    if not parts:
        return f"No role becomes active or inactive from the first prompt to the second: {stay}."
    rest = f"; of the other roles, {stay}" if stay else ""
    return f"From the first prompt to the second, {', and '.join(parts)}{rest}."


def bar_records(pair: RolePair) -> list[dict[str, object]]:
    """What the chart draws: two records per head, with the pixels where each bar lies."""
    records = []
    for place, head in enumerate(pair.heads):
        for side, row in enumerate((head.first, head.second), start=1):
            top = place * ROW + _BARS[side - 1]
            records.append(
                {
                    "top": top,
                    "bottom": top + _BAR,
                    "middle": top + _BAR / 2,
                    "line": place * ROW + 9,
                    "from": place * ROW,
                    "to": (place + 1) * ROW,
                    "side": side,
                    "layer": row["layer"],
                    "head": row["head"],
                    "label": row["label"],
                    "value": round(_value(row), 4),
                    "chance": round(float(row["chance"]), 4),
                    "needed": line(row),
                    "state": row["state"],
                    "applies": row["rows"] > 0,
                    "number": _number(row),
                    "idle": "" if row["rows"] else STATE_WORDS[str(row["state"])],
                    "first": shown(head.first),
                    "second": shown(head.second),
                    "change": head.change,
                    "needs": f"{needs(head.first)}, then {needs(head.second)}",
                    "turned": head.first["is_active"] != head.second["is_active"],
                }
            )
    return records


def _number(row: Mapping[str, object]) -> str:
    """What a bar shows, with a decimal where it would read as its line and is not."""
    if not row["rows"]:
        return "–"
    value = _value(row)
    near = row["state"] == "quiet" and value < float(row["needed"])
    return told_apart(value, float(row["needed"]))[0] if near else percent(value)


def alt_text(pair: RolePair) -> str:
    """The take-away of a pair of bars."""
    if not pair.heads:
        return f"{pair.role.name}: {pair.headline}."
    most = max(pair.heads, key=lambda head: abs(head.points or 0))
    return (
        f"{pair.role.name}: {pair.headline}. The largest change is {most.first['label']}: "
        f"{shown(most.first)} on the first prompt, {shown(most.second)} on the second "
        f"({most.change})."
    )


def table_rows(pair: RolePair) -> list[list[str]]:
    """The table twin: head, then the number on either prompt, then the change."""
    return [
        [
            str(head.first["label"]),
            shown(head.first),
            shown(head.second),
            head.change,
        ]
        for head in pair.heads
    ]


def levels(pair: RolePair) -> str:
    """What a head needs, and what an even spread gives, on either prompt."""
    first, second = pair.heads[0].first, pair.heads[0].second
    lines = f"Needed: {needs(first)} on the first prompt, {needs(second)} on the second."
    chances = [percent(float(row["chance"])) if row["rows"] else "–" for row in (first, second)]
    even = "Chance" if pair.role.has_cells else "A perfectly even spread"
    return f"{lines} {even}: {chances[0]} and {chances[1]}."


def reasons(pair: RolePair) -> list[str]:
    """Why the role is asleep, prompt by prompt; nothing where it is awake."""
    first, second = pair.first.why_asleep, pair.second.why_asleep
    if first == second:
        return [first] if first else []
    named = (("On the first prompt: ", first), ("On the second prompt: ", second))
    return [words + why for words, why in named if why]


def export_rows(pairs: Sequence[RolePair]) -> list[dict[str, object]]:
    """One flat row per role and head, for a file."""
    rows = []
    for pair in pairs:
        for head in pair.heads:
            row = {
                "role": pair.role.key,
                "layer": head.first["layer"],
                "head": head.first["head"],
                "label": head.first["label"],
                "threshold": head.first["threshold"],
            }
            for name, side in (("first", head.first), ("second", head.second)):
                for key in ("activation_score", "chance", "needed", "rows", "state"):
                    row[f"{name}_{key}"] = side[key]
            rows.append({**row, "change_in_points": head.points, "change": head.turn})
    return rows


# ------------------------------------------------------------------ a second prompt to begin with


def suggestion(prompt: str) -> str:
    """The same sentence without its repetition, or, where it repeats nothing, said twice.

    >>> suggestion("The cat sat. The cat sat. The")
    'The cat sat.'
    >>> suggestion("A dog barks.")
    'A dog barks. A dog barks.'
    """
    words = list(re.finditer(r"\S+", prompt))
    texts = [word[0] for word in words]
    period = _period(texts)
    if period < len(texts):
        return prompt[: words[period - 1].end()]
    twice = f"{prompt.strip()} {prompt.strip()}"
    return twice if texts and len(twice) <= limits.PROMPT.most else DEFAULT_PROMPT


def _period(texts: Sequence[str]) -> int:
    """After how many words they begin again, to the end; their number if they never do.

    In one pass (Knuth, Morris, Pratt): the longest beginning that is also an end, word by word.
    """
    longest = [0] * len(texts)
    for at in range(1, len(texts)):
        same = longest[at - 1]
        while same and texts[at] != texts[same]:
            same = longest[same - 1]
        longest[at] = same + (texts[at] == texts[same])
    return len(texts) - (longest[-1] if longest else 0)
