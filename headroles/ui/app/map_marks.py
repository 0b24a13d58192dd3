"""Which cells the maps of all heads mark: one choice for the pages that have such maps."""

from __future__ import annotations

import streamlit as st

from headroles import limits
from headroles.formatting import decimal
from headroles.ui.app import link
from headroles.ui.app.keys import Keys
from headroles.ui.app.link import Row
from headroles.view import map_marks
from headroles.view.map_marks import LISTED, OVER, TOP, USUAL, Marks

key = Keys(__name__)
# widget keys
WAY = key("mark_way", LISTED)
"""One of :data:`headroles.view.map_marks.WAYS`."""
PERCENT = key("mark_percent", round(100 * USUAL.share))
"""The threshold of shares, in percent."""
LOGITS = key("mark_logits", USUAL.logits)
"""The threshold of logits, whatever the sign."""
MOST = key("mark_most", USUAL.most)
"""How many are the highest."""


def chosen() -> Marks:
    """What the reader wants to see marked."""
    key.begin()
    now = st.session_state
    return Marks(now[WAY], now[PERCENT] / 100, float(now[LOGITS]), int(now[MOST]))


def choose(*, usual: str, logits: bool = False) -> Marks:
    """Draw the choice.

    Args:
        usual: what is marked if the reader chooses nothing, for the control.
        logits: whether maps in logits are shown, which have a threshold of their own.
    """
    key.begin()
    names = {LISTED: usual, OVER: "Above a threshold", TOP: "The highest"}
    with st.container(horizontal=True, vertical_alignment="bottom", key="app-marks"):
        way = st.segmented_control(
            "Marked cells",
            map_marks.WAYS,
            format_func=names.get,
            key=WAY,
            required=True,
            persist_state="session",
            help="Your own threshold or number takes the place of the usual marks on every map: "
            "▲ marks a head, and ▼ one whose number is below zero.",
        )
        if way == OVER:
            _threshold(logits=logits)
        elif way == TOP:
            st.number_input(
                "How many on each map", *limits.MARKED, key=MOST, persist_state="session", width=170
            )
    return chosen()


def _threshold(*, logits: bool) -> None:
    least, most = (round(100 * end) for end in limits.MARK_SHARE)
    st.number_input(
        "Threshold, in %", least, most, step=1, key=PERCENT, persist_state="session", width=150
    )
    if logits:
        st.number_input(
            "Threshold, in logits",
            *limits.MARK_LOGITS,
            step=0.1,
            format="%.2f",
            key=LOGITS,
            persist_state="session",
            width=170,
            help="Of the maps in logits: heads of either sign are marked from this size on.",
        )


def legend(marks: Marks, *, signed: bool = False) -> str:
    """What the reader's marks mean (HTML); empty with the usual marks."""
    if not marks.own:
        return ""
    below = f"<span>{map_marks.DOWN} the same below zero</span>" if signed else ""
    what = "among the highest of its map" if marks.way == TOP else "from your threshold on"
    return f"<span>{map_marks.UP} {what}</span>{below}"


# ------------------------------------------------------------------ in the address


def _read_share(text: str) -> int:
    return round(100 * link.number(limits.MARK_SHARE, "share")(text))


def _if(way: str, name: str):
    """The value where it is in use; else it is not written."""

    def get() -> object:
        now = st.session_state
        return now.get(name) if now.get(WAY) == way else None

    return get


ROWS = (
    Row("mark", WAY, "kind of marks", link.one_of(map_marks.WAYS, "kinds"), first=LISTED),
    Row(
        "mark_share", PERCENT, "threshold", _read_share, lambda value: f"{value / 100:g}",
        first=round(100 * USUAL.share), get=_if(OVER, PERCENT),
    ),
    Row(
        "mark_logits", LOGITS, "threshold in logits",
        link.number(limits.MARK_LOGITS, "threshold in logits"),
        lambda value: decimal(value, digits=2), first=USUAL.logits, get=_if(OVER, LOGITS),
    ),
    Row(
        "mark_top", MOST, "number of marked heads",
        link.whole(limits.MARKED, "number of heads"), first=USUAL.most,
        get=_if(TOP, MOST),
    ),
)  # fmt: skip
"""The names in the address of every page with such maps."""
