"""The session in the address, and an address in the session.

A page's state is written into its address whenever the script has run. It is read only when a
session starts, and when the reader goes back or forward in the browser: in any other run the
address that the browser sends along may be older than what was just clicked, and would undo it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from headroles.errors import HeadrolesError, LinkError
from headroles.roles import ROLES
from headroles.texts import DEFAULT_PROMPT
from headroles.types import Head
from headroles.ui.app import session as app_session
from headroles.ui.app.link import (
    HOWS,
    MOST_HEADS,
    SECTIONS,
    SWITCHES,
    VIEWS,
    Link,
    address,
    check_head,
    from_query,
    to_query,
    too_long_to_share,
)
from headroles.ui.circuits import state
from headroles.ui.detector_lab import state as detector_lab_state
from headroles.ui.knockout_lab import state as knockout_lab_state

PLAIN = Link(model="", prompt=DEFAULT_PROMPT, role="", view="")
"""What an address need not say. It always names the model, so that none says nothing at all."""
KEYS = ("m", "p", "r", "h", "v", "l", "x", "p2", "m2", "n", "o", "s", "hs", "w")
"""The names in an address that are ours; all others are left alone."""
LONGEST_ADDRESS = 6_000
"""Characters that stand in the browser's address at most: servers refuse a request line from about
8,000 on, and reloading the page must not fail."""

_LISTED, _ALL, _REFERENCE = VIEWS
_ONE, _MANY, _OFFSETS, _CIRCUIT, _COMPONENTS = SECTIONS


# ------------------------------------------------------------------ from the address


def read(page: str) -> None:
    """Take over what the address of a page says, where this is a moment to read it.

    Args:
        page: one of the pages of :mod:`headroles.ui.app.session`; no other is opened by a link.
    """
    app_session.begin()
    st.session_state[app_session.PAGE] = page
    first = not st.session_state[app_session.LINK_READ]
    st.session_state[app_session.LINK_READ] = True
    given = {key: st.query_params.get_all(key) for key in KEYS if key in st.query_params}
    if not (first or _went_back()) or not given or page not in _WRITERS:
        return
    link, errors = from_query(given, defaults=replace(PLAIN, model=_model()))
    link, more = _fitting(link, page)
    _take_over(link, page)
    if first:
        _lead(given, link, page)
    app_session.link_errors([*errors, *more])


def _model() -> str:
    return st.session_state[app_session.MODEL]


def _went_back() -> bool:
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def _fitting(link: Link, page: str) -> tuple[Link, list[HeadrolesError]]:
    """Values that are in order by themselves, but not on this page or beside the others."""
    errors: list[HeadrolesError] = []
    if page == app_session.MAP and link.role and not ROLES[link.role].is_scored:
        errors.append(
            LinkError(
                f"The link names the role “{link.role}”, which has no number of its own.",
                hint="The maps show the roles that have one.",
                value=link.role,
            )
        )
        link = replace(link, role="")
    if link.other_model is not None and link.other_model == link.model:
        errors.append(
            LinkError(
                f"The link compares the model “{link.model}” with itself.",
                hint="Choose another second model.",
                value=link.other_model,
            )
        )
        link = replace(link, other_model=None)
    return link, errors


def _take_over(link: Link, page: str) -> None:
    session = st.session_state
    if link.model != session[app_session.MODEL]:
        session[app_session.MODEL] = link.model
        app_session.forget_head()
    session[app_session.BOX] = session[app_session.PROMPT] = link.prompt
    session[app_session.BEFORE] = None
    if page == app_session.YOUR_PROMPT:
        app_session.compare_with(link.other_prompt)
    if page == knockout_lab_state.PAGE:
        _take_over_knockout(link)
        return
    if page != app_session.YOUR_PROMPT or link.head is not None:
        session[app_session.HEAD] = link.head
    if page == state.PAGE:
        _take_over_circuits(link)
    elif page == app_session.MAP:
        session[app_session.MAP_SOURCE] = (
            app_session.PROMPTED if link.view == _ALL else app_session.STORED
        )
        session[app_session.PAIR_ROLE] = link.role or "induction"
        session[app_session.PAIR_MODEL] = link.other_model
    else:
        session[app_session.ROLE] = link.role or None
        session[app_session.HIDE_REST] = link.without_rest


def _take_over_circuits(link: Link) -> None:
    session = st.session_state
    session[state.HEAD] = None  # the session's head, once the model's shape is known
    session[state.NORM] = link.norm
    for name, key in zip(SWITCHES, state.SWITCHES, strict=True):
        session[key] = name not in link.switched_off


def _take_over_knockout(link: Link) -> None:
    session = st.session_state
    place = SECTIONS.index(link.section)
    session[knockout_lab_state.SECTION] = knockout_lab_state.SECTION_NAMES[place]
    session[knockout_lab_state.LAB_HOW] = knockout_lab_state.HOWS[HOWS.index(link.how)]
    if knockout_lab_state.LAB_WHAT in session:
        session[knockout_lab_state.LAB_WHAT] = knockout_lab_state.HEADS
    if link.section in (_OFFSETS, _COMPONENTS):
        heads = () if link.head is None else (link.head,)
    else:
        heads = link.heads or ()
    knockout_lab_state.link_to(knockout_lab_state.SECTION_NAMES[place], heads)


def _lead(given: Iterable[str], link: Link, page: str) -> None:
    """A link to the app itself that names a head or a view leads to where that is shown."""
    if page != app_session.YOUR_PROMPT:
        return
    if link.view in (_ALL, _REFERENCE):
        st.session_state[app_session.MAP_SOURCE] = (
            app_session.PROMPTED if link.view == _ALL else app_session.STORED
        )
        st.session_state[app_session.GO] = app_session.MAP
    elif link.head is not None:
        st.session_state[app_session.GO] = app_session.CLOSEUP


def check(layers: int, heads: int) -> None:
    """Say so if the session's head is none of the model's, now that its shape is known."""
    named = Link(head=st.session_state[app_session.HEAD])
    link, errors = check_head(named, layers=layers, heads=heads)
    if errors:
        st.session_state[app_session.HEAD] = link.head
        app_session.link_errors(errors)
        st.rerun()  # the sentence stands above the page


# ------------------------------------------------------------------ into the address


def _prompt() -> str | None:
    """The prompt, unless there is none to run."""
    prompt = st.session_state[app_session.PROMPT]
    return prompt if prompt.strip() else None


def _of_your_prompt() -> Link:
    second = st.session_state[app_session.SECOND]
    second = second if second is not None and second.strip() else None
    return replace(PLAIN, model=_model(), prompt=_prompt(), other_prompt=second)


def _of_closeup() -> Link:
    return replace(
        PLAIN,
        model=_model(),
        prompt=_prompt(),
        role=st.session_state[app_session.ROLE] or "",
        head=st.session_state[app_session.HEAD],
        without_rest=bool(st.session_state[app_session.HIDE_REST]),
    )


def _of_map() -> Link:
    on_prompt = st.session_state[app_session.MAP_SOURCE] == app_session.PROMPTED
    return replace(
        PLAIN,
        model=_model(),
        prompt=_prompt(),
        role=st.session_state[app_session.PAIR_ROLE],
        head=st.session_state[app_session.HEAD],
        view=_ALL if on_prompt else _REFERENCE,
        other_model=st.session_state[app_session.PAIR_MODEL],
    )


def _of_lab() -> Link:
    """Model, prompt, and the first pattern if it is a role; patterns of one's own do not travel."""
    chosen = st.session_state.get(detector_lab_state.CHOSEN) or []
    role = chosen[0].value if chosen and chosen[0].kind == "role" else ""
    return replace(PLAIN, model=_model(), prompt=_prompt(), role=role)


