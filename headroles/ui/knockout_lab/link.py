"""The names in the address of the Knock-out lab: the section with its heads, and what a table of
many prompts is made of.

Positions on one prompt, single looks and the reader's own prompts are not part of a link.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import streamlit as st

from headroles import limits, texts
from headroles.formatting import count
from headroles.roles import SCORED_ROLES
from headroles.types import Head
from headroles.ui.app import link, session
from headroles.ui.app.link import Row, Unusable
from headroles.ui.knockout_lab import state

SECTIONS = dict(
    zip(
        ("one", "many", "offsets", "circuit", "components", "backward"),
        state.SECTION_NAMES,
        strict=True,
    )
)
"""{name in a link: the section}."""
ONE_HEAD = ("offsets", "components")
"""The sections that show one head."""
ABLATIONS = dict(zip(("mean", "zero", "first", "even"), state.HOWS, strict=True))
"""{name in a link: how heads are knocked out}."""

MORES = dict(zip(("tokens", "looks", "roles"), state.MORES, strict=True))
"""{name in a link: what else is shown of a knock-out}."""
VIEWS = dict(zip(("both", "difference"), state.VIEWS, strict=True))
"""{name in a link: how the attention is shown}."""
PARTS = dict(zip(("keep", "curve", "backup"), state.BACKWARD_PARTS, strict=True))
"""{name in a link: what the section *Working backward* asks}."""
CUTS = dict(zip(("all", "own"), state.CUTS, strict=False))
"""{name in a link: where heads go to their mean}; chosen layers are not part of a link."""
PLACES = dict(zip(("all", "last"), state.BACKUP_WHERES, strict=True))
"""{name in a link: at which positions}."""


_WHATS = {"one": (state.LAB_WHAT, state.HEADS), "offsets": (state.OFFSET_WHAT, state.HEAD)}
"""{section that takes components too: the key of what is knocked out, and the first of these}."""


def _section() -> str:
    shown = st.session_state.get(state.SECTION)
    return next((name for name, section in SECTIONS.items() if section == shown), "one")


def _open(name: str) -> None:
    st.session_state[state.SECTION] = SECTIONS[name]
    for what, first in _WHATS.values():
        if what in st.session_state:
            st.session_state[what] = first
    state.link_to(SECTIONS[name], ())


def _heads() -> tuple[Head, ...]:
    model = st.session_state[session.MODEL]
    return tuple(map(Head.parse, state.heads_of(SECTIONS[_section()], model=model)))


def _take_heads(heads: tuple[Head, ...] | None) -> None:
    if heads and _section() not in ONE_HEAD:
        state.link_to(SECTIONS[_section()], heads)


def _several_heads() -> tuple[Head, ...] | None:
    if _section() in ONE_HEAD or _is_open("backward", "curve") or _has_components():
        return None
    return _heads()[: link.MOST_HEADS] or None


def _take_head(head: Head | None) -> None:
    if head and _section() in ONE_HEAD:
        state.link_to(SECTIONS[_section()], (head,))


def _one_head() -> Head | None:
    if _section() not in ONE_HEAD or _has_components():
        return None
    return next(iter(_heads()), None)


def _is_open(section: str, part: str = "") -> bool:
    """Whether a section is open, and a part of *Working backward*, by their names in a link."""
    return _section() == section and part in ("", _part())


def _word(
    name: str, key: str, what: str, them: str, values: dict[str, str], *where: str, old: str = ""
) -> Row:
    """A row for a box that holds one of some words, written where it is shown."""
    back = {word: short for short, word in values.items()}

    def get() -> str | None:
        return back.get(st.session_state.get(key)) if _is_open(*where) else None

    def put(short: str) -> None:
        st.session_state[key] = values[short]

    return Row(name, key, what, link.one_of(values, them), first=next(iter(values)), old=old,
               put=put, get=get)  # fmt: skip


def _watched() -> Head | None:
    shown = st.session_state.get(state.LAB_WATCHED) if _is_open("one") else None
    return None if shown in (None, state.CHANGES_MOST) else Head.parse(shown)


def _watch(head: Head | None) -> None:
    st.session_state[state.LAB_WATCHED] = head.label if head else state.CHANGES_MOST


def _part() -> str:
    shown = st.session_state.get(state.BACKWARD_PART)
    return next((name for name, part in PARTS.items() if part == shown), "keep")


def _take_partner(heads: tuple[Head, ...] | None) -> None:
    st.session_state[state.LINKED_B] = (SECTIONS["backward"], heads) if heads else None
    st.session_state[state.BACKWARD_MODEL] = None


def _partner() -> tuple[Head, ...] | None:
    if not _is_open("backward", "backup"):
        return None
    _, waiting = st.session_state.get(state.LINKED_B) or (None, ())
    labels = st.session_state.get(state.BACKUP_B) or ()
    return tuple(waiting or map(Head.parse, labels))[: link.MOST_HEADS] or None


def _answer() -> str | None:
    typed = st.session_state.get(state.BACKWARD_ANSWER) or ""
    return typed if _is_open("backward") and typed.strip() else None


# ------------------------------------------------------------------ a table of many prompts

RIGHT = "right"
"""Among the ready prompts of a link: all that the model gets right."""
_NUMBER = re.compile("-?[0-9]{1,10}")


def _whole(bounds: limits.Range, meaning: str) -> Callable[[str], int]:
    """Reads a whole number within bounds; ``meaning`` says what it is, for the sentence."""

    def read(text: str) -> int:
        if not _NUMBER.fullmatch(text) or int(text) not in bounds:
            raise Unusable(
                f"which is no whole number from {bounds.least:,} to {bounds.most:,}.", meaning
            )
        return int(text)

    return read


def _read_t(text: str) -> int | str:
    if text == state.RANDOM:
        return text
    t = int(text) if _NUMBER.fullmatch(text) else 0
    if t != -1 and -1 - t not in limits.FROM_END:
        raise Unusable(
            "which is no position from the end.", "-1 is the last token; random draws one."
        )
    return t


def _take_t(t: int | str) -> None:
    chosen = {state.RANDOM: state.T_RANDOM, -1: state.T_LAST}.get(t, state.T_BACK)
    st.session_state[state.MANY_T] = chosen
    if chosen == state.T_BACK:
        st.session_state[state.MANY_BACK] = -1 - t


def _of_many(get: Callable[[], object]) -> Callable[[], object]:
    """A value that is in the address of the section for many prompts alone."""
    return lambda: get() if _is_open("many") else None


def _read_ready(text: str) -> tuple[int | str, ...]:
    parts = text.split(",")
    numbers = {int(part) for part in parts if re.fullmatch("[0-9]{1,3}", part)}
    there = len(texts.READY)
    if len(numbers) + (RIGHT in parts) < len(parts) or max(numbers, default=0) >= there:
        raise Unusable(
            "not all of which are there.",
            f"There are {count(there, 'ready prompt')}, from 0 on; right: all right ones.",
        )
    return (*sorted(numbers), *([RIGHT] if RIGHT in parts else []))


def _take_ready(ready: tuple[int | str, ...] | None) -> None:
    st.session_state[state.MANY_ALL] = RIGHT in (ready or ())
    st.session_state[state.MANY_READY] = [n for n in ready or () if n != RIGHT] if ready else None


def _ready() -> tuple[int | str, ...] | None:
    now = st.session_state
    chosen = now.get(state.MANY_READY)
    if chosen is None:
        chosen = now.get(state.MANY_PROMPTS) or []
        if chosen == now.get(state.MANY_FIRST) and not now.get(state.MANY_ALL):
            return None
    return (*sorted(chosen), *([RIGHT] if now.get(state.MANY_ALL) else [])) or None


# ------------------------------------------------------------------ components


def _has_components() -> bool:
    """Whether the open section knocks components out in place of heads."""
    what, _ = _WHATS.get(_section(), (None, None))
    return what is not None and st.session_state.get(what) == state.COMPONENTS


def _boxes() -> tuple[str, str] | None:
    """The session keys of the open section's sets of components and of their kind."""
    if _has_components():
        return state.LAB_SET, state.LAB_KIND
    return (state.MANY_SETS, state.MANY_KIND) if _is_open("many") else None


