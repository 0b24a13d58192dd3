"""How numbers, times, sizes, lists and tokens are written in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import humanize

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


def told_apart(share: float, other: float) -> tuple[str, str]:
    """Two shares of 1 in percent, with a decimal where whole ones would look alike.

    >>> told_apart(0.409, 0.406), told_apart(0.45, 0.4)
    (('40.9%', '40.6%'), ('45%', '40%'))
    """
    whole = percent(share), percent(other)
    return whole if whole[0] != whole[1] else (f"{share:.1%}", f"{other:.1%}")


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

    >>> ordinal(1), ordinal(12), ordinal(23), ordinal(1001)
    ('1st', '12th', '23rd', '1,001st')
    """
    return f"{number:,}{humanize.ordinal(number)[-2:]}"


def true_minus(text: str) -> str:
    """A text whose hyphens stand before numbers, with real minus signs instead."""
    return text.replace("-", "−")


def decimal(value: float, *, digits: int = 2) -> str:
    """A number with a real minus sign; what rounds to nothing has none.

    >>> decimal(-0.5), decimal(0.25), decimal(-0.001)
    ('−0.50', '0.25', '0.00')
    """
    return true_minus(f"{value:z.{digits}f}")


def signed(value: float, *, digits: int = 2) -> str:
    """A change with its sign; what rounds to nothing is neither up nor down.

    >>> signed(0.0126, digits=3), signed(-0.5), signed(-0.0001, digits=3)
    ('+0.013', '−0.50', '0.000')
    """
    text = decimal(value, digits=digits)
    return f"+{text}" if value > 0 and float(f"{value:.{digits}f}") else text


def duration(seconds: float) -> str:
    """A time that passed, to the second below ten minutes.

    >>> duration(7.6), duration(80), duration(7500)
    ('8 s', '1 min 20 s', '2 h 5 min')
    """
    minutes, left = divmod(max(round(seconds), 0), 60)
    if minutes >= 60:
        hours, minutes = divmod(minutes, 60)
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    if minutes >= 10 or (minutes and not left):
        return f"{minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def rough_duration(seconds: float) -> str:
    """A guessed time: no more digits than a guess has.

    >>> rough_duration(3), rough_duration(47), rough_duration(130), rough_duration(5000)
    ('5 s', '50 s', '2 min', '1 h 25 min')
    """
    if seconds < 55:
        step = 5 if seconds < 20 else 10
        return f"{max(step * round(seconds / step), step)} s"
    if seconds < 600:
        return f"{max(round(seconds / 60), 1)} min"
    return duration(300 * round(seconds / 300))


def size(number: float) -> str:
    """Bytes in decimal units, as disks and models are sold.

    >>> size(1), size(900), size(54_300), size(1_250_000), size(722_300_000), size(2_000_000_000)
    ('1 byte', '900 bytes', '54 kB', '1.2 MB', '722 MB', '2.0 GB')
    """
    digits = 1 if 1e6 <= number < 1e7 or number >= 1e9 else 0
    return humanize.naturalsize(number, format=f"%.{digits}f").replace("Byte", "byte")
