"""The Admin page's worksheets: a class of thirty goes in, what was planted comes out."""

from __future__ import annotations

import io
import zipfile

import pytest

from headroles import paths
from headroles.lessons import classroom
from headroles.lessons.handed_in import File
from headroles.ui.admin import state, worksheet_remaking, worksheets
from headroles.ui.app import long_work
from headroles.view import class_worksheets as words
from tests.lessons import a_class
from tests.pages.test_admin import (  # noqa: F401 (fixtures)
    folder,
    password_hash,
    press,
    section,
    signed_in,
    texts,
)


def as_moodle() -> bytes:
    """The class as Moodle packs it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for place, (name, raw) in enumerate(a_class.made().files.items(), 100):
            person = name.removesuffix(".json").removesuffix(" (1)")
            number = 127 if "(1)" in name else place
            archive.writestr(f"{person.title()}_{number}_assignsubmission_file/{name}", raw)
    return made.getvalue()


@pytest.fixture
def app(folder, password_hash, monkeypatch):  # noqa: F811
    monkeypatch.setattr(paths, "DATA", folder)
    (folder / "lessons").mkdir()
    (folder / "lessons" / "own.toml").write_text(a_class.TEXT)
    return section(signed_in(password_hash), state.WORKSHEETS)


def show(app, what: str):
    app.segmented_control(key=state.CLASS_VIEW).set_value(what).run()
    assert not app.exception
    return texts(app)


def test_a_class_goes_through_the_page(app) -> None:
    assert "make_class" in texts(app)
    app.file_uploader(key=state.FILES).upload("all.zip", as_moodle(), "application/zip").run()
    assert not app.exception
    found = classroom.gather(classroom.pile([File("all.zip", as_moodle())]), a_class.lessons())
    assert len(found.students) == 26
    said = texts(app)
    assert words.summary(app.session_state[state.PILE], found) in said
    assert "student-25.json" in app.warning[0].value.replace("\\", "")
    for question in found.questions:
        assert words.misunderstanding(question.groups[0]) in said.replace("&lt;", "<")
    for _ in range(4):
        press(app, "question_next")
    assert app.selectbox(key=state.CLASS_QUESTION).value == "wake"
    app.toggle(key=state.HIDE_NAMES).set_value(True).run()
    for what in (worksheets.QUESTIONS, worksheets.STUDENTS):
        assert "tudent-" not in show(app, what)
    app.toggle(key=state.COUNT_ALTERED).set_value(True).run()
    assert f"{found.answers + 5} answers" in texts(app)
    press(app, "forget_worksheets")
    assert app.session_state[state.PILE] is None


def test_the_numbers_are_asked_again_and_points_are_offered(app, monkeypatch) -> None:
    monkeypatch.setattr(long_work, "LIGHT", 0.0)  # so that it waits for a click
    for name, raw in list(a_class.made().files.items())[:2]:
        app.file_uploader(key=state.FILES).upload(name, raw, "application/json")
    app.run()
    assert "10 of 10" not in show(app, worksheets.MADE)
    app.button(key=f"app-begin_{worksheet_remaking.PART}").click().run()
    for _ in range(100):
        if "10 of 10 answers" in texts(app):
            break
        app.run()
    else:
        pytest.fail(texts(app))
    show(app, worksheets.GRADEBOOK)
    labels = [button.proto.label for button in app.get("download_button")]
    assert labels == [
        "Points for Moodle", "Points for Canvas", "Every answer as CSV", "Everything as JSON",
    ]  # fmt: skip
