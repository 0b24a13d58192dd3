"""The section Recipes of papers of the Detector lab, without a browser, on the bundled model."""

from __future__ import annotations

import json

import pytest

from headroles import models
from headroles.charts import recipes as charts_recipes
from headroles.detector.recipe_scores import recipe_scores
from headroles.detector.recipes import RECIPES
from headroles.types import Head
from headroles.ui.app import session
from headroles.ui.detector_lab import link, recipe_files, state
from headroles.view import recipes as words
from tests.facts import says
from tests.pages.on_page import alts, opened, page_html

PAGE = "pages/detector_lab.py"
ROLE = "previous_token"
"""Its recipes have the shortest texts."""


@pytest.fixture(scope="module")
def scores():
    return recipe_scores(models.load_model("demo"), ROLE)


@pytest.fixture
def app():
    return opened(PAGE, section="recipes", recipes_of=ROLE, scored="L0H6")


def test_the_link_names_the_roles_with_recipes() -> None:
    assert tuple(RECIPES) == link.COMPARED


def test_a_head_by_every_recipe(app, scores) -> None:
    head = Head(0, 6)
    html = page_html(app)
    worst, high, _low = scores.disagreement()
    assert says(html, worst.label, words.score_text(scores.of(worst)[high.key]), high.name)
    for recipe in scores.recipes:
        assert says(alts(app)[0], recipe.name, words.score_text(scores.of(head)[recipe.key]))
        assert recipe.source in html.replace("&amp;", "&")
    bars = json.loads(app.get("vega_lite_chart")[0].proto.spec)
    assert bars["layer"]
    assert len(app.dataframe[0].value) == 32


def test_a_score_far_below_zero_leaves_the_others_their_width() -> None:
    """By ``abs``, L18H7 of SmolLM2 has −1.84 ± 1.36; its other bars had a quarter of the width."""
    record = {"order": 0, "name": "a", "value": 0.9, "low": 0.8, "high": 1.0, "ours": True,
              "shown": "0.90", "differs": "", "source": ""}  # fmt: skip
    far = record | {"order": 1, "name": "b", "value": -1.84, "low": -3.2, "high": -0.48}
    near = far | {"value": -0.1, "low": -0.2, "high": 0.0}
    for last, low, cut in ((far, charts_recipes.LOWEST, True), (near, -0.2, False)):
        drawing = charts_recipes.bars([record, last])
        drawn = json.dumps(drawing.to_dict())
        assert f'"domain": [{low}, 1.15]' in drawn
        assert charts_recipes.is_cut([record, last]) is cut
        marks = [layer["mark"] for layer in drawing.to_dict()["layer"]]
        clipped = [mark["type"] for mark in marks if isinstance(mark, dict) and mark.get("clip")]
        assert clipped == ["bar", "rule"]


def test_a_point_a_row_or_the_box_chooses_the_head(app) -> None:
    app.selectbox(key=state.SCORED_BOX).set_value("L3H2").run()
    assert not app.exception
    assert app.session_state[state.SCORED] == Head(3, 2)
    assert says(alts(app)[0], "L3H2")
    app.button(key="detector_lab-scored_closeup").click().run()
    assert app.session_state[session.HEAD] == Head(3, 2)


def test_a_head_that_the_model_lacks_gives_way(scores) -> None:
    app = opened(PAGE, section="recipes", recipes_of=ROLE, scored="L29H8")
    assert app.selectbox(key=state.SCORED_BOX).value == scores.disagreement()[0].label


def test_a_recipe_of_another_role_gives_way() -> None:
    app = opened(PAGE, section="recipes", recipes_of=ROLE, recipe_along="olsson", recipe_up="arena")
    assert app.selectbox(key=state.ALONG).value == "ours"
    assert app.selectbox(key=state.UP).value in {recipe.key for recipe in RECIPES[ROLE]}


def test_the_files_hold_every_recipe_with_its_source(scores) -> None:
    made = {file.label: file for file in recipe_files.of_scores("demo", scores, Head(0, 6))}
    table = json.loads(made["All heads as JSON"].make())
    assert len(table["rows"]) == 32 * len(scores.recipes)
    assert set(table["provenance"]["recipes"]) == {recipe.key for recipe in scores.recipes}
    one = next(row for row in table["rows"] if (row["label"], row["recipe"]) == ("L0H6", "ours"))
    assert one["score"] == pytest.approx(scores.of(Head(0, 6))["ours"], abs=1e-6)
    assert made["Chart as PNG"].make()[:4] == b"\x89PNG"
