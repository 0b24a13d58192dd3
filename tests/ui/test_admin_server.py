"""The one admin service of a server process, and who makes it."""

from __future__ import annotations

import pytest

from headroles import paths
from headroles.admin import hash_password
from headroles.errors import NotSignedInError
from headroles.ui.admin import server
from tests.test_job_records import GOOD, put


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "CATEGORIES", tmp_path / "head_categories.json")
    server.close()
    yield tmp_path
    server.close()


def test_jobs_of_another_process_are_taken_up_without_a_visit_to_the_page(folder) -> None:
    server.take_up_analyses()
    assert not server._offices, "no gate, no page was opened here yet"
    server.gate()
    server.take_up_analyses()
    assert not server._offices, "without jobs, the libraries are not needed"
    put(folder / "jobs", {**GOOD, "state": "running", "ended_at": None})
    server.take_up_analyses()
    (job,) = server._offices[folder]._jobs.all()
    assert job.state == "lost"
    assert server.admin_service() is server._offices[folder]


@pytest.mark.parametrize(("value", "may_run"), [("0", False), (" 0 ", False), ("1", True)])
def test_a_variable_keeps_a_process_from_running_analyses(
    folder, monkeypatch, value: str, may_run: bool
) -> None:
    monkeypatch.setenv(server.RUN_ANALYSES, value)
    assert server.admin_service()._jobs._runner._may_run is may_run


def test_another_password_ends_every_sign_in_even_if_the_old_one_comes_back(
    folder, monkeypatch
) -> None:
    first, second = hash_password("four random words"), hash_password("four other words")
    monkeypatch.setattr(server, "_password_hash", lambda: first)
    ticket = server.admin_service().sign_in("four random words", session="a")
    key = server.gate().sign_ins.new_key(ticket)
    assert server.admin_service().jobs(ticket) == []
    for password_hash in (second, first):
        monkeypatch.setattr(server, "_password_hash", lambda value=password_hash: value)
        with pytest.raises(NotSignedInError):
            server.admin_service().jobs(ticket)
        with pytest.raises(NotSignedInError):
            server.gate().sign_ins.come_back(key)
