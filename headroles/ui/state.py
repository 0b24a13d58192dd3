"""Every key of the session, and the only functions that change more than one of them.

The prompt that is *run* (``PROMPT``) is not the text in the box (``BOX``): the box may hold
something that was not run yet. ``BEFORE`` keeps what the box held before a button replaced it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import NamedTuple

import streamlit as st

from headroles.errors import HeadrolesError
from headroles.models import DEFAULT_MODEL
from headroles.types import Head
from headroles.ui.examples import DEFAULT_PROMPT

MODEL = "model"
"""The catalogue key of the chosen model (a widget's key)."""
BOX = "prompt_box"
"""The text in the prompt box (a widget's key)."""
PROMPT = "prompt"
"""The prompt that the page answers."""
BEFORE = "prompt_before"
"""The student's own text, while an example stands in the box; else None."""
OPENED = "opened"
"""The head whose attention pattern is open, or None."""
VIEW = "view"
"""Which heads are shown: a value of :data:`VIEWS` (a widget's key)."""
MAP_ROLE = "map_role"
"""The role that the map of all heads shows (a widget's key)."""
PATTERN_ROLE = "pattern_role"
"""The role whose cells are outlined in the open pattern (a widget's key)."""
PATTERN_HEAD = "pattern_head"
"""The head chosen in the list beside the open pattern (a widget's key)."""
OTHER_HEAD = "other_head"
"""The chip that is chosen in the card of heads that fit nothing (a widget's key)."""
SCROLL = "scroll_to_pattern"
"""True in the one run that follows the opening of a head."""
ENTERED = "entered"
"""True between the entry script and the page that it runs."""
TICKET = "ticket"
"""What an instructor's session shows at every action; None outside a sign-in."""
VISITOR = "visitor"
"""A random name that tells this session from others where attempts to sign in are counted."""
SECRET = "secret_box"
"""The password or token, while it is typed (a widget's key)."""
NOTICE = "notice"
"""What the instructor's page says about the last action: a :class:`Notice`, or None."""
SECTION = "section"
"""The part of the instructor's page that is shown: one of :data:`SECTIONS` (a widget's key)."""
CONFIRM = "confirm"
"""What an instructor is asked to confirm: a :class:`Confirm`, or None."""
MODELS, HUB_IDS = "models_to_analyse", "hub_ids"
SEQUENCES, SEED, CAP, BY_HAND = "sequences", "seed", "cap", "by_hand"
"""The settings of a new analysis (widgets' keys)."""
PROSPECTS = "prospects"
"""{model: what its analysis would take, or why it cannot be} as asked so far."""
JOB = "job"
"""The finished analysis that is looked at (a widget's key)."""
LOOK_ROLE = "look_role"
"""The role of it that is shown (a widget's key)."""
CHOICES = "choices"
"""{job: [the :class:`Choice` at first, ..., the present one]}."""
VERSION, VERSION_MODEL, VERSION_ROLE = "version", "version_model", "version_role"
"""The earlier version that is looked at, and its model and role (widgets' keys)."""
_MOUNTS = "chart_mounts"
"""How often each chart was mounted anew, which is how its selection is cleared."""

LISTED, ALL = "Listed heads", "All heads on this prompt"
VIEWS = (LISTED, ALL)


ANALYSE, LOOK, VERSIONS, AUDIT = "Analyse", "Look and write", "Versions", "Audit"
SECTIONS = (ANALYSE, LOOK, VERSIONS, AUDIT)


class Notice(NamedTuple):
    """The outcome of an action, said on the page that follows it."""

    kind: str
    """``done`` or ``failed``."""
    problem: str
    """What happened, or what is wrong."""
    mend: str = ""
    """What to do about it, or what follows from it."""
    undo: Undo | None = None
    """How to take it back, where that is possible."""


class Undo(NamedTuple):
    """The way back from a write."""

    version: str
    """What was live before."""
    model: str | None
    """The one entry that was changed; None for the whole file."""
    expecting: str
    """The digest of the file as the write left it."""


class Confirm(NamedTuple):
    """An action that waits for a yes. It holds what was looked at, not what is there now."""

    kind: str
    """``write`` or ``restore`` or ``set_aside``."""
    title: str
    """What is going to be done."""
    lines: tuple[str, ...]
    """What will change, in words."""
    warnings: tuple[str, ...]
    """What speaks against it."""
    subject: object
    """What the action takes: an entry, or (version, model)."""
    expecting: str
    """The digest of what it would replace."""


class Choice(NamedTuple):
    """What an instructor chose for a finished analysis."""

    thresholds: tuple[tuple[str, float], ...]
    """(role key, threshold) of every role that is set by hand."""
    cap: int
    """Most top heads a role."""


class Opened(NamedTuple):
    """An open attention pattern: which head, seen as which role, and where it was clicked."""

    head: Head
    role: str
    chart: str


def begin() -> None:
    """Give every key its first value; the default prompt counts as run."""
    first = {
        MODEL: DEFAULT_MODEL,
        BOX: DEFAULT_PROMPT,
        PROMPT: DEFAULT_PROMPT,
        BEFORE: None,
        OPENED: None,
        SCROLL: False,
        TICKET: None,
        VISITOR: secrets.token_urlsafe(16),
        NOTICE: None,
        CONFIRM: None,
        SECTION: ANALYSE,
        PROSPECTS: {},
        CHOICES: {},
        _MOUNTS: {},
    }
    for key, value in first.items():
        st.session_state.setdefault(key, value)


def run_box() -> None:
    """Run what stands in the box: the student's own text."""
    st.session_state[PROMPT] = st.session_state[BOX]
    st.session_state[BEFORE] = None


def take(prompt: str) -> None:
    """Put an example into the box and run it; the student's own text is kept for the way back."""
    if st.session_state[BEFORE] is None:
        st.session_state[BEFORE] = st.session_state[BOX]
    st.session_state[BOX] = st.session_state[PROMPT] = prompt


def undo() -> None:
    """Put the student's own text back and run it."""
    own = st.session_state[BEFORE]
    if own is not None:
        st.session_state[BOX] = st.session_state[PROMPT] = own
    st.session_state[BEFORE] = None


def use_default_model() -> None:
    """Back to the bundled model."""
    st.session_state[MODEL] = DEFAULT_MODEL
    close_pattern()


def open_pattern(head: Head, role: str, *, chart: str = "") -> None:
    """Open a head's attention pattern; a chart where another head was clicked forgets that."""
    opened = st.session_state[OPENED]
    if opened is not None and opened.chart != chart:
        _forget_selection(opened.chart)
    st.session_state[OPENED] = Opened(head, role, chart)
    st.session_state[SCROLL] = opened is None or opened.head != head
    st.session_state[PATTERN_ROLE] = role
    st.session_state[PATTERN_HEAD] = head.label


def restore_pattern_widgets() -> None:
    """Let the pattern's widgets say what is open: Streamlit forgets them while out of sight."""
    opened = st.session_state[OPENED]
    st.session_state[PATTERN_HEAD] = opened.head.label if opened else None
    if opened is not None:
        st.session_state.setdefault(PATTERN_ROLE, opened.role)


def close_pattern() -> None:
    """Close the attention pattern."""
    opened = st.session_state[OPENED]
    if opened is not None:
        _forget_selection(opened.chart)
    st.session_state[OPENED] = None


def chart_key(chart: str) -> str:
    """The widget key of a clickable chart; it changes when the chart's selection is cleared."""
    return f"{chart}_{st.session_state[_MOUNTS].get(chart, 0)}"


def on_click(chart: str, role: str) -> Callable[[], None]:
    """The callback of a clickable chart: open the head that was clicked."""

    def clicked() -> None:
        from headroles.charts import head_of_event

        head = head_of_event(st.session_state.get(chart_key(chart)))
        opened = st.session_state[OPENED]
        if head is not None:
            open_pattern(head, role, chart=chart)
        elif opened is not None and opened.chart == chart:
            close_pattern()  # a click beside the bars

    return clicked


def _forget_selection(chart: str) -> None:
    if chart == OTHER_HEAD:
        st.session_state[OTHER_HEAD] = None
        return
    mounts = st.session_state[_MOUNTS]
    st.session_state[_MOUNTS] = {**mounts, chart: mounts.get(chart, 0) + 1}


# ------------------------------------------------------------------ the instructor's page


def sign_out(*, why: HeadrolesError | None = None) -> None:
    """Forget the ticket and whatever waits for a yes; ``why`` is said above the form."""
    st.session_state[TICKET] = None
    st.session_state[CONFIRM] = None
    st.session_state[NOTICE] = Notice("failed", why.problem, why.mend) if why else None


def say(notice: Notice | None) -> None:
    """Put the outcome of an action above the page, or take it away."""
    st.session_state[NOTICE] = notice


def ask(confirm: Confirm | None) -> None:
    """Wait for a yes, or no longer."""
    st.session_state[CONFIRM] = confirm


def by_hand_key(role: str) -> str:
    """The key of the slider that sets a role's threshold for a new analysis."""
    return f"{BY_HAND}_{role}"


def threshold_key(job_id: str, role: str) -> str:
    """The key of the slider that moves a role's threshold of a finished analysis."""
    return f"threshold_{job_id}_{role}"


def cap_key(job_id: str) -> str:
    """The key of the slider that moves the cap of a finished analysis."""
    return f"cap_{job_id}"


def look_at(job_id: str) -> None:
    """Show what a finished analysis found."""
    st.session_state[SECTION] = LOOK
    st.session_state[JOB] = job_id


def chosen(job_id: str, first: Choice) -> Choice:
    """What stands for a finished analysis; ``first`` where nothing was changed yet."""
    return st.session_state[CHOICES].setdefault(job_id, [first])[-1]


def choose(job_id: str, choice: Choice) -> None:
    """Change a threshold or the cap; the way back is kept."""
    steps = st.session_state[CHOICES][job_id]
    if choice != steps[-1]:
        steps.append(choice)


def undo_choice(job_id: str) -> None:
    """Take the last change of a threshold or of the cap back."""
    steps = st.session_state[CHOICES][job_id]
    if len(steps) > 1:
        steps.pop()


def can_undo(job_id: str) -> bool:
    """Whether a threshold or the cap was changed."""
    return len(st.session_state[CHOICES].get(job_id, ())) > 1
