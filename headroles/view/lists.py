"""How many heads have a role, and which of them its list shows, in words. Pure: no Streamlit.

>>> list_sentence(entry, "positional")  # doctest: +SKIP
'8 of the 190 heads over the threshold and at rest are listed (8 at most).'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headroles.roles import ROLES

if TYPE_CHECKING:
    from headroles.store import ModelEntry


def list_sentence(entry: ModelEntry, role_key: str) -> str:
    """How many heads are over a role's threshold, and how many of them are listed.

    Empty where no head is over the threshold and none is listed.
    """
    if entry.made_elsewhere:
        return _made_elsewhere(entry, role_key)
    stored = entry.role(role_key)
    over, tops = entry.heads_over(role_key), stored.category.top_heads
    shown = [top for top in tops if stored.fits(top.place, stored.category.threshold or 0.0)]
    below = len(tops) - len(shown)
    threshold = "the threshold" + " and at rest" * stored.has_second_witness
    if not tops:
        them = "1 head is" if over == 1 else f"{over} heads are"
        return f"{them} over {threshold}, but not listed: {_unlisted(role_key)}." if over else ""
    if not shown:
        return f"No head is over {threshold}; {_below(below)}."
    if len(shown) == over:
        which = {1: "The only head", 2: "Both heads"}.get(over, f"All {over} heads")
        sentence = f"{which} over {threshold} {'is' if over == 1 else 'are'} listed"
    else:
        most = f" ({entry.cap} at most)" if len(tops) == entry.cap else ""
        listed = "is listed" if len(shown) == 1 else "are listed"
        sentence = f"{len(shown)} of the {over} heads over {threshold} {listed}{most}"
    if spread := sum(top.entered_by == "layer diversity" for top in shown):
        sentence += f", {spread} of them as the best of {_their(spread)} layer"
    if below:
        sentence += f"; {_below(below, ' more')}"
    if len(shown) < over and ROLES[role_key].selection == "steady" and len(tops) < entry.cap:
        sentence += f". The others are not: {_unlisted(role_key)}"
    return f"{sentence}."


def _made_elsewhere(entry: ModelEntry, role_key: str) -> str:
    listed = len(entry.listed(role_key))
    if not listed:
        return ""
    which = "It is" if listed == 1 else f"These {listed} heads are"
    return f"{which} listed in a file that was made elsewhere."


def _below(heads: int, more: str = "") -> str:
    is_listed = "is listed as the best of its" if heads == 1 else "are listed as the best of their"
    return f"{heads}{more} below it {is_listed} layer"


def _their(heads: int) -> str:
    return "its" if heads == 1 else "their"


def _unlisted(role_key: str) -> str:
    """Why a role that lists steady heads alone leaves out some that are over its threshold."""
    unsteady = "their scores are too uncertain"
    return f"{unsteady}, or they look one token back" if ROLES[role_key].at_distance else unsteady
