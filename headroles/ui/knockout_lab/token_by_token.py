"""How well the model expects each token of the prompt, with and without what was knocked out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, texts
from headroles.formatting import count
from headroles.ui.app import elements, session
from headroles.ui.knockout_lab import files, random_heads
from headroles.view import token_by_token as view
from headroles.view.html import plain, table

if TYPE_CHECKING:
    from headroles.ablation import PromptTable
    from headroles.charts.drawing import Drawing
    from headroles.ui.app.files import File
    from headroles.ui.knockout_lab.choose_heads import Chosen
    from headroles.ui.knockout_lab.random_heads import Draws


def draw(chosen: Chosen, result: PromptTable, draws: Draws) -> list[File]:
    """Draw it.

    Args:
        chosen: what was knocked out.
        result: the prompt under it.
        draws: of random others, as far as they are there.

    Returns:
        Its files; none where the prompt has no token after the start.
    """
    others = [one.losses for part in draws for one in part if one.losses]
    if not result.repeated and len(result.losses):
        others = random_heads.on_every_token(chosen, result)
    row = result.rows[0]
    of_prompt = view.lines(result.encoding, row.losses_before, row.losses, others)
    if not of_prompt:
        st.info("There is no token to guess here: type a longer prompt.")
        return []
    summary = view.sentence(of_prompt, chosen.subject.without, before=chosen.subject.before)
    st.markdown(f"**{plain(summary)}**")
    drawing = partial(_chart, chosen, result, of_prompt)
    elements.chart(
        drawing(),
        key="knockout_lab-token_lines",
        alt_text=f"The probability of every token of the prompt, in two runs. {summary}",
    )
    st.caption(_note(of_prompt))
    _repeating(of_prompt)
    with st.expander("The tokens as a table", key="knockout_lab-token_table"):
        rows = table(view.HEADERS, view.table_rows(of_prompt))
        elements.html(f'<div class="hr-one-line">{rows}</div>')
    return files.of_what_else(
        "Tokens",
        st.session_state[session.MODEL],
        chosen,
        result,
        partial(view.file_rows, of_prompt),
        drawing,
        title=f"Token by token. {summary}",
    )


def _chart(chosen: Chosen, result: PromptTable, of_prompt: list[view.Line]) -> Drawing:
    return charts.token_lines(
        view.records(of_prompt),
        view.spans([line.position for line in of_prompt if line.repeated]),
        texts.token_labels(result.encoding.tokens),
        names=(chosen.subject.before, chosen.subject.without),
    )


def _note(of_prompt: list[view.Line]) -> str:
    draws = len(of_prompt[0].others)
    band = (
        f" Gray: {count(draws, 'draw')} of random others, mean ± one standard deviation."
        if draws
        else " Random others are not there to compare with."
    )
    window = charts.before_after.running(len(of_prompt))
    which = "Bold and gray" if draws else "Bold"
    bold = f" {which}: the mean over {window} tokens, on this scale." if window > 1 else ""
    return (
        "The probability that the model gives the token that really comes next, knowing all before "
        f"it. From 10% to 1% is as far as from 1% to 0.1%.{bold}{band}"
    )


def _repeating(of_prompt: list[view.Line]) -> None:
    """A text that repeats, where this one hardly does."""
    if sum(line.repeated for line in of_prompt) >= view.FEW:
        return
    example = texts.repeating(stories=session.knows_stories_only())
    st.button(
        "Try a text that repeats",
        key="knockout_lab-try_repeating",
        icon=":material/repeat:",
        on_click=session.use_example,
        args=(example,),
        help=example,
    )
