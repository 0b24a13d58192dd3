"""The server side of the instructor's page: nothing without a ticket, everything on record."""

from __future__ import annotations

import inspect
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from headroles import paths, store
from headroles.admin import AdminService, Gate, JobRequest, Ticket
from headroles.admin.jobs import analysis_command
from headroles.errors import (
    HeadrolesError,
    ModelNameError,
    NotSignedInError,
    StaleWriteError,
    TooLargeError,
    WrongSecretError,
)
from headroles.roles import SavedRole, patterns
from headroles.store import categories
from scripts import read_texts
from tests.entries import entry

DEMO = JobRequest(model="demo", sequences=8)


@pytest.fixture
def source(tmp_path) -> Path:
    path = tmp_path / "source.json"
    path.write_text(categories.to_json({"demo": entry("demo", revision="sha256:abc")}))
    return path


@pytest.fixture
def tokens() -> list[str]:
    """What stands in the server's log."""
    return []


@pytest.fixture
def office(tmp_path, source, tokens):
    """A server whose analyses copy a ready entry; the child is real, the model is not run."""
    code = "import sys, shutil; shutil.copy(sys.argv[1], sys.argv[2])"

    def command(request: JobRequest, candidate: Path) -> list[str]:
        return [sys.executable, "-c", code, str(source), str(candidate)]

    one = AdminService(Gate(announce=tokens.append), folder=tmp_path / "data", command=command)
    yield one
    one._jobs.close()


@pytest.fixture
def ticket(office, tokens) -> Ticket:
    return office.sign_in(newest(tokens), session="a session")


def newest(tokens: list[str]) -> str:
    return next(line.strip() for line in tokens[-1].splitlines() if line.startswith("    "))


def wait_for_end(office, ticket, job) -> str:
    deadline = time.monotonic() + 30
    while office.watch(ticket, job.id).job.is_open:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return office.watch(ticket, job.id).job.state


def actions(office, ticket) -> list[tuple[str, ...]]:
    return [(row.action, row.model) for row in reversed(office.history(ticket).rows)]


ARGUMENTS = {
    "prospect": (DEMO,),
    "start": ([DEMO],),
    "cancel": ("1",),
    "discard": ("1",),
    "jobs": (),
    "unreadable_jobs": (),
    "watch": ("1",),
    "candidate": ("1",),
    "write": (entry("demo"),),
    "restore": ("1",),
    "set_aside": (),
    "edit_models": ("hide", "gpt2"),
    "keep_role": (SavedRole(patterns.offset(2), "demo", ()),),
    "edit_role": ("undo",),
    "keep_lesson": ("mine", "title = 3"),
    "edit_lesson": ("undo",),
    "add_model": (),
    "history": (),
}
NAMED = {"write": {"expecting": ""}, "restore": {"expecting": ""}, "add_model": {"hub": "a/b"}}


def test_every_public_action_is_in_the_table_below():
    """An action that is added later must not slip past the check of the sign-in."""
    public = {
        name
        for name, _ in inspect.getmembers(AdminService, inspect.isfunction)
        if not name.startswith("_")
    }
    assert public - {"sign_in", "sign_out", "close"} == ARGUMENTS.keys()


@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("kind", ["none", "made up", "given back"])
def test_nothing_happens_without_a_valid_ticket(office, ticket, tmp_path, name, kind):
    bad = {"none": None, "made up": Ticket("x" * 43), "given back": ticket}[kind]
    office.sign_out(ticket)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(NotSignedInError):
        getattr(office, name)(bad, *ARGUMENTS[name], **NAMED.get(name, {}))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_whole_analysis_leaves_its_lines_in_the_list(office, ticket):
    (job,) = office.start(ticket, [DEMO])
    assert wait_for_end(office, ticket, job) == "done"
    found = office.candidate(ticket, job.id)
    office.write(ticket, found, expecting="")
    assert categories.read_entry("demo", office.categories) == found
    assert actions(office, ticket) == [
        ("signed_in", ""),
        ("started", "demo"),
        ("finished", "demo"),
        ("wrote", "demo"),
    ]
    wrote, finished, started, signed_in = office.history(ticket).rows
    assert {row.who for row in (wrote, finished, started, signed_in)} == {signed_in.who}
    assert signed_in.who.startswith("session ")
    assert (finished.seed, finished.sequences, finished.revision) == (0, 8, "sha256:abc")
    assert finished.seconds > 0
    assert wrote.revision == "sha256:abc"


def test_a_wrong_token_is_refused_and_on_record(office, tokens):
    with pytest.raises(WrongSecretError):
        office.sign_in("wrong", session="b")
    ticket = office.sign_in(newest(tokens), session="c")
    assert [action for action, _ in actions(office, ticket)] == ["refused", "signed_in"]
    assert "wrong" not in office.history(ticket).rows[1].outcome


def test_either_every_asked_analysis_starts_or_none(office, ticket):
    with pytest.raises(ModelNameError):
        office.start(ticket, [DEMO, JobRequest(model="../../etc")])
    assert office.jobs(ticket) == []


