"""The model picker in the sidebar, on every page, and the invitation to a real language model."""

from __future__ import annotations

import streamlit as st

from headroles import view
from headroles.formatting import size
from headroles.models import DEFAULT_MODEL, INVITED
from headroles.ui.app import scope, session
from headroles.view.html import plain


def draw(*, invites: bool = True) -> None:
    """Draw the picker; the choice is ``session.MODEL``.

    Args:
        invites: whether the bundled model leads on to a real one.
    """
    offered = keep_offered()
    labels = view.offer.labels(offered)
    _renew(labels[st.session_state[session.MODEL]])
    with st.sidebar:
        key = st.selectbox(
            "Model",
            offered,
            format_func=labels.__getitem__,
            key=session.MODEL,
            on_change=session.forget_head,
            persist_state="session",
        )
        st.caption(plain(view.offer.about(view.offer.choice(key))))
        if view.offer.damage():
            st.caption("The list of models on this server is damaged; an earlier one is in use.")
        if invites and key == DEFAULT_MODEL and INVITED in labels:
            _invite()


def keep_offered() -> list[str]:
    """The models that are offered; the bundled one is chosen if the session's is none of them."""
    session.begin()
    offered = view.offer.offered()
    if st.session_state[session.MODEL] not in offered:  # it was hidden or removed meanwhile
        session.use_default_model()
    return offered


def draw_fixed() -> None:
    """In a class, the model as text, and the way out."""
    keep_offered()
    choice = view.offer.choice(st.session_state[session.MODEL])
    with st.sidebar:
        st.markdown(f"Model: **{plain(choice.entry.name)}**")
        st.caption(f"Fixed by the class link. {plain(view.offer.about(choice))}")
        st.button(
            "Open the whole app",
            icon=":material/logout:",
            type="tertiary",
            on_click=scope.leave,
            key="app-leave_class",
            help="All pages and all models. What you typed stays; Back in the browser leads back "
            "to the class.",
        )


def _renew(label: str) -> None:
    """Send the choice to the browser anew when its words have changed: it keeps them, not a key."""
    if st.session_state[session.MODEL_LABEL] not in (None, label):
        session.keep_model()
    st.session_state[session.MODEL_LABEL] = label


def _invite() -> None:
    """One line that leads from the bundled model to a real one."""
    choice = view.offer.choice(INVITED)
    name = choice.entry.name.split()[0]
    once = f"{size(choice.entry.download_bytes)}, once"
    st.button(
        f"Try a real language model: {name}, {'ready on this server' if choice.is_here else once}",
        icon=":material/rocket_launch:",
        type="tertiary",
        on_click=session.use_model,
        args=(INVITED,),
        key="app-invitation",
    )
