"""Several server processes on one data folder: one runs the analyses, all may ask."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from headroles.admin import jobs as admin_jobs
from headroles.admin.job_records import Job, JobRequest
from headroles.admin.jobs import Jobs
from headroles.errors import JobNotEndedError
from headroles.paths import ROOT
from headroles.store import categories
from tests.entries import entry

CHILD = """
import json, os, sys, time
kind, out = sys.argv[1], sys.argv[2]
with open(sys.argv[4], "a") as runs: runs.write(f"start {kind} {time.time()}\\n")
print(json.dumps({"event": "progress", "phase": "scoring", "done": 2, "total": 8}), flush=True)
if kind == "waits": sys.stdin.read()
open(out, "w").write(open(sys.argv[3]).read())
with open(sys.argv[4], "a") as runs: runs.write(f"end {kind} {time.time()}\\n")
"""

SERVER = """
import json, sys
from pathlib import Path
from headroles.admin.jobs import Jobs
from headroles.admin.job_records import JobRequest
folder, child, source, runs, may_run = sys.argv[1:]
jobs = Jobs(
    Path(folder),
    command=lambda request, out: [
        sys.executable, "-c", child, request.model, str(out), source, runs
    ],
    may_run=may_run == "yes",
)
for line in sys.stdin:
    order, what = json.loads(line)
    if order == "submit":
        answer = jobs.submit(JobRequest(model=what), who="session 1").id
    elif order == "cancel":
        answer = jobs.cancel(what)
    elif order == "child":
        answer = jobs._runner.child and jobs._runner.child.pid
    elif order == "list":
        answer = [[job.id, job.state, jobs.watch(job.id).progress.done] for job in jobs.all()]
    print(json.dumps(answer), flush=True)
"""


class Server:
    """A server process that does what it is told."""

    def __init__(self, folder: Path, *, may_run: bool = True) -> None:
        source = folder.parent / "source.json"
        source.write_text(categories.to_json({"good": entry("good")}))
        settings = [folder, CHILD, source, folder.parent / "runs", "yes" if may_run else "no"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, *map(str, settings)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, order: str, what: str = "") -> object:
        self.process.stdin.write(json.dumps([order, what]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def states(self) -> dict[str, str]:
        return {job: state for job, state, _ in self("list")}

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "jobs"


@pytest.fixture
def start(folder) -> Iterator:
    made = []

    def server(**settings: bool) -> Server:
        made.append(Server(folder, **settings))
        return made[-1]

    yield server
    for one in made:
        if one.process.poll() is None:
            one.kill()


def until(condition, *, seconds: float = 30):
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)
    return answer


def test_of_two_servers_one_runs_the_jobs_of_both_one_after_the_other(start, tmp_path) -> None:
    first, second = start(), start()
    asked = [server("submit", f"j{n}") for n in range(3) for server in (first, second)]
    until(lambda: set(second.states().values()) == {"done"})
    assert first.states() == second.states()
    assert sorted(first.states()) == sorted(asked)
    lines = (tmp_path / "runs").read_text().splitlines()
    kinds = [line.split()[0] for line in lines]
    assert kinds == ["start", "end"] * 6, "each once, and never two at a time"


def test_a_job_is_seen_and_cancelled_from_the_other_server(start) -> None:
    first, second = start(), start()
    running = first("submit", "waits")
    until(lambda: [running, "running", 2] in second("list"))  # with its progress
    waiting = second("submit", "later")
    assert second.states()[waiting] == "queued"
    for job in (waiting, running):
        began = time.monotonic()
        second("cancel", job)
        assert time.monotonic() - began < 3, "the promise of the page"
        assert first.states()[job] == second.states()[job] == "cancelled"
    until(lambda: first("child") is None and second("child") is None)


def test_when_the_server_that_runs_them_is_killed_another_goes_on(start) -> None:
    first, second = start(), start()
    running = first("submit", "waits")
    until(lambda: first.states()[running] == "running")
    waiting = first("submit", "good")
    child = psutil.Process(until(lambda: first("child")))  # the record says so a moment before
    first.kill()
    until(lambda: second.states() == {running: "lost", waiting: "done"})
    # It ends by itself when its input closes; its end waits for its turn on a busy machine.
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, seconds=120)


def test_a_child_that_outlives_its_server_is_ended_before_the_next_starts(start, folder) -> None:
    """Its standard input is closed, but it does not listen."""
    first = start()
    running = first("submit", "waits")
    pid = until(lambda: first("child"))
    until(lambda: [running, "running", 2] in first("list"))
    psutil.Process(pid).suspend()  # so it cannot end by itself
    first.kill()
    second = start()
    until(lambda: second.states() == {running: "lost"})
    child_is_gone = not psutil.pid_exists(pid) or (
        psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    )
    assert child_is_gone


def test_a_server_that_only_asks_runs_nothing_and_can_take_back_what_it_asked(start) -> None:
    asking = start(may_run=False)
    one, other = asking("submit", "good"), asking("submit", "good")
    time.sleep(2.5)
    assert set(asking.states().values()) == {"queued"}
    asking("cancel", other)
    running = start()
    until(lambda: asking.states() == {one: "done", other: "cancelled"})
    assert running.states() == asking.states()


def test_who_only_asks_says_what_is_lost(start) -> None:
    running, asking = start(), start(may_run=False)
    job = asking("submit", "waits")
    until(lambda: asking.states()[job] == "running")
    running.kill()
    until(lambda: asking.states()[job] == "lost")


def test_a_cancel_that_nobody_answers_is_an_error_with_a_sentence(start, folder, monkeypatch):
    server = start()
    job = server("submit", "waits")
    until(lambda: server.states()[job] == "running")
    psutil.Process(server.process.pid).suspend()
    monkeypatch.setattr(admin_jobs, "CANCEL_SECONDS", 0.5)
    here = Jobs(folder, may_run=False)
    try:
        with pytest.raises(JobNotEndedError, match="does not answer"):
            here.cancel(job)
    finally:
        here.close()


def test_a_job_that_nobody_takes_up_says_so(folder) -> None:
    here = Jobs(folder, may_run=False)
    try:
        job = here.submit(JobRequest(model="good"), who="s")
        assert not here.watch(job.id).waits_for_a_process
        age(here, job, seconds=11)
        assert here.watch(job.id).waits_for_a_process
    finally:
        here.close()


def age(jobs: Jobs, job: Job, *, seconds: float) -> None:
    from datetime import timedelta

    jobs._folder.create(job.changed(queued_at=job.queued_at - timedelta(seconds=seconds)))


def test_closing_lets_the_next_one_run_at_once(folder, tmp_path) -> None:
    def command(request: JobRequest, candidate: Path) -> list[str]:
        return [sys.executable, "-c", "import sys; sys.stdin.read()"]

    first = Jobs(folder, command=command)
    job = first.submit(JobRequest(model="x"), who="s")
    until(lambda: first._runner.child)
    other = first.submit(JobRequest(model="x"), who="s")
    second = Jobs(folder, command=command)
    closing = threading.Thread(target=first.close)
    closing.start()
    until(lambda: second.watch(other.id).job.state == "running")
    closing.join()
    assert second.watch(job.id).job.state == "cancelled"
    second.close()
