"""The section *Errors*: what keeps an induction head from being perfect."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, view
from headroles.errors import HeadrolesError, LinkError, UnknownHeadError
from headroles.formatting import count
from headroles.types import Head
from headroles.ui.app import caches, download_button, elements, files, session
from headroles.ui.components import choose, picture_caches, picture_state
from headroles.ui.components import files as component_files
from headroles.view.html import escape, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.ablation.component_errors import Errors, WrongCell
    from headroles.charts.drawing import Drawing
    from headroles.ui.app.files import File, Table
    from headroles.ui.components.choose import Chosen
    from headroles.ui.components.files import Titled
    from headroles.ui.components.picture_caches import Wrong


def draw() -> None:
    """Draw the section."""
    chosen = choose.draw(with_layer=False, with_matrix=False)
    if chosen is None:
        return
    elements.html(
        '<p class="hr-explain">After <b>A B … A</b>, an induction head looks at <b>B</b>. On '
        "random tokens that come twice, everything else that it looks at is a mistake. Which "
        "mistakes are the largest, and which components make them?</p>"
    )
    head = _asked(chosen)
    if head is None:
        return
    try:
        with st.spinner(f"Running {head.label} on repeated tokens."):
            made = picture_caches.wrong_cells(chosen.model, chosen.kind, head)
    except HeadrolesError as error:
        elements.show_error(error)
        return
    _show(chosen, made)


def _asked(chosen: Chosen) -> Head | None:
    """The box of the head: the listed induction heads first, the strongest first of all."""
    try:
        layers, heads = caches.shape(chosen.model)
    except HeadrolesError as error:
        elements.show_error(error)
        return None
    listed = _listed(chosen.model)
    now, wanted = st.session_state, st.session_state[picture_state.WRONG_HEAD]
    if wanted is not None and not (wanted.layer < layers and wanted.head < heads):
        now[picture_state.WRONG_HEAD] = None
        session.link_errors([UnknownHeadError(wanted.label, layers=layers, heads=heads)])
        st.rerun()  # the warning is drawn above the page
    offered = [*listed, *(one for one in Head.every(layers, heads) if one not in listed)]
    head = wanted or offered[0]
    box = f"{picture_state.WRONG_BOX}_{chosen.model}"
    now[box] = head
    if not listed:
        st.info(
            "The analysis lists no induction head for this model. Choose a head that you think is "
            "one."
        )
    st.selectbox(
        "Head",
        offered,
        format_func=lambda one: f"{one.label} (induction)" if one in listed else one.label,
        key=box,
        on_change=_take_head,
        args=(box,),
        width=220,
    )
    return head


def _take_head(box: str) -> None:
    st.session_state[picture_state.WRONG_HEAD] = st.session_state[box]
    st.session_state[picture_state.WRONG_CELL] = 1


def _listed(model: str) -> list[Head]:
    """The induction heads of the stored analysis, the strongest first; none without one."""
    try:
        entry = caches.stored(model).entry
    except HeadrolesError:
        return []
    return entry.listed("induction")


def _show(chosen: Chosen, made: Wrong) -> None:
    words, found = view.component_errors, made.found
    _correct_cell(found)
    said = words.sentence(found)
    elements.conclusion(escape(said))
    st.subheader("Where it looks in the second copy", anchor=False)
    elements.chart(_bars(made), key="components-where", alt_text=said)
    elements.note(
        f"Mean over the {found.rows:,} tokens of the second copies of {len(made.tokens)} texts of "
        "random tokens. Each token that is looked at counts once, for the first line that fits."
    )
    if not found.cells:
        elements.note("There is no wrong cell to look at closely.")
        return
    st.subheader("The largest wrong cells", anchor=False)
    elements.note("Of all cells but those on the first token.")
    headers, rows = words.cell_table(found, [_labels(one) for one in made.tokens])
    elements.html(f'<div class="hr-wide">{table(headers, rows)}</div>')
    cell = _cell(chosen.model, made)
    tokens = _labels(made.tokens[cell.text])
    closely = words.cell_sentence(cell, found.head.layer, tokens)
    elements.html(f'<p class="hr-explain"><b>{escape(closely)}</b></p>')
    elements.chart(_pushes(made, cell), key="components-pushes", alt_text=closely)
    elements.html(
        '<div class="hr-legend"><span><i class="hr-key hr-key-active"></i>+ pushes attention to '
        'the wrong token</span><span><i class="hr-key hr-key-against"></i>− holds it back</span>'
        "</div>"
    )
    with st.expander("As a table", key="components-pushes_table"):
        headers, rows = words.push_table(cell, found.head.layer)
        elements.html(f'<div class="hr-one-line">{table(headers, rows)}</div>')
    with st.expander("How it is measured", key="components-wrong_how"):
        st.markdown(words.HOW)
        if chosen.kind == "trained":
            st.markdown(
                "The attention is the model’s own. Trained components miss a small part of the "
                "weights (see *Sum*), so their scores are near the model’s, not equal."
            )
    with download_button.popover():
        download_button.buttons(_files(chosen, made, cell, said))
        download_button.about("The largest wrong cells, with the pairs that push them.")


def _labels(tokens: Sequence[str]) -> list[str]:
    return [view.html.visible(token, limit=14) for token in tokens]


def _cell(model: str, made: Wrong) -> WrongCell:
    """The wrong cell that is looked at closely."""
    cells, now = made.found.cells, st.session_state
    box = f"{picture_state.WRONG_CELL_BOX}_{model}_{made.found.head.label}"
    now[box] = now[picture_state.WRONG_CELL] - 1
    number = st.selectbox(
        "Look closely at",
        range(len(cells)),
        format_func=lambda n: view.component_errors.cell_label(
            cells[n], _labels(made.tokens[cells[n].text])
        ),
        key=box,
        on_change=_take_cell,
        args=(box,),
    )
    return cells[number]


def _take_cell(box: str) -> None:
    st.session_state[picture_state.WRONG_CELL] = st.session_state[box] + 1


def _correct_cell(found: Errors) -> None:
    """A wrong cell that the head does not have is reported above the page."""
    number, there = st.session_state[picture_state.WRONG_CELL], len(found.cells)
    if number <= max(there, 1):
        return
    st.session_state[picture_state.WRONG_CELL] = 1
    shown = " The page shows the largest." if there else ""
    has = f"It has {count(there, 'wrong cell')} that can be looked at closely.{shown}"
    session.link_errors(
        [LinkError(f"{found.head.label} has no wrong cell {number}.", hint=has, value=number)]
    )
    st.rerun()  # the warning is drawn above the page


def _bars(made: Wrong) -> Drawing:
    return charts.component_pictures.where_it_looks(view.component_errors.share_records(made.found))


def _pushes(made: Wrong, cell: WrongCell) -> Drawing:
    return charts.component_pictures.pushes(
        view.component_errors.push_records(cell, made.found.head.layer)
    )


def _files(chosen: Chosen, made: Wrong, cell: WrongCell, said: str) -> Sequence[File]:
    head = made.found.head
    name = (chosen.model, f"{head.label} {chosen.kind} wrong cells")
    about = files.about_picture(chosen.model)
    closely = view.component_errors.cell_sentence(cell, head.layer, _labels(made.tokens[cell.text]))
    return [
        *files.tables("Wrong cells", partial(_table, chosen, made, said), name=name, rows="parts"),
        *component_files.report(
            f"Wrong cells of {head.label}",
            f"{said} {closely}",
            partial(_titled, made, cell),
            name=name,
            origin=partial(_origin, chosen, made, said),
        ),
        *files.pictures(
            partial(_bars, made),
            name=(chosen.model, f"{head.label} where it looks"),
            title=said,
            about=about,
            what="Where it looks",
        ),
        *files.pictures(
            partial(_pushes, made, cell),
            name=(chosen.model, f"{head.label} {chosen.kind} pushes"),
            title=closely,
            about=about,
            what="Pushes",
        ),
    ]


def _table(chosen: Chosen, made: Wrong, said: str) -> Table:
    rows = view.component_errors.export_rows(made.found, made.tokens)
    return rows, _origin(chosen, made, said)


def _origin(chosen: Chosen, made: Wrong, said: str) -> dict[str, object]:
    found = made.found
    return component_files.of_model(
        chosen.model,
        chosen.kind,
        head=found.head.label,
        attention_on_right=found.right,
        **{f"attention_on_{name}": share for name, share in found.shares.items()},
        conclusion=said,
    )


def _titled(made: Wrong, cell: WrongCell) -> list[Titled]:
    words, found = view.component_errors, made.found
    shares = [[one["name"], one["shown"]] for one in words.share_records(found)]
    tokens = [_labels(one) for one in made.tokens]
    return [
        ("Where it looks in the second copy", ["Where", "Attention"], shares),
        ("The largest wrong cells", *words.cell_table(found, tokens)),
        ("What pushes attention to the wrong token", *words.push_table(cell, found.head.layer)),
    ]
