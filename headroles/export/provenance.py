"""Where the numbers of a file come from: model, revision, libraries, analysis."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from datetime import UTC, datetime

from headroles import __version__
from headroles.formatting import in_one_line
from headroles.models import known_models, name_of
from headroles.roles import DEFINITIONS_VERSION
from headroles.store import ModelEntry
from headroles.types import PromptRun
from headroles.verdicts import DEFAULT_THRESHOLDS, thresholds_in

LIBRARIES = ("torch", "transformers", "pyvene")
"""What the numbers of a prompt depend on besides this package."""
PROMPT_SHOWN = 90
"""Characters of a prompt under the title of a picture."""


def origin(model: str, *, when: datetime | None = None) -> dict[str, object]:
    """The first lines of every file: the version of headroles, the date, and the model.

    Args:
        model: its key, folder or id on the Hub.
        when: the time of the export; by default now.
    """
    return {
        "headroles_version": __version__,
        "date": (when or datetime.now(UTC)).isoformat(timespec="seconds"),
        "model": model,
    }


def library_versions() -> dict[str, str]:
    """{library: installed version} of :data:`LIBRARIES`."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


def provenance(
    run: PromptRun,
    entry: ModelEntry | None,
    *,
    revision: str,
    thresholds: Mapping[str, float] | None = None,
    when: datetime | None = None,
) -> dict[str, object]:
    """Everything that it takes to reproduce the numbers.

    Args:
        run: the prompt's run.
        entry: the stored analysis beside which it is shown, if there is one.
        revision: of the weights that ran (:attr:`headroles.types.PromptRun.revision`).
        thresholds: {role key: threshold} as the page used them; else the entry's, else provisional.
        when: the time of the export; by default now.
    """
    used = thresholds or (thresholds_in(entry) if entry else DEFAULT_THRESHOLDS)
    return {
        **origin(run.model_name, when=when),
        "definitions_version": DEFINITIONS_VERSION,
        "source": _source(run.model_name),
        "revision": revision,
        "prompt": run.prompt,
        "tokens": list(run.tokens),
        "token_ids": list(run.token_ids),
        "start_token": run.encoding.start_token,
        "start_token_added_by": run.encoding.start_added_by,
        "chat_format": run.encoding.is_chat,
        "tokens_left_out": run.encoding.full_length - len(run.token_ids),
        "thresholds": dict(used),
        "thresholds_are_calibrated": entry is not None and not entry.made_elsewhere,
        "analysis": _analysis(entry),
        "libraries": library_versions(),
    }


def reference_provenance(entry: ModelEntry, *, when: datetime | None = None) -> dict[str, object]:
    """Where the scores of a stored analysis come from, for :func:`reference_rows`.

    Args:
        entry: the stored analysis.
        when: the time of the export; by default now.
    """
    return {
        **origin(entry.model_name, when=when),
        "source": _source(entry.model_name),
        "thresholds": thresholds_in(entry),
        "analysis": _analysis(entry),
    }


def of_both(first: Mapping[str, object], second: Mapping[str, object]) -> dict[str, object]:
    """Where the numbers of a comparison come from: of the second, what differs from the first."""
    differs = {
        f"second_{name}": value
        for name, value in second.items()
        if value != first.get(name) and name != "date"
    }
    return {**first, **differs}


def about_picture(
    model: str, *, prompt: str | None = None, chat: bool = False, analysed: str = ""
) -> str:
    """What stands under the title of a picture: the model, the prompt, the day of the analysis.

    Args:
        model: the catalogue key.
        prompt: what was run; None where the picture is not of a prompt.
        chat: whether it was wrapped as a chat message.
        analysed: the date of the analysis, where the picture depends on it.
    """
    parts = [name_of(model)]
    if prompt is not None:
        line = in_one_line(prompt, limit=PROMPT_SHOWN)
        as_chat = " (as a chat message)" if chat else ""
        parts.append(f"prompt: “{line}”{as_chat}")
    if analysed:
        parts.append(f"analysis of {analysed[:10]}")
    return " · ".join(parts)


def _source(model: str) -> str:
    """Where the weights come from, without the path of this machine."""
    known = known_models().get(model)
    if known is None:
        return model
    if known.package:
        return f"{known.source} (Python Package Index, {known.package.quantization} weights)"
    if known.is_local:
        return "bundled with headroles" if known.is_bundled else "a file or folder of the server"
    return known.source


def _analysis(entry: ModelEntry | None) -> dict[str, object] | None:
    if entry is None:
        return None
    if entry.made_elsewhere:
        return {"made_elsewhere": True, "date": entry.analysis_date or None}
    return {
        "date": entry.analysis_date,
        "revision": entry.revision,
        "definitions_version": entry.definitions_version,
        "sequences": entry.sequences,
        "seed": entry.seed,
        "libraries": dict(entry.library_versions),
    }
