"""The section *Test*: what components carry, beside heads and as many of the SVD."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import ablation, charts, circuits, export, limits, texts
from headroles.errors import HeadrolesError
from headroles.formatting import decimal
from headroles.types import ComponentSet, Head
from headroles.ui.app import caches, download_button, elements, files, long_work, session
from headroles.ui.components import caches as component_caches
from headroles.ui.components import choose, state
from headroles.ui.components import files as component_files
from headroles.view.html import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.ablation.component_tests import Result, Subject
    from headroles.charts.drawing import Drawing
    from headroles.circuits import Kind
    from headroles.ui.app.files import File, Table
    from headroles.ui.components.files import Titled

TEXTS, SAMPLES, DRAWS, OTHERS = 8, 24, 10, 4
"""Repeated sequences; samples of the previous-token test; draws of random others, and those of them
that take part in that test."""
MOST = 4
"""Sets of one test."""
HEADS = 8
"""Induction heads that are watched, and heads beside the sets, at most."""


class Asked(NamedTuple):
    """What is tested."""

    model: str
    """The catalogue key."""
    kind: Kind
    """Trained components or those of the SVD."""
    sets: tuple[ComponentSet, ...]
    """The sets."""
    heads: tuple[Head, ...]
    """The previous-token heads, beside them."""
    watched: tuple[Head, ...]
    """Induction heads."""


def draw() -> None:
    """Draw the section."""
    st.markdown(
        "What does a set of components carry? Three tests take it away: the **previous-token "
        "test** (how much of what the token before contributes goes with it), the **loss on "
        "repeats** (how much worse the model guesses what random tokens said twice make known), "
        "and the **induction score** of the heads behind it."
    )
    asked = _choose()
    if asked is None:
        return
    place, download = st.empty(), st.container()
    if not long_work.offer(
        "tested", asked, "Test them", what="tests of components", seconds=_seconds(asked)
    ):
        return
    results = long_work.run("tested", asked, partial(_plan, asked), doing="Testing", show=None)
    if not results:
        return
    said = conclusion(results)
    with place:
        elements.conclusion(escape(said))
    with download, download_button.popover():
        download_button.buttons(_files(asked, results))
        download_button.about("Every subject and induction head with all numbers.")
    _show(results)


# ------------------------------------------------------------------ what is asked


def _choose() -> Asked | None:
    model = st.session_state[session.MODEL]
    kinds = circuits.kinds_of(model)
    if st.session_state.get(state.KIND) not in kinds:
        st.session_state[state.KIND] = kinds[0]
    if st.session_state.get(state.SETS) is None:
        first = st.session_state[state.COMPONENT]
        st.session_state[state.SETS] = first.label if first else "L0Q0"
    with st.container(horizontal=True, vertical_alignment="bottom", key="components-tested"):
        st.text_area(
            f"Components, one set per line, up to {MOST}",
            key=state.SETS,
            placeholder="L0Q21, L0K10\nL0Q21 @ H3",
            help="What stands on one line, or before a semicolon, is taken away together. “@ H2” "
            "takes it from head 2 alone.",
            height=80,
            max_chars=limits.COMPONENT_SETS.most,
            persist_state="session",
            width="stretch",
        )
        kind = st.segmented_control(
            "Components",
            list(kinds),
            format_func=choose.KINDS.__getitem__,
            key=state.KIND,
            required=True,
            persist_state="session",
        )
    choose.without_trained(model)
    try:
        return _asked(model, kind)
    except HeadrolesError as error:
        elements.show_error(error)
        return None


def _asked(model: str, kind: Kind) -> Asked | None:
    sets = ComponentSet.parse_all(st.session_state[state.SETS] or "")
    if not sets:
        st.info("Write a component, for example L0Q0.")
        return None
    limits.SETS.check(len(sets))
    with st.spinner("Loading the model."), caches.borrow(model) as loaded:
        ablation.conditions.check(ablation.removal_of(sets, kind), loaded, length=1)
    entry = caches.stored(model).entry
    previous, watched = (
        tuple(entry.listed(role)[:HEADS]) for role in ("previous_token", "induction")
    )
    if len(sets) > MOST:
        elements.note(f"The first {MOST} sets are tested.")
    return Asked(model, kind, sets[:MOST], previous, watched)


# ------------------------------------------------------------------ the work


def _seconds(asked: Asked) -> float:
    subjects = len(asked.sets) * (2 if asked.kind == circuits.TRAINED else 1) + bool(asked.heads)
    runs = TEXTS * 2 * (2 + DRAWS) + SAMPLES * 2 * (2 + OTHERS)
    return subjects * runs * component_caches.row_seconds(asked.model)


def _subjects(asked: Asked) -> list[Subject]:
    """The sets, as many of the SVD beside trained ones, and the heads."""
    tests = ablation.component_tests
    with caches.borrow(asked.model) as loaded:
        trained = asked.kind == circuits.TRAINED
        pool = ablation.reference_alive(loaded) if trained else None
        made = [
            tests.of_components(loaded, each, asked.kind, pool=pool, draws=DRAWS)
            for each in asked.sets
        ]
        if trained:
            nearest = [tests.nearest_svd(loaded, each) for each in asked.sets]
            made += [
                tests.of_components(loaded, each, circuits.SVD, draws=DRAWS) for each in nearest
            ]
        if asked.heads:
            made.append(tests.of_heads(loaded, asked.heads, draws=DRAWS))
    return made


def _plan(asked: Asked) -> long_work.Plan:
    """A step for each subject and text."""
    subjects = _subjects(asked)
    with caches.borrow(asked.model) as loaded:
        rows = ablation.repeated_rows(loaded, n=TEXTS)
        samples = ablation.draw_samples(loaded, texts.SENTENCES, n=SAMPLES, offsets=2)
    each = len(samples) + len(rows)
    steps = [
        step
        for subject in subjects
        for step in (
            *(partial(_sample, asked, subject, sample) for sample in samples),
            *(partial(_row, asked, subject, row) for row in rows),
        )
    ]

    def finish(done: Sequence) -> list[Result]:
        parts = [done[start : start + each] for start in range(0, len(done), each)]
        return [
            ablation.component_tests.combine(subject, part[: len(samples)], part[len(samples) :])
            for subject, part in zip(subjects, parts, strict=True)
        ]

    return long_work.Plan(steps, finish)


def _sample(asked: Asked, subject: Subject, sample: object) -> object:
    with caches.borrow(asked.model) as loaded:
        return ablation.component_tests.carries(loaded, sample, subject, offsets=1, most=OTHERS)


def _row(asked: Asked, subject: Subject, row: Sequence[int]) -> object:
    with caches.borrow(asked.model) as loaded:
        return ablation.component_tests.on_repeats(loaded, row, subject, asked.watched)


# ------------------------------------------------------------------ what is shown


def conclusion(results: Sequence[Result]) -> str:
    """What the first set carries, beside random others (plain text)."""
    first = results[0]
    share = export.component_tests.cells(results[:1])[0][3]
    loss = export.component_tests.beside(first.loss)
    carried = export.component_tests.verdict(first.carried)
    return (
        f"Without {first.subject.name}, {share} of what the token before contributes is gone: "
        f"{carried}. The loss on repeats changes by {loss}."
    )


def _show(results: Sequence[Result]) -> None:
    st.subheader("Side by side", anchor=False)
    body = table(list(export.component_tests.HEADERS), export.component_tests.cells(results))
    elements.html(f'<div class="hr-wide">{body}</div>')
    elements.chart(
        _losses(results),
        key="components-tested_losses",
        alt_text="Rise of the loss on repeats without each. " + conclusion(results),
    )
    elements.note(
        f"Carries: on {results[0].profile.n} samples of reference text. Loss and induction: on "
        f"{results[0].texts} texts of random tokens said twice. Trained components are compared "
        f"with the model that has all of them. Random others: up to {DRAWS} choices of as many "
        "other components of the same matrices, or heads of the same layers. SVD components beside "
        "trained ones: as many of the same matrices, those that hold most of what is taken away. "
        "“Larger than chance”: in a t test at 5%, above zero and above random others. “Not clear”: "
        "the texts differ too much to tell the mean from zero."
    )


def _losses(results: Sequence[Result]) -> Drawing:
    """A bar for each: by how much the loss on repeats rises."""
    return charts.components.effects(
        [
            {
                "what": f"{place + 1}: {one.subject.name}",
                "cost": max(0.0, one.loss.effect),
                "shown": decimal(one.loss.effect),
            }
            for place, one in enumerate(results)
        ],
        axis="rise of the loss on repeats, nats",
        down="without",
    )


def _files(asked: Asked, results: Sequence[Result]) -> list[File]:
    name = (asked.model, f"{asked.kind} components tested")
    said = conclusion(results)
    return [
        *files.tables("Tests", partial(_table, asked, results), name=name),
        *component_files.report(
            "Components tested",
            said,
            partial(_titled, results),
            name=name,
            origin=partial(_origin, asked),
        ),
        *files.pictures(
            partial(_losses, results),
            name=name,
            title=said,
            about=files.about_picture(asked.model),
        ),
    ]


def _table(asked: Asked, results: Sequence[Result]) -> Table:
    return export.component_tests.rows(results), _origin(asked)


def _titled(results: Sequence[Result]) -> list[Titled]:
    tests = export.component_tests
    return [("Side by side", tests.HEADERS, tests.cells(results))]


def _origin(asked: Asked) -> dict[str, object]:
    return component_files.of_model(
        asked.model, asked.kind, sets="; ".join(each.label for each in asked.sets)
    )
