"""How a lesson's file names roles and heads, so that a slip is seen before a model is loaded.

>>> role_and_place("induction 2")
('induction', 2)
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from headroles.errors import near_match
from headroles.roles import BASIC_ROLES, ROLES

ByModel = str | dict[str, str]
"""One text, or ``{model key: text}`` with ``default`` for every other model."""
ALL = " *"
"""Behind a role's key: every head that the analysis lists in it."""
_OF_ROLE = re.compile(r"([a-z_]+)(?: ([1-9][0-9]?))?")
_LABEL = re.compile(r"L[0-9]{1,3}H[0-9]{1,3}")


def role_and_place(named: str) -> tuple[str, int] | None:
    """A role's key and a place on its list, from 1; None if a head is named in another way."""
    match = _OF_ROLE.fullmatch(named)
    return (match[1], int(match[2] or 1)) if match else None


def _role(key: str) -> str:
    return _known_role(key, list(ROLES))


def check_basic_role(key: str) -> str:
    """A role that is judged on a prompt.

    Raises:
        ValueError: if it is none, in half a sentence.
    """
    return _known_role(key, list(BASIC_ROLES))


def _known_role(key: str, known: list[str]) -> str:
    if key not in known:
        why = "is not judged on a prompt" if key in ROLES else "is no role"
        near = near_match(key, known)
        raise ValueError(f"'{key}' {why}.{near} There are {', '.join(known)}")
    return key


def check_head(named: ByModel) -> ByModel:
    """A head's name, whether or not some model has it.

    Raises:
        ValueError: if it names none, in half a sentence.
    """
    for text in [named] if isinstance(named, str) else named.values():
        if found := role_and_place(text):
            _role(found[0])
        elif not _LABEL.fullmatch(text):
            raise ValueError(
                f"'{text}' names no head: write L1H3, or a role and its place, such as induction 2"
            )
    return named


def _heads(named: ByModel) -> ByModel:
    every = [named] if isinstance(named, str) else named.values()
    for text in every:
        check_head(text.removesuffix(ALL) if role_and_place(text.removesuffix(ALL)) else text)
    return named


Role = Annotated[str, AfterValidator(_role), Field(json_schema_extra={"enum": [*ROLES]})]
"""A role's key."""
BasicRole = Annotated[
    str, AfterValidator(check_basic_role), Field(json_schema_extra={"enum": [*BASIC_ROLES]})
]
"""The key of a role that is judged on a prompt."""
HeadName = Annotated[ByModel, AfterValidator(check_head)]
"""``"L1H3"``, or ``"induction"`` for the first head that a model's analysis lists in this role,
``"induction 2"`` for the second."""
HeadNames = Annotated[ByModel, AfterValidator(_heads)]
"""The same, or ``"induction *"`` for all that the analysis lists."""
