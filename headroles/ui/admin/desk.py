"""What the parts of the instructor's page share: the sign-in at hand, outcomes, confirmations."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ParamSpec

import streamlit as st

from headroles.errors import HeadrolesError, NotSignedInError
from headroles.ui.admin import state
from headroles.ui.app import elements
from headroles.view.html import plain

if TYPE_CHECKING:
    from headroles.admin import AdminService, Ticket

P = ParamSpec("P")


@dataclass(frozen=True)
class AdminSession:
    """Where an instructor works: the server's actions and the ticket that each of them takes."""

    office: AdminService
    ticket: Ticket | None

    def who(self) -> str | None:
        """The session's name in the audit list; None, with the reason shown, when not signed in."""
        try:
            return self.office.gate.check(self.ticket, is_use=True)
        except NotSignedInError as error:
            if self.ticket is not None:  # it has ended; before a first sign-in there is no reason
                state.sign_out(why=error)
            return None


def run_action(action: Callable[[], object]) -> bool:
    """Run an action on the server; any error is shown on the page.

    Returns:
        Whether it was done.
    """
    try:
        action()
    except NotSignedInError as error:
        state.sign_out(why=error)
    except HeadrolesError as error:
        state.set_notice(state.Notice("failed", error.message, error.hint))
    except OSError as error:
        state.set_notice(state.Notice("failed", *_disk_message(error)))
    else:
        return True
    return False


def perform(action: Callable[[], object], done: str) -> None:
    """The same, with a sentence on the page once it was done."""
    if run_action(action):
        state.set_notice(state.Notice("done", done))


def _disk_message(error: OSError) -> tuple[str, str]:
    return (
        f"The server's disk or network failed: {error.strerror or type(error).__name__}.",
        "Try again. If it fails again, look at the server's log.",
    )


def shows_errors(draw: Callable[P, None]) -> Callable[P, None]:
    """Let a part of the page show what went wrong instead of the rest of it.

    A sign-in that has ended leads back to the form; fragments need this too, because they run
    without the page around them.
    """

    @functools.wraps(draw)
    def draw_or_show_error(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            draw(*args, **kwargs)
        except NotSignedInError as error:
            state.sign_out(why=error)
            st.rerun()
        except HeadrolesError as error:
            elements.show_error(error)
        except OSError as error:
            message, hint = _disk_message(error)
            elements.show_error(HeadrolesError(message, hint=hint))

    return draw_or_show_error


def notice(desk: AdminSession | None = None) -> None:
    """Show how the last action ended; an instructor who is signed in may also get an undo."""
    outcome = st.session_state[state.NOTICE]
    if outcome is None:
        return
    body = f"**{plain(outcome.message)}**" + (f"  \n{plain(outcome.hint)}" if outcome.hint else "")
    with st.container(key="admin-notice"):
        if outcome.kind == "failed":
            st.error(body, icon=":material/error:")
        else:
            st.success(body, icon=":material/check_circle:")
        if desk is None:
            return
        with st.container(horizontal=True):
            if outcome.undo:
                st.button(
                    "Undo",
                    icon=":material/undo:",
                    key="admin-undo_write",
                    on_click=_undo_write,
                    args=(desk, outcome.undo),
                    help="Bring back what was live before.",
                )
            st.button(
                "Close",
                key="admin-close_notice",
                type="tertiary",
                icon=":material/close:",
                on_click=state.set_notice,
                args=(None,),
            )


def _undo_write(desk: AdminSession, undo: state.Undo) -> None:
    def restore() -> None:
        desk.office.restore(desk.ticket, undo.version, model=undo.model, expecting=undo.expecting)
        state.set_notice(
            state.Notice(
                "done",
                "Undone.",
                "From their next click, students see again what they saw before.",
            )
        )

    run_action(restore)
