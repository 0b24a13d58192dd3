"""The previous-token test: does a head, or a component, carry what stands one token back?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import ablation, charts, limits
from headroles.errors import HeadrolesError
from headroles.formatting import count, decimal, signed
from headroles.types import Head
from headroles.ui.app import caches, elements, long_work, session
from headroles.ui.knockout_lab import caches as knockout_lab_caches
from headroles.ui.knockout_lab import choose_heads, files, state
from headroles.view.html import table

if TYPE_CHECKING:
    from headroles.ablation import Condition
    from headroles.ablation.offset_test import Measured, Profile, Sample
    from headroles.store import ModelEntry

OTHERS = 4
"""Other heads of the layer in the control."""
ROLE = "previous_token"


class Asked(NamedTuple):
    """What is tested, and the settings."""

    model: str
    """The catalogue key."""
    off: Head | Condition
    """The head, or the condition that takes components away."""
    most: int
    """The largest offset."""
    n: int
    """Samples."""

    @property
    def label(self) -> str:
        """What is tested, as it is written."""
        off = self.off
        return off.label if isinstance(off, Head) else off.name.removeprefix("without ")


def draw() -> None:
    """Draw the section."""
    st.markdown(
        "Does a head hand on what stood **one token back**? If so, what stood there should not "
        "matter once the head is off. The same can be asked of components."
    )
    model = st.session_state[session.MODEL]
    try:
        with st.spinner("Loading the model."):
            layers, heads = knockout_lab_caches.shape(model)
    except HeadrolesError as error:
        elements.show_error(error)
        return
    _begin(model, layers, heads)
    what = st.segmented_control(
        "What is tested",
        state.OFFSET_WHATS,
        default=state.HEAD,
        key=state.OFFSET_WHAT,
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )
    off = _head(layers, heads) if what == state.HEAD else choose_heads.components(model, _entry())
    left, right = st.columns(2, gap="medium")
    with left:
        most = st.slider("Offsets, up to", *limits.OFFSETS, 6, key=state.OFFSET_MOST)
    with right:
        n = st.slider("Samples", *limits.SAMPLES, 48, step=8, key=state.OFFSET_N)
    if off is not None:
        _test(Asked(model, off, most, n))


def _head(layers: int, heads: int) -> Head:
    labels = [head.label for head in Head.every(layers, heads)]
    return Head.parse(st.selectbox("Head", labels, key=state.OFFSET_HEAD))


def _entry() -> ModelEntry | None:
    try:
        return caches.stored(st.session_state[session.MODEL]).entry
    except HeadrolesError:
        return None


def _begin(model: str, layers: int, heads: int) -> None:
    if st.session_state.get(state.OFFSET_MODEL) == model:
        return
    if st.session_state.get(state.OFFSET_MODEL) is not None:
        st.session_state[state.LAB_SET] = None
    named = state.linked(state.SECTION_NAMES[2], layers=layers, heads=heads)
    st.session_state[state.OFFSET_MODEL] = model
    roles = choose_heads.listed(_entry())
    st.session_state[state.OFFSET_HEAD] = (named or roles.get(ROLE, ["L0H0"]))[0]


def _test(asked: Asked) -> None:
    try:
        samples = knockout_lab_caches.samples(asked.model, n=asked.n, offsets=asked.most)
    except HeadrolesError as error:
        elements.show_error(error)
        return
    rows = len(samples) * (2 + OTHERS) * (1 + asked.most)  # with it, without, others; each offset
    if not long_work.offer(
        "offsets",
        asked,
        "Run the test",
        what="previous-token test",
        seconds=rows * knockout_lab_caches.row_seconds(asked.model),
    ):
        return
    long_work.run(
        "offsets",
        asked,
        lambda: long_work.Plan([partial(_measure, asked, sample) for sample in samples]),
        doing="Measuring samples",
        show=partial(_show, asked),
    )


def _measure(asked: Asked, sample: Sample) -> Measured:
    others = _others(asked)
    with knockout_lab_caches.model(asked.model) as loaded:
        return ablation.offset_test.measure(
            loaded, sample, asked.off, offsets=asked.most, others=others
        )


def _others(asked: Asked) -> Sequence[Head | Condition]:
    """What is tested beside it: other heads of the layer, or as many other components."""
    off = asked.off
    if isinstance(off, Head):
        heads = knockout_lab_caches.shape(asked.model)[1]
        return ablation.other_heads(off, num_heads=heads, most=OTHERS)
    return knockout_lab_caches.others(
        asked.model, repr(off), length=1, draws=OTHERS, _condition=off
    ).conditions


def _show(asked: Asked, measured: Sequence[Measured], is_all: bool) -> None:

    profile = ablation.profile(measured)
    summary = sentence(profile, asked.label)
    elements.conclusion(f"{escape(summary)}{'' if is_all else ' (So far.)'}")
    if is_all:
        files.draw(files.of_offsets(asked, profile, summary=summary))
    elements.chart(
        charts.offset_profile(profile, head=asked.label),
        key="knockout_lab-offset_profile",
        alt_text=f"What {asked.label} carries by offset, in nats. {summary}",
    )
    st.caption(
        f"Mean of {profile.n} samples from 32 sentences; bars: one standard error. {_note(asked)}"
    )
    with st.expander("How it is measured, and the numbers"):
        st.markdown(
            "At a token *t* of a sentence, hide the value vector *k* tokens back in the layer of "
            "what is tested, and see how far the next guess shifts (KL divergence, in nats). Do "
            "the same with it off at *t*. What the shift loses is what it **carried**.\n\n"
            "**Redundancy** = 1 − (shift when the value one back is hidden, *off*) ÷ (the same, "
            "*on*), summed over samples. 1: without it that token no longer matters; 0: it has no "
            "part in that; below 0: the token matters more without it."
        )
        elements.html(table(*numbers(profile)))


def _note(asked: Asked) -> str:
    """What the random others are."""
    if isinstance(asked.off, Head):
        return (
            f"Random others: the same with {OTHERS} other heads of layer {asked.off.layer} off, "
            "one at a time, on average."
        )
    many = len(_others(asked))
    of = "each one other component" if len(asked.off.components) == 1 else "each as many others"
    return f"Random others: {count(many, 'choice')}, {of} of the same matrices, on average."


def sentence(profile: Profile, label: str) -> str:
    """The result of the test, with its control (plain text)."""
    peak = profile.points[profile.peak - 1]
    clear = peak.carried > 2 * peak.carried_error and peak.carried > 0
    others = profile.other_redundancy
    control = "" if others is None else f" (random others: {others:.0%})"
    several = "," in label or ";" in label
    carries, it = ("carry", "them") if several else ("carries", "it")
    if not clear:
        return (
            f"{label} {carries} nothing clear from one to {len(profile.points)} tokens "
            f"back: at most {signed(peak.carried, digits=3)} ± {peak.carried_error:.3f} nats."
        )
    where = "one token back" if profile.peak == 1 else f"{profile.peak} tokens back"
    verdict = f"{label} {carries} most from {where}: {peak.carried:.3f} nats."
    if profile.peak == 1:
        verdict += (
            f" Without {it}, {profile.redundancy:.0%} of what that token does is gone{control}."
        )
    return verdict


def numbers(profile: Profile) -> tuple[list[str], list[tuple[str, ...]]]:
    """The table twin of the chart: headers and rows."""
    headers = ["Tokens back", "Shift, on", "Shift, off", "Carried", "Random others (control)"]
    rows = [
        (
            str(point.offset),
            f"{point.with_head:.4f}",
            f"{point.without_head:.4f}",
            f"{signed(point.carried, digits=4)} ± {point.carried_error:.4f}",
            "–"
            if point.other is None
            else f"{signed(point.other, digits=4)} ± {point.other_error:.4f}",
        )
        for point in profile.points
    ]
    other = "–" if profile.other_redundancy is None else signed(profile.other_redundancy)
    rows.append(
        (
            "Redundancy at 1",
            "",
            "",
            f"{signed(profile.redundancy)} ± {decimal(profile.redundancy_error)}",
            other,
        )
    )
    return headers, rows
