"""The boxes of the lab in which sets of components are written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from headroles import ablation, limits
from headroles.errors import EmptyPromptError
from headroles.formatting import listing
from headroles.types import Component, ComponentSet
from headroles.ui.app import address, chat_format, scope, session
from headroles.ui.knockout_lab import caches, state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.ablation import Condition
    from headroles.circuits import Kind

PAGE = "pages/components.py"
"""Where the components of a model are listed."""
HELP = (
    "A component is one small part of a whole weight matrix of a layer, across all its heads: "
    "L0Q17 is part 17 of the query matrix of layer 0 (K: keys, V: values, O: outputs). "
    "“@ H2” takes it from head 2 alone."
)
"""How components are written."""


def kind_box(model: str, key: str) -> None:
    """The choice between trained components and those of the SVD, for a model that has both."""
    kinds = caches.kinds(model)
    if len(kinds) > 1:
        st.selectbox(
            "Which components",
            kinds,
            format_func=state.KIND_NAMES.get,
            key=key,
            persist_state="session",
            width=220,
            help="Trained ones were found by training, and sum to the weights nearly; so they "
            "are compared with the model that has all of them. SVD components are the "
            "singular vectors of each matrix, and sum to it exactly.",
        )


def kind_in(model: str, key: str) -> Kind:
    """What the box holds; where a model has one kind alone, that."""
    kinds = caches.kinds(model)
    chosen = st.session_state.get(key)
    return chosen if chosen in kinds else kinds[0]


def draw_one(model: str, layer: int) -> Condition | None:
    """The box for components that are taken away together, which two sections share; None, with
    what to do, while it is empty.

    Args:
        model: the catalogue key.
        layer: the layer of the first one: what matters most in its queries on the prompt.

    Raises:
        HeadrolesError: if what is typed is not a set of components, or the model lacks one.
    """
    kind = kind_in(model, state.LAB_KIND)
    st.session_state[state.LAB_KIND] = kind
    if st.session_state.get(state.LAB_SET) is None:
        st.session_state[state.LAB_SET] = _first(model, kind, layer).label
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input(
            "Components, taken away together",
            key=state.LAB_SET,
            placeholder="L0Q17, L0K3 @ H2",
            help=f"{HELP} A semicolon begins a set with other heads.",
            max_chars=limits.COMPONENT_SETS.most,
            persist_state="session",
            width="stretch",
        )
        kind_box(model, state.LAB_KIND)
    typed = st.session_state[state.LAB_SET] or ""
    sets = ComponentSet.parse_all(typed)
    if not sets:
        st.info("Write a component, for example L0Q0. The page *Components* lists them.")
        scope.button(
            PAGE, "Components", icon=":material/workspaces:", key="knockout_lab-list_components",
            on_click=address.follow, args=(PAGE,),
        )  # fmt: skip
        return None
    limits.SETS.check(len(sets))
    caches.check_sets(model, kind, sets)
    return ablation.removal_of(sets, kind)


def _first(model: str, kind: Kind, layer: int) -> Component:
    """What the box begins with; without a prompt, the first of the matrix."""
    prompt, chat = st.session_state[session.PROMPT], chat_format.is_on(model)
    try:
        return caches.first_component(model, kind, layer, prompt, chat=chat)
    except EmptyPromptError:
        return Component(layer, "q", 0)


def doing(sets: Condition, where: Sequence[int]) -> str:
    """What the model does without now, in a sentence or two (plain text)."""
    places = listing([str(place) for place in where])
    at = f"At position{'s' if len(where) > 1 else ''} {places}, the" if where else "The"
    whole = " Before: the model with all its trained components." if sets.is_beside_all else ""
    everywhere = (
        " Keys and values are without theirs at every position."
        if where and any(one.projection in "kv" for one in sets.components)
        else ""
    )
    return f"{at} model now does {sets.name}.{everywhere}{whole}"
