"""The tab Lessons of the Admin page: a lesson is written, looked at, asked of a model, put live."""

from __future__ import annotations

import shutil

import pytest

from headroles import lessons, paths
from headroles.admin import hash_password
from headroles.errors import NotSignedInError
from headroles.paths import ROOT
from headroles.store import class_lessons
from headroles.ui.admin import lesson_state
from headroles.ui.admin import server as admin_server
from headroles.ui.admin import state as admin_state
from headroles.ui.app import lesson_files

PASSWORD = "four random words here"
LESSON = """\
title = "Mine"
goal = "G"
models = ["demo"]

[[steps]]
kind = "wake"
key = "wake"
title = "W"
question = "Wake {head}."
explain = "!"
role = "induction"
start = "Every morning we open a small shop near the river."
solution = "The cat sat on the mat. The cat sat on the mat."
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder with a copy of the shipped categories."""
    shutil.copy(ROOT / "data" / "head_categories.json", tmp_path)
    monkeypatch.setattr(paths, "CATEGORIES", tmp_path / "head_categories.json")
    yield tmp_path
    admin_server.close()


def signed_in():
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    app.secrets["admin"] = {"password_hash": hash_password(PASSWORD)}
    app.switch_page("pages/admin.py").run()
    app.text_input(key=admin_state.SECRET).set_value(PASSWORD)
    app.button(key="admin-sign_in").click().run()
    app.segmented_control(key=admin_state.SECTION).set_value(admin_state.LESSONS).run()
    assert not app.exception
    return app


def press(app, key: str) -> None:
    app.button(key=key).click().run()
    assert not app.exception


def write(app, text: str) -> None:
    app.text_area(key=lesson_state.DRAFT).set_value(text).run()
    assert not app.exception


def told(some) -> str:
    return "\n".join(one.value for one in some).replace("\\", "")


def test_a_lesson_is_written_asked_and_put_live(folder) -> None:
    app = signed_in()
    write(app, LESSON.replace("goal", "gaol").replace('role = "', 'role = "x'))
    assert "line 2" in told(app.error)
    assert "line 11" in told(app.error)
    assert 'role = "xinduction"' in told(app.error)  # the line itself
    write(app, LESSON)
    assert not app.error
    assert "All 1 hold" in told(app.success)
    assert app.button(key="admin-lesson_live").disabled  # it has no name
    app.text_input(key=lesson_state.NAME).set_value("mine").run()
    press(app, "admin-lesson_preview")
    assert app.session_state[lesson_files.PREVIEW] == ("mine", LESSON)
    press(app, "admin-lesson_live")
    assert class_lessons.read().texts == {"mine": LESSON}
    assert "mine" in lessons.read_all().by_key
    assert app.session_state[lesson_files.PREVIEW] is None
    assert app.button(key="admin-lesson_live").disabled  # now the name is taken
    office = admin_server._offices[folder]
    rows = office.history(app.session_state[admin_state.TICKET]).rows
    assert [row.outcome for row in rows if row.action == "edited_lessons"] == ["put “mine” live"]
    for action in (
        lambda: office.keep_lesson(None, "x", LESSON),
        lambda: office.edit_lesson(None, "hide", "mine"),
    ):
        with pytest.raises(NotSignedInError):
            action()


def test_lessons_are_hidden_renamed_removed_and_taken_as_a_beginning(folder) -> None:
    shipped = next(iter(lessons.read_all().by_key))
    class_lessons.keep("mine", LESSON)
    app = signed_in()
    app.selectbox(key=lesson_state.CHOSEN).set_value(shipped).run()
    assert app.button(key="admin-lessons_remove").disabled
    press(app, "admin-lessons_hide")
    assert shipped not in lessons.read_all().by_key
    assert shipped in lessons.read_all(hidden=True).by_key
    press(app, "admin-lessons_undo")
    assert shipped in lessons.read_all().by_key
    press(app, "admin-lessons_begin")
    text = app.session_state[lesson_state.DRAFT]
    assert text == lessons.reading.text_of(shipped)
    app.selectbox(key=lesson_state.CHOSEN).set_value("mine").run()
    press(app, "admin-lessons_begin")
    press(app, "admin-lesson_back")
    assert app.session_state[lesson_state.DRAFT] == text
    app.text_input(key=lesson_state.NEW_NAME).set_value(shipped)
    press(app, "admin-lessons_rename")
    assert shipped in told(app.error)
    assert list(class_lessons.read().texts) == ["mine"]
    app.text_input(key=lesson_state.NEW_NAME).set_value("ours")
    press(app, "admin-lessons_rename")
    assert list(class_lessons.read().texts) == ["ours"]
    press(app, "admin-lessons_remove")
    assert class_lessons.read().texts == {}
    press(app, "admin-lessons_undo")
    assert list(class_lessons.read().texts) == ["ours"]


def test_a_lesson_of_the_class_that_is_none_is_told_and_can_be_removed(folder) -> None:
    class_lessons.keep("broken", LESSON.replace("kind", "kid"))
    app = signed_in()
    assert "line 5" in told(app.warning)
    app.selectbox(key=lesson_state.CHOSEN).set_value("broken").run()
    press(app, "admin-lessons_remove")
    assert not app.warning


def test_a_preview_stands_first_on_the_page_lessons_for_this_session_alone(folder) -> None:
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    app.session_state[lesson_files.PREVIEW] = lesson_files.Preview("mine", LESSON)
    app.query_params["lesson"] = "mine"
    app.switch_page("pages/lessons.py").run()
    assert not app.exception
    assert "Mine" in [title.value for title in app.title]
    press(app, "app-end_lesson_preview")
    assert "Mine" not in [title.value for title in app.title]
    assert "mine" in told(app.warning)  # there is no such lesson any more
    assert "mine" not in lessons.read_all(hidden=True).by_key
