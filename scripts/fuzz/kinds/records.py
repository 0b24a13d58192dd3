"""What lies in the data folder: jobs, audit list, scores, versions, lists, counts, leftovers.

Each input is a data folder in which some files are damaged; the instructor's service looks at all
of it and does all that it offers. Nothing but our own sentences may come, and what cannot be read
must still lie there.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import logging
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from headroles import disk, paths, reference
from headroles.admin import AdminService, Gate, JobRequest, Ticket, job_request
from headroles.errors import HeadrolesError
from headroles.models import listed
from headroles.roles import named_heads
from headroles.store import categories, read_frequencies
from headroles.view import entry_diff, jobs
from scripts.fuzz import odd
from scripts.fuzz.cases import Case

SHARE = 0.2
"""A folder takes a quarter of a second."""

NOON = "2026-01-31T12:00:00Z"
MODEL = "attn-only-1l-tiny"
DONE, RUNNING, WAITING = (f"20260131T12000000000{n}-000{n}" for n in range(3))
VERSION = "history/head_categories.2026-01-31T12-00-00.000000Z.json"
LIST = 'order = ["demo"]\nhide = ["bloom-560m"]\n[[model]]\nhub = "owner/name"\nname = "A name"\n'
NAMES = (
    "é" * 200,
    "x" * 200,
    "/" + "y" * 199,
    "a\0b",
    ".",
    "/",
    "~",
    "..",
    "../" * 60,
    "/dev/zero",
    "/etc/passwd",
    "owner/name",
    "owner/--name",
    "http://127.0.0.1/x",
    "--model=demo",
    "x.gguf",
    "demo ",
    " ",
)
"""What a record may call its model."""
_numbers = itertools.count()


def _job(job_id: str, state: str) -> dict[str, object]:
    return {
        "id": job_id,
        "request": {"model": MODEL, "sequences": 8, "thresholds": {"induction": 0.5}},
        "who": "session 0001",
        "owner": {"pid": 2**22 + 1, "started": 1.0},
        "state": state,
        "queued_at": NOON,
        "started_at": None if state == "queued" else NOON,
        "ended_at": NOON if state == "done" else None,
        "expected_seconds": 60.0,
        "message": "",
        "hint": "",
    }


@functools.cache
def sound() -> dict[str, object]:
    """{path: content} of a data folder in order: JSON as values, the rest as bytes."""
    scores = json.loads((paths.ROOT / "data" / "head_categories.json").read_bytes())
    small = {MODEL: scores[MODEL]}
    row = {"when": NOON, "who": "session 0001", "action": "started", "model": MODEL, "seed": 0}
    progress = {"phase": "scoring", "done": 3, "total": 8, "at": 1.0, "first": [0.5, 1]}
    return {
        f"jobs/{DONE}/job.json": _job(DONE, "done"),
        f"jobs/{DONE}/candidate.json": small,
        f"jobs/{DONE}/log.txt": b"one\rtwo\nthree\n",
        f"jobs/{RUNNING}/job.json": _job(RUNNING, "running"),
        f"jobs/{RUNNING}/progress.json": progress,
        f"jobs/{RUNNING}/log.txt": b"\x1b[1mscoring\x1b[0m\n",
        f"jobs/{WAITING}/job.json": _job(WAITING, "queued"),
        "audit.jsonl": row,
        "head_categories.json": small,
        VERSION: small,
        "models.toml": LIST.encode(),
        "history/models.2026-01-31T12-00-00.000000Z.toml": LIST.encode(),
        "known_heads.json": {MODEL: {"induction": [
            {"heads": ["L0H1"], "basis": "pattern", "source": "a paper"}]}},
        f"token_frequencies/{MODEL}.json": {
            "source": "a text", "counts": {"0": 1, "5": 3}, "words": [5]},
    }  # fmt: skip


LEFTOVERS = (
    "jobs.lock",
    "audit.jsonl.lock",
    "head_categories.json.lock",
    "models.toml.lock",
    ".head_categories.json.abcdefgh.tmp",
    "history/head_categories.2026-13-31T12-00-00.000000Z.json",
    "history/head_categories.9999-12-31T23-59-59.999999Z.json",
    "history/head_categories.json",
    "jobs/20260131T120000000009-ffff",
    "jobs/not a job",
    f"jobs/{RUNNING}/cancel",
    f"jobs/{RUNNING}/candidate.json",
    *(f"jobs/{WAITING}/{name}" for name in ("candidate.json", "log.txt", "tmp", "progress.json")),
    f"jobs/{DONE}/tmp",
    "unfinished",
    "unfinished/0123.parts",
    "jobs",
    "history",
    "token_frequencies",
)
"""What else may lie there, or in the place of a folder."""


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()


THINGS: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: None,
    "a folder": Path.mkdir,
    "a full folder": lambda path: (path.mkdir(), (path / "x").write_text("x")),
    "a pipe": os.mkfifo,
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a closed file": lambda path: (path.write_text("{}"), path.chmod(0)),
    "a closed folder": lambda path: path.mkdir(0),
    "brackets": lambda path: path.write_text("[" * 50_000),
    "braces": lambda path: path.write_text('{"a":' * 50_000),
    "a long number": lambda path: path.write_text("9" * 6_000),
    "one long line": lambda path: path.write_text('"' + "x" * 300_000),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "many lines": lambda path: path.write_text("{}\n" * 3_000),
}


def _changed_field(rng: random.Random, record: object) -> object:
    """A record with one to three places changed."""
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        record = odd.changed(rng, record)
    return record


def _damage(rng: random.Random) -> tuple[str, str, Callable[[Path], object]]:
    """(path, what is done there, what does it)."""
    files = sound()
    # Scores are large: half of the time it is one of the small records.
    names = [name for name in files if name.startswith("jobs/")] if rng.random() < 0.5 else [*files]
    name = rng.choice(names)
    drawn = rng.random()
    if drawn < 0.15:
        what = rng.choice(list(THINGS))
        return rng.choice([name, *LEFTOVERS]), what, THINGS[what]
    content = files[name]
    if isinstance(content, bytes) or drawn < 0.3:
        plain = content if isinstance(content, bytes) else json.dumps(content).encode()
        raw = odd.damaged(rng, plain)
        return name, f"{len(raw)} of {len(plain)} bytes", lambda path: path.write_bytes(raw)
    changed = _changed_field(rng, content)
    if name.endswith("job.json") and rng.random() < 0.3:
        changed = {**content, "request": {"model": rng.choice(NAMES)}}
    text = json.dumps(changed)  # with NaN and Infinity, as Python writes them
    return name, text[:150], lambda path: path.write_text(text)


def case(rng: random.Random) -> Case:
    """A data folder with one to three files damaged."""
    damages = [_damage(rng) for _ in range(rng.choice([1, 1, 2, 3]))]
    runs = rng.random() < 0.2
    said = "; ".join(f"{name}: {what}" for name, what, _ in damages)
    return Case(said, lambda: _tried(damages, runs=runs))


def _tried(damages: list[tuple[str, str, Callable[[Path], object]]], *, runs: bool) -> None:
    place = odd.folder() / f"data-{next(_numbers)}"
    try:
        for name, content in sound().items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(
                content if isinstance(content, bytes) else json.dumps(content).encode()
            )
        for name, _, make in damages:
            with contextlib.suppress(OSError):  # its folder is what the last one has damaged
                path = place / name
                path.parent.mkdir(exist_ok=True)
                _remove(path)
                make(path)
        _use(place, runs=runs)
    finally:
        for folder, folders, _ in os.walk(place):
            for name in folders:
                with contextlib.suppress(OSError):
                    (Path(folder) / name).chmod(0o700)
        shutil.rmtree(place, ignore_errors=True)


class _Tracebacks(logging.Handler):
    """Keeps what would stand in the server's log as a traceback that nobody expected."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.seen: list[BaseException] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the cause."""
        if record.exc_info and record.exc_info[1]:
            self.seen.append(record.exc_info[1])


