"""The heads that are most like a chosen one, in its own model or in another."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, export, models, view
from headroles.errors import HeadrolesError
from headroles.types import Head
from headroles.ui.app import (
    address,
    caches,
    chat_format,
    download_button,
    download_progress,
    elements,
    files,
    prompt_form,
    run_prompt,
    session,
)
from headroles.ui.find_heads import comparing, one_layer, state
from headroles.view.html import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headroles.charts.drawing import Drawing
    from headroles.store import ModelEntry
    from headroles.ui.app.files import Table
    from headroles.view.likeness import Compared

TALLEST = 420
"""Pixels of the table."""
PICTURES = 4
"""Most alike heads whose patterns are drawn beside the chosen one's."""


def draw() -> None:
    """Draw the section."""
    model = st.session_state[session.MODEL]
    try:
        shape = caches.shape(model)
    except HeadrolesError as error:
        run_prompt.show_model_error(error)
        return
    address.check(*shape)
    head, way, other = choose(model, shape)
    elements.note(escape(view.likeness.WAYS[way].means))
    try:
        if other is not None and not download_progress.is_here(other):
            return
        found = comparing.compare(way, model, head, other)
    except HeadrolesError as error:
        elements.show_error(error, kind=st.warning)
        st.caption("Another way of comparing may work with this model.")
        return
    if found is not None:
        show(found, model, other)


def choose(model: str, shape: tuple[int, int]) -> tuple[Head, str, str | None]:
    """The head, the way and the other model."""
    entry = entry_of(model)
    roles = view.contribution_records.roles_of(entry)
    heads = [head.label for head in Head.every(*shape)]
    chosen = st.session_state[session.HEAD]
    if chosen is None:
        listed = entry.listed("induction") if entry else []
        chosen = listed[0] if listed else Head(0, 0)
        session.move_to(chosen)
    box = f"{state.HEAD_BOX}_{model}"
    st.session_state[box] = chosen.label
    with st.container(horizontal=True, vertical_alignment="bottom", key="find_heads-compare"):
        st.selectbox(
            "Head",
            heads,
            format_func=lambda name: f"{name} · {roles[name]}" if name in roles else name,
            key=box,
            on_change=state.choose,
            args=(box,),
            width=300,
        )
        way = st.segmented_control(
            "Alike in what?",
            state.WAYS,
            format_func=lambda key: view.likeness.WAYS[key].name,
            key=state.WAY,
            required=True,
            persist_state="session",
        )
        other = _other(model) if way == "profile" else None
    return chosen, way, other


def _other(model: str) -> str | None:
    """The box of the other model; its text is the same for both."""
    others = [key for key in view.offer.offered() if key != model]
    if st.session_state[state.OTHER] not in others:
        st.session_state[state.OTHER] = None
    return st.selectbox(
        "Among the heads of",
        others,
        index=None,
        format_func=models.name_of,
        placeholder="the same model",
        key=state.OTHER,
        persist_state="session",
        width=260,
    )


def entry_of(model: str) -> ModelEntry | None:
    """The stored analysis; None without one."""
    try:
        return caches.stored(model).entry
    except HeadrolesError:
        return None


def show(found: Compared, model: str, other: str | None) -> None:
    """The sentence, the table, the pictures and the map."""
    names = (models.name_of(model), models.name_of(other or model))
    said = view.likeness.conclusion(found, names=names)
    elements.conclusion(escape(said))
    on = f" Read: {found.on}." if found.on else ""
    elements.note(escape(view.likeness.usual_sentence(found) + on))
    if not found.ranking:
        return
    roles = view.contribution_records.roles_of(entry_of(other or model))
    left, right = st.columns([3, 2], gap="medium")
    with left:
        _table(found, roles, model=other)
    with right:
        _map(found, model, other)
    pictures(found, model, other)
    _files(found, roles, model, other, said=said)


def _table(found: Compared, roles: Mapping[str, str], *, model: str | None) -> None:
    """Every head, the most alike first; a row leads to its close-up."""
    st.dataframe(
        view.tables.alike_heads(view.likeness.rows(found, roles=roles), found),
        key=session.chart_key(state.ALIKE_TABLE),
        hide_index=True,
        on_select=session.on_row(
            state.ALIKE_TABLE, [found.others[place] for place in found.ranking], model=model
        ),
        selection_mode="single-row",
        placeholder="–",
        height=min(36 * (len(found.ranking) + 1) + 2, TALLEST),
        column_config=_columns(found),
    )
    elements.note(
        "<b>More than</b>: the share of pairs of heads that are less alike. Click a row to open "
        "its head."
    )


