"""Earlier versions of the categories file: kept, listed, restored; and fallen back to."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from headroles.errors import (
    CategoriesBrokenError,
    CategoriesMissingError,
    StaleWriteError,
    UnknownVersionError,
)
from headroles.store import categories
from tests.entries import entry

BROKEN = b"{ half a fi"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "head_categories.json"


def write(path: Path, *seeds: int, model: str = "tiny") -> None:
    """One write a seed, so that the file's story can be told by its seeds."""
    for seed in seeds:
        categories.write_entry(entry(model, seed=seed), path)


def live_seed(path: Path, model: str = "tiny") -> int:
    return categories.read_entry(model, path).seed


def kept_seeds(path: Path) -> list[int]:
    """The seeds of the kept versions, newest first."""
    return [
        categories.read_version(one.name, path)["tiny"].seed for one in categories.versions(path)
    ]


def date(path: Path, when: datetime) -> None:
    os.utime(path, (when.timestamp(), when.timestamp()))


def temporary_files(path: Path) -> list[Path]:
    return list(path.parent.rglob(".*"))


# ------------------------------------------------------------------ what is kept


def test_a_first_write_leaves_no_history(path: Path) -> None:
    write(path, 0)
    assert categories.versions(path) == []
    assert not (path.parent / "history").exists()


def test_a_version_says_since_when_it_was_live_and_what_it_holds(path: Path) -> None:
    path.write_text(categories.to_json({"a": entry("a"), "b": entry("b")}))
    old = path.read_bytes()
    noon = datetime(2026, 1, 31, 12, 0, 0, 250_000, tzinfo=UTC)
    date(path, noon)
    categories.write_entry(entry("a", seed=7), path)
    newest = categories.versions(path)[0]
    assert newest == categories.Version(
        name="head_categories.2026-01-31T12-00-00.250000Z.json",
        when=noon,
        models=("a", "b"),
        fault="",
        size=len(old),
    )
    kept = path.parent / "history" / newest.name
    assert kept.read_bytes() == old
    assert kept.stat().st_mode & 0o777 == 0o644


def test_ten_versions_are_kept_newest_first(path: Path) -> None:
    write(path, *range(14))
    assert live_seed(path) == 13
    assert kept_seeds(path) == [12, 11, 10, 9, 8, 7, 6, 5, 4, 3]
    assert len(list((path.parent / "history").iterdir())) == 10


def test_writing_what_is_there_already_changes_nothing(path: Path) -> None:
    write(path, 0, 1)
    before = path.stat()
    write(path, 1)
    after = path.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert kept_seeds(path) == [0]


def test_a_copy_that_a_killed_writer_made_is_not_made_twice(path: Path) -> None:
    write(path, 0, 1)
    live = path.read_bytes()
    copy = path.parent / "history" / "head_categories.2999-01-01T00-00-00.000000Z.json"
    copy.write_bytes(live)  # as if it had been killed between the copy and the replacement
    write(path, 2)
    assert kept_seeds(path) == [1, 0]


def test_a_clock_that_was_set_back_does_not_turn_the_order_round(path: Path) -> None:
    first = datetime(2026, 6, 1, tzinfo=UTC)
    write(path, 0)
    date(path, first)
    write(path, 1)
    date(path, first - timedelta(days=300))
    write(path, 2)
    assert kept_seeds(path) == [1, 0]
    assert [one.when for one in categories.versions(path)] == [
        first + timedelta(microseconds=1),
        first,
    ]


def fill_with_broken(path: Path, count: int) -> None:
    """Broken versions that are newer than every other."""
    for day in range(1, count + 1):
        name = f"head_categories.2998-01-{day:02}T00-00-00.000000Z.json"
        (path.parent / "history" / name).write_bytes(BROKEN)


def test_broken_versions_count_but_never_push_out_the_last_readable_one(path: Path) -> None:
    write(path, 0, 1, 2)  # versions 0 and 1
    fill_with_broken(path, 9)
    assert len(categories.versions(path)) == 11
    path.write_bytes(BROKEN + b"le")
    categories.set_aside(path)
    found = categories.versions(path)
    assert len(found) == 10
    assert [bool(one.fault) for one in found] == [True] * 9 + [False]
    assert categories.read_version(found[-1].name, path)["tiny"].seed == 1


