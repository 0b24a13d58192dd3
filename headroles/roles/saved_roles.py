"""A pattern that somebody made into a role, with its heads: for a visit, for the class, in a link.

>>> saved = SavedRole(offset(2), "demo", ((Head(0, 6), 0.9),))
>>> from_link(to_link([saved])) == (saved,)
True
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from headroles import limits
from headroles.errors import PatternError
from headroles.roles.pattern_matrix import read_matrix
from headroles.roles.patterns import of_matrix, parse_pattern
from headroles.roles.role import Role
from headroles.types import Head

MOST_HEADS = 8
"""Heads that a saved role lists, as for the roles of the analysis."""
_LARGEST_PLACE = 10_000
_MATRIX = "matrix:"


class SavedRole(NamedTuple):
    """A pattern that is a role, with the heads that do it best."""

    pattern: Role
    """The pattern; its name is the role's."""
    model: str
    """The model whose heads were ranked."""
    heads: tuple[tuple[Head, float], ...]
    """The best heads with their activation in the lab, 0..1."""

    @property
    def name(self) -> str:
        """What people read."""
        return self.pattern.name

    @property
    def travels(self) -> bool:
        """Whether a link can carry it: painted cells are too many."""
        return self.pattern.length is None


def to_plain(saved: SavedRole) -> dict[str, object]:
    """A role as JSON holds it."""
    heads = [
        {"layer": head.layer, "head": head.head, "score": _share(score)}
        for head, score in saved.heads
    ]
    return {
        "name": saved.name,
        "pattern": saved.pattern.key,
        "model": saved.model,
        "heads": heads,
    }


def _share(score: float, digits: int = 6) -> float:
    return round(min(max(score, 0.0), 1.0), digits)  # a sum of weights may end a hair above 1


def from_plain(plain: object) -> SavedRole:
    """The role that a piece of JSON holds; anybody may have written it.

    Raises:
        HeadrolesError: with what is wrong: a :class:`PatternError` or a :class:`LimitError`.
    """
    if not isinstance(plain, dict):
        raise _off("it is no object with name, pattern, model and heads.")
    name, spec, model = (_text(plain, field) for field in ("name", "pattern", "model"))
    limits.NAME.check(len(name))
    limits.MODEL_NAME.check(len(model))
    return SavedRole(renamed(_pattern(spec), name), model, _heads(plain.get("heads")))


def renamed(pattern: Role, name: str) -> Role:
    """A pattern under another name.

    Raises:
        PatternError: if the name is empty, or holds what cannot be seen.
    """
    name = " ".join(name.split())
    if not name or not name.isprintable():
        raise _off("its name is empty, or holds characters that cannot be seen.")
    limits.NAME.check(len(name))
    return pattern if pattern.name == name else replace(pattern, name=name)


def _pattern(spec: str) -> Role:
    if not spec.startswith(_MATRIX):
        limits.EXPRESSION.check(len(spec.partition(":")[2]))
        return parse_pattern(spec)
    matrix = read_matrix(spec.removeprefix(_MATRIX))
    limits.KEPT_MATRIX.check(len(matrix))
    return of_matrix(matrix)


def _heads(given: object) -> tuple[tuple[Head, float], ...]:
    if not isinstance(given, list) or not 0 < len(given) <= MOST_HEADS:
        raise _off(f"its heads must be a list of 1 to {MOST_HEADS}.")
    return tuple(map(_head, given))


def _head(given: object) -> tuple[Head, float]:
    if not isinstance(given, dict):
        raise _off("a head is no object with layer, head and score.")
    layer, head, score = (given.get(field) for field in ("layer", "head", "score"))
    for place in (layer, head):
        if type(place) is not int or not 0 <= place < _LARGEST_PLACE:
            raise _off("a layer or a head is not a whole number from 0 up.")
    if type(score) not in (int, float) or not 0 <= score <= 1 or not math.isfinite(score):
        raise _off("the score of a head is not a number from 0 to 1.")
    return Head(layer, head), float(score)


def _text(plain: dict, field: str) -> str:
    value = plain.get(field)
    if not isinstance(value, str) or not value.strip():
        raise _off(f"its {field} is missing, or no text.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _off(f"its {field} holds half a character.") from None
    return value


def _off(why: str) -> PatternError:
    return PatternError(f"A saved role cannot be read: {why}", hint="Save it again in the lab.")


# ------------------------------------------------------------------ in a link


def to_link(saved: Sequence[SavedRole]) -> str:
    """Some roles as the text of a link; painted patterns are left out."""
    short = [
        [
            one.name,
            one.pattern.key,
            one.model,
            {head.label: _share(score, 3) for head, score in one.heads},
        ]
        for one in saved
        if one.travels
    ]
    return json.dumps(short, ensure_ascii=False, separators=(",", ":"))


def from_link(text: str) -> tuple[SavedRole, ...]:
    """The roles of a link's text.

    Raises:
        HeadrolesError: with what is wrong.
    """
    limits.LINKED_ROLES_TEXT.check(len(text))
    try:
        short = json.loads(text)
    except (ValueError, RecursionError):
        raise _off("it is no JSON.") from None
    if not isinstance(short, list) or not all(isinstance(one, list) for one in short):
        raise _off("it is no list of roles.")
    limits.SESSION_ROLES.check(len(short))
    return tuple(map(_linked, short))


def _linked(short: list) -> SavedRole:
    if len(short) != 4 or not isinstance(short[3], dict):
        raise _off("a role is not made of a name, a pattern, a model and heads.")
    name, spec, model, heads = short
    if isinstance(spec, str) and spec.startswith(_MATRIX):
        raise _off("a link cannot carry painted cells.")
    places = [(Head.parse(label), score) for label, score in heads.items()]
    plain = [{"layer": h.layer, "head": h.head, "score": score} for h, score in places]
    return from_plain({"name": name, "pattern": spec, "model": model, "heads": plain})
