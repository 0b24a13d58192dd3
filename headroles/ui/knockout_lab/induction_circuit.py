"""The two-step circuit: what induction heads can still do without the previous-token heads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import ablation, charts
from headroles.errors import HeadrolesError
from headroles.formatting import listing
from headroles.types import Head
from headroles.ui.app import caches, elements, prompt_form, run_prompt, session, stepped_work
from headroles.ui.knockout_lab import caches as knockout_lab_caches
from headroles.ui.knockout_lab import component_caches
from headroles.view.html import count, plain, table

if TYPE_CHECKING:
    from headroles.ablation.induction_circuit import Drop, Measured
    from headroles.store import ModelEntry

CLEAR = 2.0
"""Standard errors."""

UNTOUCHED, WITHOUT, OTHERS = "untouched", "without the previous-token heads", "without other heads"
NAMES = (UNTOUCHED, WITHOUT, OTHERS)


STEP_COLUMNS = ["Step", "Head", "Where", "Looks at", "What it hands on"]
STEPS = [
    ["1, solid line", "previous-token head, earlier layer", "first B", "the A just before it",
     "a note at B: “A was before me”"],
    ["2, dashed line", "induction head, later layer", "second A", "B, found by that note",
     "B as the guess of what comes next"],
]  # fmt: skip
"""The table twin of the picture."""


class Circuit(NamedTuple):
    """What is knocked out, and what is watched."""

    model: str
    """The catalogue key."""
    previous_token_heads: tuple[Head, ...]
    """The previous-token heads."""
    induction_heads: tuple[Head, ...]
    """The induction heads."""


def draw() -> None:
    """Draw the section."""

    left, right = st.columns([3, 2], gap="large", vertical_alignment="center")
    with left:
        elements.chart(
            charts.circuit(), key="knockout_lab-circuit_picture", alt_text=charts.CIRCUIT_ALT
        )
        with st.expander("The picture as a table", key="knockout_lab-circuit_picture_table"):
            elements.html(table(STEP_COLUMNS, STEPS))
    with right:
        st.markdown(
            "To continue **A B … A** with **B**, one head is not enough. An *induction head* at "
            "the second A has to find the token that came **after** the first A. But B does not "
            "say what stood before it, unless an earlier *previous-token head* has noted that "
            "there. So take the previous-token heads away: if the story is true, the induction "
            "heads should no longer find B, although nobody touched them."
        )
    circuit = _circuit()
    if circuit is None:
        return
    st.caption(
        f"Knocked out: {listing([head.label for head in circuit.previous_token_heads])}. Watched: "
        f"{listing([head.label for head in circuit.induction_heads])}."
    )
    st.subheader("On repeated random tokens", anchor=False)
    _on_repeats(circuit)
    st.subheader("On your prompt", anchor=False)
    _on_prompt(circuit)


def _circuit() -> Circuit | None:
    model = st.session_state[session.MODEL]
    try:
        entry = caches.stored(model).entry
    except HeadrolesError as error:
        elements.show_error(error)
        return None
    previous_token_heads = heads_of(entry, "previous_token")
    induction_heads = heads_of(entry, "induction")
    if not previous_token_heads or not induction_heads:
        missing = "previous-token" if not previous_token_heads else "induction"
        st.info(
            f"The analysis lists no {missing} head for this model, so there is no such circuit to "
            "take apart. Choose another model beside the page."
        )
        return None
    return Circuit(model, previous_token_heads, induction_heads)


def heads_of(entry: ModelEntry, role: str) -> tuple[Head, ...]:
    """The heads that a role lists, best first."""
    category = entry.categories.get(role)
    return tuple(Head(top.layer, top.head) for top in category.top_heads) if category else ()


# ------------------------------------------------------------------ on repeats


def _on_repeats(circuit: Circuit) -> None:
    try:
        with st.spinner("Loading the model."):
            rows = component_caches.repeated_rows(circuit.model)
    except HeadrolesError as error:
        elements.show_error(error)
        return
    stepped_work.draw(
        "lesson",
        [partial(_measure, circuit, row) for row in rows],
        identity=repr(circuit),
        show=partial(_show, circuit, key="repeats"),
        doing="Repeated sequences",
    )


def _measure(circuit: Circuit, token_ids: Sequence[int]) -> Measured:

    with knockout_lab_caches.model(circuit.model) as loaded:
        return ablation.induction_circuit.measure(
            loaded, token_ids, circuit.previous_token_heads, circuit.induction_heads
        )


# ------------------------------------------------------------------ on the prompt


def _on_prompt(circuit: Circuit) -> None:
    prompt_form.folded(key="knockout_lab-lesson_prompt")
    found = run_prompt.run()
    if found is None:
        return
    elements.cut_off(found.run.encoding)
    try:
        with st.spinner("Running your prompt without them."):
            measured = component_caches.on_prompt(
                circuit.model,
                found.run.token_ids,
                circuit.previous_token_heads,
                circuit.induction_heads,
            )
    except HeadrolesError as error:
        elements.show_error(error)
        return
    if not measured.rows:
        st.info(
            "No token of this prompt is repeated with something in between, so an induction head "
            "has nothing to find. Try “one two three four one two three four one two”."
        )
        return
    _show(circuit, [measured], True, key="prompt")


# ------------------------------------------------------------------ what is shown


def _show(circuit: Circuit, measured: Sequence[Measured], is_all: bool, *, key: str) -> None:

    found = ablation.induction_circuit.summarise(measured, circuit.previous_token_heads)
    said = sentence(found)
    st.markdown(f"**{plain(said)}**" + ("" if is_all else " (so far)"))
    elements.chart(
        charts.falls(records(found), names=NAMES),
        key=f"knockout_lab-falls_{key}",
        alt_text=f"Induction activation of each head, untouched, without the previous-token "
        f"heads, and without other heads. {said}",
    )
    st.caption(note(found, draws=len(measured[0].others)))
    with st.expander("The numbers", key=f"knockout_lab-falls_numbers_{key}"):
        elements.html(f'<div class="hr-one-line">{table(*numbers(found))}</div>')


def records(found: Sequence[Drop]) -> list[dict[str, object]]:
    """Three bars a head for the chart."""
    rows = []
    for one in found:
        for who, value, error in (
            (UNTOUCHED, one.before, one.before_error),
            (WITHOUT, one.after, one.after_error),
            (OTHERS, one.others, one.others_error),
        ):
            if value is not None:
                rows.append(
                    {
                        "head": one.head.label,
                        "who": who,
                        "value": value,
                        "low": value - (error or 0),
                        "high": value + (error or 0),
                        "chance": one.chance,
                    }
                )
    return rows


def sentence(found: Sequence[Drop]) -> str:
    """What it shows, in a sentence (plain text)."""
    reachable = [one for one in found if one.is_after]
    if not reachable:
        return (
            "None of the induction heads lies after a previous-token head, so nothing can be "
            "handed on to them here."
        )
    before = sum(one.before for one in reachable) / len(reachable)
    after = sum(one.after for one in reachable) / len(reachable)
    fallen = [one for one in reachable if depends(one)]
    controls = [one.others for one in reachable if one.others is not None]
    beside = ""
    if controls:
        beside = f"; with as many other heads off it is {sum(controls) / len(controls):.2f}"
    what = (
        f"On average the activation goes from {before:.2f} to {after:.2f} without the "
        f"previous-token heads{beside}."
    )
    return f"{len(fallen)} of {count(len(reachable), 'induction head')} clearly need them. {what}"


def depends(one: Drop) -> bool:
    """Whether the fall is clear: beyond twice its error, and beyond the control's and its spread.

    On a single prompt there is no error; the spread of the control alone stands beside the fall.
    """
    margin = CLEAR * (one.drop_error or 0.0)
    control = 0.0 if one.others is None else one.before - one.others
    spread = CLEAR * (one.others_spread or 0.0)
    return one.drop > max(margin, 0.01) and one.drop - control > max(margin, spread)


def note(found: Sequence[Drop], *, draws: int) -> str:
    """What bars, whiskers and marks are."""
    texts = found[0].texts
    where = f"Mean over {count(texts, 'text')}" if texts > 1 else "One text, so no error"
    whiskers = "; whiskers: one standard error" if texts > 1 else ""
    others = (
        f"Other heads: as many of the same layers, {count(draws, 'random choice')}."
        if draws
        else "There are no other heads in these layers to compare with."
    )
    late = [one.head.label for one in found if not one.is_after]
    unreachable = (
        f" {listing(late)}: in no later layer than any of them, so nothing can reach it."
        if late
        else ""
    )
    return (
        f"{where}{whiskers}. Bars from the top: in the legend's order. The upright mark "
        "is chance, an evenly spread head. Knocked out: the "
        f"output is set to its mean over reference text. {others}{unreachable}"
    )


def numbers(found: Sequence[Drop]) -> tuple[list[str], list[list[str]]]:
    """The table twin of the chart: headers and rows."""

    def number(value: float | None, error: float | None) -> str:
        if value is None:
            return "–"
        return f"{value:.3f}" + ("" if error is None else f" ± {error:.3f}")

    headers = ["Head", "Untouched", "Without them", "Drop", "Without others", "Chance", "Verdict"]
    rows = [
        [
            one.head.label,
            number(one.before, one.before_error),
            number(one.after, one.after_error),
            number(one.drop, one.drop_error),
            number(one.others, one.others_error),
            f"{one.chance:.3f}",
            "needs them" if depends(one) else "no clear need" if one.is_after else "not reachable",
        ]
        for one in found
    ]
    return headers, rows
