"""Who did what, when, and how it ended."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import TYPE_CHECKING

import streamlit as st

from headroles.formatting import duration
from headroles.ui.app import elements
from headroles.view import jobs
from headroles.view.html import count, plain, table

if TYPE_CHECKING:
    from headroles.admin import AuditRow
    from headroles.ui.admin.desk import AdminSession

ACTIONS = {
    "signed_in": "signed in",
    "refused": "was refused",
    "started": "started an analysis",
    "finished": "analysis done",
    "failed": "analysis failed",
    "cancelled": "analysis cancelled",
    "lost": "analysis lost",
    "wrote": "published",
    "restored": "restored",
    "set_aside": "set the damaged file aside",
    "edited_models": "changed the list of models",
    "edited_roles": "changed the roles of the class",
    "edited_lessons": "changed the lessons",
}
"""Every action, as a person reads it."""

HEADERS = ["When (UTC)", "Who", "What", "Model", "Settings", "Took", "Outcome"]


def draw(desk: AdminSession) -> None:
    """Draw the list, newest first, and its download."""
    st.subheader("Audit list", anchor=False)
    history = desk.office.history(desk.ticket)
    rows = history.rows
    if history.fault or history.damaged:
        are = "is" if history.damaged == 1 else "are"
        damaged = f"{count(history.damaged, 'row')} cannot be read and {are} left out."
        st.warning(plain(history.fault or damaged), icon=":material/warning:")
    if not rows and not history.fault:
        st.info("Nothing has happened yet.")
        return
    st.caption(
        f"{count(len(rows), 'row')}, newest first. A session's name tells sign-ins apart; it says "
        "nothing about the person."
    )
    st.download_button(
        "Download as CSV",
        as_csv(rows),
        file_name="headroles_audit.csv",
        mime="text/csv",
        icon=":material/download:",
        key="admin-download_audit",
        on_click="ignore",
    )
    elements.html(table(HEADERS, [_cells(row) for row in rows]))


def _cells(row: AuditRow) -> list[str]:
    settings = [
        count(row.sequences, "sequence") if row.sequences else "",
        f"seed {row.seed}" if row.seed is not None else "",
        f"revision {row.revision[:19]}" if row.revision else "",
    ]
    return [
        f"{row.when:%Y-%m-%d %H:%M:%S}",
        row.who,
        ACTIONS[row.action],
        row.model and jobs.model_name(row.model),
        ", ".join(filter(None, settings)),
        duration(row.seconds) if row.seconds else "",
        row.outcome,
    ]


def as_csv(rows: Iterable[AuditRow]) -> str:
    """The list for a spreadsheet, every field as it is stored."""
    out = io.StringIO()
    names = ["when", "who", "action", "model", "revision", "seed", "sequences", "seconds"]
    writer = csv.DictWriter(out, [*names, "outcome"])
    writer.writeheader()
    writer.writerows(_as_text(row.model_dump(mode="json")) for row in rows)
    return out.getvalue()


def _as_text(row: dict[str, object]) -> dict[str, object]:
    """Quote text that a spreadsheet would take for a formula."""
    return {
        key: f"'{value}" if str(value).startswith(("=", "+", "-", "@")) else value
        for key, value in row.items()
    }
