"""All heads by any two of their numbers: a scatter, linked with a map and a table."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, view
from headroles.errors import HeadrolesError
from headroles.formatting import count
from headroles.roles import ROLES
from headroles.types import Head
from headroles.ui.app import address, caches, elements, prompt_form, run_prompt, scope, session
from headroles.ui.find_heads import numbers, scatter_files, state
from headroles.view.head_records import head_record

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from headroles.charts.drawing import Drawing
    from headroles.store import ModelEntry
    from headroles.view.head_numbers import HeadNumber

MOST_ROWS = 400
"""Pixels of the table."""


def draw() -> None:
    """Draw the section."""
    model = st.session_state[session.MODEL]
    try:
        reference = caches.stored(model)
        run_prompt.warn_about_reference(reference)
    except HeadrolesError as error:
        reference = run_prompt.without_reference(error)
    entry = reference.entry
    known = numbers.known(model, entry)
    chosen = choose(known)
    if any(key.endswith(view.head_numbers.PROMPT) for key in chosen):
        prompt_form.folded(key="find_heads-prompt")
    along, up = (numbers.filled(known[key]) for key in chosen)
    if along is None or up is None:
        return
    shape = (entry.num_layers, entry.num_heads) if entry else caches.shape(model)
    if len(along.values) != len(up.values) or len(up.values) != shape[0] * shape[1]:
        st.warning("The stored analysis is of another shape than the model that runs here.")
        return
    address.check(*shape)
    show(along, up, shape=shape, entry=entry)


def choose(known: Mapping[str, HeadNumber]) -> tuple[str, str]:
    """The two boxes, the questions and the swap; the keys of the numbers."""
    presets = {
        question: pair
        for question, pair in view.head_numbers.PRESETS.items()
        if set(pair) <= known.keys()
    }
    now = (st.session_state[state.ALONG], st.session_state[state.UP])
    st.session_state[state.PRESETS] = next((one for one in presets if presets[one] == now), None)
    st.pills(
        "Questions",
        list(presets),
        key=state.PRESETS,
        on_change=state.take_preset,
        args=(presets,),
        label_visibility="collapsed",
    )
    with st.container(horizontal=True, vertical_alignment="bottom", key="find_heads-choose"):
        keys = []
        for place, (key, label) in enumerate(
            ((state.ALONG, "Horizontal axis"), (state.UP, "Vertical axis"))
        ):
            if st.session_state[key] not in known:
                st.session_state[key] = _instead(known, place)
            keys.append(
                st.selectbox(
                    label,
                    list(known),
                    format_func=lambda one: known[one].name,
                    key=key,
                    persist_state="session",
                    on_change=state.forget_region,
                    width=300,
                )
            )
        st.button("Swap", icon=":material/swap_horiz:", on_click=state.swap, key="find_heads-swap")
        st.segmented_control(
            "Shape and colour",
            state.COLOURS,
            format_func=str.capitalize,
            key=state.COLOUR,
            required=True,
            persist_state="session",
        )
    return keys[0], keys[1]


def _instead(known: Mapping[str, HeadNumber], place: int) -> str:
    """The first number that there is, where a link names one that this model has not."""
    wanted = state.FIRST_NUMBERS[place]
    return wanted if wanted in known else list(known)[place]


def show(
    along: HeadNumber, up: HeadNumber, *, shape: tuple[int, int], entry: ModelEntry | None
) -> None:
    """The sentence, the chart, the map and the table."""
    heads = Head.every(*shape)
    region = st.session_state[state.REGION]
    records = view.scatter.points(
        heads,
        along,
        up,
        roles=view.scatter.main_roles(entry),
        layers=shape[0],
        opened=st.session_state[session.HEAD],
        region=None if region is None else view.scatter.Region(region[:2], region[2:]),
    )
    elements.conclusion(escape(view.scatter.correlation_sentence(along, up)))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _chart(records, along, up)
    with right:
        _chosen(heads, along, up, records)
    _table(records, along, up)
    scatter_files.draw(along, up, records, chart=partial(drawing, records, along, up, still=True))


def drawing(
    records: Sequence[Mapping[str, object]], along: HeadNumber, up: HeadNumber, *,
    still: bool = False,
) -> Drawing:  # fmt: skip
    """The chart as the session wants it; ``still`` for a picture."""
    return charts.scatter.scatter(
        records,
        names=(along.name, up.name),
        shares=(along.is_share, up.is_share),
        thresholds=(along.threshold, up.threshold),
        by_role=st.session_state[state.COLOUR] == "role",
        region=st.session_state[state.REGION],
        marking=bool(st.session_state[state.MARKING]) and not still,
        clickable=not still,
    )


def _chart(records: Sequence[Mapping[str, object]], along: HeadNumber, up: HeadNumber) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        marking = st.toggle(
            "Mark a region",
            key=state.MARKING,
            persist_state="session",
            help="Then draw a rectangle over some points: the table lists the heads in it. "
            "Switched off, a click on a point chooses its head.",
        )
        if st.session_state[state.REGION] is not None:
            st.button(
                "All heads",
                icon=":material/close:",
                on_click=state.forget_region,
                key="find_heads-all",
            )
    elements.chart(
        drawing(records, along, up),
        key=session.chart_key(state.SCATTER),
        alt_text=view.scatter.scatter_sentence(records, along, up),
        on_select=state.take_region if marking else partial(state.click, state.SCATTER),
    )
    elements.html(_legend(records, along, up))
    elements.note(
        f"<b>{escape(along.name)}</b>: {escape(along.about)}. "
        f"<b>{escape(up.name)}</b>: {escape(up.about)}."
    )


def _legend(records: Sequence[Mapping[str, object]], along: HeadNumber, up: HeadNumber) -> str:
    """What shapes and colours mean, of what is there (HTML)."""
    if st.session_state[state.COLOUR] == "role":
        present = {str(record["role"]) for record in records}
        keys = [
            (ROLES[role].name, *look)
            for role, look in charts.scatter.SHAPES.items()
            if role in present
        ]
        keys += [("no basic role", "hollow", charts.base.QUIET)] * ("other" in present)
    else:
        names = {
            "early": "early layers",
            "middle": "middle",
            "late": "late",
        }
        present = {str(record["third"]) for record in records}
        keys = [
            (names[third], shape, charts.base.ACTIVE)
            for third, shape in charts.scatter.THIRD_SHAPES.items()
            if third in present
        ]
    marks = "".join(
        f'<span><i class="hr-key hr-key-shape hr-shape-{shape}" style="color:{colour}"></i>'
        f"{escape(name)}</span>"
        for name, shape, colour in keys
    )
    line = along.threshold is not None or up.threshold is not None
    marks += '<span><i class="hr-key hr-key-threshold"></i>threshold of the role</span>' * line
    return f'<div class="hr-legend">{marks}</div>'


def _chosen(
    heads: Sequence[Head], along: HeadNumber, up: HeadNumber,
    records: Sequence[Mapping[str, object]],
) -> None:  # fmt: skip
    """Where the chosen head stands in the model, and the way to its close-up."""
    head = st.session_state[session.HEAD]
    record = next((one for one in records if one["open"]), None)
    if record is not None:
        elements.html(
            f'<p class="hr-line"><b>{head.label}</b>: {escape(str(record["shown"]))}.</p>'
        )
    elif head is not None:
        elements.html(f'<p class="hr-line"><b>{head.label}</b> lacks one of the two numbers.</p>')
    else:
        elements.html('<p class="hr-line">Click a point or a cell to choose a head.</p>')
    if head is not None:
        with st.container(horizontal=True):
            scope.button(
                session.CLOSEUP, "Close-up", icon=":material/zoom_in:", key="find_heads-closeup",
                on_click=session.open_closeup, args=(head,),
            )  # fmt: skip
            st.button(
                "Heads like this one", icon=":material/group:", key="find_heads-to_alike",
                on_click=state.open_section, args=(list(state.SECTIONS)[1],),
            )  # fmt: skip
    cells = map_records(heads, up)
    elements.chart(
        charts.heads.head_map(cells, up.name, opened=head, small=True),
        key=session.chart_key(state.MAP),
        alt_text=f"{up.name} of every head, by layer; {head.label} is framed."
        if head is not None
        else f"{up.name} of every head, by layer.",
        on_select=partial(state.click, state.MAP),
    )
    elements.note(f"The map shows <b>{escape(up.name)}</b>.")


def map_records(heads: Sequence[Head], number: HeadNumber) -> list[dict[str, object]]:
    """The number of every head, for a map: a share by itself, others beside the largest."""
    signed = number.is_signed or not number.is_share
    sizes = [abs(value) for value in number.values if value is not None]
    most = max(sizes, default=0.0) or 1.0
    return [
        head_record(
            head,
            value,
            most=most if signed else None,
            shown=number.shown(value),
        )
        for head, value in zip(heads, number.values, strict=True)
    ]


def _table(records: Sequence[Mapping[str, object]], along: HeadNumber, up: HeadNumber) -> None:
    """The heads inside the region, or all: sorted by the number up; a row leads to its head."""
    rows = view.scatter.rows(records, along, up)
    marked = st.session_state[state.REGION] is not None
    where = "in the region" if marked else "of the model"
    st.caption(
        f"{count(len(rows), 'head')} {where}. Click a column’s name to sort, or a row to open its "
        "head."
    )
    if not rows:
        st.info("No head lies in this region. Draw another one, or show all heads.")
        return
    st.dataframe(
        view.tables.scatter_table(rows, along, up),
        key=session.chart_key(state.TABLE),
        hide_index=True,
        on_select=session.on_row(state.TABLE, [Head(row["layer"], row["head"]) for row in rows]),
        selection_mode="single-row",
        placeholder="–",
        height=min(36 * (len(rows) + 1) + 2, MOST_ROWS),
        column_config={
            number.name: st.column_config.NumberColumn(
                help=number.about, format="percent" if number.is_share else "%.3f"
            )
            for number in (along, up)
        },
    )
