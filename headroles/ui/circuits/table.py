"""The pivot table: key tokens, queries that want them, outputs they promote, and a prompt."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import circuits, export, limits, texts, view
from headroles.errors import HeadrolesError
from headroles.formatting import decimal, legend
from headroles.roles import ROLES
from headroles.ui.app import caches, elements, keeper, long_work, scope, session
from headroles.ui.app.files import file_name
from headroles.ui.circuits import controls, own_words, state
from headroles.view import html

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import Tensor

    from headroles.circuits.qk_ov import CircuitSettings, Factors, KeyRow, Peaks, TokenValue
    from headroles.models import LoadedModel
    from headroles.store import TokenFrequencies
    from headroles.types import Head

TABLE = "circuits-table"
NUMBERS = {"importance": 2, "max QK": 2, "max OV": 2}
"""The table's columns of numbers, and their decimals."""


def factors_of(loaded: LoadedModel, head: Head, settings: CircuitSettings) -> Factors:
    """One head's thin matrices, kept."""
    return keeper.results().make(
        ("factors", loaded.weights, head, settings),
        lambda: circuits.head_factors(loaded, head, settings),
    )


def draw(
    loaded: LoadedModel, head: Head, settings: CircuitSettings, frequencies: TokenFrequencies
) -> tuple[KeyRow, ...]:
    """Draw the table of keys, the lists of one of them, and the reader's own token.

    Returns its rows, the most telling key first; none while they are being looked for.
    """
    st.subheader("What it looks for, and what it then writes", anchor=False)
    asked = ask(loaded, head, settings, frequencies)
    elements.note(
        f"The {asked.keys} most telling keys of {html.escape(asked.among.words)}, "
        f"{_read_as(head, settings)}."
        ' <span class="hr-wide-only">Choose a row to see the head at work on a prompt with that '
        "key.</span>"
    )
    for sentence in by_something_else(head, controls.role_keys(head)):
        elements.note(html.escape(sentence))
    rows = search(
        loaded,
        asked,
        name="table",
        doing=f"Looking through {asked.count:,} key tokens, the likeliest first",
    )
    if rows is None:
        return ()
    names = export.circuits.labels(loaded, rows)
    _in_its_form(
        rows,
        names,
        "whole",
        key=session.chart_key(TABLE),
        on_select=partial(_chosen, loaded, head, rows),
        selection_mode="single-row",
    )
    elements.note(
        "Importance is max QK × max OV × p^0.1, with p how often the token occurs. "
        f"{html.escape(frequencies.sentence)} A dot · is a space."
    )
    if marks := legend(names.values()):
        st.caption(marks)
    _downloads(loaded, asked, rows, names)
    _whole_lists(loaded, asked, rows)
    return rows


def ask(
    loaded: LoadedModel,
    head: Head,
    settings: CircuitSettings,
    frequencies: TokenFrequencies,
    *,
    quiet: bool = False,
) -> Asked:
    """What the page's settings ask of a head; what is said of a file of words is said once."""
    now = st.session_state
    among = own_words.among(loaded, frequencies, quiet=quiet)
    count = len(frequencies.probabilities) if among.ids is None else len(among.ids)
    sizes = (now[state.KEYS], now[state.QUERIES], now[state.OUTPUTS])
    return Asked(loaded.key, head, settings, frequencies, among, count, *map(int, sizes))


def search(
    loaded: LoadedModel, asked: Asked, *, name: str, doing: str
) -> tuple[KeyRow, ...] | None:
    """A head's rows, the most telling key first; None while they are being looked for.

    Args:
        loaded: the model.
        asked: what is asked.
        name: the part of the page that waits.
        doing: what it waits for.
    """
    peaks: Peaks | None = long_work.run(
        name,
        (loaded.weights, asked.head, asked.settings, asked.among.which),
        partial(_plan, asked),
        doing=doing,
        show=partial(_so_far, asked),
    )
    return None if peaks is None else _rows(loaded, asked, peaks)


def cards(rows: Sequence[KeyRow], names: Mapping[int, str]) -> str:
    """The table for a narrow window: a card per key, with all that a row of the table says."""

    def line(what: str, values: Sequence[TokenValue]) -> str:
        said = html.escape(view.tables.first_names(values, names))
        return f"<dt>{what}</dt><dd>{said}</dd>"

    items = "".join(
        f'<div class="hr-key-card"><b>{html.escape(names[row.token_id])}</b> '
        f"<small>importance {decimal(row.importance)} · max QK {decimal(row.max_qk)} · max OV "
        f"{decimal(row.max_ov)}</small><dl>{line('Wanted by', row.by_strength)}"
        f"{line('Promotes', row.promoted)}{line('Suppresses', row.suppressed)}</dl></div>"
        for row in rows
    )
    return f'<div class="hr-key-cards">{items}</div>'


