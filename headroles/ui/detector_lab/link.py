"""The names in the address of the Detector lab: the first pattern, if it is a role, and the first
expression.

A link also carries the patterns that were saved as roles. Painted patterns and
files are not part of it; a ready experiment is, as a whole.
"""

from __future__ import annotations

import re

import streamlit as st

from headroles import limits
from headroles.roles import BASIC_ROLES
from headroles.texts.ready_detections import READY_DETECTIONS
from headroles.ui.app import link, map_marks, saved_roles
from headroles.ui.app.link import KEEP, Row, Unusable
from headroles.ui.detector_lab import ready, state

SECTIONS = dict(zip(state.LINK_NAMES, state.SECTIONS, strict=True))
"""{name in a link: the section}."""
COMPARED = ("induction", "duplicate_token", "previous_token", "positional")
"""The roles with recipes, :data:`headroles.detector.recipes.RECIPES`."""
_RECIPE = re.compile("[a-z_]{1,40}")


EXPRESSION = "expression:"
"""How the key of such a pattern begins."""


def _first_role() -> str | None:
    chosen = st.session_state.get(state.CHOSEN) or []
    return chosen[0].key if chosen and chosen[0].key in BASIC_ROLES else None


def _read_recipe(text: str) -> str:
    if not _RECIPE.fullmatch(text):
        raise Unusable("which is no recipe.", "A recipe is named, for example olsson.")
    return text


def _first_expression() -> str | None:
    keys = [one.key for one in st.session_state.get(state.CHOSEN) or []]
    return next((key.removeprefix(EXPRESSION) for key in keys if key.startswith(EXPRESSION)), None)


def _read_expression(text: str) -> str:
    if len(text) > limits.EXPRESSION.most:
        raise Unusable("which is too long.", limits.EXPRESSION.hint)
    return text  # the lab reads it, and says what is wrong with it


ROWS = (
    link.MODEL,
    link.PROMPT,
    link.section(state.SECTION, SECTIONS),
    link.ROLE._replace(get=_first_role),
    link.HEAD._replace(first=KEEP, written=False),
    Row("recipes_of", state.RECIPES_OF, "role", link.one_of(COMPARED, "roles"), first=COMPARED[0]),
    Row("scored", state.SCORED, "head", link.read_head, lambda head: head.label),
    Row("recipe_along", state.ALONG, "recipe", _read_recipe, first="ours"),
    Row("recipe_up", state.UP, "recipe", _read_recipe),
    link.CHAT,
    saved_roles.ROW,
    Row("pattern", state.ASKED, "pattern", _read_expression, get=_first_expression),
    *map_marks.ROWS,
    Row(
        "experiment", state.WANTED, "ready experiment",
        link.one_of([one.key for one in READY_DETECTIONS], "ready experiments"),
        first=KEEP, get=ready.key_of_link,
    ),
)  # fmt: skip
