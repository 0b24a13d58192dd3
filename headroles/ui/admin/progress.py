"""The analyses of this server: the ones that run or wait, and the ones that ended."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles.formatting import duration, listing
from headroles.ui.admin import new_analysis, state
from headroles.ui.admin.desk import AdminSession, run_action, shows_errors
from headroles.ui.app import elements
from headroles.view import jobs as job_words
from headroles.view.html import count, plain

if TYPE_CHECKING:
    from headroles.admin import Job, JobView

SHOWN = 5
"""Ended analyses that are shown on the page; older ones are folded away."""
SECOND = 1.0
"""Between two looks at a running analysis."""

_ICONS = {"done": "✓", "failed": "✗", "cancelled": "⊘", "lost": "?"}


def draw(desk: AdminSession) -> None:
    """Draw every analysis; while one is open, its part is drawn anew every second."""
    st.subheader("Analyses", anchor=False)
    jobs = desk.office.jobs(desk.ticket)
    unreadable = desk.office.unreadable_jobs(desk.ticket)
    if unreadable:
        names = plain(listing(unreadable[:SHOWN]))
        st.warning(
            f"{count(len(unreadable), 'record')} of an analysis cannot be read and "
            f"{'is' if len(unreadable) == 1 else 'are'} left out, among them: {names}. "
            "They lie in the folder `jobs` of the data folder.",
            icon=":material/warning:",
        )
    if not jobs:
        st.info(
            "Nothing has been analysed on this server yet. Choose a model above and press Start; "
            "the bundled one takes less than a minute. Students see nothing before you write it."
        )
        return
    still = tuple(sorted(job.id for job in jobs if job.is_open))
    if still:
        st.fragment(_open_jobs, run_every=SECOND)(desk, still)
    ended = [job for job in jobs if not job.is_open]
    for job in ended[:SHOWN]:
        _ended(desk, job)
    if len(ended) > SHOWN:
        with st.expander(f"{len(ended) - SHOWN} older"):
            for job in ended[SHOWN:]:
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
        "The analysis belongs to the server: you can close this page and come back. One runs at a "
        "time, so that students' prompts still get an answer."
    )


def _open(desk: AdminSession, view: JobView) -> None:
    job = view.job
    with st.container(horizontal=True, vertical_alignment="center"):
        elements.html(_title(job), width="stretch")
        st.button(
            "Cancel",
            key=f"admin-cancel_{job.id}",
            icon=":material/stop_circle:",
            help="Ends it within three seconds and leaves nothing behind.",
            on_click=run_action,
            args=(lambda: desk.office.cancel(desk.ticket, job.id),),
        )
    if job.state == "queued":
        if view.waits_for_a_process:
            st.caption(
                "Waiting for a server process that runs analyses; none has taken it up yet. Where "
                "`HEADROLES_RUN_ANALYSES` is 0, a process only asks."
            )
        else:
            st.caption(f"Waiting: {count(view.place, 'other')} ahead of it.")
        return
    st.progress(view.fraction, text=plain(job_words.progress(view)))
    st.caption(job_words.clock(view))
    if view.log:
        with st.expander("The log's last lines", key=f"admin-log_{job.id}"):
            st.code("\n".join(view.log), language=None, wrap_lines=True)


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
            if job.state == "done":
                st.button(
                    "Look at it",
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
                help="Removes it from this list, with its result. What students see stays.",
            )
        if job.message:
            _why(desk, job)


def _why(desk: AdminSession, job: Job) -> None:
    body = f"**{plain(job.message)}**"
    st.error(f"{body}  \n{plain(job.hint)}" if job.hint else body)
    log = desk.office.watch(desk.ticket, job.id).log
    if log:
        with st.expander("The log's last lines", key=f"admin-log_{job.id}"):
            st.code("\n".join(log), language=None, wrap_lines=True)
