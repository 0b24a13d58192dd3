"""What a finished analysis says of one role, as the records of charts and tables. Pure.

>>> role_map(entry, "induction").sentence  # doctest: +SKIP
'4 of 32 heads reach the threshold of Induction, 0.43. The highest is L1H4, with 0.97.'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from headroles import scoring
from headroles.formatting import count
from headroles.roles import BASIC_ROLES, CLASSIC, ROLES, KnownHead, named_heads
from headroles.view import causal, head_maps

if TYPE_CHECKING:
    from headroles.store import ModelEntry, TopHead
    from headroles.view.head_maps import RoleMap


def role_map(entry: ModelEntry, key: str) -> RoleMap:
    """Every head's score in a basic role, for the map and the distribution."""
    return head_maps.stored_map(entry.role(key))


def top_rows(entry: ModelEntry, key: str) -> list[list[str]]:
    """The table of a role's heads, best first: head, score, error, between kinds and control if
    any, entered by, and what knocking it out showed on each kind of text, if that was tried."""
    stored = entry.role(key)

    def kinds(top: TopHead) -> list[str]:
        error = stored.kind_error(top.place)
        return [] if error is None else [f"{error:.3f}"]

    def control(top: TopHead) -> list[str]:
        if key not in entry.controls:
            return []
        return ["–" if top.control is None else f"{top.control:.3f}"]

    return [
        [
            f"{place}. {top.place.label}",
            f"{top.score:.3f}",
            "–" if top.standard_error is None else f"± {top.standard_error:.3f}",
            *kinds(top),
            *control(top),
            top.entered_by,
            *causal.cells(entry.causal.get(key), top.place),
        ]
        for place, top in enumerate(entry.categories[key].top_heads, start=1)
    ]


def map_sentence(entry: ModelEntry, key: str) -> str:
    """The take-away of the map and of the distribution of a role."""
    return f"{ROLES[key].name}: {role_map(entry, key).sentence}"


def classic_sentence(entry: ModelEntry, key: str) -> str:
    """What one threshold for every model would say; empty where it is the role's own, or where
    scores are no attention on cells."""
    role, threshold = ROLES[key], entry.categories[key].threshold
    if not role.has_cells or threshold in (None, CLASSIC):
        return ""
    over, heads = entry.heads_over(key, CLASSIC), entry.num_layers * entry.num_heads
    return f"{over} of {count(heads, 'head')} would reach the classic {CLASSIC:.2f}."


def order_sentence(entry: ModelEntry, key: str) -> str:
    """How a role's list is cut and ordered."""
    role, over = ROLES[key], entry.heads_over(key)
    if role.selection != "diverse":
        return ""
    if over <= entry.cap:
        return f"At most {entry.cap}, by score."
    places = entry.cap // scoring.FOR_LAYERS
    rest = " and rest" * entry.role(key).has_second_witness
    by_score = f"{entry.cap} of the {over} heads that reach the threshold{rest}, by score"
    if not places:
        return f"{by_score}."
    return (
        f"{by_score}: {entry.cap - places} for the highest scores, {places} first for the best "
        f"heads of other layers."
    )


class Known(NamedTuple):
    """A head that a source names, beside what the analysis says of it."""

    known: KnownHead
    """What the source says."""
    score: float | None
    """0..1, the analysis' score of that head for that role; None where it has none."""
    listed: bool
    """Whether the analysis lists it."""


def known_in(entry: ModelEntry, basis: str) -> list[Known]:
    """The heads that sources name for this model, for scored roles, by one kind of evidence."""
    named = []
    for known in named_heads(entry.model_name):
        inside = known.head.layer < entry.num_layers and known.head.head < entry.num_heads
        if known.basis == basis and known.role in BASIC_ROLES and inside:
            stored = entry.role(known.role)
            named.append(Known(known, stored.score(known.head), known.head in stored.listed))
    return named


def tally(heads: list[Known]) -> tuple[int, int]:
    """How many are listed, out of how many; a head that two sources name counts once per role."""
    named = {(entry.known.role, entry.known.head): entry.listed for entry in heads}
    return sum(named.values()), len(named)