def test_two_clicks_at_once_start_one_analysis(tmp_path, tokens):
    def command(request: JobRequest, candidate: Path) -> list[str]:
        return [sys.executable, "-c", "import time; time.sleep(60)"]

    office = AdminService(Gate(announce=tokens.append), folder=tmp_path / "d", command=command)
    ticket = office.sign_in(newest(tokens), session="a session")
    other = JobRequest(model="demo", sequences=9)
    with ThreadPoolExecutor(4) as pool:
        started = list(pool.map(lambda _: office.start(ticket, [DEMO, other]), range(4)))
    assert [len(jobs) for jobs in started] == [2] * 4
    assert len({job.id for jobs in started for job in jobs}) == len(office.jobs(ticket)) == 2
    assert sorted(actions(office, ticket)[1:]) == [("started", "demo")] * 2
    for job in office.jobs(ticket):
        office.cancel(ticket, job.id)
    assert office.start(ticket, [DEMO])[0].id not in {job.id for jobs in started for job in jobs}
    office.close()


def test_a_folder_is_no_model_for_a_browser(office, ticket, tmp_path):
    for name in (str(tmp_path), "data/demo_model", ".", "~", "C:\\models"):
        with pytest.raises(HeadrolesError):
            office.start(ticket, [JobRequest(model=name)])


def test_what_does_not_fit_is_refused_before_it_starts(office, ticket, monkeypatch):
    from headroles.models import memory

    monkeypatch.setattr(memory, "available_memory", lambda: 50_000_000)
    assert office.prospect(ticket, DEMO).available == 50_000_000
    with pytest.raises(TooLargeError):
        office.start(ticket, [DEMO])
    assert office.jobs(ticket) == []


def test_two_who_write_at_once_do_not_overwrite_each_other(office, ticket, tokens):
    second = office.sign_in(newest(tokens), session="another")
    office.write(ticket, entry("demo", seed=1), expecting="")
    with pytest.raises(StaleWriteError):
        office.write(second, entry("demo", seed=2), expecting="")
    assert categories.read_entry("demo", office.categories).seed == 1
    seen = categories.entry_digest("demo", office.categories)
    office.write(second, entry("demo", seed=2), expecting=seen)
    assert categories.read_entry("demo", office.categories).seed == 2


def test_restore_brings_the_version_back_and_says_so(office, ticket):
    office.write(ticket, entry("demo", seed=1), expecting="")
    seen = categories.entry_digest("demo", office.categories)
    office.write(ticket, entry("demo", seed=2), expecting=seen)
    (version,) = categories.versions(office.categories)
    live = categories.file_digest(office.categories)
    office.restore(ticket, version.name, expecting=live)
    assert categories.read_entry("demo", office.categories).seed == 1
    assert office.history(ticket).rows[0].action == "restored"


def test_a_damaged_file_is_set_aside_and_can_then_be_written(office, ticket):
    office.categories.parent.mkdir(parents=True, exist_ok=True)
    office.categories.write_text("{half")
    with pytest.raises(HeadrolesError):
        office.write(ticket, entry("demo"), expecting="")
    assert office.categories.read_text() == "{half"
    office.set_aside(ticket)
    office.write(ticket, entry("demo"), expecting="")
    assert [action for action, _ in actions(office, ticket)][-2:] == ["set_aside", "wrote"]


# ------------------------------------------------------------------ real text


READING = JobRequest(model="demo", read_tokens=500)


def test_a_reading_is_stored_as_soon_as_it_is_done(tmp_path, tokens) -> None:
    """No review: no verdict rests on it. The child copies the file that ships."""
    shipped = store.real_text.path_of("demo", paths.ROOT / "data")
    code = "import sys, shutil; shutil.copy(sys.argv[1], sys.argv[2])"

    def command(request: JobRequest, candidate: Path) -> list[str]:
        return [sys.executable, "-c", code, str(shipped), str(candidate)]

    folder = tmp_path / "data"
    office = AdminService(Gate(announce=tokens.append), folder=folder, command=command)
    ticket = office.sign_in(newest(tokens), session="a session")
    (job,) = office.start(ticket, [READING])
    assert wait_for_end(office, ticket, job) == "done"
    office.close()
    assert store.real_text.path_of("demo", folder).read_bytes() == shipped.read_bytes()
    assert not (folder / "head_categories.json").exists()
    (row,) = [row for row in office.history(ticket).rows if row.action == "finished"]
    assert row.revision == store.read_real_text("demo").revision


def test_a_reading_whose_result_is_damaged_failed(office, ticket, tmp_path) -> None:
    """What the child of this office leaves is an entry, and no record of real text."""
    (job,) = office.start(ticket, [READING])
    assert wait_for_end(office, ticket, job) == "failed"
    assert not list((tmp_path / "data").rglob("real_text/*"))


def test_the_command_of_a_reading_is_that_of_the_documents(tmp_path) -> None:
    command = analysis_command(READING, tmp_path / "x.json")
    assert command[1:4] == ["-m", "scripts.read_texts", "demo"]
    options = read_texts.parse_arguments(command[3:])
    assert (options.tokens, options.out, options.format) == (500, tmp_path / "x.json", "json-lines")
