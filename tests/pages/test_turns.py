"""Visitors who wait: in the line of the server, and in the room before it."""

from __future__ import annotations

import threading

import pytest

from headroles.paths import ROOT
from headroles.ui.admin import server
from headroles.ui.app import long_work, turns
from headroles.ui.app.line import LONG, SHORT, Line
from headroles.ui.app.turns import Room
from tests.pages.on_page import page_html


def open_app():
    from streamlit.testing.v1 import AppTest

    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()


def says(app, words: str) -> bool:
    return words in page_html(app) or any(words in box.value for box in app.info)


@pytest.fixture
def line(monkeypatch):
    fresh = Line(2)
    monkeypatch.setattr(turns, "line", fresh)
    return fresh


class Occupied:
    """A place that somebody else has."""

    def __init__(self, line: Line, kind=SHORT) -> None:
        self.free, taken = threading.Event(), threading.Event()

        def work() -> None:
            with line.place(kind):
                taken.set()
                self.free.wait(60)

        threading.Thread(target=work, daemon=True).start()
        assert taken.wait(10)


def test_a_page_says_how_many_are_before_it_and_then_comes(planted, line, monkeypatch):
    busy = [Occupied(line), Occupied(line)]
    said: list[int] = []
    say = turns._say

    def listen(place, before: int) -> None:
        say(place, before)
        said.append(before)
        busy[0].free.set()

    monkeypatch.setattr(turns, "_say", listen)
    app = open_app()
    assert said == [0]
    assert not says(app, "before you")
    assert not says(app, "You are next")
    assert says(app, "What the heads are doing")
    busy[1].free.set()


def test_a_page_gives_its_place_back_also_after_an_error(planted, line, monkeypatch):
    app = open_app()
    from headroles.ui.your_prompt import tokens_and_guesses

    def fail(run) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(tokens_and_guesses, "draw", fail)
    for _ in range(3):
        app.run()
    assert app.exception
    with line.place(LONG, patience=0) as first, line.place(SHORT, patience=0) as second:
        assert (first, second) == (True, True)


def test_a_new_visitor_waits_in_the_room_and_then_comes_in(planted, monkeypatch):
    full = True
    monkeypatch.setattr(turns, "room", Room(lambda: full))
    app = open_app()
    assert says(app, "headroles is full at the moment. You are next.")
    assert not app.title
    full = False
    app.run()
    assert app.title[0].value == "Your Prompt"
    assert not says(app, "full at the moment")
    full = True  # who is in stays in
    app.run()
    assert app.title[0].value == "Your Prompt"


def test_an_instructor_need_not_wait_in_the_room(planted, monkeypatch):
    monkeypatch.setattr(turns, "room", Room(lambda: True))
    app = open_app()
    assert says(app, "headroles is full")
    app.switch_page("pages/admin.py").run()
    assert app.title[0].value == "Admin"


def test_the_room_keeps_the_order_and_forgets_who_left():
    full, now = True, [0.0]
    room = Room(lambda: full, clock=lambda: now[0])
    visitors = [f"visitor {n}" for n in range(turns.AT_ONCE + 2)]
    assert [room.before(visitor) for visitor in visitors] == list(range(turns.AT_ONCE + 2))
    assert room.before(visitors[1]) == 1
    full = False
    assert room.before(visitors[-1]) == turns.AT_ONCE + 1  # not before those who came earlier
    assert room.before(visitors[0]) is None
    now[0] = turns.GONE + 1
    assert room.before(visitors[-1]) is None  # everybody else left


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "You are next."), (1, "One person is before you."), (12, "12 people are before you.")],
)
def test_how_many_are_before_is_a_sentence(count, words):
    assert turns.before_you(count) == words


def test_long_work_begins_in_its_part_of_the_page_when_there_is_no_place_for_it(line, monkeypatch):
    """The page itself is drawn at once; only the bar waits."""
    from streamlit.testing.v1 import AppTest

    def script() -> None:
        import streamlit as st

        from headroles.ui.app import long_work

        result = long_work.run(
            "part", "name", lambda: long_work.Plan([lambda: 1] * 3), doing="Counting"
        )
        st.write(f"result {result}")

    monkeypatch.setattr(long_work, "TICK", None)
    other = Occupied(line, LONG)
    app = AppTest.from_function(script).run()
    assert app.markdown[0].value == "result None"
    told: list[int] = []
    before_you = turns.before_you

    def listen(count: int) -> str:
        told.append(count)
        other.free.set()
        return before_you(count)

    monkeypatch.setattr(turns, "before_you", listen)
    monkeypatch.setattr(long_work, "alone", lambda: True)  # as when the timer runs the bar's part
    app.run()
    assert told == [0]
    assert app.markdown[0].value == "result [1, 1, 1]"


def test_who_waits_is_told_of_an_analysis(planted, line, monkeypatch):
    monkeypatch.setattr(server, "analysis_runs", lambda: True)
    busy, said = [Occupied(line), Occupied(line)], []
    say = turns._say

    def listen(place, before: int) -> None:
        say(place, before)
        said.append(turns.slowed_down())
        busy[0].free.set()

    monkeypatch.setattr(turns, "_say", listen)
    open_app()
    assert said == [" An analysis is running on this server, so this takes a little longer."]
    busy[1].free.set()
    turns.register(lambda: False)
    assert turns.slowed_down() == ""