def test_a_history_of_broken_versions_only_is_pruned_too(path: Path) -> None:
    (path.parent / "history").mkdir()
    fill_with_broken(path, 12)
    path.write_bytes(BROKEN + b"le")
    categories.set_aside(path)
    assert len(categories.versions(path)) == 10


def test_files_that_share_a_folder_keep_their_versions_apart(path: Path) -> None:
    other = path.with_name("head_categories.other.json")
    write(path, 0, 1)
    write(other, 5, 6)
    assert kept_seeds(path) == [0]
    assert kept_seeds(other) == [5]
    with pytest.raises(UnknownVersionError):
        categories.read_version(categories.versions(other)[0].name, path)


def test_what_is_no_version_is_neither_listed_nor_removed(path: Path) -> None:
    write(path, 0, 1)
    strangers = [
        path.parent / "history" / name
        for name in (
            "notes.txt",
            "head_categories.json",
            "head_categories.2026-13-01T00-00-00.000000Z.json",
            "head_categories.2026-01-01.json",
            "head_categories.9999-12-31T23-59-59.999999Z.json",  # nothing comes after it
        )
    ]
    for stranger in strangers:
        stranger.write_text("{}")
    write(path, *range(2, 14))
    assert len(categories.versions(path)) == 10
    assert all(stranger.exists() for stranger in strangers)


def test_a_version_that_cannot_be_read_says_why(path: Path) -> None:
    write(path, 0, 1)
    name = categories.versions(path)[0].name
    (path.parent / "history" / name).write_bytes(BROKEN)
    version = categories.versions(path)[0]
    assert (version.name, version.models, version.size) == (name, (), len(BROKEN))
    assert "cannot be read" in version.fault
    with pytest.raises(CategoriesBrokenError, match=name):
        categories.read_version(name, path)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../head_categories.json",
        "../history/{kept}",
        "./{kept}",
        "{folder}/history/{kept}",
        "{folder}/head_categories.json",
        "head_categories.json",
        "{kept}\0",
        "{kept}/",
        "head_categories.2026-01-31T12-00-00.000000Z.json",
    ],
)
def test_only_a_listed_name_is_opened(path: Path, name: str) -> None:
    write(path, 0, 1)
    before = path.read_bytes()
    kept = categories.versions(path)[0].name
    name = name.format(kept=kept, folder=path.parent)
    with pytest.raises(UnknownVersionError, match="no version called"):
        categories.read_version(name, path)
    with pytest.raises(UnknownVersionError):
        categories.restore(name, path)
    assert path.read_bytes() == before


# ------------------------------------------------------------------ going back


def test_restoring_brings_back_every_byte_and_keeps_what_it_replaces(path: Path) -> None:
    write(path, 0)
    first = path.read_bytes()
    write(path, 1)
    categories.restore(categories.versions(path)[0].name, path)
    assert path.read_bytes() == first
    assert kept_seeds(path) == [1, 0]
    categories.restore(categories.versions(path)[0].name, path)  # and back again
    assert live_seed(path) == 1


def test_restoring_one_model_leaves_the_others(path: Path) -> None:
    write(path, 0, model="a")
    write(path, 0, model="b")
    write(path, 1, model="a")  # the newest version is now {a: 0, b: 0}
    write(path, 1, model="b")
    version = categories.versions(path)[1]
    categories.restore(version.name, path, model="a")
    assert (live_seed(path, "a"), live_seed(path, "b")) == (0, 1)
    with pytest.raises(CategoriesMissingError, match=r"for 'gpt2' yet\. The file holds a, b"):
        categories.restore(version.name, path, model="gpt2")
    assert (live_seed(path, "a"), live_seed(path, "b")) == (0, 1)


def test_a_broken_file_is_kept_as_it_is_when_another_is_restored(path: Path) -> None:
    write(path, 0, 1)
    path.write_bytes(BROKEN)
    good = categories.versions(path)[0]
    categories.restore(good.name, path)
    assert live_seed(path) == 0
    broken, _ = categories.versions(path)
    assert broken.fault
    assert (path.parent / "history" / broken.name).read_bytes() == BROKEN


def test_one_model_cannot_be_restored_into_a_broken_file(path: Path) -> None:
    write(path, 0, 1)
    path.write_bytes(BROKEN)
    with pytest.raises(CategoriesBrokenError):
        categories.restore(categories.versions(path)[0].name, path, model="tiny")
    assert path.read_bytes() == BROKEN


