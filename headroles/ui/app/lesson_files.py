"""The lessons of this server, and one that only this session sees: a preview.

All pages read the lessons here, so that their files are checked once for all of them. A preview is
what an instructor looks at before it is put live; the page Lessons takes it in with the others
(:func:`merged`), where it stands in for a lesson of its name.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import lessons, models
from headroles.ui.app import keeper, scope, session
from headroles.ui.app.keys import Keys
from headroles.view.html import plain

if TYPE_CHECKING:
    from headroles.lessons import Lessons

PREVIEW = Keys(__name__)("lesson_preview")
"""The :class:`Preview`, where there is one."""


def stored(*, hidden: bool = False) -> Lessons:
    """All lessons, and the files that are none; read again when one of them has changed, or the
    models that lessons may name.

    Args:
        hidden: with those that an instructor has hidden.
    """
    return _stored(hidden, lessons.reading.stamps(), tuple(models.known_models()))


@keeper.keep
def _stored(hidden: bool, stamps: Hashable, models_known: Hashable) -> Lessons:
    return lessons.read_all(hidden=hidden)


class Preview(NamedTuple):
    """A lesson that is looked at."""

    key: str
    """What it is going to be called."""
    text: str
    """Its file's text; it is a lesson."""


def set_preview(preview: Preview | None) -> None:
    """Show a lesson to this session alone, or no longer."""
    st.session_state[PREVIEW] = preview


def shown() -> Preview | None:
    """The lesson that this session alone sees."""
    return st.session_state.get(PREVIEW)


def note() -> None:
    """Say above the page Lessons that one of them is a preview, with the way back and the end."""
    preview = shown()
    if preview is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="app-lesson_preview"):
        st.info(
            f"The lesson “{plain(preview.key)}” is a preview: you alone see it.",
            icon=":material/visibility:",
            width="stretch",
        )
        if scope.offers(session.ADMIN):
            st.page_link(session.ADMIN, label="Back to Admin", icon=":material/arrow_back:")
        st.button(
            "End the preview",
            icon=":material/close:",
            key="app-end_lesson_preview",
            on_click=set_preview,
            args=(None,),
        )


def merged(found: Lessons) -> Lessons:
    """The lessons with that of this session, first of all."""
    preview = shown()
    if preview is None:
        return found
    read = lessons.reading.parse(preview.text.encode(), name=preview.key)
    others = {key: other for key, other in found.by_key.items() if key != preview.key}
    return found._replace(by_key={preview.key: read, **others})
