"""The session in the address, and an address in the session.

A page's state is written into its address whenever the script has run. It is read only when a
session starts, and when the reader goes back or forward in the browser: in any other run the
address that the browser sends along may be older than what was just clicked, and would undo it.

The names in a page's address are listed in that page's ``link.py``; the entry script registers
these tables, so that the shell knows no page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from headroles.errors import HeadrolesError, LinkError, UnknownHeadError
from headroles.ui.app import link, scope, session
from headroles.ui.app.link import Row

LONGEST_ADDRESS = 6_000
"""Most characters in the browser's address: servers refuse a request line from about
8,000 on, and reloading the page must not fail."""

_tables: dict[str, tuple[Row, ...]] = {}


def register(tables: Mapping[str, tuple[Row, ...]]) -> None:
    """Register {path of a page: the table of its address}; no link opens a page without one."""
    _tables.update(tables)


def _table(page: str) -> tuple[Row, ...]:
    """A page's table; in a class every page has the model in its address."""
    return _tables.get(page, (link.MODEL,) if scope.is_class() else ())


def _vocabulary() -> list[Row]:
    """A row for every name that any page knows."""
    return list({row.name: row for table in _tables.values() for row in table}.values())


# ------------------------------------------------------------------ from the address


def read_class() -> None:
    """Take over the pages of a class link, when :func:`read` will take over the rest.

    The entry script calls this first: it decides what the navigation lists.
    """
    session.begin()
    if not _is_new():
        return
    query = _given()
    # A page that was left before its address was written has none of its own.
    if not st.session_state[session.LINK_READ] or _names_any(query):
        session.link_errors(scope.read(query.get(scope.NAME, ())))


def read(page: str) -> None:
    """Put a page's address into the session: when a session starts, or the reader goes back."""
    now = st.session_state
    if now.get(session.PAGE) != page:
        session.fill_boxes()
    now[session.PAGE] = page
    is_new, first = _is_new(), not now[session.LINK_READ]
    now[session.LINK_READ] = True
    if not is_new or not _table(page):
        return
    query = _given()
    others = [name for name in query if name != scope.NAME]
    errors: list[HeadrolesError] = [*link.unknown_names(others, _vocabulary())]
    if _names_any(query):
        errors += _take_over(query, page, leads=first)
    session.link_errors(errors)


def _is_new() -> bool:
    """Whether the address says something that the session does not know yet."""
    return not st.session_state[session.LINK_READ] or _went_back()


def _given() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in st.query_params}


def _names_any(query: link.Query) -> bool:
    """Whether an address has a name of ours."""
    return scope.NAME in query or any(
        name in query for row in _vocabulary() for name in (row.name, row.old)
    )


def _opens(query: link.Query, page: str) -> str:
    """The page that an address opens. A link to the app itself may be about another page than
    *Your Prompt*: one that a name in it leads to, or, in a class, the first of its pages that knows
    a name which *Your Prompt* does not, e.g. ``lesson``."""
    if page != session.YOUR_PROMPT:
        return page
    own = {row.name for row in _table(page)}
    others = {row.name: row for row in _vocabulary() if row.name in query and row.name not in own}
    for row in others.values():
        if row.leads_to and scope.offers(row.leads_to):
            return row.leads_to
    for candidate in scope.class_pages():
        if any(row.name in others for row in _table(candidate)):
            return candidate
    return scope.first_page()


def _take_over(query: link.Query, page: str, *, leads: bool) -> list[LinkError]:
    """Put every value in its place; values that the page does not show are checked too."""
    table, errors = _table(page), []
    if leads and (opens := _opens(query, page)) != page:
        table = _table(opens)
        st.session_state[session.NAVIGATE_TO] = opens
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
        if leads and is_given and row.leads_to not in (None, page):
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
    table = _table(page)
    of_page = link.to_query(table, {row.name: row.value() for row in table if row.written})
    return {**scope.query(), **of_page}


def query(page: str) -> dict[str, str]:
    """A page's address, from the session; empty for pages that no link opens.

    Prompts that make it longer than :data:`LONGEST_ADDRESS` are left out.
    """
    wanted = _query(page)
    if len(link.encode(wanted)) < LONGEST_ADDRESS:
        return wanted
    prompts = {row.name for row in _table(page) if row.read is link.read_prompt}
    return {name: value for name, value in wanted.items() if name not in prompts}


def write(page: str) -> bool:
    """Write what a page shows into its address, and tell whether it changed. This starts no run."""
    ours = {scope.NAME, *(name for row in _vocabulary() for name in (row.name, row.old))}
    wanted, present = query(page), _given()
    if {name: values for name, values in present.items() if name in ours} == {
        name: [value] for name, value in wanted.items()
    }:
        return False
    foreign = {name: values for name, values in present.items() if name not in ours}
    st.query_params.from_dict({**foreign, **wanted})
    return True


def lead(page: str) -> None:
    """Show another page. The address that is left stays as it is, for the way back."""
    st.switch_page(page, query_params=_given())


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


def here() -> str:
    """The address of the page that is shown, without what stands behind its question mark.

    Some hosts put the app into a frame under /~/+/, which is no address that anybody else can open.
    """
    address = (st.context.url or "").partition("?")[0].replace("/~/+", "")
    return address if urlsplit(address).path else f"{address}/"


def shared(pages: Iterable[str] | None = None) -> tuple[str, HeadrolesError | None]:
    """The query of the link to what is shown, and an error if it is too long to share.

    Args:
        pages: the names of the pages of a class, for a class link; None for this visit's own.
    """
    wanted = {**scope.query(pages), **_query(st.session_state[session.PAGE])}
    if pages is not None:
        wanted |= scope.query(pages)
    query = link.encode(wanted)
    return query, link.too_long_to_share(f"{here()}?{query}")
