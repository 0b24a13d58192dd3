"""Lessons: files that a teacher wrote, pasted or damaged."""

from __future__ import annotations

import json
import random
import tomllib

from headroles import paths
from headroles.lessons import checking, faults, lines, reading
from headroles.lessons.lesson import Lesson, fill, texts_of
from headroles.lessons.reading import LessonError
from scripts.fuzz import odd, tiny
from scripts.fuzz.cases import Case
from scripts.fuzz.kinds.categories import spoilt

SOUND = sorted((paths.ROOT / "data" / "lessons").glob("*.toml"))
SWAPS = (
    ('"', "“"), ('"', ""), ("=", ":"), ("[[steps]]", "[steps]"), ("[[steps]]", ""), ("\n", " "),
    (",", ""), ("]", ""), ("{", "{{"), ("}", ""), ("kind", "kid"), ("prompt", "promt"),
    ("induction", "L0H0"), ("induction", "L9H99"), ("true", "True"), ("key", "[key]"), ('"""', '"'),
)  # fmt: skip
"""Slips of who has never seen TOML."""


def case(rng: random.Random) -> Case:
    """The bytes of a file with a few flaws."""
    raw = rng.choice(SOUND).read_bytes()
    drawn = rng.random()
    if drawn < 0.35:
        plain: object = tomllib.loads(raw.decode())
        for _ in range(rng.choice([0, 1, 1, 2, 4])):
            plain = spoilt(rng, plain)
        raw = toml(plain).encode("utf-8", "surrogatepass")
    elif drawn < 0.75:
        raw = slipped(rng, raw.decode()).encode()
    elif drawn < 0.9:
        raw = odd.damaged(rng, raw)
    else:
        raw = odd.text(rng, longest=300).encode("utf-8", "surrogatepass")
    ask = rng.random() < 0.03
    return Case(f"lesson {raw[:150]!r}", lambda: _used(raw, ask=ask))


def slipped(rng: random.Random, text: str) -> str:
    """A text with a few slips of the pen."""
    for _ in range(rng.choice([1, 1, 2, 5])):
        old, new = rng.choice(SWAPS)
        places = text.count(old)
        if places:
            before = text.split(old)
            at = rng.randrange(places) + 1
            text = old.join(before[:at]) + new + old.join(before[at:])
    return text


def toml(value: object) -> str:
    """A value as TOML, as far as that can say it; a table's fields stand on lines of their own."""
    if not isinstance(value, dict):
        return _inline(value)
    return "\n".join(f"{_inline(str(k))} = {_inline(v)}" for k, v in value.items())


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{json.dumps(str(k))} = {_inline(v)}" for k, v in value.items()) + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return (
        repr(value).lower()
        if isinstance(value, bool | int | float)
        else json.dumps(value, ensure_ascii=False)
    )


def _paths(value: object, path: tuple = ()) -> set[tuple]:
    found = set()
    if isinstance(value, dict | list):
        for part, one in value.items() if isinstance(value, dict) else enumerate(value):
            found |= {(*path, part), *_paths(one, (*path, part))}
    return found


def _used(raw: bytes, *, ask: bool) -> Lesson:
    """It ends in a lesson that can be written, filled and asked, or in faults with their lines."""
    try:
        text = raw.decode("utf-8-sig")
        if not faults.of_syntax(text):
            known = set(lines.find(text).first)
            assert known == _paths(tomllib.loads(text)), "lines are found of other values"
    except UnicodeDecodeError:
        text = ""
    try:
        lesson = reading.parse(raw, name="a.toml").lesson
    except LessonError as error:
        many = len(text.split("\n"))
        for fault in error.faults:
            assert fault.sentence, "a fault says nothing"
            assert fault.line is None or 1 <= fault.line <= many, "a line that is not there"
        raise
    again = Lesson.model_validate(lesson.model_dump(mode="json", exclude_unset=True))
    assert again == lesson, "a lesson changes"
    for step in lesson.steps:
        for part in texts_of(step):
            fill(part, model="M", head="L0H0")
    if ask:
        list(checking.check_lesson("a", lesson, tiny.demo()))
    return lesson
