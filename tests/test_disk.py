"""What lies where a file should be: pipes, devices, folders, endless files, and nothing at all."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from headroles import disk
from headroles.errors import CategoriesBrokenError, HeadrolesError, KnownHeadsError
from headroles.roles import named_heads
from headroles.store import categories, read_frequencies, versions
from tests.entries import entry

SECONDS = 10
"""Whoever has not answered by then hangs."""


def in_time(call: Callable[[], object]) -> object:
    """The outcome of a call that must not hang: what it returned, or the error that it raised."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(call())
        except (HeadrolesError, OSError) as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(SECONDS)
    assert outcome, "it hangs"
    return outcome[0]


def sparse(path: Path) -> None:
    """A file of 100 GB that takes no room on the disk."""
    with path.open("wb") as file:
        file.truncate(100 << 30)


THINGS = {
    "a pipe": os.mkfifo,
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": Path.mkdir,
    "a huge file": sparse,
    "a link to itself": lambda path: path.symlink_to(path.name),
}


@pytest.fixture(params=THINGS)
def thing(request, tmp_path) -> Path:
    """Something that is no file."""
    path = tmp_path / "head_categories.json"
    THINGS[request.param](path)
    return path


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "head_categories.json"


def test_none_of_these_is_read(thing: Path) -> None:
    assert isinstance(in_time(lambda: disk.read(thing)), OSError)


def test_a_file_without_a_size_is_read_to_its_end_or_to_the_limit() -> None:
    maps = Path("/proc/self/maps")
    assert disk.read(maps)[0].count(b"\n") > 5
    with pytest.raises(OSError, match="larger"):
        disk.read(maps, most=10)


def test_the_last_good_content_stays_up(thing: Path) -> None:
    spoiled = thing.rename(thing.with_name("spoiled"))
    categories.write_entry(entry("tiny"), thing)
    assert categories.read_good(thing).fault is None
    thing.unlink()
    spoiled.rename(thing)
    good = in_time(lambda: categories.read_good(thing))
    assert list(good.entries) == ["tiny"]
    assert isinstance(good.fault, CategoriesBrokenError)
    assert in_time(lambda: categories.good_entry("tiny", thing))[0] == entry("tiny")
    assert isinstance(in_time(lambda: categories.write_entry(entry("b"), thing)), HeadrolesError)


def test_it_is_set_aside_and_makes_room(thing: Path) -> None:
    in_time(lambda: categories.set_aside(thing))
    assert not os.path.lexists(thing)
    in_time(lambda: categories.write_entry(entry("tiny"), thing))
    assert categories.read_entry("tiny", thing) == entry("tiny")
    (aside,) = in_time(lambda: categories.versions(thing))
    assert aside.fault


def test_a_version_is_restored_over_it(thing: Path) -> None:
    spoiled = thing.rename(thing.with_name("spoiled"))
    for seed in range(2):
        categories.write_entry(entry("tiny", seed=seed), thing)
    (older,) = categories.versions(thing)
    thing.unlink()
    spoiled.rename(thing)
    in_time(lambda: categories.restore(older.name, thing))
    assert categories.read_entry("tiny", thing).seed == 0


@pytest.mark.parametrize("kind", THINGS)
def test_in_the_history_it_is_a_damaged_version(path: Path, kind: str) -> None:
    for seed in range(2):
        categories.write_entry(entry("tiny", seed=seed), path)
    (older,) = categories.versions(path)
    file = versions.folder(path) / older.name
    file.unlink()
    THINGS[kind](file)
    (version,) = in_time(lambda: categories.versions(path))
    assert version.fault
    assert isinstance(in_time(lambda: categories.restore(older.name, path)), HeadrolesError)
    in_time(lambda: categories.write_entry(entry("tiny", seed=2), path))
    assert categories.read_entry("tiny", path).seed == 2


def test_while_the_data_folder_is_gone_all_stays_up_and_nobody_makes_another(tmp_path) -> None:
    path = tmp_path / "data" / "head_categories.json"
    categories.write_entry(entry("tiny"), path)
    categories.read_good(path)
    away = path.parent.rename(tmp_path / "away")
    good = categories.read_good(path)
    assert (list(good.entries), "gone" in good.fault.message) == (["tiny"], True)
    for change in (
        lambda: categories.write_entry(entry("other"), path),
        lambda: categories.restore("any", path),
        lambda: categories.set_aside(path),
    ):
        with pytest.raises(CategoriesBrokenError, match="gone"):
            change()
    assert not path.parent.exists()
    away.rename(path.parent)
    assert categories.read_good(path).fault is None
    categories.write_entry(entry("other"), path)
    assert list(categories.read_all(path)) == ["other", "tiny"]


def test_a_damaged_file_is_parsed_once_however_often_it_is_asked_for(path, monkeypatch) -> None:
    path.write_text("[" * 100_000)
    first = categories.fault(path).message
    monkeypatch.setattr(categories, "validate", lambda *_: pytest.fail("parsed again"))
    assert categories.fault(path).message == first


def test_a_file_that_could_not_be_read_again_is_not_written(path, monkeypatch) -> None:
    categories.write_entry(entry("tiny"), path)
    monkeypatch.setattr(disk, "LARGEST", path.stat().st_size + 10)
    with pytest.raises(CategoriesBrokenError, match="too large"):
        categories.write_entry(entry("other"), path)
    assert list(categories.read_all(path)) == ["tiny"]


def test_named_heads_that_are_no_file_are_one_sentence(thing: Path) -> None:
    assert isinstance(in_time(lambda: named_heads("gpt2", path=thing)), KnownHeadsError)


@pytest.fixture
def counts(tmp_path, monkeypatch) -> Path:
    from headroles import paths

    monkeypatch.setattr(paths, "DATA", tmp_path)
    (tmp_path / "token_frequencies").mkdir()
    return tmp_path / "token_frequencies" / "mine.json"


@pytest.mark.parametrize(
    "text",
    [
        '{"source": "x", "counts": {"-1": 5}}',
        '{"source": "x", "counts": {"0": -5}}',
        '{"source": "x", "counts": {"0": NaN}}',
        '{"source": "x", "counts": {"0": 1%s}}' % ("0" * 400),
        '{"source": "x", "counts": {"9": 1}}',
        "[" * 100_000,
        "[]",
    ],
)
def test_token_counts_that_make_no_sense_count_as_none(counts: Path, text: str) -> None:
    counts.write_text(text)
    assert read_frequencies("mine", 9).counted == 0


@pytest.mark.parametrize("kind", THINGS)
def test_token_counts_that_are_no_file_count_as_none(counts: Path, kind: str) -> None:
    THINGS[kind](counts)
    assert in_time(lambda: read_frequencies("mine", 9)).counted == 0


def test_token_counts_in_order_are_read(counts: Path) -> None:
    counts.write_text('{"model": "mine", "source": "x", "counts": {"8": 3, "0": 1}}')
    read = read_frequencies("mine", 9)
    assert (read.counted, read.source) == (4, "x")
    assert read.probabilities[8] == pytest.approx(0.75)
    shutil.rmtree(counts.parent)
    assert read_frequencies("mine", 9).counted == 0
