"""Extended roles whose heads are known, for the planted entry of the pages.

They are written as schema version 1 wrote them, in a section of their own.
"""

from __future__ import annotations

from headroles.roles import EXTENDED_ROLES
from headroles.store import ModelEntry
from headroles.types import Head

HEADS: dict[str, tuple[Head, float]] = {
    "delimiter": (Head(0, 1), 0.8),
    "fixed_offset": (Head(0, 2), 0.7),
    "name_mover": (Head(2, 0), 1.5),
    "copy_suppression": (
        Head(1, 1),
        -0.75,
    ),  # the planted induction head: it attends, yet suppresses
}
"""The one head of each role, with its score; ``s_inhibition`` has none, ``successor`` no number."""

OFFSET = 3
"""How far back the fixed-offset head looks."""


def matrix(layers: int, heads: int, key: str, value: float) -> list[list[float]]:
    """[layers][heads] zeros but for the head of a role."""
    found = [[0.0] * heads for _ in range(layers)]
    if key in HEADS:
        head = HEADS[key][0]
        found[head.layer][head.head] = value
    return found


def with_extended(entry: ModelEntry) -> ModelEntry:
    """The entry with every extended role measured but ``successor``."""
    plain = entry.model_dump(mode="json")
    section = planted_section(entry.num_layers, entry.num_heads)
    return ModelEntry.model_validate({**plain, "schema_version": 1, "extended": section})


def planted_section(layers: int, heads: int) -> dict:
    """The section of version 1."""
    return {
        "definitions_version": 1,
        "roles": {key: _scores(key, layers, heads) for key in EXTENDED_ROLES},
    }


def _scores(key: str, layers: int, heads: int) -> dict:
    if key == "successor":
        return {"reason": "Too few days are single tokens.", "seed": 0}
    role, (head, score) = EXTENDED_ROLES[key], HEADS.get(key, (Head(0, 0), 0.0))
    zeros = matrix(layers, heads, "", 0)
    control = score if key == "fixed_offset" else score / 10
    top = {
        "layer": head.layer,
        "head": head.head,
        "score": score,
        "standard_error": 0.01,
        "control": control,
    }
    return {
        "seed": 0,
        "n": 16,
        "texts": "planted texts",
        "chance": None if role.is_signed else 0.1,
        "threshold": 0.4,
        "threshold_reason": "Set by hand.",
        "scores": matrix(layers, heads, key, score),
        "standard_errors": matrix(layers, heads, key, 0.01),
        "control": matrix(layers, heads, key, control),
        "control_errors": zeros,
        "details": {"attention": zeros},
        "profiles": _profiles(layers, heads) if key == "fixed_offset" else None,
        "top_heads": [top] if score else [],
    }


def _profiles(layers: int, heads: int) -> dict:
    zeros = matrix(layers, heads, "", 0)
    score = HEADS["fixed_offset"][1]
    shares = [
        matrix(layers, heads, "fixed_offset", score if distance == OFFSET else 0.01)
        for distance in range(1, 17)
    ]
    return {
        "distances": list(range(1, 17)),
        "chance": [0.05] * 16,
        "scores": shares,
        "standard_errors": [zeros] * 16,
        "control": shares,
        "control_errors": [zeros] * 16,
        "peaks": [[OFFSET] * heads for _ in range(layers)],
        "previous": [[0] * heads for _ in range(layers)],
    }


def planted_extended_attention(attention, tokens):
    """The pages' planted attention with a delimiter head and a head three tokens back added."""
    from headroles.texts.tokenization import is_delimiter

    length = attention.shape[-1]
    for query in range(length):
        marks = [key for key in range(1, query + 1) if is_delimiter(tokens[key])]
        looks_at = {"delimiter": marks, "fixed_offset": [query - OFFSET]}
        for key, keys in looks_at.items():
            head = HEADS[key][0]
            attention[head][query] = 0
            attention[head][query, max(keys[-1], 0) if keys else 0] = 1
    return attention
