"""What the server keeps: its bound, one making for all who ask, and honest sizes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
import torch

from headroles import models
from headroles.errors import HeadrolesError
from headroles.ui.app import keeper
from headroles.ui.app.keeper import Keeper, size_of

KB = 1_000


def block(kilobytes: int) -> bytes:
    return bytes(kilobytes * KB)


def test_the_least_recently_used_results_go_when_all_together_are_too_much() -> None:
    results = Keeper(100 * KB)
    for name, size in (("a", 50), ("b", 30)):
        results.put(name, block(size))
    assert results.get("a") is not None
    results.put("c", block(30))
    assert results.get("b") is None
    assert results.get("a") is not None
    assert results.get("c") is not None
    assert 80 * KB < results.size <= 100 * KB


def test_a_result_larger_than_the_bound_is_kept_alone() -> None:
    results = Keeper(100 * KB)
    results.put("a", block(10))
    results.put("b", block(1000))
    assert results.get("a") is None
    assert len(results.get("b")) == 1000 * KB
    results.put("c", block(10))
    assert results.get("b") is None


def waiting(results: Keeper) -> int:
    """Threads that wait for a result."""
    return sum(len(future._condition._waiters) for future in results._being_made.values())


def ask_at_once(results: Keeper, make, *, threads: int = 30) -> list:
    """What every thread gets; ``make`` goes on only when all the others wait."""
    everybody = threading.Event()

    def slowly() -> object:
        assert everybody.wait(20)
        return make()

    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(results.make, "same", slowly) for _ in range(threads)]
        while waiting(results) < threads - 1:
            threading.Event().wait(0.001)
        assert results.make("other", lambda: 2) == 2  # nobody who waits holds up the rest
        everybody.set()
        return [future.exception() or future.result() for future in futures]


def test_thirty_who_ask_at_once_get_the_one_result() -> None:
    made: list[object] = []

    def make() -> object:
        made.append(object())
        return made[-1]

    answers = ask_at_once(Keeper(KB), make)
    assert len(made) == 1
    assert answers == made * 30


def test_an_error_goes_to_all_who_wait_and_is_not_kept() -> None:
    results, tries = Keeper(KB), []

    def fail() -> None:
        tries.append(1)
        raise HeadrolesError("It is broken.")

    answers = ask_at_once(results, fail)
    assert len(tries) == 1
    assert {str(error) for error in answers} == {"It is broken."}
    assert results.make("same", lambda: 3) == 3


def test_one_who_is_stopped_leaves_the_making_to_those_who_wait() -> None:
    """Streamlit stops a run with an exception that is no Exception."""

    class Stopped(BaseException):
        pass

    tries: list[int] = []

    def make() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise Stopped
        return 7

    answers = ask_at_once(Keeper(KB), make, threads=8)
    assert len(tries) == 2
    assert [answer for answer in answers if isinstance(answer, Stopped)] == answers[:1]
    assert answers[1:] == [7] * 7


def test_arguments_name_a_result_however_they_are_given(monkeypatch) -> None:
    results = Keeper(100 * KB)
    monkeypatch.setattr(keeper, "results", lambda: results)
    calls: list[tuple] = []

    @keeper.keep
    def add(a: int, b: int = 1, *, _by: object = None) -> int:
        calls.append((a, b))
        return a + b

    assert [add(1), add(1, 1), add(a=1, b=1), add(1, _by=[])] == [2] * 4
    assert add(1, 2) == 3
    assert calls == [(1, 1), (1, 2)]


def test_once_makes_one_for_everybody() -> None:
    made = keeper.once(object)
    with ThreadPoolExecutor(8) as pool:
        assert len({id(thing) for thing in pool.map(lambda _: made(), range(100))}) == 1


class Pair(NamedTuple):
    left: object
    right: object


@dataclass(frozen=True)
class Record:
    inside: object


@pytest.mark.parametrize(
    ("result", "kilobytes"),
    [
        (torch.zeros(1000), 4),
        (torch.zeros(1000)[:1], 4),
        (np.zeros(1000), 8),
        (np.zeros(1000)[::2], 8),
        ("a" * 5000, 5),
        ({"key": [block(3), (block(4),)]}, 7),
        (Record(Pair(block(2), {3: Record(torch.zeros(500))})), 4),
        (len, 0),
        (Keeper, 0),
    ],
    ids=str,
)
def test_bytes_are_counted_wherever_they_lie(result: object, kilobytes: int) -> None:
    assert kilobytes * KB <= size_of(result) <= kilobytes * KB + 1200


def test_what_is_held_twice_counts_once() -> None:
    numbers, text = torch.zeros(1000), block(5)
    assert size_of([numbers, numbers[1:], text, text]) < 10.2 * KB


@pytest.mark.parametrize(
    ("memory", "bound"),
    [(256e6, 64e6), (512e6, 64e6), (1e9, 125e6), (2.7e9, 128e6), (24e9, 128e6)],
)
def test_the_bound_is_a_share_of_the_memory(memory: float, bound: float, monkeypatch) -> None:
    monkeypatch.setattr(models, "total_memory", lambda: int(memory))
    keeper.results.clear()
    try:
        assert keeper.results()._most == bound
    finally:
        keeper.results.clear()
