"""The control beside a knock-out: the same done to random other heads."""

from __future__ import annotations

from functools import partial
from math import exp
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import ablation, charts
from headroles.formatting import signed
from headroles.ui.app import elements, long_work, session
from headroles.ui.knockout_lab import caches, files, state
from headroles.view import ablation_html
from headroles.view.ablation_html import STILL
from headroles.view.causal import BESIDE_CHANCE
from headroles.view.html import plain, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamlit.delta_generator import DeltaGenerator

    from headroles.ablation import Comparison, Condition, Control, Judgement, PromptTable
    from headroles.ui.app.caches import Answer
    from headroles.ui.app.files import File
    from headroles.ui.knockout_lab.choose_heads import Chosen
    from headroles.view.knocked_out import KnockedOut

    Draws = list[list["Drawn"]]

DRAWS = 20
"""Random others."""
AT_ONCE = 5
"""Draws per step."""


class Drawn(NamedTuple):
    """A draw of random others."""

    name: str
    """What was knocked out."""
    comparison: Comparison
    """What that changed."""
    losses: tuple[float, ...]
    """[pos - 1] nats, of each token after the first one; empty where these were not asked for."""


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


def draw(
    chosen: Chosen,
    result: PromptTable,
    *,
    place: DeltaGenerator,
    idle: str = "",
) -> tuple[Judgement | None, Draws]:
    """The draws as they come, the chart, and whether the effect is larger than chance.

    Args:
        chosen: what was knocked out.
        result: what that did to the prompt.
        place: where what to conclude stands.
        idle: a sentence, where the heads have nothing to do on this prompt.

    Returns:
        The judgement, None before it is there; and the draws, step by step.
    """
    subject = chosen.subject
    st.subheader(f"Would any {subject.kind} do?", anchor=False)
    compared = _others(chosen, result)
    say = partial(_conclude, place, result, subject)
    effect = _effect(result, compared)
    if effect is None:
        say(ablation.judge(0.0, []), EFFECTS[0])
        return None, []
    draws = _drawn(chosen, result, compared, effect)
    if draws is None:
        return None, []
    judgement = judged(result, draws, effect)
    why = cannot_tell(judgement, [value for _, value in values(draws, effect)], idle=idle)
    say(judgement, effect, why)
    return judgement, draws


def _others(chosen: Chosen, result: PromptTable) -> Control:
    return caches.others(
        st.session_state[session.MODEL],
        repr(chosen.condition),
        length=len(result.encoding.tokens),
        draws=DRAWS,
        _condition=chosen.condition,
    )


def on_every_token(chosen: Chosen, result: PromptTable) -> list[tuple[float, ...]]:
    """[draw] every token's loss with random others knocked out, on a prompt where nothing repeats:
    there the comparison needs the last logits alone. None before somebody asked for it.
    """
    model = st.session_state[session.MODEL]
    compared = _others(chosen, result)
    name = (model, result.encoding.token_ids, chosen.condition)
    if not compared.conditions or not long_work.offer(
        "tokens_control",
        name,
        "Compare with random others",
        what="comparison token by token",
        seconds=2 * _seconds(model, result, compared),
    ):
        return []
    plan = partial(_plan, model, result, compared, losses=True)
    done = long_work.run("tokens_control", name, plan, doing="Knocking others out")
    return [one.losses for part in done or [] for one in part]


def _drawn(chosen: Chosen, result: PromptTable, compared: Control, effect: Effect) -> Draws | None:
    """The random others, once somebody asked for them; None before they are all there."""
    model = st.session_state[session.MODEL]
    name = (model, result.encoding.token_ids, result.answer, chosen.condition)
    kind = chosen.subject.kind
    if not long_work.offer(
        "control",
        name,
        f"Compare with random {kind}",
        what=f"comparison with random {kind}",
        seconds=_seconds(model, result, compared),
    ):
        return None
    return long_work.run(
        "control",
        name,
        # The loss is compared on repeats alone; without any, only the last logits are computed.
        partial(_plan, model, result, compared, losses=result.repeated > 0),
        doing="Knocking others out",
        show=partial(_show, result, effect),
    )


def _seconds(model: str, result: PromptTable, compared: Control) -> float:
    """How long the draws are likely to take: a row each, and one more per step."""
    count = len(compared.conditions)
    rows = count + -(-count // AT_ONCE)
    return rows * len(result.encoding.tokens) / 10 * caches.row_seconds(model)


def _plan(model: str, result: PromptTable, compared: Control, *, losses: bool) -> long_work.Plan:
    every = compared.conditions
    parts = [every[start : start + AT_ONCE] for start in range(0, len(every), AT_ONCE)]
    return long_work.Plan([partial(_compare, model, result, part, losses=losses) for part in parts])


def _effect(result: PromptTable, compared: Control) -> Effect | None:
    """What the others are, and by which effect they are compared; None where there are none."""
    own = result.rows[0].comparison
    usable = [effect for effect in EFFECTS if getattr(own, effect.field) is not None]
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="bottom")
    with left:
        st.caption(
            "Any knock-out disturbs a model, so the same was done to random others. "
            + compared.note
        )
    if not compared.conditions:
        return None
    with right:
        return st.selectbox(
            "Compare by", usable, format_func=lambda effect: effect.name, key=state.LAB_EFFECT
        )


