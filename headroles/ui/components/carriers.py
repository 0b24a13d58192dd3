"""The section *Behind a role*: without which components does a role go?"""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import ablation, charts, circuits, view
from headroles.errors import HeadrolesError
from headroles.formatting import listing
from headroles.roles import ROLES
from headroles.types import Component, Head
from headroles.ui.app import (
    caches,
    download_button,
    elements,
    files,
    long_work,
    session,
)
from headroles.ui.app.files import File, Table, pictures
from headroles.ui.components import caches as component_caches
from headroles.ui.components import choose, state
from headroles.ui.components import files as component_files
from headroles.view.html import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.ablation.component_search import Hanging, Left
    from headroles.circuits import Kind
    from headroles.ui.components.files import Titled

TEXTS = 6
"""Repeated sequences by which components are ranked, and as many others to measure on."""
SIZES = (1, 2, 4, 8, 16, 32)
"""How many components are taken away together."""
DRAWS = 5
"""Random choices of others for each."""
BATCHED = 1.5
"""So much quicker is a text in a batch than by itself, about."""
STEP = 1.0
"""Seconds of one step, about."""
WIDE = 2_000
"""With more components than this in reach, only queries and keys of the heads' layers are tried."""


class Asked(NamedTuple):
    """A role of a model, and what is searched."""

    model: str
    """The catalogue key."""
    kind: Kind
    """Trained components or those of the SVD."""
    role: str
    """Its key."""
    heads: tuple[Head, ...]
    """The heads that have it."""
    places: tuple[tuple[int, str], ...]
    """The matrices that are tried."""
    count: int
    """How many components they have."""
    is_whole: bool
    """Whether these are all that can reach the heads."""
    listed: int
    """How many heads the analysis lists for the role; with a large model, not all are asked."""


class Found(NamedTuple):
    """What came of it."""

    hanging: list[Hanging]
    """The largest drop first."""
    points: list[Left]
    """With all components first."""


def draw() -> None:
    """Draw the section."""
    st.markdown(
        "A head has a role because its attention goes where the role says. Which components does "
        "that hang on? Each is taken away by itself, in all heads at once; then those without "
        "which the attention falls most are taken away together."
    )
    asked = _choose()
    if asked is None:
        return
    place, download = st.empty(), st.container()
    if not asked.is_whole:
        said = view.component_carriers.tried(
            asked.count, asked.places, asked.heads, listed=asked.listed
        )
        elements.note(escape(said))
    seconds = _seconds(asked)
    if not long_work.offer(
        "carriers", asked, "Take them away", what="search of components", seconds=seconds
    ):
        return
    found = long_work.run(
        "carriers", asked, partial(_plan, asked), doing="Taking components away", show=_so_far
    )
    if not found:
        return
    said = view.component_carriers.conclusion(
        ROLES[asked.role].name.lower(), asked.heads, found.points, asked.count
    )
    with place:
        elements.conclusion(escape(said))
    listed = _list(asked, found)
    with download, download_button.popover():
        download_button.buttons(_files(asked, found, said, listed))
        download_button.about("How far the role falls without each component.")
    _show(asked, found, said, listed)


# ------------------------------------------------------------------ what is asked


def _choose() -> Asked | None:
    model = st.session_state[session.MODEL]
    kinds = circuits.kinds_of(model)
    if st.session_state.get(state.KIND) not in kinds:
        st.session_state[state.KIND] = kinds[0]
    try:
        entry = caches.stored(model).entry
        with st.spinner("Loading the model."):
            caches.shape(model)
    except HeadrolesError as error:
        elements.show_error(error)
        return None
    roles = [role for role in state.ROLES if entry.listed(role)]
    if not roles:
        st.info(
            "The analysis lists no induction, previous-token or duplicate-token head for this "
            "model, so there is no role to ask about. Choose another model."
        )
        return None
    if (named := st.session_state.get(state.ROLE)) not in roles:
        st.session_state[state.ROLE] = roles[0]
        state.link_error(
            f"The analysis lists no head of the role {ROLES[named].name}.",
            f"It lists heads of {listing([ROLES[role].name for role in roles])}.",
        )
    with st.container(horizontal=True, vertical_alignment="bottom", key="components-carriers"):
        kind = st.segmented_control(
            "Components",
            list(kinds),
            format_func=choose.KINDS.__getitem__,
            key=state.KIND,
            required=True,
            persist_state="session",
        )
        role = st.segmented_control(
            "Role",
            roles,
            format_func=lambda key: ROLES[key].name,
            key=state.ROLE,
            required=True,
            persist_state="session",
        )
    choose.without_trained(model)
    try:
        return _asked(model, kind, role, tuple(entry.listed(role)))
    except HeadrolesError as error:
        elements.show_error(error)
        return None


def _asked(model: str, kind: Kind, role: str, heads: tuple[Head, ...]) -> Asked:
    with caches.borrow(model) as loaded:
        every = ablation.component_search.reaching(loaded, kind, heads)
        counts = circuits.component_counts(loaded, kind)
    tried, own, listed = every, {head.layer for head in heads}, len(heads)
    if sum(counts[place] for place in every) > WIDE:
        tried = [(layer, name) for layer, name in every if layer in own and name in "qk"]
    if sum(counts[place] for place in tried) > WIDE:  # heads of many layers: those of the best one
        tried = [(layer, name) for layer, name in tried if layer == heads[0].layer]
        heads = tuple(head for head in heads if head.layer == heads[0].layer)
    return Asked(
        model, kind, role, heads, tuple(tried), sum(counts[place] for place in tried),
        len(tried) == len(every), listed,
    )  # fmt: skip


# ------------------------------------------------------------------ the work


