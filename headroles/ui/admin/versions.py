"""The live file, its last versions, and restoring one of them."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from headroles import reference, roles, store
from headroles.errors import CategoriesBrokenError, HeadrolesError
from headroles.formatting import listing, size
from headroles.ui.admin import publish, report, review_diff, review_role, state
from headroles.ui.app import elements
from headroles.view import entry_diff, jobs
from headroles.view.html import count, plain, table

if TYPE_CHECKING:
    from pathlib import Path

    from headroles.store import Good, ModelEntry, Version
    from headroles.ui.admin.desk import AdminSession


def draw(desk: AdminSession) -> None:
    """Draw the state of the live file and the list of its versions."""

    versions = store.categories.versions(desk.office.categories)
    _live(desk, versions)
    st.subheader("Earlier versions", anchor=False)
    if not versions:
        st.info(
            "There are none yet. When the live file is replaced, the old one is kept here: the "
            f"last {store.versions.HISTORY} of them."
        )
        return
    elements.html(
        table(
            ["Version", "Live since", "Models", "Size", "State"],
            [
                [str(number), *_version_row(version)]
                for number, version in enumerate(versions, start=1)
            ],
        )
    )
    _look(desk, versions)


def _version_row(version: Version) -> list[str]:
    models = listing([jobs.model_name(model) for model in version.models])
    state_words = "damaged" if version.fault else "in order"
    return [jobs.moment(version.when), models or "–", size(version.size), state_words]


# ------------------------------------------------------------------ the live file


def _live(desk: AdminSession, versions: list[Version]) -> None:

    path = desk.office.categories
    st.subheader("The live file", anchor=False)
    fault = store.categories.fault(path)
    if fault is not None:
        _damaged(desk, fault, versions)
        return
    entries = store.categories.read_all(path)
    if not entries:
        st.info(
            "There is no file yet, so students see no listed heads. Publish an analysis to make it."
        )
        return
    stat = path.stat()
    written = datetime.fromtimestamp(stat.st_mtime, UTC)
    elements.html(
        f'<p class="hr-line">{count(len(entries), "model")}, {size(stat.st_size)}, live since '
        f"{jobs.moment(written)}.</p>"
    )
    headers = ["Model", "Analysed on", "Sequences", "Seed", "Cap", "Listed heads", "Revision"]
    elements.html(table(headers, [_model_row(entry) for entry in entries.values()]))
    publish.live_file(desk)
    report.draw(entries)


def _model_row(entry: ModelEntry) -> list[str]:

    listed = {head for role in roles.SCORED_ROLES for head in entry.listed(role.key)}
    numbers = [entry.sequences, entry.seed, entry.cap]
    return [
        jobs.model_name(entry.model_name),
        "made elsewhere" if entry.made_elsewhere else entry.analysis_date,
        *("–" if number is None else str(number) for number in numbers),
        f"{len(listed)} of {entry.num_layers * entry.num_heads}",
        entry.revision[:19] or "–",
    ]


def _damaged(desk: AdminSession, fault: HeadrolesError, versions: list[Version]) -> None:
    """Say what is wrong, what students see meanwhile, and the two ways out."""

    digest = store.categories.file_digest(desk.office.categories)
    good = students_see(desk)
    since = f"Students still see the version of {jobs.moment(good.since)}." if good else ""
    hint = since or "Students see no listed heads until it is repaired."
    elements.show_error(
        HeadrolesError(fault.message, hint=f"{hint} Restore a version, or set the file aside.")
    )
    newest = next((version for version in versions if not version.fault), None)
    with st.container(horizontal=True):
        if newest:
            st.button(
                "Restore the newest good version …",
                type="primary",
                icon=":material/settings_backup_restore:",
                key="admin-restore_newest",
                on_click=state.ask,
                args=(_restore_newest(desk, newest, digest),),
            )
        st.button(
            "Set the damaged file aside …",
            icon=":material/move_to_inbox:",
            key="admin-set_aside",
            on_click=state.ask,
            args=(_set_aside(digest),),
            help="For when there is no good version, or none that you want back.",
        )


def students_see(desk: AdminSession) -> Good | None:
    """The content that students' pages use; None where a damaged file has no good version."""

    try:
        return store.categories.read_good(desk.office.categories)
    except CategoriesBrokenError:
        return None


def _restore_newest(desk: AdminSession, newest: Version, digest: str) -> state.Confirm:

    good = students_see(desk)
    older = store.categories.read_version(newest.name, desk.office.categories)
    lines, lost = entry_diff.file_sentences(good.entries if good else {}, older)
    return state.Confirm(
        kind="restore",
        title="Restore the newest good version?",
        lines=(
            f"They see the version of {jobs.moment(newest.when)} again.",
            *lines,
            "The damaged file is kept in the list of versions.",
        ),
        warnings=tuple(lost),
        subject=(newest.name, None),
        expecting=digest,
    )


def _set_aside(digest: str) -> state.Confirm:
    return state.Confirm(
        kind="set_aside",
        title="Set the damaged file aside?",
        lines=(
            "They see no listed heads of any model until you publish an analysis or restore a "
            "version.",
            "The damaged file is kept in the list of versions, so nothing is lost.",
        ),
        warnings=(),
        subject=None,
        expecting=digest,
    )


# ------------------------------------------------------------------ one version


