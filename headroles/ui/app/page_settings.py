"""The title and the icon of the browser's tab, and the width of the page."""

from __future__ import annotations

import base64
from pathlib import Path

import streamlit as st
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.runtime.scriptrunner import get_script_run_ctx

ICON = Path(__file__).with_name("icon.svg")
"""The page icon: an active head and a quiet one. A local file, so that no page needs a network."""
_ICON_URL = f"data:image/svg+xml;base64,{base64.b64encode(ICON.read_bytes()).decode()}"


def draw() -> None:
    """Set them; the entry script calls this first.

    ``st.set_page_config(page_icon=...)`` would import numpy and Pillow to look at the icon, a tenth
    of a second before anything is seen. Without an icon, the browser would fetch that of the page
    in the navigation from a network. So the message is sent as Streamlit sends it.
    """
    st.set_page_config(page_title="headroles", layout="wide")
    if (context := get_script_run_ctx()) is not None:
        message = ForwardMsg()
        settings = message.page_config_changed
        settings.favicon = _ICON_URL
        settings.layout = settings.LAYOUT_UNSET  # what this message does not set stays as it is
        settings.initial_sidebar_state = settings.SIDEBAR_UNSET
        context.enqueue(message)