def _in_its_form(
    rows: Sequence[KeyRow], names: Mapping[int, str], name: str, **choice: object
) -> None:
    """The rows as a table, or as cards where the window is narrow: so nothing moves when the table
    of all keys takes the place of the one so far.

    Args:
        rows: the keys.
        names: {token id: how it is written}.
        name: tells apart the tables of one run.
        choice: what a row that is chosen does.
    """
    with st.container(key=f"circuits-as_table-{name}"):
        st.dataframe(
            view.tables.with_minus(view.tables.key_rows(rows, names), NUMBERS),
            hide_index=True,
            column_config=columns(),
            height=height(rows),
            **choice,
        )
    with st.container(key=f"circuits-as_cards-{name}"):
        elements.html(cards(rows, names))


def _read_as(head: Head, settings: CircuitSettings) -> str:
    """What the head is taken to find of a token."""
    if settings.embedding_at(head.layer) == "first_block":
        return "each as the first block leaves it"
    return "each as its embedding" if head.layer == 0 else "each as its bare embedding"


def by_something_else(head: Head, roles: Sequence[str]) -> list[str]:
    """Why the table tells little of a head that does not choose its keys by their own tokens."""
    lines = {
        "previous_token": "it chooses a key by its place, whatever the token. See “What position "
        "alone does”",
        "induction": "it chooses a key by the token before it, which an earlier head has written "
        "there. See K-composition under “Which heads work together”",
    }
    return [
        f"{head.label} is listed as {ROLES[role].name.lower()}: {line}. So the keys in this table "
        "say little about it."
        for role, line in lines.items()
        if role in roles
    ]


class Asked(NamedTuple):
    """What the table is about; a part of the page keeps it, so it does not hold the model."""

    model: str
    """The catalogue key."""
    head: Head
    settings: CircuitSettings
    frequencies: TokenFrequencies
    among: own_words.Among
    """The tokens of the table."""
    count: int
    """How many these are."""
    keys: int
    """Rows of the table."""
    queries: int
    """Queries of a key."""
    outputs: int
    """Outputs of a key, in either list."""

    @property
    def sizes(self) -> dict[str, int]:
        """How long the lists of a key are."""
        return {"each": self.queries, "outputs": self.outputs}


def _plan(asked: Asked) -> long_work.Plan:
    """A step per block of keys, those first that are likely to be in the table."""
    with caches.borrow(asked.model) as loaded:
        factors = factors_of(loaded, asked.head, asked.settings).among(asked.among.ids)
        order = circuits.qk_ov.likely_first(factors, asked.frequencies.probabilities)

    def of_block(ids: Tensor) -> Peaks:
        with caches.borrow(asked.model) as loaded:
            factors = factors_of(loaded, asked.head, asked.settings).among(asked.among.ids)
            return circuits.qk_ov.block_peaks(factors, ids)

    blocks = circuits.qk_ov.key_blocks(order)
    return long_work.Plan([partial(of_block, ids) for ids in blocks], circuits.qk_ov.join_peaks)


def _rows(loaded: LoadedModel, asked: Asked, maxima: Peaks) -> tuple[KeyRow, ...]:
    """The best of the keys that were looked at; each one's lists are kept."""
    probabilities = asked.frequencies.probabilities

    def row_of(token: int) -> KeyRow:
        factors = factors_of(loaded, asked.head, asked.settings).among(asked.among.ids)
        return circuits.qk_ov.rows_for(factors, probabilities, [token], **asked.sizes)[0]

    about = ("key row", loaded.weights, asked.head, asked.settings, asked.among.which)
    about += (asked.queries, asked.outputs)
    return tuple(
        keeper.results().make((*about, token), partial(row_of, token))
        for token in circuits.qk_ov.best_keys(maxima, probabilities, asked.keys)
    )


def _so_far(asked: Asked, result: list[Peaks] | Peaks, is_all: bool) -> None:
    """The table of the keys that were looked at, while the search goes on."""
    if is_all:
        return  # the page draws it, with all that can be done with it
    maxima = circuits.qk_ov.join_peaks(result)
    with caches.borrow(asked.model) as loaded:
        rows = _rows(loaded, asked, maxima)
        names = export.circuits.labels(loaded, rows)
    _in_its_form(rows, names, f"so_far_{asked.head.label}")
    st.caption(
        f"So far, the best of the {len(maxima.ids):,} likeliest keys. Others may still come in."
    )


def height(rows: Sequence[KeyRow]) -> int:
    """Pixels of the table."""
    return min(36 * (len(rows) + 1) + 2, 470)


def columns() -> dict[str, object]:
    """How the table's columns are shown."""
    number = st.column_config.NumberColumn
    return {
        "key": st.column_config.TextColumn("key", pinned=True),
        "importance": number(help="max QK × max OV × p^0.1", width=90),
        "max QK": number(width=75, help="The score that the most eager query gives this key."),
        "max OV": number(width=75, help="What it adds to the logit that it raises most."),
    }


