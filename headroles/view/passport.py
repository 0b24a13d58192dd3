"""A head's passport as a table: every role with its numbers. Pure: no Streamlit.

>>> row(record, verdict)  # doctest: +SKIP
['Induction', '97% · active', '● 0.930 ± 0.004', '0.05', '0.40', '0.01', '1st of 32, ...', 'listed']
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headroles.formatting import ordinal
from headroles.roles import ROLES
from headroles.view import role_cards

if TYPE_CHECKING:
    from headroles.types import Verdict
    from headroles.verdicts import RoleRecord

HEADERS = ["Role", "On this prompt", "Score", "Chance", "Threshold", "Control", "Rank", "Listed"]
"""The columns of the passport."""


def row(record: RoleRecord, verdict: Verdict) -> list[str]:
    """One role as a row of the passport.

    A number that was not stored is a dash.
    """

    def number(value: float | None) -> str:
        return "–" if value is None else f"{value:.2f}"

    error = "" if record.standard_error is None else f" ± {record.standard_error:.3f}"
    rank = "–"
    if record.rank is not None:
        rank = f"{ordinal(record.rank)} of {record.out_of:,}, "
        rank += f"{ordinal(record.rank_in_layer)} in its layer"
    dot = "●" if record.is_over else "○"
    return [
        ROLES[record.role].name,
        role_cards.shown_verdict(verdict),
        "–" if record.score is None else f"{dot} {record.score:.3f}{error}",
        number(record.chance),
        number(record.threshold),
        number(record.control),
        rank,
        "listed" if record.listed else "–",
    ]
