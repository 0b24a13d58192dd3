"""A small valid entry of ``head_categories.json``, for tests to keep or to break."""

from __future__ import annotations

import copy

from headroles.roles import DEFINITIONS_VERSION, ROLES, SCORED_ROLES
from headroles.store import ModelEntry

LAYERS, HEADS = 2, 3

_MATRIX = [[0.125, 0.25, 0.5], [0.75, 0.875, 1.0]]


def plain_entry(model_name: str = "tiny", **changes: object) -> dict:
    """The entry as plain JSON: 2 layers of 3 heads; L1H2 leads every role, L0H0 is ``other``."""
    matrices = {role.key: copy.deepcopy(_MATRIX) for role in SCORED_ROLES}
    entry = {
        "schema_version": 1,
        "definitions_version": DEFINITIONS_VERSION,
        "model_name": model_name,
        "source": "a folder",
        "revision": "sha256:0",
        "num_layers": LAYERS,
        "num_heads": HEADS,
        "analysis_date": "2026-01-31",
        "seed": 0,
        "sequences": 50,
        "cap": 8,
        "tokenization": {
            "prepend_start_token": True,
            "start_token": "<|endoftext|>",
            "start_token_id": 0,
            "is_stand_in": False,
        },
        "library_versions": {"torch": "2.13.0"},
        "categories": {
            role.key: {
                "display_name": role.name,
                "description": role.explanation,
                "icon": role.icon,
                "requires_repetition": role.requires_repetition,
                "threshold": 0.5,
                "n": 50,
                "top_heads": [
                    {"layer": 1, "head": 2, "score": 1.0, "standard_error": 0.0},
                    {"layer": 1, "head": 1, "score": 0.875, "standard_error": 0.01},
                ],
            }
            for role in SCORED_ROLES
        },
        "all_scores": copy.deepcopy(matrices),
        "standard_errors": copy.deepcopy(matrices),
        "controls": {"previous_token": {"name": "random tokens", "scores": _MATRIX}},
        "null_scores": copy.deepcopy(matrices),
        "notes": ["Made by hand."],
    }
    entry["categories"]["other"] = {
        "display_name": ROLES["other"].name,
        "description": ROLES["other"].explanation,
        "icon": ROLES["other"].icon,
        "top_heads": [
            {"layer": 0, "head": 0, "score": 0.2, "standard_error": 0.0, "entered_by": "no role"}
        ],
    }
    return {**entry, **changes}


def entry(model_name: str = "tiny", **changes: object) -> ModelEntry:
    """The same, validated."""
    return ModelEntry.model_validate(plain_entry(model_name, **changes))
