"""The folder in which all server processes keep their analyses: the one place that they share.

    jobs/<id>/job.json          the record
              progress.json     how far it is, while it runs
              cancel            somebody wants it to end
              log.txt, tmp/     the child's
              candidate.json    its result

Whoever asks writes a new record or a wish to cancel; everything else is written by the process that
holds the folder's lock (:mod:`headroles.admin.runner`). Each record is validated like a stranger's
file, and one that cannot be read takes no other with it.

>>> JobFolder(Path("data/jobs")).jobs()  # doctest: +SKIP
{'20260131T120000000000-3f2a': Job(...)}
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from headroles import disk
from headroles.admin.job_records import JOB_ID, PROGRESS, Job, Progress
from headroles.store import files

LARGEST_RECORD = 100_000
"""Bytes."""
LOG_LINES = 12
"""Lines of the log that are shown."""

_log = logging.getLogger(__name__)


class JobFolder:
    """The records of all analyses; where the disk takes no change, this process remembers it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder
        self._unsaved: dict[str, Job] = {}
        self._progress: dict[str, Progress] = {}
        self._wishes: set[str] = set()

    def place(self, job_id: str) -> Path:
        """The folder of a job."""
        return self.path / job_id

    def candidate(self, job_id: str) -> Path:
        """Where a job's result lies."""
        return self.place(job_id) / "candidate.json"

    # -------------------------------------------------------------- records

    def jobs(self) -> dict[str, Job]:
        """{id: record} of every readable one, oldest first."""
        read = {job_id: self.job(job_id) for job_id in self._names()}
        return {job_id: job for job_id, job in read.items() if job}

    def unreadable(self) -> list[str]:
        """The ids of the records that are not as they should be; one that is not there is none."""
        return [
            job_id
            for job_id in self._names()
            if self.job(job_id) is None and os.path.lexists(self.place(job_id) / "job.json")
        ]

    def _names(self) -> list[str]:
        names: set[str] = set(self._unsaved)
        with contextlib.suppress(OSError):  # no folder, no jobs
            names |= {name for name in os.listdir(self.path) if JOB_ID.fullmatch(name)}
        return sorted(names)

    def job(self, job_id: str) -> Job | None:
        """One record; None where there is none that can be read."""
        if job_id in self._unsaved:
            return self._unsaved[job_id]
        if not JOB_ID.fullmatch(job_id):
            return None
        try:
            raw, _ = disk.read(self.place(job_id) / "job.json", most=LARGEST_RECORD)
            job = Job.model_validate_json(raw, strict=True)
        except (OSError, ValidationError):
            return None
        return job if job.id == job_id else None

    def create(self, job: Job) -> None:
        """Write a record.

        Raises:
            OSError: if the disk does not take it.
        """
        self.path.mkdir(exist_ok=True)  # not the data folder: it may be a disk that is away
        self.place(job.id).mkdir(exist_ok=True)
        text = job.model_dump_json(indent=1)
        files.replace_file(self.place(job.id) / "job.json", text.encode())

    def update(self, job: Job) -> None:
        """Write a record that has changed."""
        try:
            self.create(job)
            self._unsaved.pop(job.id, None)
        except OSError:  # the job goes on; only its record on the disk is old
            if job.id not in self._unsaved:
                _log.warning("the record of job %s could not be written", job.id, exc_info=True)
            self._unsaved[job.id] = job

    def save_again(self) -> None:
        """Try to write what the disk did not take."""
        for job in list(self._unsaved.values()):
            self.update(job)

    def forget(self, job_id: str) -> None:
        """Remove a job with all its files."""
        shutil.rmtree(self.place(job_id), ignore_errors=True)
        self._unsaved.pop(job_id, None)

    def tidy(self, job: Job) -> None:
        """Nothing but the record stays of a cancelled job, the candidate of a done one as well."""
        self._progress.pop(job.id, None)
        self._wishes.discard(job.id)
        keep = {"job.json"} | ({"log.txt"} if job.state != "cancelled" else set())
        keep |= {"candidate.json"} if job.state == "done" else set()
        self._remove_all_but(job.id, keep)

    def make_ready(self, job_id: str) -> None:
        """Nothing of an earlier try stays, whatever it is."""
        self._remove_all_but(job_id, {"job.json", "cancel"})

    def _remove_all_but(self, job_id: str, keep: set[str]) -> None:
        for left in self._files(job_id):
            if left.name in keep:
                continue
            with contextlib.suppress(OSError):  # a leftover that stays harms nobody
                if left.is_dir() and not left.is_symlink():
                    shutil.rmtree(left, ignore_errors=True)
                else:
                    left.unlink()

    def _files(self, job_id: str) -> Iterator[Path]:
        with contextlib.suppress(OSError):
            yield from list(self.place(job_id).iterdir())

    # -------------------------------------------------------------- while it is open

    def ask_to_cancel(self, job_id: str) -> None:
        """Leave word for the process that holds the lock."""
        self._wishes.add(job_id)  # for a disk that is full
        with contextlib.suppress(OSError):
            (self.place(job_id) / "cancel").touch()

    def is_to_be_cancelled(self, job_id: str) -> bool:
        """Whether somebody wants it to end."""
        return job_id in self._wishes or (self.place(job_id) / "cancel").exists()

    def progress(self, job_id: str) -> Progress:
        """How far a running job is."""
        if job_id in self._progress:
            return self._progress[job_id]
        try:
            raw, _ = disk.read(self.place(job_id) / "progress.json", most=LARGEST_RECORD)
            return PROGRESS.validate_json(raw, strict=True)
        except (OSError, ValidationError):
            return Progress()

    def tell_progress(self, job_id: str, progress: Progress) -> None:
        """Let every process know how far a job is. It need not survive a power cut."""
        self._progress[job_id] = progress
        place = self.place(job_id)
        with contextlib.suppress(OSError):
            (place / "progress.new").write_bytes(PROGRESS.dump_json(progress))
            os.replace(place / "progress.new", place / "progress.json")

    def log_tail(self, job_id: str) -> tuple[str, ...]:
        """The last lines of a job's log."""
        path = self.place(job_id) / "log.txt"
        try:
            if not path.is_file():
                return ()
            with path.open("rb") as log:
                log.seek(max(os.fstat(log.fileno()).st_size - 16_384, 0))
                text = log.read(16_384).decode("utf-8", errors="replace")
        except OSError:
            return ()
        # A progress bar rewrites its line with carriage returns: only its last state counts.
        lines = [line.rpartition("\r")[2] for line in text.replace("\r\n", "\n").split("\n")]
        return tuple(line for line in map(_without_escapes, lines) if line.strip())[-LOG_LINES:]


def _without_escapes(line: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line)
