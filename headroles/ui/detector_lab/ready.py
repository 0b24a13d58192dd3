"""Ready experiments: prompts, patterns and settings in one choice, with what to look for."""

from __future__ import annotations

import streamlit as st

from headroles import roles
from headroles.errors import LimitError
from headroles.texts.ready_detections import READY_DETECTIONS, ReadyDetection, ready_detection
from headroles.ui.app import elements, session
from headroles.ui.detector_lab import state


def draw() -> None:
    """Draw the choice; below it what to look for, as long as nothing else was chosen since."""
    now = st.session_state
    if wanted := now[state.WANTED]:
        now[state.WANTED] = None
        use(wanted)
    shown = current()
    if now[state.READY] != (shown and shown.key):
        now[state.READY] = shown and shown.key
    st.selectbox(
        "Ready experiments",
        [one.key for one in READY_DETECTIONS],
        index=None,
        format_func=_name,
        placeholder="Choose one, or begin with your own below",
        key=state.READY,
        on_change=_chosen,
        persist_state="session",
        help="Those of TransformerLens’ Head Detector Demo, and some on rising numbers. A choice "
        "sets prompts, patterns and measure.",
    )
    if shown is not None:
        elements.look_for(shown.look_for)


def _name(key: str) -> str:
    one = ready_detection(key)
    return f"{one.group}: {one.name}"


def _chosen() -> None:
    if key := st.session_state[state.READY]:
        use(key)


def use(key: str) -> None:
    """Set the prompts, patterns and settings of an experiment."""
    one, now = ready_detection(key), st.session_state
    try:
        patterns = [_pattern(spec) for spec in one.patterns]
    except LimitError as error:  # as many own patterns as a session may have
        now[state.FAULT] = error
        return
    if len(one.prompts) == 1:
        session.use_tested(one.prompts[0])
        now[state.SOURCE] = state.ONE
    else:
        now[state.MANY] = now[state.MANY_SHOWN] = "\n".join(one.prompts)
        now[state.SOURCE] = state.SEVERAL
    now[state.CHOSEN], now[state.RANKED] = patterns, patterns[0]
    now[state.MEASURE], now[state.HEADS] = one.measure, []
    now[state.NO_BOS], now[state.NO_SELF] = one.exclude_bos, one.exclude_current_token
    now[state.READY] = key


def _pattern(spec: str) -> roles.Role:
    """A pattern; one that is no role is kept among the reader's own, so that its pill is there."""
    pattern = roles.parse_pattern(spec)
    if pattern in roles.BUILT_IN:
        return pattern
    own = next((role for role in st.session_state[state.OWN] if role.key == pattern.key), None)
    if own is None:
        state.add(pattern)
        own = next(role for role in st.session_state[state.OWN] if role.key == pattern.key)
    return own


def current() -> ReadyDetection | None:
    """The experiment whose prompts, patterns and settings the page has; None where none fits."""
    now = st.session_state
    chosen = tuple(pattern.key for pattern in now[state.CHOSEN])
    return next(
        (
            one
            for one in READY_DETECTIONS
            if _prompts() == one.prompts
            and chosen == tuple(roles.parse_pattern(spec).key for spec in one.patterns)
            and now[state.MEASURE] == one.measure
            and bool(now[state.NO_BOS]) == one.exclude_bos
            and bool(now[state.NO_SELF]) == one.exclude_current_token
            and not now[state.HEADS]
        ),
        None,
    )


def _prompts() -> tuple[str, ...]:
    now = st.session_state
    if now[state.SOURCE] == state.ONE:
        return (now[session.PROMPT],)
    if now[state.SOURCE] == state.SEVERAL:
        return tuple(line for line in now[state.MANY_SHOWN].splitlines() if line.strip())
    return ()


def key_of_link() -> str | None:
    """What the address names; nothing before the page was opened."""
    if state.CHOSEN not in st.session_state:
        return None
    shown = current()
    return shown and shown.key
