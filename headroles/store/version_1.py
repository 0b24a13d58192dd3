"""Entries of schema version 1 as entries of the present one.

Version 1 kept the extended roles in a section of their own. Now they stand beside the others, under
the same names. Nothing is measured anew, and nothing that was stored is lost.

>>> upgrade({"schema_version": 1, "model_name": "a"})
{'schema_version': 2, 'model_name': 'a'}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from headroles.roles import EXTENDED_ROLES, Role, role_measured_by

_MEASURED_BY = {"s_inhibition": "direct_effect"}
"""Where a role was measured in another way than now."""


class _Scores(BaseModel):
    """One extended role of version 1; what its parts hold is checked in the present schema."""

    model_config = ConfigDict(extra="forbid")

    reason: str = ""
    seed: int
    n: int = 0
    texts: str = ""
    chance: Any = None
    threshold: Any = None
    threshold_reason: str = ""
    scores: list = []
    standard_errors: list = []
    control: list = []
    control_errors: list = []
    details: dict[str, Any] = {}
    profiles: Any = None
    top_heads: list = []


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")

    definitions_version: int
    roles: dict[str, _Scores]


def upgrade(plain: Mapping[str, Any]) -> dict[str, Any]:
    """An entry as plain JSON, of version 1 or of the present one, in the present form.

    Raises:
        ValueError: if the section of the extended roles is not one of version 1.
    """
    if plain.get("schema_version", 1) != 1:
        return dict(plain)
    entry = {name: value for name, value in plain.items() if name != "extended"}
    if "schema_version" in entry:
        entry["schema_version"] = 2
    if plain.get("extended") is None:
        return entry
    section = _section(plain["extended"])
    if isinstance(entry.get("definitions_version"), int):  # one registry, one version: the older
        entry["definitions_version"] = min(
            entry["definitions_version"], section.definitions_version
        )
    for key, scores in section.roles.items():
        role = role_measured_by(key, _MEASURED_BY.get(key, EXTENDED_ROLES[key].measured_by))
        for name, part in _parts(role, scores, entry.get("seed")).items():
            entry[name] = {**(entry.get(name) or {}), key: part}
    return entry


def _section(plain: object) -> _Section:
    try:
        section = _Section.model_validate(plain)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(["extended", *map(str, first["loc"])])
        raise ValueError(f"{place}: {first['msg']}") from error
    if unknown := section.roles.keys() - EXTENDED_ROLES.keys():
        raise ValueError(f"unknown extended roles {sorted(unknown)}")
    return section


def _parts(role: Role, scores: _Scores, seed: object) -> dict[str, object]:
    """{part of an entry: what stands there under the role's key}."""
    parts: dict[str, object] = {
        "categories": {
            "display_name": role.name,
            "description": role.explanation,
            "icon": role.icon,
            "measured_by": role.measured_by,
            "sign": role.sign,
            "not_measured": scores.reason or None,
            "threshold": scores.threshold,
            "threshold_reason": scores.threshold_reason,
            "chance": scores.chance,
            "n": scores.n,
            "seed": None if scores.seed == seed else scores.seed,
            "measured_on": scores.texts,
            "top_heads": scores.top_heads,
        }
    }
    if scores.reason:
        return parts
    parts["all_scores"] = scores.scores
    parts["standard_errors"] = scores.standard_errors
    parts["controls"] = {
        "name": role.control,
        "scores": scores.control,
        "standard_errors": scores.control_errors,
    }
    if scores.details:
        parts["factors"] = scores.details
    if scores.profiles:
        parts["profiles"] = scores.profiles
    return parts
