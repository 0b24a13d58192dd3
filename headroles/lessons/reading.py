"""Lessons from their files: those that ship, and a teacher's own beside them.

A file that is in order is a lesson; one that is not is named with the line and the reason, and the
others count. The name of the file without its ending is the lesson's key.

>>> lessons = read_all()
>>> [lesson.title for lesson in lessons.by_key.values()]  # doctest: +SKIP
['What a head is', ...]
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from headroles import disk, limits, paths
from headroles.errors import HeadrolesError
from headroles.lessons import faults
from headroles.lessons.faults import Fault
from headroles.lessons.lesson import Lesson, is_key
from headroles.store import class_lessons

FOLDER = "lessons"
"""Within a data folder."""
LARGEST = limits.LESSON.most
"""Bytes of a file."""
ENDING = ".toml"
AS_UTF8 = "In your editor, choose “Save as” and the encoding UTF-8."
"""What to do about a file in another encoding."""
SCHEMA_LINE = "#:schema ./lesson.schema.json\n"
"""By this first line an editor finds the form of a lesson."""


class Read(NamedTuple):
    """One lesson, and what pins its text."""

    lesson: Lesson
    digest: str
    """12 digits of the SHA-256 of its file."""


class Lessons(NamedTuple):
    """What lies in the folders."""

    by_key: dict[str, Read]
    """{key: lesson}, in the order in which they are meant to be taken."""
    faults: dict[str, HeadrolesError]
    """{name of a file: why it is no lesson}."""
    hidden: frozenset[str] = frozenset()
    """Keys of lessons that an instructor has hidden."""
    of_class: frozenset[str] = frozenset()
    """Keys of lessons that an instructor put live."""


class LessonError(HeadrolesError):
    """A file that is no lesson.

    Args:
        message: what is wrong.
        hint: what to do about it.
        faults: all that is wrong in it, each with its line.
    """

    def __init__(self, message: str, *, hint: str = "", faults: Sequence[Fault] = ()) -> None:
        super().__init__(message, hint=hint)
        self.faults = tuple(faults)


def folders() -> list[Path]:
    """Where lessons lie: with the code, and in the data folder of this server."""
    return list(dict.fromkeys([paths.ROOT / "data" / FOLDER, paths.DATA / FOLDER]))


def stamps() -> tuple[object, ...]:
    """What changes whenever a lesson of :func:`read_all` may have; no lesson is read for it."""
    files = [path for folder in folders() for path in sorted(folder.glob("*.toml"))]
    return tuple((str(path), disk.stamp(path)) for path in (*files, class_lessons.path()))


def read_all(*places: Path, hidden: bool = False) -> Lessons:
    """All lessons of some folders; a later one replaces an earlier one of the same name.

    Args:
        places: the folders; by default :func:`folders`, and what an instructor put live.
        hidden: with those that an instructor has hidden.
    """
    found: dict[str, Read] = {}
    broken: dict[str, HeadrolesError] = {}

    def take(name: str, read: Callable[[], Read]) -> None:
        broken.pop(name, None)
        try:
            found[name.removesuffix(ENDING)] = read()
        except HeadrolesError as fault:
            broken[name] = fault

    for place in places or folders():
        for path in sorted(place.glob(f"*{ENDING}")):
            take(path.name, partial(read_lesson, path))
    kept = class_lessons.Kept({}, frozenset(), None) if places else class_lessons.read()
    for key, text in kept.texts.items():
        name = f"{key}{ENDING}"
        take(name, partial(parse, text.encode("utf-8", "surrogatepass"), name=name))
    order = sorted(found, key=lambda key: (found[key].lesson.order, key))
    seen = {key: found[key] for key in order if hidden or key not in kept.hidden}
    return Lessons(seen, broken, kept.hidden & set(found), frozenset(kept.texts))


def text_of(key: str) -> str:
    """The text of a lesson's file as it is, for who wants to change it.

    Raises:
        LessonError: if there is none, or it cannot be read.
    """
    if (text := class_lessons.read().texts.get(key)) is not None:
        return text
    for folder in reversed(folders()):
        path = folder / f"{key}{ENDING}"
        if is_key(key) and path.is_file():
            try:
                return disk.read(path, most=LARGEST)[0].decode("utf-8-sig", "replace")
            except OSError as error:
                raise LessonError(f"{path.name} cannot be read: {error}.") from error
    raise LessonError(f"There is no lesson “{key[:60]}”.")


def that_ship() -> frozenset[str]:
    """Keys of the lessons that come with the code."""
    return frozenset(path.stem for path in folders()[0].glob(f"*{ENDING}"))


def lie_in_folders() -> frozenset[str]:
    """Keys of the files in the folders, in order or not."""
    return frozenset(path.stem for folder in folders() for path in folder.glob(f"*{ENDING}"))


def read_lesson(path: Path) -> Read:
    """One lesson.

    Raises:
        LessonError: if the file cannot be read or is no lesson, with the place and the reason.
    """
    if not is_key(path.stem):
        raise LessonError(
            f"{path.name} cannot be the name of a lesson.",
            hint="Use small letters, digits and hyphens, for example my-lesson.toml.",
        )
    try:
        raw, _ = disk.read(path, most=LARGEST)
    except OSError as error:
        raise LessonError(f"{path.name} cannot be read: {error}.") from error
    return parse(raw, name=path.name)


def parse(raw: bytes, *, name: str) -> Read:
    """A lesson from the bytes of its file.

    Raises:
        LessonError: as :func:`read_lesson`.
    """
    if len(raw) > LARGEST:
        raise LessonError(
            f"{name} has {len(raw):,} bytes; a lesson has at most {LARGEST:,}.",
            hint="Make two lessons of it.",
        )
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise LessonError(f"{name} is not in UTF-8.", hint=AS_UTF8) from error
    if found := faults.of_syntax(text):
        raise _in(name, found)
    plain = tomllib.loads(text)
    try:
        lesson = Lesson.model_validate(plain)
    except ValidationError as error:
        raise _in(name, faults.of_validation(error, plain, text)) from error
    if found := faults.further(lesson, plain, text):
        raise _in(name, found)
    return Read(lesson, hashlib.sha256(raw).hexdigest()[:12])


def _in(name: str, found: Sequence[Fault]) -> LessonError:
    more = f" There {'is' if len(found) == 2 else 'are'} {len(found) - 1} more." * (len(found) > 1)
    has_place = found[0].line or found[0].step
    return LessonError(f"{name}{',' if has_place else ':'} {found[0]}{more}", faults=found)
