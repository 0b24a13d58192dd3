"""The section *Contributions*: which parts of the model wrote the next token, and their sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, view
from headroles.errors import HeadrolesError
from headroles.formatting import decimal
from headroles.ui.answer import asking, caches, control, files, one_head, state
from headroles.ui.app import elements, prompt_form, run_prompt, session
from headroles.view.html import escape, table

if TYPE_CHECKING:
    from headroles.attribution import Chance
    from headroles.ui.answer.one_head import Subject

LEGEND = (
    '<div class="hr-legend"><span><i class="hr-key hr-key-active"></i>+ wrote for it</span>'
    '<span><i class="hr-key hr-key-against"></i>− wrote against it</span>{ring}'
    '<span><i class="hr-key hr-key-dot"></i>listed for a role</span>'
    "<span>Click a cell to look at its head below.</span></div>"
)
RING = '<span><i class="hr-key hr-key-ring"></i>more than on other prompts</span>'


def draw() -> None:
    """Draw the section: the question, the conclusion, the sum that proves it, and all the rest."""
    prompt_form.folded(key="answer-prompt")
    answer = run_prompt.run()
    if answer is None:
        return
    elements.cut_off(answer.run.encoding)
    state.begin_with(answer.run.model_name)
    asked = asking.draw(answer)
    try:
        with st.spinner("Taking the answer apart."):
            written = caches.written(asked)
    except HeadrolesError as error:
        elements.show_error(error)
        return
    asking.offers(asked, written, last=len(answer.run.tokens) - 1)
    reference = run_prompt.reference_or_provisional(answer)
    show(one_head.subject(answer, reference, asked, written))


def show(subject: Subject) -> None:
    """All that is known by now; then what takes longer, after which the page is drawn again."""
    chance = control.known(subject)
    without = one_head.without(subject, subject.best, known=True)
    written = subject.written
    said = view.contributions.conclusion(
        written.parts,
        subject.labels,
        subject.tokens,
        chance=chance,
        now=written.now,
        without=without,
        coming=(without is None) + (chance is None and control.comes(subject)),
    )
    elements.conclusion(said)
    the_sum(subject)
    head_map(subject, chance)
    one_head.draw(subject)
    st.subheader("Who wrote most", anchor=False)
    table_of_heads(subject, chance)
    is_new = control.draw(subject) is not None and chance is None
    layers(subject)
    files.draw(subject, chance, without)
    if is_new or (one_head.without(subject, subject.best) is not None and without is None):
        st.rerun()


def the_sum(subject: Subject) -> None:
    """All parts, one after the other, and the logit of the model's own pass beside their sum."""
    parts = subject.parts
    st.subheader("The sum that proves it", anchor=False)
    said = view.contributions.proof_sentence(parts)
    records = view.contribution_records.sum_records(parts)
    elements.chart(charts.contributions.sums(records), key="answer-sums", alt_text=said)
    elements.note(escape(said))
    with st.expander("As a table, and how it is measured"):
        lines = [[str(record["name"]), str(record["shown"])] for record in records]
        lines.append(["the model's own pass", decimal(parts.logit)])
        elements.html(table(["Part", "Logits"], lines))
        st.caption(view.contributions.HOW)


def head_map(subject: Subject, chance: Chance | None) -> None:
    """The map of all heads, signed; a click chooses the head below."""
    parts = subject.parts
    st.subheader("Every head", anchor=False)
    clear = view.contributions.beyond_chance(parts, chance) if chance else ()
    drawing = charts.heads.head_map(
        view.contribution_records.map_records(parts, clear=clear, roles=subject.roles),
        "wrote",
        opened=subject.head,
    )
    said = view.contributions.map_sentence(parts)
    elements.chart(drawing, key=session.chart_key(state.MAP), alt_text=said, on_select=state.click)
    elements.html(LEGEND.format(ring=RING * bool(clear)))
    elements.note(escape(said))


def table_of_heads(subject: Subject, chance: Chance | None) -> None:
    """The heads that wrote most for and against the token."""
    headers, rows = view.contribution_records.ranking(
        subject.parts, subject.labels, roles=subject.roles, chance=chance
    )
    with st.container(key="answer-who"):  # too wide for a phone: a card per head there
        elements.html(table(headers, rows))
    elements.note("Share of its side: of all that heads wrote for the token, or against it.")


def layers(subject: Subject) -> None:
    """What each layer's heads together and its MLP added."""
    parts = subject.parts
    st.subheader("Layer by layer", anchor=False)
    said = view.contribution_records.layers_sentence(parts)
    records = view.contribution_records.layer_records(parts)
    elements.chart(charts.contributions.by_layer(records), key="answer-by_layer", alt_text=said)
    elements.note(escape(said))
    with st.expander("As a table", type="compact"):
        pairs = zip(records[::2], records[1::2], strict=True)
        rows = [[str(a["layer"]), str(a["shown"]), str(b["shown"])] for a, b in pairs]
        elements.html(table(["Layer", "Heads (logits)", "MLP (logits)"], rows))
