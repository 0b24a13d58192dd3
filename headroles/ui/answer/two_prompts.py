"""Two sentences that differ in one thing: which head carries the difference, and at which token."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import ablation, charts
from headroles.types import Head
from headroles.ui.answer import pair_caches, pair_files, pair_input, pair_state, state
from headroles.ui.app import elements, long_work, session
from headroles.view import patching
from headroles.view.html import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.ablation import Beside, Patched, Patches
    from headroles.ui.answer.pair_caches import Asked, Measured

DIRECTIONS = {"denoise": "Does it suffice? (denoise)", "noise": "Is it needed? (noise)"}
"""{direction: what it asks}."""
EXPLAINS = {
    "denoise": "The second sentence runs, with one thing of the first put in. 100% brings the "
    "whole difference back: that thing alone suffices.",
    "noise": "The first sentence runs, with one thing of the second put in. 100% takes the whole "
    "difference away: nothing else makes up for that thing.",
}
"""{direction: what a share is out of}."""
MOST_HEADS = 12
"""Most heads of the map by position."""
COMPARED = 10
"""Heads that are held against a control: the strongest."""
NO_CONTROL = (
    "There is no control for sentences of your own: it needs a word that does not matter. The "
    "ready-made pairs have one."
)
STRONGEST = 4
"""Heads of that map at first: the strongest."""
SHARE = "share of the difference, in percent"
LEGEND = (
    '<div class="hr-legend"><span><i class="hr-key hr-key-active"></i>+ makes up the difference'
    '</span><span><i class="hr-key hr-key-against"></i>− works against it</span>{marks}'
    "<span>percent of the difference; the strongest cell is {most}</span></div>"
)
RING = '<span><i class="hr-key hr-key-ring"></i>larger than its control</span>'
BEGINS = "<span>from position {}, where the sentences first differ</span>"
MARKS = '<span><i class="hr-key hr-key-dot"></i>looked at below, token by token</span>'


def draw() -> None:
    """Draw the section."""
    given = pair_input.draw()
    if given is None:
        return
    asked, measured = given
    place, ways = st.empty(), st.container(horizontal=True, key="answer-pair_ways")
    st.segmented_control(
        "What is asked",
        list(DIRECTIONS),
        format_func=DIRECTIONS.__getitem__,
        key=pair_state.DIRECTION,
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    direction = st.session_state[pair_state.DIRECTION]
    elements.note(escape(EXPLAINS[direction]))
    heads, beside = _heads(asked, measured, direction)
    done = {"heads": heads}
    if heads is not None:
        by_head = done["heads by token"] = _positions(asked, measured, heads)
        with place:
            elements.conclusion(escape(patching.heads_sentence(heads, by_head, beside)))
    done["layers by token"] = _layers(asked, measured, direction)
    with ways:
        if heads is not None:
            st.button(
                "Through which paths?", icon=":material/account_tree:", key="answer-to_paths",
                on_click=state.open_section, args=(state.SECTION_NAMES[2],),
                help="Who tells these heads what to do, for the same two sentences",
            )  # fmt: skip
        pair_files.draw_patches(asked, {what: one for what, one in done.items() if one})


def _patched(part: str, asked: Asked, measured: Measured, todo: Patches) -> Patched | None:
    """The result of patches, once somebody asked for them and all are run."""
    name = (asked, todo.direction, todo.rows)
    label = {"pair_heads": "Try every head", "pair_positions": "Try these heads at every token"}
    if not long_work.offer(
        part,
        name,
        label.get(part, "Try every layer at every token"),
        what="patching between two prompts",
        seconds=pair_caches.estimate(measured, todo),
    ):
        return None
    return long_work.run(
        part, name, partial(_plan, asked.model, todo), doing="Putting one thing in at a time"
    )


def _plan(model: str, todo: Patches) -> long_work.Plan:
    steps = [partial(pair_caches.run_part, model, todo, part) for part in todo.parts]
    return long_work.Plan(steps, todo.result)


# ------------------------------------------------------------------ the three maps


def _heads(
    asked: Asked, measured: Measured, direction: str
) -> tuple[Patched | None, Sequence[Beside]]:
    """Every head at all positions, as a map, and some of them beside their control."""
    st.subheader("Which head carries the difference?", anchor=False)
    todo = ablation.every_head(measured.pair, measured.layers, measured.heads, direction=direction)
    patched = _patched("pair_heads", asked, measured, todo)
    if patched is None:
        return None, ()
    place = st.container()
    beside = _control(asked, measured, patched) or ()
    with place:
        _head_map(patched, beside)
    return patched, beside


def _head_map(patched: Patched, beside: Sequence[Beside]) -> None:
    clear = [one.head for one in beside if one.verdict == "holds_up"]
    records = patching.head_records(patched, chosen=_chosen(patched), clear=clear)
    marks = MARKS + RING * bool(beside)
    elements.html(LEGEND.format(marks=marks, most=patching.strongest_cell(patched)))
    elements.chart(
        charts.heads.head_map(records, SHARE),
        key=session.chart_key("answer-pair_heads"),
        alt_text=f"Map of all heads. {patching.heads_sentence(patched)}",
        on_select=session.on_click("answer-pair_heads", None),
    )
    with st.expander("The strongest heads as a table", key="answer-pair_heads_table"):
        elements.html(table(patching.HEADERS, patching.head_rows(patched)))


def _compared(patched: Patched) -> list[Head]:
    """The heads that are held against a control: the strongest, and those of the map below."""
    return list(dict.fromkeys([*ablation.strongest(patched, COMPARED), *_chosen(patched)]))


def _control_name(asked: Asked, patched: Patched) -> tuple[object, ...]:
    return asked, patched.direction, tuple(_compared(patched))


def _control(asked: Asked, measured: Measured, patched: Patched) -> Sequence[Beside] | None:
    """The same patches from sentences that differ in a word that does not matter."""
    words = measured.pair.exchange
    if not words:
        elements.note(escape(NO_CONTROL))
        return None
    name = _control_name(asked, patched)
    rows = len(name[-1]) * min(len(words) - 1, ablation.patching.MOST_EXCHANGES)
    if not long_work.offer(
        "pair_control",
        name,
        "Compare with a control",
        what="control of two prompts",
        seconds=rows * measured.seconds,
    ):
        return None
    beside = long_work.run(
        "pair_control",
        name,
        partial(pair_caches.control, asked.model, patched, name[-1]),
        doing="Exchanging a word that does not matter",
    )
    if beside:
        elements.note(escape(patching.control_sentence(beside, words, patched.direction)))
        with st.expander("The control as a table", key="answer-pair_control_table"):
            elements.html(table(patching.CONTROL_HEADERS, patching.control_rows(beside)))
    return beside


def _chosen(patched: Patched) -> list[Head]:
    """The heads that are looked at token by token: the reader's, or the strongest."""
    known = {head.label: head for head, _ in patching.ranked(patched)}
    labels = [label for label in st.session_state[pair_state.HEADS] if label in known]
    return [known[label] for label in labels] or list(known.values())[:STRONGEST]


