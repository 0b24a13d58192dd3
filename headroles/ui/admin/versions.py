"""The live file, its last versions, and restoring one of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st

from headroles import reference, roles, store
from headroles.errors import CategoriesBrokenError, HeadrolesError
from headroles.formatting import listing, size
from headroles.ui.admin import publish, review_diff, review_role, state
from headroles.ui.app import elements
from headroles.view import entry_diff, jobs
from headroles.view.html import count, table

if TYPE_CHECKING:
    from headroles.store import Good, ModelEntry, Version
    from headroles.ui.admin.desk import AdminSession


def draw(desk: AdminSession) -> None:
    """Draw the state of the live file and the list of its versions."""

    versions = store.categories.versions(desk.office.categories)
    _live(desk, versions)
    st.subheader("Earlier versions", anchor=False)
    if not versions:
        st.info(
            "There are none yet. The last "
            f"{store.versions.HISTORY} files that were replaced by a write are kept here."
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
            "There is no file yet, so no head is listed anywhere. Write an analysis to make it."
        )
        return
    stat = path.stat()
    written = datetime.fromtimestamp(stat.st_mtime, UTC)
    elements.html(
        f'<p class="hr-line">{count(len(entries), "model")}, {size(stat.st_size)}, written '
        f"{jobs.moment(written)}.</p>"
    )
    headers = ["Model", "Analysed on", "Sequences", "Seed", "Cap", "Listed heads", "Revision"]
    elements.html(table(headers, [_model_row(entry) for entry in entries.values()]))
    publish.live_file(desk)


def _model_row(entry: ModelEntry) -> list[str]:

    listed = {head for role in roles.SCORED_ROLES for head in entry.listed(role.key)}
    return [
        jobs.model_name(entry.model_name),
        entry.analysis_date,
        str(entry.sequences),
        str(entry.seed),
        str(entry.cap),
        f"{len(listed)} of {entry.num_layers * entry.num_heads}",
        entry.revision[:19],
    ]


def _damaged(desk: AdminSession, fault: HeadrolesError, versions: list[Version]) -> None:
    """Say what is wrong, what students see meanwhile, and the two ways out."""

    digest = store.categories.file_digest(desk.office.categories)
    good = students_see(desk)
    since = f"Students keep what was live since {jobs.moment(good.since)}." if good else ""
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
            help="When there is no good version, or none that you want back.",
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
            f"What was live since {jobs.moment(newest.when)} comes back.",
            *lines,
            "The damaged file goes into the list of versions.",
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
            "There is no live file afterwards: no model has listed heads until an analysis is "
            "written or a version restored.",
            "The damaged file goes into the list of versions; nothing is lost.",
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
        "Look at a version",
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
    st.markdown(f"**What restoring it would change for {jobs.model_name(model)}**")
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
        format_func=jobs.model_name,
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
        f"Restore {jobs.model_name(model)} alone?",
        (*alone, "Every other model stays as it is."),
        (),
        (name, model),
        digest,
    )
    is_same = live == older and store.categories.fault(desk.office.categories) is None
    with st.container(horizontal=True):
        st.button(
            "Restore this one …",
            type="primary",
            icon=":material/settings_backup_restore:",
            key="admin-restore_file",
            on_click=state.ask,
            args=(restore_file,),
            disabled=is_same,
            help="The live file is already identical." if is_same else "The whole file.",
        )
        if len({*older, *live}) > 1 and store.categories.fault(desk.office.categories) is None:
            st.button(
                f"Only {jobs.model_name(model)} …",
                key="admin-restore_model",
                on_click=state.ask,
                args=(restore_model,),
                disabled=live.get(model) == older[model],
                help="The other models stay as they are.",
            )


# ------------------------------------------------------------------ after the yes


def perform_restore(desk: AdminSession, confirm: state.Confirm) -> None:
    """Bring a version back.

    Raises:
        NotSignedInError, UnknownVersionError, StaleWriteError, DiskError, FileBusyError: as
            :meth:`AdminService.restore`.
    """
    name, model = confirm.subject
    desk.office.restore(desk.ticket, name, model=model, expecting=confirm.expecting)
    restored = jobs.model_name(model) if model else "The file"
    state.set_notice(
        state.Notice(
            "done",
            f"{restored} is as it was in that version.",
            "Students see it from their next click on. What it replaced is kept in the list.",
        )
    )


def perform_set_aside(desk: AdminSession, confirm: state.Confirm) -> None:
    """Move the damaged file into the history.

    Raises:
        NotSignedInError, DiskError, FileBusyError: as :meth:`AdminService.set_aside`.
    """
    desk.office.set_aside(desk.ticket)
    state.set_notice(
        state.Notice(
            "done",
            "The damaged file is set aside.",
            "Restore a version, or write an analysis; until then no model has listed heads.",
        )
    )
