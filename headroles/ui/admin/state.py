"""Session keys of the instructor's page, and the functions that change them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Literal, NamedTuple

import streamlit as st

from headroles.errors import HeadrolesError
from headroles.ui.app.keys import Keys

if TYPE_CHECKING:
    from headroles.admin import Ticket

ANALYSE, LOOK, OFFERED = "Analyse", "Review and publish", "Models"
CLASS_ROLES, VERSIONS, AUDIT = "Roles of the class", "Versions", "Audit"
LESSONS, WORKSHEETS = "Lessons", "Worksheets"
SECTIONS = (ANALYSE, LOOK, OFFERED, CLASS_ROLES, LESSONS, WORKSHEETS, VERSIONS, AUDIT)

key = Keys(__name__)
TICKET = key("ticket", None)
"""What a session presents with every action; None when not signed in."""
NEW_KEY = key("new_key", None)
"""A key of the sign-in that the tab is to hold (:mod:`headroles.admin.sign_ins`)."""
TAB_ASKED = key("tab_asked", False)
"""Whether the tab has said which key it holds."""
VISITOR = key("visitor", lambda: secrets.token_urlsafe(16))
"""A random name that tells this session from others where attempts to sign in are counted."""
NOTICE = key("notice", None)
"""The outcome of the last action: a :class:`Notice`, or None."""
CONFIRM = key("confirm", None)
"""What an instructor is asked to confirm: a :class:`Confirm`, or None."""
PROSPECTS = key("prospects", dict)
"""{model: what its analysis would take, or why it cannot be} as asked so far."""
CHOICES = key("choices", dict)
"""{job: [the :class:`Choice` at first, ..., the present one]}."""
PILE = key("pile", None)
"""The worksheets of a class, as long as this session lasts: a
:class:`headroles.lessons.classroom.Pile`, what was wrong with all of them, or None."""
TO_READ = key("to_read", None)
"""The uploader whose files changed and are still to be read; None where none is."""
GATHERED = key("gathered", None)
"""(what it was made of, the class): kept until one of these changes."""

# widget keys
TAB = key("tab")
"""The script that keeps the key in the tab."""
SECRET = key("secret")
"""The password or token, while it is typed."""
READ_MODEL, READ_TOKENS = key("read_model"), key("read_tokens")
"""The model that reads real text, and how much of it."""
SECTION = key("section", ANALYSE)
"""The part of the page that is shown: one of :data:`SECTIONS`."""
MODELS, HUB_IDS = key("models"), key("hub_ids")
"""What a new analysis is of."""
SEQUENCES, SEED, CAP, BY_HAND = key("sequences"), key("seed"), key("new_cap"), key("by_hand")
CAUSAL, EXTENDED_TOO = key("causal"), key("extended_too")
"""Its settings."""
JOB = key("job")
"""The finished analysis that is looked at."""
LOOK_ROLE = key("look_role")
"""The role of it that is shown."""
LOOK_MAPS, LOOK_EXTENDED = key("look_maps"), key("look_extended_role")
"""Whether maps of its extended roles are shown, and of which one."""
THRESHOLD, LOOK_CAP = key("threshold"), key("cap")
"""Its threshold and its cap, one slider per analysis."""
KEPT_ROLE, NEW_ROLE_NAME = key("kept_role"), key("new_role_name")
"""The role of the class that is changed, and its new name."""
VERSION, VERSION_MODEL, VERSION_ROLE = (
    key("version"), key("version_model"), key("version_role"),
)  # fmt: skip
"""The earlier version that is looked at, and its model and role."""
REPORT_MODEL = key("report_model")
"""The model whose report is made."""
LISTED = key("listed")
"""The offered model that is moved, hidden or removed."""
NEW_HUB_ID, NEW_REVISION, NEW_NAME = key("new_hub_id"), key("new_revision"), key("new_name")
"""What is typed to add one."""
HOW, FILES, FOLDER = key("how"), key("worksheet_files"), key("worksheet_folder")
"""How worksheets are brought, and the two uploaders."""
HIDE_NAMES, COUNT_ALTERED = key("hide_names"), key("count_altered")
"""Whether numbers stand for names; whether altered worksheets count."""
CLASS_VIEW = key("class_view")
"""What is shown of the class."""
CLASS_LESSON, CLASS_QUESTION, CLASS_GROUP = (
    key("class_lesson"), key("class_question"), key("class_group"),
)  # fmt: skip
"""The lesson, its question, and the students of whom the same was asked."""
POINTS, BASIS, GRADED, ASSIGNMENT = (
    key("points"), key("basis"), key("graded"), key("assignment"),
)  # fmt: skip
"""The most points, what they are for, of which lesson, and the name of the column."""

begin = key.begin


class Notice(NamedTuple):
    """The outcome of an action, shown on the page that follows it."""

    kind: Literal["done", "failed"]
    """How it ended."""
    message: str
    """What happened, or what is wrong."""
    hint: str = ""
    """What to do about it, or what follows from it."""
    undo: Undo | None = None
    """How to undo it, where that is possible."""


class Undo(NamedTuple):
    """How to undo a write."""

    version: str
    """What was live before."""
    model: str | None
    """The one entry that was changed; None for the whole file."""
    expecting: str
    """The digest of the file as the write left it."""


class Confirm(NamedTuple):
    """An action that waits for confirmation. It holds what was looked at, not what is live now."""

    kind: Literal["write", "restore", "set_aside"]
    """What is going to be done."""
    title: str
    """The question."""
    lines: tuple[str, ...]
    """What will change, in words."""
    warnings: tuple[str, ...]
    """Warnings about it."""
    subject: object
    """What the action takes: an entry, or (version, model)."""
    expecting: str
    """The digest of what it would replace."""


class Choice(NamedTuple):
    """What an instructor chose for a finished analysis."""

    thresholds: tuple[tuple[str, float], ...]
    """(role key, threshold) of every role that is set by hand."""
    cap: int
    """Most top heads per role."""


def sign_in(ticket: Ticket, new_key: str) -> None:
    """Keep a ticket, and give the tab a key to come back with."""
    st.session_state[TICKET], st.session_state[NEW_KEY] = ticket, new_key
    st.session_state[NOTICE] = None


def sign_out(*, why: HeadrolesError | None = None) -> None:
    """Forget the ticket and any action that waits; ``why`` is shown above the form."""
    st.session_state[TICKET] = st.session_state[NEW_KEY] = None
    st.session_state[CONFIRM] = None
    forget_worksheets()
    st.session_state[NOTICE] = Notice("failed", why.message, why.hint) if why else None


def forget_worksheets() -> None:
    """Drop what was read of a class."""
    st.session_state[PILE] = st.session_state[TO_READ] = st.session_state[GATHERED] = None


def set_notice(notice: Notice | None) -> None:
    """Show the outcome of an action above the page, or clear it."""
    st.session_state[NOTICE] = notice


def ask(confirm: Confirm | None) -> None:
    """Ask for confirmation, or stop asking."""
    st.session_state[CONFIRM] = confirm


def by_hand_key(role: str) -> str:
    """The key of the slider that sets a role's threshold for a new analysis."""
    return f"{BY_HAND}_{role}"


