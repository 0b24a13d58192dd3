"""Background analyses on real child processes.

Most children are small scripts that misbehave on purpose, three are the real analysis.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
from pydantic import ValidationError

from headroles.admin import estimate_of
from headroles.admin.job_records import Job, JobRequest, JobView, Owner, Progress
from headroles.admin.jobs import KEPT, Jobs, analysis_command
from headroles.admin.processes import give_way
from headroles.errors import DiskError, HeadrolesError, UnknownJobError
from headroles.models import inspect_model
from headroles.paths import ROOT
from headroles.store import categories
from tests.entries import entry

# What a child does, by the name of the model that it is asked for.
CHILD = """
import json, os, signal, subprocess, sys, time
from pathlib import Path
kind, out = sys.argv[1], Path(sys.argv[2])
def say(**event): print(json.dumps(event), flush=True)
def progress(done): say(event="progress", phase="scoring repeats", done=done, total=8)
if kind == "good":
    progress(4)
    out.write_text(Path(sys.argv[3]).read_text())
    say(event="result")
elif kind == "waits":
    progress(2)
    Path(os.environ["TMPDIR"], "half a download").write_text("x" * 1000)
    out.with_name("candidate.json.tmp").write_text("half")
    sys.stdin.read()
elif kind == "stubborn":
    ignore = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    ignore += "print('up', flush=True); time.sleep(600)"
    grandchild = subprocess.Popen([sys.executable, "-c", ignore], stdout=subprocess.PIPE)
    grandchild.stdout.readline()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say(event="progress", phase=str(grandchild.pid), done=1, total=8)
    time.sleep(600)
elif kind == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
elif kind == "crashes":
    out.write_text("{half a file")
    sys.exit("Traceback: something broke")
elif kind == "half":
    out.write_text('{"good": {"schema_version": 1')
elif kind == "nothing":
    print("no JSON at all", flush=True)
elif kind == "sentence":
    print("tqdm\\r 50%\\r100%", file=sys.stderr)
    say(event="error", message="There is no model called 'x'.", hint="Choose another.")
    sys.exit(1)
