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


def offering_page() -> None:
    """The same steps, offered: the time that they take is said in the session."""
    import streamlit as st

    from headroles.ui.app import long_work
    from tests.pages import test_long_work

    name = st.session_state.get("name", "offered")
    seconds = st.session_state.get("seconds", 20.0)
    if long_work.offer("sum", name, "Add them", what="sum", seconds=seconds):
        plan = long_work.Plan([lambda n=n: test_long_work.step(n) for n in range(3)], sum)
        st.text(f"offered {long_work.run('sum', name, lambda: plan, doing='Adding')}")


def test_heavy_work_starts_on_a_click_that_says_how_long_it_takes(monkeypatch) -> None:
    monkeypatch.setattr(long_work, "queue", long_work.Queue())
    monkeypatch.setattr(long_work, "LIGHT", 3.0)
    app = AppTest.from_function(offering_page).run()
    assert not texts(app)
    assert RAN == []
    assert [one.value for one in app.caption] == ["Takes about 20 s with this model."]
    app.button(key="app-begin_sum").click().run()
    assert texts(app)[-1] == "offered 3"
    app.run()
    assert texts(app)[-1] == "offered 3"  # it is kept: nothing to click any more
    assert not AppTest.from_function(offering_page).run().button  # for other sessions too
    other = AppTest.from_function(offering_page)
    other.session_state["name"] = "another"
    assert other.run().button(key="app-begin_sum")
    light = AppTest.from_function(offering_page)
    light.session_state["name"], light.session_state["seconds"] = "light", 1.0
    assert texts(light.run())[-1] == "offered 3"


def test_two_heavy_works_queue_and_the_second_is_told_for_what_it_waits() -> None:
    clock = iter([0.0, 1.0, 2.0, 3.0, 4.0]).__next__
    queue = long_work.Queue(clock)
    first, second, third = (
        long_work.Work("part", name, heavy=f"{name} test") for name in ("a", "b", "c")
    )
    assert queue.before(first) == []
    assert queue.before(second) == ["a test"]
    assert queue.before(third) == ["a test", "b test"]
    queue.leave(first)
    assert queue.before(third) == ["b test"]
    assert queue.before(second) == []
    assert long_work.who_is_first(["a test"]) == (
        "Somebody else's a test is running; yours is next."
    )
    assert "and 1 more before yours" in long_work.who_is_first(["a test", "b test"])


def test_the_same_work_of_two_sessions_is_one_and_who_leaves_loses_the_place() -> None:
    now = [0.0]
    queue = long_work.Queue(lambda: now[0])
    works = [long_work.Work("part", "same", heavy="test") for _ in range(2)]
    assert [queue.before(work) for work in works] == [[], []]
    waiting = long_work.Work("part", "other", heavy="test")
    assert queue.before(waiting) == ["test"]
    now[0] = long_work.GONE - 1
    assert queue.before(waiting) == ["test"]
    now[0] = long_work.GONE  # nobody has looked at the first one since
    assert queue.before(waiting) == []


def test_heavy_work_that_waits_does_no_step_until_it_is_its_turn(monkeypatch) -> None:
    queue = long_work.Queue()
    monkeypatch.setattr(long_work, "queue", queue)
    monkeypatch.setattr(long_work, "LIGHT", 3.0)
    other = long_work.Work("sum", "of somebody else", heavy="previous-token test")
    queue.before(other)
    app = AppTest.from_function(offering_page).run()
    app.button(key="app-begin_sum").click().run()
    assert RAN == []
    assert app.button(key="app-stop_sum")
    queue.leave(other)
    app.run()
    assert RAN[-3:] == [0, 1, 2]
    assert texts(app)[-1] == "offered 3"
    assert queue.before(long_work.Work("sum", "next", heavy="x")) == []  # it has left the queue


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


def test_a_chained_step_is_given_what_the_steps_before_it_found() -> None:
    def next_one(done: tuple[int, ...]) -> int:
        return 1 + sum(done)

    work = long_work.Work("part", "chained")
    long_work._go_on(work, plan=lambda: long_work.Plan([next_one] * 4, chained=True))
    assert work.done == [1, 2, 4, 8]
