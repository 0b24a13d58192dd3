"""The lessons that an instructor put live, and those that are hidden: ``data/class_lessons.json``.

Every visitor sees them beside the lessons that ship; one of the same name stands in for that. Their
texts are kept as they were written and not read here. A change replaces the file in one step under
its lock, and what it replaces stays in ``history/``, so that it can be undone. While the file is
damaged, what was read last, or the newest version in order, is used.

>>> keep("my-lesson", "title = ...")  # doctest: +SKIP
>>> list(read().texts)  # doctest: +SKIP
['my-lesson']
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from headroles import limits, paths
from headroles.errors import ClassLessonsError
from headroles.store import versions
from headroles.store.class_file import ClassFile

FILE = "class_lessons.json"
"""Its name, in the data folder."""
KEY = r"^[a-z0-9]+(-[a-z0-9]+)*$"
LONGEST_KEY = 60
"""What a lesson may be called: in links, in worksheets, and as the name of its file."""


class Shelf(NamedTuple):
    """What the file holds."""

    texts: dict[str, str]
    """{key of a lesson: its file's text}, in the order in which they came."""
    hidden: frozenset[str]
    """Keys of lessons that students do not see, of any origin."""


class Kept(NamedTuple):
    """The lessons of the class, and what is wrong with their file."""

    texts: dict[str, str]
    """{key of a lesson: its file's text}; while the file is damaged, the last good ones."""
    hidden: frozenset[str]
    """Keys of lessons that students do not see."""
    fault: ClassLessonsError | None
    """Why the file itself cannot be used; None where it can, or where there is none."""


def _from_plain(plain: dict) -> Shelf | None:
    texts, hidden = plain.get("lessons"), plain.get("hidden")
    if not isinstance(texts, dict) or not isinstance(hidden, list):
        return None
    if not all(isinstance(text, str) for text in (*texts.values(), *hidden)):
        return None
    _check(texts)
    return Shelf(texts, frozenset(hidden))


def _to_plain(shelf: Shelf) -> dict[str, object]:
    return {"hidden": sorted(shelf.hidden), "lessons": shelf.texts}


STORED: ClassFile[Shelf] = ClassFile(
    FILE,
    holds="lessons",
    nothing=Shelf({}, frozenset()),
    from_plain=_from_plain,
    to_plain=_to_plain,
    fault=ClassLessonsError,
    limit=limits.CLASS_LESSONS_FILE,
    ascii=True,
)
"""How they are read and written."""


def path() -> Path:
    """Where the file of this server lies: beside the reference scores."""
    return paths.CATEGORIES.parent / FILE


def read(file: Path | None = None) -> Kept:
    """The lessons of the class; the file is read again only when it has changed."""
    shelf, fault = STORED.read(file or path())
    return Kept(*shelf, fault)


def _check(texts: dict[str, str]) -> None:
    limits.CLASS_LESSONS.check(len(texts))
    for key, text in texts.items():
        check_key(key)
        limits.LESSON.check(len(text.encode("utf-8", "surrogatepass")))


def check_key(key: str) -> None:
    """Whether a lesson may be called so.

    Raises:
        ClassLessonsError: if not.
    """
    if not (re.fullmatch(KEY, key) and len(key) <= LONGEST_KEY):
        raise ClassLessonsError(
            FILE,
            why=f"“{key[:60]}” is no name of a lesson.",
            hint="Use small letters, digits and hyphens, for example my-lesson.",
        )


# ------------------------------------------------------------------ writing


def keep(key: str, text: str, file: Path | None = None, *, replace: bool = False) -> None:
    """Put a lesson live.

    Args:
        key: its name.
        text: its file's text; whether it is a lesson, the caller has seen.
        file: another file than this server's.
        replace: whether a lesson of the class of this name is replaced.

    Raises:
        LimitError: if there are as many already as a class may have, or it is too long.
        ClassLessonsError: if it cannot be called so, the name is taken, or the file is damaged.
        DiskError, FileBusyError: if the disk or another writer is in the way; nothing changes.
    """

    def change(shelf: Shelf) -> Shelf:
        if key in shelf.texts and not replace:
            raise _taken(key)
        texts = {**shelf.texts, key: text}
        _check(texts)
        return Shelf(texts, shelf.hidden - {key})

    STORED.edit(change, file or path())


def remove(key: str, file: Path | None = None) -> None:
    """Take a lesson of the class away; one that ships under its name is seen again.

    Raises:
        ClassLessonsError: if there is no such lesson, or the file is damaged.
        DiskError, FileBusyError: as :func:`keep`.
    """

    def change(shelf: Shelf) -> Shelf:
        _check_there(key, shelf)
        texts = {name: text for name, text in shelf.texts.items() if name != key}
        return Shelf(texts, shelf.hidden - {key})

    STORED.edit(change, file or path())


def rename(key: str, new: str, file: Path | None = None, *, taken: frozenset[str]) -> None:
    """Give a lesson of the class another name.

    Args:
        key: its name.
        new: another one.
        file: another file than this server's.
        taken: names of lessons of other origins.

    Raises:
        ClassLessonsError: if there is no such lesson, the new name cannot be used or is taken, or
            the file is damaged.
        DiskError, FileBusyError: as :func:`keep`.
    """

    def change(shelf: Shelf) -> Shelf:
        _check_there(key, shelf)
        check_key(new)
        if new != key and (new in shelf.texts or new in taken):
            raise _taken(new)
        texts = {new if name == key else name: text for name, text in shelf.texts.items()}
        hidden = {new if name == key else name for name in shelf.hidden}
        return Shelf(texts, frozenset(hidden))

    STORED.edit(change, file or path())


def hide(key: str, file: Path | None = None) -> None:
    """Let students see a lesson no longer, of whatever origin.

    Raises:
        ClassLessonsError: if the file is damaged.
        DiskError, FileBusyError: as :func:`keep`.
    """
    check_key(key)
    STORED.edit(lambda shelf: shelf._replace(hidden=shelf.hidden | {key}), file or path())


def show(key: str, file: Path | None = None) -> None:
    """Let students see a lesson again.

    Raises:
        ClassLessonsError: if the file is damaged.
        DiskError, FileBusyError: as :func:`keep`.
    """
    STORED.edit(lambda shelf: shelf._replace(hidden=shelf.hidden - {key}), file or path())


def undo(file: Path | None = None) -> None:
    """Bring back what the last change replaced; undone once more, the change is back.

    It also replaces a damaged file.

    Raises:
        ClassLessonsError: if nothing is kept that could come back.
        DiskError, FileBusyError: as :func:`keep`.
    """
    STORED.undo(file or path())


def can_undo(file: Path | None = None) -> bool:
    """Whether an earlier version of the file is kept."""
    return bool(versions.kept(file or path()))


def _check_there(key: str, shelf: Shelf) -> None:
    if key not in shelf.texts:
        raise ClassLessonsError(
            FILE,
            why=f"The class has no lesson “{key[:60]}”.",
            hint="Perhaps somebody has just removed or renamed it.",
        )


def _taken(key: str) -> ClassLessonsError:
    return ClassLessonsError(
        FILE, why=f"A lesson is called “{key}” already.", hint="Take another name."
    )
