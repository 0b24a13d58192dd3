"""A pattern as a role of this visit: saved in the lab, shown on the other pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles import formatting, roles, view
from headroles.ui.app import saved_roles, scope, session
from headroles.ui.detector_lab import state
from headroles.view import html

if TYPE_CHECKING:
    from headroles.types import Head
    from headroles.ui.detector_lab.detection import Request, Result


def offer(request: Request, result: Result, place: int) -> None:
    """The button that saves the pattern that is shown, or removes it."""
    role = roles.SavedRole(result.detection.patterns[place], request.model, _best(result, place))
    if _is_kept(role):
        st.success(
            f"“{html.named(role.name)}” is kept by your instructor: everybody sees it.",
            icon=":material/check:",
        )
        return
    if present := _saved(role):
        _is_saved(present)
        return
    st.button(
        "Save as a role of this session",
        icon=":material/bookmark_add:",
        on_click=state.save,
        args=(role,),
        key="detector_lab-save",
        disabled=not role.heads,
    )
    threshold = formatting.percent(view.saved_roles.THRESHOLD)
    st.caption(
        f"Your Prompt then shows a card with its best heads, up to {roles.saved_roles.MOST_HEADS}. "
        f"A head is active over {threshold} and clearly above chance; that threshold is "
        "provisional. The role lasts until you close the page, or as long as its link; an "
        "instructor can keep it for the whole class."
    )


def _saved(role: roles.SavedRole) -> roles.SavedRole | None:
    """The role of this visit with the same pattern and model."""
    same = ((one, (one.pattern, one.model)) for one in saved_roles.saved())
    return next((one for one, which in same if which == (role.pattern, role.model)), None)


def _is_saved(present: roles.SavedRole) -> None:
    """Say where it is shown, and what can be done with it."""
    st.success(
        f"“{html.named(present.name)}” is a role of this session with "
        f"{html.plain(', '.join(head.label for head, _ in present.heads))}. Your Prompt, "
        "the Head map on a prompt and the close-up show it, and a link carries it.",
        icon=":material/check:",
    )
    with st.container(horizontal=True):
        st.button(
            "Remove it",
            icon=":material/undo:",
            on_click=saved_roles.forget,
            args=(present,),
            key="detector_lab-forget",
        )
        if scope.offers(session.YOUR_PROMPT):
            st.page_link(session.YOUR_PROMPT, label="Your Prompt", icon=":material/edit_note:")
        if scope.offers(session.ADMIN):
            st.page_link(
                session.ADMIN,
                label="For instructors: keep it for the class",
                icon=":material/admin_panel_settings:",
            )
    if not present.travels:
        st.caption("A link cannot carry a painted pattern; an expression it can.")


def _is_kept(role: roles.SavedRole) -> bool:
    return any(one.pattern.key == role.pattern.key for one in saved_roles.kept(role.model))


def _best(result: Result, place: int) -> tuple[tuple[Head, float], ...]:
    """The heads over the threshold; the best few, where there is none."""
    summary = result.detection.summary(place, "activation")
    ranking = [(head, float(summary.mean[head])) for head in summary.ranking()]
    most = roles.saved_roles.MOST_HEADS
    over = [ranked for ranked in ranking if ranked[1] >= view.saved_roles.THRESHOLD][:most]
    return tuple(over or ranking[: view.saved_roles.FEWEST_HEADS])
