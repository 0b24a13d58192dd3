"""The files of the section *Recipes of papers*, made when their button is pressed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from headroles import charts, export, view
from headroles.ui.app import caches, download_button, files
from headroles.ui.app.files import File, Table, about_picture, pictures

if TYPE_CHECKING:
    from headroles.detector.recipe_scores import RecipeScores
    from headroles.types import Head


def draw(model: str, scores: RecipeScores, head: Head) -> None:
    """The button with the files."""
    with download_button.popover():
        download_button.buttons(of_scores(model, scores, head))
        download_button.about("Every file names each recipe's source, formula and texts.")


def of_scores(model: str, scores: RecipeScores, head: Head) -> list[File]:
    """All heads by all recipes, and the bars of one head."""
    name = (model, f"recipes {scores.role}")
    bars = partial(charts.recipes.bars, view.recipes.bar_records(scores, head))
    return [
        *files.tables("All heads", partial(_table, model, scores), name=name),
        *pictures(
            bars,
            name=(model, f"recipes {scores.role} {head.label}"),
            title=f"{head.label} by every recipe",
            about=about_picture(model),
        ),
    ]


def _table(model: str, scores: RecipeScores) -> Table:
    with caches.borrow(model) as loaded:
        return export.recipes.rows(scores), export.recipes.provenance(scores, loaded)
