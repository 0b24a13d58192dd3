"""The lessons that are put live for the class: every change, undone, and files that are damaged."""

from __future__ import annotations

import json

import pytest

from headroles import limits
from headroles.errors import ClassLessonsError, HeadrolesError, LimitError
from headroles.store import class_lessons

TAKEN = frozenset({"shipped"})


@pytest.fixture
def file(tmp_path):
    return tmp_path / class_lessons.FILE


def texts(file) -> dict[str, str]:
    return class_lessons.read(file).texts


def test_nothing_is_kept_at_first(file) -> None:
    assert class_lessons.read(file) == ({}, frozenset(), None)
    assert not class_lessons.can_undo(file)
    with pytest.raises(ClassLessonsError):
        class_lessons.undo(file)


def test_every_change_comes_back_and_can_be_undone(file) -> None:
    class_lessons.keep("one", "a = 1\r\nü \ud800 “", file)
    class_lessons.keep("two", "b", file)
    class_lessons.keep("two", "c", file, replace=True)
    assert texts(file) == {"one": "a = 1\r\nü \ud800 “", "two": "c"}
    class_lessons.undo(file)
    assert texts(file)["two"] == "b"
    class_lessons.undo(file)
    assert texts(file)["two"] == "c"
    class_lessons.rename("one", "first", file, taken=TAKEN)
    assert list(texts(file)) == ["first", "two"]
    class_lessons.hide("first", file)
    class_lessons.hide("shipped", file)
    assert class_lessons.read(file).hidden == {"first", "shipped"}
    class_lessons.rename("first", "one", file, taken=TAKEN)
    assert class_lessons.read(file).hidden == {"one", "shipped"}
    class_lessons.show("shipped", file)
    class_lessons.remove("one", file)
    assert class_lessons.read(file) == ({"two": "c"}, frozenset(), None)
    class_lessons.undo(file)
    assert list(texts(file)) == ["one", "two"]


def test_the_first_change_can_be_undone_too(file) -> None:
    class_lessons.keep("one", "a", file)
    class_lessons.undo(file)
    assert texts(file) == {}


def test_what_cannot_be_changes_nothing(file) -> None:
    class_lessons.keep("one", "a", file)
    class_lessons.keep("two", "b", file)
    for change in (
        lambda: class_lessons.keep("one", "x", file),
        lambda: class_lessons.keep("One", "x", file),
        lambda: class_lessons.keep("../one", "x", file),
        lambda: class_lessons.keep("x" * 61, "x", file),
        lambda: class_lessons.keep("long", "x" * (limits.LESSON.most + 1), file),
        lambda: class_lessons.rename("one", "two", file, taken=TAKEN),
        lambda: class_lessons.rename("one", "shipped", file, taken=TAKEN),
        lambda: class_lessons.rename("one", "", file, taken=TAKEN),
        lambda: class_lessons.rename("nobody", "new", file, taken=TAKEN),
        lambda: class_lessons.remove("shipped", file),
        lambda: class_lessons.hide("no name", file),
    ):
        before = file.read_bytes()
        with pytest.raises(HeadrolesError):
            change()
        assert file.read_bytes() == before


def test_there_are_not_too_many(file) -> None:
    every = {f"l{n}": "x" for n in range(limits.CLASS_LESSONS.most)}
    file.write_text(json.dumps({"format": 1, "hidden": [], "lessons": every}))
    with pytest.raises(LimitError):
        class_lessons.keep("one-more", "x", file)
    class_lessons.keep("l0", "y", file, replace=True)
    assert texts(file)["l0"] == "y"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[",
        b"[" * 10_000,
        b"[]",
        b"\xff",
        b'{"format": 2, "hidden": [], "lessons": {}}',
        b'{"format": 1, "hidden": [3], "lessons": {}}',
        b'{"format": 1, "hidden": [], "lessons": {"one": 3}}',
        b'{"format": 1, "hidden": [], "lessons": {"No name": "x"}}',
    ],
)
def test_while_the_file_is_damaged_the_last_good_lessons_count(file, raw: bytes) -> None:
    class_lessons.keep("one", "a", file)
    class_lessons.keep("two", "b", file)
    assert len(texts(file)) == 2
    file.write_bytes(raw)
    kept = class_lessons.read(file)
    assert list(kept.texts) == ["one", "two"]
    assert isinstance(kept.fault, ClassLessonsError)
    with pytest.raises(ClassLessonsError):
        class_lessons.keep("three", "c", file)
    class_lessons.undo(file)
    assert class_lessons.read(file).fault is None
