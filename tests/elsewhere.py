"""A file in the form that this project began with, as another dashboard writes it."""

from __future__ import annotations

EXAMPLE = {
    "gpt2": {
        "model_name": "gpt2",
        "num_layers": 12,
        "num_heads": 12,
        "analysis_date": "2026-02-16",
        "categories": {
            "previous_token": {
                "display_name": "Previous Token",
                "description": "Attends to the immediately preceding token",
                "icon": "arrow-left",
                "top_heads": [
                    {"layer": 4, "head": 11, "score": 0.87},
                    {"layer": 2, "head": 3, "score": 0.72},
                ],
            },
            "induction": {
                "display_name": "Induction",
                "description": "Completes repeated patterns: [A][B]...[A] → [B]",
                "icon": "repeat",
                "requires_repetition": True,
                "top_heads": [
                    {"layer": 5, "head": 5, "score": 0.95},
                    {"layer": 5, "head": 1, "score": 0.91},
                    {"layer": 6, "head": 9, "score": 0.88},
                ],
            },
        },
        "all_scores": {
            "previous_token": [[0.12, 0.05]],
            "induction": [[0.01, 0.02]],
        },
    }
}
"""What the handoff shows; its matrices break off."""


def plain(model: str = "demo", *, layers: int = 4, heads: int = 8, whole: bool = False) -> dict:
    """The example's form for another model; its listed heads are those that tests plant.

    Args:
        model: its name.
        layers: of the model.
        heads: of each layer.
        whole: whether every basic role has its matrix; else there are lists of two roles alone.
    """
    listed = {"previous_token": [(0, 0, 0.87)], "induction": [(1, 1, 0.95), (2, 2, 0.3)]}
    if whole:
        listed |= {"duplicate_token": [(2, 2, 0.8)], "positional": [(3, 3, 1)], "diffuse": []}
    scores = {
        key: [[0.125 for _ in range(heads)] for _ in range(layers)] for key in listed if whole
    }
    for key, tops in listed.items():
        for layer, head, score in tops if whole else ():
            scores[key][layer][head] = score
    return {
        "model_name": model,
        "num_layers": layers,
        "num_heads": heads,
        "analysis_date": "2026-02-16",
        "categories": {
            key: {
                "display_name": key.replace("_", " ").title(),
                "description": "In words of its own",
                "icon": "arrow-left",
                "top_heads": [
                    {"layer": layer, "head": head, "score": score} for layer, head, score in tops
                ],
            }
            for key, tops in listed.items()
        }
        | {
            "successor": {
                "display_name": "Successor",
                "description": "A role of theirs",
                "icon": "⏭",
                "top_heads": [{"layer": 0, "head": 1, "score": 12.5}],
            }
        },
        "all_scores": scores | {"successor": [[12.5]]},
    }
