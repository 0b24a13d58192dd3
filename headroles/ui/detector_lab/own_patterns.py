"""Which patterns are compared, and the student's own: typed, painted or uploaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles import export, limits, roles, texts, view
from headroles.errors import HeadrolesError
from headroles.ui.app import elements, keeper
from headroles.ui.detector_lab import state
from headroles.view import html

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from headroles.roles import Role
    from headroles.ui.detector_lab.detection import Result

UPLOAD_NOTES = "detector_lab-upload_notes"
"""Where a fault of a file is told, which the closed box must not hide."""
MOST_PAINTED = 24
"""The longest prompt, in tokens, that can be painted on: a larger grid would be unreadable."""


def draw() -> None:
    """Draw the pills of all patterns, and the box for the student's own."""

    own = st.session_state[state.OWN]
    st.pills(
        "Patterns to look for",
        state.offered(),
        selection_mode="multi",
        format_func=lambda pattern: html.named(pattern.name, limit=36),
        key=state.CHOSEN,
        persist_state="session",
        help="Choose one or more: each gets its own map. Names with “detect_head” are the patterns "
        "of TransformerLens’ function of that name, which also counts the first token as a copy.",
    )
    if fault := st.session_state[state.FAULT]:
        elements.show_error(fault)
    st.session_state[UPLOAD_NOTES] = st.container()
    with st.expander("Make your own pattern", icon=":material/edit:", key="detector_lab-own_box"):
        way = st.segmented_control(
            "How",
            state.WAYS,
            key=state.WAY,
            required=True,
            persist_state="session",
            label_visibility="collapsed",
        )
        if way == state.BY_EXPRESSION:
            _by_expression()
        elif way == state.BY_OFFSET:
            _by_offset()
        else:
            st.session_state["detector_lab-later"] = st.container()
        _custom_patterns(own)


def _custom_patterns(patterns: tuple[Role, ...]) -> None:
    """The patterns made so far, each with a button to remove it, and an undo."""
    for place, pattern in enumerate(patterns):
        st.button(
            f"Remove “{html.named(pattern.name, limit=40)}”",
            icon=":material/delete:",
            key=f"detector_lab-remove_{place}",
            on_click=state.remove,
            args=(pattern,),
            type="tertiary",
        )
    if removed := st.session_state[state.REMOVED]:
        st.button(
            f"Put “{html.named(removed.name, limit=40)}” back",
            icon=":material/undo:",
            key="detector_lab-undo_remove",
            on_click=state.undo_remove,
        )


def _by_expression() -> None:

    st.text_input(
        "Cells where this holds",
        key=state.EXPRESSION,
        persist_state="session",
        max_chars=limits.EXPRESSION.most,
    )
    st.caption(
        "`q` is the position of the token that looks, `k` of the one it looks at, `t[…]` the token "
        "at a position. Comparisons, arithmetic, `and`, `or`, `not`. For example "
        + ", ".join(f"`{example}`" for example in roles.EXAMPLES)
        + "."
    )
    with st.popover("All that can be asked about tokens", icon=":material/help:"):
        elements.html(html.table(("Write", "It holds where"), view.detection.questions()))
    _title()
    st.button(
        "Add this pattern", icon=":material/add:", on_click=_add_typed, key="detector_lab-add"
    )


def _title() -> None:
    st.text_input(
        "Its name (optional)",
        key=state.TITLE,
        max_chars=limits.NAME.most,
        persist_state="session",
    )


def _add_typed() -> None:

    session = st.session_state
    _try(lambda: roles.of_expression(session[state.EXPRESSION], title=session[state.TITLE].strip()))


def _try(make) -> None:
    """Add the pattern, or keep the error for the page to show."""
    try:
        state.add(make())
    except HeadrolesError as error:
        st.session_state[state.FAULT] = error


def _by_offset() -> None:

    st.number_input(
        "Places back (0 is the token itself)",
        0,
        roles.MOST_OFFSET,
        key=state.OFFSET,
        persist_state="session",
        width=260,
    )
    st.button(
        "Add this pattern",
        icon=":material/add:",
        on_click=lambda: _try(lambda: roles.offset(int(st.session_state[state.OFFSET]))),
        key="detector_lab-add",
    )