def test_a_broken_version_is_not_restored(path: Path) -> None:
    write(path, 0, 1)
    name = categories.versions(path)[0].name
    (path.parent / "history" / name).write_bytes(BROKEN)
    with pytest.raises(CategoriesBrokenError):
        categories.restore(name, path)
    assert live_seed(path) == 1


def test_the_oldest_version_can_be_restored_though_it_is_pruned_by_that(path: Path) -> None:
    write(path, *range(11))
    oldest = categories.versions(path)[-1]
    categories.restore(oldest.name, path)
    assert live_seed(path) == 0
    assert kept_seeds(path) == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]


def test_a_deleted_file_can_be_restored(path: Path) -> None:
    write(path, 0, 1)
    path.unlink()
    categories.restore(categories.versions(path)[0].name, path)
    assert live_seed(path) == 0


def test_setting_a_broken_file_aside_makes_room_for_a_new_one(path: Path) -> None:
    path.write_bytes(BROKEN)
    with pytest.raises(CategoriesBrokenError):
        write(path, 0)
    categories.set_aside(path)
    assert not path.exists()
    assert categories.fault(path) is None
    (version,) = categories.versions(path)
    assert (path.parent / "history" / version.name).read_bytes() == BROKEN
    write(path, 0)
    assert live_seed(path) == 0


def test_a_file_in_order_is_not_set_aside(path: Path) -> None:
    categories.set_aside(path)  # there is none
    write(path, 0)
    categories.set_aside(path)
    assert live_seed(path) == 0
    assert categories.versions(path) == []


def test_even_a_folder_in_its_place_can_be_set_aside(path: Path) -> None:
    path.mkdir()
    assert categories.file_digest(path) == "unreadable"
    categories.set_aside(path)
    write(path, 0, 1)
    assert live_seed(path) == 1
    assert sorted(bool(one.fault) for one in categories.versions(path)) == [False, True]


# ------------------------------------------------------------------ looking first, then writing


