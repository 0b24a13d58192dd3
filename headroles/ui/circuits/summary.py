"""One head's circuits in a few numbers, its positional scores, and all heads side by side."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from headroles import charts, circuits, export, formatting, view
from headroles.types import Head
from headroles.ui.app import caches, download_button, elements, files, keeper, long_work
from headroles.ui.circuits import controls
from headroles.ui.circuits.table import factors_of
from headroles.view import conclusions, html

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from headroles.circuits import CircuitSettings, HeadSummary, KeyRow, PositionalTable
    from headroles.models import LoadedModel
    from headroles.store import TokenFrequencies

HEADERS = ["Number", "Value", "Out of", "What it means"]
FLAT = 1.0
"""Scores of all distances that lie within this hardly tell one place from another."""
DRAWN = 32
"""Distances, or positions, that the picture of the positional scores shows."""


def conclude(
    place: DeltaGenerator,
    loaded: LoadedModel,
    head: Head,
    settings: CircuitSettings,
    frequencies: TokenFrequencies,
    *,
    best: KeyRow | None = None,
) -> None:
    """Say what the head looks for and what it writes; with an example, once its table is there."""
    summary, _ = _numbers(loaded.weights, head, settings, loaded, frequencies)
    said = conclusions.circuits(summary, roles=controls.role_keys(head))
    if best is not None:
        names = export.circuits.labels(loaded, [best])
        said = f"{said} {conclusions.example(summary, best, names)}"
    with place:
        elements.conclusion(html.escape(said))


def draw(
    loaded: LoadedModel, head: Head, settings: CircuitSettings, frequencies: TokenFrequencies
) -> None:
    """Draw the numbers of one head beside its scores by position."""

    summary, table = _numbers(loaded.weights, head, settings, loaded, frequencies)
    left, right = st.columns([1, 1], gap="large")
    with left:
        st.subheader(f"{head.label} in numbers", anchor=False)
        elements.html(html.table(HEADERS, lines(summary), notes=False))
        if head.layer:
            elements.note(_left_out(settings.embedding_at(head.layer)))
    with right:
        st.subheader("What position alone does", anchor=False)
        positions(table, summary)


def numbers(
    loaded: LoadedModel, head: Head, settings: CircuitSettings, frequencies: TokenFrequencies
) -> HeadSummary:
    """One head's numbers, kept."""
    return _numbers(loaded.weights, head, settings, loaded, frequencies)[0]


@keeper.keep
def _numbers(
    weights: tuple[str, str],
    head: Head,
    settings: CircuitSettings,
    _loaded: LoadedModel,
    _frequencies: TokenFrequencies,
) -> tuple[HeadSummary, PositionalTable]:
    """A head's numbers and its scores by position, kept by the model's weights."""
    factors, probabilities = factors_of(_loaded, head, settings), _frequencies.probabilities
    table = circuits.positional_table(_loaded, head, settings, probabilities, factors=factors)
    summary = circuits.summarise(
        _loaded, head, settings, probabilities, factors=factors, place=table
    )
    return summary, table


def _left_out(embedding: str) -> str:
    """Of what the numbers of a deeper head are, and what they cannot show."""
    if embedding == "bare":
        return (
            "Read from bare embeddings, which no head above the first layer sees: in a deep model "
            "even the sign of copying can be wrong."
        )
    return (
        "Read from each token as the first block leaves it. A head that copies what later layers "
        "have made of a token need not show it here."
    )


def lines(summary: HeadSummary) -> list[list[str]]:
    """The summary's numbers with their ranges and what they mean."""
    tokens = f"the {summary.copies_of:,} likeliest tokens"
    among = circuits.summary.AMONG
    return [
        [
            "Copying (eigenvalues of OV)",
            formatting.signed(summary.copying),
            "−1 to +1",
            "+1: tokens make themselves likelier; −1: less likely",
        ],
        [
            "Copying (by count)",
            formatting.percent(summary.copies),
            tokens,
            f"tokens that are among the {among} tokens they raise most",
        ],
        [
            "Suppressing (by count)",
            formatting.percent(summary.lowers),
            tokens,
            f"tokens that are among the {among} tokens they lower most",
        ],
        [
            "Self-match of QK",
            formatting.signed(summary.self_match),
            "standard deviations; 0 is chance",
            "how much more a token wants its own copy than others",
        ],
        [
            "Previous token by position",
            formatting.percent(summary.previous),
            f"chance {formatting.percent(summary.previous_chance)}",
            "attention to the token before, by position alone",
        ],
        [
            "Scores by token, by place",
            f"{formatting.decimal(summary.by_tokens)}, {formatting.decimal(summary.by_place)}",
            "standard deviations",
            "how far a query's scores differ between tokens, and between the "
            f"{circuits.summary.NEAR} nearest places",
        ],
    ]


