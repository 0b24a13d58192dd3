"""A finished analysis before it is live: its results, what would change, and how to write it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import reference, store
from headroles.errors import CategoriesBrokenError
from headroles.formatting import listing
from headroles.roles import ROLES, named_heads
from headroles.ui.admin import publish, review_diff, review_role, state
from headroles.ui.app import caches, elements, extended_maps
from headroles.view import candidate as view_candidate
from headroles.view import jobs
from headroles.view import summary_rows as extended_rows
from headroles.view.html import count, table

if TYPE_CHECKING:
    from headroles.admin import Job
    from headroles.reference.diff import Comparison
    from headroles.store import ModelEntry
    from headroles.ui.admin.desk import AdminSession

BASES = {"pattern": "by their pattern", "function": "by their effect on the output"}
"""The two kinds of evidence for a known head, as they end a sentence."""


def draw(desk: AdminSession) -> None:
    """Draw the chosen analysis from its headline to its details."""
    caches.import_libraries()
    job = _choose(desk)
    if job is None:
        return
    candidate = desk.office.candidate(desk.ticket, job.id)
    entry = review_role.selected(job.id, candidate)
    elements.html(f'<p class="hr-explain">{escape(jobs.headline(entry))}</p>')
    _known_heads(entry)
    against_live = _against_live(desk, entry)
    if against_live is not None:
        live, comparison = against_live
        with st.container(border=True, key="admin-changes"):
            st.subheader("What would change for students", anchor=False)
            review_diff.overview(comparison, entry)
            publish.draw(desk, entry, live=live, comparison=comparison)
    st.subheader("Role by role", anchor=False)
    key = review_role.choose_role(entry, state.LOOK_ROLE)
    review_role.draw(job.id, candidate, entry, key)
    if against_live is not None and not against_live[1].is_new:
        with st.container(border=True, key="admin-role_changes"):
            review_diff.role(against_live[1], key)
    _extended(entry)
    publish.downloads(desk, entry)


def _extended(entry: ModelEntry) -> None:
    """The extended roles of the candidate: their lists, and the map of one where it is wanted."""
    st.subheader("Extended roles", anchor=False)
    if not entry.extended:
        st.caption("This analysis left out the extended roles.")
        return
    elements.html(table(["Role", "Listed", "From", "n"], extended_rows(entry)))
    if not st.toggle("Show their maps", key=state.LOOK_MAPS, persist_state="session"):
        return
    key = st.segmented_control(
        "Extended role",
        list(entry.extended),
        default=next(iter(entry.extended)),
        format_func=lambda name: ROLES[name].name,
        key=state.LOOK_EXTENDED,
        required=True,
        label_visibility="collapsed",
    )
    with st.container(border=True, key="admin-look_extended"):
        elements.html(extended_maps.LEGEND.format(marks=extended_maps.LISTED, papers=""))
        extended_maps.card(entry.extended[key], place="admin-look", clickable=False)


def _choose(desk: AdminSession) -> Job | None:
    jobs_known = desk.office.jobs(desk.ticket)
    done = {
        job.id: job for job in jobs_known if job.state == "done" and not job.request.read_tokens
    }
    if not done:
        what = (
            "An analysis is still running; its bar stands under “Analyse”."
            if any(job.is_open for job in jobs_known)
            else "There is no finished analysis yet. Start one under “Analyse”."
        )
        st.info(
            f"{what} Its result appears here, and students see nothing of it until you publish it."
        )
        return None
    if st.session_state.get(state.JOB) not in done:
        st.session_state[state.JOB] = next(iter(done))
    key = st.selectbox(
        "Finished analysis",
        list(done),
        format_func=lambda name: jobs.job_label(done[name]),
        key=state.JOB,
        persist_state="session",
    )
    return done[key]


def _against_live(
    desk: AdminSession, entry: ModelEntry
) -> tuple[ModelEntry | None, Comparison] | None:
    """The entry that would be replaced, and the comparison with what students see, which may stand
    under another name of the model; None, with the reason shown, without a file in order."""

    try:
        good = store.categories.read_good(desk.office.categories)
        fault = good.fault
    except CategoriesBrokenError as error:
        fault = error
    if fault is not None:
        elements.show_error(fault)
        st.caption("Until then, nothing can be compared or published. See “Versions”.")
        return None
    seen = store.contents.key_in(good.entries, entry.model_name)
    comparison = reference.diff.compare(good.entries[seen] if seen else None, entry)
    return good.entries.get(entry.model_name), comparison


def _known_heads(entry: ModelEntry) -> None:
    """How many of the heads that papers name for this model are listed, by kind of evidence."""
    if not named_heads(entry.model_name):
        return
    known = {basis: view_candidate.known_in(entry, basis) for basis in BASES}
    parts = []
    for basis, heads in known.items():
        listed, total = view_candidate.tally(heads)
        if total:
            parts.append(f"{listed} of the {count(total, 'head')} named {BASES[basis]}")
    if not parts:
        return
    st.markdown(
        f"Of the heads that papers name in this model, the analysis lists **{listing(parts)}**."
    )
    with st.expander("Which heads, and in which paper", key="admin-known_heads"):
        for basis, heads in known.items():
            if heads:
                elements.html(f"<b>Named {BASES[basis]}</b>")
                elements.html(
                    table(["Head", "Role", "Found", "Score", ""], _known_rows(heads), notes=True)
                )
        st.caption(
            "A head named for its effect may not show the role's pattern on random repeats, so a "
            "missing head does not count against the analysis."
        )


def _known_rows(heads: list[view_candidate.Known]) -> list[list[str]]:
    return [
        [
            head.known.head.label,
            ROLES[head.known.role].name,
            "✓ listed" if head.listed else "not listed",
            "–" if head.score is None else f"{head.score:.2f}",
            head.known.source,
        ]
        for head in heads
    ]
