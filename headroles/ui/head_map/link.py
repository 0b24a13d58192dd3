"""The names in the address of the Head map."""

from __future__ import annotations

from headroles import limits
from headroles.roles import BASIC_ROLES
from headroles.ui.app import link, map_marks, saved_roles, session
from headroles.ui.app.link import Row, Unusable
from headroles.ui.head_map import state

_LAYERS = limits.Range(0, 999)


def _scored_role(text: str) -> str:
    role = link.ROLE.read(text)
    if not BASIC_ROLES[role].is_scored:
        raise Unusable("which has no number of its own.", "The maps show the roles that have one.")
    return role


ROWS = (
    link.MODEL,
    link.PROMPT,
    link.ROLE._replace(key=session.PAIR_ROLE, read=_scored_role, first="induction"),
    link.HEAD,
    link.VIEW,
    Row("second_model", state.PAIR_MODEL, "second model", link.read_another_model,
        old="m2"),
    link.CHAT,
    saved_roles.ROW,
    *map_marks.ROWS,
    Row("profile_layer", state.PROFILE_LAYER, "layer", link.whole(_LAYERS, "layer")),
)  # fmt: skip
