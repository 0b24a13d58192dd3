"""Analyses in the background: one child process at a time, later ones wait in a queue.

A job is ``scripts/analyze_heads.py`` with progress as JSON lines, in a process of its own: its
memory goes back when it ends, and a crash or an out-of-memory kill cannot take the app down. Every
job has a folder with its record, its log and, once it is done, its *candidate*: a categories file
with this one model, which nobody sees until it is written over the live one.

Server processes that share a data folder share its jobs too: each may ask (queue, cancel, forget)
and sees them all, and the one that holds the folder's lock runs them (:mod:`headroles.admin.runner`
and :mod:`headroles.admin.job_folder`).

Three things keep half a result from being taken for a whole one: the child replaces the candidate
in one step (:mod:`headroles.store`), a job counts as done only after its candidate was read back,
and a job whose server is gone is *lost*, whatever its folder holds. The child ends by itself when
its standard input closes, so it never outlives the server.

>>> jobs = Jobs(folder)  # doctest: +SKIP
>>> job = jobs.submit(JobRequest(model="demo"), who="session 3f2a")  # doctest: +SKIP
>>> jobs.watch(job.id).fraction  # doctest: +SKIP
0.25
"""

from __future__ import annotations

import secrets
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from headroles.admin.job_folder import JobFolder
from headroles.admin.job_records import Job, JobRequest, JobView, Owner, Progress
from headroles.admin.runner import Runner, result_in
from headroles.errors import DiskError, JobNotEndedError, UnknownJobError
from headroles.store import ModelEntry, RealText, real_text

KEPT = 20
"""Ended jobs that are kept, the oldest go first."""
CANCEL_SECONDS = 5.0
"""How long a cancel waits for the process that runs the job."""


__all__ = ["Job", "JobRequest", "JobView", "Jobs", "Owner", "Progress", "analysis_command"]


def analysis_command(request: JobRequest, candidate: Path) -> list[str]:
    """The command line of the documents, with this request's settings."""
    if request.read_tokens:
        return [
            *(sys.executable, "-m", "scripts.read_texts", request.model),
            f"--tokens={request.read_tokens}",
            f"--seed={request.seed}",
            f"--out={candidate}",
            *("--format", "json-lines", "--end-with-input"),
        ]
    chosen = [f"--threshold={role}={value}" for role, value in request.thresholds.items()]
    left_out = [
        *([] if request.extended else ["--no-extended"]),
        *([] if request.causal else ["--no-causal"]),
    ]
    return [
        *(sys.executable, "-m", "scripts.analyze_heads"),
        f"--model={request.model}",
        f"--sequences={request.sequences}",
        f"--seed={request.seed}",
        f"--cap={request.cap}",
        f"--out={candidate}",
        f"--unfinished={candidate.parent.with_name('unfinished')}",
        *chosen,
        *left_out,
        *("--format", "json-lines", "--end-with-input"),
    ]


class Jobs:
    """Every analysis of a data folder, as one of its server processes sees it.

    Args:
        folder: where jobs keep their records; made when needed.
        on_end: told of every job that ended here, also of lost ones; runs in the runner's thread.
        command: the child's command line, from a request and the path of its candidate.
        may_run: False where this process only asks, and another one runs the analyses.
    """

    def __init__(
        self,
        folder: Path,
        *,
        on_end: Callable[[Job], None] = lambda job: None,
        command: Callable[[JobRequest, Path], list[str]] = analysis_command,
        may_run: bool = True,
    ) -> None:
        self._folder = JobFolder(folder)
        self._changed = threading.Condition()
        self._runner = Runner(
            self._folder, changed=self._changed, on_end=on_end, command=command, may_run=may_run
        )

    @property
    def at_work(self) -> bool:
        """Whether this process runs an analysis now; a plain look, for every page."""
        return self._runner.at_work

    def submit(
        self, request: JobRequest, *, who: str, expected_seconds: float | None = None
    ) -> Job:
        """Put an analysis at the end of the queue.

        Raises:
            DiskError: if its folder cannot be made.
        """
        now = datetime.now(UTC)
        job = Job(
            id=f"{now:%Y%m%dT%H%M%S%f}-{secrets.token_hex(2)}",
            request=request,
            who=who,
            owner=Owner.this_process(),
            queued_at=now,
            expected_seconds=expected_seconds,
        )
        with self._changed:
            try:
                self._folder.create(job)
            except OSError as error:
                self._folder.forget(job.id)
                raise DiskError(self._folder.path, error) from error
            self._prune()
        self._runner.look_now()
        return job

    def cancel(self, job_id: str) -> None:
        """End a job: at once if it waits; else the child and everything under it.

        Returns when it has ended, which takes two seconds at most, or three where another process
        runs it. A job that has ended stays as it is.

        Raises:
            UnknownJobError: if there is no such job.
            JobNotEndedError: if the process that runs it does not answer.
        """
        if not self._known(job_id).is_open:
            return
        self._folder.ask_to_cancel(job_id)
        self._runner.look_now()
        deadline = time.monotonic() + CANCEL_SECONDS
        while self._known(job_id).is_open:
            if time.monotonic() > deadline:
                raise JobNotEndedError(job_id)
            with self._changed:
                self._changed.wait(0.1)  # not longer: another process tells only the disk

    def discard(self, job_id: str) -> None:
        """Forget an ended job and its candidate.

        Raises:
            UnknownJobError: if there is no such job, or it has not ended.
        """
        with self._changed:
            if self._known(job_id).is_open:
                raise UnknownJobError(job_id)
            self._folder.forget(job_id)

    def all(self) -> list[Job]:
        """Every job, the newest first."""
        with self._changed:
            return list(self._folder.jobs().values())[::-1]

    def unreadable(self) -> list[str]:
        """The ids of jobs whose records are not as they should be; they are left alone."""
        with self._changed:
            return self._folder.unreadable()

    def watch(self, job_id: str) -> JobView:
        """A job as it is now.

        Raises:
            UnknownJobError: if there is no such job.
        """
        with self._changed:
            job = self._known(job_id)
            progress = self._folder.progress(job_id)
            jobs = self._folder.jobs().values()
        before = [other for other in jobs if other.is_open and other.id < job_id]
        place = len(before) if job.is_open else 0
        return JobView(job, progress, place, self._folder.log_tail(job_id))

    def candidate(self, job_id: str) -> ModelEntry:
        """What a done job found.

        Raises:
            UnknownJobError: if there is no such job, or it is not done.
            HeadrolesError: if its file was damaged or removed since.
        """
        if self._known(job_id).state != "done":
            raise UnknownJobError(job_id)
        return result_in(self._folder.candidate(job_id))

    def real_text(self, job_id: str) -> RealText:
        """What a done reading of real text found.

        Raises:
            UnknownJobError: if there is no such job, or it is not done.
            HeadrolesError: if its file was damaged or removed since.
        """
        if self._known(job_id).state != "done":
            raise UnknownJobError(job_id)
        return real_text.read_file(self._folder.candidate(job_id))

    def close(self) -> None:
        """End what runs here, as if cancelled; for tests and for a server that shuts down."""
        self._runner.close()

    def _known(self, job_id: str) -> Job:
        with self._changed:
            job = self._folder.job(job_id)
        if job is None:
            raise UnknownJobError(job_id)
        return job

    def _prune(self) -> None:
        ended = [job.id for job in self._folder.jobs().values() if not job.is_open]
        for job_id in ended[:-KEPT]:
            self._folder.forget(job_id)
