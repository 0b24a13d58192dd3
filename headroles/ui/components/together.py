"""The section *Together*: key and value components, and importance by activation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import ablation, charts, circuits, models, view
from headroles.errors import HeadrolesError
from headroles.formatting import percent
from headroles.types import Component
from headroles.ui.app import download_button, elements, files, scope
from headroles.ui.components import choose, picture_caches, picture_state
from headroles.ui.components import files as component_files
from headroles.view.html import escape, plain, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.charts.drawing import Drawing
    from headroles.circuits.co_activation import CoActivation
    from headroles.ui.app.files import File, Table
    from headroles.ui.components.choose import Chosen
    from headroles.ui.components.files import Titled
    from headroles.ui.components.picture_caches import Points

ALIVE_HEADERS = ["Component", "When it is alive"]
COLUMNS, GRID = 4, 12
"""Small charts side by side, and in all."""
NO_IMPORTANCE = (
    "Components of the SVD have no importance: nothing says on which tokens they matter, so none "
    "is alive or not. "
)


def draw() -> None:
    """Draw the section."""
    chosen = choose.draw()
    if chosen is None:
        return
    if chosen.kind != "trained":
        st.info(NO_IMPORTANCE + _instead(chosen.model))
        return
    try:
        with st.spinner("Looking on which tokens of text components are alive."):
            found = picture_caches.together(chosen.model, chosen.kind, chosen.layer)
            points = picture_caches.points(chosen.model, chosen.kind, chosen.place)
    except HeadrolesError as error:
        elements.show_error(error)
        return
    _couples(chosen, found)
    _grid(chosen, points)
    with download_button.popover():
        download_button.buttons(_files(chosen, found, points))
        download_button.about("All couples that are alive together at least once.")


def _instead(model: str) -> str:
    """What to do where the chosen components have no importance, in Markdown."""
    if circuits.TRAINED in circuits.kinds_of(model):
        return "Choose trained components above."
    said = "This section is about trained components, which this model does not have."
    if scope.is_class() or choose.WITH_TRAINED not in view.offer.offered():
        return said
    name = plain(models.name_of(choose.WITH_TRAINED))
    return f"{said} {name} has some: *A model with trained ones*, above, leads there."


# ------------------------------------------------------------------ keys and values


def _couples(chosen: Chosen, found: CoActivation) -> None:
    words, layer = view.component_pictures, chosen.layer
    said = words.couple_sentence(found, layer)
    elements.conclusion(escape(said))
    st.subheader("Keys and values that go together", anchor=False)
    elements.html(
        '<p class="hr-explain">A key component helps to decide <b>where</b> heads look, a value '
        "component <b>what</b> is carried from there. Components that are alive (importance above "
        f"{ablation.component_activity.ALIVE}) on the same tokens may be two sides of one "
        "mechanism.</p>"
    )
    measure = st.segmented_control(
        "Shade",
        list(words.MEASURES),
        format_func=words.MEASURES.__getitem__,
        key=picture_state.MEASURE,
        required=True,
        persist_state="session",
        help="Phi: correlation of being alive, 0 for independent. Jaccard: tokens of both out of "
        "the tokens of either.",
    )
    records = words.couple_records(found, layer, measure)
    if not records:
        elements.note("No two are alive on the same token, so there is nothing to draw.")
        return
    drawing = charts.component_pictures.couples(records, unit=words.MEASURES[measure])
    elements.chart(drawing, key="components-couples", alt_text=said)
    elements.note(
        "Rows and columns: the key and value components in the closest couples by phi. Blue is "
        "above zero, orange below."
    )
    with st.expander("As a table", key="components-couples_table"):
        headers, rows = words.couple_table(found, layer)
        elements.html(f'<div class="hr-one-line">{table(headers, rows)}</div>')


# ------------------------------------------------------------------ importance by activation


def _grid(chosen: Chosen, points: Points) -> None:
    """Small charts of the components of the chosen matrix that are alive most often."""
    words, alive = view.component_pictures, ablation.component_activity.ALIVE
    what = f"the {words.MATRICES[chosen.matrix]} matrix of layer {chosen.layer}"
    st.subheader("Importance against inner activation", anchor=False)
    elements.html(
        '<p class="hr-explain">A component’s <b>inner activation</b> at a token is the one number '
        "that it reads there; its <b>importance</b> is made of that number alone. Each point is a "
        "token of text. A curve on one side only means that the component works with one sign.</p>"
    )
    best = words.most_alive(points.importances, alive, GRID)
    if not best:
        elements.note(f"No component of {escape(what)} is alive on this text.")
        return
    for start in range(0, len(best), COLUMNS):
        places = st.columns(COLUMNS, gap="small")
        for place, (number, share) in zip(places, best[start : start + COLUMNS], strict=False):
            label = Component(*chosen.place, number).label
            with place:
                elements.html(
                    f'<p class="hr-small"><b>{label}</b>, alive on {escape(percent(share))}</p>'
                )
                elements.chart(
                    scatter(points, number, small=True),
                    key=f"components-scatter_{label}",
                    alt_text=_said(points, label, number),
                )
    elements.note(
        f"The components of {escape(what)} that are alive most often. Across: inner activation; "
        f"upwards: importance; dashed: {alive}, from which a component counts as alive. "
        f"{words.points_sentence(len(points.tokens), words.SMALL_POINTS)}"
    )
    with st.expander("As a table", key="components-scatter_table"):
        elements.html(table(ALIVE_HEADERS, _alive_rows(chosen, points, best)))


def _said(points: Points, label: str, number: int) -> str:
    return view.component_pictures.scatter_sentence(
        label,
        points.activations[:, number],
        points.importances[:, number],
        ablation.component_activity.ALIVE,
    )


def scatter(points: Points, number: int, *, small: bool = False) -> Drawing:
    """Importance by inner activation of one component, a point per token."""
    words = view.component_pictures
    records = words.scatter_records(
        points.activations[:, number],
        points.importances[:, number],
        points.tokens,
        words.SMALL_POINTS if small else words.MOST_POINTS,
    )
    return charts.component_pictures.importance_scatter(
        records, alive=ablation.component_activity.ALIVE, small=small
    )


def draw_one(chosen: Chosen, component: Component) -> list[File]:
    """The scatter of one trained component, for the section *One*; its files, or none where it
    cannot be had, which is said."""
    try:
        with st.spinner("Running the component on text."):
            points = picture_caches.points(chosen.model, chosen.kind, component.place)
    except HeadrolesError as error:
        elements.show_error(error)
        return []
    st.subheader("Importance against inner activation", anchor=False)
    said = _said(points, component.label, component.number)
    elements.html(f'<p class="hr-explain"><b>{escape(said)}</b></p>')
    elements.chart(scatter(points, component.number), key="components-scatter", alt_text=said)
    words = view.component_pictures
    elements.note(
        "Each point is a token of text. "
        f"{words.points_sentence(len(points.tokens), words.MOST_POINTS)} Dashed: an importance of "
        f"{ablation.component_activity.ALIVE}, from which a component counts as alive."
    )
    return one_files(chosen, component, points)


def one_files(chosen: Chosen, component: Component, points: Points) -> list[File]:
    """The scatter of one component, and every token behind it."""
    name = (chosen.model, f"{chosen.kind} {component.label} importance by activation")
    return [
        *files.tables(
            "Importances",
            partial(_point_table, chosen, points, [component.number]),
            name=name,
            rows="tokens",
        ),
        *files.pictures(
            partial(scatter, points, component.number),
            name=name,
            title=_said(points, component.label, component.number),
            about=files.about_picture(chosen.model),
            what="Importance",
        ),
    ]


# ------------------------------------------------------------------ files


def _files(chosen: Chosen, found: CoActivation, points: Points) -> Sequence[File]:
    words, layer = view.component_pictures, chosen.layer
    measure = st.session_state[picture_state.MEASURE]
    matrix = f"L{layer}{chosen.matrix.upper()}"
    best = words.most_alive(points.importances, ablation.component_activity.ALIVE, GRID)
    offered = [
        *files.tables(
            "Couples",
            partial(_couple_table, chosen, found),
            name=(chosen.model, f"L{layer} alive together"),
            rows="couples",
        ),
        *files.tables(
            "Importances",
            partial(_point_table, chosen, points, [number for number, _ in best]),
            name=(chosen.model, f"{matrix} importance by activation"),
            rows="tokens",
        ),
        *component_files.report(
            f"Components of layer {layer} that are alive together",
            words.couple_sentence(found, layer),
            partial(_titled, chosen, found, points, best),
            name=(chosen.model, f"{matrix} alive together"),
            origin=partial(_origin, chosen),
        ),
    ]
    records = words.couple_records(found, layer, measure)
    if records:
        offered += files.pictures(
            partial(charts.component_pictures.couples, records, unit=words.MEASURES[measure]),
            name=(chosen.model, f"L{layer} alive together {measure}"),
            title=words.couple_sentence(found, layer),
            about=files.about_picture(chosen.model),
        )
    return offered


def _origin(chosen: Chosen) -> dict[str, object]:
    return component_files.of_model(
        chosen.model, chosen.kind, alive_above=ablation.component_activity.ALIVE
    )


def _titled(
    chosen: Chosen, found: CoActivation, points: Points, best: Sequence[tuple[int, float]]
) -> list[Titled]:
    headers, rows = view.component_pictures.couple_table(found, chosen.layer)
    return [
        ("Keys and values that go together", headers, rows),
        ("Importance against inner activation", ALIVE_HEADERS, _alive_rows(chosen, points, best)),
    ]


def _alive_rows(
    chosen: Chosen, points: Points, best: Sequence[tuple[int, float]]
) -> list[list[str]]:
    """The table twin of the small charts."""
    labels = [(Component(*chosen.place, number).label, number) for number, _ in best]
    return [[label, _said(points, label, number)] for label, number in labels]


def _couple_table(chosen: Chosen, found: CoActivation) -> Table:
    return view.component_pictures.couple_rows(found, chosen.layer), _origin(chosen)


def _point_table(chosen: Chosen, points: Points, numbers: Sequence[int]) -> Table:
    """One row per token and component."""
    rows = [
        {
            "component": Component(*chosen.place, number).label,
            "token_number": place,
            "token": token,
            "inner_activation": float(points.activations[place, number]),
            "importance": float(points.importances[place, number]),
        }
        for number in numbers
        for place, token in enumerate(points.tokens)
    ]
    return rows, _origin(chosen)
