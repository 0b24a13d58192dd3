"""The listed heads of a model on a prompt, as plain rows: what ``get_active_head_summary`` gives.

>>> import headroles
>>> headroles.get_active_head_summary(run, "demo")["induction"][0]["is_active"]  # doctest: +SKIP
True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headroles.errors import UnknownHeadError
from headroles.roles import BASIC_ROLES, SCORED_ROLES, KnownHead, named_heads
from headroles.store import ModelEntry
from headroles.types import Head, Verdict
from headroles.verdicts.prompt import judge
from headroles.verdicts.scores import PromptScores


def summarize(entry: ModelEntry, scores: PromptScores) -> dict[str, list[dict[str, object]]]:
    """The body of :func:`get_active_head_summary`, for callers that hold the scores already."""
    roles_of = _roles_of_heads(entry)
    summary: dict[str, list[dict[str, object]]] = {}
    for key in BASIC_ROLES:
        if key not in entry.categories:
            continue
        category, hints = entry.categories[key], entry.hints.get(key)
        summary[key] = [
            {
                "layer": top.layer,
                "head": top.head,
                "label": top.place.label,
                "score": top.score,
                "standard_error": top.standard_error,
                "roles": roles_of[top.place],
                **verdict_row(judge(top.place, key, scores, category.threshold)),
                "hint": hints.prompt_for(top.place) if hints else None,
            }
            for top in category.top_heads
        ]
    return summary


def literature_entry(model_name: str) -> dict[str, list[KnownHead]]:
    """The heads that papers name for a model, by scored role; empty if no paper mentions it.

    A head that several sources name for one role appears once, with all of them.
    """
    entry: dict[str, list[KnownHead]] = {}
    for role in SCORED_ROLES:
        merged: dict[Head, KnownHead] = {}
        for known in named_heads(model_name, role=role.key):
            if first := merged.get(known.head):
                basis = "pattern" if "pattern" in (first.basis, known.basis) else first.basis
                known = known._replace(basis=basis, source=f"{first.source}; {known.source}")
            merged[known.head] = known
        if merged:
            entry[role.key] = list(merged.values())
    return entry


def summarize_literature(
    named: Mapping[str, Sequence[KnownHead]], scores: PromptScores
) -> dict[str, list[dict[str, object]]]:
    """The rows of :func:`summarize` for heads from papers, judged by provisional thresholds.

    Nobody has measured them here, so ``score`` and ``standard_error`` are None; ``source`` is the
    citation, and ``basis`` says whether it names the head for its pattern or its effect.

    Raises:
        UnknownHeadError: if a named head is not in this model.
    """
    layers, heads = scores.resting.shape
    roles_of: dict[Head, list[str]] = {}
    for key, rows in named.items():
        for known in rows:
            if known.head.layer >= layers or known.head.head >= heads:
                raise UnknownHeadError(known.head.label, layers=layers, heads=heads)
            roles_of.setdefault(known.head, []).append(key)
    return {
        key: [
            {
                "layer": known.head.layer,
                "head": known.head.head,
                "label": known.head.label,
                "score": None,
                "standard_error": None,
                "roles": roles_of[known.head],
                "basis": known.basis,
                "source": known.source,
                **verdict_row(judge(known.head, key, scores, None)),
                "hint": None,
            }
            for known in rows
        ]
        for key, rows in named.items()
    }


def verdict_row(verdict: Verdict) -> dict[str, object]:
    """A verdict as the part of a summary's row that depends on the prompt."""
    return {
        "activation_score": verdict.activation.value,
        "chance": verdict.activation.chance,
        "rows": verdict.activation.rows,
        "threshold": verdict.threshold,
        "needed": verdict.needed,
        "is_active": verdict.is_active,
        "state": verdict.state,
        "reason": verdict.reason,
        "resting_share": verdict.resting_share,
    }


def _roles_of_heads(entry: ModelEntry) -> dict[Head, list[str]]:
    roles: dict[Head, list[str]] = {}
    for key in BASIC_ROLES:
        for head in entry.listed(key):
            roles.setdefault(head, []).append(key)
    return roles
