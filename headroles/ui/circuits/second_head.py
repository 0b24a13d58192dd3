"""A second head beside the first: its numbers, and its own table of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles import export, view
from headroles.types import Head
from headroles.ui.app import elements
from headroles.ui.circuits import controls, embedding, state, summary, table
from headroles.view import conclusions, html

if TYPE_CHECKING:
    from headroles.circuits import CircuitSettings, KeyRow
    from headroles.models import LoadedModel
    from headroles.store import TokenFrequencies


def draw(
    loaded: LoadedModel,
    head: Head,
    settings: CircuitSettings,
    frequencies: TokenFrequencies,
    rows: tuple[KeyRow, ...],
) -> None:
    """Draw the choice of a second head, and both heads beside each other once there is one."""
    st.subheader("Beside another head", anchor=False)
    second = _choose(loaded, head)
    if second is None:
        st.caption("Choose a second head to see both tables and their numbers side by side.")
        return
    if not embedding.is_ready(loaded, second, settings):
        return
    asked = table.ask(loaded, second, settings, frequencies, quiet=True)
    other = table.search(loaded, asked, name="second_table", doing=f"Reading {second.label}")
    if other is None:
        return
    numbers = [summary.numbers(loaded, one, settings, frequencies) for one in (head, second)]
    elements.html(
        html.table(["Number", head.label, second.label, "Out of"], _beside(*numbers), notes=False)
    )
    for place, one, found, number in zip(
        st.columns(2, gap="medium"), (head, second), (rows, other), numbers, strict=True
    ):
        with place:
            names = export.circuits.labels(loaded, found)
            said = conclusions.circuits(number, roles=controls.role_keys(one))
            elements.html(f"<p>{html.escape(said)}</p>")
            keys = view.tables.key_rows(found, names).drop(columns=["max QK", "max OV"])
            st.dataframe(
                view.tables.with_minus(keys, {"importance": 2}),
                hide_index=True,
                column_config=table.columns(),
                height=table.height(found),
                key=f"circuits-beside_{place_name(one, second)}",
            )


def place_name(one: Head, second: Head) -> str:
    """``second`` or ``first``, for the key of a table."""
    return "second" if one == second else "first"


def _choose(loaded: LoadedModel, head: Head) -> Head | None:
    heads = [one.label for one in Head.every(*loaded.shape) if one != head]
    if st.session_state.get(state.SECOND) not in heads:
        st.session_state[state.SECOND] = None
    roles = controls.role_words()
    label = st.selectbox(
        "Second head",
        heads,
        index=None,
        format_func=lambda name: f"{name} · {roles[name]}" if name in roles else name,
        placeholder="Choose a second head",
        key=state.SECOND,
        persist_state="session",
        width=320,
    )
    return Head.parse(label) if label else None


def _beside(first, second) -> list[list[str]]:
    """The numbers of both heads, line by line."""
    return [
        [name, value, other, out_of]
        for (name, value, out_of, _), (_, other, _, _) in zip(
            summary.lines(first), summary.lines(second), strict=True
        )
    ]
