"""One knock-out on the student's prompt: what happens, in a sentence, in numbers, and a control."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import export
from headroles.errors import HeadrolesError
from headroles.formatting import decimal, listing, percent, quoted, signed
from headroles.ui.app import caches, elements, prompt_form, run_prompt, session
from headroles.ui.knockout_lab import (
    attention_shift,
    choose_heads,
    files,
    many_texts,
    random_heads,
    state,
    token_by_token,
)
from headroles.ui.knockout_lab import caches as knockout_lab_caches
from headroles.view import ablation_html

if TYPE_CHECKING:
    from headroles.ablation import PromptTable
    from headroles.ui.app.files import File


def draw() -> None:
    """Draw the section: what is knocked out, what to conclude, the guesses, and all the rest."""
    prompt_form.folded(key="knockout_lab-prompt")
    answer = run_prompt.run()
    if answer is None:
        return
    elements.cut_off(answer.run.encoding)
    with st.container(key="knockout_lab-choice"):
        reference = run_prompt.reference_or_provisional(answer)
        chosen = choose_heads.draw(answer, reference)
    place = st.empty()
    result = chosen and knock_out(answer, chosen)
    if not result:
        return
    heads, subject = chosen.condition.heads, chosen.subject
    with place:
        elements.conclusion(
            ablation_html.conclusion(result, None, measure="surprise", subject=subject)
        )
    show(result, chosen)
    download = st.container()
    judgement, draws = random_heads.draw(
        chosen,
        result,
        place=place,
        idle=many_texts.idle(answer, reference, heads),
    )
    more = what_else(reference, result, chosen, draws)
    many_texts.draw(reference.entry, chosen.condition, here=judgement)
    details(result, chosen)
    every = [(one.name, one.comparison) for part in draws for one in part]
    with download:
        files.draw(
            [
                *files.of_one(answer, reference, result, chosen, every),
                *random_heads.pictures(answer, result, draws),
                *more,
            ]
        )


def knock_out(answer: caches.Answer, chosen: choose_heads.Chosen) -> PromptTable | None:
    """The prompt under the condition; None, with the reason shown, if it cannot be run."""
    expected = st.session_state[state.LAB_ANSWER] or ""
    try:
        with st.spinner("Running the prompt without it."):
            return knockout_lab_caches.knock_out(
                st.session_state[session.MODEL],
                answer.run.prompt,
                expected if expected.strip() else "",
                top=st.session_state[state.LAB_TOP],
                position=chosen.position,
                key=repr(chosen.condition),
                chat=answer.run.encoding.is_chat,
                _conditions=(chosen.condition,),
            )
    except HeadrolesError as error:
        elements.show_error(error)
    return None


def show(result: PromptTable, chosen: choose_heads.Chosen) -> None:
    """What is different, and the guesses of the next token before and now."""
    row = result.rows[0]
    named = "the token you named" if result.answer.named else "the model's own first guess"
    elements.html(
        f'<p class="hr-verdict">{escape(row.verdict)}</p>{ablation_html.guesses(result)}'
        f'<p class="hr-small">{escape(chosen.says)} Watched: {named}.</p>'
    )
    if result.answer.part_of:
        st.caption(
            f"{quoted(result.answer.part_of)} is more than one token; its first one, "
            f"{quoted(result.answer.text)}, is watched."
        )


def what_else(
    reference: run_prompt.Reference,
    result: PromptTable,
    chosen: choose_heads.Chosen,
    draws: random_heads.Draws,
) -> list[File]:
    """What else the knock-out changes: the tokens before, other heads' looks, their roles."""
    st.subheader("What else changes?", anchor=False)
    shown = st.segmented_control(
        "What else changes",
        state.MORES,
        default=state.TOKENS,
        key=state.LAB_MORE,
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )
    if shown in (None, state.TOKENS):
        return token_by_token.draw(chosen, result, draws)
    try:
        seen = attention_shift.see(chosen, result)
        if seen is None:
            return []
        if shown == state.LOOKS:
            return attention_shift.draw_looks(seen)
        return attention_shift.draw_roles(seen, reference)
    except HeadrolesError as error:
        elements.show_error(error)
        return []


def details(result: PromptTable, chosen: choose_heads.Chosen) -> None:
    """All numbers, the positions on the prompt, and the scores that moved."""
    with st.expander("All numbers of this knock-out", key="knockout_lab-numbers"):
        _details(result, chosen)


def _details(result: PromptTable, chosen: choose_heads.Chosen) -> None:
    row = result.rows[0]
    elements.html(ablation_html.facts(numbers(result)))
    _strip(result, chosen)
    st.markdown("**How the scores of the next token moved** (logits, against the run before)")
    elements.html(ablation_html.logit_table(row.rose, row.fell))
    if "average" in row.name:
        st.caption(knockout_lab_caches.mean_note(st.session_state[session.MODEL]))


def numbers(result: PromptTable) -> list[tuple[str, str, str]]:
    """The tiles: (name, number, what it is out of)."""

    after = result.rows[0].comparison
    vocabulary = f"{result.vocabulary:,} tokens"
    tiles = [
        (
            "Rank of the watched token",
            f"{after.rank_before:,} → {after.rank:,}",
            f"of {vocabulary}",
        ),
        (
            "Its probability",
            f"{percent(after.probability_before)} → {percent(after.probability)}",
            "of 100%",
        ),
        (
            "Shift of the whole guess",
            f"{decimal(after.kl, digits=3)} nats",
            "KL divergence; 0: nothing changed",
        ),
    ]
    if after.loss_change is not None:
        count = f"mean of {len(result.encoding.tokens) - 1}"
        change = signed(after.loss_change, digits=3)
        tiles.append(("Loss on the prompt", change, f"nats per token, {count}"))
    if after.repeat_loss_change is None:
        tiles.append(("Loss on repeats", "–", "no pair of tokens repeats here"))
    else:
        change = signed(after.repeat_loss_change, digits=3)
        tiles.append(("Loss on repeats", change, f"nats per token, mean of {result.repeated}"))
    return tiles


def _strip(result: PromptTable, chosen: choose_heads.Chosen) -> None:
    """The prompt with the positions marked, and what the marks mean."""

    if not chosen.marked:
        drawn = export.marked_strip(result.encoding, {result.position}, word="t")
        elements.html(drawn)
        st.caption(
            "Knocked out at every position. The guess is read at the last one, t (solid border); "
            "dashed: the token just before it."
        )
        return
    before, edge = chosen.word == "off here", chosen.word == "cut look"
    elements.html(
        export.marked_strip(
            result.encoding, chosen.marked, word=chosen.word, before=before, struck=not edge
        )
    )
    places = listing([str(place) for place in chosen.marked[:12]])
    if before:
        words = f"Knocked out at {places} (solid, struck through); dashed: the token just before."
    elif edge:
        words = f"The look from position {chosen.marked[0]} to position {chosen.marked[1]} is cut."
    else:
        words = f"The value vectors at {places} are zero (solid, struck through)."
    st.caption(words)
