"""Whether a stored entry is what the analysis would give today, without running it.

An entry is up to date when it comes from the same weights (the Hub's commit, or a digest of a
folder's files), the same definitions of the roles, the same settings and the same libraries.

>>> why_stale(store.read_entry("demo"), "demo", AnalysisSettings())  # doctest: +SKIP
''
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from headroles.models import inspect_model, known_models, model_revision, resolve_source
from headroles.paths import ROOT
from headroles.reference import BY_HAND, AnalysisSettings
from headroles.roles import DEFINITIONS_VERSION, EXTENDED_ROLES, SCORED_ROLES
from headroles.store import ModelEntry

LIBRARIES = ("torch", "transformers", "transformer-lens")
"""Those whose version can change a score."""


def library_versions() -> dict[str, str]:
    """The installed version of each of :data:`LIBRARIES`."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def why_stale(entry: ModelEntry, name_or_folder: str, settings: AnalysisSettings) -> str:
    """Why a new analysis may give something else, as a part of a sentence; "" if it cannot.

    Raises:
        HeadrolesError: if the model's revision can be read neither from this disk nor from the Hub.
    """
    if reasons := [*outdated(entry), *_other_settings(entry, settings)]:
        return reasons[0]
    return _other_revision(entry, revision_now(name_or_folder))


def faults(entry: ModelEntry) -> list[str]:
    """What is wrong with a committed entry, each as a sentence, as far as this disk tells."""
    reasons = [*outdated(entry), _other_revision(entry, known_revision(entry))]
    return [f"{entry.model_name}: {reason}." for reason in reasons if reason]


def revision_now(name_or_folder: str) -> str:
    """What pins the weights that an analysis would read: from the disk, else from the Hub.

    Raises:
        HeadrolesError: if there is no such model, or the Hub cannot be asked.
    """
    source = resolve_source(name_or_folder)
    is_given = Path(source).exists()  # a folder or a GGUF file
    return model_revision(source) if is_given else inspect_model(name_or_folder).revision


def known_revision(entry: ModelEntry) -> str:
    """The revision of an entry's model that this disk or the catalogue knows; "" for none."""
    listed = known_models().get(entry.model_name)
    source = listed.source if listed else entry.source
    if source and (ROOT / source).is_dir():
        source = str(ROOT / source)
    elif not listed and "/" not in source:  # the name of a folder that is not in the project
        return ""
    revision = model_revision(source)
    return "" if revision == "unknown" else revision


def outdated(entry: ModelEntry) -> list[str]:
    """Why the numbers of an entry are not those of today, each as a part of a sentence."""
    if entry.made_elsewhere:
        return ["it was made elsewhere"]
    reasons = []
    if entry.definitions_version != DEFINITIONS_VERSION:
        reasons.append(
            f"it was made with version {entry.definitions_version} of the roles' definitions, "
            f"which are at version {DEFINITIONS_VERSION}"
        )
    for name, now in library_versions().items():
        then = entry.library_versions.get(name, "no version noted")
        # torch adds +cpu or +cu130 to the same release.
        if then.partition("+")[0] != now.partition("+")[0]:
            reasons.append(f"it was made with {name} {then}, and {now} is installed")
    return reasons


def _other_settings(entry: ModelEntry, settings: AnalysisSettings) -> list[str]:
    reasons = [
        f"it was made with {name} {getattr(entry, name)}, not {getattr(settings, name)}"
        for name in ("sequences", "seed", "cap")
        if getattr(entry, name) != getattr(settings, name)
    ]
    missing = [role.name for key, role in EXTENDED_ROLES.items() if key not in entry.categories]
    if settings.extended and missing:
        reasons.append(f"these extended roles were not measured: {', '.join(missing)}")
    listed = any(
        entry.categories[role.key].top_heads
        for role in SCORED_ROLES
        if role.key in entry.categories
    )
    if settings.causal and listed and not entry.causal:
        reasons.append("no head was knocked out to see what the model loses without it")
    for role in SCORED_ROLES:
        category = entry.categories.get(role.key)
        by_hand = category and category.threshold_reason == BY_HAND
        stored = category.threshold if by_hand else None
        if stored != settings.thresholds.get(role.key):
            reasons.append(f"its threshold of {role.key} was chosen in another way")
    return reasons


def _other_revision(entry: ModelEntry, now: str) -> str:
    if not now or entry.revision in ("", now):
        return ""
    return f"it is of revision {entry.revision}, and the model is at {now}"
