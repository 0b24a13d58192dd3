"""Whether a head writes this token on any prompt: the same heads where it is not the answer."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from headroles import attribution, texts, view
from headroles.ui.answer import caches
from headroles.ui.app import caches as app_caches
from headroles.ui.app import elements, long_work
from headroles.view.html import escape

if TYPE_CHECKING:
    from headroles.attribution import Chance, Target
    from headroles.ui.answer.caches import Asked
    from headroles.ui.answer.one_head import Subject

PROMPTS = 20
"""Most prompts of the control."""
AT_ONCE = 2
"""Prompts per step."""
_SHORT = 15
"""Tokens of the prompt whose cost is measured."""


def known(subject: Subject) -> Chance | None:
    """What the heads write on other prompts, if it is there already."""
    return long_work.kept("chance", _name(subject))


def comes(subject: Subject) -> bool:
    """Whether the control is being made, or begins by itself."""
    return _seconds(subject) <= long_work.LIGHT or long_work.begun("chance", _name(subject))


def draw(subject: Subject) -> Chance | None:
    """Ask for the control, or show it being made; what it is, once it is there."""
    chance = long_work.offer(
        "chance",
        _name(subject),
        "Compare with other prompts",
        what="comparison with other prompts",
        seconds=_seconds(subject),
    ) and long_work.run(
        "chance",
        _name(subject),
        partial(_plan, subject.asked, subject.parts.target),
        doing="Running other prompts",
    )
    if not chance:
        elements.note(
            "A head may write this token whatever the prompt is. So it is tried on prompts where "
            "the token is not the answer."
        )
        return None
    elements.note(escape(view.contributions.chance_rule(chance)))
    return chance


def _name(subject: Subject) -> tuple[object, ...]:
    return subject.asked, subject.parts.target


def _seconds(subject: Subject) -> float:
    """How long it is likely to take; twice as many tokens take about twice as long."""
    tokens = subject.parts.position + 1
    return PROMPTS * max(1.0, tokens / _SHORT) * row_seconds(subject.asked.model)


@app_caches.keep
def row_seconds(name: str) -> float:
    """Seconds of the processor that a short prompt takes in a batch: measured once per model.

    Raises:
        HeadrolesError: if the model cannot be loaded, or its family cannot be taken apart.
    """
    with app_caches.borrow(name) as loaded:
        ids = texts.encode(loaded.tokenizer, texts.SENTENCES[0]).token_ids[:_SHORT]

        def run() -> float:
            began = time.thread_time()  # not the wall: others may be at work just now
            attribution.record_rows(loaded, [ids] * AT_ONCE, logits=False)
            return time.thread_time() - began

        run()  # the first pass of a model takes longer
        return run() / AT_ONCE


def _plan(asked: Asked, target: Target) -> long_work.Plan:
    with app_caches.borrow(asked.model) as loaded:
        rows, what = attribution.against_chance.control_rows(
            loaded, caches.encode(loaded, asked), target, position=asked.position, n=PROMPTS
        )
    steps = [rows[start : start + AT_ONCE] for start in range(0, len(rows), AT_ONCE)]
    return long_work.Plan(
        [partial(_effects, asked.model, part, target) for part in steps],
        partial(attribution.against_chance.joined, what=what),
    )


def _effects(name: str, rows: list[list[int]], target: Target) -> object:
    with app_caches.borrow(name) as loaded:
        return attribution.against_chance.effects_on(loaded, rows, target)