def _seconds(asked: Asked) -> float:
    runs = asked.count + len(SIZES) * (2 + DRAWS)
    return component_caches.row_seconds(asked.model) * TEXTS * runs / BATCHED


def _plan(asked: Asked) -> long_work.Plan:
    """A step for some components each, then one for each number of components."""
    at_once = max(
        4, min(64, int(BATCHED * STEP / (TEXTS * component_caches.row_seconds(asked.model))))
    )
    with caches.borrow(asked.model) as loaded:
        every = ablation.component_search.components_of(loaded, asked.kind, asked.places)
    parts = [every[start : start + at_once] for start in range(0, len(every), at_once)]
    sizes = [size for size in (0, *SIZES) if size <= asked.count // 4]
    return long_work.Plan(
        [
            *(partial(_search, asked, part) for part in parts),
            *(partial(_without, asked, len(parts), size) for size in sizes),
        ],
        lambda done: Found(_ranked(done[: len(parts)]), done[len(parts) :]),
        chained=True,
    )


def _search(asked: Asked, part: Sequence[Component], _done: Sequence) -> list[Hanging]:
    with caches.borrow(asked.model) as loaded:
        rows = ablation.repeated_rows(loaded, n=TEXTS, seed=0)
        return ablation.component_search.drops(
            loaded, asked.kind, asked.role, asked.heads, rows, part
        )


def _without(asked: Asked, searches: int, size: int, done: Sequence) -> Left:
    top = [one.component for one in _ranked(done[:searches])[:size]]
    with caches.borrow(asked.model) as loaded:
        rows = ablation.repeated_rows(loaded, n=TEXTS, seed=1)
        return ablation.component_search.without_top(
            loaded, asked.kind, asked.role, asked.heads, rows, top, draws=DRAWS
        )


def _ranked(searched: Sequence[list[Hanging]]) -> list[Hanging]:
    return ablation.component_search.ranked([one for found in searched for one in found])


# ------------------------------------------------------------------ what is shown


def _so_far(_done: object, is_all: bool) -> None:
    if not is_all:
        elements.note("One matrix after the other; the result comes with the last.")


def _show(asked: Asked, found: Found, said: str, listed: Sequence[Sequence[str]]) -> None:
    lines, band = view.component_carriers.records(found.points, kind=asked.kind)
    st.subheader("Taken away together", anchor=False)
    elements.chart(
        charts.components.left(lines, band),
        key="components-left",
        alt_text=f"Activation that is left as components are taken away. {said}",
    )
    whose = escape(view.component_carriers.heads_word(asked.heads))
    elements.note(
        f"Activation: the mean attention of {whose} where the role says, 0 "
        f"to 1; {found.points[0].top:.2f} with all components. Measured on "
        f"{TEXTS} texts of repeated random tokens, other ones than those by which the components "
        f"were ranked. Random others: {DRAWS} choices of as many of the same matrices, and the "
        "band from the lowest to the highest."
    )
    with st.expander("The numbers", key="components-left_numbers"):
        elements.html(
            f'<div class="hr-one-line">{table(*view.component_carriers.rows(found.points))}</div>'
        )
    st.subheader("One by one", anchor=False)
    body = table(view.component_carriers.LIST, listed)
    elements.html(f'<div class="hr-one-line hr-wide">{body}</div>')
    _lead(found)


def _list(asked: Asked, found: Found) -> list[list[str]]:
    with caches.borrow(asked.model) as loaded:
        spread = ablation.component_search.spread_of(
            loaded,
            asked.kind,
            [one.component for one in found.hanging[: view.component_carriers.SHOWN]],
        )
    return view.component_carriers.list_rows(found.hanging, spread)


def _lead(found: Found) -> None:
    labels = [one.component.label for one in found.hanging[:8]]
    st.pills("Look closely at", labels, key=state.CARRIER, on_change=_open)


def _open() -> None:
    label = st.session_state[state.CARRIER]
    if label is not None:
        state.choose_component(Component.parse(label))
        state.open_section(state.SECTION_NAMES[1])


def _files(asked: Asked, found: Found, said: str, listed: Sequence[Sequence[str]]) -> list[File]:
    name = (asked.model, f"{asked.kind} {asked.role} hangs on")
    lines, band = view.component_carriers.records(found.points, kind=asked.kind)
    return [
        *files.tables("Components", partial(_table, asked, found), name=name, rows="components"),
        *files.tables(
            "Taken together",
            partial(_left_table, asked, found),
            name=(asked.model, f"{asked.kind} {asked.role} without some"),
            rows="sizes",
        ),
        *component_files.report(
            f"What {ROLES[asked.role].name.lower()} hangs on",
            said,
            partial(_titled, found, listed),
            name=name,
            origin=partial(_origin, asked),
        ),
        *pictures(
            partial(charts.components.left, lines, band),
            name=name,
            title=said,
            about=files.about_picture(asked.model),
        ),
    ]


def _table(asked: Asked, found: Found) -> Table:
    told = [
        {"component": one.component.label, "drop": one.drop, "before": one.before}
        for one in found.hanging
    ]
    return told, _origin(asked)


def _left_table(asked: Asked, found: Found) -> Table:
    return view.component_carriers.left_exports(found.points), _origin(asked)


def _titled(found: Found, listed: Sequence[Sequence[str]]) -> list[Titled]:
    words = view.component_carriers
    return [
        ("Taken away together", *words.rows(found.points)),
        ("One by one", words.LIST, listed),
    ]


def _origin(asked: Asked) -> dict[str, object]:
    return component_files.of_model(
        asked.model,
        asked.kind,
        role=asked.role,
        heads=" ".join(head.label for head in asked.heads),
        texts=f"{TEXTS} repeated random sequences",
    )
