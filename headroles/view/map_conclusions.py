"""What the maps of all heads let a reader conclude, from their numbers. Pure.

>>> conclusion(model)  # doctest: +SKIP
'The most common role is Induction: 7 of 32 heads, in layer 1. Previous-token heads begin in ...'
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from headroles.formatting import listing
from headroles.roles import ROLES
from headroles.types import Head
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.view.head_maps import ModelMap


def conclusion(model: ModelMap, large: str | None = None) -> str:
    """What to conclude from the maps that are shown, in two or three sentences.

    Args:
        model: the maps.
        large: the key of the role that is shown alone; None for all of them.
    """
    if large is not None and large != "other":
        return _of_one_role(model, large)
    if large == "other":
        return model.other_map().sentence
    return _of_scores(model) if model.unit == "score" else _of_the_prompt(model)


def _active(model: ModelMap, key: str) -> list[Head]:
    """The heads that have a role here."""
    records = model.roles[key].records
    return [head for head, record in zip(model.heads, records, strict=True) if record["active"]]


def _of_one_role(model: ModelMap, key: str) -> str:
    role_map, heads = model.roles[key], _active(model, key)
    if role_map.why_nobody:
        return role_map.why_nobody
    where = f" They are in {layers_of(heads)}." if len(heads) > 1 else ""
    return f"{role_map.sentence}{where}"


def _of_scores(model: ModelMap) -> str:
    by_role = {key: _active(model, key) for key in model.roles}
    most = max(by_role, key=lambda key: len(by_role[key]))
    heads, total = by_role[most], count(len(model.heads), "head")
    sentences = [
        f"The most common role is {ROLES[most].name}: {len(heads)} of {total}"
        f"{f', in {layers_of(heads)}' if heads else ''}."
    ]
    first, second = by_role["previous_token"], by_role["induction"]
    if first and second:
        lowest = [min(head.layer for head in heads) for heads in (first, second)]
        built = ", which build on them," if lowest[0] < lowest[1] else ""
        sentences.append(
            f"Previous-token heads begin in layer {lowest[0]}, induction heads{built} in layer "
            f"{lowest[1]}."
        )
    if not model.is_whole:
        return " ".join(sentences)
    others = count(len(model.other), "head")
    sentences.append(f"{others} {'has' if len(model.other) == 1 else 'have'} none of the roles.")
    return " ".join(sentences)


def _of_the_prompt(model: ModelMap) -> str:
    """How many heads do the work of a role, and how many of those no list names for it."""
    busy = len(model.heads) - len(model.other)
    sentence = (
        f"On this prompt, {busy} of {count(len(model.heads), 'head')} "
        f"{'does' if busy == 1 else 'do'} a role's job."
    )
    beyond: dict[Head, tuple[float, str]] = {}
    for key, role_map in model.roles.items():
        for head, record in zip(model.heads, role_map.records, strict=True):
            if record["active"] and not record["listed"]:
                value = float(record["value"])
                beyond[head] = max((value, ROLES[key].name), beyond.get(head, (0.0, "")))
    if not model.calibrated or not busy:
        return sentence
    if not beyond:
        return f"{sentence} {'It is' if busy == 1 else 'All of them are'} listed for it."
    best = sorted(beyond, key=lambda head: -beyond[head][0])[:3]
    named = listing([f"{head.label} ({beyond[head][1]})" for head in best])
    one = len(beyond) == 1
    example = named if len(beyond) <= len(best) else f"for example {named}"
    return f"{sentence} {len(beyond)} {'is' if one else 'are'} not listed for it: {example}."


def layers_of(heads: Collection[Head]) -> str:
    """The layers of some heads, of which there is at least one.

    >>> layers_of([Head(2, 0)]), layers_of([Head(1, 0), Head(2, 3), Head(3, 0)])
    ('layer 2', 'layers 1 to 3')
    >>> layers_of([Head(0, 0), Head(4, 0)]), layers_of([Head(n, 0) for n in (0, 2, 5, 9, 12)])
    ('layers 0 and 4', '5 layers between 0 and 12')
    """
    layers = sorted({head.layer for head in heads})
    first, last = layers[0], layers[-1]
    if len(layers) == 1:
        return f"layer {first}"
    if len(layers) > 2 and last - first == len(layers) - 1:
        return f"layers {first} to {last}"
    if len(layers) > 4:
        return f"{len(layers)} layers between {first} and {last}"
    return f"layers {listing(list(map(str, layers)))}"
