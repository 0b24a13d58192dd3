"""Session keys of the part of the instructor's page about lessons, and what changes them."""

from __future__ import annotations

import streamlit as st

from headroles.ui.app.keys import Keys

key = Keys(__name__)
BEFORE = key("lesson_before", None)
"""The text that another one replaced in the box, which can come back; None for nothing."""
READ = key("lesson_read", None)
"""What became of the file that was chosen last: a sentence, or None."""

# widget keys
DRAFT = key("lesson_draft", "")
"""The text of a lesson's file that is being written."""
NAME = key("lesson_name", "")
"""What it is going to be called."""
UPLOAD = key("lesson_upload")
"""The box for a file."""
REPLACE = key("lesson_replace")
"""Whether a lesson of that name is replaced."""
ON = key("lesson_on")
"""The models that are asked."""
CHOSEN, NEW_NAME = key("lesson_chosen"), key("lesson_new_name")
"""The lesson that is hidden, renamed, removed or taken as a beginning; its new name."""

begin = key.begin


def put_in(text: str, name: str) -> None:
    """Begin with another text; what stood in the box can come back."""
    old = st.session_state[DRAFT]
    if old.strip() and old != text:
        st.session_state[BEFORE] = (old, st.session_state[NAME])
    st.session_state[DRAFT], st.session_state[NAME] = text, name
    st.session_state[REPLACE] = False


def bring_back() -> None:
    """The text that stood in the box before; and the other way round."""
    if (before := st.session_state[BEFORE]) is not None:
        st.session_state[BEFORE] = (st.session_state[DRAFT], st.session_state[NAME])
        st.session_state[DRAFT], st.session_state[NAME] = before