"""


@pytest.fixture
def source(tmp_path) -> Path:
    path = tmp_path / "source.json"
    path.write_text(categories.to_json({"good": entry("good")}))
    return path


@pytest.fixture
def make(tmp_path, source):
    """``make()``: the jobs of a server, on one folder; whatever still runs is ended at the end."""
    made = []

    def command(request: JobRequest, candidate: Path) -> list[str]:
        return [sys.executable, "-c", CHILD, request.model, str(candidate), str(source)]

    def jobs(**settings: object) -> Jobs:
        made.append(Jobs(tmp_path / "jobs", command=command, **settings))
        return made[-1]

    yield jobs
    for one in made:
        for job in one.all():
            one.cancel(job.id)
        one.close()


def wait_for(condition, *, seconds: float = 60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def ended(jobs: Jobs, job: Job, *, seconds: float = 60) -> Job:
    wait_for(lambda: not jobs.watch(job.id).job.is_open, seconds=seconds)
    return jobs.watch(job.id).job


def run(jobs: Jobs, kind: str) -> Job:
    return ended(jobs, jobs.submit(JobRequest(model=kind), who="session 1"))


def left(tmp_path: Path, job: Job) -> set[str]:
    return {path.name for path in (tmp_path / "jobs" / job.id).iterdir()}


def test_a_good_child_is_done_and_its_candidate_is_read_back(make, tmp_path):
    told = []
    jobs = make(on_end=told.append)
    job = run(jobs, "good")
    assert job.state == "done"
    assert jobs.candidate(job.id) == entry("good")
    assert jobs.watch(job.id).fraction == 1
    assert left(tmp_path, job) == {"job.json", "log.txt", "candidate.json"}
    assert told == [job]
    assert job.queued_at <= job.started_at <= job.ended_at


def test_a_candidate_that_lost_a_part_since_is_refused(make, tmp_path):
    """A file of another dashboard may lack it; what an analysis writes may not."""
    jobs = make()
    job = run(jobs, "good")
    place = tmp_path / "jobs" / job.id / "candidate.json"
    said = json.loads(place.read_text())
    del said["good"]["sequences"]
    place.write_text(json.dumps(said))
    with pytest.raises(HeadrolesError, match="is damaged"):
        jobs.candidate(job.id)


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("killed", "memory ran out"),
        ("crashes", "ended unexpectedly (exit code 1)"),
        ("half", "cannot be read"),
        ("nothing", "cannot be read"),
        ("sentence", "no model called 'x'"),
    ],
)
def test_whatever_else_happens_is_a_failure_with_a_sentence(make, tmp_path, kind, sentence):
    jobs = make()
    job = run(jobs, kind)
    assert job.state == "failed"
    assert sentence in job.message
    assert left(tmp_path, job) == {"job.json", "log.txt"}  # no half file lies about
    with pytest.raises(UnknownJobError):
        jobs.candidate(job.id)


def test_the_log_shows_the_last_state_of_a_progress_bar(make):
    jobs = make()
    assert jobs.watch(run(jobs, "sentence").id).log == ("100%",)
    assert jobs.watch(run(jobs, "crashes").id).log == ("Traceback: something broke",)


def test_a_disk_that_fails_while_an_ended_job_is_tidied_does_not_stop_the_next(make, monkeypatch):
    is_dir = Path.is_dir

    def fail(path: Path, **settings: object) -> bool:
        if path.parent.parent.name == "jobs":  # in a job's folder
            raise OSError(errno.EIO, "Input/output error")
        return is_dir(path, **settings)

    monkeypatch.setattr(Path, "is_dir", fail)
    jobs = make()
    assert [run(jobs, "good").state for _ in range(2)] == ["done", "done"]


def test_one_runs_and_the_others_wait_in_order(make):
    jobs = make()
    first, second, third = (
        jobs.submit(JobRequest(model=kind), who="s") for kind in ("waits", "good", "good")
    )
    wait_for(lambda: jobs.watch(first.id).progress.done == 2)
    assert jobs.at_work
    assert [jobs.watch(job.id).place for job in (first, second, third)] == [0, 1, 2]
    assert [jobs.watch(job.id).job.state for job in (second, third)] == ["queued"] * 2
    assert [job.id for job in jobs.all()] == [third.id, second.id, first.id]
    jobs.cancel(first.id)
    both = [ended(jobs, job) for job in (second, third)]
    assert [job.state for job in both] == ["done", "done"]
    assert both[0].ended_at <= both[1].started_at
    wait_for(lambda: not jobs.at_work)


def test_a_cancelled_child_leaves_nothing_but_its_record(make, tmp_path):
    jobs = make()
    job = jobs.submit(JobRequest(model="waits"), who="s")
    wait_for(lambda: jobs.watch(job.id).progress.done == 2)
    wait_for(lambda: {"tmp", "candidate.json.tmp"} <= left(tmp_path, job))
    assert jobs.watch(job.id).fraction == 0.25
    jobs.cancel(job.id)
    assert jobs.watch(job.id).job.state == "cancelled"
    assert left(tmp_path, job) == {"job.json"}


def test_cancel_kills_the_whole_tree_even_if_it_does_not_listen(make):
    jobs = make()
    job = jobs.submit(JobRequest(model="stubborn"), who="s")
    wait_for(lambda: jobs.watch(job.id).progress.done == 1)
    grandchild = psutil.Process(int(jobs.watch(job.id).progress.phase))
    child = grandchild.parent()
    began = time.monotonic()
    jobs.cancel(job.id)
    took = time.monotonic() - began
    assert jobs.watch(job.id).job.state == "cancelled"
    assert not child.is_running()
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE
    assert took < 2, "the promise of the page: within two seconds"


def test_a_waiting_job_is_cancelled_without_ever_starting(make):
    jobs = make()
    first = jobs.submit(JobRequest(model="waits"), who="s")
    second = jobs.submit(JobRequest(model="good"), who="s")
    jobs.cancel(second.id)
    assert jobs.watch(second.id).job.state == "cancelled"
    assert jobs.watch(second.id).job.started_at is None
    assert jobs.watch(second.id).job.seconds == 0
    jobs.cancel(first.id)
    assert run(jobs, "good").state == "done"  # the worker goes on


def test_cancelling_an_ended_job_changes_nothing(make):
    jobs = make()
    job = run(jobs, "good")
    jobs.cancel(job.id)
    assert jobs.watch(job.id).job == job


def test_cancels_and_ends_at_the_same_moment_never_hang(make):
    """Cancel at moments spread over a short child's life: the end is one of the two, always."""
    jobs = make()
    states = set()
    for step in range(12):
        job = jobs.submit(JobRequest(model="good"), who="s")
        time.sleep(0.012 * step)
        jobs.cancel(job.id)
        states.add(ended(jobs, job, seconds=20).state)
    assert states <= {"cancelled", "done"}
    assert run(jobs, "good").state == "done"


