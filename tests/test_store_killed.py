"""Writers that are killed, and writers that come together: the file is whole and nothing is lost.

Everything happens in one light process that forks the writers: it has not imported torch, so a fork
costs a few milliseconds, and hundreds of kills fit into seconds.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import random
import resource
import signal
import sys
import time
import types
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from headroles.errors import CategoriesBrokenError, HeadrolesError, StaleWriteError
from headroles.store import categories
from tests.entries import entry, plain_entry

pytestmark = pytest.mark.slow

KILLS = 180
"""A third of them while the writer restores."""

BROKEN = b"{ half a fi"


def large(model_name: str, seed: int) -> categories.ModelEntry:
    """An entry of 12 layers of 12 heads, as GPT-2's, with numbers of its own."""
    numbers = random.Random(f"{model_name} {seed}")

    def matrix() -> list[list[float]]:
        return [[round(numbers.random(), 6) for _ in range(12)] for _ in range(12)]

    plain = plain_entry(model_name, num_layers=12, num_heads=12, seed=seed)
    for group in ("all_scores", "standard_errors", "null_scores"):
        plain[group] = {key: matrix() for key in plain[group]}
    plain["controls"] = {"previous_token": {"name": "random tokens", "scores": matrix()}}
    return categories.ModelEntry.model_validate(plain)


STEADY = large("steady", 0)
A, B = (large("killed", seed) for seed in (1, 2))
TEXT_A, TEXT_B = (
    categories.to_json({"killed": one, "steady": STEADY}).encode() for one in (A, B)
)  # all that may ever stand in the file


@pytest.fixture(scope="module")
def light() -> Iterator[ProcessPoolExecutor]:
    """A process of its own that is cheap to fork."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        # It runs the main module again, which an earlier test may have made a Streamlit page.
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(sys.modules, "__main__", types.ModuleType("__main__"))
            pool.submit(os.getpid).result()
        yield pool


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "head_categories.json"
    path.write_bytes(TEXT_A)
    return path


def imported(_: object) -> set[str]:
    return set(sys.modules)


def test_the_store_is_light_enough_to_be_forked_often(light: ProcessPoolExecutor) -> None:
    modules = light.submit(imported, None).result()
    assert "headroles.store.categories" in modules
    assert not modules & {"torch", "transformers", "numpy", "streamlit"}


# ------------------------------------------------------------------ helpers of the light process


def fork(work: Callable[[], object]) -> int:
    """A child that does the work; exit code 0 if it comes to its end."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return child


def signal_that_ended(child: int) -> int | None:
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else None


def temporary_files(path: Path) -> list[Path]:
    return [file for file in path.parent.rglob(".*") if file.suffix == ".tmp"]


def kept_bytes(path: Path) -> list[bytes]:
    return [(path.parent / "history" / one.name).read_bytes() for one in categories.versions(path)]


@contextlib.contextmanager
def impatient() -> Iterator[None]:
    """Nobody alive holds the lock here, so a writer that waits for long waits for a dead one."""
    usual, categories.LOCK_SECONDS = categories.LOCK_SECONDS, 5
    yield
    categories.LOCK_SECONDS = usual


def write_on(path: Path) -> None:
    """The next writer: it must not wait for a dead one, and it clears up after it."""
    with impatient():
        categories.write_entry(B if path.read_bytes() == TEXT_A else A, path)
    assert path.read_bytes() in (TEXT_A, TEXT_B)
    assert not temporary_files(path)
    assert len(categories.versions(path)) <= categories.HISTORY
    assert set(kept_bytes(path)) <= {TEXT_A, TEXT_B}


# ------------------------------------------------------------------ killed at any moment


def write_for_ever(path: Path, ready: int) -> None:
    os.write(ready, b".")
    for one in itertools.cycle((B, A)):
        categories.write_entry(one, path)


def restore_for_ever(path: Path, ready: int) -> None:
    """Two contents change places: the newest version is always the other one."""
    os.write(ready, b".")
    for model in itertools.cycle((None, "killed")):
        categories.restore(categories.versions(path)[0].name, path, model=model)