def paint_on(result: Result) -> None:
    """Fill the part of the box that needs the tokens of the prompt."""
    place = st.session_state.pop("detector_lab-later", None)
    if place is None:
        return
    with place:
        if st.session_state[state.WAY] == state.BY_PAINT:
            _by_paint(result)
        else:
            _by_file(result)


def _by_paint(result: Result) -> None:
    tokens = result.prompts.tokens[0]
    size = len(tokens)
    if size > MOST_PAINTED:
        st.info(
            f"The first prompt has {size} tokens, and a grid has room for {MOST_PAINTED}. Use a "
            "shorter prompt, write an expression or upload a CSV file."
        )
        return
    starts = {"An empty grid": None} | {
        pattern.name: pattern for pattern in result.detection.patterns
    }
    start = st.selectbox("Begin with", list(starts), key=state.START)
    grid = _drawn(starts[start], result) if starts[start] else [[0.0] * size] * size
    names = [f"{k} {label}" for k, label in enumerate(texts.token_labels(tokens))]
    frame = view.tables.paint_grid(grid, names)
    st.caption("Each row is a token; tick the tokens that it should look at.")
    edited = st.data_editor(
        frame,
        key=f"{state.CELLS}_{size}_{start}",
        column_config={name: st.column_config.CheckboxColumn(name, width=60) for name in names},
        height=min(36 * (size + 1) + 2, 420),
    )
    cells = edited.fillna(False).astype(float).to_numpy().tolist()
    ahead = [(q, k) for q in range(size) for k in range(q + 1, size) if cells[q][k]]
    if ahead:
        q, k = ahead[0]
        st.warning(
            f"In the row of “{html.plain(names[q])}” you ticked “{html.plain(names[k])}”, which "
            "comes later. A token cannot look ahead: untick it."
        )
    st.caption(f"A painted pattern fits only prompts of {size} tokens, with the start token.")
    _title()
    title = st.session_state[state.TITLE].strip()
    st.button(
        "Add this pattern",
        icon=":material/add:",
        on_click=lambda: _try(lambda: roles.of_matrix(cells, title=title)),
        key="detector_lab-add",
        disabled=bool(ahead) or not any(map(any, cells)),
    )


def _drawn(pattern: Role, result: Result) -> list[list[float]]:
    """A pattern on the first prompt."""
    return pattern.draw(result.prompts.only(0))[0].tolist()


@keeper.keep
def _matrix(file_id: str, length: int, _file: UploadedFile) -> roles.pattern_matrix.Matrix:
    """A file's matrix, read once. Streamlit gives every upload an id that nobody can guess."""
    return roles.read_matrix(texts.as_text(_file.getvalue(), name=_file.name), length=length)


def _by_file(result: Result) -> None:

    tokens = result.prompts.tokens[0]
    size = len(tokens)
    st.caption(
        f"Upload a table of {size} rows and {size} columns, one for each token of the first prompt "
        "with its start token. Write numbers from 0 to 1, and nothing above the diagonal. The "
        "template holds the pattern in the picture."
    )
    shown = st.session_state.get(state.RANKED) or result.detection.patterns[0]
    st.download_button(
        "Template as CSV",
        data=lambda: export.pattern_csv(_drawn(shown, result), ("start", *tokens[1:])).encode(
            "utf-8"
        ),
        file_name="headroles_pattern.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key="detector_lab-template",
    )
    file = st.file_uploader("Your matrix", type=["csv"], key=state.UPLOAD)
    if file is None:
        return
    try:
        limits.UPLOAD.check(file.size)
        matrix = _matrix(file.file_id, size, file)
    except HeadrolesError as error:
        with st.session_state.get(UPLOAD_NOTES) or st.container():
            elements.show_error(error)
        return
    title = html.shorten(file.name.removesuffix(".csv"), limit=limits.NAME.most)
    st.button(
        f"Add the pattern of {html.named(title)}",
        icon=":material/add:",
        on_click=lambda: _try(lambda: roles.of_matrix(matrix, title=title)),
        key="detector_lab-add",
    )
