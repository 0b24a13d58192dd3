"""The head's passport: every role with its numbers, its partners, and what papers say."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import formatting, models, roles, verdicts, view
from headroles.roles import ROLES, SCORED_ROLES
from headroles.types import Head
from headroles.ui.app import elements, literature, session
from headroles.view import causal, html, role_cards

if TYPE_CHECKING:
    from headroles.roles import KnownHead
    from headroles.ui.head_closeup.subject import Subject
    from headroles.verdicts import Passport

BASES = {"pattern": "by where it looks", "function": "by its effect on the output"}
"""The two kinds of evidence for a known head."""


def draw(subject: Subject) -> None:
    """Draw the table of all roles."""
    st.subheader("Passport: its scores on many texts", anchor=False)
    _roles(subject)


def background(subject: Subject) -> None:
    """Draw what papers say about the head, and which heads share its keys and values."""
    st.subheader("What papers say", anchor=False)
    elements.html(papers_html(subject.passport, st.session_state[session.MODEL]))
    if subject.reference.entry is None:
        literature.draw_others(subject.answer, subject.head)
    st.subheader("Keys and values", anchor=False)
    _partners(subject)


def _roles(subject: Subject) -> None:
    judged = {role.key: subject.verdict(role.key) for role in SCORED_ROLES}
    passport = subject.passport
    if not passport.records:
        elements.html(
            html.table(
                ["Role", "On this prompt", "Provisional threshold"],
                [
                    [
                        ROLES[key].name,
                        role_cards.shown_verdict(verdict),
                        formatting.percent(verdict.threshold),
                    ]
                    for key, verdict in judged.items()
                ],
            )
        )
        return
    rows = [view.passport.row(record, judged[record.role]) for record in passport.records]
    if passport.made_elsewhere:
        elements.html(f'<div class="hr-one-line">{_table(rows)}</div>')
        elements.note(
            "Scores run from 0 to 1 and were made elsewhere. ● reaches the threshold, which is "
            "provisional."
        )
        return
    elements.html(f'<div class="hr-one-line">{html.table(view.passport.HEADERS, rows)}</div>')
    only_looks = [record.only_looks for record in passport.records if record.only_looks]
    elements.note(
        "Scores run from 0 to 1 and were measured beforehand on many texts; ± is the standard "
        "error. ● reaches the threshold. The control is the score where the role’s cue is missing: "
        f"{escape(_controls(passport))}."
        + "".join(f" {escape(sentence)}" for sentence in only_looks)
    )
    for line in kinds(passport):
        elements.html(f'<p class="hr-small">{line}</p>')
    if known := subject.answer.scores.largest_of(subject.head):
        said = role_cards.largest_sentence(*known)
        elements.html(
            f'<p class="hr-small"><b>Even or a few peaks?</b> On this prompt: {escape(said)} '
            f"{escape(role_cards.sharpness(*known))}</p>"
        )
    _ablation_evidence(passport)


def _table(rows: list[list[str]]) -> str:
    """The passport without the columns that hold nothing (HTML)."""
    names = view.passport.HEADERS
    kept = [place for place in range(len(names)) if {line[place] for line in rows} != {"–"}]
    return html.table(
        [names[place] for place in kept], [[line[place] for place in kept] for line in rows]
    )


def _ablation_evidence(passport: Passport) -> None:
    """Evidence by ablation, for each role that lists the head."""
    measured = [record for record in passport.records if record.ablation]
    if not measured:
        return
    ablations = [
        place for record in measured for place in record.ablation.everywhere(passport.head)
    ]
    evidence = [ablation.role for ablation in ablations]
    elements.html("<b>Evidence by ablation: does the model need this head?</b>")
    rows = [
        row
        for record in measured
        for row in causal.rows(ROLES[record.role].name, record.ablation, passport.head)
    ]
    body = html.table(causal.COLUMNS, rows)
    elements.html(f'<div class="hr-one-line">{body}</div>')
    sentences = [
        *causal.meanings(ablations),
        causal.unreadable(evidence),
        causal.borrowed(evidence),
        causal.method(evidence),
    ]
    st.caption("  \n".join(html.plain(sentence) for sentence in sentences if sentence))


def kinds(passport: Passport) -> list[str]:
    """Of each role that the head has or is listed for, how much the kind of text matters."""
    return [
        f"<b>{escape(ROLES[record.role].name)}</b>: ± {record.standard_error:.2f} by sampling, "
        f"± {record.kind_error:.2f} between kinds of repeats: "
        + ", ".join(f"{escape(kind)} {mean:.2f}" for kind, mean in record.on_kinds.items())
        + "."
        for record in passport.records
        if record.kind_error is not None and (record.is_over or record.listed)
    ]


def _controls(passport: Passport) -> str:
    names = list(
        dict.fromkeys(record.control_name for record in passport.records if record.control_name)
    )
    return formatting.listing(names) if names else "not measured for this model"


def _partners(subject: Subject) -> None:
    """The heads that read the same keys and values, as buttons."""

    heads = subject.answer.scores.resting.shape[1]
    shared = subject.answer.num_kv_heads
    if shared == heads:
        elements.html(
            '<p class="hr-explain">It has keys and values of its own, as all heads of this model '
            "do.</p>"
        )
        return
    partners = verdicts.key_value_partners(subject.head, num_heads=heads, num_kv_heads=shared)
    names = formatting.listing([head.label for head in partners])
    elements.html(
        f"<p>It shares its keys and values with {escape(names)}. They find the same things in the "
        "text, but each has a query of its own.</p>"
    )
    with st.container(horizontal=True, key="head_closeup-partners"):
        for head in partners:
            _partner(head)


def _partner(head: Head) -> None:
    st.button(
        head.label,
        key=f"head_closeup-partner_{head.label}",
        on_click=session.move_to,
        args=(head,),
    )


def papers_html(passport: Passport, model: str) -> str:
    """What papers say about the head, or that none is known (HTML)."""

    if passport.papers:
        return f'<ul class="hr-papers">{"".join(_paper(paper) for paper in passport.papers)}</ul>'
    name = models.name_of(model)
    if roles.named_heads(model):
        return f'<p class="hr-explain">No paper we know of names {passport.head.label}.</p>'
    return (
        f'<p class="hr-explain">No paper we know of names heads of {escape(name)}. Papers mostly '
        "study GPT-2 small.</p>"
    )


def _paper(known: KnownHead) -> str:

    return (
        f"<li><b>{escape(verdicts.role_title(known.role))}</b>, named "
        f"{BASES.get(known.basis, known.basis)}: {escape(known.source)}</li>"
    )
