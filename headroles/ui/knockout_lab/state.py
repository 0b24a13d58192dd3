"""Every session key of the knock-out lab, and the functions that change more than one of them.

The keys of a section begin with its name, so that two sections never share one by mistake.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from headroles.errors import UnknownHeadError
from headroles.types import Head
from headroles.ui.app import session
from headroles.ui.app.keys import Keys

key = Keys(__name__)
PAGE = "pages/knockout_lab.py"
"""The page's path."""
SECTION = key("section")
"""The open section."""
SECTION_NAMES = (
    "Knock out", "Many at once", "Previous-token test", "Two-step circuit", "Inside a head",
    "Working backward",
)  # fmt: skip
"""What the reader sees, in the order of :data:`headroles.ui.knockout_lab.link.SECTIONS`."""
LINKED = key("linked")
"""(section, heads) of a link, until the section has taken them over; else None."""

LAB_MODEL = key("model")
"""The model that the choices below are for."""
LAB_WHAT = key("what")
"""What is knocked out: one of :data:`WHATS`."""
LAB_HEADS = key("heads")
"""Labels of the chosen heads."""
LAB_PREVIOUS_HEADS = key("heads_before")
"""The heads before a role's button replaced them; None if none did."""
LAB_HOW = key("how")
"""How heads are knocked out: one of :data:`HOWS`."""
LAB_WHERE = key("where")
"""Chosen query positions; empty for all (one key per prompt length)."""
LAB_QUERY, LAB_KEY, LAB_SCALE = key("query"), key("key"), key("scale")
"""The cut look, and whether the rest of its row is scaled up."""
LAB_VALUES, LAB_T, LAB_LAYER = key("values"), key("t"), key("layer")
"""Which value vectors, seen from where, and in which layer."""
LAB_SET, LAB_KIND = key("components"), key("components_kind")
"""The components as they were typed, and which: one of :data:`KINDS`."""
LAB_ANSWER = key("answer")
"""The expected next token."""
LAB_TOP = key("top")
"""Tokens per direction."""
LAB_EFFECT = key("effect")
"""What the control compares: one of the effects."""

LAB_MORE = key("more")
"""What else is shown that changes: one of :data:`MORES`."""
LAB_WATCHED = key("watched")
"""The head whose attention is shown: its label, or :data:`CHANGES_MOST`."""
LAB_VIEW = key("view")
"""How: one of :data:`VIEWS`."""
LAB_ROLE = key("role")
"""The role whose changes are mapped: its key, or :data:`CHANGES_MOST`."""

MANY_HEADS, MANY_PROMPTS, MANY_OWN = key("many_heads"), key("many_prompts"), key("many_own")
"""Heads, ready prompts and own prompts of the table."""
MANY_SETS, MANY_KIND = key("many_sets"), key("many_kind")
"""Sets of components as they were typed, and which: one of :data:`KINDS`."""
KINDS = ("trained", "svd")
"""As :data:`headroles.circuits.TRAINED` and ``SVD``, which are not loaded before a page shows."""
KIND_NAMES = {"trained": "Trained components", "svd": "SVD components"}
"""{kind of components: what the reader sees}."""
MANY_ALL = key("many_all_right")
"""Whether all ready prompts that the model gets right are taken."""
MANY_MODEL, OFFSET_MODEL = key("many_model"), key("offset_model")
"""The model that the section's choices are for."""
MANY_TOP = key("many_top")
"""Tokens per direction."""
MANY_ASKED = key("many_asked")
"""What the table was last asked for; None before the first time."""
MANY_PREVIOUS_HEADS = key("many_heads_before")
"""The heads before a role's button replaced them; None if none did."""
MANY_T, MANY_BACK = key("many_t"), key("many_back")
"""Where t is, one of :data:`TS`; and how many tokens before the last."""
MANY_DRAWS, MANY_SEED = key("many_draws"), key("many_seed")
"""Draws of random others for every condition; what fixes them, and random positions."""
MANY_FILE, MANY_FILED = key("many_file"), key("many_filed")
"""The uploaded file; (its name, its prompts or what is wrong with it), which stay."""
MANY_READY, MANY_FIRST = key("many_ready"), key("many_first")
"""Places of the ready prompts that a link names, until the section has taken them over; and of
those with which it begins."""
DRAWS = 5
"""Draws of random others at first."""
T_LAST, T_BACK, T_RANDOM = "The last token", "A token before it", "A random token"
TS = (T_LAST, T_BACK, T_RANDOM)

