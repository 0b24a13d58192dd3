"""A prompt that wakes a head: a box, what each try gave, hints, and at last the author's solution.

What was tried lasts for the visit, and is forgotten once the head is awake: by then it is in the
worksheet.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import lessons, limits, texts, view
from headroles.errors import HeadrolesError
from headroles.ui.app import caches as models
from headroles.ui.app import draft_box, elements
from headroles.ui.app.part import alone, part
from headroles.ui.lessons import caches, revealing, words
from headroles.view.html import escape

if TYPE_CHECKING:
    from headroles.lessons import Answer
    from headroles.lessons.lesson import Wake
    from headroles.lessons.worksheet import Try
    from headroles.types import Encoding
    from headroles.ui.lessons.caches import Asked

MOST_TRIES = 100
"""Tries that are kept; the earliest are forgotten first."""


class WakeState(NamedTuple):
    """How far a student is."""

    prompt: str = ""
    """What was tried last; "" before the first try."""
    answer: Answer | None = None
    """What came of it."""
    tries: tuple[Try, ...] = ()
    """What was tried before that, the earliest first."""
    hints: int = 0
    """Hints that were asked for; the solution counts as one."""

    @property
    def is_over(self) -> bool:
        """Whether the head is awake."""
        return self.answer is not None and self.answer.state == "active"


@dataclass
class _Tried:
    """What the session keeps of one question."""

    prompt: str = ""
    answer: Answer | None = None
    encoding: Encoding | None = None
    tries: list[Try] = field(default_factory=list)
    hints: int = 0
    is_wanted: bool = False
    """Whether the text in the box is to be tried."""


def draw(step: Wake, asked: Asked, *, key: str) -> WakeState:
    """Draw the box, what the last try gave, the tries before, and the hints.

    The run in which the head wakes returns a state that is over, and forgets it.

    Args:
        step: the question.
        asked: the same, with the model that is asked.
        key: what the keys of the widgets begin with; another one for every question and model.
    """
    box, run, kept = f"{key}_box", f"{key}_try", f"{key}_tried"
    tried = st.session_state.setdefault(kept, _Tried())
    st.session_state.setdefault(box, step.start)
    _box(box, run=run, kept=kept)
    draft_box.run_button("Try it", key=run, on_click=_want, args=(kept,))
    if tried.is_wanted:
        _try(st.session_state[box], tried, asked)
        tried.is_wanted = False  # a run that was cut off before is made up for by the next
    state = WakeState(tried.prompt, tried.answer, tuple(tried.tries), tried.hints)
    if state.is_over:
        del st.session_state[kept]
        return state
    if tried.answer is not None:
        _came(step, tried, key)
    revealing.tries(tried.tries, key=key)
    _hints(step, asked, tried, key=key, box=box)
    return state


@partial(part, in_address=False)
def _box(box: str, *, run: str, kept: str) -> None:
    """The box; ``draft_box.js`` hands over what is typed, and lets Ctrl+Enter press the button."""
    with st.container(key=f"{box}_draft", gap=None):
        elements.html(f'<div class="hr-draft" data-run="{run}">Your prompt</div>')
        st.text_area(
            "Your prompt",
            key=box,
            height="content",
            max_chars=limits.BOX,
            placeholder="Write a sentence",
            label_visibility="collapsed",
            persist_state="session",
        )
    tried = st.session_state.get(kept)
    if alone() and tried is not None and tried.is_wanted:
        st.rerun()  # a browser hands over the text and the click together, for this part alone


def _try(prompt: str, tried: _Tried, asked: Asked) -> None:
    """Ask the model; a prompt that cannot be run gets a sentence, and is no try."""
    try:
        limits.WAKING.check(len(prompt))
        with st.spinner("Asking the model …"):
            answer = caches.answer(asked, prompt)
            encoding = _encoding(asked.model, prompt)
    except HeadrolesError as error:
        elements.show_error(error, kind=st.warning)
        return
    if tried.answer is not None and prompt != tried.prompt:
        tried.tries = [*tried.tries, _kept(tried)][-MOST_TRIES:]
    tried.prompt, tried.answer, tried.encoding = prompt, answer, encoding


def _encoding(model: str, prompt: str) -> Encoding:
    """How the model reads the prompt, and what it leaves out."""
    with models.borrow(model) as loaded:
        return texts.encode(loaded.tokenizer, prompt, max_tokens=loaded.max_tokens)


def _kept(tried: _Tried) -> Try:
    return lessons.worksheet.Try(
        prompt=tried.prompt,
        state=tried.answer.state,
        value=tried.answer.value,
        at=lessons.worksheet.now(),
    )


def _came(step: Wake, tried: _Tried, key: str) -> None:
    """What the last try gave."""
    elements.cut_off(tried.encoding)
    verdict, why = map(escape, view.lessons.wake_sentences(tried.answer))
    elements.html(
        f'<p class="hr-asleep" role="status"><q class="hr-prompt">{escape(tried.prompt)}</q><br>'
        f"<b>{verdict}</b> {why}</p>"
    )
    revealing.bar(step, tried.answer, key=key)


# ------------------------------------------------------------------ hints


def _hints(step: Wake, asked: Asked, tried: _Tried, *, key: str, box: str) -> None:
    """The hints that were asked for, and the button for the next one, or for the solution."""
    said = words.of(asked)
    for number, hint in enumerate(step.hints[: tried.hints], 1):
        said.draw(f"**Hint {number}.** {hint}", kind="hr-hint")
    left = len(step.hints) - tried.hints
    solution = lessons.places.text_of(step.solution, asked.model)
    if left < 0:
        elements.html(
            f'<p class="hr-explain"><b>A prompt that wakes it:</b> '
            f'<q class="hr-prompt">{escape(solution)}</q></p>'
        )
        st.button(
            "Put it into the box",
            key=f"{key}_use",
            on_click=_fill,
            args=(box, solution),
        )
        return
    label = f"Show a hint ({tried.hints + 1} of {len(step.hints)})" if left else "Show a solution"
    st.button(
        label,
        icon=":material/lightbulb:" if left else ":material/key:",
        type="tertiary",
        key=f"{key}_hint",
        on_click=_next_hint,
        args=(f"{key}_tried",),
        help="Your worksheet says how many hints you took"
        + ("" if left else "; the solution counts as one"),
    )


def _want(kept: str) -> None:
    st.session_state[kept].is_wanted = True


def _next_hint(kept: str) -> None:
    st.session_state[kept].hints += 1


def _fill(box: str, text: str) -> None:
    st.session_state[box] = text
