"""The prompts that were run during this visit, and the button that runs one of them again."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import streamlit as st

from headroles import limits, models, view
from headroles.ui.app import chat_format, scope, session
from headroles.ui.app.keys import Keys
from headroles.view.html import named, plain

MOST = 20
"""The most prompts that are remembered."""
_CLEAR = -1

key = Keys(__name__)
RECENT = key("recent", ())
"""[prompt] what was run, the newest first: a tuple of :class:`Ran`."""
# widget key
MENU = key("recent_menu")
"""What was chosen from the menu: a place in :data:`RECENT`."""


class Ran(NamedTuple):
    """A prompt that was run."""

    prompt: str
    """The text."""
    model: str
    """The catalogue key of the model."""
    chat: bool
    """Whether it was wrapped as a chat message."""


def note() -> None:
    """Remember the present prompt as the newest one."""
    key.begin()
    ran = _present()
    if ran.prompt.strip() and len(ran.prompt) <= limits.PROMPT.most:
        others = [other for other in st.session_state[RECENT] if other != ran]
        st.session_state[RECENT] = (ran, *others)[:MOST]


def _present() -> Ran:
    model = st.session_state[session.MODEL]
    return Ran(st.session_state[session.PROMPT], model, chat_format.is_on(model))


def draw() -> None:
    """The menu of all of them but the present one."""
    present = _present()
    labels = {
        place: _label(ran, present)
        for place, ran in enumerate(st.session_state[RECENT])
        if ran != present and (ran.model == present.model or not scope.is_class())
    }
    many = Counter(labels.values())  # the browser sends a label back, so each is another one
    numbered = {
        place: label if many[label] == 1 else f"{place + 1}: {label}"
        for place, label in labels.items()
    }
    numbered[_CLEAR] = "Clear the list"
    st.menu_button(
        "Recent prompts",
        list(numbered),
        format_func=numbered.__getitem__,
        key=MENU,
        icon=":material/history:",
        disabled=not labels,
        on_click=_chosen,
    )


def _label(ran: Ran, present: Ran) -> str:
    """A prompt with what differs from the present choices beside its text."""
    asides = [f"on {plain(models.name_of(ran.model))}"] if ran.model != present.model else []
    asides += ["as a chat message"] if ran.chat and not present.chat else []
    text = named(" ".join(ran.prompt.split()), limit=70)
    return f"{text} · {', '.join(asides)}" if asides else text


def _chosen() -> None:
    """Run the chosen prompt as it was run, or forget them all."""
    place = st.session_state[MENU]
    if place == _CLEAR:
        st.session_state[RECENT] = ()
    elif place is not None and 0 <= place < len(st.session_state[RECENT]):
        ran: Ran = st.session_state[RECENT][place]
        if ran.model in view.offer.offered():
            session.use_model(ran.model)
        st.session_state[session.CHAT] = ran.chat
        session.revisit(ran.prompt)
