"""Who stands in for whom: A, B, and both together."""

from __future__ import annotations

from functools import partial
from html import escape
from typing import TYPE_CHECKING

import streamlit as st

from headroles import ablation, charts, view
from headroles.errors import HeadrolesError
from headroles.types import Head
from headroles.ui.app import elements, long_work
from headroles.ui.knockout_lab import backward_files, caches, files, random_heads, state
from headroles.ui.knockout_lab.working_backward import choose
from headroles.view.html import table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.ablation.backup import Backup, Costs
    from headroles.ui.app.caches import Answer, Reference
    from headroles.ui.knockout_lab.working_backward import Watched

AT_ONCE = 24
"""Candidates per step."""
SHOWN = 8
"""Candidates in the table."""
AXIS = "log-probability that the answer loses (nats)"
OVER = "cost over the sum (nats)"


def draw(watched: Watched, answer: Answer, reference: Reference) -> None:
    """Draw the part."""
    left, right = st.columns(2, gap="medium")
    with left:
        a = choose("A", watched, key=state.BACKUP_A, reference=reference)
    with right:
        b = choose("B", watched, key=state.BACKUP_B, reference=reference)
    st.session_state.setdefault(state.BACKUP_WHERE, state.EVERYWHERE)
    where = st.segmented_control(
        "Where", state.BACKUP_WHERES, key=state.BACKUP_WHERE, required=True,
        persist_state="session", label_visibility="collapsed",
    )  # fmt: skip
    position = -1 if where == state.LAST else None
    try:
        ablation.backup.check_apart(a, b)
    except HeadrolesError as error:
        elements.show_error(error, kind=st.info)
    else:
        _pair(watched, answer, reference, a, b, position)
    if a:
        _suggest(watched, a, position)


def _pair(
    watched: Watched,
    answer: Answer,
    reference: Reference,
    a: tuple[Head, ...],
    b: tuple[Head, ...],
    position: int | None,
) -> None:
    found = long_work.run(
        "backup",
        (*watched.name, a, b, position),
        lambda: long_work.Plan([partial(_measure, watched, a, b, position)], _only),
        doing="Taking A, B and both away",
    )
    if found is None:
        return
    token = watched.untouched.answer.text
    words, said = view.working_backward, view.working_backward.backup(found)
    elements.conclusion(
        f"<b>{escape(said)}</b> {escape(words.answer_stays(found, token))} "
        f"{escape(words.backup_beside(found))}"
    )
    elements.chart(
        charts.working_backward.pair_bars(words.bar_records(found), axis=AXIS),
        key="knockout_lab-pair_bars",
        alt_text=f"{AXIS}: A, B, their sum, both together. {said}",
    )
    elements.html(table(*words.backup_rows(found)))
    files.draw(backward_files.of_backup(answer, reference, found, AXIS))
    st.caption(words.MEASURES)
    _partners(found)


def _measure(
    watched: Watched, a: tuple[Head, ...], b: tuple[Head, ...], position: int | None
) -> Backup:
    encoding, token = watched.untouched.encoding, watched.untouched.answer.token_id
    with caches.model(watched.model) as loaded:
        return ablation.backup.measure(loaded, encoding.token_ids, token, a, b, position=position)


def _only(parts: list) -> object:
    return parts[0]


def _partners(found: Backup) -> None:
    """A with random partners, as a strip and as a table."""
    if not found.partners:
        return
    draws = [
        (", ".join(head.label for head in heads), pair.surplus) for heads, pair in found.partners
    ]
    said = view.working_backward.backup_beside(found)
    with st.expander("A with random partners, and the rule"):
        elements.chart(
            charts.control_strip(found.judgement, draws, name="A and B", axis=OVER),
            key="knockout_lab-backup_strip",
            alt_text=f"{OVER}: A and B, and A with random partners. {said}",
        )
        st.caption(f"{found.note} {random_heads.RULE}")
        headers, rows = view.working_backward.pair_rows(
            [(name, pair) for (name, _), (_, pair) in zip(draws, found.partners, strict=True)]
        )
        elements.html(table(headers, rows))


# ------------------------------------------------------------------ all heads as partners


def _suggest(watched: Watched, a: tuple[Head, ...], position: int | None) -> None:
    """Every other head as B: which costs most over the sum."""
    st.subheader("Who stands in for A?", anchor=False)
    others = [head for head in map(Head.parse, watched.labels) if head not in a]
    name = (*watched.name, a, position)
    if not long_work.offer(
        "partners", name, f"Try all {len(others):,} other heads as B",
        what="search for a backup head", seconds=watched.seconds(2 * len(others)),
    ):  # fmt: skip
        return
    parts = [tuple(others[n : n + AT_ONCE]) for n in range(0, len(others), AT_ONCE)]
    ranked = long_work.run(
        "partners", name,
        lambda: long_work.Plan(
            [partial(_with_each, watched, a, part, position) for part in parts], _ranked
        ),
        doing="Trying heads as B",
    )  # fmt: skip
    if ranked:
        _show_ranked(a, ranked)


def _with_each(
    watched: Watched, a: tuple[Head, ...], part: Sequence[Head], position: int | None
) -> list[tuple[Head, Costs]]:
    encoding, token = watched.untouched.encoding, watched.untouched.answer.token_id
    with caches.model(watched.model) as loaded:
        return ablation.backup.pairs_with(
            loaded, encoding.token_ids, token, a, part, position=position
        )


def _ranked(parts: list[list[tuple[Head, Costs]]]) -> list[tuple[Head, Costs]]:
    return ablation.backup.best_partners([one for part in parts for one in part])


def _show_ranked(a: tuple[Head, ...], ranked: list[tuple[Head, Costs]]) -> None:
    elements.html(
        f'<p class="hr-verdict">{escape(view.working_backward.best_partner(a, ranked))}</p>'
    )
    best = ranked[0][0]
    st.button(
        f"Take {best.label} as B", icon=":material/group_add:", key="knockout_lab-take_b",
        on_click=_take_b, args=(best.label,),
    )  # fmt: skip
    shown = [(head.label, pair) for head, pair in ranked[:SHOWN]]
    elements.html(table(*view.working_backward.pair_rows(shown)))
    if len(ranked) > SHOWN:
        st.caption(
            f"The first {SHOWN} of {len(ranked):,}, by what both together cost over the sum."
        )


def _take_b(label: str) -> None:
    st.session_state[state.BACKUP_B] = [label]
