"""The section *When the pattern changes*: does a head's distance follow the period?"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, models, texts, verdicts, view
from headroles.errors import HeadrolesError
from headroles.types import Head
from headroles.ui.app import caches, elements, long_work, pace, run_prompt, scope, session
from headroles.ui.find_heads import sequence_files
from headroles.ui.find_heads import sequence_state as state
from headroles.view.html import escape, plain, table

if TYPE_CHECKING:
    from headroles.verdicts.changing_patterns import ChangingPatterns, OnePeriod

TIMES_A_PASS = 3.0
"""How many times as long as a bare pass over the sequences the section takes, controls included."""


def draw() -> None:
    """Draw the section: the kind of sequence, the answer, and what it is read from."""
    model = st.session_state[session.MODEL]
    try:
        with st.spinner(f"Loading {plain(models.name_of(model))}. The first time takes a moment."):
            caches.import_libraries()
        asked = _controls(model)
        if len(state.periods()) < state.FEWEST_PERIODS:
            st.info("Choose two periods or more: one alone cannot show what changes.")
            return
        found = _found(*asked)
    except HeadrolesError as error:
        run_prompt.show_model_error(error)
        return
    if found is not None:
        show(model, found)


def _controls(model: str) -> tuple[str, str, tuple[int, ...], bool]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind = st.selectbox(
            "Sequence",
            list(texts.sequences.KINDS),
            format_func=lambda key: texts.sequences.KINDS[key].name,
            key=state.KIND,
            persist_state="session",
        )
        st.multiselect(
            "Periods",
            state.EVERY_PERIOD,
            key=state.PERIODS,
            persist_state="session",
            width=260,
            help="How many tokens until the pattern begins again. Two or more are compared.",
        )
        alone = st.toggle(
            "Leave out a token's look at itself",
            key=state.WITHOUT_ITSELF,
            persist_state="session",
            help="A head may rest on the token itself; then its second largest look shows more.",
        )
    elements.html(f'<p class="hr-explain">{escape(texts.sequences.KINDS[kind].about)}</p>')
    return model, kind, state.periods(), alone


def _found(
    model: str, kind: str, periods: tuple[int, ...], without_itself: bool
) -> ChangingPatterns | None:
    """The result, once somebody asked for it."""
    name = model, kind, periods, without_itself
    tokens = texts.sequences.DRAWS * texts.sequences.ITEMS * sum(periods)
    if not long_work.offer(
        state.WORK,
        name,
        "Run the sequences",
        what="comparison of periods",
        seconds=TIMES_A_PASS * tokens * pace.token_seconds(model),
    ):
        return None
    return long_work.run(
        state.WORK,
        name,
        partial(plan, *name),
        doing="Running the sequences",
        show_error=run_prompt.show_model_error,
    )


def plan(model: str, kind: str, periods: tuple[int, ...], without_itself: bool) -> long_work.Plan:
    """Draw the sequences; a step for a few of them.

    Raises:
        HeadrolesError: if the model cannot be used, or reads too few of the words as one token.
    """
    with caches.borrow(model) as loaded:
        prepared = verdicts.changing_patterns.prepare(
            loaded, kind, periods=periods, without_itself=without_itself
        )

    def measure(period: int, some: slice) -> OnePeriod:
        with caches.borrow(model) as loaded:
            return prepared.measure(loaded, period, some)

    steps = [partial(measure, period, some) for period, some in prepared.steps]
    return long_work.Plan(steps, prepared.assemble)


def show(model: str, found: ChangingPatterns) -> None:
    """Everything that is drawn once the numbers are there."""
    head = chosen_head(found)
    elements.conclusion(escape(view.sequences.conclusion(found, head)))
    labels = [one.label for one in found.verdicts]
    st.session_state[state.HEAD_BOX] = head.label
    st.selectbox("Head", labels, key=state.HEAD_BOX, on_change=state.choose_from_box)
    lanes(found, head)
    every_head(found, head)
    slots(found)
    sequence_files.draw(model, found, head)


def chosen_head(found: ChangingPatterns) -> Head:
    """The session's head, if this model has it; else the one that follows most clearly."""
    head = st.session_state[session.HEAD]
    if head in found.verdicts:
        return head
    following = [head for head, verdict in found.verdicts.items() if verdict.kind == "follows"]
    return max(
        following or found.verdicts, key=partial(view.sequences.least_share, found), default=head
    )


