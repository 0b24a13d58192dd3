"""Many conditions on many prompts at once: a table per prompt, a summary, and downloads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import ablation, export, limits, models
from headroles.errors import HeadrolesError
from headroles.formatting import in_one_line, signed, visible
from headroles.texts import READY, ReadyPrompt
from headroles.types import Head
from headroles.ui.app import caches, draft_box, elements, long_work, session
from headroles.ui.app.files import CSV, file_name
from headroles.ui.app.part import part
from headroles.ui.knockout_lab import caches as knockout_lab_caches
from headroles.ui.knockout_lab import choose_heads, state
from headroles.view.html import plain, table

if TYPE_CHECKING:
    from headroles.ablation import PromptTable, Summary

FIRST = 4
"""Prompts in the table when the section opens."""
READY_AT_ONCE = 9
"""Ready prompts per step."""
OWN = "Own"
RUN = "knockout_lab-many_run"
"""The key of the button that makes the table."""


class Asked(NamedTuple):
    """The choices behind a table."""

    model: str
    """The catalogue key."""
    heads: tuple[Head, ...]
    """The heads around which the conditions are made."""
    prompts: tuple[ReadyPrompt, ...]
    """The prompts."""
    top: int
    """Tokens per direction."""


def draw() -> None:
    """Draw the section."""
    st.markdown(
        "Knock your heads out in up to twenty ways, on as many prompts as you like: each alone, "
        "all together, only at the last token *t*, and the value vectors just before it."
    )
    model = st.session_state[session.MODEL]
    ranks = _ranks(model)
    if ranks is None:
        return
    asked = _form(model, ranks)
    if asked is None:
        return
    long_work.run(
        "many",
        asked,
        lambda: long_work.Plan([partial(_tabulate, asked, prompt) for prompt in asked.prompts]),
        doing="Running the prompts",
        show=partial(_show, asked),
        heavy="table of many prompts",
    )


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


def _form(model: str, ranks: Sequence[int]) -> Asked | None:
    """The boxes; the table is made of what they hold when the button is pressed."""
    order = sorted(range(len(READY)), key=lambda place: (ranks[place] > 1, place))
    right = [place for place in order if ranks[place] == 1]
    _begin(model, right or order)
    if st.session_state.get(state.MANY_ASKED) is None:
        _ask(model, right)
    with st.container(key="knockout_lab-many_asking"):
        _choices(model, ranks, order, right)
        draft_box.run_button("Make the table", key=RUN, on_click=_ask, args=(model, right))
    asked = st.session_state[state.MANY_ASKED]
    if isinstance(asked, HeadrolesError):
        elements.show_error(asked)
        return None
    if not asked.heads or not asked.prompts:
        st.info("Choose at least one head and one prompt.")
        return None
    return asked


@part
def _choices(model: str, ranks: Sequence[int], order: Sequence[int], right: Sequence[int]) -> None:
    """The boxes; what they hold stays until it is run, on other pages too."""
    layers, heads = knockout_lab_caches.shape(model)
    with st.container(border=True, key="knockout_lab-many_draft"):
        draft_box.changed(
            "What the table is made of",
            is_changed=str(_chosen(model, right)) != str(st.session_state[state.MANY_ASKED]),
            run=RUN,
            below="The table below is from the last run.",
        )
        st.multiselect(
            "Heads",
            [Head(layer, head).label for layer in range(layers) for head in range(heads)],
            key=state.MANY_HEADS,
            persist_state="session",
        )
        st.multiselect(
            f"Ready prompts (✓ marks the {len(right)} of {len(READY)} that the model gets right)",
            order,
            format_func=lambda place: _label(READY[place], ranks[place]),
            key=state.MANY_PROMPTS,
            persist_state="session",
        )
        st.checkbox(
            f"All {len(right)} that the model gets right",
            key=state.MANY_ALL,
            disabled=not right,
            persist_state="session",
        )
        st.text_area(
            "Own prompts, one per line",
            key=state.MANY_OWN,
            placeholder="The dog ran home. The dog ran => home",
            help="After => the token that should come next; without it, the model's own guess is "
            "watched.",
            height=80,
            max_chars=limits.PROMPTS_TEXT.most,
            persist_state="session",
        )
        st.slider(
            "Tokens in the lists",
            *limits.LISTED_TOKENS,
            key=state.MANY_TOP,
            persist_state="session",
        )


def _ask(model: str, right: Sequence[int]) -> None:
    """Take over the choices in the boxes, or keep what is wrong with them."""
    st.session_state[state.MANY_ASKED] = _chosen(model, right)


def _chosen(model: str, right: Sequence[int]) -> Asked | HeadrolesError:
    """The choices in the boxes, or what is wrong with them."""
    now = st.session_state
    try:
        own = own_prompts(now[state.MANY_OWN] or "")
    except HeadrolesError as error:
        return error
    every = right if now[state.MANY_ALL] else []
    chosen = dict.fromkeys([*now[state.MANY_PROMPTS], *every])
    prompts = (*(READY[place] for place in chosen), *own)
    heads = tuple(sorted(map(Head.parse, now[state.MANY_HEADS])))
    return Asked(model, heads, prompts, now[state.MANY_TOP])


def _begin(model: str, order: Sequence[int]) -> None:
    """First values; another model begins anew, because it has other heads."""
    for key, first in ((state.MANY_ALL, False), (state.MANY_OWN, ""), (state.MANY_TOP, 5)):
        st.session_state.setdefault(key, first)
    if st.session_state.get(state.MANY_MODEL) == model:
        return
    layers, heads = knockout_lab_caches.shape(model)
    named = state.linked(state.SECTION_NAMES[1], layers=layers, heads=heads)
    st.session_state[state.MANY_MODEL] = model
    try:
        entry = caches.stored(model).entry
    except HeadrolesError:
        entry = None
    st.session_state[state.MANY_HEADS] = named or choose_heads.first_heads(entry)
    kinds: dict[str, int] = {}
    for place in order:
        kinds.setdefault(READY[place].kind, place)
    st.session_state[state.MANY_PROMPTS] = list(kinds.values())[-FIRST:]
    st.session_state[state.MANY_ASKED] = None


def _label(ready: ReadyPrompt, rank: int) -> str:
    mark = "✓" if rank == 1 else "✗"
    prompt = in_one_line(ready.prompt, limit=58)
    return f"{mark} {ready.kind}: {prompt} → {visible(ready.answer)}"


def own_prompts(text: str) -> list[ReadyPrompt]:
    """Prompts that were typed, one per line, with their answers.

    >>> own_prompts("one two => three\\n\\nThe cat")
    [ReadyPrompt(kind='Own', prompt='one two', answer='three'), \
ReadyPrompt(kind='Own', prompt='The cat', answer='')]

    Raises:
        LimitError: if there are too many, or if a prompt or an answer is too long.
    """
    limits.PROMPTS_TEXT.check(len(text))
    parts = [line.partition("=>") for line in text.splitlines()]
    pairs = [(left.strip(), right.strip()) for left, _, right in parts if left.strip()]
    limits.OWN_PROMPTS.check(len(pairs))
    for prompt, answer in pairs:
        limits.PROMPT.check(len(prompt))
        limits.ANSWER.check(len(answer))
    return [ReadyPrompt(OWN, prompt, answer) for prompt, answer in pairs]


def _tabulate(asked: Asked, ready: ReadyPrompt) -> PromptTable:

    with knockout_lab_caches.model(asked.model) as loaded:
        return ablation.tabulate(
            loaded,
            ready.prompt,
            partial(ablation.standard_conditions, asked.heads),
            answer=ready.answer,
            top=asked.top,
            kind=ready.kind,
        )


def _show(asked: Asked, tables: list[PromptTable], is_all: bool) -> None:
    """The summary, the files, and each prompt's table folded away but the first."""

    rows = ablation.tables.summarise(tables)
    elements.conclusion(escape(headline(rows)))
    if is_all:
        _files(asked, tables)
    elements.html(
        table(
            ["Knocked out", "Still first", "Answer loses, mean ± spread"],
            [
                (row.name, f"{row.still_first} of {row.were_first}", _loss(row.lost, row.spread))
                for row in rows
            ],
        )
    )
    st.caption(
        "“Still first”: out of the prompts where the answer came first before. “Answer loses”: "
        "log-probability, in nats; 0.69 means half as likely. “–”: too few prompts for a spread."
    )
    for place, prompt in enumerate(tables):
        label = f"{prompt.kind}: “{in_one_line(prompt.prompt, limit=70)}”"
        with st.expander(plain(label), expanded=place == 0):
            elements.cut_off(prompt.encoding)
            elements.html(export.marked_strip(prompt.encoding, {prompt.position}, word="t"))
            st.caption(plain(export.watched(prompt)))
            elements.html(export.condition_table(prompt))