def test_the_digest_of_the_file_is_of_its_bytes(path: Path) -> None:
    assert categories.file_digest(path) == ""
    write(path, 0)
    assert categories.file_digest(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    path.write_bytes(BROKEN)
    assert categories.file_digest(path) == hashlib.sha256(BROKEN).hexdigest()


def test_the_digest_of_an_entry_is_of_what_it_says_and_not_of_its_layout(path: Path) -> None:
    assert categories.entry_digest("tiny", path) == ""
    write(path, 0)
    before = categories.entry_digest("tiny", path)
    plain = json.loads(path.read_text())["tiny"]
    turned = {key: plain[key] for key in reversed(plain)}
    path.write_text(json.dumps({"tiny": turned}, indent=7))
    assert categories.entry_digest("tiny", path) == before
    assert categories.entry_digest("gpt2", path) == ""
    turned["all_scores"]["induction"][0][0] += 1e-6
    path.write_text(json.dumps({"tiny": turned}))
    assert categories.entry_digest("tiny", path) != before
    path.write_bytes(BROKEN)
    with pytest.raises(CategoriesBrokenError):
        categories.entry_digest("tiny", path)


def test_a_write_is_refused_if_the_entry_is_not_the_one_that_was_looked_at(path: Path) -> None:
    categories.write_entry(entry(seed=0), path, expecting="")  # none was there, as expected
    seen = categories.entry_digest("tiny", path)
    write(path, 9, model="another")  # not this model, so not stale
    categories.write_entry(entry(seed=1), path, expecting=seen)
    assert live_seed(path) == 1
    before = path.read_bytes()
    for stale in (seen, "", "no digest at all"):
        with pytest.raises(StaleWriteError, match="Someone else has changed 'tiny'"):
            categories.write_entry(entry(seed=2), path, expecting=stale)
    assert path.read_bytes() == before
    categories.write_entry(entry(seed=3), path)  # the command line expects nothing
    assert live_seed(path) == 3


def test_a_restore_is_refused_if_the_file_is_not_the_one_that_was_looked_at(path: Path) -> None:
    write(path, 0, 1)
    seen = categories.file_digest(path)
    name = categories.versions(path)[0].name
    write(path, 2)
    for model in (None, "tiny"):
        with pytest.raises(StaleWriteError, match="Someone else has changed the file"):
            categories.restore(name, path, model=model, expecting=seen)
    assert live_seed(path) == 2
    categories.restore(name, path, expecting=categories.file_digest(path))
    assert live_seed(path) == 0


# ------------------------------------------------------------------ what readers fall back to


def test_a_file_in_order_is_the_good_one(path: Path) -> None:
    assert categories.read_good(path) == ({}, None, None)
    write(path, 0)
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    date(path, noon)
    assert categories.read_good(path) == ({"tiny": entry(seed=0)}, None, noon)


def test_a_file_that_goes_bad_leaves_what_was_read_last(path: Path) -> None:
    write(path, 0)
    good = categories.read_good(path)
    path.write_bytes(BROKEN)
    fallen = categories.read_good(path)
    assert (fallen.entries, fallen.since) == (good.entries, good.since)
    assert isinstance(fallen.fault, CategoriesBrokenError)
    assert str(categories.fault(path)) == str(fallen.fault)
    write_good = entry(seed=4)
    path.write_text(categories.to_json({"tiny": write_good}))
    assert categories.read_good(path).fault is None
    assert categories.read_good(path).entries == {"tiny": write_good}


def test_who_starts_on_a_bad_file_gets_the_newest_readable_version(path: Path) -> None:
    write(path, 0, 1, 2, 3)
    newest, second, _ = categories.versions(path)
    (path.parent / "history" / newest.name).write_bytes(BROKEN)
    path.write_bytes(BROKEN)
    fallen = categories.read_good(path)
    assert (fallen.entries["tiny"].seed, fallen.since) == (1, second.when)
    assert fallen.fault is not None


def test_a_version_that_is_newer_than_what_was_read_last_is_preferred(path: Path) -> None:
    write(path, 0)
    categories.read_good(path)
    write(path, 1, 2)
    path.write_bytes(BROKEN)
    assert categories.read_good(path).entries["tiny"].seed == 1


def test_what_was_read_last_is_preferred_to_an_older_version(path: Path) -> None:
    write(path, 0, 1, 2)
    date(path, datetime(2999, 1, 1, tzinfo=UTC))  # later than the tick of the clock that all share
    categories.read_good(path)
    path.write_bytes(BROKEN)
    assert categories.read_good(path).entries["tiny"].seed == 2


def test_without_any_good_content_the_fault_is_raised(path: Path) -> None:
    categories.read_good(path)  # an absent file is nothing to fall back to
    path.write_bytes(BROKEN)
    with pytest.raises(CategoriesBrokenError, match="Admin page"):
        categories.read_good(path)
    categories.set_aside(path)
    path.write_bytes(BROKEN)
    with pytest.raises(CategoriesBrokenError):
        categories.read_good(path)


def test_a_file_that_was_set_aside_is_simply_not_there(path: Path) -> None:
    write(path, 0)
    categories.read_good(path)
    path.write_bytes(BROKEN)
    categories.set_aside(path)
    assert categories.read_good(path) == ({}, None, None)


def test_a_reader_cannot_spoil_what_others_fall_back_to(path: Path) -> None:
    write(path, 0)
    categories.read_good(path).entries.clear()
    path.write_bytes(BROKEN)
    categories.read_good(path).entries.clear()
    assert list(categories.read_good(path).entries) == ["tiny"]


def test_one_entry_and_why_there_is_none(path: Path) -> None:
    with pytest.raises(CategoriesMissingError):
        categories.good_entry("tiny", path)
    write(path, 0)
    found, good = categories.good_entry("tiny", path)
    assert (found.seed, good.fault) == (0, None)
    path.write_bytes(BROKEN)
    found, good = categories.good_entry("tiny", path)
    assert found.seed == 0
    assert good.fault is not None
    with pytest.raises(CategoriesBrokenError):  # a new analysis would not help: the file is broken
        categories.good_entry("gpt2", path)


# ------------------------------------------------------------------ what killed writers leave


def test_leftovers_of_killed_writers_are_swept_and_nothing_else(path: Path) -> None:
    write(path, 0, 1)
    kept = categories.versions(path)[0].name
    leftovers = [
        path.parent / f".{path.name}.a1b2c3_4.tmp",
        path.parent / "history" / f".{kept}.zzzzzzzz.tmp",
    ]
    others = [
        path.parent / ".another.json.a1b2c3_4.tmp",  # its writer holds another lock
        path.parent / f".{path.name}.other.a1b2c3_4.tmp",
        path.parent / f"{path.name}.tmp",
    ]
    for file in (*leftovers, *others):
        file.write_bytes(BROKEN)
    write(path, 2)
    assert not [file for file in leftovers if file.exists()]
    assert all(file.exists() for file in others)
    assert live_seed(path) == 2
