"""Recipes of papers beside each other: sentences, and records for charts and tables. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from headroles.detector.recipe_texts import TEXTS
from headroles.formatting import count, decimal
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.detector.recipe_scores import RecipeScores
    from headroles.detector.recipes import Recipe

HOW = (
    "Each bar is one number of the same head in the same model. Recipes differ in their texts "
    "(random ids or short sentences, with a start token or without), in the cells that count, in "
    "what they divide by (rows, pairs, all attention), and in whether attention that rests on the "
    "first token counts. So scores of two papers can be compared only where the recipe is the same."
)


def score_text(score: float) -> str:
    """A score with two decimals; a dash where there is none."""
    return decimal(score) if math.isfinite(score) else "–"


def conclusion(scores: RecipeScores, head: Head) -> str:
    """How far the recipes are apart, on the head where it is most and on the chosen one."""
    worst, high, low = scores.disagreement()
    words = (
        f"{worst.label}: {_of(scores, worst, high)} by “{high.name}”, "
        f"{_of(scores, worst, low)} by “{low.name}”"
    )
    agree = _agreement(scores)
    first = f"The same head, measured {len(scores.recipes)} ways: {words}. {agree}"
    if head == worst:
        return first
    own = _comparable(scores, head)
    if not own:
        return first
    most, least = max(own, key=own.get), min(own, key=own.get)
    return (
        f"{first} {head.label} goes from {score_text(own[least])} (“{least.name}”) to "
        f"{score_text(own[most])} (“{most.name}”)."
    )


def _of(scores: RecipeScores, head: Head, recipe: Recipe) -> str:
    return score_text(scores.of(head)[recipe.key])


def _comparable(scores: RecipeScores, head: Head) -> dict[Recipe, float]:
    """The head's scores by the recipes that run from 0 to 1."""
    own = scores.of(head)
    return {
        recipe: own[recipe.key]
        for recipe in scores.recipes
        if recipe.from_zero and math.isfinite(own[recipe.key])
    }


def best_of(scores: RecipeScores, recipe: Recipe) -> Head:
    """The head that a recipe scores highest."""
    place = scores.recipes.index(recipe)
    values = scores.mean[place].nan_to_num(-math.inf)
    return Head(*divmod(int(values.argmax()), values.shape[1]))


def _agreement(scores: RecipeScores) -> str:
    """How many recipes put the same head first."""
    first = [best_of(scores, recipe) for recipe in scores.recipes]
    ours = first[0]
    same = sum(head == ours for head in first)
    if same == len(first):
        return f"All {len(first)} put {ours.label} first all the same."
    return f"{same} of the {len(first)} put {ours.label} first, as ours does."


def bar_records(scores: RecipeScores, head: Head) -> list[dict[str, object]]:
    """One per recipe, for :func:`headroles.charts.recipes.bars`."""
    records = []
    for place, recipe in enumerate(scores.recipes):
        value = float(scores.mean[place, head.layer, head.head])
        error = float(scores.error[place, head.layer, head.head])
        known = math.isfinite(value)
        spread = error if math.isfinite(error) else 0.0
        records.append(
            {
                "order": place,
                "name": recipe.name,
                "value": value if known else None,
                "low": value - spread if known else None,
                "high": value + spread if known else None,
                "ours": recipe.key == "ours",
                "shown": score_text(value),
                "differs": recipe.differs,
                "source": recipe.source,
            }
        )
    return records


def bars_sentence(scores: RecipeScores, head: Head) -> str:
    """The bars in words."""
    own = scores.of(head)
    shown = ", ".join(f"{recipe.name} {score_text(own[recipe.key])}" for recipe in scores.recipes)
    return f"{head.label} by every recipe: {shown}."


TABLE = ("Recipe", "Score", "± error", "What makes it differ")


def recipe_rows(scores: RecipeScores, head: Head) -> list[list[str]]:
    """One line per recipe for a head, with the formula, texts and source as a note."""
    rows = []
    for place, recipe in enumerate(scores.recipes):
        value = float(scores.mean[place, head.layer, head.head])
        error = float(scores.error[place, head.layer, head.head])
        rows.append([recipe.name, score_text(value), score_text(error), recipe.differs])
    return rows


SOURCES = ("Recipe", "Number", "Texts", "Source")


def source_rows(scores: RecipeScores) -> list[list[str]]:
    """How each recipe is measured, on what, and by whom."""
    return [
        [recipe.name, recipe.formula, texts_of(scores, recipe), recipe.source]
        for recipe in scores.recipes
    ]


def texts_of(scores: RecipeScores, recipe: Recipe) -> str:
    """What a recipe was run on, and on how many of how many."""
    texts, n = TEXTS[recipe.texts], scores.n(recipe)
    of = f"; the source takes {texts.n:,}" if n != texts.n and not texts.is_fixed else ""
    return f"{count(n, 'text')}: {texts.about}{of}"


def scatter_records(
    scores: RecipeScores, along: Recipe, up: Recipe, head: Head
) -> list[dict[str, object]]:
    """One per head with both scores, for :func:`headroles.charts.recipes.scatter`."""
    x, y = (scores.mean[scores.recipes.index(recipe)] for recipe in (along, up))
    records = []
    for one in Head.every(*x.shape):
        values = float(x[one]), float(y[one])
        if all(map(math.isfinite, values)):
            records.append(
                {
                    "layer": one.layer,
                    "head": one.head,
                    "label": one.label,
                    "x": values[0],
                    "y": values[1],
                    "open": one == head,
                    "shown": f"{along.name} {score_text(values[0])}, "
                    f"{up.name} {score_text(values[1])}",
                }
            )
    return records


def scatter_sentence(scores: RecipeScores, along: Recipe, up: Recipe) -> str:
    """How well two recipes agree on the order of all heads."""
    places = [scores.recipes.index(recipe) for recipe in (along, up)]
    rank = float(scores.rank_correlation()[places[0], places[1]])
    first = best_of(scores, along), best_of(scores, up)
    which = (
        f"Both put {first[0].label} first."
        if first[0] == first[1]
        else f"{along.name} puts {first[0].label} first, {up.name} {first[1].label}."
    )
    return (
        f"All heads by “{along.name}” and “{up.name}”: rank correlation {score_text(rank)} "
        f"(1 is the same order, 0 none). {which}"
    )


def correlation_rows(scores: RecipeScores) -> list[list[str]]:
    """The rank correlation of every recipe with every other one."""
    table = scores.rank_correlation().tolist()
    return [
        [recipe.name, *map(score_text, row)]
        for recipe, row in zip(scores.recipes, table, strict=True)
    ]
