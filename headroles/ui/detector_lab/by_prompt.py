"""Which prompt breaks a head: its scores prompt by prompt, the lowest first."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, detector, export, roles, texts, view
from headroles.errors import HeadrolesError, PatternError
from headroles.types import Head
from headroles.ui.app import caches, download_button, elements, session
from headroles.ui.app.files import tables
from headroles.ui.app.part import part
from headroles.ui.detector_lab import state
from headroles.ui.detector_lab.measures import NAMES
from headroles.view import by_prompt, html

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.detector import Detection
    from headroles.detector.by_prompt import PromptScore
    from headroles.ui.app.files import Table
    from headroles.ui.detector_lab.detection import Request, Result

TABLE = "detector_lab-by_prompt_table"


@part
def draw(request: Request, result: Result, place: int, measure: str) -> None:
    """Draw the choice of a head, its sentence, the histogram and the table; nothing for one prompt.

    Args:
        request: the detection that was asked for.
        result: its outcome.
        place: the pattern that is shown.
        measure: ``activation``, ``mul`` or ``abs``.
    """
    detection = result.detection
    if len(result.prompts) < 2:
        return
    st.subheader("Prompt by prompt", anchor=False)
    pattern = detection.patterns[place]
    head = _head(detection, place, measure)
    if head is None:
        st.caption("No head has a score here.")
        return
    scores = detector.by_prompt.by_prompt(detection, place, measure, head)
    said = by_prompt.sentence(scores, head, pattern, measure)
    elements.html(f'<p class="hr-explain"><b>{escape(said)}</b></p>')
    elements.chart(
        charts.detector.score_histogram(
            by_prompt.histogram(scores, measure),
            chance=by_prompt.mean_chance(scores),
            title=f"{NAMES[measure]} of {head.label}, by prompt",
        ),
        key="detector_lab-by_prompt",
        alt_text=f"Histogram of the scores of {head.label} over "
        f"{html.count(len(scores), 'prompt')}. {said}",
    )
    _table(request, scores, result.texts, pattern, measure=measure, head=head)
    name = (request.model, f"{head.label} by prompt")
    with st.container(horizontal=True, key="detector_lab-by_prompt_files"):
        download_button.buttons(
            tables(
                "Prompts",
                partial(_file, request, result, place, measure, head=head),
                name=name,
                rows="rows",
            )
        )


def _head(detection: Detection, place: int, measure: str) -> Head | None:
    """The head whose prompts are shown: the best of the ranking, unless another one is chosen."""
    labels = [head.label for head in detection.summary(place, measure).ranking()]
    if not labels:
        return None
    if st.session_state[state.PROMPTS_OF] not in labels:
        st.session_state[state.PROMPTS_OF] = labels[0]
    label = st.selectbox(
        "Head",
        labels,
        key=state.PROMPTS_OF,
        persist_state="session",
        width=140,
        help="The best of the ranking comes first",
    )
    return Head.parse(label)


def _table(
    request: Request,
    scores: Sequence[PromptScore],
    prompts: Sequence[str],
    pattern: roles.Role,
    *,
    measure: str,
    head: Head,
) -> None:
    if fault := st.session_state[state.ROW_FAULT]:
        elements.show_error(fault, kind=st.info)
    st.caption(
        "The lowest score comes first. Click a row to open the head’s close-up on that prompt. "
        "“Rows” are the tokens at which the pattern predicts something; “clear” means clearly "
        "above chance."
    )
    own = {"format": "%.3f"} if measure == "abs" else {"format": "percent"}
    number, text = st.column_config.NumberColumn, st.column_config.TextColumn
    frame = view.tables.by_prompt(scores, prompts, pattern)
    digits = {"score": 3, "chance": 3} if measure == "abs" else {}
    st.dataframe(
        view.tables.with_minus(frame, digits) if digits else frame,
        key=session.chart_key(TABLE),
        hide_index=True,
        column_config={
            "prompt": number("No.", width=60),
            "text": text("Prompt", width=420),
            "score": number(NAMES[measure], **own),
            "chance": number("Chance", **own),
            "clear": text("Clear", width=60),
            "rows": number("Rows", width=60),
            "tokens": number("Tokens", width=70),
        },
        on_select=partial(_open, request, scores, prompts, pattern, head),
        selection_mode="single-row",
        placeholder="–",
        height=min(36 * (len(frame) + 1) + 2, 430),
    )


def _open(
    request: Request,
    scores: Sequence[PromptScore],
    prompts: Sequence[str],
    pattern: roles.Role,
    head: Head,
) -> None:
    """Lead to the close-up on the prompt of the chosen row, where it can be typed."""
    event = st.session_state.get(session.chart_key(TABLE))
    chosen = (event or {}).get("selection", {}).get("rows") or []
    if not chosen:
        return
    one = scores[chosen[0]]
    session.forget_selection(TABLE)
    st.session_state[state.ROW_FAULT] = None
    try:
        if request.generated[0]:
            check_typed(request, prompts[one.place], one)
    except HeadrolesError as error:
        st.session_state[state.ROW_FAULT] = error
        return
    session.use_tested(prompts[one.place])
    session.open_closeup(head, pattern.key if pattern.key in roles.BASIC_ROLES else None)


def check_typed(request: Request, prompt: str, one: PromptScore) -> None:
    """Random ids are seldom what their text is read as again.

    Raises:
        PatternError: if this prompt, typed, gives other tokens.
    """
    with caches.borrow(request.model) as loaded:
        kind, n, seed = request.generated
        rows, _ = texts.probe_texts.generated(
            kind, n, tokenizer=loaded.tokenizer, seed=seed, max_tokens=loaded.max_tokens
        )
        ids = tuple(rows.token_ids[one.place][: int(rows.lengths[one.place])].tolist())
        try:
            same = texts.encode(loaded.tokenizer, prompt).token_ids == ids
        except HeadrolesError:
            same = False
    if not same:
        raise PatternError(
            f"Prompt {one.place + 1} was made of tokens, and its text would be read as other ones.",
            hint="In the close-up, “Random repeats” shows the head on random tokens.",
            value=one.place + 1,
        )


def _file(request: Request, result: Result, place: int, measure: str, *, head: Head) -> Table:
    """Every prompt with its whole text, made when a button is pressed."""
    detection = result.detection
    pattern = detection.patterns[place]
    kind, n, seed = request.generated
    with caches.borrow(request.model) as loaded:
        origin = export.detection.provenance(
            detection,
            loaded,
            result.prompts,
            made=f"generated: {kind}, n={n}, seed={seed}" if kind else "",
        )
    scores = detector.by_prompt.by_prompt(detection, place, measure, head)
    about = {"head": head.label, "pattern": pattern.spec, "measure": measure}
    return by_prompt.rows(scores, result.texts, pattern), origin | about
