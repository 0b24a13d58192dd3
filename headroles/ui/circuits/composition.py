"""Which later head reads what an earlier head writes, as a map."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, circuits, export, view
from headroles.ui.app import caches, download_button, elements, files, keeper, long_work
from headroles.ui.app.part import part
from headroles.ui.circuits import state
from headroles.view import conclusions, html

if TYPE_CHECKING:
    from torch import Tensor

    from headroles.circuits import Composition
    from headroles.models import LoadedModel
    from headroles.types import Head

TOP = 10
MOST_HEADS = 48
"""Heads that one map shows; of a larger model a pair of layers is shown."""

WORDS = {
    "K": "K-composition: the later head looks where the earlier one has written",
    "Q": "Q-composition: the later head asks for what the earlier one has found",
    "V": "V-composition: the later head passes on what the earlier one has written",
}


def draw(loaded: LoadedModel, head: Head, *, norm: str) -> None:
    """Draw the choice of kind, what it shows, the map, and its table twin."""
    st.subheader("Which heads work together", anchor=False)
    shape = loaded.shape
    _draw(loaded.key, loaded.weights, shape, head.label, norm=norm)


@part
def _draw(
    model: str, weights: tuple[str, str], shape: tuple[int, int], head: str, *, norm: str
) -> None:
    if shape[0] < 2:
        st.caption("This model has one layer, so no head can read what another has written.")
        return
    with st.container(horizontal=True, vertical_alignment="center", key="circuits-kinds"):
        kind = st.selectbox(
            "Kind",
            list(WORDS),
            format_func=WORDS.get,
            key=state.KIND,
            persist_state="session",
            label_visibility="collapsed",
        )
        subtract = st.toggle("Minus random baseline", key=state.SUBTRACT, persist_state="session")
    result: Composition | None = long_work.run(
        "composition",
        (weights, kind, norm),
        partial(_plan, model, shape[0], kind, norm),
        doing="Comparing heads across layers",
    )
    if result is not None:
        pairs = _ranked(weights, kind, norm, result)
        elements.conclusion(html.escape(conclusions.composition(result, pairs, head)))
        _draw_result(shape, result, pairs, subtract=subtract)
        with st.popover(
            "Download", icon=":material/download:", key="circuits-composition_download"
        ):
            made = partial(_table, model, weights, norm, result)
            download_button.buttons(
                files.tables("Pairs", made, name=(model, f"{kind}-composition"))
            )


def _table(model: str, weights: tuple[str, str], norm: str, result: Composition) -> files.Table:
    origin = {**export.provenance.origin(model), "revision": weights[1]}
    rows = export.circuits.composition_rows(result)
    return rows, origin | export.circuits.about_composition(result, norm)


def _plan(model: str, layers: int, kind: str, norm: str) -> long_work.Plan:
    """A step per later layer."""

    def scores(later: int) -> Tensor:
        with caches.borrow(model) as loaded:
            return circuits.composition.block_scores(loaded, kind, later, norm=norm)

    def finish(blocks: list[Tensor]) -> Composition:
        with caches.borrow(model) as loaded:
            return circuits.composition.assemble(loaded, kind, blocks)

    return long_work.Plan([partial(scores, later) for later in range(1, layers)], finish)


@keeper.keep
def _ranked(
    weights: tuple[str, str], kind: str, norm: str, _result: Composition
) -> list[tuple[str, str, float]]:
    """The pairs, kept: a model of 270 heads has 35,000 of them."""
    return ranked(_result)


def _draw_result(
    shape: tuple[int, int],
    result: Composition,
    pairs: list[tuple[str, str, float]],
    *,
    subtract: bool,
) -> None:
    """The map with its sentence, and its table twin."""
    shown = _in_view(shape, pairs)
    if not shown:
        return
    away = result.baseline if subtract else 0.0
    unit = "above random" if subtract else "score"
    best = pairs[0]
    middle = pairs[len(pairs) // 2][2]
    sentence = (
        f"Strongest {result.kind}-composition of {html.count(len(pairs), 'pair')}: {best[0]} "
        f"writes, {best[1]} reads, {best[2]:.3f}. Half of the pairs stay below {middle:.3f}; "
        f"random matrices of this shape give {result.baseline:.3f} ± {result.spread:.3f} "
        f"({result.draws} draws)."
    )
    elements.note(
        f"Framed: {_framed(shown, pairs)}, with their score in hundredths"
        f"{' above the baseline' if subtract else ''}. Half of the pairs stay below {middle:.3f} "
        f"of 1; random matrices of this shape give {result.baseline:.3f} ± {result.spread:.3f} "
        f"({result.draws} draws)."
    )
    elements.chart(
        charts.circuits.composition_map(records(shown, away=away, pairs=pairs), unit=unit),
        key="circuits-composition",
        alt_text=sentence,
    )
    with elements.opened("The numbers", key="circuits-composition_numbers") as is_open:
        if is_open:
            st.dataframe(
                view.tables.with_minus(
                    view.tables.pairs(pairs, result), {"score": 3, "above random": 3}
                ),
                hide_index=True,
                height=320,
            )
    elements.note(
        "The score compares the product of two heads’ matrices with the matrices themselves "
        "(Frobenius norms; Elhage et al. 2021). It shows what a head <i>can</i> read, not that it "
        "does so on a prompt. The layer norm’s division and the MLPs in between are left out."
    )


def _framed(shown: Sequence[tuple], pairs: Sequence[tuple]) -> str:
    """Which pairs have a frame: of a large model a part of the strongest is in view.

    >>> _framed([1, 2], [1, 2]), _framed([1], [1, 2])
    ('the 10 strongest pairs', 'those of the 10 strongest pairs of the model that lie here')
    """
    all_in_view = len(shown) == len(pairs)
    return f"{'' if all_in_view else 'those of '}the {TOP} strongest pairs" + (
        "" if all_in_view else " of the model that lie here"
    )


def ranked(result: Composition) -> list[tuple[str, str, float]]:
    """(earlier, later, score) of every pair, strongest first."""
    rows = export.circuits.composition_rows(result)
    return [(row["earlier"], row["later"], row["score"]) for row in rows]


def _in_view(
    shape: tuple[int, int], pairs: list[tuple[str, str, float]]
) -> list[tuple[str, str, float]]:
    """All pairs, or of a large model those of two layers that the reader chooses."""
    if shape[0] * shape[1] <= MOST_HEADS:
        return pairs
    by_layers: dict[str, list[tuple[str, str, float]]] = {}
    for pair in pairs:
        first, second = (label[1:].split("H")[0] for label in pair[:2])
        by_layers.setdefault(f"layer {first} to layer {second}", []).append(pair)
    chosen = st.selectbox("Layers, the strongest pair first", list(by_layers), key=state.LAYERS)
    return by_layers.get(chosen, [])


def _order(label: str) -> tuple[int, int]:
    layer, head = label[1:].split("H")
    return int(layer), int(head)


def records(
    shown: list[tuple[str, str, float]], *, away: float, pairs: list[tuple[str, str, float]]
) -> list[dict[str, object]]:
    """What the map draws, layer by layer; the strongest of all pairs are marked."""
    top = {pair[:2] for pair in pairs[:TOP]}
    ordered = sorted(shown, key=lambda pair: (_order(pair[0]), _order(pair[1])))
    return [
        {
            "earlier": first,
            "later": second,
            "value": round(score - away, 4),
            "hundredths": 100 * (score - away),
            "top": (first, second) in top,
        }
        for first, second, score in ordered
    ]
