"""The switch *Chat format*: prompts are wrapped by the model's own chat template."""

from __future__ import annotations

import streamlit as st

from headroles import models
from headroles.ui.app import session


def is_on(model: str) -> bool:
    """Whether a model's prompts are wrapped: the switch is on, and the model has a template."""
    return bool(st.session_state[session.CHAT]) and _has_template(model)


def draw() -> None:
    """Draw the switch, for a model with a template."""
    if _has_template(st.session_state[session.MODEL]):
        st.toggle(
            "Chat format",
            key=session.CHAT,
            persist_state="session",
            help="Wraps your text as a message to a chat model, by the model's own template. "
            "Instruct models answer a message and continue a plain text.",
        )


def _has_template(model: str) -> bool:
    return models.on_disk.has_chat_template(models.entry_of(model))
