"""Components of a matrix in words, rows and records. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from typing import TYPE_CHECKING

from headroles.export import documents
from headroles.formatting import count, decimal, percent, signed
from headroles.types import Component

if TYPE_CHECKING:
    from headroles.ablation.component_profiles import (
        Matrix,
        OnPrompt,
        OnText,
    )
    from headroles.ablation.outcomes import Comparison
    from headroles.types import Head

TRAINED = "trained"
"""As in :mod:`headroles.circuits.component_sets`."""
WORDS = {"q": "query", "k": "key", "v": "value", "o": "output"}
"""{matrix: its name in a sentence}."""
NULL = "rounding only: not to be interpreted"
ARBITRARY = "direction arbitrary: another is as large"
TINTED = 0.1
"""A token is tinted above this."""
BEFORE, AFTER = 8, 3
"""Tokens of a text that are shown around one of them."""


@dataclass(frozen=True)
class Listed:
    """One component in the list."""

    component: Component
    weight: float
    """0..1 on the prompt: mean importance, or the share of what is written for those of the SVD."""
    alive: float | None
    """0..1, the share of the prompt's tokens on which it is alive; None for those of the SVD."""
    on_text: float
    """0..1 on text: how often it is alive, or its share of what is written."""
    shares: tuple[float, ...]
    """[head] how it is shared out among the heads; they sum to 1."""
    entropy: float
    """Nats, of those shares."""
    heads: tuple[str, ...]
    """[head] what the heads are called."""
    size: float
    """``|U_c| |V_c|``."""
    remark: str
    """Why it is not to be interpreted; "" where it may be."""

    @property
    def effective(self) -> float:
        """In how many heads it is at once: e to the entropy."""
        return math.exp(self.entropy)

    @property
    def strongest(self) -> int:
        """The head with the largest share."""
        return max(range(len(self.shares)), key=self.shares.__getitem__)


def head_names(groups: Sequence[Sequence[Head]]) -> tuple[str, ...]:
    """How the heads of a matrix are called, those that share its keys or values as one.

    >>> head_names([[Head(0, 0)], [Head(0, 1)]]), head_names([[Head(0, 0), Head(0, 1)]])
    (('H0', 'H1'), ('H0–H1',))
    """
    return tuple(
        f"H{group[0].head}" if len(group) == 1 else f"H{group[0].head}–H{group[-1].head}"
        for group in groups
    )


def listed(matrix: Matrix, prompt: OnPrompt, text: OnText) -> list[Listed]:
    """All components, the one that matters most on the prompt first; what is not to be interpreted
    comes last."""
    is_trained = matrix.kind == TRAINED
    weights = (prompt.mean_importance if is_trained else prompt.shares).tolist()
    alive = prompt.alive.tolist() if is_trained else [None] * len(weights)
    on_text = (text.alive if is_trained else text.shares).tolist()
    names = head_names(matrix.heads)
    found = [
        Listed(
            Component(*matrix.place, number),
            weights[number],
            alive[number],
            on_text[number],
            tuple(matrix.spread.shares[number].tolist()),
            float(matrix.spread.entropy[number]),
            names,
            float(matrix.sizes[number]),
            NULL if matrix.null[number] else ARBITRARY if matrix.degenerate[number] else "",
        )
        for number in range(len(weights))
    ]
    return sorted(found, key=lambda one: (one.remark == NULL, -one.weight, one.component.number))


def words_of(place: tuple[int, str]) -> str:
    """A matrix in a sentence.

    >>> words_of((0, "q"))
    'the query matrix of layer 0'
    """
    return f"the {WORDS[place[1]]} matrix of layer {place[0]}"


# ------------------------------------------------------------------ the list


def needed(found: Sequence[Listed], share: float) -> int:
    """How many components it takes, the largest first, to write so much of the whole."""
    total = 0.0
    for number, one in enumerate(sorted(found, key=lambda one: -one.weight), start=1):
        total += one.weight
        if total >= share:
            return number
    return len(found)


def conclusion(matrix: Matrix, prompt: OnPrompt, found: Sequence[Listed]) -> str:
    """How many components work on the prompt, and which one first (HTML)."""
    place, first, every = words_of(matrix.place), found[0], len(found)
    where = (
        f"mostly in {first.heads[first.strongest]} alone"
        if first.effective < 1.5
        else f"spread over {decimal(first.effective, digits=1)} of {len(first.heads)} heads"
    )
    if matrix.kind != TRAINED:
        return (
            f"<b>{needed(found, 0.5)} of {count(every, 'SVD component')}</b> write half of what "
            f"{place} writes on this prompt; 90% takes {needed(found, 0.9)}. The largest share, "
            f"{percent(first.weight)}, is that of <b>{first.component.label}</b>, {where}."
        )
    alive = sum(one.alive > 0 for one in found)
    if not alive:
        return (
            f"<b>None of {count(every, 'component')}</b> of {place} is alive on this prompt "
            "(importance above 0.1 on a token): the model could do without this matrix here."
        )
    at_once = sum(one.alive for one in found)
    return (
        f"<b>{alive} of {count(every, 'component')}</b> of {place} {'is' if alive == 1 else 'are'} "
        f"alive on this prompt (causal importance above 0.1 on a token), "
        f"{decimal(at_once, digits=1)} at once on average. Most important is "
        f"<b>{first.component.label}</b> "
        f"({decimal(first.weight)}), {where}."
    )


def headers(kind: str) -> list[str]:
    """The head of :func:`rows`."""
    here = ["Importance", "Alive here", "Alive on text"]
    if kind != TRAINED:
        here = ["Share here", "Share on text"]
    return ["Component", *here, "Spread (heads)", "Strongest head", "Size", "Remark"]


