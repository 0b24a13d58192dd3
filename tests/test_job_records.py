"""Records, events and audit lines that are not as they were written: each is survived alone."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headroles.admin import AdminService, Gate, JobRequest, audit, job_request
from headroles.admin.job_folder import JobFolder
from headroles.admin.job_records import Job, JobView, Owner, Progress, event_in
from headroles.admin.jobs import Jobs
from headroles.errors import (
    AnalysisError,
    HeadrolesError,
    ModelUnavailableError,
    WrongSecretError,
)
from headroles.store import categories
from headroles.ui.admin.audit_log import ACTIONS, _cells, as_csv
from headroles.view import jobs as job_words
from tests.entries import entry
from tests.test_disk import THINGS, in_time
from tests.test_jobs import wait_for

NOON = "2026-01-31T12:00:00Z"
GOOD = {
    "id": "20260131T120000000000-0001",
    "request": {"model": "demo"},
    "who": "session 0001",
    "owner": {"pid": 7, "started": 1.0},
    "state": "done",
    "queued_at": NOON,
    "started_at": NOON,
    "ended_at": NOON,
}

WRONG = {
    "a negative process": {"owner": {"pid": -1, "started": 1.0}},
    "no process": {"owner": {"pid": 0, "started": 1.0}},
    "an endless start": {"owner": {"pid": 1, "started": math.inf}},
    "no zone": {"queued_at": "2026-01-31T12:00:00"},
    "a year 1": {"started_at": "0001-01-01T00:00:00+14:00"},
    "a year 9999": {"ended_at": "9999-12-31T23:59:59-14:00"},
    "a date as a number": {"queued_at": 0},
    "infinite": {"expected_seconds": math.inf},
    "no number": {"expected_seconds": math.nan},
    "below zero": {"expected_seconds": -1},
    "an endless threshold": {"request": {"model": "demo", "thresholds": {"induction": math.inf}}},
    "a huge seed": {"request": {"model": "demo", "seed": 10**400}},
    "a huge number": {"request": {"model": "demo", "sequences": 10**30}},
    "a text for a number": {"request": {"model": "demo", "cap": "8"}},
    "another state": {"state": "celebrated"},
    "another name": {"id": "20260131T120000000000-0002"},
    "a model of no text": {"request": {"model": "a\0b"}},
    "a path for a name": {"id": "../20260131T120000000000-0001"},
    "one thing more": {"extra": 1},
    "no owner": {"owner": None},
}


def put(folder: Path, record: object, *, name: str = GOOD["id"]) -> Path:
    place = folder / name
    place.mkdir(parents=True)
    text = record if isinstance(record, str) else json.dumps(record)
    (place / "job.json").write_text(text)
    return place


def show(folder: JobFolder) -> list[str]:
    """All that a page says about the jobs of a folder."""
    said = []
    for job in folder.jobs().values():
        view = JobView(job, folder.progress(job.id), 0, folder.log_tail(job.id))
        said += [job_words.job_label(job), job_words.progress(view), job_words.clock(view)]
        said += [f"{view.fraction:.2f}", str(view.waits_for_a_process)]
        assert 0 <= view.fraction <= 1
        assert job.seconds >= 0
    return said


def test_the_record_that_the_others_are_made_from_is_good(tmp_path) -> None:
    put(tmp_path, GOOD)
    assert list(JobFolder(tmp_path).jobs()) == [GOOD["id"]]


@pytest.mark.parametrize("change", WRONG)
def test_a_record_that_is_not_as_we_write_them_is_left_out_alone(tmp_path, change: str) -> None:
    put(tmp_path, {**GOOD, **WRONG[change]})
    other = "20260131T120000000000-ffff"
    put(tmp_path, {**GOOD, "id": other}, name=other)
    folder = JobFolder(tmp_path)
    assert list(folder.jobs()) == [other]
    assert folder.unreadable() == [GOOD["id"]]
    assert show(folder)


@pytest.mark.parametrize("kind", THINGS)
@pytest.mark.parametrize("name", ["job.json", "progress.json", "log.txt", "candidate.json"])
def test_what_is_no_file_in_a_jobs_folder_hangs_nobody(tmp_path, kind: str, name: str) -> None:
    place = put(tmp_path / "jobs", {**GOOD, "state": "done"})
    (place / name).unlink(missing_ok=True)
    THINGS[kind](place / name)
    jobs = in_time(lambda: Jobs(tmp_path / "jobs"))
    in_time(lambda: show(jobs._folder))
    assert isinstance(in_time(lambda: jobs.candidate(GOOD["id"])), HeadrolesError)
    in_time(jobs.close)


@pytest.mark.parametrize("kind", THINGS)
@pytest.mark.parametrize("name", ["log.txt", "candidate.json", "tmp", "progress.json"])
def test_what_lies_in_the_way_of_a_new_run_is_taken_away(tmp_path, kind: str, name: str) -> None:
    place = put(
        tmp_path / "jobs", {**GOOD, "state": "queued", "started_at": None, "ended_at": None}
    )
    THINGS[kind](place / name)
    ended = []
    jobs = in_time(
        lambda: Jobs(
            tmp_path / "jobs",
            on_end=ended.append,
            command=lambda request, candidate: [sys.executable, "-c", "raise SystemExit(3)"],
        )
    )
    wait_for(lambda: ended)
    in_time(jobs.close)
    assert ended[0].message == "The analysis ended unexpectedly (exit code 3)."


def test_an_end_is_told_of_whatever_model_the_record_names(tmp_path, monkeypatch) -> None:
    def gone(name: str) -> int:
        raise ModelUnavailableError(name, why="its folder is not on this server any more.")

    monkeypatch.setattr("headroles.admin.runner.sweep_unfinished", gone)
    put(tmp_path / "jobs", {**GOOD, "state": "running", "ended_at": None})
    ended = []
    Jobs(tmp_path / "jobs", on_end=ended.append).close()
    assert [job.state for job in ended] == ["lost"]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"model": "a/" + "b" * 300}, "model: String should have at most 200 characters"),
        ({"model": "\ud800"}, "model: "),
        ({"model": "demo", "sequences": 10**30}, "sequences: "),
        ({"model": "demo", "thresholds": {"induction": math.nan}}, "thresholds: "),
        ({"model": "demo", "new": 1}, "new: "),
    ],
)
def test_what_nobody_can_ask_for_is_said(fields: dict, says: str) -> None:
    with pytest.raises(AnalysisError, match=f"cannot be asked for: {says}"):
        job_request(**fields)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from([NOON, "queued", "running", "done", "9999-12-31T23:59:59-23:59"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
FIELDS = [*GOOD, "expected_seconds", "message", "hint", "problem", "mend", "new"]


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=4))
def test_no_record_takes_the_page_down(tmp_path_factory, changes: dict) -> None:
    tmp_path = tmp_path_factory.mktemp("jobs")
    put(tmp_path, {**GOOD, **changes})
    folder = JobFolder(tmp_path)
    show(folder)
    assert len(folder.jobs()) + len(folder.unreadable()) == 1


@settings(max_examples=100, deadline=None)
@given(
    numbers=st.fixed_dictionaries(
        {
            "phase": VALUES,
            "done": VALUES | st.integers(0, 10),
            "total": VALUES | st.integers(0, 10),
            "at": VALUES | st.floats(0, 1e10),
            "first": VALUES | st.tuples(st.floats(0, 1e10), st.integers(0, 10)),
        }
    )
)
def test_no_progress_file_takes_the_page_down(tmp_path_factory, numbers: dict) -> None:
    tmp_path = tmp_path_factory.mktemp("jobs")
    place = put(tmp_path, {**GOOD, "state": "running", "ended_at": None})
    (place / "progress.json").write_text(json.dumps(numbers))
    assert show(JobFolder(tmp_path))


@settings(max_examples=300, deadline=None)
@given(
    line=st.binary(max_size=60)
    | VALUES.map(lambda value: json.dumps(value).encode())
    | st.fixed_dictionaries(
        {"event": st.sampled_from(["progress", "error", "result"]) | VALUES},
        optional=dict.fromkeys(("phase", "done", "total", "message", "hint"), VALUES),
    ).map(lambda event: json.dumps(event).encode())
)
def test_every_line_of_a_child_is_an_event_or_nothing(line: bytes) -> None:
    event = event_in(line)
    if event is not None and event.event == "progress":
        Progress(event.phase, event.done, event.total)
        assert event.done >= 0
        assert len(event.phase) <= 500


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(
        st.dictionaries(
            st.sampled_from([*audit.AuditRow.model_fields, "new"]),
            VALUES | st.sampled_from(list(ACTIONS)),
        ),
        max_size=4,
    )
)
def test_no_audit_line_takes_the_list_down(tmp_path_factory, rows: list[dict]) -> None:
    path = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    good = audit.AuditRow(who="session 1", action="started", model="demo")
    lines = [json.dumps({"when": NOON, "who": "s", "action": "started", **row}) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    assert audit.append(good, path)
    read = audit.read(path)
    assert read.rows[0] == good
    assert len(read.rows) + read.damaged == len(rows) + 1
    assert [_cells(row) for row in read.rows]
    assert as_csv(read.rows)


@pytest.mark.parametrize("kind", THINGS)
def test_an_audit_list_that_is_no_file_stops_nothing(tmp_path, kind: str) -> None:
    path = tmp_path / "audit.jsonl"
    THINGS[kind](path)
    row = audit.AuditRow(who="session 1", action="signed_in")
    in_time(lambda: audit.append(row, path))
    assert in_time(lambda: audit.read(path)).fault


# ------------------------------------------------------------------ what a child says

NO_EVENTS = ["[]", "3", '"x"', "null", "true", "{}", '{"event": []}', '{"event": "progress"}']
NO_EVENTS += ['{"event": "error"}', '{"event": "progress", "phase": 1, "done": "x", "total": null}']
NO_EVENTS += ['{"event": "progress", "phase": "x", "done": -1, "total": 1}', "[" * 50_000]

TALKER = """
import sys, time
out, source, log = sys.argv[1:4]
with open(log, "a") as times: times.write(f"start {time.time()}\\n")
for line in sys.argv[4:]: print(line, flush=True)
print("x" * 3_000_000, flush=True)
time.sleep(0.5)
open(out, "w").write(open(source).read())
with open(log, "a") as times: times.write(f"end {time.time()}\\n")
"""


def test_lines_that_are_no_events_are_passed_over_and_one_child_runs_at_a_time(tmp_path) -> None:
    source = tmp_path / "source.json"
    source.write_text(categories.to_json({"good": entry("good")}))

    def command(request: JobRequest, candidate: Path) -> list[str]:
        arguments = [str(candidate), str(source), str(tmp_path / "times"), *NO_EVENTS]
        return [sys.executable, "-c", TALKER, *arguments]

    jobs = Jobs(tmp_path / "jobs", command=command)
    for _ in range(3):
        jobs.submit(JobRequest(model="good"), who="s")
    wait_for(lambda: all(not job.is_open for job in jobs.all()))
    assert [job.state for job in jobs.all()] == ["done"] * 3
    kinds = [line.split()[0] for line in (tmp_path / "times").read_text().splitlines()]
    assert kinds == ["start", "end"] * 3
    jobs.close()


def test_whatever_goes_wrong_the_child_is_ended_before_the_next_starts(
    tmp_path, monkeypatch
) -> None:
    from headroles.admin import runner

    def fail(pid: int, *, niceness: int) -> None:
        raise RuntimeError("nobody expected this")

    monkeypatch.setattr(runner, "give_way", fail)
    pids = tmp_path / "pids"
    code = "import os, sys, time; open(sys.argv[1], 'a').write(f'{os.getpid()}\\n'); time.sleep(60)"

    def command(request: JobRequest, candidate: Path) -> list[str]:
        return [sys.executable, "-c", code, str(pids)]

    jobs = Jobs(tmp_path / "jobs", command=command)
    job = jobs.submit(JobRequest(model="x"), who="s")
    wait_for(lambda: not jobs.watch(job.id).job.is_open)
    assert jobs.watch(job.id).job.state == "failed"
    assert "nobody expected this" in jobs.watch(job.id).job.message
    for pid in pids.read_text().split() if pids.exists() else ():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
    jobs.close()


# ------------------------------------------------------------------ the service, and the disk


def test_a_done_job_without_its_candidate_is_one_sentence(tmp_path) -> None:
    place = put(tmp_path / "jobs", GOOD)
    jobs = Jobs(tmp_path / "jobs")
    for content in (None, "{}", "{", categories.to_json({"a": entry("a"), "b": entry("b")})):
        if content is not None:
            (place / "candidate.json").write_text(content)
        with pytest.raises(HeadrolesError):
            jobs.candidate(GOOD["id"])
        assert [job.id for job in jobs.all()] == [GOOD["id"]]
    jobs.close()


def test_a_flood_of_refused_attempts_leaves_few_rows_and_counts_them(tmp_path, monkeypatch) -> None:
    from headroles.admin import service

    now = [1000.0]
    monkeypatch.setattr(service.time, "monotonic", lambda: now[0])
    office = AdminService(Gate(announce=lambda line: None, clock=lambda: now[0]), folder=tmp_path)
    for number in range(500):
        now[0] += office.gate.wait(f"{number}") or 1
        with pytest.raises(WrongSecretError):
            office.sign_in("guess", session=f"{number}")
    rows = audit.read(tmp_path / "audit.jsonl").rows
    assert len(rows) <= 10 + (now[0] - 1000) / 60 + 1
    told = [int(row.outcome.split("(")[1].split()[0]) if "(" in row.outcome else 1 for row in rows]
    assert 500 - 60 <= sum(told) <= 500
    office.close()


READ_ONLY = """
import json, subprocess, sys, time
from pathlib import Path
from headroles.admin import AdminService, Gate
folder = Path(sys.argv[1])
subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
try:
    (folder / "probe").touch()