def test_another_tab_sees_the_same_job_and_many_may_ask_at_once(make):
    jobs = make()
    asked = []
    threads = [
        threading.Thread(
            target=lambda: asked.append(jobs.submit(JobRequest(model="good"), who="s"))
        )
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({job.id for job in asked}) == 6
    assert {ended(jobs, job).state for job in asked} == {"done"}


def test_only_the_last_ones_are_kept(make, tmp_path):
    jobs = make()
    waiting = jobs.submit(JobRequest(model="waits"), who="s")
    for _ in range(KEPT + 3):
        jobs.cancel(jobs.submit(JobRequest(model="good"), who="s").id)
    jobs.cancel(jobs.submit(JobRequest(model="good"), who="s").id)
    assert waiting.id in {job.id for job in jobs.all()}, "an open job is never forgotten"
    assert len(jobs.all()) <= KEPT + 2
    assert {path.name for path in (tmp_path / "jobs").iterdir()} == {job.id for job in jobs.all()}


def test_a_result_can_be_discarded_and_a_running_job_cannot(make, tmp_path):
    jobs = make()
    job = run(jobs, "good")
    jobs.discard(job.id)
    assert jobs.all() == []
    assert list((tmp_path / "jobs").iterdir()) == []
    with pytest.raises(UnknownJobError):
        jobs.watch(job.id)
    running = jobs.submit(JobRequest(model="waits"), who="s")
    with pytest.raises(UnknownJobError):
        jobs.discard(running.id)


def plant(tmp_path: Path, job: Job, **changes: object) -> Job:
    """A record that another server left, with a whole candidate."""
    left_behind = job.changed(id=f"20260101T000000-{changes['state']}", **changes)
    place = tmp_path / "jobs" / left_behind.id
    place.mkdir()
    (place / "job.json").write_text(left_behind.model_dump_json())
    (place / "candidate.json").write_text(categories.to_json({"good": entry("good")}))
    return left_behind


def test_a_done_job_outlives_the_server_and_a_running_one_is_lost(make, tmp_path):
    first = make()
    done = run(first, "good")
    first.close()
    gone = Owner(pid=os.getpid(), started=1.0)  # this number, another process long ago
    running = plant(tmp_path, done, state="running", owner=gone)
    told = []
    second = make(on_end=told.append)
    assert second.candidate(done.id) == entry("good")
    (lost,) = [job for job in second.all() if job.state == "lost"]
    assert [job.id for job in told] == [lost.id] == [running.id]
    assert "server restarted" in lost.message
    assert left(tmp_path, lost) == {"job.json"}  # even a whole candidate is no result
    with pytest.raises(UnknownJobError):
        second.candidate(lost.id)
    assert "goes on where it stopped" in lost.hint


def test_a_reading_that_was_lost_does_not_promise_to_go_on(make, tmp_path):
    """It keeps nothing of what it has read, unlike an analysis, which keeps its parts."""
    first = make()
    done = run(first, "good")
    first.close()
    reading = done.request.model_copy(update={"read_tokens": 3_000})
    plant(
        tmp_path, done, state="running", request=reading, owner=Owner(pid=os.getpid(), started=1.0)
    )
    (lost,) = [job for job in make().all() if job.state == "lost"]
    assert "begins anew" in lost.hint
    assert "goes on" not in lost.hint


def test_a_job_that_waited_when_the_server_ended_is_run_by_the_next_one(make, tmp_path):
    first = make()
    done = run(first, "good")
    first.close()
    request = JobRequest(model="nothing")  # it writes no result, and finds an old one
    waiting = plant(tmp_path, done, state="queued", request=request)
    assert ended(make(), waiting).state == "failed"


def test_an_open_job_of_a_living_server_is_left_alone(make):
    first = make()
    job = first.submit(JobRequest(model="waits"), who="s")
    wait_for(lambda: first.watch(job.id).job.state == "running")
    assert make().watch(job.id).job.state == "running"


def test_a_damaged_record_is_passed_over(make, tmp_path):
    place = tmp_path / "jobs" / "20260101T000000-dead"
    place.mkdir(parents=True)
    (place / "job.json").write_text('{"id": "20260101')
    assert make().all() == []


def test_a_disk_that_takes_no_record_is_said_before_anything_starts(make, tmp_path):
    (tmp_path / "jobs").write_text("a file where the folder should be")
    jobs = make()
    with pytest.raises(DiskError, match="could not be written"):
        jobs.submit(JobRequest(model="good"), who="s")
    assert jobs.all() == []


@pytest.mark.parametrize(
    "wrong", [{"sequences": 1}, {"cap": 0}, {"seed": -1}, {"model": ""}, {"path": "/etc"}]
)
def test_a_request_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValidationError):
        JobRequest(**{"model": "demo", **wrong})


@pytest.mark.parametrize("part", ["extended", "causal"])
def test_a_part_that_is_not_wanted_is_left_out_by_the_child(part, tmp_path):
    option = f"--no-{part}"
    assert option not in analysis_command(JobRequest(model="demo"), tmp_path / "out.json")
    command = analysis_command(JobRequest(model="demo", **{part: False}), tmp_path / "out.json")
    assert command.count(option) == 1
    assert len([one for one in command if one.startswith("--no-")]) == 1
    with_it, without = (
        estimate_of(JobRequest(model="demo", **{part: wanted}), inspect_model("demo"))
        for wanted in (True, False)
    )
    assert without.seconds < with_it.seconds


