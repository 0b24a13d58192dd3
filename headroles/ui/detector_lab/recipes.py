"""The section *Recipes of papers*: one head by every recipe, and all heads by two of them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, detector, models, view
from headroles.errors import HeadrolesError
from headroles.roles import ROLES
from headroles.types import Head
from headroles.ui.app import caches, elements, long_work, pace, run_prompt, scope, session
from headroles.ui.detector_lab import link, recipe_files, state
from headroles.view.html import escape, plain, table

if TYPE_CHECKING:
    from headroles.detector.recipe_scores import RecipeScores
    from headroles.detector.recipes import Recipe


TIMES_A_PASS = 2.0
"""How many times as long as its bare passes the comparison takes."""


def draw() -> None:
    """Draw the section: the role, then the answer, and all that it is made of."""
    elements.html(
        '<p class="hr-explain">Two papers may score one head .97 and .04. They measure different '
        "things under one name. Here every recipe scores the heads of your model.</p>"
    )
    role = st.segmented_control(
        "Role",
        link.COMPARED,
        format_func=lambda key: ROLES[key].name,
        key=state.RECIPES_OF,
        required=True,
        persist_state="session",
    )
    model = st.session_state[session.MODEL]
    name = model, role, st.session_state[state.RECIPE_SEED]
    try:
        with st.spinner(f"Loading {plain(models.name_of(model))}. The first time takes a moment."):
            caches.import_libraries()
            seconds = TIMES_A_PASS * _tokens(*name) * pace.token_seconds(model)
        what = "comparison of recipes"
        if not long_work.offer(
            state.RECIPE_WORK, name, "Score all heads", what=what, seconds=seconds
        ):
            return
        scores = long_work.run(
            state.RECIPE_WORK,
            name,
            partial(plan, *name),
            doing="Scoring every head by every recipe",
            show_error=run_prompt.show_model_error,
        )
    except HeadrolesError as error:
        run_prompt.show_model_error(error)
        return
    if scores is not None:
        show(model, scores)


@caches.keep
def _tokens(model: str, role: str, seed: int) -> int:
    """Tokens of all texts together."""
    with caches.borrow(model) as loaded:
        prepared = detector.recipe_scores.prepare(loaded, role, seed=seed)
    return sum(int(texts.lengths.sum()) for texts in prepared.texts.values())


def plan(model: str, role: str, seed: int) -> long_work.Plan:
    """Make the texts; a step per batch of them.

    Raises:
        HeadrolesError: if the model cannot be used.
    """
    with caches.borrow(model) as loaded:
        recipes = detector.recipe_scores.prepare(loaded, role, seed=seed)

    def score(step: detector.recipe_scores.RecipeStep) -> dict[str, object]:
        with caches.borrow(model) as loaded:
            return recipes.score(loaded, step)

    return long_work.Plan([partial(score, step) for step in recipes.steps], recipes.assemble)


def show(model: str, scores: RecipeScores) -> None:
    """Everything that is drawn once the scores are there."""
    head = chosen_head(scores)
    elements.conclusion(escape(view.recipes.conclusion(scores, head)))
    labels = [one.label for one in Head.every(*scores.mean.shape[1:])]
    st.session_state[state.SCORED_BOX] = head.label
    st.selectbox("Head", labels, key=state.SCORED_BOX, on_change=state.score_from_box)
    of_head(scores, head)
    of_all(scores, head)
    recipe_files.draw(model, scores, head)


def chosen_head(scores: RecipeScores) -> Head:
    """The head that was chosen, if this model has it; else the one that recipes differ most on."""
    head = st.session_state[state.SCORED]
    _recipes, layers, width = scores.mean.shape
    if head is not None and head.layer < layers and head.head < width:
        return head
    return scores.disagreement()[0]


def of_head(scores: RecipeScores, head: Head) -> None:
    """One head by every recipe: bars, and what makes each differ."""
    st.subheader(f"{head.label} by every recipe", anchor=False)
    records = view.recipes.bar_records(scores, head)
    drawing = charts.recipes.bars(records)
    said = view.recipes.bars_sentence(scores, head)
    elements.chart(drawing, key=session.chart_key("detector_lab-recipes"), alt_text=said)
    cut = "<span>at the left edge: it goes on</span>" if charts.recipes.is_cut(records) else ""
    elements.html(
        '<div class="hr-legend"><span><i class="hr-key hr-key-active"></i>this project</span>'
        "<span>outlined: other recipes</span><span>line: one standard error over texts</span>"
        f"{cut}</div>"
    )
    elements.html(table(view.recipes.TABLE, view.recipes.recipe_rows(scores, head)))
    with st.expander("Numbers, texts and sources", key="detector_lab-sources"):
        elements.html(table(view.recipes.SOURCES, view.recipes.source_rows(scores)))
        st.caption(view.recipes.HOW)
    scope.button(
        session.CLOSEUP,
        f"Open the close-up of {head.label}",
        icon=":material/search:",
        on_click=session.open_closeup,
        args=(head, scores.role),
        key="detector_lab-scored_closeup",
    )


def of_all(scores: RecipeScores, head: Head) -> None:
    """All heads by two recipes, their order by all of them, and the table."""
    st.subheader("All heads by two recipes", anchor=False)
    along, up = _two(scores)
    drawing = charts.recipes.scatter(
        view.recipes.scatter_records(scores, along, up, head), along=along.name, up=up.name
    )
    said = view.recipes.scatter_sentence(scores, along, up)
    elements.chart(
        drawing,
        key=session.chart_key(state.POINTS),
        alt_text=said,
        on_select=state.score_from_point,
    )
    elements.note(f"{escape(said)} Click a point to see that head by every recipe.")
    with st.expander("Every head by every recipe", key="detector_lab-every_recipe"):
        frame = view.tables.by_recipe(scores)
        st.dataframe(
            frame,
            key=session.chart_key(state.SCORED_TABLE),
            hide_index=True,
            column_config={"head": st.column_config.TextColumn("Head", pinned=True, width=70)},
            on_select=partial(_score_row, view.tables.heads_of(frame)),
            selection_mode="single-row",
            placeholder="–",
            height=min(36 * (len(frame) + 1) + 2, 400),
        )
        st.caption("Click a row to see that head by every recipe.")
    with st.expander("Do recipes agree on the order of heads?", key="detector_lab-ranks"):
        headers = ["", *(recipe.name for recipe in scores.recipes)]
        elements.html(table(headers, view.recipes.correlation_rows(scores)))
        st.caption("Rank correlation over all heads: 1 is the same order, 0 none at all.")


def _two(scores: RecipeScores) -> tuple[Recipe, Recipe]:
    """The recipes of the scatter, from their boxes."""
    by_key = {recipe.key: recipe for recipe in scores.recipes}
    if st.session_state[state.ALONG] not in by_key:
        st.session_state[state.ALONG] = "ours"
    if st.session_state[state.UP] not in by_key:
        _head, high, low = scores.disagreement()
        st.session_state[state.UP] = low.key if low.key != "ours" else high.key
    with st.container(horizontal=True):
        for label, key in (("Across", state.ALONG), ("Upwards", state.UP)):
            st.selectbox(
                label,
                list(by_key),
                format_func=lambda name: by_key[name].name,
                key=key,
                persist_state="session",
            )
    return by_key[st.session_state[state.ALONG]], by_key[st.session_state[state.UP]]


def _score_row(heads: list[Head]) -> None:
    event = st.session_state.get(session.chart_key(state.SCORED_TABLE))
    head = session.head_of_row(event, heads)
    if head is not None:
        session.forget_selection(state.SCORED_TABLE)
        state.score(head)