def _chosen(loaded: LoadedModel, head: Head, rows: tuple[KeyRow, ...]) -> None:
    """Lead from the chosen row to the close-up, on a prompt where its key occurs."""
    event = st.session_state.get(session.chart_key(TABLE))
    chosen = (event or {}).get("selection", {}).get("rows") or []
    if len(chosen) == 1 and 0 <= chosen[0] < len(rows):
        session.forget_selection(TABLE)
        _try_out(loaded, head, rows[chosen[0]])


def _try_out(loaded: LoadedModel, head: Head, row: KeyRow) -> None:

    prompt = export.example_prompt(loaded.tokenizer, row)
    if prompt is None:
        st.toast("No prompt that you could type brings this key and one of its queries together.")
    else:
        state.try_out(head, prompt)


def _downloads(
    loaded: LoadedModel, asked: Asked, rows: tuple[KeyRow, ...], names: dict[int, str]
) -> None:
    head = asked.head
    origin = {
        "model": loaded.key,
        **export.circuits.about(head, asked.settings),
        "tokens": asked.among.called,
        "probabilities": asked.frequencies.sentence,
    }
    with st.popover("Download", icon=":material/download:"):
        st.download_button(
            "Table (CSV)",
            partial(export.circuits.table_csv, rows, names, origin),
            file_name(loaded.key, f"{head.label} circuits", "csv"),
            "text/csv",
            on_click="ignore",
            key="circuits-csv",
        )
        st.download_button(
            "Table (Markdown)",
            lambda: export.circuits.table_markdown(rows, names, origin).encode(),
            file_name(loaded.key, f"{head.label} circuits", "md"),
            "text/markdown",
            on_click="ignore",
            key="circuits-md",
        )
        st.caption("With every token of every list, and the settings.")


def _whole_lists(loaded: LoadedModel, asked: Asked, rows: tuple[KeyRow, ...]) -> None:
    """One key with the whole of each list: of the table, or the reader's own."""

    head, names = asked.head, export.circuits.labels(loaded, rows)
    left, right = st.columns(2, vertical_alignment="bottom")
    keys = {row.token_id: row for row in rows}
    if st.session_state.get(state.FULL) not in keys:
        st.session_state[state.FULL] = rows[0].token_id
    chosen = left.selectbox("One key in full", list(keys), format_func=names.get, key=state.FULL)
    own = right.text_input(
        "Or look up a token of your own",
        key=state.LOOKUP,
        max_chars=limits.TOKEN.most,
        placeholder="a word, with a space before it or not",
        persist_state="session",
        help="Looks up the first token of what you type. Within a sentence, most words have a "
        "space in front.",
    )
    row = keys[chosen]
    if own:
        try:
            token = first_token(loaded, own)
        except HeadrolesError as error:
            elements.show_error(error, kind=st.info)
        else:
            factors = factors_of(loaded, head, asked.settings).among(asked.among.ids)
            probabilities = asked.frequencies.probabilities
            (row,) = circuits.qk_ov.rows_for(factors, probabilities, [token], **asked.sizes)
    _lists_of(row, export.circuits.labels(loaded, [row]))
    scope.button(
        session.CLOSEUP,
        f"See {head.label} on a prompt with this key",
        icon=":material/zoom_in:",
        on_click=_try_out,
        args=(loaded, head, row),
        key="circuits-try",
    )


def _lists_of(row: KeyRow, names: dict[int, str]) -> None:
    """A key's numbers and its three lists."""
    elements.html(
        f'<div class="hr-small">Key <b>{html.escape(names[row.token_id])}</b> (id {row.token_id}): '
        f"importance {decimal(row.importance)}, max QK {decimal(row.max_qk)}, max OV "
        f"{decimal(row.max_ov)}.</div>"
    )
    with st.container(key="circuits-lists"):
        places = st.columns(3)
    for place, (title, values) in zip(
        places,
        (
            ("Queries that want it", row.by_strength),
            ("Outputs it promotes", row.promoted),
            ("Outputs it suppresses", row.suppressed),
        ),
        strict=True,
    ):
        lines = [[names[item.token_id], decimal(item.value)] for item in values]
        place.html(html.table([title, "QK" if "Quer" in title else "OV"], lines))


def first_token(loaded: LoadedModel, typed: str) -> int:
    """The first token of what was typed, spaces kept.

    Raises:
        HeadrolesError: if there is none, or the model has no embedding for it.
    """
    ids = texts.ids_of(loaded.tokenizer, typed[: limits.TOKEN.most])
    if not ids:
        raise HeadrolesError("This model has no token for that.", hint="Type another one.")
    return ids[0]
