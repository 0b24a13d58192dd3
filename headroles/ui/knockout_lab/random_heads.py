"""The control beside a knock-out: the same done to random other heads."""

from __future__ import annotations

from functools import partial
from math import exp
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import ablation, charts
from headroles.ui.app import elements, session, stepped_work
from headroles.ui.knockout_lab import caches, state
from headroles.view.html import plain, table

if TYPE_CHECKING:
    from headroles.ablation import Comparison, Condition, Control, Judgement, PromptTable
    from headroles.ui.knockout_lab.choose_heads import Chosen

AT_ONCE = 5
"""Draws a step."""


class Effect(NamedTuple):
    """One way to say how much a knock-out does."""

    name: str
    """What the box says."""
    field: str
    """Its name in a comparison."""
    axis: str
    """With its unit."""


EFFECTS = (
    Effect("The watched token gets less likely", "surprise", "log-probability lost (nats)"),
    Effect("The whole guess shifts", "kl", "KL divergence (nats)"),
    Effect("The loss on repeats rises", "repeat_loss_change", "loss on repeats (nats a token)"),
)


def draw(chosen: Chosen, result: PromptTable, *, shape: tuple[int, int]) -> None:
    """The draws as they come, the chart, and whether the effect is special."""

    what = "heads" if chosen.condition.heads else "positions"
    st.subheader(f"Would any {what} do?", anchor=False)
    layers, heads = shape
    compared = ablation.random_others(
        chosen.condition,
        num_layers=layers,
        num_heads=heads,
        length=len(result.encoding.tokens),
    )
    st.caption(
        "Taking anything away disturbs a model. The same was done to others, as many at a time: "
        + compared.note[0].lower() + compared.note[1:]
    )  # fmt: skip
    if not compared.conditions:
        return
    usable = [one for one in EFFECTS if getattr(result.rows[0].comparison, one.field) is not None]
    effect = st.selectbox(
        "Compare by", usable, format_func=lambda one: one.name, key=state.LAB_EFFECT
    )
    model = st.session_state[session.MODEL]
    parts = [
        compared.conditions[start : start + AT_ONCE]
        for start in range(0, len(compared.conditions), AT_ONCE)
    ]
    stepped_work.draw(
        "control",
        [partial(_compare, model, result, part) for part in parts],
        identity=repr((model, result.prompt, result.answer, chosen.condition)),
        show=partial(_show, result, compared, effect),
        doing="Taking others away",
    )


def _compare(
    model: str, result: PromptTable, part: tuple[Condition, ...]
) -> list[tuple[str, Comparison]]:

    with caches.model(model) as loaded:
        clean, *others = ablation.ablate(loaded, result.encoding, part)
    ids, answer = result.encoding.token_ids, result.answer.token_id
    return [
        (one.condition.name, ablation.compare(clean, one, answer=answer, token_ids=ids))
        for one in others
    ]


def _show(
    result: PromptTable, compared: Control, effect: Effect, results: list, is_all: bool
) -> None:

    draws = [(name, getattr(one, effect.field)) for part in results for name, one in part]
    own = getattr(result.rows[0].comparison, effect.field)
    judgement = ablation.judge(own, [value for _, value in draws])
    said = sentence(judgement, effect)
    st.markdown(f"**{plain(said)}**" + ("" if is_all else " (so far)"))
    drawing = charts.control_strip(judgement, draws, name=result.rows[0].name, axis=effect.axis)
    elements.chart(drawing, key="knockout_lab-control_strip", alt_text=f"{effect.axis}. {said}")
    with st.expander("The draws as a table"):
        rows = [("yours", f"{own:+.3f}"), *((name, f"{value:+.3f}") for name, value in draws)]
        elements.html(table(["Taken away", effect.axis], rows))


def sentence(judgement: Judgement, effect: Effect) -> str:
    """Whether the effect is special, with what it is out of.

    >>> from headroles.ablation.controls import judge
    >>> sentence(judge(2.0, [0.5] * 20), EFFECTS[1])
    'This is special: +2.00 nats, and less in 20 of 20 draws (mean +0.50, spread 0.00).'
    """
    if judgement.draws == 0:
        return "There is nothing to compare with."
    times = ""
    if effect.field == "surprise" and judgement.effect > 0.05:
        times = f" ({exp(judgement.effect):.1f} times less likely)"
    numbers = (
        f"{judgement.effect:+.2f} nats{times}, and less in {judgement.beaten} of "
        f"{judgement.draws} draws (mean {judgement.mean:+.2f}, spread {judgement.spread:.2f})."
    )
    if judgement.special is None:
        return f"Too few draws to tell: {numbers}"
    return f"This is special: {numbers}" if judgement.special else f"Nothing special: {numbers}"
