"""How many heads have a role, and which of them its list shows, in words. Pure: no Streamlit.

>>> list_sentence(entry, "positional")  # doctest: +SKIP
'8 of the 142 heads that rest on many texts are listed (8 at most), the strongest first.'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headroles.roles import ROLES

if TYPE_CHECKING:
    from headroles.store import ModelEntry, TopHead


def list_sentence(entry: ModelEntry, role_key: str) -> str:
    """How many heads are over a role's threshold, how many of them are listed, in which order.

    Empty where no head is over the threshold and none is listed.
    """
    # Of resting, :meth:`heads_over` counts those that do; others look at the first token and work.
    who = "that rest on many texts" if role_key == "positional" else "over the threshold"
    over, tops = entry.heads_over(role_key), entry.role(role_key).category.top_heads
    shown = [top for top in tops if _is_over(entry, role_key, top)]
    below = len(tops) - len(shown)
    if not tops:
        them = "1 head is" if over == 1 else f"{over} heads are"
        return f"{them} {who}, but not listed: {_unlisted(role_key)}." if over else ""
    if not shown:
        return f"No head is over the threshold; {_below(below)}."
    if len(shown) == over:
        which = {1: "The only head", 2: "Both heads"}.get(over, f"All {over} heads")
        sentence = f"{which} {who} {'is' if over == 1 else 'are'} listed"
    else:
        most = f" ({entry.cap} at most)" if len(tops) == entry.cap else ""
        listed = "is listed" if len(shown) == 1 else "are listed"
        sentence = f"{len(shown)} of the {over} heads {who} {listed}{most}"
    if len(tops) > 1:
        sentence += ", the strongest first"
    if spread := sum(top.entered_by == "layer diversity" for top in shown):
        sentence += f", {spread} of them as the best of {_their(spread)} layer"
    if below:
        sentence += f"; {_below(below, ' more')}"
    if len(shown) < over and ROLES[role_key].selection == "steady" and len(tops) < entry.cap:
        sentence += f". The others are not: {_unlisted(role_key)}"
    return f"{sentence}."


def _is_over(entry: ModelEntry, role_key: str, top: TopHead) -> bool:
    sign = entry.role(role_key).role.sign or 1
    return sign * top.score >= (entry.categories[role_key].threshold or 0.0)


def _below(heads: int, more: str = "") -> str:
    is_listed = "is listed as the best of its" if heads == 1 else "are listed as the best of their"
    return f"{heads}{more} below it {is_listed} layer"


def _their(heads: int) -> str:
    return "its" if heads == 1 else "their"


def _unlisted(role_key: str) -> str:
    """Why a role that lists steady heads alone leaves out some that are over its threshold."""
    unsteady = "their scores are too uncertain"
    return f"{unsteady}, or they look one token back" if ROLES[role_key].at_distance else unsteady
