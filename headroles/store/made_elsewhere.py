"""Entries that another dashboard wrote, in the form that this file began with, as entries of ours.

That form holds a model's name and shape, lists of heads and, mostly, a matrix of scores; not the
weights, the texts, the errors or the thresholds. What it holds is used, thresholds are the
project's conventions, and whoever shows such an entry says that it was *made elsewhere*. Roles that
this project does not know stay in the file and are not shown. What was written is kept as it was
(:attr:`headroles.store.schema.ModelEntry.as_written`), so nothing is lost by a later write.

>>> adopt({"num_layers": 2, "num_heads": 3, "all_scores": {"induction": [[0, 0, 0], [0, 0, 0.9]]}})[
...     "categories"
... ]["induction"]["top_heads"]
[{'layer': 1, 'head': 2, 'score': 0.9, 'entered_by': 'made elsewhere'}]
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from headroles.models import catalogue
from headroles.roles import BASIC_ROLES, ROLES, SCORED_ROLES, Role

ALWAYS = (
    "definitions_version",
    "source",
    "revision",
    "seed",
    "sequences",
    "cap",
    "tokenization",
    "library_versions",
    "standard_errors",
    "controls",
    "null_scores",
)
"""What every analysis of this project writes."""
_READ = (None, 1, 2)
"""Schema versions that this project reads."""
_DOTS = ("...", "…")
_ROUNDING = 1e-6
LISTED = 8
"""Heads of a role that are listed where a file holds scores and no list."""
PROVISIONAL = "By convention: this list was made elsewhere, without a threshold."
_OTHER_NAMES = {
    "prev_token": "previous_token",
    "duplicate": "duplicate_token",
    "first_token": "positional",
    "positional_first_token": "positional",
    "bag_of_words": "diffuse",
    "diffuse_bag_of_words": "diffuse",
    "unclassified": "other",
    "other_unclassified": "other",
}


def is_from_elsewhere(plain: Mapping[str, Any]) -> bool:
    """Whether an entry lacks what every analysis of this project writes."""
    if plain.get("definitions_version") is not None and plain.get("schema_version") not in _READ:
        return False  # of a later version of this project
    return any(plain.get(name) is None for name in ALWAYS)


def role_key(name: str) -> str | None:
    """The basic role that a category's name means; None for a role that is not known here.

    >>> role_key("Previous Token"), role_key("induction_head"), role_key("name_mover")
    ('previous_token', 'induction', None)
    """
    key = re.sub(r"[^a-z0-9]+", "_", str(name).lower()).strip("_")
    key = re.sub(r"_heads?$", "", key)
    key = _OTHER_NAMES.get(key, key)
    return key if key in BASIC_ROLES else None


def adopt(plain: Mapping[str, Any]) -> dict[str, Any]:
    """The entry in the present form, with all that can be used of it.

    Raises:
        ValueError: if a part of it has no shape that can be read; it says which.
    """
    matrices = {key: _clean(matrix) for key, matrix in _by_role(plain, "all_scores").items()}
    shape = plain.get("num_layers"), plain.get("num_heads")
    scores = {
        key: matrix
        for key, matrix in matrices.items()
        if ROLES[key].is_scored and not _is_a_part(matrix, *shape)
    }
    described = _by_role(plain, "categories")
    for key in scores:
        described.setdefault(key, {})
    return {
        "model_name": _text(plain.get("model_name")) or "a model without a name",
        "source": _text(plain.get("source")),
        "revision": _text(plain.get("revision")),
        "num_layers": plain.get("num_layers"),
        "num_heads": plain.get("num_heads"),
        "analysis_date": _day(plain.get("analysis_date")),
        "categories": {
            key: _category(ROLES[key], described[key], scores.get(key))
            for key in BASIC_ROLES
            if key in described
        },
        "all_scores": {role.key: scores[role.key] for role in SCORED_ROLES if role.key in scores},
        "as_written": dict(plain),
    }


def _by_role(plain: Mapping[str, Any], part: str) -> dict[str, Any]:
    """{role key: what a part holds for it}; a role's own key goes before its other names."""
    held = plain.get(part)
    if held is None:
        return {}
    if not isinstance(held, Mapping):
        raise ValueError(f"{part} is not an object with a role's name for each key")
    known = {name: role_key(name) for name in held}
    given = (name for name in held if known[name] and held[name] is not None)
    names = sorted(given, key=lambda name: name == known[name])
    return {known[name]: held[name] for name in names}


