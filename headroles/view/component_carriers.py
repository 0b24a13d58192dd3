"""What a role hangs on, in words, rows and records. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headroles.formatting import count, decimal, listing, percent, signed

if TYPE_CHECKING:
    from headroles.ablation.component_search import Hanging, Left
    from headroles.types import Head

SHOWN = 16
"""Components of the list."""
MUCH = 0.5
"""A role that loses more than this share of its activation has lost much of it."""
CLEAR = 0.1
"""Of the activation: what the components take must be so much more than what others take."""


def heads_word(heads: Sequence[Head]) -> str:
    """Whose attention it is.

    >>> from headroles.types import Head
    >>> heads_word([Head(1, 4)]), heads_word([Head(1, n) for n in range(9)])
    ('L1H4', '9 heads')
    """
    if len(heads) > 4:
        return count(len(heads), "head")
    return listing([head.label for head in heads])


def tried(
    searched: int, places: Sequence[tuple[int, str]], heads: Sequence[Head], *, listed: int
) -> str:
    """Which components of a large model are tried, and for which of its heads (plain text).

    Args:
        searched: how many components are tried.
        places: the matrices that they are of.
        heads: whose attention is measured.
        listed: how many heads the analysis lists for the role.
    """
    layers = sorted({layer for layer, _ in places})
    where = f"layer {layers[0]}" if len(layers) == 1 else "the heads' own layers"
    said = f"{searched:,} components are tried: queries and keys of {where}"
    if len(heads) < listed:
        whose = listing([head.label for head in heads])
        said += f", for {whose}, {len(heads)} of the {listed} listed heads"
    return f"{said}. Other layers can matter too, and have too many components to try here."


def conclusion(role: str, heads: Sequence[Head], points: Sequence[Left], searched: int) -> str:
    """Whether few components carry the role, beside as many others (plain text).

    Args:
        role: what it is called in a sentence, e.g. ``induction``.
        heads: whose attention it is.
        points: the model with all components first, then fewer and fewer.
        searched: how many components were tried.
    """
    whole, who = points[0].top, heads_word(heads)
    enough = next((one for one in points[1:] if one.top <= (1 - MUCH) * whole), None)
    if enough is None:
        last = points[-1]
        lead = f"No {last.count:,} components carry the {role} attention of {who}"
        return (
            f"{lead}: without the {last.count:,} (of {searched:,} tried) on which most hangs, it "
            f"falls from {decimal(whole)} to {decimal(last.top)}{_beside(last)}."
        )
    what = count(enough.count, "component")
    if enough.chance is not None and enough.chance - enough.top < CLEAR * whole:
        lead = f"Taking away {what} breaks the {role} attention of {who}, whichever they are"
    else:
        lead = f"The {role} attention of {who} hangs on few components"
    return (
        f"{lead}: without {enough.count:,} of {searched:,}, it falls from {decimal(whole)} to "
        f"{decimal(enough.top)}{_beside(enough)}."
    )


def _beside(one: Left) -> str:
    if one.chance is None:
        return ""
    said = f"; without {count(one.count, 'random other')}, to {decimal(one.chance)}"
    return said if one.svd is None else f"{said}; without as many of the SVD, to {decimal(one.svd)}"


def records(points: Sequence[Left], *, kind: str) -> tuple[list[dict], list[dict]]:
    """The lines of the chart, and the band of the random others."""
    top = "the components on which most hangs"
    lines, band = [], []
    for one in points[1:]:
        lines.append({"taken": one.count, "value": one.top, "which": top})
        if one.svd is not None:
            lines.append({"taken": one.count, "value": one.svd, "which": "as many of the SVD"})
        if one.chance is not None:
            lines.append({"taken": one.count, "value": one.chance, "which": "random others"})
            band.append(
                {"taken": one.count, "low": min(one.others), "high": max(one.others),
                 "value": one.chance}
            )  # fmt: skip
    order = {top: 0, "as many of the SVD": 1, "random others": 2}
    return sorted(lines, key=lambda line: (order[line["which"]], line["taken"])), band


def rows(points: Sequence[Left]) -> tuple[list[str], list[list[str]]]:
    """The table twin of the chart."""
    head = ["Taken away", "Left", "Random others", "of draws", "As many of the SVD"]
    return head, [
        [
            f"{one.count:,}",
            decimal(one.top),
            "–" if one.chance is None else decimal(one.chance),
            "–" if one.chance is None
            else f"{decimal(min(one.others))} to {decimal(max(one.others))}",
            "–" if one.svd is None else decimal(one.svd),
        ]
        for one in points
    ]  # fmt: skip


def left_exports(points: Sequence[Left]) -> list[dict[str, object]]:
    """The same as rows of a file."""
    return [
        {
            "taken_away": one.count,
            "activation_left": one.top,
            "random_others": one.chance,
            "random_others_low": min(one.others, default=None),
            "random_others_high": max(one.others, default=None),
            "as_many_of_the_svd": one.svd,
        }
        for one in points
    ]


LIST = ["Component", "Change", "Share of the activation", "Most of it in", "Heads at once"]
"""The head of :func:`list_rows`."""


def list_rows(found: Sequence[Hanging], spread: dict[str, tuple[str, float]]) -> list[list[str]]:
    """The components on which most hangs.

    Args:
        found: the largest drop first.
        spread: {label: the head with the largest share, effective heads}.
    """
    return [
        [
            one.component.label,
            signed(-one.drop, digits=3),
            percent(one.drop / one.before) if one.before else "–",
            spread[one.component.label][0],
            f"{spread[one.component.label][1]:.1f}",
        ]
        for one in found[:SHOWN]
    ]
