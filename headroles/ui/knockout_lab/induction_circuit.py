"""The two-step circuit: what induction heads can still do without the previous-token heads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import ablation, charts
from headroles.errors import HeadrolesError
from headroles.formatting import listing, percent
from headroles.roles import ROLES
from headroles.types import Head
from headroles.ui.app import caches, elements, long_work, prompt_form, run_prompt, session
from headroles.ui.knockout_lab import caches as knockout_lab_caches
from headroles.ui.knockout_lab import component_caches, files
from headroles.view.html import count, plain, table

if TYPE_CHECKING:
    from headroles.ablation.induction_circuit import Drop, Measured
    from headroles.types import CausalVerdict, PromptRun

UNTOUCHED, WITHOUT, OTHERS = "untouched", "without the previous-token heads", "without random heads"
NAMES = (UNTOUCHED, WITHOUT, OTHERS)


NEEDS: dict[CausalVerdict, str] = {
    "holds_up": "needs them",
    "reversed": "higher without them",
    "not_special": "no more than others",
    "no_effect": "no clear need",
    "not_tested": "nothing to compare with",
}
"""The verdicts on a drop, in words."""
ROWS = 20
"""Prompts of ordinary length that a repeated sequence, with all that is knocked out, is worth."""
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

    st.markdown(
        "To continue **A B … A** with **B**, one head is not enough: an *induction head* finds B "
        "by a note that an earlier *previous-token head* left there. Without those heads, can it "
        "still find B?"
    )
    circuit = _circuit()
    if circuit is None:
        return
    place, download = st.empty(), st.container()
    st.caption(
        f"Knocked out: {listing([head.label for head in circuit.previous_token_heads])}. Watched: "
        f"{listing([head.label for head in circuit.induction_heads])}."
    )
    st.subheader("On repeated random tokens", anchor=False)
    on_repeats = _on_repeats(circuit)
    if on_repeats:
        with place:
            elements.conclusion(conclusion(on_repeats))
    st.subheader("On your prompt", anchor=False)
    on_prompt, run = _on_prompt(circuit)
    if on_repeats:
        with download:
            files.draw(files.of_circuit(circuit, on_repeats, on_prompt, run))
    _picture()


def _picture() -> None:
    """The two steps, drawn and in words."""
    st.subheader("How the two steps work", anchor=False)
    left, right = st.columns([3, 2], gap="large", vertical_alignment="center")
    with left:
        elements.chart(
            charts.circuit(), key="knockout_lab-circuit_picture", alt_text=charts.CIRCUIT_ALT
        )
        with st.expander("The picture as a table", key="knockout_lab-circuit_picture_table"):
            elements.html(table(STEP_COLUMNS, STEPS))
    with right:
        st.markdown(
            "At the second A, the induction head has to find the token that came **after** the "
            "first A. But B does not say what stood before it, unless a previous-token head has "
            "noted that there. So if the story is true, the induction heads lose B without the "
            "previous-token heads, although they themselves were not touched."
        )


def _circuit() -> Circuit | None:
    model = st.session_state[session.MODEL]
    try:
        entry = caches.stored(model).entry
    except HeadrolesError as error:
        elements.show_error(error)
        return None
    previous_token_heads = tuple(entry.listed("previous_token"))
    induction_heads = tuple(entry.listed("induction"))
    if not previous_token_heads or not induction_heads:
        missing = "previous-token" if not previous_token_heads else "induction"
        st.info(
            f"The analysis lists no {missing} head for this model, so there is no such circuit to "
            "take apart. Choose another model."
        )
        return None
    return Circuit(model, previous_token_heads, induction_heads)


# ------------------------------------------------------------------ on repeats


def _on_repeats(circuit: Circuit) -> list[Drop]:
    """The drops; none before all sequences were run."""
    try:
        with st.spinner("Loading the model."):
            rows = component_caches.repeated_rows(circuit.model)
    except HeadrolesError as error:
        elements.show_error(error)
        return []
    if not long_work.offer(
        "lesson",
        circuit,
        "Run repeated sequences",
        what="two-step circuit",
        seconds=len(rows) * ROWS * knockout_lab_caches.row_seconds(circuit.model),
    ):
        return []
    measured = long_work.run(
        "lesson",
        circuit,
        lambda: long_work.Plan([partial(_measure, circuit, row) for row in rows]),
        doing="Running repeated sequences",
        show=partial(_show, circuit, key="repeats"),
    )
    return _drops(circuit, measured) if measured else []


def _drops(circuit: Circuit, measured: Sequence[Measured]) -> list[Drop]:
    return ablation.induction_circuit.summarise(measured, circuit.previous_token_heads)


def _measure(circuit: Circuit, token_ids: Sequence[int]) -> Measured:

    with knockout_lab_caches.model(circuit.model) as loaded:
        return ablation.induction_circuit.measure(
            loaded, token_ids, circuit.previous_token_heads, circuit.induction_heads
        )


# ------------------------------------------------------------------ on the prompt


def _on_prompt(circuit: Circuit) -> tuple[list[Drop], PromptRun | None]:
    """The drops on the prompt, and its run."""
    prompt_form.folded(key="knockout_lab-lesson_prompt")
    answer = run_prompt.run()
    if answer is None:
        return [], None
    elements.cut_off(answer.run.encoding)
    try:
        with st.spinner("Running your prompt without them."):
            measured = component_caches.on_prompt(
                circuit.model,
                answer.run.token_ids,
                answer.run.copy_ids,
                circuit.previous_token_heads,
                circuit.induction_heads,
            )
    except HeadrolesError as error:
        elements.show_error(error)
        return [], answer.run
    if not measured.rows:
        st.info(f"{ROLES['induction'].asleep} Try “one two three four one two three four one two”.")
        return [], answer.run
    _show(circuit, [measured], True, key="prompt")
    return _drops(circuit, [measured]), answer.run


# ------------------------------------------------------------------ what is shown


def _show(circuit: Circuit, measured: Sequence[Measured], is_all: bool, *, key: str) -> None:
    drops = _drops(circuit, measured)
    summary = sentence(drops)
    if key == "prompt" or not is_all:  # that of the repeats stands on top
        st.markdown(f"**{plain(summary)}**" + ("" if is_all else " (so far)"))
    elements.chart(
        charts.falls(records(drops), names=NAMES),
        key=f"knockout_lab-falls_{key}",
        alt_text=f"Induction activation of each head, untouched, without the previous-token "
        f"heads, and without random heads. {summary}",
    )
    st.caption(note(drops, draws=len(measured[0].others)))
    with st.expander("The numbers", key=f"knockout_lab-falls_numbers_{key}"):
        elements.html(f'<div class="hr-one-line">{table(*numbers(drops))}</div>')


def records(drops: Sequence[Drop]) -> list[dict[str, object]]:
    """Three bars per head for the chart."""
    rows = []
    for drop in drops:
        for who, value, error in (
            (UNTOUCHED, drop.before, drop.before_error),
            (WITHOUT, drop.after, drop.after_error),
            (OTHERS, drop.others, drop.others_error),
        ):
            if value is not None:
                rows.append(
                    {
                        "head": drop.head.label,
                        "who": who,
                        "value": value,
                        "low": value - (error or 0),
                        "high": value + (error or 0),
                        "chance": drop.chance,
                    }
                )
    return rows


def conclusion(drops: Sequence[Drop]) -> str:
    """Whether the induction heads need the others, in a sentence or two (HTML)."""
    reachable = [drop for drop in drops if drop.is_after]
    if not reachable:
        return escape(sentence(drops))
    needing = sum(drop.verdict == "holds_up" for drop in reachable)
    if not needing:
        lead = "The induction heads do not need the previous-token heads"
    elif needing == len(reachable):
        lead = "The induction heads need the previous-token heads"
    else:
        lead = "Some induction heads need the previous-token heads"
    return f"<b>{lead}:</b> {escape(sentence(drops))}"


def sentence(drops: Sequence[Drop]) -> str:
    """What it shows, in a sentence (plain text)."""
    reachable = [drop for drop in drops if drop.is_after]
    if not reachable:
        return (
            "No induction head comes after a previous-token head, so nothing can be handed on to "
            "them here."
        )
    before = sum(drop.before for drop in reachable) / len(reachable)
    after = sum(drop.after for drop in reachable) / len(reachable)
    needing = [drop for drop in reachable if drop.verdict == "holds_up"]
    controls = [drop.others for drop in reachable if drop.others is not None]
    beside = ""
    if controls:
        beside = f"; without as many random heads, to {percent(sum(controls) / len(controls))}"
    what = (
        f"On average their activation goes from {percent(before)} to {percent(after)} without the "
        f"previous-token heads{beside}."
    )
    return f"{len(needing)} of {count(len(reachable), 'induction head')} clearly need them. {what}"


def note(drops: Sequence[Drop], *, draws: int) -> str:
    """What the bars, whiskers and marks mean."""
    texts = drops[0].texts
    where = f"Mean over {count(texts, 'text')}" if texts > 1 else "One text, so no error"
    whiskers = "; whiskers: one standard error" if texts > 1 else ""
    others = (
        f"Random heads: the same number, from the same layers where there are enough, "
        f"{count(draws, 'random choice')}."
        if draws
        else "These layers have no other heads to compare with."
    )
    late = [drop.head.label for drop in drops if not drop.is_after]
    unreachable = (
        f" {listing(late)}: no previous-token head lies in an earlier layer, so none can reach it."
        if late
        else ""
    )
    return (
        f"{where}{whiskers}. The bars stand in the legend's order, from the top. The vertical "
        "mark is chance: attention spread evenly. A head that is knocked out outputs only its "
        "average over reference text. “Needs them”: the drop is larger than zero and than that of "
        f"random heads, each in a t test at 5%. {others}{unreachable}"
    )


def numbers(drops: Sequence[Drop]) -> tuple[list[str], list[list[str]]]:
    """The table twin of the chart: headers and rows."""

    def number(value: float | None, error: float | None) -> str:
        if value is None:
            return "–"
        return f"{value:.3f}" + ("" if error is None else f" ± {error:.3f}")

    headers = [
        "Head", "Untouched", "Without them", "Drop", "Random heads (control)", "Chance", "Verdict",
    ]  # fmt: skip
    rows = [
        [
            drop.head.label,
            number(drop.before, drop.before_error),
            number(drop.after, drop.after_error),
            number(drop.drop, drop.drop_error),
            number(drop.others, drop.others_error),
            f"{drop.chance:.3f}",
            NEEDS[drop.verdict] if drop.is_after else "not reachable",
        ]
        for drop in drops
    ]
    return headers, rows
