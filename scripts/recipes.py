"""Score all heads by the recipes of well-known papers, side by side.

python -m scripts.recipes demo
python -m scripts.recipes demo --role previous_token --out recipes.csv
python -m scripts.recipes demo --role induction --head L1H4 --out bars.png

Says on which head two recipes differ most, and what makes each recipe differ; a file holds every
head by every recipe, with the source, formula and texts of each.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from headroles import charts, detector, export, limits, models, view
from headroles.detector.recipes import RECIPES
from headroles.types import Head
from scripts import command_line, on_prompt
from scripts.command_line import MODEL
from scripts.on_prompt import Output, Panel, Picture

if TYPE_CHECKING:
    from headroles.detector.recipe_scores import RecipeScores
    from headroles.models import LoadedModel


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = command_line.parser("recipes", __doc__)
    whole = command_line.whole
    add = parser.add_argument
    add("model", nargs="?", type=MODEL, default="demo", help="catalogue key, folder or Hub id")
    add("--role", choices=tuple(RECIPES), default="induction", help="the role that is scored")
    add("--head", type=command_line.head,
        help="the head that is printed; by default where recipes differ most")  # fmt: skip
    add("--n", type=whole(limits.GENERATED),
        help="texts of each kind; by default as many as each source takes")  # fmt: skip
    add("--seed", type=whole(limits.SEED), default=0, help="fixes the texts that are drawn")
    add("--top", type=whole(limits.LISTED_HEADS), default=5,
        help="heads that are named for each recipe (default 5)")  # fmt: skip
    on_prompt.add_output(add)
    return parser.parse_args(argv)


def as_text(scores: RecipeScores, head: Head, *, top: int) -> str:
    """The largest disagreement, one head by every recipe, and each recipe's best heads."""
    lines = [view.recipes.conclusion(scores, head), "", f"{head.label} by every recipe:"]
    lines += on_prompt.aligned([view.recipes.TABLE, *view.recipes.recipe_rows(scores, head)])
    lines += ["", "The highest heads of each recipe:"]
    lines += on_prompt.aligned(
        [[recipe.name, ", ".join(_best(scores, place, top))]
         for place, recipe in enumerate(scores.recipes)]
    )  # fmt: skip
    lines += ["", "Numbers, texts and sources:"]
    lines += on_prompt.aligned([view.recipes.SOURCES, *view.recipes.source_rows(scores)])
    return "\n".join(lines)


def _best(scores: RecipeScores, place: int, top: int) -> list[str]:
    """Heads with their scores, the highest first."""
    values = scores.mean[place]
    order = values.nan_to_num(-2.0).flatten().argsort(descending=True)[:top].tolist()
    heads = [Head(*divmod(at, values.shape[1])) for at in order]
    return [f"{head.label} {view.recipes.score_text(float(values[head]))}" for head in heads]


def _output(scores: RecipeScores, loaded: LoadedModel, head: Head | None, *, top: int) -> Output:
    shown = head or scores.disagreement()[0]
    draw = partial(charts.recipes.bars, view.recipes.bar_records(scores, shown))
    about = export.provenance.about_picture(loaded.key)
    return Output(
        as_text(scores, shown, top=top),
        export.recipes.rows(scores, head),
        export.recipes.provenance(scores, loaded),
        picture=Picture([Panel(draw, f"{shown.label} by every recipe", about)]),
    )


@command_line.command
def main(argv: Sequence[str] | None = None) -> int:
    """Score, print and write."""
    options = parse_arguments(argv)
    loaded = models.load_model(options.model)
    if options.head is not None:
        options.head.check(*loaded.shape)
    with command_line.bar("texts") as progress:
        scores = detector.recipe_scores.recipe_scores(
            loaded, options.role, n=options.n, seed=options.seed, progress=progress
        )
    return on_prompt.give(_output(scores, loaded, options.head, top=options.top), options)


if __name__ == "__main__":
    sys.exit(main())
