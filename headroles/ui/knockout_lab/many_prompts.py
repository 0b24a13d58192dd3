"""Many conditions on many prompts at once: what to conclude, a summary, a table per prompt."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import ablation, export
from headroles.formatting import in_one_line
from headroles.texts import READY, ReadyPrompt
from headroles.ui.app import elements, long_work, session
from headroles.ui.knockout_lab import caches as knockout_lab_caches
from headroles.ui.knockout_lab import files, many_form
from headroles.view.html import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from headroles.ablation import Drawn, LeftOut, PromptTable
    from headroles.ui.knockout_lab.many_form import Asked

READY_AT_ONCE = 9
"""Ready prompts per step."""
ROWS_AT_ONCE = 40
"""Random others per step, about."""
DRAWN_AT_ONCE = 8
"""More tables than these are drawn one by one, when they are opened."""


def draw() -> None:
    """Draw the section."""
    st.markdown(
        "Knock your heads out in up to twenty ways, on as many prompts as you like: each alone, "
        "all together, only at one token *t*, and the value vectors just before it; beside random "
        "others. **Components** of the weights stand beside them, each set a row of its own."
    )
    model = st.session_state[session.MODEL]
    ranks = _ranks(model)
    if ranks is None:
        return
    place = st.empty()
    asked = many_form.draw(model, ranks)
    if asked is None:
        return
    parts = long_work.run(
        "many",
        asked,
        lambda: long_work.Plan(_steps(asked)),
        doing="Running the prompts",
        show=partial(_show, asked),
        heavy="table of many prompts",
    )
    if parts and (tables := ablation.many_prompts.assemble(parts)[0]):
        with place:
            elements.conclusion(_headline(tables))


def _ranks(model: str) -> list[int] | None:
    """[ready prompt] the rank of its answer; None while they are run for the first time."""
    starts = range(0, len(READY), READY_AT_ONCE)
    ranks = partial(knockout_lab_caches.ready_ranks, model, count=READY_AT_ONCE)
    return long_work.run(
        "ready",
        model,
        lambda: long_work.Plan([partial(ranks, start) for start in starts], _flat),
        doing="Finding the prompts that the model gets right",
    )


def _flat(parts: list[list[int]]) -> list[int]:
    return [rank for part in parts for rank in part]


def _steps(asked: Asked) -> list[Callable[[], object]]:
    """Prompt by prompt: its table, then the random others of a part of its conditions."""
    draws = asked.settings.draws
    parts = -(-many_form.conditions(asked) * draws // ROWS_AT_ONCE)
    steps: list[Callable[[], object]] = []
    for ready in asked.prompts:
        steps.append(partial(_tabulate, asked, ready))
        steps += [partial(_draw_others, asked, ready, part, parts) for part in range(parts)]
    return steps


def _tabulate(asked: Asked, ready: ReadyPrompt) -> PromptTable | LeftOut:
    with knockout_lab_caches.model(asked.model) as loaded:
        return ablation.many_prompts.tabulate_prompt(loaded, ready, asked.settings)


def _draw_others(asked: Asked, ready: ReadyPrompt, part: int, parts: int) -> tuple[Drawn, ...]:
    with knockout_lab_caches.model(asked.model) as loaded:
        return ablation.many_prompts.draw_others(
            loaded, ready, asked.settings, part=part, parts=parts
        )


def _headline(tables: Sequence[PromptTable]) -> str:
    """What to conclude (HTML)."""
    rows = ablation.many_prompts.summarise(tables)
    lead, _, rest = ablation.many_prompts.headline(rows).partition(". ")
    return f"<b>{escape(lead)}.</b> {escape(rest)}"


def _show(asked: Asked, parts: list[ablation.many_prompts.Part], is_all: bool) -> None:
    """The summary, the files, and each prompt's table folded away."""
    tables, left_out = ablation.many_prompts.assemble(parts)
    if left_out:
        st.warning(plain(" ".join(export.many_prompts.left_out_sentences(left_out))))
    if not tables:
        if is_all:
            elements.show_error(left_out[0].error)
        return
    rows = ablation.many_prompts.summarise(tables)
    if is_all:
        files.draw(files.of_many(asked, tables, left_out))
    else:
        st.markdown(f"So far: {plain(ablation.many_prompts.headline(rows))}")
    elements.html(export.many_prompts.summary_table(rows))
    st.caption(plain(export.many_prompts.about_summary(rows)))
    for number, table in enumerate(tables, 1):
        _folded(table, number, lazily=len(tables) > DRAWN_AT_ONCE)


def _folded(table: PromptTable, number: int, *, lazily: bool) -> None:
    """A prompt with all its conditions, closed at first."""
    prompt = in_one_line(table.prompt, limit=70)
    label = plain(f"{number}. {table.kind}: “{prompt}”")
    if not lazily:
        with st.expander(label):
            _one(table)
        return
    with elements.opened(label, key=f"knockout_lab-many_table_{number}") as is_open:
        if is_open:
            _one(table)


def _one(table: PromptTable) -> None:
    elements.cut_off(table.encoding)
    elements.html(export.strip(table))
    st.caption(plain(export.watched(table)))
    elements.html(export.condition_table(table))
