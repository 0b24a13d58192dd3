"""Heads taken away one after another, in the order of least harm: the answer as a curve."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import ablation, charts, view
from headroles.formatting import count
from headroles.types import Head
from headroles.ui.app import elements, long_work
from headroles.ui.knockout_lab import backward_files, caches, files, state
from headroles.view.html import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.ablation.working_backward import Curve, Done, Task, Walk
    from headroles.ui.app.caches import Answer, Reference
    from headroles.ui.knockout_lab.working_backward import Watched

MEASURES = {
    "log-probability of the answer": ("log_probability", "log-probability of the answer (nats)"),
    "loss on the prompt": ("loss", "loss on the prompt (nats per token)"),
}
"""{what the reader sees: field of a standing, label of the axis}."""


def draw(watched: Watched, answer: Answer, reference: Reference) -> None:
    """Draw the part."""
    st.session_state.setdefault(state.BACKWARD_MEASURE, next(iter(MEASURES)))
    measure = st.segmented_control(
        "Shown", list(MEASURES), key=state.BACKWARD_MEASURE, required=True,
        persist_state="session", label_visibility="collapsed",
    )  # fmt: skip
    ids, token = watched.untouched.encoding.token_ids, watched.untouched.answer.token_id
    walk = ablation.Walk(tuple(ids), token, watched.shape)
    tasks = walk.tasks()
    if not long_work.offer(
        "curve", watched.name, "Take heads away", what="curve of heads taken away",
        seconds=watched.seconds(sum(task.rows for task in tasks)),
    ):  # fmt: skip
        st.caption(view.working_backward.RULE_OF_THE_ORDER)
        return
    steps = [partial(_do, watched.model, walk, task) for task in tasks]
    curve = long_work.run(
        "curve",
        watched.name,
        lambda: long_work.Plan(steps, walk.curve, chained=True),
        doing="Taking heads away",
        show=partial(_show, watched, walk, measure),
    )
    if curve is not None:
        files.draw(backward_files.of_curve(answer, reference, curve, watched, MEASURES[measure]))


def _do(model: str, walk: Walk, task: Task, done: Sequence[Done]) -> Done:
    with caches.model(model) as loaded:
        return walk.do(loaded, task, done)


def _show(
    watched: Watched, walk: Walk, measure: str, found: Curve | list[Done],
    is_all: bool,
) -> None:  # fmt: skip
    curve = found if is_all else walk.curve(found)
    if not curve.points:
        return
    said = sentences(curve, watched)
    elements.conclusion(escape(said))
    field, axis = MEASURES[measure]
    elements.chart(
        charts.working_backward.taking_away(curve, measure=field, axis=axis),
        key=f"knockout_lab-curve_{is_all}",
        alt_text=f"{axis} by the number of heads left. {said}",
    )
    if is_all and (note := view.working_backward.on_the_way(curve)):
        elements.note(escape(note))
    orders = f", mean ± spread of {count(len(curve.random), 'order')}" if curve.random else ""
    st.caption(
        f"Each mark is one head fewer. Gray: heads go in random order instead{orders}. "
        f"{view.working_backward.RULE_OF_THE_ORDER}"
    )
    if is_all:
        _left(curve, walk.shape)
        with st.expander("The curve as a table"):
            elements.html(table(*view.working_backward.curve_rows(curve)))
            if curve.random:
                st.caption("Random orders:")
                elements.html(table(*view.working_backward.band_rows(curve)))


def sentences(curve: Curve, watched: Watched) -> str:
    """What the curve shows, as plain text."""
    words = view.working_backward
    said = [words.taking_away(curve, watched.untouched.answer, watched.shape)]
    if curve.is_whole:
        said.append(words.random_orders(curve))
    return " ".join(filter(None, said))


def _left(curve: Curve, shape: tuple[int, int]) -> None:
    """The smallest set that was found: a way to keep only these, and to each close-up."""
    found = curve.smallest
    if found is None or found.left in (0, curve.total):
        return
    heads = curve.heads_at(found, shape)
    labels = [head.label for head in heads]
    st.markdown(f"**The smallest set found**: {', '.join(labels)}")
    st.button(
        "Keep only these", icon=":material/filter_alt:", key="knockout_lab-keep_these",
        on_click=state.keep_these, args=(labels,),
        help="With the answer's place, random heads of the same layers beside it, and a link.",
    )  # fmt: skip
    elements.chips(list(map(Head.parse, labels)))
