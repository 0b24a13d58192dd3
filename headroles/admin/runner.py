"""The one process per data folder that runs analyses, one child at a time.

Several server processes may share a folder. Each has a :class:`Runner`, and the one that gets the
folder's lock does the work, for whoever asked; it keeps the lock while a job is open. The lock is
the system's: it is free as soon as its holder is gone, however that ended. So who has it knows that
a job which still says *running* runs no more: it is lost. Jobs that wait are taken over.

Nothing that a child says or leaves can put two children beside each other: a line that is no event
is passed over, and whatever goes wrong, the child is ended before the next job gets its turn.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from headroles.admin.job_folder import JobFolder
from headroles.admin.job_records import (
    ErrorEvent,
    Job,
    JobRequest,
    Owner,
    Progress,
    State,
    event_in,
)
from headroles.admin.processes import give_way, stop_group, stop_started_with, stop_tree
from headroles.errors import HeadrolesError
from headroles.models import sweep_unfinished
from headroles.paths import ROOT
from headroles.store import ModelEntry, categories, real_text

NICENESS = 19
"""The child gives way to the students' prompts (Unix niceness)."""
LARGE_PIECE = str(4 << 20)
"""Bytes from which a tensor of the child goes back to the machine as soon as it is freed."""
LONGEST_LINE = 64 << 10
"""Bytes of a child's line that are read together."""
LOOK_SECONDS = 1.0
"""Between two looks at the folder while nothing runs here."""
CHILD_SECONDS = 0.2
"""Between two looks at whether a running job is to be cancelled."""

_log = logging.getLogger(__name__)


