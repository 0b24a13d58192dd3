"""The title and the icon of the browser's tab, the width of the page, and the style sheet."""

from __future__ import annotations

import base64
from pathlib import Path

import streamlit as st
from streamlit import config
from streamlit.delta_generator_singletons import get_dg_singleton_instance
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner import get_script_run_ctx

ICON = Path(__file__).with_name("icon.svg")
"""The page icon: an active head and a quiet one. A local file, so that no page needs a network."""
_ICON_URL = f"data:image/svg+xml;base64,{base64.b64encode(ICON.read_bytes()).decode()}"
_STYLE = Path(__file__).with_name("style.css")
_FIRST_PAINT = Path(__file__).with_name("first_paint.js").read_text(encoding="utf-8")


def draw() -> None:
    """Set them; the entry script calls this first, so that nothing is laid out without the style
    sheet and then once more with it.

    ``st.set_page_config(page_icon=...)`` would import numpy and Pillow to look at the icon, a tenth
    of a second before anything is seen. Without an icon, the browser would fetch that of the page
    in the navigation from a network. So the message is sent as Streamlit sends it.
    """
    # Off in config.toml, so that a fresh server, which takes the folder pages/ for its older kind
    # of app, does not show a sidebar before the style sheet.
    config.set_option("client.showSidebarNavigation", True)
    # The width is the style sheet's; first_paint.js opens the sidebar.
    st.set_page_config(page_title="headroles", initial_sidebar_state="collapsed")
    if (context := get_script_run_ctx()) is not None:
        message = ForwardMsg()
        settings = message.page_config_changed
        settings.favicon = _ICON_URL
        settings.layout = settings.LAYOUT_UNSET  # what this message does not set stays as it is
        settings.initial_sidebar_state = settings.SIDEBAR_UNSET
        context.enqueue(message)
    st.html(_STYLE)
    script(_FIRST_PAINT)


def script(code: str) -> None:
    """Run JavaScript in the page, from where Streamlit keeps style sheets: it takes no place."""
    place = get_dg_singleton_instance().event_dg
    place.html(f"<script>{code}</script>", unsafe_allow_javascript=True)