def kill_often(path: Path, kills: int) -> dict[str, int]:
    """Kill writers at moments spread over two writes; every check is made after every kill."""
    for one in (B, A, B, A):  # so that there is something to restore
        categories.write_entry(one, path)
    began = time.perf_counter()
    for one in (B, A, B, A):
        categories.write_entry(one, path)
    a_write = (time.perf_counter() - began) / 4

    found: Counter[str] = Counter()
    for turn in range(kills):
        work = restore_for_ever if turn % 3 == 2 else write_for_ever
        before = path.read_bytes()
        reading, ready = os.pipe()
        child = fork(lambda work=work, ready=ready: work(path, ready))
        os.read(reading, 1)
        os.close(reading)
        os.close(ready)
        time.sleep(2 * a_write * turn / kills)
        os.kill(child, signal.SIGKILL)
        assert signal_that_ended(child) == signal.SIGKILL

        live = path.read_bytes()
        assert live in (TEXT_A, TEXT_B)
        assert categories.read_all(path) == {"killed": A if live == TEXT_A else B, "steady": STEADY}
        found["killed"] += 1
        found["changed"] += live != before
        found["left a temporary file"] += bool(temporary_files(path))
        write_on(path)
    return found


def test_a_killed_writer_never_leaves_a_broken_file(light: ProcessPoolExecutor, path: Path) -> None:
    found = light.submit(kill_often, path, KILLS).result()
    assert found["killed"] == KILLS
    # The kills did fall into the writes, and some writes were through before them.
    assert found["left a temporary file"] > 0
    assert 0 < found["changed"] < KILLS


# ------------------------------------------------------------------ killed at each step


def die_at(step: str, turn: int, *, after: bool) -> None:
    """Make the n-th call of ``os.<step>`` in this process its last act, done or not done."""
    real, turns = getattr(os, step), itertools.count(1)

    def call(*arguments: object, **options: object) -> object:
        last = next(turns) == turn
        if last and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*arguments, **options)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(os, step, call)


ACTIONS: dict[str, Callable[[Path], None]] = {
    "write": lambda path: categories.write_entry(B, path),
    "restore": lambda path: categories.restore(categories.versions(path)[0].name, path),
    "restore one model": lambda path: categories.restore(
        categories.versions(path)[0].name, path, model="killed"
    ),
}
"""Each turns TEXT_A into TEXT_B."""

STEPS = {
    # Calls of a write: flush, mode, rename, flush the folder, for the history's copy; the same for
    # the live file; then the eleventh version is removed.
    "copy written": ("fsync", 1, False, TEXT_A),
    "copy flushed": ("fsync", 1, True, TEXT_A),
    "copy made readable": ("chmod", 1, True, TEXT_A),
    "copy about to be renamed": ("replace", 1, False, TEXT_A),
    "copy in the history": ("replace", 1, True, TEXT_A),
    "history flushed": ("fsync", 2, True, TEXT_A),
    "new file written": ("fsync", 3, False, TEXT_A),
    "new file flushed": ("fsync", 3, True, TEXT_A),
    "new file made readable": ("chmod", 2, True, TEXT_A),
    "about to be renamed": ("replace", 2, False, TEXT_A),
    "renamed": ("replace", 2, True, TEXT_B),
    "folder about to be flushed": ("fsync", 4, False, TEXT_B),
    "folder flushed": ("fsync", 4, True, TEXT_B),
    "about to prune": ("unlink", 1, False, TEXT_B),
    "pruned": ("unlink", 1, True, TEXT_B),
}


