"""The page Lessons without a browser: predict, say how sure, look; and what is kept of it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from headroles.paths import DEMO_MODEL
from headroles.ui.lessons import link, state, worksheet
from tests.pages.lesson_files import FIRST, SECOND
from tests.pages.on_page import opened, page_html

PAGE = "pages/lessons.py"
pytestmark = [
    pytest.mark.usefixtures("planted"),
    pytest.mark.skipif(
        not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
    ),
]


@pytest.fixture(autouse=True)
def lessons(monkeypatch, tmp_path):
    """The folder of the lessons: two of them."""
    from headroles.lessons import reading

    folder = tmp_path / "lessons"
    folder.mkdir()
    (folder / "first.toml").write_text(FIRST)
    (folder / "second.toml").write_text(SECOND)
    monkeypatch.setattr(reading, "folders", lambda: [folder])
    return folder


def press(app, name: str):
    app.button(key=f"lessons-{name}").click().run()
    assert not app.exception
    return app


def choose(app, option: int, *, sure: int):
    """Choose an option of the question that is shown, and say how sure."""
    app.radio[0].set_value(option).run()
    certainty(app).set_value(sure).run()
    assert not app.exception
    return app


def certainty(app):
    (found,) = [one for one in app.button_group if one.key.endswith("_sure")]
    return found


def entries(app):
    return app.session_state[state.ENTRIES]


def dots(app) -> list[bool]:
    """Of every step, and the summary: whether it may be opened."""
    return [not one.disabled for one in app.button if (one.key or "").startswith("lessons-dot_")]


def test_predict_then_look_to_the_summary() -> None:
    app = press(opened(PAGE), "open_first")
    assert "lessons-here" in page_html(app)
    assert dots(app) == [True, False, False, False, False]
    press(app, "next")
    asked = page_html(app)
    assert "Only a copy has a follower" not in asked  # nothing of the answer
    assert "A copy." not in asked
    assert not app.get("vega_lite_chart")
    assert app.button(key="lessons-reveal").disabled
    press(app, "hint")
    app.radio[0].set_value(0).run()
    assert app.button(key="lessons-reveal").disabled  # how sure?
    certainty(app).set_value(4).run()
    press(app, "reveal")
    (entry,) = entries(app)
    assert (entry.lesson, entry.step, entry.sure, entry.hints) == ("first", "which", 4, 1)
    assert (entry.score, entry.prediction.chosen) == (1.0, ("twice",))
    assert entry.answer.model == "demo"
    assert entry.asked <= entry.answered
    told = page_html(app)
    assert "Only a copy has a follower" in told
    assert "A copy." in told
    assert "which" in app.query_params["step"]

    press(app, "again")
    press(choose(app, 1, sure=1), "reveal")
    assert [one.score for one in entries(app)] == [1.0, 0.0]

    press(app, "next")  # the number, which is passed over
    press(app, "next")
    app.text_area[0].set_value("The cat sat on the mat. The cat sat on the mat.").run()
    (run,) = [one for one in app.button if one.key.endswith("_try")]
    run.click().run()
    assert not app.exception
    woken = entries(app)[-1]
    assert (woken.kind, woken.score, woken.answer.state, woken.sure) == (
        "wake",
        1.0,
        "active",
        None,
    )
    press(app, "next")
    assert dots(app) == [True] * 5
    rows = page_html(app)
    assert "You answered 2 of 3 questions: 2 of 2 were right." in rows  # the first answers count
    assert "When you were certain, 1 of 1 was right." in rows
    press(app, "second_level")
    assert "level" in app.query_params["step"]


def test_what_was_answered_stays_on_other_pages_and_models() -> None:
    app = opened(PAGE, lesson="first", step="which")
    press(choose(app, 0, sure=2), "reveal")
    kept = entries(app)
    app.switch_page("pages/glossary.py").run()
    app.switch_page(PAGE).run()
    assert not app.exception
    assert entries(app) == kept
    assert "Only a copy has a follower" in page_html(app)
    assert "first" in app.query_params["lesson"]
    press(app, "leave")
    assert "lesson" not in app.query_params
    assert "1 of 3 questions answered" in page_html(app)
    assert app.button(key="lessons-open_first").proto.type == "primary"


def test_a_link_opens_a_step_and_a_wrong_one_says_so() -> None:
    app = opened(PAGE, lesson="first", step="level")
    assert len(app.slider) == 1
    assert dots(app) == [True, True, True, False, False]
    app.toggle(key=state.FREE).set_value(True).run()
    assert dots(app) == [True] * 5
    assert "1" in app.query_params["free"]
    assert "lessons-here" in page_html(opened(PAGE, lesson="first", step=state.END))
    lost = opened(PAGE, lesson="no-such-lesson")
    assert len(lost.warning) == 1
    assert [one.key for one in lost.button if one.key.startswith("lessons-open_")]
    odd = opened(PAGE, lesson="../etc", step="x y")
    assert len(odd.warning) == 2
    assert odd.session_state[state.LESSON] is None
    assert [row.name for row in link.ROWS] == ["model", "lesson", "step", "free"]


def test_a_lesson_for_other_models_offers_them_and_goes_on_after_an_error() -> None:
    app = press(opened(PAGE), "open_second")
    assert app.button(key="lessons-switch")
    press(app, "next")
    assert len(app.error) == 1  # the analysis lists no ninth induction head
    press(app, "next")
    assert "lessons-here" in page_html(app)
    assert press(app, "leave").session_state[state.SEEN] == ("second",)


def load(app, monkeypatch, raw: bytes, *, name: str = "sheet.json"):
    """Hand a file to the box of worksheets."""
    from types import SimpleNamespace

    import streamlit as st

    file = SimpleNamespace(size=len(raw), name=name, getvalue=lambda: raw)

    def uploader(label, *, key, on_change, **settings):
        st.session_state[key] = file
        if st.session_state.get(state.LOADED) is None:
            on_change()
        return file

    with monkeypatch.context() as patched:
        patched.setattr(st, "file_uploader", uploader)
        app.run()
    app.run()
    assert not app.exception
    return app


@pytest.fixture
def answered():
    """The app with one answer."""
    app = opened(PAGE, lesson="first", step="which")
    press(choose(app, 0, sure=3), "reveal")
    return press(app, "leave")


def test_a_worksheet_comes_back_as_it_was(answered, monkeypatch) -> None:
    from headroles.lessons import reading
    from headroles.lessons.worksheet import read

    app = answered
    assert not app.session_state[state.SAVED]
    assert len(app.warning) == 1  # not saved yet
    raw = worksheet._json(entries(app), "student-01")
    sheet = read(raw)
    assert (sheet.name, sheet.entries) == ("student-01", entries(app))
    document = worksheet._html(entries(app), "student-01", reading.Lessons({}, {})).decode()
    assert document.startswith("<!doctype html>")
    assert "student-01" in document

    fresh = load(opened(PAGE), monkeypatch, raw)
    assert entries(fresh) == sheet.entries
    assert fresh.session_state[state.NAME] == "student-01"
    assert entries(fresh) == fresh.session_state[state.SAVED]
    assert not fresh.warning
    press(fresh, "start_over")
    assert entries(fresh) == ()
    press(fresh, "undo")
    assert entries(fresh) == sheet.entries


def test_an_undone_loading_is_not_asked_back_from_the_tab(answered, monkeypatch) -> None:
    fresh = opened(PAGE)
    assert not fresh.session_state[state.TAB_ASKED]  # it may hold answers from before a reload
    raw = worksheet._json(entries(answered), "student-01")
    press(load(fresh, monkeypatch, raw), "undo")
    assert entries(fresh) == ()
    assert fresh.session_state[state.TAB_ASKED]


def test_two_worksheets_keep_the_first_answers(answered, monkeypatch) -> None:
    from headroles.lessons.worksheet import Worksheet, to_json

    app, (here,) = answered, entries(answered)
    early = here.model_copy(update={"answered": here.answered - timedelta(days=1), "score": 0.0})
    load(app, monkeypatch, to_json(Worksheet(name="student-02", entries=(early,))).encode())
    assert entries(app) == (early, here)
    assert app.session_state[state.SAVED] == ()
    press(app, "undo")
    assert entries(app) == (here,)


@pytest.mark.parametrize("fault", ["no json", "another", "altered", "newer", "large"])
def test_a_bad_file_says_why_and_changes_nothing(answered, monkeypatch, fault: str) -> None:
    app, kept = answered, entries(answered)
    good = json.loads(worksheet._json(kept, ""))
    raws = {
        "no json": b"\xff\x00{",
        "another": b"[1, 2]",
        "altered": json.dumps({**good, "name": "student-03"}).encode(),
        "newer": json.dumps({**good, "version": 2}).encode(),
        "large": b" " * (3 * 1024 * 1024),
    }
    load(app, monkeypatch, raws[fault])
    assert len(app.error) == 1
    assert entries(app) == kept
    assert app.session_state[state.UNDO] is None
