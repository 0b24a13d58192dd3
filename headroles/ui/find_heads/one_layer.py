"""The patterns of all heads of a layer on the prompt, as small pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, scoring, view
from headroles.errors import HeadrolesError
from headroles.formatting import percent
from headroles.roles import ROLES
from headroles.types import Head
from headroles.ui.app import (
    caches,
    download_button,
    elements,
    files,
    prompt_form,
    run_prompt,
    session,
)
from headroles.ui.find_heads import state
from headroles.view.html import table

if TYPE_CHECKING:
    from headroles.charts.drawing import Drawing
    from headroles.ui.app.caches import Answer, Reference
    from headroles.view.layer_glance import Notable

WIDE = {9: (5, 168), 16: (6, 138), 1024: (8, 100)}
"""{most heads: pictures in a row and their pixels} on a desk."""
NARROW = (3, 104)
"""The same on a phone."""


def draw() -> None:
    """Draw the section."""
    prompt_form.folded(key="find_heads-layer_prompt")
    answer = run_prompt.run()
    if answer is None:
        return
    elements.cut_off(answer.run.encoding)
    try:
        reference = caches.reference(answer)
        run_prompt.warn_about_reference(reference)
    except HeadrolesError as error:
        reference = run_prompt.without_reference(error)
    layers, heads = answer.scores.resting.shape
    layer, hidden = choose(layers)
    found = [
        view.layer_glance.notable(answer.scores, reference.thresholds, head)
        for head in Head.every([layer], heads)
    ]
    elements.conclusion(escape(view.layer_glance.sentence(layer, layers, found)))
    records = records_of(answer, found, hidden=hidden)
    for name, (columns, side) in {"wide": _wide(heads), "narrow": NARROW}.items():
        chart = f"{state.THUMBNAILS}_{name}"
        with st.container(key=f"find_heads-{name}"):
            elements.chart(
                charts.thumbnails.grid(records, columns=columns, side=side),
                key=session.chart_key(chart),
                alt_text=view.layer_glance.sentence(layer, layers, found),
                on_select=session.on_click(chart, None),
            )
    elements.note(_how_to_read(hidden=hidden))
    _table(found)
    _files(answer, reference, layer, found, records)


def choose(layers: int) -> tuple[int, bool]:
    """The layer and the switch."""
    if st.session_state[state.LAYER] >= layers:  # of a link, or of a deeper model
        st.session_state[state.LAYER] = layers - 1
    with st.container(horizontal=True, vertical_alignment="bottom", key="find_heads-which_layer"):
        layer = st.number_input(
            f"Layer, 0 to {layers - 1}",
            0,
            layers - 1,
            key=state.LAYER,
            persist_state="session",
            width=180,
        )
        hidden = st.toggle(
            "Hide the first column",
            key=state.HIDE,
            persist_state="session",
            help="Most heads rest on the first token. Without it, what is left of each row is "
            "rescaled to 100%, so that what a head does besides can be seen.",
        )
    return int(layer), bool(hidden)


def _wide(heads: int) -> tuple[int, int]:
    return next(look for most, look in WIDE.items() if heads <= most)


def records_of(
    answer: Answer, found: Sequence[Notable], *, hidden: bool
) -> list[dict[str, object]]:
    """One record per head for the chart."""
    opened = st.session_state[session.HEAD]
    return [
        {
            "layer": one.head.layer,
            "head": one.head.head,
            "label": one.head.label,
            "does": one.words,
            "busy": one.is_busy,
            "open": one.head == opened,
            "shown": one.shown,
            "image": picture(answer, one.head, hidden=hidden),
        }
        for one in found
    ]


def picture(answer: Answer, head: Head, *, hidden: bool) -> str:
    """A head's pattern as an image."""
    attention = answer.run.attention[head]
    if hidden:
        attention = scoring.without_rest(attention).attention
    return charts.thumbnails.image(attention.numpy())


EMPTY = "A row of which nothing is left stays empty: there the head rests completely."
"""On pictures without the first column; :data:`headroles.scoring.offsets.NOTHING_LEFT`."""


def _how_to_read(*, hidden: bool) -> str:
    first = (
        "The column of the first token is hidden, and what is left of each row is rescaled. "
        f"{EMPTY}"
        if hidden
        else "The column at the left edge is the first token, where most heads rest."
    )
    return (
        "Each picture is a head’s pattern: rows are the tokens that look, from above to below, and "
        f"columns those that are looked at; darker is more. {first} A percentage is how much of "
        "its attention goes where that role predicts. Click a picture to open its head."
    )


def _table(found: Sequence[Notable]) -> None:
    with st.expander("As a table", type="compact"):
        rows = [
            [
                one.head.label,
                "–" if one.role is None else ROLES[one.role].name,
                "–" if one.role is None else percent(one.share),
                percent(one.resting),
            ]
            for one in found
        ]
        headers = ["Head", "Active as", "Attention there", "On the first token"]
        elements.html(table(headers, rows))


def _files(
    answer: Answer,
    reference: Reference,
    layer: int,
    found: Sequence[Notable],
    records: Sequence[dict[str, object]],
) -> None:
    name = (answer.run.model_name, f"layer {layer} at a glance")
    rows = [
        {
            "label": one.head.label,
            "layer": one.head.layer,
            "head": one.head.head,
            "role": one.role,
            "activation": one.share if one.role else None,
            "resting_share": one.resting,
        }
        for one in found
    ]
    with download_button.popover():
        download_button.buttons(
            [
                *files.tables("Heads", partial(_with_origin, answer, reference, rows), name=name),
                *files.pictures(
                    partial(_still, records),
                    name=name,
                    title=f"All heads of layer {layer}",
                    about=files.about_picture(
                        answer.run.model_name,
                        prompt=answer.run.prompt,
                        chat=answer.run.encoding.is_chat,
                    ),
                    width=960,
                ),
            ]
        )
        download_button.about("Every head of the layer.")


def _with_origin(
    answer: Answer, reference: Reference, rows: list[dict[str, object]]
) -> files.Table:
    return rows, files.provenance(answer, reference)


def _still(records: Sequence[dict[str, object]]) -> Drawing:
    columns, side = _wide(len(records))
    return charts.thumbnails.grid(records, columns=columns, side=side, clickable=False)
