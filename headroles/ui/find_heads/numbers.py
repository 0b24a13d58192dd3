"""Which numbers the heads of the chosen model have, and their values."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import circuits, view
from headroles.errors import HeadrolesError
from headroles.types import Head
from headroles.ui.app import caches, long_work, passages, run_prompt, session

if TYPE_CHECKING:
    from headroles.store import ModelEntry
    from headroles.store.real_text import RealText
    from headroles.view.head_numbers import HeadNumber


def real_text(model: str) -> RealText | None:
    """What is stored of the model's heads on real text; None without any, or of other weights."""
    caches.import_libraries()
    try:
        found = passages.stored(model)
    except HeadrolesError:
        return None  # a damaged file is told of on the page Real text
    return found.record if found else None


def known(model: str, entry: ModelEntry | None) -> dict[str, HeadNumber]:
    """{key: number} of what a reader can choose; those that must be computed have no values yet."""
    numbers = view.head_numbers.of_entry(entry) if entry is not None else {}
    numbers |= view.head_numbers.prompt_names()
    found = real_text(model)
    if found is not None:
        numbers |= view.head_numbers.of_real_text(found)
    return numbers | view.head_numbers.circuit_names()


def filled(number: HeadNumber) -> HeadNumber | None:
    """A number with its values; None while it is computed, or with the reason shown."""
    if number.values:
        return number
    if number.key.endswith(view.head_numbers.PROMPT):
        answer = run_prompt.run()
        return None if answer is None else view.head_numbers.of_prompt(answer.scores)[number.key]
    return _from_weights(number)


def _from_weights(number: HeadNumber) -> HeadNumber | None:
    model = st.session_state[session.MODEL]
    try:
        shape = caches.shape(model)
        seconds = _seconds_of_a_head(model) * shape[0] * shape[1]
    except HeadrolesError as error:
        run_prompt.show_model_error(error)
        return None
    name = (model, "numbers of the weights")
    found = long_work.offer(
        "find_weights",
        name,
        "Read all heads’ weights",
        what="reading of all heads’ weights",
        seconds=seconds,
    ) and long_work.run(
        "find_weights",
        name,
        partial(_plan, model, shape),
        doing="Reading the weights",
    )
    return found[number.key] if found else None


def _plan(model: str, shape: tuple[int, int]) -> long_work.Plan:
    steps = [partial(_of_head, model, head) for head in Head.every(*shape)]
    return long_work.Plan(steps, _joined)


def _joined(results: list[tuple[float, float]]) -> dict[str, HeadNumber]:
    copying, matching = zip(*results, strict=True)
    return view.head_numbers.of_circuits(copying, matching)


def _of_head(model: str, head: Head) -> tuple[float, float]:
    """Copying score and self-match of a head, read as the page Circuits does."""
    with caches.borrow(model) as loaded:
        factors = circuits.head_factors(loaded, head, circuits.CircuitSettings())
        return circuits.summary.copying_score(factors), circuits.summary.self_match(factors)


@caches.keep
def _seconds_of_a_head(model: str) -> float:
    return long_work.seconds_of(partial(_of_head, model, Head(0, 0)))