def view(progress: Progress, **changes: object) -> JobView:
    from datetime import UTC, datetime, timedelta

    started = datetime.now(UTC) - timedelta(seconds=10)
    job = Job(
        id="20260101T000000-0001",
        request=JobRequest(model="demo"),
        who="s",
        owner=Owner(pid=1, started=1.0),
        state="running",
        queued_at=started,
        started_at=started,
        **changes,
    )
    return JobView(job, progress, 0, ())


def test_the_remaining_time_follows_the_pace():
    now = time.monotonic()
    # 30 sequences in 15 s since the first event: half a second each, 60 to go.
    progress = Progress("scoring", 40, 100, at=now, first=(now - 15, 10))
    assert view(progress).remaining == pytest.approx(30, abs=0.5)
    assert view(progress).fraction == 0.4


def test_before_the_first_sequence_it_comes_from_the_estimate():
    assert view(Progress(), expected_seconds=25).remaining == pytest.approx(15, abs=0.5)
    assert view(Progress(), expected_seconds=4).remaining == 0
    assert view(Progress()).remaining is None


def test_a_last_sequence_is_not_yet_the_end():
    assert view(Progress("scoring", 8, 8)).fraction == 0.99


@pytest.mark.slow
class TestTheRealAnalysis:
    """The bundled model in a real child: as the command line, cancelled, and with a dead server."""

    def test_it_gives_what_the_command_line_gives(self, tmp_path):
        jobs = Jobs(tmp_path / "jobs")
        numbers = {"sequences": 8, "seed": 3, "cap": 2, "thresholds": {"diffuse": 0.8}}
        request = JobRequest(model="demo", causal=False, **numbers)
        job = jobs.submit(request, who="s")
        seen = set()
        while jobs.watch(job.id).job.is_open:
            seen.add(jobs.watch(job.id).progress.phase)
            time.sleep(0.02)
        view = jobs.watch(job.id)
        assert view.job.state == "done", (view.job.message, view.log)
        assert {phase for phase in seen if "scoring" in phase}, seen
        out = tmp_path / "by_hand.json"
        settings = ["--sequences=8", "--seed=3", "--cap=2", "--threshold=diffuse=0.8"]
        settings.append("--no-causal")
        subprocess.run(
            [sys.executable, "-m", "scripts.analyze_heads", *settings, f"--out={out}"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        by_hand = categories.read_entry("demo", out)
        found = jobs.candidate(job.id)
        assert found.model_copy(update={"all_scores": {}, "analysis_date": ""}) == (
            by_hand.model_copy(update={"all_scores": {}, "analysis_date": ""})
        )
        assert found.all_scores == by_hand.all_scores

    def test_cancel_in_the_middle_of_scoring(self, tmp_path):
        jobs = Jobs(tmp_path / "jobs")
        job = jobs.submit(JobRequest(model="demo", sequences=2000), who="s")
        wait_for(lambda: jobs.watch(job.id).progress.done > 0)
        child = psutil.Process(jobs._runner.child.pid)
        jobs.cancel(job.id)
        assert not child.is_running()
        assert jobs.watch(job.id).job.state == "cancelled"
        assert left(tmp_path, job) == {"job.json"}

    def test_a_killed_server_takes_its_child_along_and_the_job_is_lost(self, tmp_path):
        folder = tmp_path / "jobs"
        server = (
            "import sys, time\n"
            "from pathlib import Path\n"
            "from headroles.admin.jobs import Jobs, JobRequest\n"
            "jobs = Jobs(Path(sys.argv[1]))\n"
            "job = jobs.submit(JobRequest(model='demo', sequences=2000), who='s')\n"
            "while not jobs.watch(job.id).progress.done: time.sleep(0.05)\n"
            "print(jobs._runner.child.pid, flush=True)\n"
            "time.sleep(600)\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", server, str(folder)], cwd=ROOT, stdout=subprocess.PIPE
        )
        child = psutil.Process(int(process.stdout.readline()))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
        (job,) = Jobs(folder).all()
        assert job.state == "lost"
        assert left(tmp_path, job) == {"job.json", "log.txt"}


@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="Linux with autogroup alone")
def test_a_child_gives_way_with_its_whole_session_of_processes() -> None:
    """With autogroup, Linux compares niceness only within a session, and a child has its own."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1, start_new_session=True)
    mine = Path("/proc/self/autogroup").read_text()
    try:
        give_way(child.pid, niceness=19)
        assert psutil.Process(child.pid).nice() == 19
        assert Path(f"/proc/{child.pid}/autogroup").read_text().split()[-1] == "10"
        assert Path("/proc/self/autogroup").read_text() == mine
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
