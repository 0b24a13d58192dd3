"""Scores by all recipes as a file: one row per recipe and head, with what it takes to repeat them.

>>> rows(scores)[0]["recipe"]  # doctest: +SKIP
'ours'
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from headroles.detector.recipe_texts import TEXTS
from headroles.export.provenance import library_versions, origin
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.detector.recipe_scores import RecipeScores
    from headroles.models import LoadedModel


def rows(scores: RecipeScores, head: Head | None = None) -> list[dict[str, object]]:
    """Every head by every recipe, or one head's; a score that is not defined is None."""
    _recipes, layers, width = scores.mean.shape
    return [
        {
            "role": scores.role,
            "recipe": recipe.key,
            "name": recipe.name,
            "layer": one.layer,
            "head": one.head,
            "label": one.label,
            "score": _number(float(scores.mean[place][one])),
            "standard_error": _number(float(scores.error[place][one])),
            "n": scores.n(recipe),
        }
        for place, recipe in enumerate(scores.recipes)
        for one in (Head.every(layers, width) if head is None else [head])
    ]


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def provenance(scores: RecipeScores, loaded: LoadedModel) -> dict[str, object]:
    """Where the numbers come from: every recipe's source, formula and texts."""
    worst, high, low = scores.disagreement()
    return {
        **origin(loaded.key),
        "revision": loaded.revision,
        "libraries": library_versions(),
        "role": scores.role,
        "seed": scores.seed,
        "recipes": {
            recipe.key: {
                "name": recipe.name,
                "source": recipe.source,
                "formula": recipe.formula,
                "differs": recipe.differs,
                "texts": TEXTS[recipe.texts].about,
                "n": scores.n(recipe),
                "n_of_the_source": TEXTS[recipe.texts].n,
            }
            for recipe in scores.recipes
        },
        "largest_disagreement": {"head": worst.label, "high": high.key, "low": low.key},
        "rank_correlation": {
            recipe.key: [_number(value) for value in row]
            for recipe, row in zip(scores.recipes, scores.rank_correlation().tolist(), strict=True)
        },
    }
