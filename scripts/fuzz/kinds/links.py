"""Addresses: names and values that anybody may write into a link."""

from __future__ import annotations

import random
from collections.abc import Sequence
from unittest import mock

import streamlit as st

from headroles.errors import LinkError
from headroles.ui.answer import link as answer
from headroles.ui.app import link, session
from headroles.ui.app.link import Row
from headroles.ui.circuits import link as circuits
from headroles.ui.components import link as components
from headroles.ui.detector_lab import link as detector_lab
from headroles.ui.find_heads import link as find_heads
from headroles.ui.head_closeup import link as head_closeup
from headroles.ui.head_map import link as head_map
from headroles.ui.knockout_lab import link as knockout_lab
from headroles.ui.lessons import link as lessons
from headroles.ui.your_prompt import link as your_prompt
from scripts.fuzz import odd
from scripts.fuzz.cases import Case

PAGES = (
    *(answer, circuits, components, detector_lab, find_heads),
    *(head_closeup, head_map, knockout_lab, lessons, your_prompt),
)
VALUES = (
    *(
        "demo",
        "gpt2",
        "induction",
        "L0H6",
        "L0H6,L1H1",
        "all",
        "1",
        "0",
        "on",
        "true",
        "K",
        "offset:2",
    ),
    *("expression:k == q - 1", "../demo", "smollm2-135m-instruct", "The cat sat.", "repeats,3,0"),
    *("L0Q17", "L0Q17,L0K3;L1V5@H2", "H2", "8", "phi", "wrong_cells"),
    *("L3H4>logits,L1H4>L3H4.q", "L3H4>L1H4.value", "L3H4>", "paths", "noise", "4", " Mary"),
)


def case(rng: random.Random) -> Case:
    """A page's address with a few names, of which some are repeated, unknown or old."""
    rows = rng.choice(PAGES).ROWS
    query: dict[str, list[str]] = {}
    for row in rng.choices(rows, k=rng.randrange(1, 6)):
        name = rng.choice([row.name, row.name, row.old or row.name, odd.text(rng, longest=6)])
        query[name] = [_value(rng) for _ in range(rng.choice([1, 1, 1, 1, 0, 2, 9]))]
    return Case(f"{query}"[:300], lambda: _in_session(rows, query))


def _value(rng: random.Random) -> str:
    drawn = rng.random()
    if drawn < 0.5:
        return rng.choice(VALUES)
    return odd.number_text(rng) if drawn < 0.6 else odd.text(rng)


def _in_session(rows: Sequence[Row], query: dict[str, list[str]]) -> None:
    """A plain dict in place of Streamlit's session, with what every session has."""
    with mock.patch.object(st, "session_state", {session.MODEL: "demo"}):
        _read(rows, query)


def _read(rows: Sequence[Row], query: dict[str, list[str]]) -> None:
    """What can be used is written again and read as the same; the rest is a LinkError."""
    for error in link.unknown_names(query, rows):
        assert isinstance(error, LinkError)
    values, refused = {}, None
    for row in rows:
        try:
            value = row.value_in(query)
        except LinkError as error:
            refused = error
            continue
        if value is not link.ABSENT:
            values[row.name] = value
    again = link.to_query(rows, values)
    for row in rows:
        if row.name in again:
            assert row.value_in(again) == values[row.name], f"{row.name} comes back as another"
    if refused:
        raise refused