def rows(found: Sequence[Listed]) -> list[list[str]]:
    """The list as a table."""
    return [_row(one) for one in found]


def without_remarks(
    names: Sequence[str], lines: Sequence[Sequence[str]]
) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """The same table without its last column, where that says nothing."""
    if any(line[-1] != "–" for line in lines):
        return names, lines
    return names[:-1], [line[:-1] for line in lines]


def _row(one: Listed) -> list[str]:
    here = (
        [percent(one.weight), percent(one.on_text)]
        if one.alive is None
        else [decimal(one.weight), percent(one.alive), percent(one.on_text)]
    )
    strongest = f"{one.heads[one.strongest]} ({percent(one.shares[one.strongest])})"
    return [
        one.component.label,
        *here,
        decimal(one.effective, digits=1),
        strongest,
        decimal(one.size),
        one.remark or "–",
    ]


def export_rows(found: Sequence[Listed]) -> list[dict[str, object]]:
    """The list for a file, with the share of every head."""
    return [
        {
            "component": one.component.label,
            "mean_importance": None if one.alive is None else one.weight,
            "alive_on_prompt": one.alive,
            "alive_on_text": None if one.alive is None else one.on_text,
            "share_written_on_prompt": one.weight if one.alive is None else None,
            "share_written_on_text": one.on_text if one.alive is None else None,
            "spread_entropy_nats": one.entropy,
            "effective_heads": one.effective,
            "size": one.size,
            "remark": one.remark,
            **{f"share_{name}": share for name, share in zip(one.heads, one.shares, strict=True)},
        }
        for one in found
    ]


# ------------------------------------------------------------------ component x head


def map_records(found: Sequence[Listed]) -> dict[str, list[dict[str, object]]]:
    """For :func:`headroles.charts.components.head_shares`: a cell per component and head, and a bar
    per component."""
    cells = [
        {
            "order": order,
            "row": one.component.label,
            "head": number,
            "name": name,
            "share": share,
            "shown": percent(share),
        }
        for order, one in enumerate(found)
        for number, (name, share) in enumerate(zip(one.heads, one.shares, strict=True))
    ]
    bars = [
        {
            "order": order,
            "row": one.component.label,
            "entropy": one.entropy,
            "part": one.entropy / math.log(len(one.heads)) if len(one.heads) > 1 else 0.0,
            "shown": decimal(one.effective, digits=1),
        }
        for order, one in enumerate(found)
    ]
    return {"cells": cells, "bars": bars}


def map_sentence(found: Sequence[Listed]) -> str:
    """How widely the shown components are spread (plain text)."""
    heads, total = len(found[0].heads), len(found)
    narrow = sum(one.effective < 1.5 for one in found)
    wide = sum(one.effective >= max(heads / 2, 1.5) for one in found)
    least = min(found, key=lambda one: one.entropy)
    return (
        f"Of these {count(total, 'component')}, {narrow} {'is' if narrow == 1 else 'are'} mostly "
        f"in one head and {wide} in half of the {count(heads, 'head')} or more at once. The most "
        f"concentrated is {least.component.label}: {percent(least.shares[least.strongest])} of it "
        f"is in {least.heads[least.strongest]}."
    )


def map_rows(found: Sequence[Listed]) -> tuple[list[str], list[list[str]]]:
    """The table twin of the map."""
    rows = [
        [
            one.component.label,
            *map(percent, one.shares),
            decimal(one.entropy),
            decimal(one.effective, digits=1),
        ]
        for one in found
    ]
    return ["Component", *found[0].heads, "Entropy (nats)", "Heads at once"], rows


def document(
    matrix: Matrix, prompt: OnPrompt, text: OnText, mapped: Sequence[Listed], *, about: str
) -> documents.Document:
    """The list and the map as one page.

    Args:
        matrix, prompt, text: the components.
        mapped: those of the map.
        about: a line under the title.
    """
    found = listed(matrix, prompt, text)
    said = plain_text(conclusion(matrix, prompt, found))
    names, cells = map_rows(mapped)
    tables = (
        ("All of them", headers(matrix.kind), rows(found)),
        ("Share in each head", names, cells),
    )
    lead = (
        documents.Text(said, "lead"),
        documents.Text(f"Text: {text_words(text)} The start token is left out.", "note"),
    )
    return documents.of_tables(
        f"Components of {words_of(matrix.place)}", tables, about=about, lead=lead
    )


def plain_text(said: str) -> str:
    """A sentence of HTML as plain text.

    >>> plain_text("<b>L0Q3</b> is alive at “&lt;b&gt;”")
    'L0Q3 is alive at “<b>”'
    """
    return unescape(re.sub("<[^>]+>", "", said))


def text_words(text: OnText) -> str:
    """What the text is, in a sentence (plain text)."""
    own = len(text.texts) - text.sentences
    more = f" and {own} held-out passages of the model's own kind of text" if own else ""
    return f"{count(text.count, 'token')} of {text.sentences} sentences of this project{more}."


def all_sentence(found: Comparison, *, is_trained: bool) -> str:
    """How near the model with all components is to the model itself (plain text)."""
    if not is_trained:
        return (
            "All SVD components of a matrix together are the matrix, so the model with all of them "
            "is the model itself."
        )
    loss = "" if found.loss_change is None else _and_loss(found.loss_change)
    return (
        "Trained components do not sum to the weights exactly. With all components of all matrices "
        f"the next guess on this prompt moves by {decimal(found.kl, digits=3)} nats (KL){loss}. "
        "What a component does is therefore compared with the model of all components, not with "
        "the model itself."
    )


def _and_loss(change: float) -> str:
    return f", and the loss changes by {signed(change, digits=3)} nats per token"
