"""Two models side by side on one role."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import models, view
from headroles.errors import HeadrolesError
from headroles.roles import ROLES, SCORED_ROLES
from headroles.ui.app import caches, chat_format, download_progress, elements, session
from headroles.ui.app.part import part
from headroles.ui.head_map import multiples, state
from headroles.view import head_maps
from headroles.view.html import plain

if TYPE_CHECKING:
    from headroles.view import ModelMap


@part
def draw(model: ModelMap) -> None:
    """Draw the two pickers, and the two maps once a second model is chosen."""
    st.subheader("Two models on one role", anchor=False)
    present = st.session_state[session.MODEL]
    others = _others(present, needs_scores=model.unit == "score")
    wanted = st.session_state[state.PAIR_MODEL]
    if wanted not in others:
        st.session_state[state.PAIR_MODEL] = None
    with st.container(horizontal=True, vertical_alignment="bottom", key="head_map-pair_controls"):
        second = st.selectbox(
            "Second model",
            others,
            index=None,
            format_func=models.name_of,
            placeholder="Choose a second model" if others else "No other model has scores yet",
            disabled=not others,
            key=state.PAIR_MODEL,
            persist_state="session",
            width=280,
        )
        role_key = st.selectbox(
            "Role",
            [role.key for role in SCORED_ROLES],
            format_func=lambda key: ROLES[key].name,
            key=session.PAIR_ROLE,
            persist_state="session",
            width=240,
        )
    if second is None:
        _why_none(wanted if wanted != present else None, others)
        return
    left, right = st.columns(2, gap="medium")
    with left:
        _side(model, role_key, name=present)
    with right:
        second_map = _second(second, unit=model.unit)
        if second_map is not None:
            _side(second_map, role_key, name=second, elsewhere=True)


def _others(present: str, *, needs_scores: bool) -> list[str]:
    """The models that the first one can be compared with: by scores, or by running the prompt."""
    offered = view.offer.offered()
    return [
        key
        for key in offered
        if key != present
        and (not needs_scores or view.offer.choice(key).scores == view.offer.READY)
    ]


def _why_none(wanted: str | None, others: list[str]) -> None:
    if wanted is not None:
        st.info(
            f"{plain(models.name_of(wanted))} has no reference scores on this server. You can "
            "compare it on your own prompt: choose “This prompt” above.",
            icon=":material/info:",
        )
    elif others:
        st.caption("Are heads with the same role in the same layers? Choose a second model.")
    else:
        st.caption(
            "No other model on this server has reference scores. You can compare any model on your "
            "own prompt: choose “This prompt” above."
        )


def _side(model: ModelMap, role_key: str, *, name: str, elsewhere: bool = False) -> None:
    role_map = model.roles[role_key]
    st.markdown(f"**{plain(models.name_of(name))}**")
    elements.html(
        f'<p class="hr-explain">{escape(f"{role_map.sentence} {role_map.why_nobody}")}</p>'
    )
    multiples.chart(
        role_map, key=f"head_map-pair_{name}", small=True, model=name if elsewhere else None
    )
    elements.html(multiples.scale(role_map, model))


def _second(name: str, *, unit: str) -> ModelMap | None:
    """The second model's numbers from the same source; None, with the reason shown, without any."""
    try:
        reference = _reference(name, needed=unit == "score")
        if unit == "score":
            return head_maps.of_entry(reference.entry, reference.thresholds)
        if not download_progress.is_here(name):
            return None
        with st.spinner(f"Loading {plain(models.name_of(name))} and reading your prompt."):
            answer = caches.answer(
                name, st.session_state[session.PROMPT], chat=chat_format.is_on(name)
            )
        return head_maps.of_prompt(answer.scores, reference.thresholds, reference.entry)
    except HeadrolesError as error:
        st.markdown(f"**{plain(models.name_of(name))}**")
        elements.show_error(error, kind=st.warning)
        return None


def _reference(name: str, *, needed: bool) -> caches.Reference:
    try:
        return caches.stored(name)
    except HeadrolesError:
        if needed:
            raise
        return caches.provisional()
