"""The previous-token test: does a head carry what stands one token back?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import ablation, charts, limits
from headroles.errors import HeadrolesError
from headroles.formatting import decimal, signed
from headroles.types import Head
from headroles.ui.app import caches, elements, long_work, session
from headroles.ui.knockout_lab import caches as knockout_lab_caches
from headroles.ui.knockout_lab import choose_heads, files, state
from headroles.view.html import table

if TYPE_CHECKING:
    from headroles.ablation.offset_test import Measured, Profile, Sample

OTHERS = 4
"""Other heads of the layer in the control."""
ROLE = "previous_token"


class Asked(NamedTuple):
    """The head and the settings of a test."""

    model: str
    """The catalogue key."""
    head: Head
    """The head."""
    most: int
    """The largest offset."""
    n: int
    """Samples."""


def draw() -> None:
    """Draw the section."""
    st.markdown(
        "Does this head hand on what stood **one token back**? If so, what stood there should not "
        "matter once the head is off."
    )
    model = st.session_state[session.MODEL]
    try:
        with st.spinner("Loading the model."):
            layers, heads = knockout_lab_caches.shape(model)
    except HeadrolesError as error:
        elements.show_error(error)
        return
    _begin(model, layers, heads)
    left, middle, right = st.columns(3, gap="medium")
    with left:
        label = st.selectbox(
            "Head",
            [head.label for head in Head.every(layers, heads)],
            key=state.OFFSET_HEAD,
        )
    with middle:
        most = st.slider("Offsets, up to", *limits.OFFSETS, 6, key=state.OFFSET_MOST)
    with right:
        n = st.slider("Samples", *limits.SAMPLES, 48, step=8, key=state.OFFSET_N)
    _test(Asked(model, Head.parse(label), most, n))


def _begin(model: str, layers: int, heads: int) -> None:
    if st.session_state.get(state.OFFSET_MODEL) == model:
        return
    named = state.linked(state.SECTION_NAMES[2], layers=layers, heads=heads)
    st.session_state[state.OFFSET_MODEL] = model
    try:
        roles = choose_heads.listed(caches.stored(model).entry)
    except HeadrolesError:
        roles = {}
    st.session_state[state.OFFSET_HEAD] = (named or roles.get(ROLE, ["L0H0"]))[0]


def _test(asked: Asked) -> None:
    try:
        samples = knockout_lab_caches.samples(asked.model, n=asked.n, offsets=asked.most)
    except HeadrolesError as error:
        elements.show_error(error)
        return
    heads = knockout_lab_caches.shape(asked.model)[1]
    rows = len(samples) * (2 + OTHERS) * (1 + asked.most)  # head on, off, others; each offset
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
        lambda: long_work.Plan([partial(_measure, asked, sample, heads) for sample in samples]),
        doing="Measuring samples",
        show=partial(_show, asked),
    )


def _measure(asked: Asked, sample: Sample, num_heads: int) -> Measured:

    others = ablation.other_heads(asked.head, num_heads=num_heads, most=OTHERS)
    with knockout_lab_caches.model(asked.model) as loaded:
        return ablation.offset_test.measure(
            loaded, sample, asked.head, offsets=asked.most, others=others
        )


def _show(asked: Asked, measured: Sequence[Measured], is_all: bool) -> None:

    profile = ablation.profile(measured)
    summary = sentence(profile, asked.head.label)
    elements.conclusion(f"{escape(summary)}{'' if is_all else ' (So far.)'}")
    if is_all:
        files.draw(files.of_offsets(asked, profile, summary=summary))
    elements.chart(
        charts.offset_profile(profile, head=asked.head.label),
        key="knockout_lab-offset_profile",
        alt_text=f"What {asked.head.label} carries by offset, in nats. {summary}",
    )
    st.caption(
        f"Mean of {profile.n} samples from 32 sentences; bars: one standard error. Random others: "
        f"the same with {OTHERS} other heads of layer {asked.head.layer} off, one at a time, on "
        "average."
    )
    with st.expander("How it is measured, and the numbers"):
        st.markdown(
            "At a token *t* of a sentence, hide the value vector *k* tokens back in the head's "
            "layer, and see how far the next guess shifts (KL divergence, in nats). Do the same "
            "with the head off at *t*. What the shift loses is what the head **carried**.\n\n"
            "**Redundancy** = 1 − (shift when the value one back is hidden, *head off*) ÷ (the "
            "same, *head on*), summed over samples. 1: without the head it no longer matters; 0: "
            "the head has no part in it; below 0: it matters more without the head."
        )
        elements.html(table(*numbers(profile)))


def sentence(profile: Profile, label: str) -> str:
    """The result of the test, with its control (plain text)."""
    peak = profile.points[profile.peak - 1]
    clear = peak.carried > 2 * peak.carried_error and peak.carried > 0
    others = profile.other_redundancy
    control = "" if others is None else f" (random others: {others:.0%})"
    if not clear:
        return (
            f"{label} carries nothing clear from one to {len(profile.points)} tokens "
            f"back: at most {signed(peak.carried, digits=3)} ± {peak.carried_error:.3f} nats."
        )
    where = "one token back" if profile.peak == 1 else f"{profile.peak} tokens back"
    verdict = f"{label} carries most from {where}: {peak.carried:.3f} nats."
    if profile.peak == 1:
        verdict += (
            f" Without it, {profile.redundancy:.0%} of what that token does is gone{control}."
        )
    return verdict


def numbers(profile: Profile) -> tuple[list[str], list[tuple[str, ...]]]:
    """The table twin of the chart: headers and rows."""
    headers = [
        "Tokens back",
        "Shift, head on",
        "Shift, head off",
        "Carried",
        "Random heads (control)",
    ]
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
