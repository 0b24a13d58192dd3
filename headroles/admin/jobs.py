"""Analyses in the background: one child process at a time, later ones wait in a queue.

A job is ``scripts/analyze_heads.py`` with progress as JSON lines, in a process of its own: its
memory goes back when it ends, and a crash or an out-of-memory kill cannot take the app down. Jobs
belong to the server. Every job has a folder with its record, its log and, once it is done, its
*candidate*: a categories file with this one model, which nobody sees until it is written over the
live one.

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

import json
import logging
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from headroles.admin.job_records import Job, JobRequest, JobView, Owner, Progress, State
from headroles.admin.processes import give_way, stop_tree
from headroles.errors import DiskError, HeadrolesError, UnknownJobError
from headroles.models import sweep_unfinished
from headroles.paths import ROOT
from headroles.store import categories, files, schema

KEPT = 20
"""Ended jobs that are kept, the oldest go first."""
NICENESS = 19
"""The child gives way to the students' prompts (Unix niceness)."""
LOG_LINES = 12
"""Lines of the log that are shown."""
LARGE_PIECE = str(4 << 20)
"""Bytes from which a tensor of the child goes back to the machine as soon as it is freed."""


__all__ = ["Job", "JobRequest", "JobView", "Jobs", "Owner", "Progress", "analysis_command"]

_log = logging.getLogger(__name__)


def analysis_command(request: JobRequest, candidate: Path) -> list[str]:
    """The command line of the documents, with this request's settings."""
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
        *chosen,
        *left_out,
        *("--format", "json-lines", "--end-with-input"),
    ]


