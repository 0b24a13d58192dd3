"""The extended roles of one head, on the close-up: its rows, and its reference offset profile."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts
from headroles.ui.app import elements, extended_switch
from headroles.ui.head_closeup import place_or_content
from headroles.view import extended_roles
from headroles.view.html import table

if TYPE_CHECKING:
    from headroles.store import ModelEntry
    from headroles.types import Head
    from headroles.ui.head_closeup.subject import Subject


def draw(subject: Subject) -> None:
    """Draw the switch, the rows where it is on, and sentences against random tokens."""
    entry, head = subject.reference.entry, subject.head
    if extended_switch.draw(entry):
        rows(entry, head)
        profile(entry, head)
    if entry is not None:
        place_or_content.passport(entry, subject.reference.thresholds, head)


def rows(entry: ModelEntry, head: Head) -> None:
    """Every extended role with its numbers, and what they say in words."""
    rows_html = table(extended_roles.HEADERS, extended_roles.passport_rows(entry, head))
    elements.html(f'<div class="hr-one-line">{rows_html}</div>')
    sentences = extended_roles.passport_sentences(entry, head)
    elements.html(
        "".join(f'<p class="hr-explain">{escape(sentence)}</p>' for sentence in sentences)
        or f'<p class="hr-explain">{head.label} is listed for none of these roles.</p>'
    )
    elements.note(
        "Roles of where a head looks are shares of attention; Successor is a share of words, and "
        "Retrieval of the answers’ tokens. "
        "S-inhibition is how much of the name movers’ attention the right name loses without the "
        "head. The other two are logits: + writes for the token, − against it. ● is listed; ± is "
        "the standard error. The control is the score where the role’s cue is missing. The head "
        "map explains how each is measured."
    )


def profile(entry: ModelEntry, head: Head) -> None:
    """The head's mean attention by distance, on sentences and on random tokens."""

    records = extended_roles.profile_records(entry, head)
    if not records:
        return
    category = entry.categories["fixed_offset"]
    elements.html(
        '<p class="hr-explain"><b>How far back it looks, measured beforehand</b> on '
        f"{category.n} {escape(category.measured_on)} and on as many rows of random tokens</p>"
    )
    best = max(
        records[:16],
        key=lambda record: record["share"] - record["chance"],
    )
    elements.chart(
        charts.profiles.reference_profile(records),
        key="head_closeup-reference_profile",
        alt_text=f"Mean attention of {head.label} by distance. It stands out from an even spread "
        f"most at {best['distance']} back, {best['shown']}.",
    )
    elements.html(
        '<div class="hr-legend"><span><i class="hr-key hr-key-active"></i>sentences, ± standard '
        'error</span><span><i class="hr-key hr-key-diamond"></i>random tokens</span>'
        '<span><i class="hr-key hr-key-level"></i>an even spread</span></div>'
    )
    with st.expander("As a table", type="compact", key="head_closeup-reference_profile_table"):
        half = len(records) // 2
        pairs = zip(records[:half], records[half:], strict=True)
        elements.html(
            table(
                ["Tokens back", "On sentences", "On random tokens", "Even spread"],
                [
                    [
                        str(sentence_record["distance"]),
                        _share(sentence_record),
                        _share(random_record),
                        f"{sentence_record['chance']:.1%}",
                    ]
                    for sentence_record, random_record in pairs
                ],
            )
        )


def _share(record: dict[str, object]) -> str:
    return f"{record['share']:.1%} ± {record['high'] - record['share']:.1%}"