OFFSET_HEAD, OFFSET_MOST, OFFSET_N = key("offset_head"), key("offset_most"), key("offset_n")
"""The head of the previous-token test, how far back, and samples."""
OFFSET_WHAT = key("offset_what")
"""What is tested: one of :data:`OFFSET_WHATS`."""
HEADS, EDGE, VALUES, COMPONENTS = "Heads", "One look", "Value vectors", "Components"
WHATS = (HEADS, EDGE, VALUES, COMPONENTS)
HEAD = "Head"
OFFSET_WHATS = (HEAD, COMPONENTS)

TO_ZERO, TO_MEAN = "No output", "Only their average output"
TO_FIRST, TO_EVEN = "Look at the first token only", "Look evenly at all tokens"
HOWS = (TO_MEAN, TO_ZERO, TO_FIRST, TO_EVEN)

TOKENS, LOOKS, ROLE_CHANGES = "Token by token", "Where other heads look", "Roles of other heads"
MORES = (TOKENS, LOOKS, ROLE_CHANGES)
BOTH, DIFFERENCE = "Both runs", "Difference"
VIEWS = (BOTH, DIFFERENCE)
CHANGES_MOST = "most"
"""In place of a head or a role: the one that changes most."""

BACK_ONE, BACK_TWO, BACK_ALL, CHOSEN = "t−1", "t−1 and t−2", "all before t", "chosen ones"
BACKS = (BACK_ONE, BACK_TWO, BACK_ALL, CHOSEN)


RANDOM = "random"
"""A position t that is drawn for every prompt; as :data:`headroles.ablation.many_prompts.RANDOM`,
which is not loaded before a page shows its title."""


def position() -> int | str:
    """Where t is in the boxes of a table of many prompts: below 0, from the end; or random."""
    chosen = st.session_state.get(MANY_T)
    if chosen == T_RANDOM:
        return RANDOM
    return -1 - st.session_state.get(MANY_BACK, 1) if chosen == T_BACK else -1


PREVIOUS = {LAB_HEADS: LAB_PREVIOUS_HEADS, MANY_HEADS: MANY_PREVIOUS_HEADS}
"""{the heads in a box: those before a role's button replaced them}."""


def begin(model: str, heads: Sequence[str]) -> None:
    """Give the keys their first values; another model starts with its own heads.

    Args:
        model: the catalogue key.
        heads: labels of the heads to begin with.
    """
    if st.session_state.get(LAB_MODEL) != model:
        if st.session_state.get(LAB_MODEL) is not None:  # components of a link stay
            st.session_state[LAB_SET] = None
        st.session_state[LAB_MODEL] = model
        st.session_state[LAB_HEADS] = list(heads)
        st.session_state[LAB_PREVIOUS_HEADS] = None


def take_heads(labels: Sequence[str], heads: str = LAB_HEADS) -> None:
    """Choose all heads of a role in a box; the choice before it can be put back."""
    st.session_state[PREVIOUS[heads]] = list(st.session_state[heads])
    st.session_state[heads] = list(labels)


def heads_back(heads: str = LAB_HEADS) -> None:
    """Put back the heads that a role's button replaced."""
    st.session_state[heads] = st.session_state[PREVIOUS[heads]]
    st.session_state[PREVIOUS[heads]] = None


COMPONENT_HEAD, COMPONENT_KIND, COMPONENT_TOP = (
    key("component_head"),
    key("component_kind"),
    key("component_top"),
)
"""The head whose components are shown, of which map, and how many."""
COMPONENT_MODEL = key("component_model")
"""The model that the head was chosen for."""

