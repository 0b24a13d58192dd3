"""The section *One*: where it is on, in which heads it is, and what is missing without
it."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, view
from headroles.errors import HeadrolesError, UnknownComponentError
from headroles.formatting import count, decimal, percent
from headroles.ui.app import address, elements, long_work, scope, session
from headroles.ui.components import caches, files, state, subject, together
from headroles.view.html import plain, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.ablation.component_profiles import Effect
    from headroles.ui.components.subject import Subject
    from headroles.view.components import Listed
    from headroles.view.one_component import AtPosition

PART = "component_alone"
LAB = "pages/knockout_lab.py"
"""Where components are knocked out."""
INNER = (
    "Inner activation: how far what the token brings along points where the component reads. Its "
    "sign matters only beside the component’s other activations."
)
NUMBERS = {
    True: "The number is its causal importance, shown where it is above 0.1 (alive).",
    False: "The tint is the size of what it writes, out of the most on this prompt; the number is "
    "its share of what all components write there.",
}
"""{whether it was trained: what the boxes show}."""


def draw() -> None:
    """Draw the section."""
    asked = subject.draw()
    if asked is None:
        return
    one = _choose(asked)
    number = one.component.number
    lines = view.one_component.positions(asked.prompt, number, asked.answer.run.tokens)
    place = st.empty()
    with place:
        elements.conclusion(view.one_component.one_conclusion(one, lines, None))
    if one.remark:
        st.warning(f"{one.component.label}: {plain(one.remark)}.", icon=":material/block:")
    _tokens(asked, lines)
    _text(asked, number)
    more = together.draw_one(asked.chosen, one.component) if asked.is_trained else []
    effects = _effects(asked, one)
    if effects:
        with place:
            elements.conclusion(view.one_component.one_conclusion(one, lines, effects))
    files.draw_one(asked, one, lines, effects, more)
    _ways_on(asked, one)


def _ways_on(asked: Subject, one: Listed) -> None:
    """To the tests of a set, and to the lab that shows what else changes without it."""
    kind, label = asked.chosen.kind, one.component.label
    with st.container(horizontal=True):
        st.button(
            "Test it on many texts",
            key="components-to_test",
            icon=":material/science:",
            on_click=state.test,
            args=(label,),
        )
        scope.button(
            LAB,
            "Knock it out in the lab",
            key="components-to_lab",
            icon=":material/content_cut:",
            on_click=address.follow,
            args=(LAB,),
            kwargs={"section": "one", "components": label, "kind": kind},
            help="What the model says without it, beside random others, and what else changes.",
        )


def _choose(asked: Subject) -> Listed:
    """The box of the component; what a link names that is not there is reported above."""
    by_label = {one.component.label: one for one in asked.found}
    wanted = st.session_state[state.COMPONENT]
    if wanted is not None and wanted.place != asked.chosen.place:
        wanted = None
    if wanted is not None and wanted.label not in by_label:
        st.session_state[state.COMPONENT] = None
        session.link_errors([UnknownComponentError(wanted.label, there=len(by_label))])
        st.rerun()  # the warning is drawn above the page
    chosen = asked.chosen
    box = f"{state.BOX}_{chosen.model}_{chosen.kind}_{chosen.layer}{chosen.matrix}"
    st.session_state[box] = (wanted or asked.found[0].component).label
    label = st.selectbox(
        "Component",
        list(by_label),
        format_func=lambda label: _named(by_label[label]),
        key=box,
        on_change=state.choose_in_box,
        args=(box,),
        width=330,
        help="Those that matter most on this prompt come first."
        if asked.is_trained
        else "Those that write most on this prompt come first.",
    )
    return by_label[label]


def _named(one: Listed) -> str:
    if one.alive is None:
        return f"{one.component.label} · {percent(one.weight)} of what is written"
    return f"{one.component.label} · importance {decimal(one.weight)}"


def _tokens(asked: Subject, lines: Sequence[AtPosition]) -> None:
    st.subheader("On your prompt, token by token", anchor=False)
    what = "importance" if asked.is_trained else "share"
    elements.html(view.one_component.strip(lines, what=what))
    elements.note(escape(f"{NUMBERS[asked.is_trained]} {INNER}"))
    with st.expander("As a table", key="components-tokens_table"):
        headers = ["Token", what.capitalize(), "Inner activation"]
        elements.html(table(headers, view.one_component.position_rows(lines)))


def _text(asked: Subject, number: int) -> None:
    st.subheader("What switches it on, in text", anchor=False)
    ends = view.one_component.switches(asked.text, number)
    if not ends:
        elements.note("Nothing does: its inner activation is zero on every token of the text.")
        return
    for place, (name, found) in zip(st.columns(2, gap="medium"), ends, strict=False):
        with place:
            st.markdown(f"**Inner activation {name}**: the strongest {len(found)}")
            for at in found:
                elements.html(view.one_component.in_context(asked.text.texts[at.text], at))
    texts = view.components.text_words(asked.text)
    elements.note(f"The framed token is the one that counts. Out of {escape(texts)}")


def _effects(asked: Subject, one: Listed) -> list[Effect] | None:
    """What is missing without it: everywhere, and in each head alone."""
    st.subheader("In which heads it is, and what is missing without it", anchor=False)
    said = view.components.map_sentence([one])
    elements.chart(
        charts.components.head_shares(view.components.map_records([one]), one.heads),
        key="components-one_map",
        alt_text=f"Share of {one.component.label} in each head. {said}",
    )
    chosen, encoding = asked.chosen, asked.answer.run.encoding
    name = (chosen, one.component, encoding.token_ids)
    try:
        with st.spinner("Measuring a pass."):
            a_pass = caches.seconds(chosen.model, encoding.token_ids)
    except HeadrolesError as error:
        elements.show_error(error)
        return None
    if not long_work.offer(
        PART, name, "Take it out", what="test of a component", seconds=a_pass * (2 + len(one.heads))
    ):
        return None
    return long_work.run(
        PART,
        name,
        partial(
            caches.alone, chosen.model, chosen.kind, one.component, encoding, asked.matrix.heads
        ),
        doing=f"Running the prompt without {one.component.label}",
        show=lambda found, is_all: _show(asked, one, found) if is_all else None,
    )


def _show(asked: Subject, one: Listed, effects: Sequence[Effect]) -> None:
    records = view.one_component.effect_records(effects)
    elements.chart(
        charts.components.effects(records, axis="KL of the next token, nats"),
        key="components-effects",
        alt_text=f"How far the next guess moves without {one.component.label}: "
        + ", ".join(f"{record['what']} {record['shown']}" for record in records),
    )
    rows = view.one_component.effect_rows(one, effects)
    elements.html(
        f'<div class="hr-one-line">{table(view.one_component.EFFECT_HEADERS, rows)}</div>'
    )
    beside = "the model with all components" if asked.is_trained else "the model"
    elements.note(
        f"Beside {beside}. KL: how far the guess of the next token moves. Loss: its change over "
        f"the {count(max(len(asked.answer.run.tokens) - 1, 0), 'token')} after the start; above 0 "
        "the model guesses worse. This is one prompt, so ignore small differences."
    )
