"""A passage that shows what a head does: its tokens tinted, and the same in a sentence. Pure.

An example is stored as numbers (:data:`headroles.store.real_text.Example`): passage, query position
and activation, then key position and weight by turns, weights in thousandths.

>>> say(["<s>", "The", " cat", " sat"], [0, 3, 900, 2, 900, 0, 100])
'“·sat” (3) looks at “·cat” (2) with 90% of its attention; 10% is on the start token.'
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from headroles.formatting import listing, percent, quoted, visible

if TYPE_CHECKING:
    from headroles.store.real_text import StoredPassage

BEFORE, AFTER = 8, 4
"""Tokens that are shown before and after each token that matters."""
LEAST = 0.02
"""0..1, keys with less attention are not tinted."""
_BLANK_LINES = re.compile(r"\n{2,}")
STEPS = (0.1, 0.3, 0.6)
"""0..1, where a stronger tint begins."""


def weights(example: Sequence[int]) -> dict[int, float]:
    """{key: attention} of an example, the start token and small ones included."""
    return {key: weight / 1000 for key, weight in zip(example[3::2], example[4::2], strict=False)}


def say(tokens: Sequence[str], example: Sequence[int]) -> str:
    """What the token of an example looks at."""
    query, by_key = example[1], weights(example)
    looks = [
        f"{quoted(tokens[key])} ({key}) with {percent(weight)}"
        for key, weight in by_key.items()
        if key and weight >= LEAST and key < len(tokens)
    ]
    said = f"{quoted(tokens[query])} ({query})"
    rests = by_key.get(0, 0.0)
    if not looks:
        return f"{said} looks at no single token; {percent(rests)} is on the start token."
    said += f" looks at {listing(looks)} of its attention"
    return f"{said}; {percent(rests)} is on the start token." if rests >= LEAST else f"{said}."


def around(tokens: Sequence[str], example: Sequence[int]) -> list[int]:
    """The positions that are shown: those near the token that looks and near what it looks at."""
    keys = [key for key, weight in weights(example).items() if key and weight >= LEAST]
    shown = {
        place
        for mark in (example[1], *(key for key in keys if key < len(tokens)))
        for place in range(max(1, mark - BEFORE), min(len(tokens), mark + AFTER + 1))
    }
    return sorted(shown)


def tinted(tokens: Sequence[str], example: Sequence[int]) -> str:
    """HTML: the passage around the token and what it looks at, with what is left out as dots."""
    query, by_key = example[1], weights(example)
    keys = {
        key: weight for key, weight in by_key.items() if 0 < key < len(tokens) and weight >= LEAST
    }
    pieces, last = [], 0
    for place in around(tokens, example):
        if place != last + 1:
            pieces.append('<span class="hr-gap">…</span>')
        pieces.append(_token(tokens[place], keys.get(place), is_query=place == query))
        last = place
    if last + 1 < len(tokens):
        pieces.append('<span class="hr-gap">…</span>')
    label = escape(say(tokens, example), quote=True)
    return f'<div class="hr-passage" role="group" aria-label="{label}">{"".join(pieces)}</div>'


def _token(text: str, weight: float | None, *, is_query: bool) -> str:
    if weight is None and not is_query:
        return escape(_BLANK_LINES.sub("\n", text))
    # A box around a line break would be torn in two: the space before a word stays outside.
    word = text.lstrip()
    before, inside = text[: len(text) - len(word)], escape(word or visible(text))
    if weight is not None:
        shade = sum(weight >= step for step in STEPS)
        inside += f"<sup>{percent(weight)}</sup>"
        inside = f'<mark class="hr-look hr-look-{shade}">{inside}</mark>'
    if is_query:
        inside = f'<b class="hr-asks">{inside}</b>'
    # Of a token that is nothing but space, the sign that stands for it comes first.
    return escape(before) + inside if word else inside + escape(text)


def where(passage: StoredPassage, sources: dict[str, str]) -> str:
    """Where a passage stands.

    Args:
        passage: as it is stored.
        sources: {key: name}.
    """
    source = sources.get(passage.source, passage.source)
    return f"{source}: {passage.document}, passage {passage.place + 1}"


def missing(passage: StoredPassage, python: str) -> str:
    """What stands in place of a passage that this machine has not."""
    return (
        f"Passage {passage.place + 1} of {passage.document} is not among the texts of this "
        f"machine: it was read with Python {python}."
    )


LEGEND = (
    '<div class="hr-legend"><span><b class="hr-asks">token</b> the token that looks</span>'
    '<span><mark class="hr-look hr-look-1">token<sup>34%</sup></mark> what it looks at, with how '
    "much of its attention</span></div>"
)
