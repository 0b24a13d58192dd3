"""Detection patterns: roles made on the spot, from an offset, an expression or painted cells.

A detection pattern is a guess, cell by cell, about where a head looks: a value D[q, k] from 0 to 1
for every query q and key k <= q (Nanda & Bloom 2022, ``transformer_lens.head_detector``). It is a
:class:`~headroles.roles.role.Role` like those of the registry, so it can be drawn, judged and shown
on a card like them.

>>> [pattern.name for pattern in BUILT_IN[:2]]
['Previous token', 'Induction']
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from headroles import roles
from headroles.errors import PatternError, near_match
from headroles.formatting import count
from headroles.roles import cells
from headroles.roles.pattern_matrix import check_matrix, write_matrix
from headroles.roles.registry import ROLES
from headroles.roles.role import Role

MOST_OFFSET = 64
"""Places back that *same offset* takes, at most."""

BUILT_IN: tuple[Role, ...] = tuple(role for role in ROLES.values() if role.cells)
"""Every pattern that needs no setting."""

ALIASES = {"delimiters": "delimiter"}
"""Former names of patterns that commands and links may still use."""


def offset(places: int) -> Role:
    """*Same offset*: the token so many places back; 0 is the token itself.

    Raises:
        PatternError: for fewer than 0 or more than :data:`MOST_OFFSET`.
    """
    if not 0 <= places <= MOST_OFFSET:
        raise PatternError(
            f"An offset of {places} places back is not possible.",
            hint=f"Choose a whole number from 0 (the token itself) to {MOST_OFFSET}.",
            value=places,
        )
    there = {0: "the token itself", 1: "the token just before"}
    return _own(
        f"offset:{places}",
        f"Same offset −{places}" if places else "The token itself",
        there.get(places, f"the token {places} places back"),
        partial(cells.offset, places=places),
    )


def of_expression(text: str, *, title: str = "") -> Role:
    """The cells where an expression holds.

    Raises:
        PatternError: as :func:`headroles.roles.expression.parse`.
    """
    clean = roles.expression.parse(text).text
    return _own(
        f"expression:{clean}",
        title or clean,
        f"the cells where {clean}",
        partial(cells.where, expression=clean),
    )


def of_matrix(matrix: Sequence[Sequence[float]], *, title: str = "") -> Role:
    """Painted or uploaded cells.

    Raises:
        PatternError: as :func:`headroles.roles.pattern_matrix.check_matrix`.
    """
    text = write_matrix(check_matrix(matrix))
    return _own(
        f"matrix:{text}",
        title or f"Painted, {count(len(matrix), 'token')}",
        "the painted cells",
        partial(cells.painted, matrix=text),
        length=len(matrix),
    )


def _own(key: str, name: str, looks_at: str, where: object, *, length: int | None = None) -> Role:
    return Role(
        key=key,
        name=name,
        explanation=f"Your own role: it looks at {looks_at}.",
        looks_at=looks_at,
        formula=f"matrix of {count(length, 'token')}" if length else key,
        cells=where,
        length=length,
    )


def parse_pattern(spec: str) -> Role:
    """Read a pattern as it is written on the command line.

    ``induction``, ``current_word``, ``delimiter``, ``induction_head``, ``offset:2``,
    ``expression:k == q - 1``.

    Raises:
        PatternError: if there is no such pattern.
    """
    kind, _, value = spec.partition(":")
    if kind == "expression":
        return of_expression(value)
    if kind == "offset":
        try:
            return offset(int(value))
        except ValueError:
            raise PatternError(
                f"“{value}” is not a whole number of places.",
                hint="For example: offset:2",
                value=spec,
            ) from None
    known = {pattern.spec: pattern for pattern in BUILT_IN}
    if (key := ALIASES.get(spec, spec)) in known:
        return known[key]
    raise PatternError(
        f"There is no pattern called '{spec}'.{near_match(spec, known)}",
        hint=f"There are {', '.join(known)}, offset:N and expression:….",
        value=spec,
    )