BACKWARD_MODEL = key("backward_model")
"""The model that the section's choices are for."""
BACKWARD_PART = key("backward_part")
"""What is asked: one of :data:`BACKWARD_PARTS`."""
KEEP, CURVE, BACKUP = "Keep only these", "One after another", "Backup"
BACKWARD_PARTS = (KEEP, CURVE, BACKUP)
BACKWARD_HEADS, BACKWARD_CUT = key("backward_heads"), key("backward_cut")
"""Labels of the kept heads, and where the others go: one of :data:`CUTS`."""
CUT_ALL, CUT_OWN, CUT_SOME = "all layers", "the layers of the kept heads", "chosen layers"
CUTS = (CUT_ALL, CUT_OWN, CUT_SOME)
BACKWARD_LAYERS, BACKWARD_ANSWER = key("backward_layers"), key("backward_answer")
"""The chosen layers, and the expected next token."""
BACKWARD_MEASURE = key("backward_measure")
"""What the curve shows."""
BACKUP_A, BACKUP_B, BACKUP_WHERE = key("backup_a"), key("backup_b"), key("backup_where")
"""Labels of the heads of A and of B, and at which positions they go."""
EVERYWHERE, LAST = "at every token", "at the last token only"
BACKUP_WHERES = (EVERYWHERE, LAST)
PREVIOUS |= {
    BACKWARD_HEADS: key("backward_heads_before"),
    BACKUP_A: key("backup_a_before"),
    BACKUP_B: key("backup_b_before"),
}
LINKED_B = key("linked_b")
"""(section, heads) of a link for B, until the section has taken them over; else None."""


def keep_these(labels: Sequence[str]) -> None:
    """Show an answer with only these heads kept."""
    st.session_state[BACKWARD_PART] = KEEP
    st.session_state[BACKWARD_HEADS] = list(labels)
    st.session_state[BACKWARD_CUT] = CUT_ALL


_HEADS_OF = {
    SECTION_NAMES[0]: (LAB_MODEL, LAB_HEADS),
    SECTION_NAMES[1]: (MANY_MODEL, MANY_HEADS),
    SECTION_NAMES[2]: (OFFSET_MODEL, OFFSET_HEAD),
    SECTION_NAMES[4]: (COMPONENT_MODEL, COMPONENT_HEAD),
    SECTION_NAMES[5]: (BACKWARD_MODEL, BACKWARD_HEADS),
}
"""{section: keys of the model that its choices are for, and of its heads}."""


def heads_of(section: str, *, model: str) -> list[str]:
    """Labels of the heads that a section shows; none before it was opened for this model."""
    name, waiting = st.session_state.get(LINKED) or (None, ())
    if name == section:
        return [head.label for head in waiting]
    keys = _HEADS_OF.get(section)
    if section == SECTION_NAMES[5] and st.session_state.get(BACKWARD_PART) == BACKUP:
        keys = (BACKWARD_MODEL, BACKUP_A)
    if keys is None or st.session_state.get(keys[0]) != model:
        return []
    chosen = st.session_state.get(keys[1]) or []
    return [chosen] if isinstance(chosen, str) else list(chosen)


def link_to(section: str, heads: Sequence[Head]) -> None:
    """Let a section begin anew, with the heads of a link if there are any."""
    st.session_state[LINKED] = (section, tuple(heads)) if heads else None
    if section in _HEADS_OF:
        st.session_state[_HEADS_OF[section][0]] = None


def try_many(heads: Sequence[Head]) -> None:
    """Open the section for many prompts with these heads, or without any with the components of
    the section for one prompt."""
    st.session_state[SECTION] = SECTION_NAMES[1]
    link_to(SECTION_NAMES[1], heads)
    if not heads:
        st.session_state[MANY_SETS] = st.session_state[LAB_SET]
        st.session_state[MANY_KIND] = st.session_state[LAB_KIND]


def linked(section: str, *, layers: int, heads: int, of: str = LINKED) -> list[str]:
    """Labels of a link's heads for a section, once; heads the model lacks are reported above."""
    name, wanted = st.session_state.get(of) or (None, ())
    if name != section:
        return []
    present = tuple(head for head in wanted if head.layer < layers and head.head < heads)
    if present != wanted:
        st.session_state[of] = (section, present)
        session.link_errors(
            [UnknownHeadError(head.label, layers=layers, heads=heads) for head in wanted
             if head not in present]
        )  # fmt: skip
        st.rerun()  # the warning is drawn above the page
    st.session_state[of] = None
    return [head.label for head in present]
