"""What a class link leaves out, and where one is made.

The state is kept by :mod:`headroles.ui.app.scope`; here it is drawn.
"""

from __future__ import annotations

from html import escape

import streamlit as st

from headroles import models
from headroles.ui.app import elements, scope, session
from headroles.ui.app.keys import Keys
from headroles.view.html import plain

key = Keys(__name__)
# widget keys
FOR_CLASS = key("for_class", False)
"""Whether the link that is shown is one for a class."""
PAGES = key("class_pages")
"""The pages that it names, by their paths."""

_FIRST = (session.LESSONS, session.YOUR_PROMPT, session.CLOSEUP, session.MAP)
"""What a first lesson needs."""


def refuse(page: str) -> None:
    """In place of a page that this visit cannot open: why, and the ways on."""
    error = scope.refusal(page)
    st.title(scope.title(page), anchor=False)
    elements.html(f'<p class="hr-lead">{escape(error.message)}</p>')
    with st.container(horizontal=True, vertical_alignment="center", key="app-left_out"):
        first = scope.first_page()
        st.page_link(first, label=f"Back to {scope.title(first)}", icon=":material/arrow_back:")
        if scope.is_class():
            st.button(
                f"Open {scope.title(page)} in the whole app",
                icon=":material/logout:",
                type="tertiary",
                on_click=scope.leave,
                key="app-leave_class_here",
            )


def form() -> tuple[str, ...] | None:
    """Whether the link is for a class, and with which pages.

    Returns:
        The names of the pages; None for a link to the whole app, or to the class of this visit.
    """
    key.begin()
    if scope.is_class():
        st.caption("This link stays in your class: its pages and its model.")
        return None
    if not st.toggle(
        "For a class: only some pages, and this model",
        key=FOR_CLASS,
        persist_state="session",
        help="Students then see these pages alone, without Admin and without another model to "
        "choose. It helps them to find their way and locks nothing: a link in their sidebar opens "
        "the whole app.",
    ):
        return None
    here = st.session_state[session.PAGE]
    titles = {page: name for page, name in scope.for_classes().items() if page != scope.GLOSSARY}
    st.session_state.setdefault(PAGES, [page for page in _FIRST if page in titles])
    chosen = st.multiselect(
        "Pages of the class",
        list(titles),
        format_func=titles.__getitem__,
        key=PAGES,
        persist_state="session",
        placeholder="Choose pages",
    )
    also = "" if here in chosen else f" **{titles[here]}** belongs to it, as the link opens there."
    model = plain(models.name_of(st.session_state[session.MODEL]))
    st.caption(
        f"It opens here, on {titles[here]}, with what is on the screen now, and keeps to the model "
        f"{model}. The Glossary is always there.{also}"
    )
    return tuple(scope.name_of(page) for page in titles if page in (*chosen, here))
