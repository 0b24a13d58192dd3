"""What is said about heads that are like a chosen one: rows, sentences, what each way means. Pure.

>>> more_than(0.9987)
'99.8%'
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch

from headroles import corpus
from headroles.formatting import count, percent, signed
from headroles.scoring import likeness
from headroles.types import Head
from headroles.view.head_records import head_record

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from headroles.circuits.likeness import WeightLikeness
    from headroles.store.real_text import Profiles


class Way(NamedTuple):
    """One way of holding two heads against each other."""

    name: str
    """On its button."""
    column: str
    """The head of its column."""
    means: str
    """What its number is, in two sentences."""
    is_share: bool
    """Whether it runs from 0 to 100%; else it is a cosine from −1 to 1."""


WAYS = {
    "profile": Way(
        "Attention profile",
        "Alike",
        "Where their attention goes on real text, by five views: how far back, to copies of the "
        "token or what followed them, to which sort of token (each the overlap of what does not "
        "rest on the first token), how much rests there, and how even it is. The number is the "
        "mean of the five; 100% is the same in all of them.",
        True,
    ),
    "pattern": Way(
        "Same cells",
        "Alike",
        "Whether they look at the same cells of the same text, token by token: the cosine of their "
        "patterns without the first column. 100% is the same pattern (or a multiple of it), 0% no "
        "cell that both look at.",
        True,
    ),
    "weights": Way(
        "Weights",
        "Alike",
        "What they are made to look for (QK) and to write (OV), whatever the text: the cosines of "
        "these matrices, and their mean. +1 is the same matrix, 0 nothing in common, −1 the "
        "opposite. Positions that a model turns into queries and keys are left out.",
        False,
    ),
    "writes": Way(
        "What they write",
        "Alike",
        "Whether they write the same into the residual stream at the same tokens of real text: the "
        "cosine of their outputs, without what each writes everywhere alike. +1 is the same, 0 "
        "nothing in common, −1 the opposite, as if one undid the other. What the rest of the model "
        "makes of it is not part of it.",
        False,
    ),
}
"""{key: way}."""


@dataclass(frozen=True, eq=False)
class Compared:
    """A chosen head held against the heads of its own model or of another."""

    way: str
    """A key of :data:`WAYS`."""
    head: Head
    """The chosen one."""
    others: tuple[Head, ...]
    """The heads that it is held against, itself among them in its own model."""
    same_model: bool
    """Whether they are of its own model."""
    total: Float[Tensor, " other"]
    """[other] how alike they are."""
    parts: Mapping[str, Float[Tensor, " other"]]
    """{name: [other]} what that is the mean of; empty where it is one number."""
    pairs: Float[Tensor, " pair"]
    """[pair] the same number of pairs of heads, for what is usual."""
    pairs_are: str
    """Which pairs these are: ``all 496 pairs of heads of this model``."""
    on: str
    """On what: ``1,909 tokens of Python’s manual``; empty for weights."""

    @property
    def is_share(self) -> bool:
        """Whether its numbers run from 0 to 100%; else they are cosines."""
        return WAYS[self.way].is_share

    @property
    def ranking(self) -> list[int]:
        """Places in ``others``, the most alike first; the chosen head itself is left out."""
        order = self.total.argsort(descending=True, stable=True).tolist()
        return [
            place for place in order if not (self.same_model and self.others[place] == self.head)
        ]

    def below(self, place: int) -> float:
        """0..1, the share of pairs that are less alike."""
        return likeness.share_below(float(self.total[place]), self.pairs)

    def shown(self, value: float) -> str:
        """A number as people read it."""
        return percent(value) if self.is_share else signed(value)

    def named(self, value: float) -> str:
        """The same with what it is."""
        shown = self.shown(value)
        return f"{shown} alike" if self.is_share else f"a cosine of {shown}"


def by_profile(
    head: Head, own: Profiles, there: Profiles | None = None, *, on: str = ""
) -> Compared:
    """A head held against all heads of its model, or of another, by attention profile.

    Args:
        head: the chosen one.
        own: its model's profiles.
        there: the other model's; None for its own.
        on: what they were measured on.
    """
    found = corpus.likeness.by_profile(own, own if there is None else there)
    total, names = found.total, corpus.likeness.PARTS
    place = head.layer * len(own.first[0]) + head.head
    other = (there or own).first
    return Compared(
        "profile",
        head,
        tuple(Head.every(len(other), len(other[0]))),
        there is None,
        total[place],
        {names[key].capitalize(): part[place] for key, part in found.parts.items()},
        likeness.pairs(total, same=there is None),
        all_pairs_words(len(total), None if there is None else total.shape[1]),
        on,
    )


def by_cosines(
    way: str,
    head: Head,
    cosines: Float[Tensor, "head other"],
    shape: tuple[int, int],
    *,
    on: str,
) -> Compared:
    """A head held against all heads of its model, by patterns cell by cell or by what they write.

    Args:
        way: ``pattern`` or ``writes``.
        head: the chosen one.
        cosines: of every head with every head.
        shape: layers and heads.
        on: what they were measured on.
    """
    return Compared(
        way,
        head,
        tuple(Head.every(*shape)),
        True,
        cosines[head.layer * shape[1] + head.head],
        {},
        likeness.pairs(cosines, same=True),
        all_pairs_words(len(cosines)),
        on,
    )


def by_weights(
    head: Head,
    shape: tuple[int, int],
    found: Sequence[WeightLikeness],
    usual: Sequence[WeightLikeness],
) -> Compared:
    """A head held against all heads of its model by weights.

    Args:
        head: the chosen one.
        shape: layers and heads.
        found: the cosines with all heads, layer by layer.
        usual: those of other pairs.
    """
    qk, ov = (torch.cat([getattr(one, name) for one in found]) for name in ("qk", "ov"))
    pairs = torch.cat([one.both for one in usual]) if usual else torch.empty(0)
    heads = shape[0] * shape[1]
    drawn = len(pairs) < heads * (heads - 1) // 2
    words = f"{len(pairs):,} random pairs of heads of this model"
    return Compared(
        "weights",
        head,
        tuple(Head.every(*shape)),
        True,
        (qk + ov) / 2,
        {"QK": qk, "OV": ov},
        pairs,
        words if drawn else all_pairs_words(heads),
        "",
    )


def more_than(share: float) -> str:
    """A share of pairs, never rounded up: 99.96% of them is not all.

    >>> more_than(0.5), more_than(0.99996)
    ('50.0%', '99.9%')
    """
    return f"{in_tenths(share):.1f}%"


def in_tenths(share: float) -> float:
    """A share in percent, rounded down to a tenth."""
    return math.floor(1000 * share + 1e-9) / 10


def conclusion(found: Compared, *, names: tuple[str, str]) -> str:
    """The head that is most like the chosen one, and how unusual that is.

    Args:
        found: the comparison.
        names: of the chosen head's model, and of the others'.
    """
    if not found.ranking:
        return f"{found.head.label} is the only head of {names[0]}."
    best = found.ranking[0]
    other = found.others[best]
    where = "" if found.same_model else f" of {names[1]}"
    own = "" if found.same_model else f" of {names[0]}"
    below, value = found.below(best), float(found.total[best])
    usual = (
        f"that is nothing special among {found.pairs_are}" if below < 0.6
        else f"more than {more_than(below)} of {found.pairs_are}" if below < 1
        else f"more than any of {found.pairs_are}"
    )  # fmt: skip
    return (
        f"Most like {found.head.label}{own} is {other.label}{where}: {found.named(value)}, {usual}."
    )


def usual_sentence(found: Compared) -> str:
    """What is usual: the middle and the upper end of the pairs."""
    if not len(found.pairs):
        return ""
    middle, high = found.pairs.double().quantile(torch.tensor([0.5, 0.99]).double()).tolist()
    return (
        f"What is usual: half of {found.pairs_are} reach {found.shown(middle)}, and 1% of them "
        f"{found.shown(high)}."
    )


def rows(
    found: Compared, *, roles: Mapping[str, str], most: int | None = None
) -> list[dict[str, object]]:
    """The heads, the most alike first, for a file.

    Args:
        found: the comparison.
        roles: {label of another head: the roles that list it, in words}.
        most: how many; None for all.
    """
    return [
        {
            "rank": rank,
            "label": found.others[place].label,
            "layer": found.others[place].layer,
            "head": found.others[place].head,
            "alike": float(found.total[place]),
            "share_of_pairs_less_alike": found.below(place),
            **{name: float(part[place]) for name, part in found.parts.items()},
            "roles": roles.get(found.others[place].label, ""),
        }
        for rank, place in enumerate(found.ranking[:most], start=1)
    ]


def map_records(found: Compared) -> list[dict[str, object]]:
    """How alike every head is to the chosen one, for a map; a likeness below zero is orange."""
    signed_map = not found.is_share
    places = found.ranking
    most = max((abs(float(found.total[place])) for place in places), default=1.0) or 1.0
    records = []
    for place, head in enumerate(found.others):
        value = float(found.total[place])
        itself = found.same_model and head == found.head
        records.append(
            head_record(
                head,
                None if itself else value,
                most=most if signed_map and not itself else None,
                shade=None if signed_map else found.below(place),
                number="" if itself else f"{100 * value:.0f}" if not signed_map else signed(value),
                shown="the chosen head" if itself else found.named(value),
            )
        )
    return records


def all_pairs_words(heads: int, others: int | None = None) -> str:
    """Which pairs are counted: of one model, or of two.

    >>> all_pairs_words(32), all_pairs_words(32, 270)
    ('all 496 pairs of heads of this model', 'all 8,640 pairs of one head of each model')
    """
    if others is None:
        pairs = heads * (heads - 1) // 2
        return f"{'all ' if pairs > 1 else ''}{count(pairs, 'pair')} of heads of this model"
    return f"all {count(heads * others, 'pair')} of one head of each model"


def about(found: Compared, *, other: str | None = None) -> dict[str, object]:
    """What stands above a table of likeness."""
    return {
        "head": found.head.label,
        "other_model": other,
        "by": found.way,
        "means": WAYS[found.way].means,
        "read": found.on or None,
        "pairs": found.pairs_are,
    }
