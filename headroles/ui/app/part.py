"""A part of a page that is redrawn alone when one of its own controls is used.

Streamlit runs a page again for every click. What a control of one part changes nowhere else is
drawn by a function with :func:`part`: the rest of the page then stays as it is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from headroles.ui.app import address, scope, session, turns


def part(draw: Callable[..., None], *, in_address: bool = True) -> Callable[..., None]:
    """Redraw a part alone, as the entry script does it for a page: in its turn, with its address,
    and following a click that leads to another page.

    The session keeps the arguments until the page is drawn again, so they must not hold a model.

    Args:
        draw: draws the part.
        in_address: whether its own controls change the address. Where they do not, another address
            means that a control elsewhere was used right after one of them: a browser sends the two
            together, for this part alone, and so the whole page is drawn.
    """

    @st.fragment
    @functools.wraps(draw)
    def drawn(*args: object, **settings: object) -> None:
        if not alone():
            draw(*args, **settings)
            return
        if destination := scope.destination():
            address.lead(destination)
        with turns.page_part():
            draw(*args, **settings)
        if address.write(st.session_state[session.PAGE]) and not in_address:
            st.rerun()

    return drawn


def alone() -> bool:
    """Whether only a part of a page is run, and not the page."""
    context = get_script_run_ctx()
    return context is not None and bool(context.fragment_ids_this_run)