def kill_at(path: Path, action: str, step: str, turn: int, *, after: bool) -> bytes:
    """What the live file holds after the kill; the history and the next writer are checked too."""
    (path.parent / "history").mkdir()
    for day in range(1, categories.HISTORY + 1):
        name = f"head_categories.2026-01-{day:02}T12-00-00.000000Z.json"
        (path.parent / "history" / name).write_bytes(TEXT_A if day % 2 else TEXT_B)
    assert kept_bytes(path) == [TEXT_B, TEXT_A] * 5

    def work() -> None:
        die_at(step, turn, after=after)
        ACTIONS[action](path)

    assert signal_that_ended(fork(work)) == signal.SIGKILL
    live = path.read_bytes()
    if live == TEXT_B:
        assert kept_bytes(path)[0] == TEXT_A  # what was replaced is not lost
    assert set(kept_bytes(path)) <= {TEXT_A, TEXT_B}
    write_on(path)
    return live


@pytest.mark.parametrize(("step", "turn", "after", "live"), STEPS.values(), ids=list(STEPS))
@pytest.mark.parametrize("action", ACTIONS)
def test_a_kill_at_each_step_leaves_the_old_file_or_the_new_one(
    light: ProcessPoolExecutor,
    path: Path,
    action: str,
    step: str,
    turn: int,
    after: bool,
    live: bytes,
) -> None:
    assert light.submit(kill_at, path, action, step, turn, after=after).result() == live


def kill_while_setting_aside(path: Path, *, after: bool) -> bytes | None:
    path.write_bytes(BROKEN)

    def work() -> None:
        die_at("replace", 1, after=after)
        categories.set_aside(path)

    assert signal_that_ended(fork(work)) == signal.SIGKILL
    live = path.read_bytes() if path.exists() else None
    assert [live, *kept_bytes(path)].count(BROKEN) == 1  # it is in one place or in the other
    with impatient():
        categories.set_aside(path)
        categories.write_entry(A, path)
    return live


@pytest.mark.parametrize(("after", "live"), [(False, BROKEN), (True, None)])
def test_a_kill_while_a_broken_file_is_set_aside(
    light: ProcessPoolExecutor, path: Path, after: bool, live: bytes | None
) -> None:
    assert light.submit(kill_while_setting_aside, path, after=after).result() == live
    assert categories.read_all(path) == {"killed": A}


# ------------------------------------------------------------------ killed amid the bytes


def kill_in_the_middle(path: Path, most: int) -> list[int]:
    """The sizes of what is left when the system ends the writer at so many bytes of a file."""

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python would make an error of it
        categories.write_entry(B, path)

    assert signal_that_ended(fork(work)) == signal.SIGXFSZ
    left = [file.stat().st_size for file in temporary_files(path)]
    with impatient():
        categories.write_entry(B, path)
    assert not temporary_files(path)
    return left


def test_a_writer_that_ends_in_the_middle_of_the_copy(
    light: ProcessPoolExecutor, path: Path
) -> None:
    assert light.submit(kill_in_the_middle, path, 10_000).result() == [10_000]
    assert path.read_bytes() == TEXT_B
    assert kept_bytes(path) == [TEXT_A]


def test_a_writer_that_ends_in_the_middle_of_the_new_file(
    light: ProcessPoolExecutor, path: Path
) -> None:
    small = categories.to_json({"killed": entry("killed")}).encode()
    assert len(small) < 10_000
    path.write_bytes(small)
    assert light.submit(kill_in_the_middle, path, 10_000).result() == [10_000]
    assert categories.read_all(path) == {"killed": B}
    assert kept_bytes(path) == [small]


# ------------------------------------------------------------------ several writers at once


def together(works: list[Callable[[], object]]) -> list[int]:
    """Start all at one signal; their exit codes."""
    waiting, go = os.pipe()

    def when_told(work: Callable[[], object]) -> Callable[[], object]:
        def begin() -> None:
            os.close(go)
            os.read(waiting, 1)  # returns when the last writing end is closed
            work()

        return begin

    children = [fork(when_told(work)) for work in works]
    os.close(go)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    os.close(waiting)
    return codes


def write_often(path: Path, model_name: str, times: int) -> None:
    for seed in range(times):
        categories.write_entry(entry(model_name, seed=seed), path)


