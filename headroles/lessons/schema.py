"""The form of a lesson's file as a JSON schema: editors complete and check a lesson by it.

An editor finds it by the first line of a lesson, ``#:schema ./lesson.schema.json``.

>>> of_lessons()["required"]
['title', 'goal', 'models', 'steps']
"""

from __future__ import annotations

import json
from typing import Any

from headroles.lessons.lesson import Lesson

FILE = "lesson.schema.json"
"""Beside the lessons that ship."""


def of_lessons() -> dict[str, Any]:
    """The schema, without what TOML cannot say (null) and what only repeats a field's name."""
    plain = _plain(Lesson.model_json_schema())
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **{name: value for name, value in plain.items() if name != "$defs"},
        "$defs": plain["$defs"],
    }


def as_json() -> str:
    """The file."""
    return json.dumps(of_lessons(), indent=1, ensure_ascii=False) + "\n"


def _plain(part: Any, *, names: bool = False) -> Any:
    """A part of a schema; ``names`` says that the keys of this one are names of fields."""
    if isinstance(part, list):
        return [_plain(one) for one in part]
    if not isinstance(part, dict):
        return part
    part = {
        name: _plain(value, names=name in ("properties", "$defs") and not names)
        for name, value in part.items()
        if names or not (name == "title" or (name == "default" and value is None))
    }
    if names:
        return part
    if isinstance(said := part.get("description"), str):
        part["description"] = " ".join(said.replace("``", "").split())
    if "prefixItems" in part:  # the name of a later draft than the one that editors read
        part["items"] = part.pop("prefixItems")
    if "anyOf" in part:
        kinds = [kind for kind in part.pop("anyOf") if kind != {"type": "null"}]
        part = {**kinds[0], **part} if len(kinds) == 1 else {**part, "anyOf": kinds}
    return part
