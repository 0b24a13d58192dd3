"""All heads of a model by all recipes of a role, each text run once.

>>> scores = recipe_scores(load_model("demo"), "induction")  # doctest: +SKIP
>>> scores.of(Head(1, 4))["ours"]  # doctest: +SKIP
0.97
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from headroles.capture import each_layer
from headroles.detector.comparison import DrawnBySight, compare
from headroles.detector.recipe_texts import TEXTS, Maker, make_texts
from headroles.detector.recipes import RECIPES, Recipe
from headroles.models import LoadedModel
from headroles.roles import ROLES, Prompts
from headroles.scoring import Visible
from headroles.texts import batches
from headroles.types import Head, Sequences

MAX_CELLS = 400_000
"""Texts x length^2 that run together."""
Progress = Callable[[int, int], None]
"""Called as ``progress(steps done, steps in all)``."""


@dataclass(frozen=True, eq=False)
class RecipeScores:
    """All heads of a model by all recipes of one role."""

    role: str
    recipes: tuple[Recipe, ...]
    mean: Float[Tensor, "recipe layer head"]
    """[recipe layer head] mean over the texts that have a score; NaN where none has."""
    error: Float[Tensor, "recipe layer head"]
    """[recipe layer head] standard error over texts; NaN for fewer than two."""
    texts: Mapping[str, Sequences]
    """{key of texts: what was run}."""
    seed: int
    """What the texts were drawn with."""

    def n(self, recipe: Recipe) -> int:
        """Texts of a recipe."""
        return len(self.texts[recipe.texts])

    def of(self, head: Head) -> dict[str, float]:
        """{key of a recipe: the head's score}."""
        scores = self.mean[:, head.layer, head.head].tolist()
        return {recipe.key: score for recipe, score in zip(self.recipes, scores, strict=True)}

    def rank_correlation(self) -> Float[Tensor, "recipe recipe"]:
        """[recipe recipe] Spearman's correlation over all heads; NaN where a recipe scores all
        alike."""
        ranks = torch.stack([_ranks(scores.flatten()) for scores in self.mean])
        return torch.corrcoef(ranks)

    def disagreement(self) -> tuple[Head, Recipe, Recipe]:
        """The head on which two recipes differ most, with the higher and the lower one.

        ``abs`` has another scale and takes no part.
        """
        places = [place for place, recipe in enumerate(self.recipes) if recipe.from_zero]
        scores = self.mean[places].nan_to_num(0.0)  # [recipe layer head]
        gap = scores.amax(0) - scores.amin(0)
        head = Head(*divmod(int(gap.argmax()), gap.shape[1]))
        mine = scores[:, head.layer, head.head]
        return (
            head,
            self.recipes[places[int(mine.argmax())]],
            self.recipes[places[int(mine.argmin())]],
        )


def _ranks(values: Float[Tensor, " head"]) -> Float[Tensor, " head"]:
    """Ranks from 0; equal values share the mean of theirs."""
    values = values.double()
    below = (values.unsqueeze(0) < values.unsqueeze(1)).sum(1)
    equal = (values.unsqueeze(0) == values.unsqueeze(1)).sum(1)
    return below + (equal - 1) / 2


@dataclass(frozen=True, eq=False)
class RecipeStep:
    """Some texts of one kind that run together."""

    texts: str
    """The kind."""
    places: Int[Tensor, " batch"]
    """[batch] which of its texts they are."""


@dataclass(frozen=True, eq=False)
class RecipePlan:
    """The work in steps: :meth:`score` each step, then :meth:`assemble`."""

    role: str
    recipes: tuple[Recipe, ...]
    texts: Mapping[str, Sequences]
    seed: int
    shape: tuple[int, int]
    tokens_a_step: int
    """:attr:`headroles.models.loading.LoadedModel.tokens_a_step`."""

    @property
    def steps(self) -> list[RecipeStep]:
        """All batches of all texts, in order."""
        return [
            RecipeStep(key, places)
            for key, texts in self.texts.items()
            for places in batches(texts, max_cells=MAX_CELLS, max_tokens=self.tokens_a_step)
        ]

    def score(self, loaded: LoadedModel, step: RecipeStep) -> dict[str, Tensor]:
        """{key of a recipe: [batch layer head]} of the texts of one step.

        Raises:
            NotANumberError: if the model computes NaN or infinity.
        """
        some = Prompts(self.texts[step.texts]).some(step.places)
        recipes = [recipe for recipe in self.recipes if recipe.texts == step.texts]
        scores = {
            recipe.key: torch.full((len(step.places), *self.shape), torch.nan) for recipe in recipes
        }
        by_layer = {recipe.key: _scorer(recipe, some) for recipe in recipes}

        def on_layer(layer: int, attention: Tensor, visible: Visible = None) -> None:
            for key, measure in by_layer.items():
                scores[key][:, layer] = measure(attention, visible)

        each_layer(loaded, some.sequences.token_ids, on_layer)
        return scores

    def assemble(self, parts: Sequence[Mapping[str, Tensor]]) -> RecipeScores:
        """All scores, from the steps in any order."""
        means, errors = [], []
        for recipe in self.recipes:
            scores = torch.cat([part[recipe.key] for part in parts if recipe.key in part]).double()
            n = (~scores.isnan()).sum(0)
            mean = scores.nanmean(0)
            spread = (scores - mean).square().nansum(0) / (n - 1).clamp_min(1)
            means.append(mean)
            errors.append(torch.where(n > 1, (spread / n.clamp_min(1)).sqrt(), torch.nan))
        return RecipeScores(
            self.role,
            self.recipes,
            torch.stack(means).float(),
            torch.stack(errors).float(),
            self.texts,
            self.seed,
        )


def _scorer(
    recipe: Recipe, prompts: Prompts
) -> Callable[[Float[Tensor, "batch head query key"], Visible], Float[Tensor, "batch head"]]:
    """What scores one layer's attention on some texts."""
    if recipe.weights is not None:
        weights = recipe.weights(prompts)  # [batch query key]

        def weighted(attention: Tensor, _visible: Visible) -> Tensor:
            return torch.einsum("bhqk,bqk->bh", attention.double(), weights.double()).float()

        return weighted
    drawn = DrawnBySight(
        (ROLES[recipe.pattern],),
        prompts,
        exclude_bos=recipe.exclude_bos,
        exclude_current_token=recipe.exclude_current_token,
    )

    def compared(attention: Tensor, visible: Visible) -> Tensor:
        patterns, _even = drawn.to(visible)
        return compare(attention, patterns)[0][recipe.measure][0]

    return compared


def prepare(loaded: LoadedModel, role: str, *, n: int | None = None, seed: int = 0) -> RecipePlan:
    """Make the texts; the arguments and errors are those of :func:`recipe_scores`."""
    recipes = RECIPES[role]
    keys = dict.fromkeys(recipe.texts for recipe in recipes)
    texts = {}
    for key in keys:
        rng = np.random.default_rng([seed, list(TEXTS).index(key)])
        maker = Maker(loaded.tokenizer, rng, loaded.max_tokens)
        texts[key] = make_texts(maker, key, n)
    return RecipePlan(role, recipes, texts, seed, loaded.shape, loaded.tokens_a_step)


def recipe_scores(
    loaded: LoadedModel,
    role: str,
    *,
    n: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> RecipeScores:
    """Score all heads by all recipes of a role, each text run once.

    Args:
        loaded: a model from :func:`headroles.models.loading.load_model`.
        role: a key of :data:`RECIPES`.
        n: texts of each kind; None for as many as the source takes (of Yin & Steinhardt's
            thousand, 32).
        seed: fixes what is drawn.
        progress: called after every batch.

    Raises:
        NotANumberError: if the model computes NaN or infinity.
    """
    plan = prepare(loaded, role, n=n, seed=seed)
    steps, parts = plan.steps, []
    for step in steps:
        parts.append(plan.score(loaded, step))
        if progress:
            progress(len(parts), len(steps))
    return plan.assemble(parts)
