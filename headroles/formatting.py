"""How shares, lists and tokens are put into words, wherever a sentence is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

from collections.abc import Sequence

SPACES = {" ": "·", "\n": "↵", "\t": "⇥", "\r": "␍"}
"""How white space is made visible."""


def visible(token: str) -> str:
    """A token with its spaces and line ends made visible.

    >>> visible(" cat")
    '·cat'
    """
    return "".join(SPACES.get(character, character) for character in token) or "∅"


def percent(share: float) -> str:
    """A share of 1 in whole percent; a small one is not rounded to nothing.

    >>> percent(0.974), percent(0.002), percent(0)
    ('97%', '<1%', '0%')
    """
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"


def listing(parts: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(parts[:-1]), parts[-1]])) if parts else ""


def in_one_line(token: str) -> str:
    """A token for the middle of a sentence: its spaces stay, its line ends become marks.

    >>> in_one_line(" cat"), in_one_line("\\n")
    (' cat', '↵')
    """
    return "".join(c if c == " " else SPACES.get(c, c) for c in token)


def ordinal(number: int) -> str:
    """A place in an order.

    >>> ordinal(1), ordinal(12), ordinal(23)
    ('1st', '12th', '23rd')
    """
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
