"""A comparison in sentences and rows: the changes that students would see. Pure: no Streamlit.

>>> role_sentence("induction", change)  # doctest: +SKIP
'Induction: L2H3 enters; L1H1 leaves; threshold 0.38 to 0.41.'
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from headroles import reference
from headroles.formatting import listing, signed
from headroles.roles import ROLES
from headroles.types import Head
from headroles.view.html import count
from headroles.view.jobs import model_name

if TYPE_CHECKING:
    from headroles.reference.diff import Comparison, RoleChange
    from headroles.store import ModelEntry

OVERVIEW = ["Role", "Lists", "Enter", "Leave", "Move", "Threshold", "Scores clearly changed"]
MOST_NAMED = 4
"""More heads than this are counted instead of named in a sentence."""


def threshold_change(change: RoleChange) -> str:
    """Before and after; ``–`` where a role has none."""
    before, after = change.thresholds
    if before is None and after is None:
        return "–"
    if before is None or after is None:
        return f"{_number(before)} → {_number(after)}"
    if before == after:
        return _number(after)
    digits = 2 if f"{before:.2f}" != f"{after:.2f}" else 4
    return f"{before:.{digits}f} → {after:.{digits}f}"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


def overview_rows(comparison: Comparison, after: ModelEntry | None) -> list[list[str]]:
    """One row per role: what its list holds afterwards, and how much of it changes."""
    return [
        [
            ROLES[key].name,
            _listed(key, after),
            _none_or(len(change.entering)),
            _none_or(len(change.leaving)),
            _none_or(len(change.moving)),
            threshold_change(change),
            _clear(key, change, comparison),
        ]
        for key, change in comparison.roles.items()
    ]


def _listed(key: str, after: ModelEntry | None) -> str:
    if after is None or key not in after.categories:
        return "–"
    return count(len(after.categories[key].top_heads), "head")


def _none_or(number: int) -> str:
    return str(number) if number else "–"


def _clear(key: str, change: RoleChange, comparison: Comparison) -> str:
    if not comparison.comparable or not ROLES[key].is_scored:
        return "–"
    if not change.scores:
        return "–"
    return f"{sum(score.is_clear for score in change.scores)} of the {len(change.scores)} largest"


def role_sentence(key: str, change: RoleChange) -> str:
    """One role's change in a line; empty where its list and threshold stay."""
    parts = []
    for heads, singular, plural in (
        (change.entering, "enters", "enter"),
        (change.leaving, "leaves", "leave"),
        ([move.head for move in change.moving], "moves", "move"),
    ):
        if heads:
            parts.append(f"{_heads(heads)} {singular if len(heads) == 1 else plural}")
    if change.thresholds[0] != change.thresholds[1]:
        parts.append(f"threshold {threshold_change(change)}")
    return f"{ROLES[key].name}: {'; '.join(parts)}." if parts else ""


def _heads(heads: list[Head] | tuple[Head, ...]) -> str:
    if len(heads) > MOST_NAMED:
        return count(len(heads), "head")
    return listing([head.label for head in heads])


def sentences(model: str, comparison: Comparison) -> list[str]:
    """Everything that would change for one model, one line per role."""
    name = model_name(model)
    if comparison.is_new:
        return [f"{name} is new: students have no analysis of it yet."]
    if comparison.nothing:
        return [f"{name}: nothing changes."]
    lines = [] if comparison.comparable else [f"{name} has a different number of layers or heads."]
    lines += filter(None, (role_sentence(key, change) for key, change in comparison.roles.items()))
    lines += part_sentences(comparison)
    if not lines:
        return [f"{name}: same lists and thresholds, different scores."]
    same = sum(not role_sentence(key, change) for key, change in comparison.roles.items())
    return [*lines, *([f"{count(same, 'role')}: list and threshold unchanged."] if same else [])]


PARTS = {
    "new": "{} new for students.",
    "other": "{} measured again, with different numbers.",
    "lists": "{} no longer about the same lists; heads that stay keep their numbers.",
    "gone": "{} gone: not part of this analysis.",
}
"""What happens to a part, after its name and verb."""


ORIGINS = {
    "measured": "The live lists were made elsewhere; scores that were measured here replace them.",
    "elsewhere": "These lists were made elsewhere, without errors; thresholds are provisional.",
}
"""Whose scores take the others' place."""


def part_sentences(comparison: Comparison) -> list[str]:
    """What happens to the parts that belong to no basic role, if anything does."""
    parts = (
        ("The evidence by ablation is", comparison.evidence),
        ("The extended roles are", comparison.extended),
    )
    origin = [ORIGINS[comparison.origin]] if comparison.origin else []
    return origin + [PARTS[change].format(name) for name, change in parts if change]


def head_rows(change: RoleChange) -> list[list[str]]:
    """Enter, leave and move as labelled rows, for one role."""
    return [
        *(["+ enters", head.label, "not listed", "listed"] for head in change.entering),
        *(["− leaves", head.label, "listed", "not listed"] for head in change.leaving),
        *(
            [
                "↑ moves up" if move.after < move.before else "↓ moves down",
                move.head.label,
                f"place {move.before}",
                f"place {move.after}",
            ]
            for move in change.moving
        ),
    ]


def score_rows(change: RoleChange) -> list[list[str]]:
    """The largest score changes of one role: before, after, change, and whether it is clear."""
    return [
        [
            score.head.label,
            f"{score.before:.3f}",
            f"{score.after:.3f}",
            signed(score.change, digits=3),
            f"± {score.standard_error:.3f}",
            "clear" if score.is_clear else "may be chance",
        ]
        for score in change.scores
    ]


def file_sentences(
    live: Mapping[str, ModelEntry], after: Mapping[str, ModelEntry]
) -> tuple[list[str], list[str]]:
    """What changes when a whole file takes another's place: lines, and what would be lost."""

    lines = []
    for model, entry in after.items():
        lines += [
            line if line.startswith(model_name(model)) else f"{model_name(model)} · {line}"
            for line in sentences(model, reference.diff.compare(live.get(model), entry))
        ]
    gone = [model_name(model) for model in live if model not in after]
    lost = [f"{listing(gone)} would disappear: this version has no scores of it."] if gone else []
    return lines, lost
