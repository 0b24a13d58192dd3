"""What an instructor may do, each behind a check of the sign-in: the server side of the page.

The page hides what a visitor may not do, but hiding is no protection. Everything that starts,
cancels, writes or restores goes through here with the session's ticket, which is checked every
time, and leaves a line in the audit list.

>>> office = Administration(gate, folder=paths.DATA)  # doctest: +SKIP
>>> ticket = office.sign_in("the password", session=session_id)  # doctest: +SKIP
>>> office.start(ticket, [JobRequest(model="demo")])  # doctest: +SKIP
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from headroles.admin import audit
from headroles.admin import estimate as admin_estimate
from headroles.admin.access import Gate, Ticket, session_name
from headroles.admin.for_class import ForClass
from headroles.admin.job_records import Job, JobRequest, JobView
from headroles.admin.jobs import Jobs, analysis_command
from headroles.errors import WrongSecretError
from headroles.models import ModelFacts, inspect_model, listed, memory
from headroles.store import (
    ModelEntry,
    categories,
    model_list,
    real_text,
)

REFUSED_ROWS, REFUSED_WINDOW = 10, 300.0
"""Rows of refused attempts in so many seconds, after which not each gets a row of its own."""
REFUSED_PAUSE = 60.0
"""Seconds between two rows from then on."""

_MODEL_EDITS = {
    "remove": model_list.remove,
    "hide": model_list.hide,
    "show": model_list.show,
    "order": model_list.order,
}
_log = logging.getLogger(__name__)


def estimate_of(request: JobRequest, facts: ModelFacts) -> admin_estimate.Estimate:
    """Time and memory of what is asked for."""
    return admin_estimate.estimate(
        facts,
        sequences=request.sequences,
        extended=request.extended,
        causal=request.causal,
        read_tokens=request.read_tokens,
    )


@dataclass(frozen=True)
class Prospect:
    """What an analysis will take, estimated before it starts."""

    request: JobRequest
    facts: ModelFacts
    estimate: admin_estimate.Estimate
    available: int
    """Bytes of memory that are free on this server."""


class AdminService(ForClass):
    """The instructor's actions on one data folder; one a server.

    Args:
        gate: who may enter.
        folder: the data folder; jobs and the audit list live in it.
        command: the command line of an analysis.
        may_run: False where another server process runs the analyses of this folder.
    """

    def __init__(
        self,
        gate: Gate,
        *,
        folder: Path,
        command: Callable[[JobRequest, Path], list[str]] = analysis_command,
        may_run: bool = True,
    ) -> None:
        super().__init__(gate, folder=folder)
        self._folder = folder
        self.categories = folder / "head_categories.json"
        self._models_file = folder / listed.FILE
        self._audit_file = folder / "audit.jsonl"
        self._noting, self._starting = threading.Lock(), threading.Lock()
        self._refused: deque[float] = deque(maxlen=REFUSED_ROWS + 1)
        self._unnoted, self._noted_refused = 0, float("-inf")
        self._jobs = Jobs(folder / "jobs", on_end=self._job_ended, command=command, may_run=may_run)

    @property
    def at_work(self) -> bool:
        """Whether this process runs an analysis now; no secret, for every page says so."""
        return self._jobs.at_work

    def sign_in(self, secret: str, *, session: str) -> Ticket:
        """Open the page for a session.

        Raises:
            WrongSecretError, TooManyAttemptsError: as :meth:`Gate.enter`.
        """
        try:
            ticket = self.gate.enter(secret, session=session)
        except WrongSecretError as error:
            self._note_refused(session_name(session), error.message)
            raise
        self._note(session_name(session), "signed_in")
        return ticket

    def sign_out(self, ticket: Ticket | None) -> None:
        """Close the page for a session; whoever is not signed in may do that too."""
        self.gate.leave(ticket)

    def prospect(self, ticket: Ticket | None, request: JobRequest) -> Prospect:
        """Look the model up and say what its analysis would take; nothing is started.

        Raises:
            NotSignedInError: without a valid ticket.
            HeadrolesError: if the model cannot be used here; see :func:`inspect_model`.
        """
        self.gate.check(ticket)
        facts = inspect_model(request.model)
        estimate = estimate_of(request, facts)
        return Prospect(request, facts, estimate, memory.available_memory())

    def start(self, ticket: Ticket | None, requests: Sequence[JobRequest]) -> list[Job]:
        """Queue analyses, all of them or, if one cannot be, none.

        One that waits or runs already with the same settings is not queued again: a second click
        gets the same analysis.

        Raises:
            NotSignedInError: without a valid ticket.
            TooLargeError: if one does not fit into the memory that is free.
            HeadrolesError: if a model cannot be used here, or the disk takes no record.
        """
        who = self.gate.check(ticket)
        prospects = [self.prospect(ticket, request) for request in requests]
        for prospect in prospects:
            admin_estimate.refuse_what_cannot_fit(
                prospect.facts, prospect.estimate, prospect.available
            )
        with self._starting:
            return [self._started(prospect, who) for prospect in prospects]

    def _started(self, prospect: Prospect, who: str) -> Job:
        for job in self._jobs.all():
            if job.is_open and job.request == prospect.request:
                return job
        expected = prospect.estimate.seconds
        job = self._jobs.submit(prospect.request, who=who, expected_seconds=expected)
        self._note_job(job, "started", who=who)
        return job

    def cancel(self, ticket: Ticket | None, job_id: str) -> None:
        """Take a job out of the queue, or end the one that runs.

        Raises:
            NotSignedInError: without a valid ticket.
            UnknownJobError: if there is no such job.
            JobNotEndedError: if the server process that runs it does not answer.
        """
        self.gate.check(ticket)
        self._jobs.cancel(job_id)

    def discard(self, ticket: Ticket | None, job_id: str) -> None:
        """Forget an ended job and its candidate.

        Raises:
            NotSignedInError: without a valid ticket.
            UnknownJobError: if there is no such job, or it has not ended.
        """
        self.gate.check(ticket)
        self._jobs.discard(job_id)

    def jobs(self, ticket: Ticket | None) -> list[Job]:
        """Every job that is kept, the newest first.

        Raises:
            NotSignedInError: without a valid ticket.
        """
        self.gate.check(ticket)
        return self._jobs.all()

    def unreadable_jobs(self, ticket: Ticket | None) -> list[str]:
        """The ids of jobs whose records cannot be read; they are left alone.

        Raises:
            NotSignedInError: without a valid ticket.
        """
        self.gate.check(ticket)
        return self._jobs.unreadable()

    def watch(self, ticket: Ticket | None, job_id: str) -> JobView:
        """A job with its progress and the tail of its log.

        Raises:
            NotSignedInError: without a valid ticket.
            UnknownJobError: if there is no such job.
        """
        self.gate.check(ticket)
        return self._jobs.watch(job_id)

    def candidate(self, ticket: Ticket | None, job_id: str) -> ModelEntry:
        """What a done job found; not live before :meth:`write`.

        Raises:
            NotSignedInError: without a valid ticket.
            UnknownJobError: if there is no such job, or it is not done.
            HeadrolesError: if its file was damaged or removed since.
        """
        self.gate.check(ticket)
        return self._jobs.candidate(job_id)

    def write(self, ticket: Ticket | None, entry: ModelEntry, *, expecting: str) -> None:
        """Put an entry in front of the students.

        Args:
            ticket: of the session.
            entry: the candidate, perhaps with other thresholds.
            expecting: :func:`store.entry_digest` of the live entry that it was compared with.

        Raises:
            NotSignedInError: without a valid ticket.
            StaleWriteError: if someone wrote this model in the meantime.
            CategoriesBrokenError, DiskError, FileBusyError: if the file cannot be written.
        """
        who = self.gate.check(ticket)
        categories.write_entry(entry, self.categories, expecting=expecting)
        self._note(
            who,
            "wrote",
            model=entry.model_name,
            revision=entry.revision,
            seed=entry.seed,
            sequences=entry.sequences,
        )

    def restore(
        self, ticket: Ticket | None, name: str, *, model: str | None = None, expecting: str
    ) -> None:
        """Bring an earlier version of the file, or of one model's entry, back.

        Args:
            ticket: of the session.
            name: of the version.
            model: only this model's entry; the others stay as they are.
            expecting: :func:`store.file_digest` of the live file that it was compared with.

        Raises:
            NotSignedInError: without a valid ticket.
            UnknownVersionError, StaleWriteError, DiskError, FileBusyError: see the store.
        """
        who = self.gate.check(ticket)
        categories.restore(name, self.categories, model=model, expecting=expecting)
        self._note(who, "restored", model=model or "", outcome=f"version {name}")

    def set_aside(self, ticket: Ticket | None) -> None:
        """Move a damaged file into the history, so that a new one can be written.

        Raises:
            NotSignedInError: without a valid ticket.
            DiskError, FileBusyError: see the store.
        """
        who = self.gate.check(ticket)
        categories.set_aside(self.categories)
        self._note(who, "set_aside", outcome="the damaged file went into the history")

    def add_model(
        self, ticket: Ticket | None, *, hub: str, revision: str = "", name: str = ""
    ) -> None:
        """Let students choose a model of the Hub; a folder is never taken from here.

        Raises:
            NotSignedInError: without a valid ticket.
            ModelNotListedError, ModelListError: if it cannot stand there, or the list is damaged.
            DiskError, FileBusyError: see the store.
        """
        who = self.gate.check(ticket)
        given = {"hub": hub, "revision": revision, "name": name}
        model = {field: text for field, text in given.items() if text}
        key = model_list.add(model, self._models_file)
        outcome = f"added at revision {revision}" if revision else "added"
        self._note(who, "edited_models", model=key, outcome=outcome)

    def edit_models(self, ticket: Ticket | None, edit: str, what: str | Sequence[str]) -> None:
        """Change what students can choose.

        Args:
            ticket: of the session.
            edit: ``remove``, ``hide`` or ``show`` a key, ``order`` keys, or ``undo``.
            what: the key or keys; nothing for ``undo``.

        Raises:
            NotSignedInError: without a valid ticket.
            UnknownModelError, NotInListError: if there is no such model.
            ModelNotListedError, ModelListError: if it cannot be as asked, or is damaged.
            DiskError, FileBusyError: see the store.
        """
        who = self.gate.check(ticket)
        if edit == "undo":
            model_list.undo(self._models_file)
        else:
            _MODEL_EDITS[edit](what, self._models_file)
        key = what if isinstance(what, str) else ""
        self._note(who, "edited_models", model=key, outcome=edit)

    def history(self, ticket: Ticket | None) -> audit.AuditList:
        """The audit list, newest first, and what of it could not be read.

        Raises:
            NotSignedInError: without a valid ticket.
        """
        self.gate.check(ticket)
        return audit.read(self._audit_file)

    def close(self) -> None:
        """End the analysis that runs here; for tests and for a server that shuts down."""
        self._jobs.close()

    def _job_ended(self, job: Job) -> None:
        revision, outcome = "", job.message
        if job.state == "done" and job.request.read_tokens:
            record = self._jobs.real_text(job.id)
            real_text.write_real_text(record, self._folder)  # nothing that a verdict rests on
            revision, outcome = record.revision, f"{record.tokens} tokens of real text read"
        elif job.state == "done":
            revision, outcome = self._jobs.candidate(job.id).revision, "candidate ready"
        self._note_job(
            job,
            "finished" if job.state == "done" else job.state,
            who=job.who,
            revision=revision,
            seconds=job.seconds,
            outcome=outcome,
        )

    def _note_refused(self, who: str, message: str) -> None:
        """A flood must not push everything else out of the list, so its rows stand for many."""
        now = time.monotonic()
        with self._noting:
            self._refused.append(now)
            times = [when for when in self._refused if now - when < REFUSED_WINDOW]
            self._unnoted += 1
            if len(times) > REFUSED_ROWS and now - self._noted_refused < REFUSED_PAUSE:
                return
            many, self._unnoted, self._noted_refused = self._unnoted, 0, now
        self._note(who, "refused", outcome=message if many == 1 else f"{message} ({many} attempts)")

    def _note_job(self, job: Job, action: str, *, who: str, **more: object) -> None:
        request = job.request
        settings = {"model": request.model, "seed": request.seed, "sequences": request.sequences}
        self._note(who, action, **settings, **more)

    def _note(self, who: str, action: str, **more: object) -> None:
        if categories.folder_is_gone(self.categories):
            _log.warning("the data folder is gone; not in the audit list: %s %s", who, action)
            return
        row = audit.AuditRow(when=datetime.now(UTC), who=who, action=action, **more)
        audit.append(row, self._audit_file)