def _loss(lost: float, spread: float | None) -> str:
    return f"{signed(lost)} ± {'–' if spread is None else f'{spread:.2f}'}"


def headline(rows: Sequence[Summary]) -> str:
    """What it costs that your heads output their average, and the costliest way (plain text)."""
    own = next((row for row in rows if row.name.endswith("to mean")), rows[0])
    worst = max(rows, key=lambda row: row.lost)
    return (
        f"With {own.name}, the answer stays first in {own.still_first} of the {own.were_first} "
        f"prompts where it was first. Costliest: {worst.name}."
    )


def _files(asked: Asked, tables: Sequence[PromptTable]) -> None:
    with st.container(horizontal=True):
        for label, ending, mime, make in (
            ("Report (HTML)", "html", "text/html", _html),
            ("Table (CSV)", "csv", CSV, _csv),
        ):
            st.download_button(
                label,
                data=partial(make, asked, tuple(tables)),
                file_name=file_name(asked.model, "knock-outs", ending),
                mime=mime,
                key=f"knockout_lab-many_{ending}",
                icon=":material/download:",
                on_click="ignore",
            )


def _html(asked: Asked, tables: Sequence[PromptTable]) -> bytes:

    heads = ", ".join(head.label for head in asked.heads)
    return export.to_html(
        tables, model=models.name_of(asked.model), note=f"Heads: {heads}."
    ).encode()


def _csv(asked: Asked, tables: Sequence[PromptTable]) -> bytes:

    origin = export.ablation_report.provenance(
        asked.model,
        revision=models.model_revision(models.resolve_source(asked.model)),
        heads=[head.label for head in asked.heads],
        top=asked.top,
    )
    return export.csv_bytes(export.to_csv(tables, provenance=origin))