class Runner:
    """Runs the folder's jobs in a thread of its own whenever it holds the lock.

    Args:
        folder: the jobs.
        changed: held while records change, and told when a job ends.
        on_end: told of every job that ended, also of lost ones.
        command: the child's command line.
        may_run: False for a process that only asks; it still ends what nobody runs.
    """

    def __init__(
        self,
        folder: JobFolder,
        *,
        changed: threading.Condition,
        on_end: Callable[[Job], None],
        command: Callable[[JobRequest, Path], list[str]],
        may_run: bool,
    ) -> None:
        self._folder, self._changed = folder, changed
        self._on_end, self._command, self._may_run = on_end, command, may_run
        # A name beside the folder: whatever lies in the folder is a job.
        self._lock = FileLock(folder.path.with_name(f"{folder.path.name}.lock"), thread_local=False)
        self._look_now = threading.Event()
        self._closing = False
        self.at_work = False
        """Whether this process runs an analysis now."""
        self.child: subprocess.Popen | None = None
        """The running child."""
        try:
            with changed:
                self._settle()  # what is lost is said to be from the start
        except Exception:  # the page must open, whatever lies in the folder
            _log.exception("the analyses could not be looked at")
        self._thread = threading.Thread(target=self._work, name="headroles-analyses", daemon=True)
        self._thread.start()

    def look_now(self) -> None:
        """Something was asked for: do not wait for the next look."""
        self._look_now.set()

    def close(self) -> None:
        """End the running child, let the lock go and stop looking; jobs that wait stay."""
        self._closing = True
        self._look_now.set()
        self._thread.join()

    # -------------------------------------------------------------- whose turn it is

    def _work(self) -> None:
        while not self._closing:
            job = self._next()
            if job:
                self.at_work = True
                self._run(job)
                self.at_work = False
                continue
            self._look_now.wait(LOOK_SECONDS)
            self._look_now.clear()
        self._lock.release(force=True)

    def _next(self) -> Job | None:
        """The job whose turn it is here, marked as running; whoever has none lets the lock go."""
        try:
            with self._changed:
                waiting = self._settle()
                if waiting and self._may_run:
                    return self._update(
                        waiting[0],
                        state="running",
                        owner=Owner.this_process(),
                        started_at=datetime.now(UTC),
                    )
        except Exception:  # whatever it is, the next look must come
            _log.exception("the analyses could not be looked at")
        self._lock.release(force=True)
        return None

    def _settle(self) -> list[Job]:
        """With the lock, end what is lost or to be cancelled; the jobs that wait after that."""
        self._folder.save_again()
        jobs = [job for job in self._folder.jobs().values() if job.is_open]
        if not any(self._concerns(job) for job in jobs) or not self._hold(jobs):
            return []
        for job in jobs:
            if job.state == "running":
                stop_started_with(self._folder.candidate(job.id))
                self._end(
                    job,
                    "lost",
                    message="The server restarted while this was running.",
                    hint=_again(job),
                )
        self._cancel_what_waits()
        return [job for job in self._folder.jobs().values() if job.state == "queued"]

    def _concerns(self, job: Job) -> bool:
        return self._may_run or job.state == "running" or self._folder.is_to_be_cancelled(job.id)

    def _hold(self, jobs: list[Job]) -> bool:
        """Whether this process has the folder's lock."""
        if self._lock.is_locked:
            return True
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        except OSError as error:
            for job in jobs:  # a disk that takes no lock takes no record either
                self._end(
                    job,
                    "lost",
                    message=f"The server's disk cannot be written to: {error.strerror or error}.",
                    hint="Make the data folder writable, then start the analysis again.",
                )
            return False
        return True

    def _cancel_what_waits(self) -> None:
        for job in self._folder.jobs().values():
            if job.state == "queued" and self._folder.is_to_be_cancelled(job.id):
                self._end(job, "cancelled")

    # -------------------------------------------------------------- one child

    def _run(self, job: Job) -> None:
        """Run a job to its end, whatever that is."""
        said: dict[str, str] = {}
        try:
            code = self._follow(job, said)
            if self._folder.is_to_be_cancelled(job.id) or self._closing:
                state, said = "cancelled", {}
            else:
                said = said if code or said else self._fault_of_result(job)
                said = said or (_why_it_died(code) if code else {})
                state = "failed" if said else "done"
        except Exception as error:
            _log.exception("an analysis could not be run")
            state, said = "failed", {"message": f"The analysis could not be run: {error}."}
        with self._changed:
            self._end(job, state, **said)

    def _follow(self, job: Job, said: dict[str, str]) -> int:
        """Start the child and follow it; it and all that it started are gone afterwards."""
        self._folder.make_ready(job.id)
        with (self._folder.place(job.id) / "log.txt").open("wb") as log:
            child = subprocess.Popen(
                self._command(job.request, self._folder.candidate(job.id)),
                cwd=ROOT,
                env=self._child_environment(job),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
        self.child = child
        listener = threading.Thread(
            target=self._listen, args=(job, child.stdout, said), daemon=True
        )
        try:
            listener.start()
            give_way(child.pid, niceness=NICENESS)
            return self._wait_for(child, job)
        finally:
            if child.poll() is None:
                stop_tree(child.pid)
            stop_group(child.pid)
            child.wait()
            child.stdin.close()
            listener.join(timeout=2)
            self.child = None

    def _wait_for(self, child: subprocess.Popen, job: Job) -> int:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return child.wait(CHILD_SECONDS)
            if self._closing or self._folder.is_to_be_cancelled(job.id):
                stop_tree(child.pid)
            with self._changed:
                self._cancel_what_waits()

    def _listen(self, job: Job, output: IO[bytes], said: dict[str, str]) -> None:
        """Pass a child's progress on, and keep what it says about an error."""
        with output:
            for line in iter(lambda: output.readline(LONGEST_LINE), b""):
                event = event_in(line)
                if isinstance(event, ErrorEvent):
                    said.update(message=event.message, hint=event.hint)
                elif event:
                    now = time.monotonic()
                    first = self._folder.progress(job.id).first
                    if first is None and event.total:
                        first = (now, event.done)
                    self._folder.tell_progress(
                        job.id, Progress(event.phase, event.done, event.total, at=now, first=first)
                    )

    def _fault_of_result(self, job: Job) -> dict[str, str]:
        """Why a child's result is none; empty if it can be read back."""
        try:
            read = real_text.read_file if job.request.read_tokens else result_in
            read(self._folder.candidate(job.id))
        except HeadrolesError as error:
            return {"message": f"Its result cannot be read: {error}"}
        return {}

    def _child_environment(self, job: Job) -> dict[str, str]:
        scratch = self._folder.place(job.id) / "tmp"
        scratch.mkdir(exist_ok=True)
        # Half of the cores: the students' prompts want the others.
        threads = str(max((os.cpu_count() or 2) // 2, 1))
        return {
            **os.environ,
            "TMPDIR": str(scratch),
            "OMP_NUM_THREADS": threads,
            "PYTHONUNBUFFERED": "1",
            "HEADROLES_DEBUG": "1",  # the log is where causes belong
            # glibc would keep what a pass used, in case the next one wants it; a tenth of the peak.
            "MALLOC_MMAP_THRESHOLD_": LARGE_PIECE,
            "MALLOC_TRIM_THRESHOLD_": LARGE_PIECE,
        }

    # -------------------------------------------------------------- records

    def _update(self, job: Job, **changes: object) -> Job:
        changed = job.changed(**changes)
        self._folder.update(changed)
        return changed

    def _end(self, job: Job, state: State, *, message: str = "", hint: str = "") -> None:
        ended = job.changed(state=state, ended_at=datetime.now(UTC), message=message, hint=hint)
        self._folder.tidy(ended)
        self._folder.update(ended)
        try:
            if state != "done":
                with contextlib.suppress(HeadrolesError):  # a record may name any model
                    sweep_unfinished(ended.request.model)
            self._on_end(ended)
        except Exception:  # the record tells how it ended; nothing else may stop the next job
            _log.exception("the end of job %s could not be followed up", job.id)
        self._changed.notify_all()


def result_in(candidate: Path) -> ModelEntry:
    """The one entry of a candidate's file.

    Raises:
        HeadrolesError: if it cannot be read, holds another number of entries, or one that lacks
            what an analysis always writes.
    """
    entries = list(categories.read_all(candidate).values())
    if len(entries) != 1:
        raise HeadrolesError(
            f"It holds {len(entries)} entries instead of one.", hint="Start the analysis again."
        )
    if entries[0].made_elsewhere:
        raise HeadrolesError(
            "The result of this analysis is damaged: a part of it is missing.",
            hint="Start the analysis again.",
        )
    return entries[0]


def _again(job: Job) -> str:
    """What to do about a job that was lost: an analysis keeps its parts, a reading of text none."""
    goes_on = "it begins anew" if job.request.read_tokens else "it goes on where it stopped"
    return f"Start it again, and {goes_on}; nothing that students see was changed."


def _why_it_died(code: int) -> dict[str, str]:
    """A sentence for a child that ended without one: killed by the system, or crashed."""
    if code == -9:
        return {
            "message": "The system killed the analysis, most likely because memory ran out.",
            "hint": "Use a smaller model, or a machine with more memory.",
        }
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return {
        "message": f"The analysis ended unexpectedly ({how}).",
        "hint": "The last lines of its log say more.",
    }
