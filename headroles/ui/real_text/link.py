"""The names in the address of the page Real text."""

from __future__ import annotations

from headroles.roles import ROLES
from headroles.ui.app import link
from headroles.ui.app.link import Row
from headroles.ui.real_text import state

SECTIONS = dict(zip(("roles", "passages", "kinds", "pattern"), state.SECTION_NAMES, strict=True))
"""{name in a link: the section}."""


def _read_tokens(text: str) -> int:
    return int(link.one_of(map(str, state.TOKENS), "numbers")(text))


ROWS = (
    link.MODEL,
    link.PROMPT,
    link.section(state.SECTION, SECTIONS),
    Row("source", state.TEXT, "text", link.one_of(state.TEXTS, "texts"), first=state.STORED),
    Row("length", state.MOST, "number of tokens", _read_tokens, first=state.TOKENS[0]),
    link.HEAD,
    Row("role", state.ROLE, "role", link.one_of(ROLES, "roles"), old="r"),
)  # fmt: skip
