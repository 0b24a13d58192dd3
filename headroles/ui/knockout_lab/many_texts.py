"""Beside the verdict of one prompt: whether the heads are at work on it, and that of many texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles import verdicts
from headroles.ui.app import address, scope, session
from headroles.ui.knockout_lab import choose_components, state
from headroles.view import many_texts
from headroles.view.html import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.ablation import Condition, Judgement
    from headroles.store import ModelEntry
    from headroles.types import Head
    from headroles.ui.app.caches import Answer
    from headroles.ui.app.run_prompt import Reference


def idle(answer: Answer, reference: Reference, heads: Sequence[Head]) -> str:
    """A sentence where the chosen heads, all of one role, do not do it on this prompt; else ""."""
    role = next(iter(many_texts.roles_of(reference.entry, heads)), None)
    if role is None or not heads:
        return ""
    threshold = reference.thresholds.get(role)
    judged = [verdicts.judge(head, role, answer.scores, threshold) for head in heads]
    return many_texts.idle(role, sum(verdict.is_active for verdict in judged), len(heads))


def draw(entry: ModelEntry | None, condition: Condition, *, here: Judgement | None = None) -> None:
    """What the analysis found about these heads, or that only a table of prompts can tell.

    ``here`` is the judgement of the prompt, which may be another one.
    """
    heads = condition.heads
    if not heads and not condition.components:
        return
    st.subheader("And on many texts?", anchor=False)
    if not heads:
        _components(condition)
        return
    said = many_texts.sentences(entry, heads)
    if differs := many_texts.beside(entry, heads, here and here.verdict):
        st.markdown(f"**{plain(differs)}**")
    if said:
        st.markdown("\n".join(f"- {plain(sentence)}" for sentence in said))
    if not said and (entry is None or not entry.causal):
        st.markdown("No analysis has knocked heads of this model out on many texts yet.")
    elif not said:
        st.markdown(
            f"The analysis did not test {heads[0].label}: it is not listed for any role."
            if len(heads) == 1
            else "The analysis did not knock these heads out together: they are not all listed "
            "for one role."
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        if said:
            scope.button(
                session.CLOSEUP,
                f"Close-up of {heads[0].label}",
                key="knockout_lab-closeup",
                icon=":material/center_focus_strong:",
                on_click=session.open_closeup,
                args=(heads[0], many_texts.roles_of(entry, heads)[0]),
                help="All numbers of the evidence by ablation, and what the verdicts mean",
            )
        _to_many(heads)


def _to_many(heads: Sequence[Head], *, is_one: bool = False) -> None:
    """The way to the table of many prompts."""
    st.button(
        f"Try {'it' if is_one or len(heads) == 1 else 'them'} on many prompts",
        key="knockout_lab-to_many",
        icon=":material/table_rows:",
        on_click=state.try_many,
        args=(heads,),
    )


def _components(condition: Condition) -> None:
    """The ways on from components, which no analysis has tested."""
    st.markdown(
        "The page *Components* tests a set on many texts: how much it carries from the token "
        "before, the loss on repeats and the induction heads behind it."
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        scope.button(
            choose_components.PAGE,
            "Test there",
            key="knockout_lab-to_test",
            icon=":material/workspaces:",
            on_click=_test,
        )
        _to_many((), is_one=len(condition.components) == 1)


def _test() -> None:
    address.follow(
        choose_components.PAGE,
        section="test",
        decomposition=st.session_state[state.LAB_KIND],
        sets=st.session_state[state.LAB_SET],
    )