def lanes(found: ChangingPatterns, head: Head) -> None:
    """One lane per period, its tokens on the axis, the typical distance marked."""
    st.subheader(f"How far back {head.label} looks, token by token", anchor=False)
    follows = found.verdicts[head].kind == "follows"
    for period, one in found.by_period.items():
        said = view.sequences.lane_sentence(found, head, period)
        typical = found.shown(head)[period].distance
        copies = range(texts.sequences.ITEMS) if follows else range(1)
        marked = [] if typical is None else [typical + copy * period for copy in copies]
        records = view.sequences.look_records(found, head, period)
        far = max((record["distance"] or 0 for record in records), default=0)
        drawing = charts.sequences.lane(records, marked=marked, furthest=max(far, 6))
        elements.chart(drawing, key=f"find_heads-lane_{period}", alt_text=said)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(plain(said))
            scope.button(
                session.CLOSEUP,
                "Close-up with this text",
                icon=":material/search:",
                type="tertiary",
                on_click=state.try_out,
                args=(head, one.texts[0].text),
                key=f"find_heads-try_{period}",
            )
    elements.html(
        '<div class="hr-legend"><span><i class="hr-key hr-key-active"></i>rows that count (larger: '
        "more attention)</span><span>hollow: too early to look two periods back</span>"
        '<span><i class="hr-key hr-key-threshold"></i>typical distance'
        f"{', in each earlier copy' * follows}</span></div>"
    )


def every_head(found: ChangingPatterns, head: Head) -> None:
    """The map and the table of all heads."""
    st.subheader("Every head", anchor=False)
    said = view.sequences.map_sentence(found)
    drawing = charts.heads.head_map(view.sequences.map_records(found), "verdict", opened=head)
    elements.chart(
        drawing,
        key=session.chart_key(state.MAP),
        alt_text=said,
        on_select=state.choose_from_map,
    )
    elements.html(
        '<div class="hr-legend"><span><i class="hr-key hr-key-active"></i>follows the period '
        '(p−1: one less than the period)</span><span><i class="hr-key hr-key-against"></i>keeps '
        "its distance</span><span>darker: more of its rows</span><span>Click a cell to see that "
        "head.</span></div>"
    )
    if three := view.sequences.three_back(found):
        elements.note(escape(three))
    with st.expander("As a table, and how it is judged", key="find_heads-distances"):
        frame = view.tables.typical_distances(found)
        heads = view.tables.heads_of(frame)
        st.dataframe(
            frame,
            key=session.chart_key(state.TABLE),
            hide_index=True,
            column_config={
                "head": st.column_config.TextColumn("Head", pinned=True, width=70),
                "rows": st.column_config.NumberColumn("Rows, least", format="percent"),
                "attention": st.column_config.NumberColumn("Attention, least", format="percent"),
            },
            on_select=partial(state.choose_from_table, heads),
            selection_mode="single-row",
            placeholder="–",
            height=min(36 * (len(frame) + 1) + 2, 400),
        )
        st.caption(view.sequences.HOW)


def slots(found: ChangingPatterns) -> None:
    """Which heads look from numbers at numbers, and from names at names."""
    for slot in found.slots:
        st.subheader(f"From {slot}s at earlier {slot}s", anchor=False)
        rows = view.sequences.slot_rows(found, slot)
        elements.html(table(view.sequences.SLOT_HEADERS, rows))
        elements.note(
            f"{escape(view.sequences.slot_sentence(found, slot))} Clear: at least twice chance, "
            "and more than with ordinary words in the same places (t test over "
            f"{found.slots[slot].sequences} sequences; as every head is tested, of those called "
            "clear about 5% are false)."
        )