@contextlib.contextmanager
def _none_in_the_log() -> Iterator[None]:
    """Raise what the server's threads logged as a traceback."""
    logger, handler = logging.getLogger("headroles"), _Tracebacks()
    disabled, propagates = logging.root.manager.disable, logger.propagate
    logging.disable(logging.NOTSET)
    logger.propagate = False
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates
        logging.disable(disabled)
    if handler.seen:
        raise handler.seen[0]


@contextlib.contextmanager
def _service(place: Path, *, runs: bool) -> Iterator[tuple[AdminService, Ticket]]:
    told: list[str] = []
    gate = Gate(announce=told.append)
    ticket = None
    service = AdminService(
        gate, folder=place, command=lambda request, candidate: ["true", request.model], may_run=runs
    )
    try:
        token = next(line.strip() for line in told[-1].splitlines() if line.startswith("    "))
        ticket = service.sign_in(token, session="a session")
        yield service, ticket
    finally:
        service.close()


def _use(place: Path, *, runs: bool) -> None:
    """Everything that the service and the readers offer, each on its own."""
    kept = {path: path.read_bytes() for path in place.glob("jobs/*/job.json") if path.is_file()
            and not path.is_symlink() and os.access(path, os.R_OK)}  # fmt: skip
    with _none_in_the_log(), _service(place, runs=runs) as (service, ticket):
        for step in (*_looks(service, ticket, place), *_deeds(service, ticket, place)):
            with contextlib.suppress(HeadrolesError):
                step()
        for job_id in service.unreadable_jobs(ticket):
            path = place / "jobs" / job_id / "job.json"
            if path in kept:
                assert path.read_bytes() == kept[path], "a record that cannot be read is lost"


