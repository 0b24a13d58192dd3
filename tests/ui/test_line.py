"""The line before the processor: who goes first, and that nobody keeps a place by accident."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from headroles.ui.app import line
from headroles.ui.app.line import LONG, SHORT, Line


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch):
    monkeypatch.setattr(line, "LOOK", 0.01)


class Worker:
    """Somebody who takes a place and keeps it until told to leave."""

    def __init__(self, where: Line, kind: line.Kind = SHORT, **settings: object) -> None:
        self.inside, self.may_leave = threading.Event(), threading.Event()
        self.has_place: bool | None = None
        self.thread = threading.Thread(target=self._work, args=(where, kind, settings), daemon=True)
        self.thread.start()

    def _work(self, where: Line, kind: line.Kind, settings: dict) -> None:
        with where.place(kind, **settings) as self.has_place:
            self.inside.set()
            self.may_leave.wait(10)

    def leave(self) -> None:
        self.may_leave.set()
        self.thread.join(10)


def until(true) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def waiting(where: Line, kind: line.Kind = SHORT, **settings: object) -> Worker:
    before = where.length
    worker = Worker(where, kind, **settings)
    until(lambda: where.length > before)
    return worker


def test_no_more_work_at_once_than_there_are_places():
    where, most, now, lock = Line(3), 0, 0, threading.Lock()

    def work(_: int) -> None:
        nonlocal most, now
        with where.place(SHORT):
            with lock:
                now += 1
                most = max(most, now)
            time.sleep(0.01)
            with lock:
                now -= 1

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(40)))
    assert most == 3
    assert where.length == 0


def test_first_come_first_served_and_each_is_told_how_many_are_before():
    where = Line(2)
    working = [Worker(where), Worker(where)]
    told: list[int] = []
    first, second = waiting(where), waiting(where, on_wait=told.append)
    until(lambda: told)
    assert told[-1] == 1
    working[0].leave()
    assert first.inside.wait(10)
    assert not second.inside.is_set()
    for worker in (working[1], first):
        worker.leave()
    assert second.inside.wait(10)
    second.leave()


def test_short_work_passes_long_work_that_came_before():
    where = Line(2)
    working = [Worker(where), Worker(where)]
    long_one, short_one = waiting(where, LONG), waiting(where)
    working[0].leave()
    assert short_one.inside.wait(10)
    assert not long_one.inside.is_set()
    short_one.leave()
    assert long_one.inside.wait(10)
    for worker in (working[1], long_one):
        worker.leave()


def test_long_work_that_has_waited_long_enough_is_passed_no_more():
    now = [0.0]
    where = Line(2, clock=lambda: now[0])
    working = [Worker(where), Worker(where)]
    long_one = waiting(where, LONG)
    now[0] = SHORT.head_start + 1
    short_one = waiting(where)
    working[0].leave()
    assert long_one.inside.wait(10)
    assert not short_one.inside.is_set()
    for worker in (long_one, working[1], short_one):
        worker.leave()


def test_one_place_is_always_free_of_long_work():
    where = Line(3)
    long_ones = [Worker(where, LONG), Worker(where, LONG)]
    for worker in long_ones:
        assert worker.inside.wait(10)
    third = waiting(where, LONG)
    short_one = Worker(where)
    assert short_one.inside.wait(10)
    assert not third.inside.is_set()
    long_ones[0].leave()
    assert third.inside.wait(10)
    for worker in (long_ones[1], third, short_one):
        worker.leave()


def test_what_is_raised_while_waiting_ends_the_wait_and_leaves_no_trace():
    where = Line(2)
    working = [Worker(where), Worker(where)]

    def replaced(before: int) -> None:
        raise KeyboardInterrupt  # like Streamlit's own signals, no Exception

    with pytest.raises(KeyboardInterrupt), where.place(SHORT, on_wait=replaced):
        pytest.fail("it had no place")
    assert where.length == 0
    for worker in working:
        worker.leave()
    with where.place(SHORT), ThreadPoolExecutor(1) as pool:  # both places are free again
        assert pool.submit(lambda: Worker(where).inside.wait(10)).result()


def test_an_error_in_the_work_gives_the_place_back():
    where = Line(2)
    for _ in range(5):
        with pytest.raises(ZeroDivisionError), where.place(SHORT), where.aside():
            raise ZeroDivisionError
    workers = [Worker(where), Worker(where)]
    assert all(worker.inside.wait(10) for worker in workers)
    for worker in workers:
        worker.leave()


def test_patience_ends_without_a_place():
    where = Line(2)
    working = [Worker(where), Worker(where)]
    with where.place(SHORT, patience=0.02) as has_place:
        assert not has_place
    assert where.length == 0
    for worker in working:
        worker.leave()
    with where.place(SHORT, patience=0) as has_place:
        assert has_place


def test_who_waits_for_something_else_lends_the_place():
    where = Line(2)
    other = Worker(where)
    assert other.inside.wait(10)
    with where.place(SHORT):
        with where.aside():
            guest = Worker(where)
            assert guest.inside.wait(10)
            guest.leave()
        stranger = waiting(where)  # the place is taken again
        assert not stranger.inside.is_set()
    assert stranger.inside.wait(10)
    for worker in (other, stranger):
        worker.leave()


def test_a_page_that_shows_an_error_of_what_it_waited_for_has_its_place_again():
    where = Line(2)
    other = Worker(where)
    assert other.inside.wait(10)
    with where.place(SHORT):
        with pytest.raises(ZeroDivisionError), where.aside():
            raise ZeroDivisionError
        stranger = waiting(where)  # the two places are taken
        assert not stranger.inside.is_set()
    assert stranger.inside.wait(10)
    for worker in (other, stranger):
        worker.leave()


def test_who_is_stopped_while_waiting_for_something_else_leaves_at_once():
    where, workers = Line(2), []

    def stopped() -> None:
        with where.place(SHORT), where.aside():
            workers.extend([Worker(where), Worker(where)])
            assert all(worker.inside.wait(10) for worker in workers)
            raise KeyboardInterrupt  # like Streamlit's own signals, no Exception

    with pytest.raises(KeyboardInterrupt):  # while both places are taken
        stopped()
    for worker in workers:
        worker.leave()


def test_long_steps_in_a_page_use_a_place_for_long_work():
    where = Line(2)
    with where.place(SHORT):
        with where.place(SHORT) as has_place:  # the same work: no second place
            assert has_place
            other = Worker(where)
            assert other.inside.wait(10)
            other.leave()
        with where.place(LONG):
            long_one = waiting(where, LONG)
            short_one = Worker(where)
            assert short_one.inside.wait(10)
            assert not long_one.inside.is_set()
            short_one.leave()
        assert long_one.inside.wait(10)
        long_one.leave()


def test_the_wait_is_that_of_the_next_with_short_work():
    now = [0.0]
    where = Line(2, clock=lambda: now[0])
    assert where.wait == 0
    working = [Worker(where), Worker(where)]
    assert all(worker.inside.wait(10) for worker in working)
    queue = [waiting(where, LONG)]
    now[0] = 2.0
    queue.append(waiting(where))
    now[0] = 5.0
    queue.append(waiting(where))
    now[0] = 9.0
    assert where.wait == 7.0
    for worker in [working[0], queue[1], queue[2], working[1], queue[0]]:
        worker.leave()
    assert where.wait == 0