except OSError:
    pass
else:
    sys.exit(77)
lines = []
gate = Gate(announce=lines.append)
office = AdminService(gate, folder=folder)
token = next(line.strip() for line in lines[0].splitlines() if line.startswith("    "))
ticket = office.sign_in(token, session="a")
jobs = office.jobs(ticket)
print(json.dumps([(job.id, job.state, job.message) for job in jobs]))
"""


@pytest.mark.parametrize("state", ["running", "queued"])
def test_on_a_read_only_disk_with_an_open_record_one_can_sign_in(tmp_path, state: str) -> None:
    record = {**GOOD, "state": state, "ended_at": None}
    put(tmp_path / "jobs", record)
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    try:
        subprocess.run([*namespace, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this system lets nobody mount a disk: {error}")
    done = subprocess.run(
        [*namespace, sys.executable, "-c", READ_ONLY, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode == 77:
        pytest.skip("the disk could not be made read-only")
    assert done.returncode == 0, done.stderr
    [(job_id, shown, message)] = json.loads(done.stdout)
    assert (job_id, shown) == (GOOD["id"], "lost")
    assert "cannot be written to" in message


def test_a_job_knows_its_own_bounds() -> None:
    job = Job.model_validate(GOOD)
    earlier = job.changed(ended_at="2026-01-30T00:00:00Z")  # the clock was set back
    assert earlier.seconds == 0
    long = job.changed(message="x" * 10_000 + "\ud800")
    assert len(long.message) == 500
    assert Owner.this_process().pid == os.getpid()
    assert time.time() > Owner.this_process().started
