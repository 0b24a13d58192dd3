"""What a head does where a random segment stands twice, in sentences. Pure.

>>> from headroles.scoring import Stripes
>>> stripes_sentence("L1H4", Stripes(20, 20, after=0.97, copy=0.0, before=0.01, first=0.01))
'In the second copy, L1H4 puts 97% of its attention 19 tokens back, on the token that came after \
the first copy: the stripe of an induction head. Its own first copy gets 0%, the token just before \
1%, the first token 1%.'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headroles.formatting import percent
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.scoring import Stripes

CLEAR = 0.3
"""0..1, a stripe with less than this is called none."""


def about(stripes: Stripes | None, seed: int) -> str:
    """What was run."""
    if stripes is None:  # the model reads fewer tokens than a segment has
        return f"Random tokens (seed {seed}), of which nothing stands twice."
    cut = "" if stripes.rows == stripes.segment else ", cut off where the model stops reading"
    return (
        f"{count(stripes.segment, 'random token')}, then the same again{cut} (seed {seed}). They "
        "mean nothing, so a head can go by copies and by position only."
    )


def stripes_sentence(head: str, stripes: Stripes | None) -> str:
    """The strongest stripe of a head, and the others beside it; empty without a second copy."""
    if stripes is None:
        return ""
    shares = {
        "after": stripes.after,
        "copy": stripes.copy,
        "before": stripes.before,
        "first": stripes.first,
    }
    best = max(shares, key=shares.get)
    names = {
        "copy": "its own first copy",
        "after": "the token that came after the first copy",
        "before": "the token just before",
        "first": "the first token",
    }
    back = count(stripes.segment - 1, "token") + " back"
    told = {
        "after": f"{back}, on {names['after']}: the stripe of an induction head",
        "copy": f"on {names['copy']}, {count(stripes.segment, 'token')} back: the stripe of a "
        "duplicate-token head",
        "before": f"on {names['before']}: the line beside the diagonal of a previous-token head",
        "first": f"on {names['first']}: it rests here, and draws no stripe",
    }
    others = [(names[key], percent(shares[key])) for key in names if key != best]
    (first, share), *more = others
    rest = f"{first[:1].upper()}{first[1:]} gets {share}, " + ", ".join(
        f"{name} {share}" for name, share in more
    )
    if shares[best] < CLEAR:
        return (
            f"In the second copy, {head} draws no clear stripe: at most {percent(shares[best])} of "
            f"its attention goes to {names[best]}. {rest}."
        )
    return (
        f"In the second copy, {head} puts {percent(shares[best])} of its attention {told[best]}. "
        f"{rest}."
    )
