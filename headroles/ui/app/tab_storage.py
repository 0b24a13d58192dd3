"""What a browser's tab keeps for the app over a reload, which begins a new session.

Streamlit lets an app read cookies but set none, so a small script keeps a text in the tab.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import streamlit as st

_tab = st.components.v2.component(
    "headroles_tab_storage",
    html="<span hidden></span>",
    js=Path(__file__).with_suffix(".js").read_text(encoding="utf-8"),
)


def draw(
    key: str,
    *,
    on_held: Callable[[], None],
    keep: str = "",
    forget: bool = False,
    ask: Literal["", "always", "if held"] = "",
) -> None:
    """Give the tab a text, let it forget it, or ask for it; takes no room on the page.

    Args:
        key: of the component; the tab keeps the text by this name.
        on_held: called with the answer's own run, where there is one; :func:`held` has the text.
        keep: what to keep from now on; "" for no change.
        forget: whether to keep nothing any more.
        ask: whether an answer is wanted, or only if something is kept.
    """
    with st.container(key=f"{key}_script"):
        _tab(
            key=key,
            data={"name": f"headroles-{key}", "keep": keep, "forget": forget, "ask": ask},
            on_held_change=on_held,
        )


def held(key: str) -> str:
    """What the tab has answered; "" if it keeps nothing."""
    return str(st.session_state[key].held or "")
