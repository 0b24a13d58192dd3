"""What is known of an analysis in the background: what was asked, who owns it, how far it is.

The records are plain data; :mod:`headroles.admin.jobs` keeps them, on the disk too.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

import psutil
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from headroles import limits
from headroles.admin.fields import Count, Moment, Seconds, Text
from headroles.errors import AnalysisError, ours

JOB_ID = re.compile(r"\d{8}T\d{6,12}-[a-z0-9]{1,16}")
"""A job's id, which is its folder's name."""
SECONDS_TO_BE_TAKEN = 10
"""A job that is next and still waits after so many is waiting for a process that may run it."""

State = Literal["queued", "running", "done", "failed", "cancelled", "lost"]


class _Record(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False
    )


class JobRequest(_Record):
    """What an instructor asks for."""

    model: str = Field(min_length=1, max_length=200, pattern=r"^[^\x00]*$")
    sequences: int = Field(default=64, ge=2, le=1_000_000)
    seed: Count = 0
    thresholds: dict[Text, float] = Field(default={}, max_length=100)
    cap: int = Field(default=8, ge=1, le=100_000)
    extended: bool = True
    """Whether the extended roles are measured too."""
    causal: bool = True
    """Whether the listed heads are knocked out too."""
    read_tokens: int = Field(default=0, ge=0, le=limits.READ_TOKENS.most)
    """So many tokens of real text are read, and nothing is analysed; 0 for an analysis."""


def job_request(**asked: object) -> JobRequest:
    """What is asked for, from fields that somebody typed.

    Raises:
        AnalysisError: if one of them is not as it should be.
    """

    def explained(error: BaseException) -> AnalysisError:
        (field, *_), message = _first_fault(error)
        return AnalysisError(
            f"This analysis cannot be asked for: {field}: {message}.",
            hint="Correct it and ask again.",
            value=asked.get(field),
        )

    with ours(explained):
        return JobRequest.model_validate(asked)


def _first_fault(error: BaseException) -> tuple[tuple[int | str, ...], str]:
    """Where the first fault of pydantic's is, and what it is."""
    first = error.errors(include_url=False)[0] if isinstance(error, ValidationError) else {}
    return first.get("loc") or ("what was asked",), first.get("msg") or str(error)


class Owner(_Record):
    """A server process; the start time tells apart a reused number."""

    pid: int = Field(gt=0, le=2**31)
    started: Seconds

    @classmethod
    def this_process(cls) -> Owner:
        """The process that runs this."""
        return cls(pid=os.getpid(), started=psutil.Process().create_time())


class Job(_Record):
    """One analysis, from the queue to its end."""

    id: str = Field(pattern=f"^{JOB_ID.pattern}$")
    """Sorts by the time of asking."""
    request: JobRequest
    who: Text
    """The session that asked."""
    owner: Owner
    """The process that runs it, or ran it last; of one that waits, the process that was asked."""
    state: State = "queued"
    queued_at: Moment
    started_at: Moment | None = None
    ended_at: Moment | None = None
    expected_seconds: Seconds | None = None
    """The estimate made beforehand."""
    message: Text = Field("", validation_alias=AliasChoices("message", "problem"))
    """Why it failed or was lost."""
    hint: Text = Field("", validation_alias=AliasChoices("hint", "mend"))
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
        so_far = (self.ended_at or datetime.now(UTC)) - self.started_at
        return max(so_far.total_seconds(), 0.0)  # the clock may have been set back

    def changed(self, **changes: object) -> Job:
        """The same job with other fields, checked like a new one."""
        return Job.model_validate({**self.model_dump(), **changes})


@dataclass(frozen=True)
class Progress:
    """The latest progress of a running child."""

    phase: Text = "starting"
    """In words, e.g. ``scoring repeats``."""
    done: Count = 0
    """Sequences scored."""
    total: Count = 0
    """Sequences in all; 0 while that is not known."""
    at: Seconds = 0.0
    """``time.monotonic`` of this event: one clock for all processes of a machine."""
    first: tuple[Seconds, Count] | None = None
    """``at`` and ``done`` of the first event that counted sequences: the pace runs from there."""


PROGRESS: TypeAdapter[Progress] = TypeAdapter(Progress)
"""Reads and writes the file of a running job's progress."""


class ProgressEvent(BaseModel):
    """A child's line that says how far it is."""

    event: Literal["progress"]
    phase: Text
    done: Count
    total: Count


class ErrorEvent(BaseModel):
    """A child's line that says why it fails."""

    event: Literal["error"]
    message: Text = Field(min_length=1)
    hint: Text = ""


_EVENT = TypeAdapter(Annotated[ProgressEvent | ErrorEvent, Field(discriminator="event")])


def event_in(line: bytes) -> ProgressEvent | ErrorEvent | None:
    """What a line of a child's output says; None for anything that is no event."""
    try:
        return _EVENT.validate_json(line, strict=True)
    except ValidationError:
        return None


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
    def waits_for_a_process(self) -> bool:
        """Whether it is next, and no server process that may run it has taken it up."""
        age = (datetime.now(UTC) - self.job.queued_at).total_seconds()
        return self.job.state == "queued" and not self.place and age > SECONDS_TO_BE_TAKEN

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
