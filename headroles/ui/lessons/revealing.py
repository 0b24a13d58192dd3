"""The answer, laid over the prediction: from an entry of a worksheet alone, so that a worksheet
that is read again shows the same as the page did."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, lessons, scoring, texts, view
from headroles.errors import HeadrolesError
from headroles.formatting import listing
from headroles.types import Evidence, Head
from headroles.ui.app import caches, elements
from headroles.view.html import count, escape, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.lessons import Answer, Entry, Prediction
    from headroles.lessons.lesson import Cells, Question, Value
    from headroles.lessons.worksheet import Try

SHOWN = 5
"""Tries that are listed at once; the others stand in a box that is closed at first."""


def draw(step: Question, entry: Entry, *, key: str) -> None:
    """Draw what came of a prediction: the difference in words, a drawing and its table.

    Args:
        step: the question.
        entry: what was predicted, and what the model answered.
        key: what the keys of charts and boxes begin with.
    """
    try:
        mark = lessons.mark(step, entry.answer, entry.prediction)
    except HeadrolesError as error:  # the lesson's file has changed since
        elements.show_error(error, kind=st.warning)
        return
    if step.kind in ("active", "largest", "number"):
        prompt(entry.answer.prompt)
    lead, *more = view.lessons.told(step, entry.answer, mark, entry.prediction)
    aside = more if step.kind == "active" else []  # one line per role, below
    sign = ""
    if entry.sure is not None:
        came = view.lessons.outcome(step, mark)
        more = [*more, view.lessons.certainty_sentence(entry.sure, came)]
        sign = view.lesson_records.outcome_sign(came)
    said = [line for line in more if line not in aside]
    elements.conclusion(" ".join([f"{sign}<b>{escape(lead)}</b>", *map(escape, said)]))
    if aside:
        items = "".join(f"<li>{escape(line)}</li>" for line in aside)
        elements.html(f'<ul class="hr-laid-lines">{items}</ul>')
    if step.kind == "cells":
        _cells(step, entry.answer, entry.prediction, key)
    elif step.kind == "number":
        _number(step, entry.answer, entry.prediction, key)
    elif step.kind == "wake":
        _wake(step, entry, key)
    else:
        _options(step, entry.answer, entry.prediction, key)


def prompt(text: str, *, whose: str = "The") -> None:
    """The prompt that a question is about; nothing where it has none, or several."""
    if text:
        elements.html(
            f'<p class="hr-explain">{whose} prompt: <q class="hr-prompt">{escape(text)}</q></p>'
        )


# ------------------------------------------------------------------ cells


def _cells(step: Cells, answer: Answer, prediction: Prediction, key: str) -> None:
    elements.html(view.lesson_records.cells_html(step, answer, prediction))
    elements.html(view.lesson_records.cells_legend())
    with st.expander("As a table", key=f"{key}_table"):
        elements.html(table(*view.lesson_records.cells_table(step, answer, prediction)))
    with elements.opened(f"The whole pattern of {answer.head}", key=f"{key}_whole") as is_open:
        if is_open:
            _whole_pattern(step, answer, prediction, key)


def _whole_pattern(step: Cells, answer: Answer, prediction: Prediction, key: str) -> None:
    """Every row of the head, from one pass of the model, the chosen cells outlined."""
    try:
        with st.spinner("Running the prompt …"):
            run = caches.answer(answer.model, answer.prompt).run
    except HeadrolesError as error:
        elements.show_error(error)
        return
    if run.revision != answer.revision:
        st.warning("The model's weights have changed since this was answered.")
    attention = run.attention[Head.parse(answer.head)]
    if step.without_first:
        attention = scoring.without_rest(attention).attention
    labels = texts.token_labels(run.tokens)
    chosen = [Evidence(q, k, float(attention[q, k])) for q, k in prediction.cells]
    cells = charts.attention.pattern_cells(attention, chosen)
    drawing = charts.attention.attention_pattern(
        cells, labels, "your choice", rest_hidden=step.without_first
    )
    share = view.lesson_numbers.share
    said = listing(
        [
            f"from “{labels[cell.query]}” to “{labels[cell.key]}” {share(cell.weight)}"
            for cell in chosen
        ]
    )
    with st.container(width=charts.attention.pattern_width(cells, labels), key=f"{key}_square"):
        elements.chart(
            drawing,
            key=f"{key}_pattern",
            alt_text=f"Attention of {answer.head} on the whole prompt. Your choice: {said}.",
        )
    elements.note(
        f"Each row is a token, and its cells say where {escape(answer.head)} looks from it. Your "
        f"{count(len(chosen), 'cell')} {'is' if len(chosen) == 1 else 'are'} outlined."
    )


# ------------------------------------------------------------------ options, a number


def _options(step: Question, answer: Answer, prediction: Prediction, key: str) -> None:
    records = view.lesson_records.option_records(step, answer, prediction)
    drawing = charts.prediction.bars(
        records,
        title=view.lesson_records.axis_title(step),
        whole=step.kind == "active",
        is_share=view.lesson_numbers.is_share(step),
    )
    alt_text = view.lesson_records.bars_alt(records)
    elements.chart(drawing, key=f"{key}_bars", alt_text=alt_text)
    if legend := view.lesson_records.bars_legend(step, records, prediction.chosen):
        elements.html(legend)
    with st.expander("As a table", key=f"{key}_table"):
        elements.html(table(*view.lesson_records.bar_table(step, records)))


def _number(step: Value, answer: Answer, prediction: Prediction, key: str) -> None:
    record = view.lesson_records.line_record(step, answer, prediction)
    drawing = charts.prediction.number_line(
        record,
        title=view.lesson_records.axis_title(step),
        is_share=view.lesson_numbers.is_share(step),
    )
    alt_text = view.lesson_records.line_alt(record)
    elements.chart(drawing, key=f"{key}_line", alt_text=alt_text)
    elements.html(view.lesson_records.line_legend())
    with st.expander("As a table", key=f"{key}_table"):
        elements.html(table(*view.lesson_records.line_table(step, record)))


# ------------------------------------------------------------------ a prompt


def _wake(step: Question, entry: Entry, key: str) -> None:
    prompt(entry.prediction.prompt, whose="Your")
    bar(step, entry.answer, key=key)
    solved = view.lessons.wake_tries(len(entry.tries), entry.hints, entry.answer.state == "active")
    elements.note(escape(solved))
    tries(entry.tries, key=key)


def bar(step: Question, answer: Answer, *, key: str) -> None:
    """The head's activation on a prompt, beside what is needed there and chance."""
    record = view.lesson_records.wake_record(answer)
    drawing = charts.prediction.bars([record], title="activation", whole=True, is_share=True)
    alt_text = view.lesson_records.bars_alt([record])
    elements.chart(drawing, key=f"{key}_bar", alt_text=alt_text)
    if legend := view.lesson_records.bars_legend(step, [record]):
        elements.html(legend)


def tries(made: Sequence[Try], *, key: str) -> None:
    """What was tried so far, the latest first."""
    if not made:
        return
    headers, lines = view.lesson_records.tries_table(made)
    elements.html(table(headers, lines[:SHOWN]))
    if lines[SHOWN:]:
        label = f"{count(len(lines) - SHOWN, 'earlier try', 'earlier tries')}"
        with st.expander(label, key=f"{key}_earlier"):
            elements.html(table(headers, lines[SHOWN:]))