def _clean(value: Any) -> Any:
    """A matrix without the dots that stand for more; what rounding put below 0 is 0."""
    if isinstance(value, list):
        return [_clean(part) for part in value if part not in _DOTS]
    return 0.0 if _is_number(value) and -_ROUNDING <= value < 0 else value


def _is_a_part(matrix: Any, layers: Any, heads: Any) -> bool:
    """Whether a matrix breaks off, as an example may: then only the list of the role is used."""
    if not (isinstance(matrix, list) and all(isinstance(row, list) for row in matrix)):
        return False
    if not (_is_number(layers) and _is_number(heads)) or len(matrix) > layers:
        return False
    lengths = {len(row) for row in matrix}
    within = max(lengths, default=0) <= heads
    return within and not (len(matrix) == layers and lengths == {heads})


def _category(role: Role, raw: Any, matrix: Any) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise ValueError(f"{role.key} is not an object with a list of heads")
    tops = raw.get("top_heads")
    if tops is None:
        tops = _highest(role, matrix)
    elif not isinstance(tops, list):
        raise ValueError(f"the top_heads of {role.key} are not a list")
    return {
        "display_name": _text(raw.get("display_name")) or role.name,
        "description": _text(raw.get("description")) or role.explanation,
        "icon": _text(raw.get("icon")) or role.icon,
        "requires_repetition": role.requires_repetition,
        "threshold": role.default_threshold if role.is_scored else None,
        "threshold_reason": PROVISIONAL if role.is_scored else "",
        "top_heads": _in_order(_top(role, top, matrix) for top in tops),
    }


def _highest(role: Role, matrix: Any) -> list[dict[str, Any]]:
    """The heads over the conventional threshold; none where there are no scores to go by."""
    rows = matrix if isinstance(matrix, list) else []
    tops = [
        {"layer": layer, "head": head, "score": score}
        for layer, row in enumerate(rows)
        for head, score in enumerate(row if isinstance(row, list) else [])
        if _is_number(score) and score >= role.default_threshold
    ]
    return _in_order(tops)[:LISTED]


def _top(role: Role, top: Any, matrix: Any) -> dict[str, Any]:
    if not isinstance(top, Mapping):
        raise ValueError(f"{role.key} lists a head that has no layer, head and score")
    found = {name: top[name] for name in ("layer", "head", "score") if top.get(name) is not None}
    if "score" not in found:
        try:
            found["score"] = matrix[found["layer"]][found["head"]]
        except (LookupError, TypeError):
            raise ValueError(f"{role.key} lists a head without a score") from None
    return {**found, "score": _clean(found["score"]), "entered_by": "made elsewhere"}


def _in_order(tops: Any) -> list[dict[str, Any]]:
    """Each head once, the best first; what is no number is left for the schema to refuse."""
    once: dict[tuple[str, str], dict[str, Any]] = {}
    for top in tops:
        once.setdefault((str(top.get("layer")), str(top.get("head"))), top)
    kept = list(once.values())
    if all(_is_number(top.get("score")) for top in kept):
        kept.sort(key=lambda top: -top["score"])
    return kept


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _day(value: Any) -> str:
    match = re.match(r"\d{4}-\d{2}-\d{2}", value) if isinstance(value, str) else None
    return match[0] if match else ""


def notes(plain: Mapping[str, object]) -> dict[str, object]:
    """What stands in a file beside its entries; see :func:`headroles.store.schema.notes_in`."""
    known = catalogue.known_models()
    found = {
        key: said
        for key, said in plain.items()
        if key.startswith("_") or not (isinstance(said, dict) or key in known)
    }
    return found if len(found) < len(plain) else {}  # beside nothing, there is nothing beside