def _of_circuits() -> Link:
    now = st.session_state
    label = now.get(state.HEAD)
    return replace(
        PLAIN,
        model=_model(),
        prompt=_prompt(),
        head=Head.parse(label) if label else now[app_session.HEAD],
        norm=now.get(state.NORM, PLAIN.norm),
        switched_off=tuple(
            name
            for name, key in zip(SWITCHES, state.SWITCHES, strict=True)
            if not now.get(key, True)
        ),
    )


def _of_knockout() -> Link:
    """The section with its heads; positions, single looks and own prompts do not travel."""
    now = st.session_state
    name = now.get(knockout_lab_state.SECTION) or knockout_lab_state.SECTION_NAMES[0]
    link = replace(
        PLAIN,
        model=_model(),
        prompt=_prompt(),
        section=SECTIONS[knockout_lab_state.SECTION_NAMES.index(name)],
    )
    heads = tuple(
        Head.parse(label) for label in knockout_lab_state.heads_of(name, model=link.model)
    )
    if link.section in (_OFFSETS, _COMPONENTS):
        return replace(link, head=heads[0] if heads else None)
    how = HOWS[0]
    if link.section == _ONE and now.get(knockout_lab_state.LAB_HOW):
        how = HOWS[knockout_lab_state.HOWS.index(now[knockout_lab_state.LAB_HOW])]
    return replace(link, heads=heads[:MOST_HEADS] or None, how=how)


_WRITERS = {
    app_session.YOUR_PROMPT: _of_your_prompt,
    app_session.CLOSEUP: _of_closeup,
    app_session.MAP: _of_map,
    detector_lab_state.PAGE: _of_lab,
    state.PAGE: _of_circuits,
    knockout_lab_state.PAGE: _of_knockout,
}


def query(page: str) -> dict[str, str]:
    """What the address of a page says of the session; nothing on pages that no link opens.

    Prompts that make it longer than :data:`LONGEST_ADDRESS` are left out.
    """
    if page not in _WRITERS:
        return {}
    link = _WRITERS[page]()
    if len(address(link, defaults=PLAIN)) > LONGEST_ADDRESS:
        link = replace(link, prompt=None, other_prompt=None)
    return to_query(link, defaults=PLAIN)


def write(page: str) -> None:
    """Let the address of a page say what it shows. This starts no run."""
    wanted = query(page)
    present = {key: st.query_params.get_all(key) for key in st.query_params}
    ours = {key: values for key, values in present.items() if key in KEYS}
    if ours == {key: [value] for key, value in wanted.items()}:
        return
    others = {key: values for key, values in present.items() if key not in KEYS}
    st.query_params.from_dict({**others, **wanted})


def shared() -> tuple[str, HeadrolesError | None]:
    """What stands behind the question mark of the link to what is shown, and why it is too long to
    be shared, if it is.
    """
    whole = address(_WRITERS[st.session_state[app_session.PAGE]](), defaults=PLAIN).lstrip("?")
    here = (st.context.url or "").partition("?")[0]
    return whole, too_long_to_share(f"{here}?{whole}")
