"""Which token is watched, against which, and at which position: the boxes and the offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles import limits, view
from headroles.errors import UnknownPositionError
from headroles.formatting import count, percent, quoted
from headroles.ui.answer import state
from headroles.ui.answer.caches import Asked
from headroles.ui.app import elements, session
from headroles.view.html import escape

if TYPE_CHECKING:
    from headroles.ui.answer.caches import Written
    from headroles.ui.app.caches import Answer


def draw(answer: Answer) -> Asked:
    """The boxes; what they ask for."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="answer-asking"):
        answered = st.text_input(
            "What should come next?",
            key=state.ANSWER,
            placeholder="empty: the model's first guess",
            max_chars=limits.ANSWER.most,
            persist_state="session",
            width=250,
        )
        against = st.text_input(
            "Against (optional)",
            key=state.AGAINST,
            placeholder="another token, e.g. John",
            max_chars=limits.ANSWER.most,
            persist_state="session",
            width=250,
            help="Takes the difference of two tokens apart. What raises both of them alike is then "
            "left out.",
        )
        with st.popover("Options", icon=":material/tune:", key="answer-options"):
            position = _position(answer)
    encoding = answer.run.encoding
    return Asked(
        st.session_state[session.MODEL],
        answer.run.prompt,
        encoding.is_chat,
        answered if answered and answered.strip() else "",
        against if against and against.strip() else "",
        position,
    )


def _position(answer: Answer) -> int:
    """The box of the position t; one that a link names wrongly is reported above."""
    labels = view.token_labels(answer.run.encoding)
    last = len(labels) - 1
    wanted = st.session_state[state.POSITION]
    if wanted is not None and wanted > last:
        st.session_state[state.POSITION] = None
        error = UnknownPositionError(
            f"There is no position {wanted} in this prompt of {count(last + 1, 'token')}.",
            hint="The last one is shown.",
            value=wanted,
        )
        session.link_errors([error])
        st.rerun()  # the warning is drawn above the page
    box = f"{state.POSITION_BOX}_{last}"
    if (now := last if wanted is None else wanted) != st.session_state.get(box):
        st.session_state[box] = now
    return st.selectbox(
        "Position t, whose next token is watched",
        range(last + 1),
        format_func=lambda place: f"{place} {labels[place]}{' (last)' * (place == last)}",
        key=box,
        on_change=state.choose_position,
        args=(box, last),
        help="The prompt is read up to this token, and the guess of the next one is taken apart.",
    )


def offers(asked: Asked, written: Written, *, last: int) -> None:
    """The model's guesses, and what the answer could be held against, as buttons; which token is
    watched. ``last`` is the prompt's last position."""
    parts = written.parts
    target, guesses = parts.target, written.guesses
    rivals = [
        *view.contributions.rivals(asked.prompt, target.text),
        *(guess.text for guess in guesses[:2]),
    ]
    rivals = [text for text in dict.fromkeys(rivals) if text != target.text][:1]
    with st.container(horizontal=True, wrap=False, key="answer-offers"):
        for number, guess in enumerate(guesses):
            st.button(
                f"{escape_label(guess.text)} {percent(guess.probability)}",
                key=f"answer-guess_{number}",
                type="secondary" if guess.token_id != target.token_id else "primary",
                on_click=state.watch,
                args=(guess.text if number else "",),
                help=f"Guess {number + 1} of the model",
            )
        if target.against_id is not None:
            st.button(
                "One token alone", key="answer-alone", icon=":material/close:",
                on_click=state.hold_against, args=("",),
            )  # fmt: skip
        elif rivals:
            st.button(
                f"Against {escape_label(rivals[0])}", key="answer-rival", icon=":material/balance:",
                on_click=state.hold_against, args=(rivals[0],),
            )  # fmt: skip
    said = view.contributions.watched_sentence(target, written.now, last=asked.position == last)
    elements.note(escape(said))


def escape_label(text: str) -> str:
    """A token as the label of a button, which is Markdown."""
    return view.html.plain(quoted(text))
