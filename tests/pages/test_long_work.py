"""Work in steps: what is shown while it goes on, what Stop keeps, and what all sessions share."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from headroles.errors import HeadrolesError
from headroles.ui.app import long_work

RAN: list[int] = []
FAILS: set[int] = set()


def page() -> None:
    """Three steps, which give 0, 1 and 2; the result is their sum."""
    import streamlit as st

    from headroles.ui.app import long_work
    from tests.pages import test_long_work

    result = long_work.run(
        "sum",
        "three",
        lambda: long_work.Plan([lambda n=n: test_long_work.step(n) for n in range(3)], sum),
        doing="Adding",
        show=lambda parts, is_all: st.text(f"shown {parts} {is_all}"),
    )
    st.text(f"result {result}")


def step(n: int) -> int:
    if n in FAILS:
        raise HeadrolesError(f"Step {n} is broken.", hint="Wait.")
    RAN.append(n)
    return n


@pytest.fixture(autouse=True)
def _nothing_ran():
    RAN.clear()
    FAILS.clear()


@pytest.fixture
def stops_after_one(monkeypatch):
    """A clock that lets one step pass in each moment."""
    ticks = iter(range(10_000))
    monkeypatch.setattr(long_work, "MOMENT", 1.5)
    monkeypatch.setattr(long_work.time, "monotonic", lambda: next(ticks))


def texts(app) -> list[str]:
    return [one.value for one in app.text]


def test_what_is_done_in_a_moment_is_returned_without_a_bar() -> None:
    app = AppTest.from_function(page).run()
    assert texts(app) == ["shown 3 True", "result 3"]
    assert RAN == [0, 1, 2]
    assert not app.button


def test_a_result_is_kept_for_other_sessions() -> None:
    AppTest.from_function(page).run()
    again = AppTest.from_function(page).run()
    assert texts(again) == ["shown 3 True", "result 3"]
    assert RAN == [0, 1, 2]


def test_what_is_stopped_is_kept_and_goes_on_from_there(stops_after_one, monkeypatch) -> None:
    app = AppTest.from_function(page).run()  # a step by the page; the timer would do the others
    assert texts(app) == ["shown [0] False", "result None"]
    app.button(key="app-stop_sum").click().run()
    assert "Stopped after 1 of 3 steps." in [one.value for one in app.caption]
    assert texts(app) == ["shown [0] False", "result None"]
    app.run()
    assert RAN == [0]  # it waits for the reader
    app.button(key="app-go_on_sum").click().run()
    assert texts(app) == ["shown [0, 1] False", "result None"]
    monkeypatch.setattr(long_work, "alone", lambda: True)  # as when the timer runs the bar's part
    app.run()
    assert texts(app) == ["shown 3 True", "result 3"]
    assert RAN == [0, 1, 2]


def test_an_error_is_shown_with_the_way_out_and_the_next_run_tries_again() -> None:
    FAILS.add(1)
    app = AppTest.from_function(page).run()
    assert "Step 1 is broken" in app.error[0].value
    assert "Wait" in app.error[0].value
    assert texts(app) == ["shown [0] False", "result None"]
    FAILS.clear()
    app.run()
    assert not app.error
    assert texts(app) == ["shown 3 True", "result 3"]
    assert RAN == [0, 1, 2]  # the first step was not done again


def test_a_step_that_another_session_did_is_not_done_again() -> None:
    """Thirty who ask for the same at once are one computation, also before it is finished."""
    from headroles.ui.app import long_work

    made: list[int] = []

    def plan() -> long_work.Plan:
        return long_work.Plan([lambda n=n: made.append(n) or n for n in range(3)])

    works = [long_work.Work("part", "name") for _ in range(2)]
    for work in works:
        long_work._go_on(work, plan=plan)
    other = long_work.Work("part", "another name")
    long_work._go_on(other, plan=plan)
    assert [work.done for work in works] == [[0, 1, 2]] * 2
    assert made == [0, 1, 2] * 2
    assert other.done == [0, 1, 2]
