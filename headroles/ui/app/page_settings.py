"""The title and the icon of the browser's tab, the width of the page, and the style sheet."""

from __future__ import annotations

import base64
from pathlib import Path

import streamlit as st
from streamlit import config
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner import get_script_run_ctx

from headroles.ui.app.keys import Keys

ICON = Path(__file__).with_name("icon.svg")
"""The page icon: an active head and a quiet one. A local file, so that no page needs a network."""
_ICON_URL = f"data:image/svg+xml;base64,{base64.b64encode(ICON.read_bytes()).decode()}"
_STYLE = Path(__file__).with_name("style.css")
_SIDEBAR = Path(__file__).with_name("sidebar.js").read_text(encoding="utf-8")

key = Keys(__name__)
_BEGUN = key("begun", False)
"""Whether the session has drawn a page before."""


def draw() -> None:
    """Set them; the entry script calls this first, so that nothing is laid out without the style
    sheet and then once more with it.

    ``st.set_page_config(page_icon=...)`` would import numpy and Pillow to look at the icon, a tenth
    of a second before anything is seen. Without an icon, the browser would fetch that of the page
    in the navigation from a network. So the message is sent as Streamlit sends it.
    """
    key.begin()
    first, st.session_state[_BEGUN] = not st.session_state[_BEGUN], True
    # Off in config.toml, so that a fresh server, which takes the folder pages/ for its older kind
    # of app, does not show a sidebar before the style sheet.
    config.set_option("client.showSidebarNavigation", True)
    # The width is the style sheet's; sidebar.js opens the sidebar.
    st.set_page_config(
        page_title="headroles", initial_sidebar_state="collapsed" if first else "auto"
    )
    if (context := get_script_run_ctx()) is not None:
        message = ForwardMsg()
        settings = message.page_config_changed
        settings.favicon = _ICON_URL
        settings.layout = settings.LAYOUT_UNSET  # what this message does not set stays as it is
        settings.initial_sidebar_state = settings.SIDEBAR_UNSET
        context.enqueue(message)
    st.html(_STYLE)
    st.html(f"<script>{_SIDEBAR}</script>", unsafe_allow_javascript=True)