def write_models_at_once(path: Path, models: list[str], times: int) -> list[int]:
    return together([lambda name=name: write_often(path, name, times) for name in models])


def test_processes_that_write_different_models_at_once_lose_nothing(
    light: ProcessPoolExecutor, path: Path
) -> None:
    models, times = [f"model {number}" for number in range(6)], 25
    codes = light.submit(write_models_at_once, path, models, times).result()
    assert codes == [0] * 6
    found = categories.read_all(path)
    assert {name: found[name].seed for name in models} == dict.fromkeys(models, times - 1)
    assert (found["killed"], found["steady"]) == (A, STEADY)  # as before
    assert [one.fault for one in categories.versions(path)] == [""] * categories.HISTORY
    assert not temporary_files(path)


def race(path: Path, writers: int, turn: int, *, restoring: bool) -> list[str]:
    """How it went for each of several writers that all had looked at the same state."""
    seeds = [100 * turn + number for number in range(writers)]
    seen = categories.file_digest(path) if restoring else categories.entry_digest("killed", path)
    name = categories.versions(path)[0].name if restoring else ""

    def work(number: int) -> None:
        try:
            if restoring:
                categories.restore(name, path, expecting=seen)
            else:
                categories.write_entry(large("killed", seeds[number]), path, expecting=seen)
            outcome = "won"
        except HeadrolesError as error:
            outcome = type(error).__name__
        (path.parent / f"outcome {number}").write_text(outcome)

    codes = together([lambda number=number: work(number) for number in range(writers)])
    assert codes == [0] * writers
    outcomes = [(path.parent / f"outcome {number}").read_text() for number in range(writers)]
    if not restoring:
        winner = seeds[outcomes.index("won")]
        assert categories.read_entry("killed", path) == large("killed", winner)
        assert categories.read_entry("steady", path) == STEADY
    return outcomes


@pytest.mark.parametrize("restoring", [False, True], ids=["write", "restore"])
def test_of_writers_that_looked_at_the_same_state_one_wins(
    light: ProcessPoolExecutor, path: Path, restoring: bool
) -> None:
    categories.write_entry(B, path)
    for turn in range(1, 11):
        outcomes = light.submit(race, path, 4, turn, restoring=restoring).result()
        assert sorted(outcomes) == ["StaleWriteError"] * 3 + ["won"]


def test_of_two_tabs_of_one_server_one_wins(path: Path) -> None:
    """The same between threads of one process, where a lock of the process would not hold."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    for turn in range(10):
        seen, barrier = categories.entry_digest("killed", path), Barrier(4)

        def write(number: int, *, seen: str = seen, barrier: Barrier = barrier) -> int | None:
            barrier.wait(30)
            try:
                categories.write_entry(entry("killed", seed=number), path, expecting=seen)
            except StaleWriteError:
                return None
            return number

        with ThreadPoolExecutor(4) as threads:
            outcomes = list(threads.map(write, range(10 * turn, 10 * turn + 4)))
        (winner,) = [number for number in outcomes if number is not None]
        assert categories.read_entry("killed", path).seed == winner


def read_while_written(path: Path, reads: int) -> Counter[str]:
    """What a reader finds while another process writes without a pause."""
    child = fork(lambda: write_for_ever(path, os.open(os.devnull, os.O_WRONLY)))
    found: Counter[str] = Counter()
    while found["reads"] < reads or not (found["A"] and found["B"]):
        assert os.waitpid(child, os.WNOHANG) == (0, 0)  # the writer is at it
        live = path.read_bytes()
        assert live in (TEXT_A, TEXT_B)
        found["reads"] += 1
        found["A" if live == TEXT_A else "B"] += 1
        try:
            categories.read_good(path)
        except CategoriesBrokenError:
            found["broken"] += 1
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return found


def test_a_reader_never_finds_a_half_written_file(light: ProcessPoolExecutor, path: Path) -> None:
    found = light.submit(read_while_written, path, 500).result()
    assert found["broken"] == 0
    assert found["A"] + found["B"] == found["reads"] >= 500