def _positions(asked: Asked, measured: Measured, patched: Patched) -> Patched | None:
    """Some heads, each at every single token."""
    st.subheader("At which token does a head matter?", anchor=False)
    st.multiselect(
        "Heads",
        [head.label for head, _ in patching.ranked(patched)],
        key=pair_state.HEADS,
        max_selections=MOST_HEADS,
        placeholder=f"The {STRONGEST} strongest; choose others",
        persist_state="session",
    )
    chosen = _chosen(patched)
    todo = ablation.heads_by_position(measured.pair, chosen, direction=patched.direction)
    found = _patched("pair_positions", asked, measured, todo)
    if found is not None:
        _position_map(found, key="answer-pair_positions", down="head")
    return found


def _layers(asked: Asked, measured: Measured, direction: str) -> Patched | None:
    """All heads of each layer together, at every single token."""
    st.subheader("Where is the information?", anchor=False)
    todo = ablation.layers_by_position(
        measured.pair, measured.layers, measured.heads, direction=direction
    )
    found = _patched("pair_layers", asked, measured, todo)
    if found is not None:
        elements.html(f'<p class="hr-explain">{escape(patching.layers_sentence(found))}</p>')
        _position_map(found, key="answer-pair_layers", down="layer")
    return found


def _position_map(patched: Patched, *, key: str, down: str) -> None:
    begins = BEGINS.format(patched.pair.start)
    elements.html(LEGEND.format(marks=begins, most=patching.strongest_cell(patched)))
    elements.chart(
        charts.position_map(
            patching.position_records(patched),
            patching.token_names(patched.pair),
            title=SHARE,
            down=down,
        ),
        key=key,
        alt_text=patching.position_alt(patched),
    )
    with st.expander("The map as a table", key=f"{key}_table"):
        elements.html(table(*patching.position_rows(patched)))
