"""The names in the address of Your Prompt. A link to the app itself may lead on from here."""

from __future__ import annotations

import streamlit as st

from headroles.ui.app import link, saved_roles, session
from headroles.ui.app.link import KEEP, Row
from headroles.ui.your_prompt import state


def _present() -> bool:
    return bool(st.session_state.get(state.PRESENT))


def _other_view(text: str) -> object:
    view = link.VIEW.read(text)
    return link.ABSENT if view == "listed" else view  # that is what this page shows


ROWS = (
    link.MODEL,
    link.PROMPT,
    link.SECOND_PROMPT,
    Row("second_model", session.SECOND_MODEL, "second model", link.read_another_model,
        old="m2", put=state.compare_models, get=state.second_model),
    Row("present", state.PRESENT, "switch",
        link.flag("1 shows one role at a time in large type, 0 the page as usual."),
        lambda on: str(int(on)), first=False, get=_present),
    link.ROLE._replace(first=KEEP, written=False),
    link.HIDE_RESTING._replace(first=KEEP, written=False),
    link.HEAD._replace(first=KEEP, leads_to=session.CLOSEUP, written=False),
    link.VIEW._replace(read=_other_view, first=KEEP, leads_to=session.MAP, written=False),
    link.CHAT,
    saved_roles.ROW,
)  # fmt: skip
