"""The section *Distance*: what pairs of components add to attention scores."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, view
from headroles.errors import HeadrolesError
from headroles.formatting import places
from headroles.types import Head
from headroles.ui.app import caches, download_button, elements, files
from headroles.ui.components import choose, picture_caches, picture_state, state
from headroles.ui.components import files as component_files
from headroles.view.html import escape, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.charts.drawing import Drawing
    from headroles.ui.app.files import File, Table
    from headroles.ui.components.choose import Chosen
    from headroles.ui.components.files import Titled
    from headroles.ui.components.picture_caches import Profile

COLUMNS = 4
"""Small charts side by side."""
ALL, TOGETHER = -1, "All heads together"
"""No single head: in the box, and what the reader sees."""


def draw() -> None:
    """Draw the section."""
    chosen = choose.draw(with_matrix=False)
    if chosen is None:
        return
    elements.html(
        '<p class="hr-explain">How much a token looks at another is decided by a <b>score</b>, and '
        "a score is a sum over pairs: a component of the queries and a component of the keys. "
        "Which pairs make a head look at the token before, or far back?</p>"
    )
    try:
        with st.spinner("Multiplying query and key components."):
            head = _asked(chosen)
            made = picture_caches.profile(
                chosen.model,
                chosen.kind,
                chosen.layer,
                st.session_state[picture_state.STRENGTH],
                st.session_state[picture_state.ORDER],
                head,
            )
    except HeadrolesError as error:
        elements.show_error(error)
        return
    _show(chosen, made, head)


def _asked(chosen: Chosen) -> int | None:
    """The boxes; which head is asked for, or None for all together."""
    _, heads = caches.shape(chosen.model)
    now = st.session_state
    if (wanted := now[picture_state.OFFSET_HEAD]) is not None and wanted >= heads:
        state.link_error(f"There is no head H{wanted}.", f"A layer has {places('head', heads)}.")
        wanted = now[picture_state.OFFSET_HEAD] = None
    box = f"{picture_state.OFFSET_BOX}_{chosen.model}_{chosen.layer}"
    now[box] = ALL if wanted is None else wanted
    with st.container(horizontal=True, vertical_alignment="bottom", key="components-offsets"):
        st.selectbox(
            "Heads",
            [ALL, *range(heads)],
            format_func=lambda h: TOGETHER if h == ALL else Head(chosen.layer, h).label,
            key=box,
            on_change=_take_head,
            args=(box,),
            width=190,
        )
        st.segmented_control(
            "Strength of a pair",
            list(picture_state.STRENGTHS),
            format_func=picture_state.STRENGTHS.__getitem__,
            key=picture_state.STRENGTH,
            required=True,
            persist_state="session",
            help="Typical: each component as strong as it usually is on text. Measured: the mean "
            "over all pairs of tokens that are so far apart.",
        )
        st.segmented_control(
            "Which pairs are drawn",
            list(picture_state.ORDERS),
            format_func=picture_state.ORDERS.__getitem__,
            key=picture_state.ORDER,
            required=True,
            persist_state="session",
        )
    return wanted


def _take_head(box: str) -> None:
    head = st.session_state[box]
    st.session_state[picture_state.OFFSET_HEAD] = None if head == ALL else head


def _show(chosen: Chosen, made: Profile, head: int | None) -> None:
    """The lines, the squares, head by head, and the table."""
    layer, found = chosen.layer, made.found
    words = view.component_pairs
    said = words.sentence(layer, found, head, order=st.session_state[picture_state.ORDER])
    elements.conclusion(escape(said))
    whose = TOGETHER if head is None else Head(layer, head).label
    with_rest = st.toggle(
        "Draw all that is left, too",
        key=picture_state.WITH_REST,
        persist_state="session",
        help="The biases, all other pairs, and the sum of everything. They are often far larger "
        "than a single pair.",
    )
    elements.chart(
        charts.component_pairs.lines(
            words.line_records(layer, found, head, with_rest=with_rest), unit=words.UNIT
        ),
        key=f"components-pair_lines_{with_rest}",
        alt_text=f"{whose}: what pairs of components add to the score by distance. {said}",
    )
    if remark := words.remarked(found.pairs, layer, made.remarks):
        elements.note(escape(remark))
    st.subheader("The same in squares", anchor=False)
    elements.chart(_pair_squares(layer, made, head), key="components-pair_squares", alt_text=said)
    elements.html(
        '<div class="hr-legend"><span><i class="hr-key hr-key-active"></i>+ adds to the score'
        '</span><span><i class="hr-key hr-key-against"></i>− takes away</span></div>'
    )
    elements.note(words.shade_sentence(found, head))
    _by_head(chosen, made)
    with st.expander("As a table", key="components-pairs_table"):
        headers, rows = words.table_rows(layer, found, head, made.remarks)
        elements.html(f'<div class="hr-one-line">{table(headers, rows)}</div>')
        elements.note("Columns: tokens back. Strongest head: of this part alone.")
    with st.expander("How it is measured", key="components-pairs_how"):
        st.markdown(words.how(found))
    with download_button.popover():
        download_button.buttons(_files(chosen, made, head, said))
        download_button.about("Every part adds up to the whole, head by head.")


def _pair_squares(layer: int, made: Profile, head: int | None) -> Drawing:
    records = view.component_pairs.square_records(layer, made.found, head)
    return charts.component_pairs.squares(records, unit=view.component_pairs.UNIT, down="pair")


def _head_squares(layer: int, made: Profile) -> Drawing:
    records = view.component_pairs.square_records(layer, made.found, None, by_head=True)
    return charts.component_pairs.squares(records, unit=view.component_pairs.UNIT, down="head")


def _by_head(chosen: Chosen, made: Profile) -> None:
    st.subheader("Head by head", anchor=False)
    layer = chosen.layer
    elements.chart(
        _head_squares(layer, made),
        key="components-head_squares",
        alt_text=f"What all pairs of components add to the score of each head of layer {layer} by "
        "distance, without the biases.",
    )
    elements.note(
        "All pairs together, without the biases. "
        f"{view.component_pairs.shade_sentence(made.found, None, by_head=True)} Below: the "
        "strongest pairs, all with one scale."
    )
    small = charts.component_pairs.small_lines(
        view.component_pairs.small_records(layer, made.found), unit=view.component_pairs.UNIT
    )
    for start in range(0, len(small), COLUMNS):
        places = st.columns(COLUMNS, gap="small")
        for place, (name, drawing) in zip(places, small[start : start + COLUMNS], strict=False):
            with place:
                elements.html(f'<p class="hr-small"><b>{escape(name)}</b></p>')
                elements.chart(
                    drawing,
                    key=f"components-small_{name}",
                    alt_text=f"{name}: the same pairs of components by distance; the numbers are "
                    "in the file.",
                )


def _files(chosen: Chosen, made: Profile, head: int | None, said: str) -> Sequence[File]:
    words, layer, found = view.component_pairs, chosen.layer, made.found
    strength = st.session_state[picture_state.STRENGTH]
    with_rest = bool(st.session_state[picture_state.WITH_REST])
    whose = f"{chosen.kind} L{layer}" if head is None else f"{chosen.kind} L{layer}H{head}"
    name = (chosen.model, f"{whose} pairs by distance")
    about = files.about_picture(chosen.model)
    table_of = partial(_table, chosen, made, said, strength)

    def lines() -> Drawing:
        records = words.line_records(layer, found, head, with_rest=with_rest)
        return charts.component_pairs.lines(records, unit=words.UNIT)

    return [
        *files.tables("Pairs", table_of, name=name, rows="parts"),
        *component_files.report(
            f"Pairs of components of layer {layer}, by distance",
            said,
            partial(_titled, layer, made, head),
            name=name,
            origin=partial(_origin, chosen, said, strength),
        ),
        *files.pictures(lines, name=name, title=said, about=about, what="Lines"),
        *files.pictures(
            partial(_pair_squares, layer, made, head),
            name=(chosen.model, f"{whose} pairs in squares"),
            title=said,
            about=about,
            what="Squares",
        ),
        *files.pictures(
            partial(_head_squares, layer, made),
            name=(chosen.model, f"{chosen.kind} L{layer} heads by distance"),
            title=f"All pairs of components of layer {layer}, head by head",
            about=about,
            what="Heads",
        ),
    ]


def _table(chosen: Chosen, made: Profile, said: str, strength: str) -> Table:
    rows = view.component_pairs.export_rows(chosen.layer, made.found)
    return rows, _origin(chosen, said, strength)


def _origin(chosen: Chosen, said: str, strength: str) -> dict[str, object]:
    return component_files.of_model(chosen.model, chosen.kind, strength=strength, conclusion=said)


def _titled(layer: int, made: Profile, head: int | None) -> list[Titled]:
    words = view.component_pairs
    whose = TOGETHER if head is None else Head(layer, head).label
    headers, rows = words.table_rows(layer, made.found, head, made.remarks)
    return [(f"{whose}: {words.UNIT}, by tokens back", headers, rows)]
