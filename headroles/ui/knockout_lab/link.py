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


def _section() -> str:
    shown = st.session_state.get(state.SECTION)
    return next((name for name, section in SECTIONS.items() if section == shown), "one")


def _open(name: str) -> None:
    st.session_state[state.SECTION] = SECTIONS[name]
    if state.LAB_WHAT in st.session_state:
        st.session_state[state.LAB_WHAT] = state.HEADS
    state.link_to(SECTIONS[name], ())


def _heads() -> tuple[Head, ...]:
    model = st.session_state[session.MODEL]
    return tuple(map(Head.parse, state.heads_of(SECTIONS[_section()], model=model)))


def _take_heads(heads: tuple[Head, ...] | None) -> None:
    if heads and _section() not in ONE_HEAD:
        state.link_to(SECTIONS[_section()], heads)


def _several_heads() -> tuple[Head, ...] | None:
    if _section() in ONE_HEAD or (_section() == "backward" and _part() == "curve"):
        return None
    return _heads()[: link.MOST_HEADS] or None


def _take_head(head: Head | None) -> None:
    if head and _section() in ONE_HEAD:
        state.link_to(SECTIONS[_section()], (head,))


def _one_head() -> Head | None:
    return next(iter(_heads()), None) if _section() in ONE_HEAD else None


def _take_ablation(name: str) -> None:
    st.session_state[state.LAB_HOW] = ABLATIONS[name]


def _ablation() -> str | None:
    shown = st.session_state.get(state.LAB_HOW) if _section() == "one" else None
    return next((name for name, how in ABLATIONS.items() if how == shown), None)


def _named(name: str, key: str, what: str, them: str, values: dict[str, str]) -> Row:
    """A row for a box of the section *Knock out* that holds one of some words."""
    back = {word: name for name, word in values.items()}

    def get() -> str | None:
        return back.get(st.session_state.get(key)) if _section() == "one" else None

    def put(name: str) -> None:
        st.session_state[key] = values[name]

    return Row(name, key, what, link.one_of(values, them), first=next(iter(values)),
               put=put, get=get)  # fmt: skip


def _watched() -> Head | None:
    shown = st.session_state.get(state.LAB_WATCHED) if _section() == "one" else None
    return None if shown in (None, state.CHANGES_MOST) else Head.parse(shown)


def _watch(head: Head | None) -> None:
    st.session_state[state.LAB_WATCHED] = head.label if head else state.CHANGES_MOST


def _one_of(key: str, names: dict[str, str], part: str) -> Callable[[], str | None]:
    """Reads what a box of a part of *Working backward* holds; None elsewhere."""

    def name() -> str | None:
        if _section() != "backward" or part not in (_part(), ""):
            return None
        shown = st.session_state.get(key)
        return next((name for name, value in names.items() if value == shown), None)

    return name


def _part() -> str:
    shown = st.session_state.get(state.BACKWARD_PART)
    return next((name for name, part in PARTS.items() if part == shown), "keep")


def _put(key: str, names: dict[str, str]) -> Callable[[str], None]:
    def put(name: str) -> None:
        st.session_state[key] = names[name]

    return put


def _take_partner(heads: tuple[Head, ...] | None) -> None:
    st.session_state[state.LINKED_B] = (SECTIONS["backward"], heads) if heads else None
    st.session_state[state.BACKWARD_MODEL] = None


def _partner() -> tuple[Head, ...] | None:
    if _section() != "backward" or _part() != "backup":
        return None
    _, waiting = st.session_state.get(state.LINKED_B) or (None, ())
    labels = st.session_state.get(state.BACKUP_B) or ()
    return tuple(waiting or map(Head.parse, labels))[: link.MOST_HEADS] or None


def _answer() -> str | None:
    typed = st.session_state.get(state.BACKWARD_ANSWER) or ""
    return typed if _section() == "backward" and typed.strip() else None


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
    return lambda: get() if _section() == "many" else None


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


# The section comes before its heads, because it decides where they are put.
ROWS = (
    link.MODEL,
    link.PROMPT,
    Row("section", state.SECTION, "section", link.one_of(SECTIONS, "sections"),
        first="one", old="s", put=_open, get=_section),
    link.HEAD._replace(key=None, put=_take_head, get=_one_head),
    Row("part", state.BACKWARD_PART, "part", link.one_of(PARTS, "parts"), first="keep",
        put=_put(state.BACKWARD_PART, PARTS), get=_one_of(state.BACKWARD_PART, PARTS, "")),
    Row("heads", None, "list of heads", link.read_heads,
        lambda heads: ",".join(head.label for head in heads),
        old="hs", put=_take_heads, get=_several_heads),
    Row("ablation", state.LAB_HOW, "way to knock heads out", link.one_of(ABLATIONS, "ways"),
        first="mean", old="w", put=_take_ablation, get=_ablation),
    _named("more", state.LAB_MORE, "view of what else changes", "views", MORES),
    Row("watched", state.LAB_WATCHED, "watched head", link.read_head, lambda head: head.label,
        put=_watch, get=_watched),
    _named("look", state.LAB_VIEW, "view of the attention", "views", VIEWS),
    _named("changed", state.LAB_ROLE, "changed role", "roles",
           {state.CHANGES_MOST: state.CHANGES_MOST, **{r.key: r.key for r in SCORED_ROLES}}),
    Row("with", None, "list of heads", link.read_heads,
        lambda heads: ",".join(head.label for head in heads), put=_take_partner, get=_partner),
    Row("cut", state.BACKWARD_CUT, "choice of layers", link.one_of(CUTS, "choices"), first="all",
        put=_put(state.BACKWARD_CUT, CUTS), get=_one_of(state.BACKWARD_CUT, CUTS, "keep")),
    Row("at", state.BACKUP_WHERE, "choice of positions", link.one_of(PLACES, "choices"),
        first="all", put=_put(state.BACKUP_WHERE, PLACES),
        get=_one_of(state.BACKUP_WHERE, PLACES, "backup")),
    Row("answer", state.BACKWARD_ANSWER, "next token", link.read_token, first="", get=_answer),
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