def _sets() -> str | None:
    """The sets of the open section, if they can be read."""
    boxes = _boxes()
    try:
        return (boxes and link.read_sets(st.session_state.get(boxes[0]) or "")) or None
    except Unusable:
        return None


def _take_sets(text: str) -> None:
    st.session_state[state.MANY_SETS] = text
    if _section() not in _WHATS:
        return
    st.session_state[state.LAB_SET] = text or None
    if text:
        st.session_state[_WHATS[_section()][0]] = state.COMPONENTS


def _kind() -> str | None:
    return None if _sets() is None else st.session_state.get(_boxes()[1])


def _take_kind(kind: str) -> None:
    st.session_state[state.LAB_KIND] = st.session_state[state.MANY_KIND] = kind


# The section comes before its heads, because it decides where they are put.
ROWS = (
    link.MODEL,
    link.PROMPT,
    Row("section", state.SECTION, "section", link.one_of(SECTIONS, "sections"),
        first="one", old="s", put=_open, get=_section),
    link.HEAD._replace(key=None, put=_take_head, get=_one_head),
    _word("part", state.BACKWARD_PART, "part", "parts", PARTS, "backward"),
    Row("heads", None, "list of heads", link.read_heads,
        lambda heads: ",".join(head.label for head in heads),
        old="hs", put=_take_heads, get=_several_heads),
    _word("ablation", state.LAB_HOW, "way to knock heads out", "ways", ABLATIONS, "one", old="w"),
    _word("more", state.LAB_MORE, "view of what else changes", "views", MORES, "one"),
    Row("watched", state.LAB_WATCHED, "watched head", link.read_head, lambda head: head.label,
        put=_watch, get=_watched),
    _word("look", state.LAB_VIEW, "view of the attention", "views", VIEWS, "one"),
    _word("changed", state.LAB_ROLE, "changed role", "roles",
          {key: key for key in (state.CHANGES_MOST, *(role.key for role in SCORED_ROLES))}, "one"),
    Row("with", None, "list of heads", link.read_heads,
        lambda heads: ",".join(head.label for head in heads), put=_take_partner, get=_partner),
    _word("cut", state.BACKWARD_CUT, "choice of layers", "choices", CUTS, "backward", "keep"),
    _word("at", state.BACKUP_WHERE, "choice of positions", "choices", PLACES, "backward", "backup"),
    Row("answer", state.BACKWARD_ANSWER, "next token", link.read_token, first="", get=_answer),
    Row("components", None, "list of components",
        link.read_sets, link.write_sets, first="", put=_take_sets, get=_sets),
    Row("kind", None, "kind of components", link.one_of(state.KINDS, "kinds"),
        first=state.KINDS[0], put=_take_kind, get=_kind),
    Row("t", None, "position t", _read_t, first=-1, put=_take_t, get=_of_many(state.position)),
    Row("draws", state.MANY_DRAWS, "number of random others",
        _whole(limits.TABLE_DRAWS, "0 leaves them out."), first=state.DRAWS,
        get=_of_many(lambda: st.session_state.get(state.MANY_DRAWS))),
    Row("seed", state.MANY_SEED, "seed", _whole(limits.SEED, "It fixes what is random."), first=0,
        get=_of_many(lambda: st.session_state.get(state.MANY_SEED))),
    Row("ready", None, "list of ready prompts", _read_ready,
        lambda ready: ",".join(map(str, ready)), put=_take_ready, get=_of_many(_ready)),
    link.CHAT,
)  # fmt: skip