def _columns(found: Compared) -> dict[str, object]:
    shape = {"format": "%.0f%%" if found.is_share else "%.2f"}
    numbers = ("alike", *(part.lower() for part in found.parts))
    return {
        "head": st.column_config.TextColumn(pinned=True, width=70),
        "more than": st.column_config.NumberColumn(format="%.1f%%", width=90),
        "listed as": st.column_config.TextColumn(width=170),
        **{name: st.column_config.NumberColumn(width=80, **shape) for name in numbers},
    }


def _map(found: Compared, model: str, other: str | None) -> None:
    """How alike every head is; a click chooses a head, or opens one of the other model."""
    records = view.likeness.map_records(found)
    st.markdown(f"**{plain(models.name_of(other or model))}**")
    elements.chart(
        charts.heads.head_map(
            records, "alike", opened=found.head if found.same_model else None, small=True
        ),
        key=session.chart_key(state.ALIKE_MAP),
        alt_text=view.likeness.conclusion(
            found, names=(models.name_of(model), models.name_of(other or model))
        ),
        on_select=partial(state.click, state.ALIKE_MAP)
        if found.same_model
        else session.on_click(state.ALIKE_MAP, None, model=other),
    )
    darker = (
        "The darker a cell, the more pairs are less alike."
        if found.is_share
        else "Blue is alike and orange the opposite; darker is more."
    )
    framed = "The framed head is the chosen one. " if found.same_model else ""
    click = "choose" if found.same_model else "open"
    elements.note(f"{framed}{darker} Click a cell to {click} that head.")


def pictures(found: Compared, model: str, other: str | None) -> None:
    """The patterns of the chosen head and of those that are most like it, on the prompt."""
    st.subheader("Their patterns on your prompt", anchor=False)
    prompt_form.folded(key="find_heads-alike_prompt")
    answer = run_prompt.run()
    if answer is None:
        return
    there = answer
    try:
        if other is not None:
            prompt = st.session_state[session.PROMPT]
            there = caches.answer(other, prompt, chat=chat_format.is_on(other))
    except HeadrolesError as error:
        elements.show_error(error, kind=st.warning)
        return
    records = [
        _record(answer, found.head, "the chosen head", model=None, is_open=True),
        *(
            _record(
                there,
                found.others[place],
                found.named(float(found.total[place])),
                model=other,
            )
            for place in found.ranking[:PICTURES]
        ),
    ]
    labels = ", ".join(str(record["label"]) for record in records[1:])
    for name, (columns, side) in {"wide_alike": (5, 168), "narrow_alike": one_layer.NARROW}.items():
        chart = f"{state.ALIKE_PICTURES}_{name}"
        with st.container(key=f"find_heads-{name}"):
            elements.chart(
                charts.thumbnails.grid(
                    records, columns=columns, side=side, clickable=found.same_model
                ),
                key=session.chart_key(chart),
                alt_text=f"Patterns of {found.head.label} and of the heads most like it: {labels}.",
                on_select=session.on_click(chart, None) if found.same_model else None,
            )
    elements.note(
        f"The first column is hidden, and what is left of each row is rescaled to 100%. "
        f"{one_layer.EMPTY}"
        f"{' Click a picture to open its head.' * found.same_model}"
    )


def _record(
    answer: caches.Answer, head: Head, does: str, *, model: str | None, is_open: bool = False
) -> dict[str, object]:
    where = "" if model is None else f" of {models.name_of(model)}"
    return {
        "layer": head.layer,
        "head": head.head,
        "label": f"{head.label}{where}",
        "does": does,
        "busy": False,
        "open": is_open,
        "shown": does,
        "image": one_layer.picture(answer, head, hidden=True),
    }


def _files(
    found: Compared, roles: Mapping[str, str], model: str, other: str | None, *, said: str
) -> None:
    name = (model, f"like {found.head.label} by {found.way}" + (f" in {other}" if other else ""))
    with download_button.popover():
        download_button.buttons(
            [
                *files.tables(
                    "Heads", partial(_rows, found, roles, model, other), name=name, rows="heads"
                ),
                *files.pictures(
                    partial(_still, view.likeness.map_records(found)),
                    name=name,
                    title=said,
                    about=files.about_picture(other or model),
                    what="Map",
                ),
            ]
        )
        download_button.about("All heads, the most alike first.")


def _rows(found: Compared, roles: Mapping[str, str], model: str, other: str | None) -> Table:
    origin = export.provenance.origin(model) | view.likeness.about(found, other=other)
    origin["revision"] = files.revision(model)
    if other is not None:
        origin["other_revision"] = files.revision(other)
    return view.likeness.rows(found, roles=roles), origin


def _still(records: Sequence[Mapping[str, object]]) -> Drawing:
    return charts.heads.head_map(records, "alike", clickable=False)
