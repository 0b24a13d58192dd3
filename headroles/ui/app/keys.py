"""Session keys: each begins with the folder it is declared in, so that no two pages share one.

A page declares its keys in its ``state.py``, once and with the first value where it has one:

>>> key = Keys("headroles.ui.knockout_lab.state")
>>> key("heads"), key("where", [])
('knockout_lab-heads', 'knockout_lab-where')

Keys that are written where they are used (buttons, containers) begin in the same way:
``"knockout_lab-undo"``.
"""

from __future__ import annotations

import streamlit as st

_NONE = object()


class Keys:
    """Declares the keys of one folder of :mod:`headroles.ui`."""

    def __init__(self, module: str) -> None:
        self.page = module.split(".")[2]
        """The folder: a page's, or ``app`` for what pages share."""
        self.declared: list[str] = []
        """Every key, in the order in which they were declared."""
        self._first: dict[str, object] = {}

    def __call__(self, name: str, first: object = _NONE) -> str:
        """Declare a key.

        Args:
            name: what it is called on its page.
            first: its first value, or a function that makes it; none where a widget has its own.
        """
        key = f"{self.page}-{name}"
        self.declared.append(key)
        if first is not _NONE:
            self._first[key] = first
        return key

    def begin(self) -> None:
        """Give every key of this session its first value, unless it has one."""
        for key, first in self._first.items():
            if key not in st.session_state:
                st.session_state[key] = first() if callable(first) else first

    def forget(self, *keys: str) -> None:
        """Give some keys their first values again."""
        for key in keys:
            st.session_state.pop(key, None)
        self.begin()
