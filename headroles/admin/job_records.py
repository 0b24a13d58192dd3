"""What is known of an analysis in the background: what was asked, who owns it, how far it is.

The records are plain data; :mod:`headroles.admin.jobs` keeps them, on the disk too.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import psutil
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

State = Literal["queued", "running", "done", "failed", "cancelled", "lost"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class JobRequest(_Record):
    """What an instructor asks for."""

    model: str = Field(min_length=1)
    sequences: int = Field(default=64, ge=2)
    seed: int = Field(default=0, ge=0)
    thresholds: dict[str, float] = {}
    cap: int = Field(default=8, ge=1)
    extended: bool = True
    """Whether the extended roles are measured too."""
    causal: bool = True
    """Whether the listed heads are knocked out too."""


class Owner(_Record):
    """The server process that a job belongs to; the start time tells apart a reused number."""

    pid: int
    started: float

    @classmethod
    def this_process(cls) -> Owner:
        """The process that runs this."""
        return cls(pid=os.getpid(), started=psutil.Process().create_time())

    @property
    def is_alive(self) -> bool:
        """Whether that very process still runs."""
        try:
            return psutil.Process(self.pid).create_time() == self.started
        except psutil.Error:
            return False


class Job(_Record):
    """One analysis, from the queue to its end."""

    id: str
    """Sorts by the time of asking."""
    request: JobRequest
    who: str
    """The session that asked."""
    owner: Owner
    state: State = "queued"
    queued_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    expected_seconds: float | None = None
    """The estimate made beforehand."""
    message: str = Field("", validation_alias=AliasChoices("message", "problem"))
    """Why it failed or was lost."""
    hint: str = Field("", validation_alias=AliasChoices("hint", "mend"))
    """What to do about it. (Records of earlier versions say ``problem`` and ``mend``.)"""

    @property
    def is_open(self) -> bool:
        """Whether it waits or runs."""
        return self.state in ("queued", "running")

    @property
    def seconds(self) -> float:
        """How long it ran, or has run so far."""
        if self.started_at is None:
            return 0.0
        return ((self.ended_at or datetime.now(UTC)) - self.started_at).total_seconds()


@dataclass(frozen=True)
class Progress:
    """The latest progress of a running child."""

    phase: str = "starting"
    """In words, e.g. ``scoring repeats``."""
    done: int = 0
    """Sequences scored."""
    total: int = 0
    """Sequences in all; 0 while that is not known."""
    at: float = 0.0
    """``time.monotonic`` of this event."""
    first: tuple[float, int] | None = None
    """``at`` and ``done`` of the first event that counted sequences: the pace runs from there."""


@dataclass(frozen=True)
class JobView:
    """A job as a page shows it, at one moment."""

    job: Job
    progress: Progress
    place: int
    """Jobs before it in the queue; 0 for the one that runs and for ended ones."""
    log: tuple[str, ...]
    """The last lines of its log."""

    @property
    def fraction(self) -> float:
        """0..1 of the sequences; 1 only when done."""
        if self.job.state == "done":
            return 1.0
        return min(self.progress.done / self.progress.total, 0.99) if self.progress.total else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds still to go: from the pace so far, before that from the estimate; or None."""
        if self.job.state != "running":
            return None
        now, progress = time.monotonic(), self.progress
        began, done_then = progress.first or (0.0, progress.done)
        if progress.done > done_then:
            pace = (progress.at - began) / (progress.done - done_then)
            return max(pace * (progress.total - progress.done) - (now - progress.at), 0.0)
        if self.job.expected_seconds is None:
            return None
        return max(self.job.expected_seconds - self.job.seconds, 0.0)
