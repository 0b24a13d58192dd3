"""From a candidate to what students see: the button, the confirmation, and the downloads."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import streamlit as st

from headroles import store, view
from headroles.errors import HeadrolesError
from headroles.roles import MIN_SEQUENCES
from headroles.ui.admin import report, state
from headroles.view import count, entry_diff, jobs
from headroles.view.html import plain

if TYPE_CHECKING:
    from pathlib import Path

    from headroles.reference.diff import Comparison
    from headroles.store import ModelEntry
    from headroles.ui.admin.desk import AdminSession


def draw(
    desk: AdminSession, entry: ModelEntry, *, live: ModelEntry | None, comparison: Comparison
) -> None:
    """Draw the button. What it asks to confirm is what was looked at, with its digest."""

    name = jobs.model_name(entry.model_name)
    confirm = state.Confirm(
        kind="write",
        title=f"Publish {plain(name)} for all students?",
        lines=tuple(entry_diff.sentences(entry.model_name, comparison)),
        warnings=warnings(entry, live),
        subject=entry,
        expecting=store.schema.digest(live),
    )
    st.button(
        "Publish …",
        type="primary",
        icon=":material/publish:",
        key="admin-write",
        on_click=state.ask,
        args=(confirm,),
        disabled=comparison.nothing,
        help="You are asked once more before anything changes.",
    )
    if comparison.nothing:
        st.caption("There is nothing to publish: students already see exactly this.")


def warnings(entry: ModelEntry, live: ModelEntry | None) -> tuple[str, ...]:
    """Warnings before writing an entry: what is weak about it, and what students would lose."""
    sentences = []
    if entry.sequences < MIN_SEQUENCES:
        sentences.append(
            f"Only {count(entry.sequences, 'sequence')} were scored. That is enough for a try; "
            f"use {MIN_SEQUENCES} or more for a class."
        )
    if live is not None and live.causal and not entry.causal:
        sentences.append(
            "Students lose the evidence by ablation in the heads' passports, because this analysis "
            "left it out."
        )
    if live is not None and live.extended and not entry.extended:
        sentences.append(
            "Students lose this model's extended roles, because this analysis left them out."
        )
    return tuple(sentences)


def perform(desk: AdminSession, confirm: state.Confirm) -> None:
    """Write what was confirmed.

    Raises:
        NotSignedInError, StaleWriteError, CategoriesBrokenError, DiskError, FileBusyError: as
            :meth:`AdminService.write`.
    """
    entry = confirm.subject
    desk.office.write(desk.ticket, entry, expecting=confirm.expecting)
    name = jobs.model_name(entry.model_name)
    undo = None
    with contextlib.suppress(HeadrolesError, OSError):  # it is written, whatever comes now
        undo = _way_back(desk.office.categories, entry.model_name, confirm.expecting)
    state.set_notice(
        state.Notice(
            "done",
            f"{name} is live.",
            f"{_who_sees(entry.model_name)} What they saw before is kept under “Versions”.",
            undo,
        )
    )


def _who_sees(model: str) -> str:
    if model in view.offer.offered():
        return "Students see it from their next click."
    return "Students cannot choose this model yet: show or add it under “Models”."


def _way_back(path: Path, model: str, before: str) -> state.Undo | None:
    """The version that holds what the write replaced; None where there was no file before."""

    now = store.categories.file_digest(path)
    for version in store.categories.versions(path):
        if version.fault:
            continue
        if (
            store.schema.digest(store.categories.read_version(version.name, path).get(model))
            == before
        ):
            return state.Undo(version.name, model if before else None, now)
    return None


def downloads(desk: AdminSession, entry: ModelEntry) -> None:
    """The candidate and the live file as downloads: a server's disk may not last."""

    with st.container(border=True, key="admin-downloads"):
        st.subheader("Keep it", anchor=False)
        st.markdown(
            "The disk of Community Cloud does not last: after a restart the app has the file of "
            "its repository again. To keep what is live, download the live file, put it into the "
            "repository as `data/head_categories.json` and commit it."
        )
        with st.container(horizontal=True):
            live_file(desk)
            st.download_button(
                "This candidate",
                store.schema.to_json({entry.model_name: entry}),
                file_name=f"{entry.model_name.replace('/', '--')}_candidate.json",
                mime="application/json",
                icon=":material/download:",
                key="admin-download_candidate",
                on_click="ignore",
            )
        st.caption("Or as a report to read, of this candidate:")
        with st.container(key="admin-report_candidate", horizontal=True):
            report.buttons(entry, place="candidate")


def live_file(desk: AdminSession) -> None:
    """The button that downloads the live file, as it lies on the disk."""
    content = store.files.bytes_of(desk.office.categories) or b""
    st.download_button(
        "The live file",
        content,
        file_name="head_categories.json",
        mime="application/json",
        icon=":material/download:",
        key="admin-download_live",
        on_click="ignore",
        disabled=not content,
    )
