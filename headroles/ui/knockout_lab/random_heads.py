"""The control beside a knock-out: the same done to random other heads."""

from __future__ import annotations

from functools import partial
from math import exp
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import ablation, charts
from headroles.formatting import signed
from headroles.ui.app import elements, long_work, session
from headroles.ui.knockout_lab import caches, state
from headroles.view.causal import BESIDE_CHANCE
from headroles.view.html import plain, table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headroles.ablation import Comparison, Condition, Judgement, PromptTable
    from headroles.ui.knockout_lab.choose_heads import Chosen

AT_ONCE = 5
"""Draws per step."""


class Effect(NamedTuple):
    """One measure of how much a knock-out does."""

    name: str
    """Its label in the box."""
    field: str
    """Its field in a comparison."""
    axis: str
    """The label of the axis, with its unit."""


EFFECTS = (
    Effect("The watched token gets less likely", "surprise", "log-probability lost (nats)"),
    Effect("The whole guess shifts", "kl", "KL divergence (nats)"),
    Effect("The loss on repeats rises", "repeat_loss_change", "loss on repeats (nats per token)"),
)


def draw(chosen: Chosen, result: PromptTable, *, shape: tuple[int, int], idle: str = "") -> None:
    """The draws as they come, the chart, and whether the effect is larger than chance.

    Args:
        chosen: what was knocked out.
        result: what that did to the prompt.
        shape: layers and heads of the model.
        idle: a sentence, where the heads have nothing to do on this prompt.
    """
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
        "Any knock-out disturbs a model, so the same was done to random others, as many at a time. "
        + compared.note
    )
    if not compared.conditions:
        return
    own = result.rows[0].comparison
    usable = [effect for effect in EFFECTS if getattr(own, effect.field) is not None]
    effect = st.selectbox(
        "Compare by", usable, format_func=lambda effect: effect.name, key=state.LAB_EFFECT
    )
    _run(chosen, result, compared.conditions, partial(_show, result, effect, idle))


def _run(
    chosen: Chosen,
    result: PromptTable,
    conditions: Sequence[Condition],
    show: Callable[[list, bool], None],
) -> None:
    """Offer the draws, and make them."""
    model, what = (
        st.session_state[session.MODEL],
        "heads" if chosen.condition.heads else "positions",
    )
    parts = [conditions[start : start + AT_ONCE] for start in range(0, len(conditions), AT_ONCE)]
    name = (model, result.encoding.token_ids, result.answer, chosen.condition)
    rows = (len(conditions) + len(parts)) * len(result.encoding.tokens) / 10
    if long_work.offer(
        "control",
        name,
        f"Compare with random {what}",
        what=f"comparison with random {what}",
        seconds=rows * caches.row_seconds(model),
    ):
        long_work.run(
            "control",
            name,
            lambda: long_work.Plan([partial(_compare, model, result, part) for part in parts]),
            doing="Knocking others out",
            show=show,
        )


def _compare(
    model: str, result: PromptTable, part: tuple[Condition, ...]
) -> list[tuple[str, Comparison]]:
    with caches.model(model) as loaded:
        # The loss is compared on repeats alone; without any, only the last logits are computed.
        clean, *others = ablation.ablate(loaded, result.encoding, part, losses=result.repeated > 0)
    ids, answer = result.encoding.copy_ids, result.answer.token_id
    return [
        (other.condition.name, ablation.compare(clean, other, answer=answer, token_ids=ids))
        for other in others
    ]


def _show(result: PromptTable, effect: Effect, idle: str, results: list, is_all: bool) -> None:
    draws = [
        (name, getattr(comparison, effect.field)) for part in results for name, comparison in part
    ]
    own = getattr(result.rows[0].comparison, effect.field)
    judgement = ablation.judge(own, [value for _, value in draws])
    summary = sentence(judgement, effect)
    st.markdown(f"**{plain(summary)}**" + ("" if is_all else " (so far)"))
    if is_all and (why := cannot_tell(judgement, [value for _, value in draws], idle=idle)):
        st.info(plain(why), icon=":material/help:")
    drawing = charts.control_strip(judgement, draws, name=result.rows[0].name, axis=effect.axis)
    elements.chart(drawing, key="knockout_lab-control_strip", alt_text=f"{effect.axis}. {summary}")
    st.caption(RULE)
    with st.expander("The draws as a table"):
        rows = [
            ("yours", signed(own, digits=3)),
            *((name, signed(value, digits=3)) for name, value in draws),
        ]
        elements.html(table(["Ablated", effect.axis], rows))


RULE = (
    "Larger than chance: above 0.002 nats, and further above the draws' mean than one more draw "
    "would be in 19 of 20 cases (a t test with the draws' spread and number). One prompt has no "
    "standard error, so this is about this prompt only."
)
STILL = 0.05
"""Nats: where no knock-out moves the measure further, nothing can be missed."""
QUARTER = 0.29
"""Nats: a quarter less likely. A prompt on which so much would not stand out cannot tell."""


def cannot_tell(judgement: Judgement, draws: Sequence[float], *, idle: str = "") -> str:
    """Why no larger effect than chance says nothing about the heads here; empty where it does.

    >>> from headroles.ablation.controls import judge
    >>> cannot_tell(judge(0.01, [0.01, 0.02, -0.01]), [0.01, 0.02, -0.01])
    'This prompt cannot tell: no knock-out moves it by more than 0.02 nats.'
    """
    if judgement.verdict not in ("not_special", "no_effect"):
        return ""
    most = max(abs(value) for value in (judgement.effect, *draws))
    if idle:
        why = idle
    elif most < STILL:
        why = f"no knock-out moves it by more than {most:.2f} nats."
    elif judgement.needed > QUARTER:
        why = (
            f"the random draws alone go from {signed(min(draws))} to {signed(max(draws))} nats, "
            f"so only an effect over {signed(judgement.needed)} would stand out."
        )
    else:
        return ""
    return f"This prompt cannot tell: {why}"


def sentence(judgement: Judgement, effect: Effect) -> str:
    """Whether the effect is larger than chance, with what it is out of (plain text).

    >>> from headroles.ablation.controls import judge
    >>> sentence(judge(2.0, [0.4, 0.6] * 10), EFFECTS[1])
    'Larger than chance: +2.00 nats; all 20 random draws had a smaller effect (+0.50 ± 0.10).'
    >>> sentence(judge(-2.0, [0.4, 0.6] * 10), EFFECTS[1])
    'Opposite effect: −2.00 nats; none of 20 random draws had a lower one (+0.50 ± 0.10).'
    """
    if judgement.verdict == "not_tested":
        return "There are too few draws to compare with."
    times = ""
    if effect.field == "surprise" and abs(judgement.effect) > 0.05:
        likely = "less likely" if judgement.effect > 0 else "likelier"
        times = f" ({exp(abs(judgement.effect)):.1f} times {likely})"
    smaller, draws = judgement.smaller, judgement.draws
    count = {draws: f"all {draws}", 0: f"none of {draws}"}.get(smaller, f"{smaller} of {draws}")
    below = "had a lower one" if judgement.effect < 0 else "had a smaller effect"
    lead = BESIDE_CHANCE[judgement.verdict].capitalize()
    return (
        f"{lead}: {signed(judgement.effect)} nats{times}; {count} random draws "
        f"{below} ({signed(judgement.mean)} ± {judgement.spread:.2f})."
    )