def threshold_key(job_id: str, role: str) -> str:
    """The key of the slider that moves a role's threshold of a finished analysis."""
    return f"{THRESHOLD}_{job_id}_{role}"


def cap_key(job_id: str) -> str:
    """The key of the slider that moves the cap of a finished analysis."""
    return f"{LOOK_CAP}_{job_id}"


def look_at(job_id: str) -> None:
    """Show a finished analysis."""
    st.session_state[SECTION] = LOOK
    st.session_state[JOB] = job_id


def chosen(job_id: str, first: Choice) -> Choice:
    """The present choice for a finished analysis; ``first`` where nothing was changed yet."""
    return st.session_state[CHOICES].setdefault(job_id, [first])[-1]


def choose(job_id: str, choice: Choice) -> None:
    """Change a threshold or the cap; the change can be undone."""
    steps = st.session_state[CHOICES][job_id]
    if choice != steps[-1]:
        steps.append(choice)


def undo_choice(job_id: str) -> None:
    """Undo the last change of a threshold or of the cap."""
    steps = st.session_state[CHOICES][job_id]
    if len(steps) > 1:
        steps.pop()


def can_undo(job_id: str) -> bool:
    """Whether a threshold or the cap was changed."""
    return len(st.session_state[CHOICES].get(job_id, ())) > 1
