"""Two models on one prompt, role by role, in numbers and words. Pure: no Streamlit, no charts.

>>> sides = side("Demo", answer, entry), side("GPT-2", other, None)  # doctest: +SKIP
>>> summary(*sides)  # doctest: +SKIP
'Both models have active heads for Induction; only Demo has active heads for Previous token. ...'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from headroles import verdicts
from headroles.formatting import listing, percent, visible
from headroles.roles import SCORED_ROLES, Role
from headroles.types import Head
from headroles.view.role_cards import STATE_WORDS

if TYPE_CHECKING:
    from headroles.store import ModelEntry
    from headroles.types import NextToken
    from headroles.verdicts import PromptScores

GUESSES = 5
"""Next tokens that are shown of either model."""


@dataclass(frozen=True)
class Work:
    """What the heads of one model do in one role on the prompt."""

    role: Role
    """The role."""
    active: int
    """Heads that do it."""
    out_of: int
    """Heads that could: the listed ones or, without an analysis, all of the model."""
    best: Mapping[str, object] | None
    """What the one with the highest activation does, as ``verdicts.verdict_row`` says it, and its
    ``label``; None where the model has no head for the role."""
    nobody: str = "no head of this model"
    """What is said where there is none."""

    @property
    def words(self) -> str:
        """``● 3 of 8 active · best L5H1, 41%``."""
        if self.best is None:
            return f"○ {self.nobody}"
        counted = f"{self.active} of {self.out_of:,} active"
        if self.active:
            return f"● {counted} · best {self.best['label']}, {percent(self._share)}"
        if self.best["state"] != "quiet":
            mark = "◌" if self.best["state"] == "too_short" else "○"
            return f"{mark} {counted} · {STATE_WORDS[str(self.best['state'])]}"
        needed = self.role.needed(float(self.best["threshold"]), float(self.best["chance"]))
        return (
            f"○ {counted} · closest {self.best['label']}, {percent(self._share)}; "
            f"needs {percent(needed)}"
        )

    @property
    def _share(self) -> float:
        return float(self.best["activation_score"])


@dataclass(frozen=True)
class Side:
    """One of the two models on the prompt."""

    name: str
    """What the model is called."""
    works: tuple[Work, ...]
    """[role] in the order of the registry."""
    guesses: tuple[NextToken, ...]
    """What it expects next, the likeliest first."""
    is_analysed: bool
    """Whether an analysis says which heads have a role."""
    made_elsewhere: bool = False
    """Whether it is another program's."""


def side(
    name: str,
    scores: PromptScores,
    *,
    entry: ModelEntry | None,
    thresholds: Mapping[str, float],
    guesses: Sequence[NextToken],
) -> Side:
    """One model's side of the comparison.

    Args:
        name: what it is called.
        scores: its numbers on the prompt.
        entry: its analysis; without one, all of its heads are looked at.
        thresholds: {role key: threshold}.
        guesses: its next tokens, the likeliest first.
    """
    if entry is None:
        works = [_of_all(role, scores, thresholds[role.key]) for role in SCORED_ROLES]
    else:
        listed = verdicts.summarize(entry, scores)
        works = [_of_listed(role, listed.get(role.key, ())) for role in SCORED_ROLES]
    elsewhere = entry is not None and entry.made_elsewhere
    if elsewhere:
        works = [replace(work, nobody="no head listed") for work in works]
    return Side(name, tuple(works), tuple(guesses[:GUESSES]), entry is not None, elsewhere)


def _of_listed(role: Role, rows: Sequence[Mapping[str, object]]) -> Work:
    best = max(rows, key=lambda row: (row["is_active"], row["activation_score"]), default=None)
    return Work(role, sum(bool(row["is_active"]) for row in rows), len(rows), best)


def _of_all(role: Role, scores: PromptScores, threshold: float) -> Work:
    activation = scores.activations[role.key]
    active = verdicts.active_heads(
        role,
        activation,
        threshold,
        num_tokens=scores.num_tokens,
        output_change=scores.output_change,
    )
    among = activation.value.where(active, -1) if active.any() else activation.value
    head = Head(*divmod(int(among.argmax()), among.shape[1]))
    verdict = verdicts.judge(head, role.key, scores, threshold)
    best = {"label": head.label, **verdicts.verdict_row(verdict)}
    return Work(role, int(active.sum()), active.numel(), best)


def table_rows(first: Side, second: Side) -> list[list[str]]:
    """[role] its name, and what the heads of either model do."""
    return [
        [one.role.name, one.words, other.words]
        for one, other in zip(first.works, second.works, strict=True)
    ]


def guess_rows(first: Side, second: Side) -> list[list[str]]:
    """[place] the place, and what either model expects there."""
    pairs = zip(first.guesses, second.guesses, strict=False)
    return [
        [str(place), *(f"{visible(guess.text)} {percent(guess.probability)}" for guess in pair)]
        for place, pair in enumerate(pairs, start=1)
    ]


def summary(first: Side, second: Side) -> str:
    """Which roles the models share here, and whether they expect the same next (plain text)."""
    awake = [{work.role.name for work in side.works if work.active} for side in (first, second)]
    names = [role.name for role in SCORED_ROLES]
    parts = []
    if both := [name for name in names if name in awake[0] & awake[1]]:
        every = f"all {len(names)} roles" if both == names else listing(both)
        parts.append(f"both models have active heads for {every}")
    for side, own, others in ((first, *awake), (second, *awake[::-1])):
        if alone := [name for name in names if name in own - others]:
            parts.append(f"only {side.name} has active heads for {listing(alone)}")
    said = "; ".join(parts or ["neither model has an active head for any role"])
    return f"{said[0].upper()}{said[1:]}. {_next(first.guesses[0], second.guesses[0])}"


def _next(first: NextToken, second: NextToken) -> str:
    chances = percent(first.probability), percent(second.probability)
    if first.text == second.text:
        return f"Both expect “{visible(first.text)}” next ({chances[0]} and {chances[1]})."
    return (
        f"They expect different tokens next: “{visible(first.text)}” ({chances[0]}) and "
        f"“{visible(second.text)}” ({chances[1]})."
    )


def without_analysis(*sides: Side) -> str:
    """What to know about the models without an analysis (plain text); "" where there is none."""
    names = [side.name for side in sides if not side.is_analysed]
    elsewhere = [side.name for side in sides if side.made_elsewhere]
    said = (
        f"The lists of {listing(elsewhere)} were made elsewhere; the thresholds are provisional."
        if elsewhere
        else ""
    )
    if not names:
        return said
    has = "has" if len(names) == 1 else "have"
    return f"{said} " * bool(said) + (
        f"{listing(names)} {has} not been analysed: every head counts, not only listed ones, and "
        "the thresholds are provisional."
    )
