"""Your Prompt for a projector: one role at a time, in large type, moved on by keys or buttons.

The left and right keys go through the roles, up and down through the prepared prompts, and Escape
leads back. The role stays while the prompts change, so that one can be compared with the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

import streamlit as st

from headroles import models
from headroles.formatting import percent, quoted
from headroles.texts.examples import examples
from headroles.ui.app import elements, run_prompt, session
from headroles.ui.your_prompt import role_cards as your_prompt_role_cards
from headroles.ui.your_prompt import state
from headroles.view import html, role_cards
from headroles.view.role_cards import RoleCard


def is_on() -> bool:
    """Whether the page is shown in large type."""
    return bool(st.session_state[state.PRESENT])


def offer() -> None:
    """The button that begins."""
    st.button(
        "Present",
        icon=":material/slideshow:",
        on_click=_begin,
        key="your_prompt-begin_presenting",
        help="One role at a time in large type, for a projector; the arrow keys move on",
    )


def draw() -> None:
    """The whole page: the prompt, the card of one role, and the buttons."""
    if st.session_state[state.PRESENTED] is None:  # it began with a link
        st.session_state[state.PRESENTED] = st.session_state[session.PROMPT]
    with st.container(key="your_prompt-presenter"):
        place, buttons = st.container(), st.container(horizontal=True, key="your_prompt-keys")
        with place:
            cards = _prompt_and_cards()
            if cards:
                st.session_state[state.CARD] %= len(cards)
                _card(cards)
        with buttons:
            _buttons(len(cards))


def _prompt_and_cards() -> list[RoleCard]:
    """Draw the prompt and its likeliest next token; the cards, none without an analysis."""
    name = models.name_of(st.session_state[session.MODEL])
    answer = run_prompt.run()
    if answer is None:
        elements.html(f"<h1>{escape(name)}</h1>")
        return []
    guess = answer.run.next_tokens[0]
    chance = escape(percent(guess.probability))
    elements.html(
        f"{html.token_strip(answer.run.encoding)}<h1>{escape(name)} expects "
        f"<b>{escape(quoted(guess.text))}</b> next ({chance}).</h1>"
    )
    return your_prompt_role_cards.of(answer, run_prompt.reference_or_provisional(answer))


def _card(cards: Sequence[RoleCard]) -> None:
    """The lamps of all roles, and the card of the one that is shown."""
    shown = st.session_state[state.CARD]
    lamps = "".join(
        f"<li{' aria-current=true' if place == shown else ''}>"
        f"{'●' if card.awake else '○'} {escape(card.role.name)}</li>"
        for place, card in enumerate(cards)
    )
    card = cards[shown]
    elements.html(f'<ol class="hr-steps">{lamps}</ol>')
    elements.heading(awake=card.awake, name=card.role.name, headline=card.headline)
    bars = "".join(map(_bar, card.rows))
    line = '<p class="hr-small">Dashed: what a head needs here.</p>' if bars else ""
    elements.html(f'<p class="hr-explain">{escape(card.role.explanation)}</p>{bars}{line}')
    if not card.awake:
        elements.html(f'<p class="hr-asleep">{escape(card.why_asleep)}</p>')


def _bar(row: Mapping[str, object]) -> str:
    """A head's activation as a wide bar, with the line that it has to reach."""
    value, line = float(row["activation_score"]), role_cards.line(row)
    mark = "" if line is None else f'<s style="left:{100 * line:.1f}%"></s>'
    return (
        f'<div class="hr-wide-bar"><b>{escape(str(row["label"]))}</b>'
        f'<i><u class="hr-key-{"active" if row["is_active"] else "quiet"}" '
        f'style="width:{100 * value:.1f}%"></u>{mark}</i>'
        f"<span>{escape(role_cards.shown(row))}</span></div>"
    )


def _buttons(roles: int) -> None:
    """The same as the keys do, for whoever has none."""
    for label, shortcut, move, step in (
        ("Previous role", "Left", _turn, -1),
        ("Next role", "Right", _turn, 1),
        ("Previous prompt", "Up", _prompt, -1),
        ("Next prompt", "Down", _prompt, 1),
    ):
        st.button(
            label,
            shortcut=shortcut,
            on_click=move,
            args=(step,),
            disabled=move is _turn and not roles,
            key=f"your_prompt-{shortcut.lower()}",
        )
    st.button("Leave", shortcut="Escape", on_click=_end, key="your_prompt-leave")


def prompts() -> list[str]:
    """The prepared prompts: the reader's own one where it is none of the examples, then these."""
    prepared = [example.prompt for example in examples(stories=session.knows_stories_only())]
    own = st.session_state[state.PRESENTED]
    return [*([own] if own and own not in prepared else []), *prepared]


def _begin() -> None:
    st.session_state[state.PRESENT], st.session_state[state.CARD] = True, 0
    # Back in the browser may have ended the last time, and not this page's button.
    st.session_state[state.PRESENTED] = st.session_state[session.PROMPT]


def _end() -> None:
    st.session_state[state.PRESENT], st.session_state[state.PRESENTED] = False, None


def _turn(step: int) -> None:
    st.session_state[state.CARD] += step


def _prompt(step: int) -> None:
    """Run the next one or the one before; after the last comes the first."""
    shown, prepared = st.session_state[session.PROMPT], prompts()
    place = prepared.index(shown) + step if shown in prepared else 0
    session.use_example(prepared[place % len(prepared)])