def _looks(service: AdminService, ticket: Ticket, place: Path) -> list[Callable[[], object]]:
    live = place / "head_categories.json"

    def jobs_of() -> None:
        for job in service.jobs(ticket):
            view = service.watch(ticket, job.id)
            assert 0 <= view.fraction <= 1
            jobs.job_label(job)
            jobs.progress(view)
            assert "nan" not in jobs.clock(view)
            with contextlib.suppress(HeadrolesError):
                _reviewed(service.candidate(ticket, job.id), live)

    return [
        jobs_of,
        lambda: service.unreadable_jobs(ticket),
        lambda: service.history(ticket),
        lambda: categories.read_all(live),
        lambda: categories.read_good(live),
        lambda: categories.fault(live),
        lambda: categories.versions(live),
        lambda: listed.read(place / "models.toml"),
        lambda: named_heads(MODEL, path=place / "known_heads.json"),
        lambda: _counted(place),
    ]


def _reviewed(entry: object, live: Path) -> None:
    """What the page says about a candidate beside the live entry."""
    jobs.headline(entry)
    try:
        before = categories.read_good(live).entries
    except HeadrolesError:
        before = {}
    comparison = reference.diff.compare(before.get(entry.model_name), entry)
    entry_diff.file_sentences(before, {entry.model_name: entry})
    assert comparison is not None


def _counted(place: Path) -> None:
    usual, paths.DATA = paths.DATA, place
    try:
        frequencies = read_frequencies(MODEL, 10)
    finally:
        paths.DATA = usual
    assert abs(float(frequencies.probabilities.sum()) - 1) < 1e-4


def _deeds(service: AdminService, ticket: Ticket, place: Path) -> list[Callable[[], object]]:
    live = place / "head_categories.json"

    def published() -> None:
        entry = service.candidate(ticket, DONE)
        before = live.read_bytes() if live.is_file() and os.access(live, os.R_OK) else None
        digest = categories.entry_digest(entry.model_name, live)
        service.write(ticket, entry, expecting=digest)
        assert categories.read_entry(entry.model_name, live) == entry
        kept = [path.read_bytes() for path in (place / "history").glob("head_categories.*")
                if path.is_file() and os.access(path, os.R_OK)]  # fmt: skip
        assert before is None or before in (*kept, live.read_bytes()), "a version is lost"

    def again() -> None:
        for job in service.jobs(ticket):
            with contextlib.suppress(HeadrolesError):
                service.start(ticket, [job.request])

    def asked() -> None:
        for record in (place / "jobs").glob("*/job.json"):
            with contextlib.suppress(OSError, ValueError, RecursionError, AttributeError):
                fields = json.loads(disk.read(record)[0]).get("request")
                job_request(**fields) if isinstance(fields, dict) else None

    def restored() -> None:
        for version in categories.versions(live):
            service.restore(ticket, version.name, expecting=categories.file_digest(live))

    return [
        lambda: service.prospect(ticket, JobRequest(model="demo", sequences=8)),
        asked,
        again,
        lambda: service.cancel(ticket, WAITING),
        lambda: service.cancel(ticket, RUNNING),
        published,
        restored,
        lambda: service.set_aside(ticket),
        published,
        lambda: service.add_model(ticket, hub="owner/other"),
        lambda: service.edit_models(ticket, "hide", "pythia-160m"),
        lambda: service.edit_models(ticket, "undo", ""),
        lambda: service.discard(ticket, DONE),
        lambda: service.discard(ticket, "../x"),
        lambda: service.history(ticket),
    ]