class Jobs:
    """Every analysis of this server.

    Args:
        folder: where jobs keep their records; made when needed.
        on_end: told of every job that ended, also of lost ones; runs in the worker's thread.
        command: the child's command line, from a request and the path of its candidate.
    """

    def __init__(
        self,
        folder: Path,
        *,
        on_end: Callable[[Job], None] = lambda job: None,
        command: Callable[[JobRequest, Path], list[str]] = analysis_command,
    ) -> None:
        self._folder = folder
        self._on_end = on_end
        self._command = command
        self._changed = threading.Condition()
        self._jobs: dict[str, Job] = {}
        self._progress: dict[str, Progress] = {}
        self._to_cancel: set[str] = set()
        self._child: tuple[str, subprocess.Popen] | None = None
        self._worker: threading.Thread | None = None
        with self._changed:
            self._recover()

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
                self._save(job)
            except OSError as error:
                shutil.rmtree(self._place(job.id), ignore_errors=True)
                raise DiskError(self._folder, error) from error
            self._prune()
            if self._worker is None:
                self._worker = threading.Thread(
                    target=self._work, name="headroles-analyses", daemon=True
                )
                self._worker.start()
            self._changed.notify_all()
        return job

    def cancel(self, job_id: str) -> None:
        """End a job: at once if it waits; else the child and everything under it.

        Returns when the child is gone, within two seconds. A job that has ended stays as it is.

        Raises:
            UnknownJobError: if there is no such job.
        """
        with self._changed:
            job = self._known(job_id)
            if not job.is_open:
                return
            self._to_cancel.add(job_id)
            if job.state == "queued":
                self._end(job, "cancelled")
                return
            child = self._child
        if child and child[0] == job_id:
            stop_tree(child[1].pid)
        with self._changed:
            self._changed.wait_for(lambda: not self._jobs[job_id].is_open, timeout=2)

    def discard(self, job_id: str) -> None:
        """Forget an ended job and its candidate.

        Raises:
            UnknownJobError: if there is no such job, or it has not ended.
        """
        with self._changed:
            if self._known(job_id).is_open:
                raise UnknownJobError(job_id)
            self._forget(job_id)

    def all(self) -> list[Job]:
        """Every job, the newest first."""
        with self._changed:
            return [self._jobs[key] for key in sorted(self._jobs, reverse=True)]

    def watch(self, job_id: str) -> JobView:
        """A job as it is now.

        Raises:
            UnknownJobError: if there is no such job.
        """
        with self._changed:
            job = self._known(job_id)
            progress = self._progress.get(job_id, Progress())
            before = [other for other in self._jobs.values() if other.is_open and other.id < job_id]
        return JobView(job, progress, len(before) if job.is_open else 0, self._log_tail(job_id))

    def candidate(self, job_id: str) -> schema.ModelEntry:
        """What a done job found.

        Raises:
            UnknownJobError: if there is no such job, or it is not done.
            CategoriesBrokenError, CategoriesMissingError: if its file was damaged since.
        """
        with self._changed:
            job = self._known(job_id)
        if job.state != "done":
            raise UnknownJobError(job_id)
        (entry,) = self._read_candidate(job_id)
        return entry

    def close(self) -> None:
        """Cancel everything and wait for it; for tests and for a server that shuts down."""
        for job in self.all():
            if job.is_open:
                self.cancel(job.id)

    def _work(self) -> None:
        while True:
            with self._changed:
                waiting = self._changed.wait_for(self._next)
                job = self._update(waiting, state="running", started_at=datetime.now(UTC))
            try:
                self._run(job)
            except Exception as error:  # whatever it is, the next job must get its turn
                _log.exception("an analysis could not be run")
                with self._changed:
                    self._end(job, "failed", message=f"The analysis could not be run: {error}.")

    def _next(self) -> Job | None:
        waiting = [job for job in self._jobs.values() if job.state == "queued"]
        return min(waiting, key=lambda job: job.id, default=None)

    def _run(self, job: Job) -> None:
        """Start the child, follow its progress, and judge how it ended."""
        said_error: dict[str, str] = {}
        with (self._place(job.id) / "log.txt").open("wb") as log:
            child = subprocess.Popen(
                self._command(job.request, self._place(job.id) / "candidate.json"),
                cwd=ROOT,
                env=self._child_environment(job),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,
            )
            with self._changed:
                self._child = (job.id, child)
                cancelled_before = job.id in self._to_cancel
            if cancelled_before:  # between its turn and the start of the child
                stop_tree(child.pid)
            give_way(child.pid, niceness=NICENESS)
            for line in child.stdout:
                self._hear(job, line, said_error)
            code = child.wait()
            child.stdin.close()
            child.stdout.close()
        with self._changed:
            self._child = None
            if job.id in self._to_cancel:
                self._end(self._jobs[job.id], "cancelled")
                return
        self._judge(job, code, said_error)

    def _hear(self, job: Job, line: bytes, said_error: dict[str, str]) -> None:
        try:
            event = json.loads(line)
        except ValueError:
            return
        if event.get("event") == "error":
            said_error.update(message=event["message"], hint=event["hint"])
        if event.get("event") == "progress":
            now = time.monotonic()
            with self._changed:
                first = self._progress.get(job.id, Progress()).first
                if first is None and event["total"]:
                    first = (now, event["done"])
                self._progress[job.id] = Progress(
                    event["phase"], event["done"], event["total"], at=now, first=first
                )

    def _judge(self, job: Job, code: int, said_error: dict[str, str]) -> None:
        """Done only if the child says so *and* its candidate can be read back."""
        if code == 0:
            try:
                self._read_candidate(job.id)
            except (HeadrolesError, ValueError) as error:
                said_error = {"message": f"Its result cannot be read: {error}"}
        elif not said_error:
            said_error = _why_it_died(code)
        with self._changed:
            self._end(self._jobs[job.id], "failed" if said_error else "done", **said_error)

    def _read_candidate(self, job_id: str) -> list[schema.ModelEntry]:
        entries = list(categories.read_all(self._place(job_id) / "candidate.json").values())
        if len(entries) != 1:
            raise ValueError(f"{len(entries)} entries instead of one.")
        return entries

    def _child_environment(self, job: Job) -> dict[str, str]:
        scratch = self._place(job.id) / "tmp"
        scratch.mkdir(exist_ok=True)
        # Half of the cores: the students' prompts want the others.
        threads = str(max((os.cpu_count() or 2) // 2, 1))
        return {
            **os.environ,
            "TMPDIR": str(scratch),
            "OMP_NUM_THREADS": threads,
            "PYTHONUNBUFFERED": "1",
            # glibc would keep what a pass used, in case the next one wants it; a tenth of the peak.
            "MALLOC_MMAP_THRESHOLD_": LARGE_PIECE,
            "MALLOC_TRIM_THRESHOLD_": LARGE_PIECE,
        }

    def _place(self, job_id: str) -> Path:
        return self._folder / job_id

    def _known(self, job_id: str) -> Job:
        if job_id not in self._jobs:
            raise UnknownJobError(job_id)
        return self._jobs[job_id]

    def _save(self, job: Job) -> None:
        place = self._place(job.id)
        place.mkdir(parents=True, exist_ok=True)
        files.replace_file(place / "job.json", job.model_dump_json(indent=1).encode())
        self._jobs[job.id] = job

    def _update(self, job: Job, **changes: object) -> Job:
        changed = job.model_copy(update=changes)
        self._jobs[job.id] = changed
        try:
            self._save(changed)
        except (OSError, DiskError):  # the job goes on; only its record on the disk is old
            _log.warning("the record of job %s could not be written", job.id, exc_info=True)
        return changed

    def _end(self, job: Job, state: State, *, message: str = "", hint: str = "") -> None:
        ended = self._update(
            job, state=state, ended_at=datetime.now(UTC), message=message, hint=hint
        )
        self._progress.pop(job.id, None)
        self._to_cancel.discard(job.id)
        self._tidy(ended)
        if state in ("cancelled", "failed", "lost"):
            sweep_unfinished(ended.request.model)
        self._changed.notify_all()
        self._on_end(ended)

    def _tidy(self, job: Job) -> None:
        """Nothing but the record stays of a cancelled job, the candidate of a done one as well."""
        keep = {"job.json"} | ({"log.txt"} if job.state != "cancelled" else set())
        keep |= {"candidate.json"} if job.state == "done" else set()
        for left in self._place(job.id).iterdir():
            if left.name in keep:
                continue
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)

    def _recover(self) -> None:
        """Read the records of an earlier server; what it was working on is lost."""
        for path in sorted(self._folder.glob("*/job.json")):
            try:
                job = Job.model_validate_json(path.read_bytes())
            except (OSError, ValidationError):
                _log.warning("the job record %s cannot be read", path)
                continue
            if job.id != path.parent.name:
                continue
            self._jobs[job.id] = job
            if job.is_open and not job.owner.is_alive:
                self._end(
                    job,
                    "lost",
                    message="The server restarted while this analysis was waiting or running.",
                    hint="Start it again; nothing that students see was changed.",
                )

    def _prune(self) -> None:
        ended = sorted(job.id for job in self._jobs.values() if not job.is_open)
        for job_id in ended[:-KEPT]:
            self._forget(job_id)

    def _forget(self, job_id: str) -> None:
        shutil.rmtree(self._place(job_id), ignore_errors=True)
        self._jobs.pop(job_id, None)

    def _log_tail(self, job_id: str) -> tuple[str, ...]:
        try:
            with (self._place(job_id) / "log.txt").open("rb") as log:
                log.seek(max(os.fstat(log.fileno()).st_size - 16_384, 0))
                text = log.read().decode("utf-8", errors="replace")
        except OSError:
            return ()
        # A progress bar rewrites its line with carriage returns: only its last state counts.
        lines = [line.rpartition("\r")[2] for line in text.replace("\r\n", "\n").split("\n")]
        return tuple(line for line in map(_without_escapes, lines) if line.strip())[-LOG_LINES:]


def _why_it_died(code: int) -> dict[str, str]:
    """A sentence for a child that ended without one: killed by the system, or crashed."""
    if code == -9:
        return {
            "message": "The system killed the analysis, most likely because memory ran out.",
            "hint": "Take a smaller model, or a machine with more memory.",
        }
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return {
        "message": f"The analysis ended unexpectedly ({how}).",
        "hint": "The last lines of its log say more.",
    }


def _without_escapes(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line)
