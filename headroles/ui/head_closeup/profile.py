"""Where the head looks on average over the prompt: by distance, and on the first token."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, formatting, scoring
from headroles.ui.app import elements
from headroles.view import html

if TYPE_CHECKING:
    from headroles.scoring import OffsetProfile, OffsetShare
    from headroles.ui.head_closeup.subject import Subject


def draw(subject: Subject) -> None:
    """Draw the bars, their legend and their table."""

    st.subheader("How far back it looks", anchor=False)
    profile = scoring.offset_profile(subject.attention, visible=subject.visible)
    bars = records(profile)
    if not profile.rows:
        st.caption("There is nothing but the start token.")
        return
    sentence = standout_sentence(bars)
    elements.html(f'<p class="hr-explain">{escape(sentence)}</p>')
    elements.chart(
        charts.attention.offset_bars(bars),
        key="head_closeup-offsets",
        alt_text=f"Mean attention of {subject.head.label} by distance. {sentence}",
    )
    elements.html(
        '<div class="hr-legend"><span><i class="hr-key hr-key-active"></i>mean attention in %'
        '</span><span><i class="hr-key hr-key-quiet"></i>“1st”: the first token</span>'
        '<span><i class="hr-key hr-key-level"></i>an even spread</span></div>'
    )
    with st.expander("As a table", type="compact", key="head_closeup-offsets_table"):
        elements.html(
            html.table(
                ["Distance", "Mean attention", "Even spread", "Tokens"],
                [
                    [
                        record["name"],
                        f"{record['share']:.1%}",
                        f"{record['chance']:.1%}",
                        str(record["rows"]),
                    ]
                    for record in reversed(bars)
                ],
            )
        )
        st.caption("“Tokens” is how many tokens have another at that distance.")


def records(profile: OffsetProfile) -> list[dict[str, object]]:
    """What the bars draw, as the text runs: the first token, far ones, near ones, the token itself.

    Distances that the prompt does not reach, or the head does not see, are left out, and no token
    where there is no learned sink.
    """
    longest = len(profile.near) - 1
    bars = [_record("1st", "the first token", profile.first, alone=True)]
    if profile.nowhere.share:
        bars.append(_record("none", "no token (a learned sink)", profile.nowhere, alone=True))
    if profile.further.rows:
        name = f"more than {formatting.count(longest, 'token')} back"
        bars.append(_record("far", name, profile.further))
    for distance, share in reversed(list(enumerate(profile.near))):
        if share.rows:
            label = f"−{distance}" if distance else "0"
            bars.append(_record(label, _distance(distance), share))
    return bars


def _record(label: str, name: str, share: OffsetShare, *, alone: bool = False) -> dict[str, object]:
    return {
        "label": label,
        "name": name,
        "share": share.share,
        "chance": share.chance,
        "rows": share.rows,
        "alone": alone,
    }


def _distance(distance: int) -> str:
    if not distance:
        return "the token itself"
    return f"{html.count(distance, 'token')} back"


def standout_sentence(bars: list[dict[str, object]]) -> str:
    """The bar that stands out most over an even spread, in a sentence."""
    best = max(bars, key=lambda record: record["share"] - record["chance"])
    share, chance = formatting.percent(best["share"]), formatting.percent(best["chance"])
    if best["share"] - best["chance"] < 0.01:
        return "No distance stands out from an even spread."
    return (
        f"It stands out from an even spread most at {best['name']}: {share} on average, where an "
        f"even spread has {chance}."
    )
