"""Numbers and moments as an instructor reads them. Pure: no Streamlit."""

from __future__ import annotations

import re
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING

from headroles import models
from headroles.formatting import duration, rough_duration, size
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.admin import Estimate, Job, JobRequest, JobView, Prospect
    from headroles.store import ModelEntry

STATES = {
    "queued": "waiting",
    "running": "running",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
    "lost": "lost",
}
"""Every state of a job, as a person reads it."""


def time_range(estimate: Estimate) -> str:
    """How long an analysis is likely to take.

    >>> time_range(Estimate(low=20, high=75, ...))  # doctest: +SKIP
    '20 s to 1 min'
    """
    low, high = rough_duration(estimate.low), rough_duration(estimate.high)
    return f"about {low}" if low == high else f"{low} to {high}"


def prospect_line(prospect: Prospect) -> str:
    """What an analysis will take, as HTML: time as a range, memory out of what is free."""
    name = model_name(prospect.request.model)
    download = prospect.facts.download_bytes
    first = f", after a download of <b>{size(download)}</b>" if download else ""
    return (
        f'<p class="hr-line"><b>{escape(name)}</b> likely takes '
        f"<b>{time_range(prospect.estimate)}</b>{first}. It needs about "
        f"<b>{size(prospect.estimate.memory_bytes)}</b> of memory, out of "
        f"the {size(prospect.available)} that are free on this server.</p>"
    )


def moment(when: datetime) -> str:
    """A moment in UTC, e.g. ``31 Jan 2026, 12:05:00 UTC``."""
    return f"{when.day} {when:%b %Y, %H:%M:%S} UTC"


def model_name(key: str) -> str:
    """The name people read: that of the model's entry, or the key itself."""
    return models.name_of(key)


def settings(request: JobRequest) -> str:
    """What was asked for, in a line."""
    if request.read_tokens:
        return f"real text, {count(request.read_tokens, 'token')} at most, seed {request.seed}"
    parts = [count(request.sequences, "sequence"), f"seed {request.seed}", f"cap {request.cap}"]
    if request.thresholds:
        parts.append(f"{count(len(request.thresholds), 'threshold')} by hand")
    parts += [] if request.causal else ["without knock-outs"]
    parts += [] if request.extended else ["without extended roles"]
    return ", ".join(parts)


def job_label(job: Job) -> str:
    """A job in one line, for a list to choose from."""
    when = job.ended_at or job.queued_at
    return f"{model_name(job.request.model)} · {settings(job.request)} · {moment(when)}"


def headline(entry: ModelEntry) -> str:
    """What a candidate is, in numbers."""
    total = entry.num_layers * entry.num_heads
    other = entry.categories.get("other")
    nothing = f"; {len(other.top_heads)} of them fit no role" if other else ""
    return (
        f"{count(entry.num_layers, 'layer')} of {count(entry.num_heads, 'head')}: "
        f"{count(total, 'head')}{nothing}. {count(entry.sequences, 'sequence')}, "
        f"seed {entry.seed}, revision {entry.revision[:19]}."
    )


def progress(view: JobView) -> str:
    """Where a running job stands: phase and sequences."""
    phase = view.progress.phase[:1].upper() + view.progress.phase[1:]
    if not view.progress.total:
        return phase
    unit = "token" if view.job.request.read_tokens else "sequence"
    return f"{phase}: {view.progress.done:,} of {count(view.progress.total, unit)}"


def clock(view: JobView) -> str:
    """How long a job has run, and how long it still will."""
    so_far = f"{duration(view.job.seconds)} so far"
    if view.remaining is None:
        return so_far
    if view.remaining < 1:
        is_ending = view.progress.total and view.progress.done >= view.progress.total
        return f"{so_far}, {'nearly done' if is_ending else 'longer than expected'}"
    return f"{so_far}, about {rough_duration(view.remaining)} to go"


def hub_ids(text: str) -> list[str]:
    """The ids that were typed, one per line or separated by commas, without duplicates.

    >>> hub_ids("a/b, c/d\\n a/b\\n")
    ['a/b', 'c/d']
    """
    ids = (hub_id.strip() for hub_id in re.split(r"[,;\s]+", text))
    return list(dict.fromkeys(hub_id for hub_id in ids if hub_id))
