"""What was not measured, and why: a report says what it does not say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from headroles.export.documents import Bullets, Section, Text
from headroles.formatting import count, listing
from headroles.roles import EXTENDED_ROLES, ROLES, SCORED_ROLES
from headroles.view.report.roles import unseen_sentence

if TYPE_CHECKING:
    from headroles.store import ModelEntry
    from headroles.view.report.gathering import Gathered


PARTS = {
    "activity": "activity of heads in their roles",
    "evidence": "passages of single heads",
    "kinds": "table of kinds of tokens",
    "proposals": "proposed patterns",
}
"""{part of the results on real text that a report shows: what it is}."""


def missing(gathered: Gathered) -> Section:
    """The section; it says so where nothing is missing."""
    items = missing_items(gathered)
    words = (
        "What follows is not in this report, or only in part."
        if items
        else "Everything that this project measures was measured on this model."
    )
    blocks = (Text(words), Bullets(tuple(items))) if items else (Text(words),)
    return Section("What was not measured, and why", blocks, anchor="missing")


def missing_items(gathered: Gathered) -> list[str]:
    """Every gap in a sentence or two, in the order of the report."""
    entry = gathered.entry
    items = [f"{part}: {why}" for part, why in gathered.faults.items()]
    if entry.made_elsewhere:
        items += _made_elsewhere(entry)
    else:
        items += [*_roles(entry), *_evidence(entry), *_prompts(entry)]
    if gathered.real_text is None and "Real text" not in gathered.faults:
        items.append(
            "Real text: nothing is stored for this model. To read some: "
            f"python -m scripts.read_texts {entry.model_name}"
        )
    elif gathered.real_text is not None:
        gone = sum(one.digest not in gathered.passages for one in gathered.real_text.passages)
        if gone:
            total = count(len(gathered.real_text.passages), "passage")
            items.append(
                f"Real text: {gone} of {total} are not among the texts of this machine, so their "
                "words cannot be shown; the numbers are those of the machine that read them."
            )
        absent = [PARTS[name] for name in PARTS if getattr(gathered.real_text, name) is None]
        if absent:
            items.append(
                f"Real text, in part: the stored results hold no {listing(absent, last='or')}. To "
                f"make them anew: python -m scripts.read_texts {entry.model_name}"
            )
    if gathered.weights is None and "Circuits" not in gathered.faults:
        items.append(
            "Circuits: this report was made from stored results, without the model’s weights. "
            f"With them: python -m scripts.report {entry.model_name}"
        )
    return items


def _made_elsewhere(entry: ModelEntry) -> list[str]:
    items = [
        "Standard errors, controls, chance levels, knock-outs and prompts that wake the heads: "
        "another program made the file, which holds none of them."
    ]
    unknown = [role.name for role in SCORED_ROLES if not entry.role(role.key).known_heads]
    if unknown:
        items.append(f"Scores of {listing(unknown)}: the file has none.")
    partly = [
        role.name
        for role in SCORED_ROLES
        if 0 < len(entry.role(role.key).known_heads) < len(entry.heads)
    ]
    if partly:
        items.append(f"Scores of the heads that are not listed as {listing(partly, last='or')}.")
    return items


def _roles(entry: ModelEntry) -> list[str]:
    """Roles that were left out or could not be measured, and layers that could not."""
    items = []
    absent = [ROLES[key].name for key in EXTENDED_ROLES if key not in entry.categories]
    if absent:
        items.append(
            f"{listing(absent)}: this analysis left them out, or is older than they are. To "
            f"measure them: python -m scripts.analyze_heads {entry.model_name}"
        )
    for key in entry.categories:
        stored = entry.role(key)
        if not stored.is_measured:
            items.append(f"{stored.role.name}: {stored.category.not_measured}")
        elif unseen := stored.category.unseen_layers:
            items.append(f"{stored.role.name}, in part: {unseen_sentence(unseen)}")
    return items


def _evidence(entry: ModelEntry) -> list[str]:
    if not entry.causal:
        return ["Evidence by ablation: no head was knocked out for this analysis."]
    items = []
    without = [
        ROLES[key].name
        for key in entry.categories
        if entry.listed(key) and ROLES[key].is_scored and key not in entry.causal
    ]
    if without:
        items.append(
            f"Evidence by ablation of the heads listed as {listing(without)}: an analysis knocks "
            "out the heads of the basic roles."
        )
    blind = [
        ROLES[key].name
        for key, role in entry.causal.items()
        if not all(one.can_read for one in role.everywhere)
    ]
    if blind:
        items.append(
            f"Verdicts of some knock-outs for {listing(blind)}: the untouched model guesses these "
            "texts no better than an even guess, so it has nothing to lose."
        )
    return items


def _prompts(entry: ModelEntry) -> list[str]:
    without = [
        ROLES[key].name
        for key in entry.categories
        if entry.listed(key)
        and ROLES[key].from_attention
        and ROLES[key].is_scored
        and key not in entry.hints
    ]
    return [f"Prompts that wake the heads listed as {listing(without)}."] if without else []
