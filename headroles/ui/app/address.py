"""The session in the address, and an address in the session.

A page's state is written into its address whenever the script has run. It is read only when a
session starts, and when the reader goes back or forward in the browser: in any other run the
address that the browser sends along may be older than what was just clicked, and would undo it.

The names in a page's address are listed in that page's ``link.py``; the entry script registers
these tables, so that the shell knows no page.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from headroles.errors import HeadrolesError, LinkError, UnknownHeadError
from headroles.ui.app import link, session
from headroles.ui.app.link import Row

LONGEST_ADDRESS = 6_000
"""Most characters in the browser's address: servers refuse a request line from about
8,000 on, and reloading the page must not fail."""

_tables: dict[str, tuple[Row, ...]] = {}


def register(tables: Mapping[str, tuple[Row, ...]]) -> None:
    """Register {path of a page: the table of its address}; no link opens a page without one."""
    _tables.update(tables)


def _vocabulary() -> list[Row]:
    """A row for every name that any page knows."""
    rows = {row.name: row for table in _tables.values() for row in table}
    return [*rows.values(), link.LAYER]


# ------------------------------------------------------------------ from the address


def read(page: str) -> None:
    """Put a page's address into the session: when a session starts, or the reader goes back."""
    session.begin()
    now = st.session_state
    if now.get(session.PAGE) != page:
        session.fill_boxes()
    now[session.PAGE] = page
    first, now[session.LINK_READ] = not now[session.LINK_READ], True
    if not (first or _went_back()) or page not in _tables:
        return
    query = {name: st.query_params.get_all(name) for name in st.query_params}
    every = _vocabulary()
    errors: list[HeadrolesError] = [*link.unknown_names(query, every)]
    if any(name in query for row in every for name in (row.name, row.old)):
        errors += _take_over(query, page, leads=first)
    session.link_errors(errors)


def _take_over(query: link.Query, page: str, *, leads: bool) -> list[LinkError]:
    """Put every value in its place; values that the page does not show are checked too."""
    table, errors = _tables[page], []
    own = {row.name for row in table}
    for row in (*table, *(row for row in _vocabulary() if row.name not in own)):
        try:
            value = row.value_in(query)
        except LinkError as error:
            errors.append(error)
            value = link.ABSENT
        if row.name not in own:
            continue
        is_given = value is not link.ABSENT
        if is_given or row.first is not link.KEEP:
            row.take(value if is_given else row.first)
        if leads and is_given and row.leads_to:
            st.session_state[session.NAVIGATE_TO] = row.leads_to
    return errors


def _went_back() -> bool:
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def check(layers: int, heads: int) -> None:
    """Warn if the model does not have the session's head, now that its shape is known."""
    head = st.session_state[session.HEAD]
    if head is not None and not (head.layer < layers and head.head < heads):
        session.forget_head()
        session.link_errors([UnknownHeadError(head.label, layers=layers, heads=heads)])
        st.rerun()  # the warning is drawn above the page


# ------------------------------------------------------------------ into the address


def _query(page: str) -> dict[str, str]:
    table = _tables.get(page, ())
    return link.to_query(table, {row.name: row.value() for row in table if row.written})


def query(page: str) -> dict[str, str]:
    """A page's address, from the session; empty for pages that no link opens.

    Prompts that make it longer than :data:`LONGEST_ADDRESS` are left out.
    """
    wanted = _query(page)
    if len(link.encode(wanted)) < LONGEST_ADDRESS:
        return wanted
    prompts = {row.name for row in _tables[page] if row.read is link.read_prompt}
    return {name: value for name, value in wanted.items() if name not in prompts}


def write(page: str) -> bool:
    """Write what a page shows into its address, and tell whether it changed. This starts no run."""
    ours = {name for row in _vocabulary() for name in (row.name, row.old)}
    wanted = query(page)
    present = {name: st.query_params.get_all(name) for name in st.query_params}
    if {name: values for name, values in present.items() if name in ours} == {
        name: [value] for name, value in wanted.items()
    }:
        return False
    foreign = {name: values for name, values in present.items() if name not in ours}
    st.query_params.from_dict({**foreign, **wanted})
    return True


def lead(page: str) -> None:
    """Show another page. The address that is left stays as it is, for the way back."""
    present = {name: st.query_params.get_all(name) for name in st.query_params}
    st.switch_page(page, query_params=present)


def follow(page: str, **values: object) -> None:
    """Lead to another page as a link with these values would; for callbacks of buttons.

    Args:
        page: its path.
        values: {name in its address: value}; what is not named stays as it is there.
    """
    for row in _tables[page]:
        if row.name in values:
            row.take(values[row.name])
    st.session_state[session.NAVIGATE_TO] = page


def shared() -> tuple[str, HeadrolesError | None]:
    """The query of the link to what is shown, and an error if it is too long to share."""
    query = link.encode(_query(st.session_state[session.PAGE]))
    here = (st.context.url or "").partition("?")[0]
    return query, link.too_long_to_share(f"{here}?{query}")
