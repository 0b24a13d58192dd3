"""The pages over a data folder that is damaged in every way that was seen or thought of."""

from __future__ import annotations

import json
import shutil

import pytest

from headroles import paths
from headroles.admin import hash_password
from headroles.store import categories
from headroles.ui.admin import server as admin_server
from headroles.ui.admin import state
from tests.facts import says
from tests.pages.test_admin import PASSWORD, buttons, open_page, press, section, signed_in, texts
from tests.test_disk import THINGS
from tests.test_job_records import GOOD, WRONG, put


@pytest.fixture(scope="module")
def password_hash() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder with a copy of the shipped categories that this process has read."""
    place = tmp_path / "data"
    place.mkdir()
    shutil.copy(paths.ROOT / "data" / "head_categories.json", place)
    monkeypatch.setattr(paths, "CATEGORIES", place / "head_categories.json")
    categories.read_good()
    yield place
    admin_server.close()


def all_sections(password_hash: str) -> dict[str, str]:
    """What every part of the Admin page says; none of them may raise."""
    app = signed_in(password_hash)
    said = {}
    for name in state.SECTIONS:
        section(app, name)
        said[name] = texts(app)
    return said


def students_see_their_heads() -> None:
    student = open_page(page="pages/your_prompt.py")
    assert not student.exception
    assert "<h3>Induction</h3>" in texts(student)
    assert says(texts(student), "active")


@pytest.mark.parametrize("kind", THINGS)
def test_what_is_no_categories_file_leaves_all_pages_up(folder, password_hash, kind: str) -> None:
    path = paths.CATEGORIES
    path.unlink()
    THINGS[kind](path)
    students_see_their_heads()
    said = all_sections(password_hash)
    assert says(said[state.VERSIONS], "cannot be read")
    assert says(said[state.VERSIONS], "students still see", "version of")


def test_while_the_folder_is_gone_all_pages_stay_up_and_none_makes_it_anew(
    folder, password_hash
) -> None:
    away = folder.rename(folder.with_name("away"))
    students_see_their_heads()
    said = all_sections(password_hash)
    assert says(said[state.VERSIONS], "gone")
    assert says(said[state.VERSIONS], "students still see", "version of")
    app = signed_in(password_hash)
    press(app, "start")
    assert says(texts(app), "could not be written")
    assert not folder.exists()
    away.rename(folder)
    students_see_their_heads()
    press(app, "start")
    assert list((folder / "jobs").iterdir())


def test_records_that_are_not_as_we_write_them_take_nothing_else_with_them(
    folder, password_hash
) -> None:
    for number, change in enumerate(WRONG.values()):
        put(folder / "jobs", {**GOOD, **change}, name=f"20260131T120000000000-{number:04x}")
    put(folder / "jobs", "[" * 50_000, name="20260131T120000000000-eeee")
    put(folder / "jobs", GOOD, name="20260131T120000000000-ffff")  # not its name
    good = "20260131T130000000000-0001"
    put(folder / "jobs", {**GOOD, "id": good}, name=good)  # done, and its candidate is missing
    (folder / "audit.jsonl").write_text('{"when": "2026-01-31T12:00:00"}\n[]\n' + json.dumps(GOOD))
    said = all_sections(password_hash)
    assert says(said[state.ANALYSE], f"{len(WRONG) + 2} analyses", "cannot be read")
    assert says(said[state.LOOK], "no reference scores") or says(said[state.LOOK], "0 entries")
    assert says(said[state.AUDIT], "3 rows")
    app = signed_in(password_hash)
    assert f"look_{good}" in buttons(app)
    press(app, f"forget_{good}")
    assert f"look_{good}" not in buttons(app)