def positions(table: PositionalTable, summary: HeadSummary) -> None:
    """The positional scores as a strip by offset, or a triangle by position."""

    if table.kind == "none":
        st.caption("This model has no positions of its own, so there is nothing to show.")
        return
    offsets = table.offsets
    best = int(offsets.argmax())
    back = "at the token itself" if best == 0 else f"{html.count(best, 'token')} back"
    low, high = float(offsets.min()), float(offsets.max())
    place = f"By position alone, an average token scores highest {back}"
    if high - low < FLAT:
        place = (
            f"Position alone hardly matters to this head: an average token's scores differ by no "
            f"more than {formatting.decimal(high - low)} over {len(offsets)} distances"
        )
    sentence = (
        f"{place}; the token just before would get {formatting.percent(summary.previous)} of the "
        f"attention (chance: {formatting.percent(summary.previous_chance)})."
    )
    drawing = (
        charts.circuits.offset_scores(offsets[:DRAWN].tolist())
        if table.by_offset
        else charts.circuits.position_scores(table.scores[:DRAWN, :DRAWN].tolist())
    )
    elements.chart(drawing, key="circuits-positions", alt_text=sentence)
    how = {
        "rotary": "Rotary positions turn query and key, so only the distance matters.",
        "bias": "ALiBi takes off a fixed amount for each token of distance.",
        "learned": "Each position has a learned vector of its own.",
    }[table.kind]
    said = html.escape(sentence)
    elements.note(
        f"{said} {how} The fuller the square, the higher the score. Scores run from "
        f"{formatting.decimal(low)} to {formatting.decimal(high)} over {len(offsets)} distances"
        f"{f'; the first {DRAWN} are drawn' if len(offsets) > DRAWN else ''}."
    )
    with elements.opened("The numbers", key="circuits-position_numbers") as is_open:
        if is_open:
            means = view.tables.with_minus(view.tables.offset_means(table), {"mean score": 2})
            st.dataframe(means, hide_index=True, height=240)


def all_heads(
    loaded: LoadedModel, settings: CircuitSettings, frequencies: TokenFrequencies
) -> None:
    """The same numbers of every head; computed on demand where that takes long."""
    st.subheader("All heads", anchor=False)
    heads = Head.every(*loaded.shape)
    large = len(heads) * len(frequencies.probabilities) > 1_000_000
    name = (loaded.weights, settings)
    if large and not long_work.begun("all_heads", name):
        st.caption(f"{len(heads)} heads and many tokens: this takes minutes.")
        if not st.button("Read all heads", icon=":material/play_arrow:", key="circuits-all"):
            return
    read = partial(_summarise, loaded.key, settings, frequencies)
    long_work.run(
        "all_heads",
        name,
        lambda: long_work.Plan([partial(read, head) for head in heads]),
        doing="Reading all heads",
        heavy="table of all heads" if large else "",
        show=partial(_table_of_heads, loaded.key, loaded.revision, settings, frequencies.sentence),
    )


def _summarise(
    model: str, settings: CircuitSettings, frequencies: TokenFrequencies, head: Head
) -> HeadSummary:
    with caches.borrow(model) as loaded:
        return circuits.summarise(loaded, head, settings, frequencies.probabilities)


def _table_of_heads(
    model: str,
    revision: str,
    settings: CircuitSettings,
    probabilities: str,
    summaries: list[HeadSummary],
    is_all: bool,
) -> None:
    if is_all:
        elements.conclusion(html.escape(conclusions.all_heads(summaries)))
    chance = formatting.percent(summaries[0].previous_chance)
    st.dataframe(
        view.tables.with_minus(
            view.tables.circuit_summaries(summaries), {"copying": 2, "self-match": 2}
        ),
        hide_index=True,
        height=min(36 * (len(summaries) + 1) + 2, 400),
        column_config={
            "head": st.column_config.TextColumn(pinned=True),
            "copying": st.column_config.NumberColumn(help="−1 to +1"),
            "raises itself": st.column_config.NumberColumn(format="percent"),
            "lowers itself": st.column_config.NumberColumn(format="percent"),
            "self-match": st.column_config.NumberColumn(help="standard deviations"),
            "previous by position": st.column_config.NumberColumn(
                format="percent", help=f"chance {chance}"
            ),
        },
    )
    if is_all:
        origin = {
            **export.provenance.origin(model),
            "revision": revision,
            **export.circuits.settings_of(settings),
            "probabilities": probabilities,
        }
        made = lambda: (export.circuits.summary_rows(summaries), origin)  # noqa: E731
        with st.popover("Download", icon=":material/download:", key="circuits-summary_download"):
            download_button.buttons(
                files.tables("All heads", made, name=(model, "circuits of all heads"))
            )