def _look(desk: AdminSession, versions: list[Version]) -> None:
    good = {
        version.name: f"{number}: live since {jobs.moment(version.when)}"
        for number, version in enumerate(versions, start=1)
        if not version.fault
    }
    if not good:
        return
    if st.session_state.get(state.VERSION) not in good:
        st.session_state[state.VERSION] = next(iter(good))
    name = st.selectbox(
        "Version to look at",
        list(good),
        format_func=good.__getitem__,
        key=state.VERSION,
    )
    with st.container(border=True, key="admin-version_view"):
        _one_version(desk, name)


def _one_version(desk: AdminSession, name: str) -> None:

    path = desk.office.categories
    digest = store.categories.file_digest(path)
    older = store.categories.read_version(name, path)
    good = students_see(desk)
    live = good.entries if good else {}
    if not older:
        st.info("This version holds no model.")
        return
    model = _choose_model(older, live)
    comparison = reference.diff.compare(live.get(model), older[model])
    st.markdown(f"**What restoring it would change for {plain(jobs.model_name(model))}**")
    review_diff.overview(comparison, older[model])
    if not comparison.is_new and not comparison.nothing:
        changed = next((key for key, role in comparison.roles.items() if not role.nothing), None)
        key = review_role.choose_role(older[model], state.VERSION_ROLE, first=changed)
        review_diff.role(comparison, key)
    _restore_buttons(desk, name, model, live=live, older=older, digest=digest)


def _choose_model(older: Mapping[str, ModelEntry], live: Mapping[str, ModelEntry]) -> str:
    """One model of a version; at first one that restoring would change."""
    if len(older) == 1:
        return next(iter(older))
    if st.session_state.get(state.VERSION_MODEL) not in older:
        changed = (model for model in older if older[model] != live.get(model))
        st.session_state[state.VERSION_MODEL] = next(changed, next(iter(older)))
    return st.segmented_control(
        "Model of this version",
        list(older),
        format_func=lambda key: plain(jobs.model_name(key)),
        key=state.VERSION_MODEL,
        required=True,
    )


def _restore_buttons(
    desk: AdminSession,
    name: str,
    model: str,
    *,
    live: Mapping[str, ModelEntry],
    older: Mapping[str, ModelEntry],
    digest: str,
) -> None:

    lines, lost = entry_diff.file_sentences(live, older)
    restore_file = state.Confirm(
        "restore", "Restore the whole file?", tuple(lines), tuple(lost), (name, None), digest
    )
    alone, _ = entry_diff.file_sentences(live, {model: older[model]})
    restore_model = state.Confirm(
        "restore",
        f"Restore only {plain(jobs.model_name(model))}?",
        (*alone, "All other models stay as they are."),
        (),
        (name, model),
        digest,
    )
    is_same = live == older and store.categories.fault(desk.office.categories) is None
    with st.container(horizontal=True):
        st.button(
            "Restore this version …",
            type="primary",
            icon=":material/settings_backup_restore:",
            key="admin-restore_file",
            on_click=state.ask,
            args=(restore_file,),
            disabled=is_same,
            help="The live file is the same already." if is_same else "Restores all its models.",
        )
        if len({*older, *live}) > 1 and store.categories.fault(desk.office.categories) is None:
            st.button(
                f"Only {plain(jobs.model_name(model))} …",
                key="admin-restore_model",
                on_click=state.ask,
                args=(restore_model,),
                disabled=live.get(model) == older[model],
                help="Restores this model alone; the others stay as they are.",
            )


# ------------------------------------------------------------------ after the yes


def perform_restore(desk: AdminSession, confirm: state.Confirm) -> None:
    """Bring a version back.

    Raises:
        NotSignedInError, UnknownVersionError, StaleWriteError, DiskError, FileBusyError: as
            :meth:`AdminService.restore`.
    """
    name, model = confirm.subject
    path = desk.office.categories
    when = next((one.when for one in store.categories.versions(path) if one.name == name), None)
    desk.office.restore(desk.ticket, name, model=model, expecting=confirm.expecting)
    undo = None
    with contextlib.suppress(HeadrolesError, OSError):  # it is restored, whatever comes now
        undo = _way_back(path, confirm.expecting)
    what = jobs.model_name(model) if model else "The file"
    since = f" that was live since {jobs.moment(when)}" if when else ""
    state.set_notice(
        state.Notice(
            "done",
            f"{what} is restored to the version{since}.",
            "Students see it from their next click. What they saw before is kept in the list.",
            undo,
        )
    )


def _way_back(path: Path, replaced: str) -> state.Undo | None:
    """How to bring back the file with this digest; None where it was damaged, or is not kept."""
    for version in store.categories.versions(path):
        if not version.fault and store.categories.version_digest(version.name, path) == replaced:
            return state.Undo(version.name, None, store.categories.file_digest(path))
    return None


def perform_set_aside(desk: AdminSession, confirm: state.Confirm) -> None:
    """Move the damaged file into the history.

    Raises:
        NotSignedInError, DiskError, FileBusyError: as :meth:`AdminService.set_aside`.
    """
    desk.office.set_aside(desk.ticket)
    state.set_notice(
        state.Notice(
            "done",
            "The damaged file was set aside.",
            "Restore a version or publish an analysis. Until then, students see no listed heads.",
        )
    )
