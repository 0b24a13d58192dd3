"""One head of a taken-apart answer: what it wrote for each token, and what happens without it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, view
from headroles.errors import UnknownHeadError
from headroles.formatting import decimal, percent, signed
from headroles.types import Head
from headroles.ui.answer import caches, state
from headroles.ui.app import address, elements, long_work, scope, session
from headroles.view.html import escape, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headroles.attribution import Contributions
    from headroles.ui.answer.caches import Asked, Written
    from headroles.ui.app.caches import Answer, Reference
    from headroles.view.without_head import Without

KNOCKOUT_LAB = "pages/knockout_lab.py"


@dataclass(frozen=True, eq=False)
class Subject:
    """What the section is about."""

    answer: Answer
    reference: Reference
    asked: Asked
    written: Written
    labels: Sequence[str]
    """[pos] the prompt's tokens as short labels."""
    roles: Mapping[str, str]
    """{label of a head: the roles that list it, in words}."""
    best: Head
    """The head that wrote most."""
    head: Head
    """The head that is looked at closely."""

    @property
    def parts(self) -> Contributions:
        """What every part of the model contributed."""
        return self.written.parts

    @property
    def tokens(self) -> Sequence[str]:
        """[pos] the prompt's tokens as text."""
        return self.answer.run.tokens


def subject(answer: Answer, reference: Reference, asked: Asked, written: Written) -> Subject:
    """What the section is about; a head that the model lacks is reported above."""
    layers, width = written.parts.heads.shape
    wanted = st.session_state[state.HEAD]
    if wanted is not None and not (wanted.layer < layers and wanted.head < width):
        st.session_state[state.HEAD] = None
        session.link_errors([UnknownHeadError(wanted.label, layers=layers, heads=width)])
        st.rerun()  # the warning is drawn above the page
    best = view.contributions.ranked(written.parts)[0]
    roles = view.contribution_records.roles_of(reference.entry)
    labels = view.token_labels(answer.run.encoding)
    return Subject(answer, reference, asked, written, labels, roles, best, wanted or best)


def draw(subject: Subject) -> None:
    """The box of the head, what it looked at and wrote, and the ways on."""
    parts, head = subject.parts, subject.head
    st.subheader("One head closely", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom", key="answer-one_head"):
        _box(subject)
        scope.button(
            session.CLOSEUP, "Its close-up", icon=":material/zoom_in:", key="answer-closeup",
            on_click=session.open_closeup, args=(head,),
        )  # fmt: skip
        scope.button(
            KNOCKOUT_LAB, "Knock it out", icon=":material/content_cut:", key="answer-lab",
            on_click=partial(address.follow, KNOCKOUT_LAB, section="one", heads=(head,)),
            help="Opens the Knock-out lab with this head",
        )  # fmt: skip
    said = view.contributions.of_head(parts, head, subject.labels, subject.tokens)
    elements.html(f'<p class="hr-explain"><b>{escape(said)}</b></p>')
    elements.chart(
        charts.contributions.by_token(
            view.contribution_records.key_records(parts, head, subject.labels)
        ),
        key="answer-by_token",
        alt_text=f"What {head.label} looked at from position {parts.position}, and what it wrote "
        f"for each token, in logits. {said}",
    )
    elements.note("Bar: logits that it wrote. Number: share of its attention → logits.")
    with st.expander("As a table, with what it would write for all of its attention"):
        elements.html(_table(subject))
    if (result := without(subject, head)) is not None:
        knocked_out(subject, result)


def _box(subject: Subject) -> None:
    order = view.contributions.ranked(subject.parts)
    roles = subject.roles

    def named(label: str) -> str:
        wrote = signed(view.without_head.value_of(subject.parts, Head.parse(label)))
        return " · ".join(filter(None, (label, wrote, roles.get(label, ""))))

    layers, width = subject.parts.heads.shape
    box = f"{state.HEAD_BOX}_{layers}_{width}"
    st.session_state[box] = subject.head.label
    st.selectbox(
        "Head",
        [head.label for head in order],
        format_func=named,
        key=box,
        on_change=state.choose_head,
        args=(box,),
        width=330,
        help="Those that wrote most for the token come first.",
    )


def _table(subject: Subject) -> str:
    rows = [
        [
            f"{row['key']} {row['label']}",
            percent(row["attention"]),
            signed(row["value"], digits=3),
            "–" if row["per"] is None else signed(row["per"]),
        ]
        for row in view.contribution_records.key_rows(subject.parts, subject.head, subject.labels)
        if row["attention"] >= 0.0005 or abs(row["value"]) >= 0.0005
    ]
    return table(["Token", "Looked", "Wrote (logits)", "For all of its attention"], rows)


def without(subject: Subject, head: Head, *, known: bool = False) -> Without | None:
    """The prompt without a head; None before it is there.

    Args:
        subject: what the section is about.
        head: the head that is knocked out.
        known: whether only what is there already is wanted, and nothing is begun.
    """
    part = "without_best" if head == subject.best else "without_chosen"
    name = (subject.asked, head)
    if known:
        return long_work.kept(part, name)
    return long_work.run(
        part,
        name,
        partial(caches.without, subject.asked, subject.parts, head),
        doing=f"Running the prompt without {head.label}",
    )


def knocked_out(subject: Subject, result: Without) -> None:
    """What a knock-out of the head does to the answer (its sentence, and the sum without it)."""
    written, head = subject.written, result.head
    said = view.without_head.without_sentence(subject.parts, written.now, result, name=head.label)
    now, then = written.now, result.standing
    rows = [
        ["Place of the token", f"{now.rank:,}", f"{then.rank:,}"],
        ["Its probability", percent(now.probability), percent(then.probability)],
        ["Its logit", decimal(subject.parts.logit), decimal(result.parts.logit)],
        [f"Wrote {head.label}", *_pair(subject, result, head)],
    ]
    if other := view.without_head.taker(subject.parts, result):
        rows.append([f"Wrote {other.head.label}", *_pair(subject, result, other.head)])
    elements.html(f'<p class="hr-explain"><b>{escape(said)}</b></p>')
    with st.expander("The numbers, and what “without” means"):
        elements.html(table(["", "Untouched", f"Without {head.label}"], rows))
        st.caption(RULE)


def _pair(subject: Subject, result: Without, head: Head) -> list[str]:
    return [
        signed(view.without_head.value_of(parts, head)) for parts in (subject.parts, result.parts)
    ]


RULE = (
    "Without a head: at every position, its output is its mean over the project's reference "
    "sentences, as at first in the Knock-out lab. Another head takes over if it stands in a later "
    "layer and then writes so much more that this makes up for at least half of what is lost, and "
    "if what is lost would show (0.29 logits, or a quarter of the lead over the other token). What "
    "the final norm alone changes is left out of that. It is tested: held at what it wrote before, "
    "the token must lose at least 0.29 nats more."
)