def _conclude(
    place: DeltaGenerator,
    result: PromptTable,
    subject: KnockedOut,
    judgement: Judgement,
    effect: Effect,
    why: str = "",
) -> None:
    with place:
        elements.conclusion(
            ablation_html.conclusion(
                result, judgement, measure=effect.field, subject=subject, why=why
            )
        )


def pictures(answer: Answer, result: PromptTable, draws: Draws) -> list[File]:
    """The chart as files; none before the draws are there."""
    effect = st.session_state.get(state.LAB_EFFECT)
    if not draws or effect is None:
        return []
    judgement = judged(result, draws, effect)
    title = f"{result.rows[0].name}, beside random others. {sentence(judgement, effect)}"
    return files.of_draws(
        answer, result, judgement, values(draws, effect), axis=effect.axis, title=title
    )


def values(draws: Draws, effect: Effect) -> list[tuple[str, float]]:
    """(what was knocked out, its effect) of each draw."""
    return [(one.name, getattr(one.comparison, effect.field)) for part in draws for one in part]


def judged(result: PromptTable, draws: Draws, effect: Effect) -> Judgement:
    """The knock-out's own effect beside those of the draws."""
    own = getattr(result.rows[0].comparison, effect.field)
    return ablation.judge(own, [value for _, value in values(draws, effect)])


def _compare(
    model: str, result: PromptTable, part: tuple[Condition, ...], *, losses: bool
) -> list[Drawn]:
    with caches.model(model) as loaded:
        _, pairs = ablation.ablate_beside(loaded, result.encoding, part, losses=losses)
    ids, answer = result.encoding.copy_ids, result.answer.token_id
    return [
        Drawn(
            other.condition.name,
            ablation.compare(before, other, answer=answer, token_ids=ids),
            tuple(other.losses.tolist()),
        )
        for before, other in pairs
    ]


def _show(result: PromptTable, effect: Effect, results: Draws, is_all: bool) -> None:
    draws = values(results, effect)
    judgement = judged(result, results, effect)
    summary = sentence(judgement, effect)
    st.markdown(f"**{plain(summary)}**" + ("" if is_all else " (so far)"))
    drawing = charts.control_strip(judgement, draws, name=result.rows[0].name, axis=effect.axis)
    elements.chart(drawing, key="knockout_lab-control_strip", alt_text=f"{effect.axis}. {summary}")
    with st.expander("The draws as a table, and the rule"):
        st.caption(RULE)
        rows = [
            ("yours", signed(judgement.effect, digits=3)),
            *((name, signed(value, digits=3)) for name, value in draws),
        ]
        elements.html(table(["Knocked out", effect.axis], rows))


RULE = (
    "Larger than chance: above 0.002 nats, and further above the mean of the draws than one more "
    "draw would be in 19 of 20 cases (a t test with their spread and number). One prompt has no "
    "standard error, so this says something about this prompt only."
)
QUARTER = 0.29
"""Nats: a quarter less likely. A prompt on which so much would not stand out cannot tell."""


def cannot_tell(judgement: Judgement, draws: Sequence[float], *, idle: str = "") -> str:
    """Why no larger effect than chance says nothing about the heads here; empty where it does.

    >>> from headroles.ablation.controls import judge
    >>> cannot_tell(judge(0.01, [0.01, 0.02, -0.01]), [0.01, 0.02, -0.01])
    'no knock-out changes it by more than 0.02 nats.'
    """
    if judgement.verdict not in ("not_special", "no_effect"):
        return ""
    most = max(abs(value) for value in (judgement.effect, *draws))
    if idle:
        return idle
    if most < STILL:
        return f"no knock-out changes it by more than {most:.2f} nats."
    if judgement.needed > QUARTER:
        return (
            f"the random draws alone go from {signed(min(draws))} to {signed(max(draws))} nats, "
            f"so only an effect over {signed(judgement.needed)} would stand out."
        )
    return ""


def sentence(judgement: Judgement, effect: Effect) -> str:
    """Whether the effect is larger than chance, with what it is out of (plain text).

    >>> from headroles.ablation.controls import judge
    >>> sentence(judge(2.0, [0.4, 0.6] * 10), EFFECTS[1])
    'Larger than chance: +2.00 nats; all 20 random draws had a smaller effect (+0.50 ± 0.10).'
    >>> sentence(judge(-2.0, [0.4, 0.6] * 10), EFFECTS[1])
    'Better without: −2.00 nats; none of 20 random draws had a lower one (+0.50 ± 0.10).'
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
