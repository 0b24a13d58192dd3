"""The analyses of this server: the ones that run or wait, and the ones that ended."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles.formatting import count, duration, listing
from headroles.ui.admin import new_analysis, state
from headroles.ui.admin.desk import AdminSession, run_action, shows_errors
from headroles.ui.app import address, elements, session
from headroles.view import jobs as job_words
from headroles.view.html import plain, sentence

if TYPE_CHECKING:
    from headroles.admin import Job, JobView

NAMED = 5
"""Records that cannot be read that are named."""
SECOND = 1.0
"""Between two looks at a running analysis."""

_ICONS = {"done": "✓", "failed": "✗", "cancelled": "⊘", "lost": "?"}


def draw(desk: AdminSession, jobs: Sequence[Job]) -> None:
    """Draw what runs and waits, anew every second, or else what ended last; the others folded.

    Args:
        desk: the sign-in at hand.
        jobs: every analysis, the newest first.
    """
    unreadable = desk.office.unreadable_jobs(desk.ticket)
    if unreadable:
        names = plain(listing(unreadable[:NAMED]))
        st.warning(
            f"{_analyses(len(unreadable))} cannot be read and "
            f"{'is' if len(unreadable) == 1 else 'are'} left out: {names}"
            f"{' and others' if len(unreadable) > NAMED else ''}. "
            "The files are in the folder `jobs` of the data folder.",
            icon=":material/warning:",
        )
    if not jobs:
        st.info(
            "Nothing has been analysed on this server yet. Choose a model below and press Start; "
            "the bundled model takes less than a minute. Students see nothing until you publish it."
        )
        return
    st.subheader("Analyses", anchor=False)
    still = tuple(sorted(job.id for job in jobs if job.is_open))
    if still:
        st.fragment(_open_jobs, run_every=SECOND)(desk, still)
    ended = [job for job in jobs if not job.is_open]
    folded = ended if still else ended[1:]
    for job in ended[: len(ended) - len(folded)]:
        _ended(desk, job)
    if folded:
        with st.expander(_analyses(len(folded), "earlier "), key="admin-earlier"):
            for job in folded:
                _ended(desk, job)


@shows_errors
def _open_jobs(desk: AdminSession, still: Sequence[str]) -> None:
    """The open ones, oldest first; when one of them has ended, the whole page follows once."""
    now = [job for job in reversed(desk.office.jobs(desk.ticket)) if job.is_open]
    if tuple(sorted(job.id for job in now)) != tuple(still):
        st.rerun()
    for job in now:
        with st.container(border=True, key=f"admin-open_{job.id}"):
            _open(desk, desk.office.watch(desk.ticket, job.id))
    st.caption(
        "You can close this page and come back: the server goes on. One analysis runs at a time, "
        "and it gives way to students' prompts."
    )


def _open(desk: AdminSession, view: JobView) -> None:
    job = view.job
    with st.container(horizontal=True, vertical_alignment="center"):
        elements.html(_title(job), width="stretch")
        st.button(
            "Cancel",
            key=f"admin-cancel_{job.id}",
            icon=":material/stop_circle:",
            help="Stops it within three seconds; nothing of it is kept.",
            on_click=run_action,
            args=(lambda: desk.office.cancel(desk.ticket, job.id),),
        )
    if job.state == "queued":
        if view.waits_for_a_process:
            st.caption(
                "Waiting for a server process that runs analyses. None has taken it on yet; a "
                "process with `HEADROLES_RUN_ANALYSES` set to 0 never does."
            )
        else:
            before = f"{_analyses(view.place)} ahead of it" if view.place else "it is next"
            st.caption(f"Waiting: {before}.")
        return
    st.progress(view.fraction, text=plain(job_words.progress(view)))
    st.caption(job_words.clock(view))
    if view.log:
        with st.expander("The last lines of its log", key=f"admin-log_{job.id}"):
            st.code("\n".join(view.log), language=None, wrap_lines=True)


def _analyses(number: int, kind: str = "") -> str:
    return count(number, f"{kind}analysis", f"{kind}analyses")


def _title(job: Job) -> str:
    return (
        f"<b>{escape(job_words.model_name(job.request.model))}</b>"
        f'<div class="hr-small">{escape(job_words.settings(job.request))} · '
        f"{escape(job.who)}</div>"
    )


def _ended(desk: AdminSession, job: Job) -> None:
    with st.container(border=True, key=f"admin-ended_{job.id}"):
        with st.container(horizontal=True, vertical_alignment="center"):
            elements.html(
                f"{_title(job)}"
                f'<div class="hr-small"><b>{_ICONS[job.state]} {job_words.STATES[job.state]}</b> '
                f"after {duration(job.seconds)} · "
                f"{job_words.moment(job.ended_at or job.queued_at)}"
                "</div>",
                width="stretch",
            )
            if job.state == "done" and job.request.read_tokens:
                st.button(
                    "Look at it",
                    icon=":material/auto_stories:",
                    key=f"admin-look_{job.id}",
                    on_click=address.follow,
                    args=(session.REAL_TEXT,),
                    kwargs={"model": job.request.model},
                    help="Students find it on the page Real text.",
                )
            elif job.state == "done":
                st.button(
                    "Review it",
                    type="primary",
                    icon=":material/visibility:",
                    key=f"admin-look_{job.id}",
                    on_click=state.look_at,
                    args=(job.id,),
                )
            else:
                st.button(
                    "Start again",
                    icon=":material/replay:",
                    key=f"admin-again_{job.id}",
                    on_click=new_analysis.start,
                    args=(desk, [job.request]),
                    help="With the same settings.",
                )
            st.button(
                "Forget",
                type="tertiary",
                icon=":material/delete:",
                key=f"admin-forget_{job.id}",
                on_click=run_action,
                args=(lambda: desk.office.discard(desk.ticket, job.id),),
                help="Removes it and its result from this list. What students see stays the same.",
            )
        if job.message:
            _why(desk, job)


def _why(desk: AdminSession, job: Job) -> None:
    body = f"**{plain(job.message)}**"
    st.error(f"{body}  \n{sentence(job.hint)}" if job.hint else body)
    log = desk.office.watch(desk.ticket, job.id).log
    if log:
        with st.expander("The last lines of its log", key=f"admin-log_{job.id}"):
            st.code("\n".join(log), language=None, wrap_lines=True)
