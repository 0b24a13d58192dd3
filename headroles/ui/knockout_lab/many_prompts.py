"""Many conditions on many prompts at once: a table a prompt, a summary, and files to keep."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import ablation, export, models
from headroles.errors import HeadrolesError
from headroles.formatting import visible
from headroles.models import CATALOGUE
from headroles.texts import READY, ReadyPrompt
from headroles.types import Head
from headroles.ui.app import caches, elements, session, stepped_work
from headroles.ui.app.files import CSV, file_name
from headroles.ui.knockout_lab import caches as knockout_lab_caches
from headroles.ui.knockout_lab import choose_heads, state
from headroles.view.html import plain, shorten, table

if TYPE_CHECKING:
    from headroles.ablation import PromptTable, Summary

FIRST = 4
"""Prompts in the table when the section opens."""
OWN = "Own"


class Asked(NamedTuple):
    """What a table is of."""

    model: str
    """The catalogue key."""
    heads: tuple[Head, ...]
    """The heads around which the conditions are made."""
    prompts: tuple[ReadyPrompt, ...]
    """The prompts."""
    top: int
    """Tokens a direction."""


def draw() -> None:
    """Draw the section."""
    st.markdown(
        "About twenty ways to take your heads away, on as many prompts as you like: each head "
        "alone, all together, only at the last token *t*, and the value vectors just before it."
    )
    model = st.session_state[session.MODEL]
    ranks = _ranks(model)
    if ranks is None:
        return
    asked = _form(model, ranks)
    if asked is None:
        return
    stepped_work.draw(
        "many",
        [partial(_tabulate, asked, prompt) for prompt in asked.prompts],
        identity=repr(asked),
        show=partial(_show, asked),
        doing="Prompts",
    )


def _ranks(model: str) -> list[int] | None:
    """[ready prompt] the place of its answer; a bar while they are run for the first time."""
    found: list[int] = []
    step = 9
    place = st.empty()
    try:
        for start in range(0, len(READY), step):
            found += knockout_lab_caches.ready_ranks(model, start, step)
            place.progress(len(found) / len(READY), text="Which prompts the model gets right")
    except HeadrolesError as error:
        elements.show_error(error)
        return None
    finally:
        place.empty()
    return found


def _form(model: str, ranks: Sequence[int]) -> Asked | None:
    """The boxes; what stands in them when the button is pressed is asked."""
    layers, heads = knockout_lab_caches.shape(model)
    order = sorted(range(len(READY)), key=lambda one: (ranks[one] > 1, one))
    right = [one for one in order if ranks[one] == 1]
    _begin(model, right or order)
    with st.form("many_form"):
        st.multiselect(
            "Heads",
            [Head(layer, head).label for layer in range(layers) for head in range(heads)],
            key=state.MANY_HEADS,
        )
        st.multiselect(
            f"Ready prompts (✓ marks the {len(right)} of {len(READY)} that the model gets right)",
            order,
            format_func=lambda one: _label(READY[one], ranks[one]),
            key=state.MANY_PROMPTS,
        )
        st.checkbox(
            f"All {len(right)} that the model gets right", key=state.MANY_ALL, disabled=not right
        )
        st.text_area(
            "Own prompts, one a line",
            key=state.MANY_OWN,
            placeholder="The dog ran home. The dog ran => home",
            help="After => the token that should come next; without it, the model's own guess is "
            "watched.",
            height=80,
        )
        st.slider("Tokens in the lists", 1, 20, 5, key=state.MANY_TOP)
        st.form_submit_button(
            "Make the table",
            type="primary",
            key="knockout_lab-many_run",
            on_click=_ask,
            args=(model, right),
        )
    if st.session_state.get(state.MANY_ASKED) is None:
        _ask(model, right)
    asked = st.session_state[state.MANY_ASKED]
    if not asked.heads or not asked.prompts:
        st.info("Choose at least one head and one prompt.")
        return None
    return asked


def _ask(model: str, right: Sequence[int]) -> None:
    """Take over what stands in the boxes."""
    now = st.session_state
    every = right if now[state.MANY_ALL] else []
    chosen = dict.fromkeys([*now[state.MANY_PROMPTS], *every])
    prompts = (*(READY[one] for one in chosen), *own_prompts(now[state.MANY_OWN] or ""))
    heads = tuple(sorted(map(Head.parse, now[state.MANY_HEADS])))
    now[state.MANY_ASKED] = Asked(model, heads, prompts, now[state.MANY_TOP])


def _begin(model: str, order: Sequence[int]) -> None:
    """First values; another model begins anew, because it has other heads."""
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
    for one in order:
        kinds.setdefault(READY[one].kind, one)
    st.session_state[state.MANY_PROMPTS] = list(kinds.values())[-FIRST:]
    st.session_state[state.MANY_ASKED] = None


def _label(ready: ReadyPrompt, rank: int) -> str:
    mark = "✓" if rank == 1 else "✗"
    prompt = shorten(" ".join(ready.prompt.split()), limit=58)
    return f"{mark} {ready.kind}: {prompt} → {visible(ready.answer)}"


def own_prompts(text: str) -> list[ReadyPrompt]:
    """Prompts that were typed, one a line, with their answers.

    >>> own_prompts("one two => three\\n\\nThe cat")
    [ReadyPrompt(kind='Own', prompt='one two', answer='three'), \
ReadyPrompt(kind='Own', prompt='The cat', answer='')]
    """
    found = []
    for line in text.splitlines():
        prompt, _, answer = line.partition("=>")
        if prompt.strip():
            found.append(ReadyPrompt(OWN, prompt.strip(), answer.strip()))
    return found


def _tabulate(asked: Asked, one: ReadyPrompt) -> PromptTable:

    with knockout_lab_caches.model(asked.model) as loaded:
        return ablation.tabulate(
            loaded,
            one.prompt,
            partial(ablation.standard_conditions, asked.heads),
            answer=one.answer,
            top=asked.top,
            kind=one.kind,
        )


def _show(asked: Asked, tables: list[PromptTable], is_all: bool) -> None:
    """The summary, the files, and each prompt's table folded away but the first."""

    rows = ablation.tables.summarise(tables)
    st.markdown(f"**{plain(headline(rows))}**")
    if is_all:
        _files(asked, tables)
    elements.html(
        table(
            ["Taken away", "Still first", "Answer loses, mean ± spread"],
            [
                (one.name, f"{one.still_first} of {one.were_first}", _loss(one.lost, one.spread))
                for one in rows
            ],
        )
    )
    st.caption(
        "“Still first” counts the prompts where the answer was first before. What it loses is "
        "log-probability in nats: 0.69 is half as likely. “–”: too few prompts for a spread."
    )
    for place, one in enumerate(tables):
        label = f"{one.kind}: “{shorten(' '.join(one.prompt.split()), limit=70)}”"
        with st.expander(plain(label), expanded=place == 0):
            elements.html(export.marked_strip(one.encoding, {one.position}, word="t"))
            st.caption(plain(export.watched(one)))
            elements.html(export.condition_table(one))


def _loss(lost: float, spread: float | None) -> str:
    return f"{lost:+.2f} ± {'–' if spread is None else f'{spread:.2f}'}"


def headline(rows: Sequence[Summary]) -> str:
    """What your heads at their mean do, and what costs most, in two sentences (plain text)."""
    own = next((one for one in rows if one.name.endswith("to mean")), rows[0])
    worst = max(rows, key=lambda one: one.lost)
    return (
        f"With {own.name}, the answer stays first in {own.still_first} of the {own.were_first} "
        f"prompts where it was first. Costs most: {worst.name}."
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
        tables, model=CATALOGUE[asked.model].name, note=f"Heads: {heads}."
    ).encode()


def _csv(asked: Asked, tables: Sequence[PromptTable]) -> bytes:

    origin = export.ablation_report.provenance(
        asked.model,
        revision=models.model_revision(models.resolve_source(asked.model)),
        heads=[head.label for head in asked.heads],
        top=asked.top,
    )
    return export.csv_bytes(export.to_csv(tables, provenance=origin))
