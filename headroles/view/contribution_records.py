"""Records and rows of a taken-apart logit, for charts and tables. Pure.

What is said about them is in :mod:`headroles.view.contributions`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from headroles.formatting import count, decimal, percent, signed
from headroles.roles import ROLES, SCORED_ROLES
from headroles.types import Head
from headroles.view.contributions import (
    beside_chance,
    beyond_chance,
    most_looked_at,
    ranked,
)
from headroles.view.head_records import head_record, signed_number
from headroles.view.without_head import LITTLE, value_of

if TYPE_CHECKING:
    from headroles.attribution import Chance, Contributions
    from headroles.store import ModelEntry

RESTING = ROLES["positional"].name
"""A head that is listed for nothing else gets no mark: resting writes nothing."""
KEYS_SHOWN = 12
"""Most tokens of the chart of one head."""


def roles_of(entry: ModelEntry | None) -> dict[str, str]:
    """{label of a head: the roles that list it, in words}; empty without an analysis."""
    if entry is None:
        return {}
    words: dict[str, list[str]] = {}
    of_roles = [(stored.role.name, stored.listed) for stored in entry.extended.values()]
    of_roles += [(role.name, entry.listed(role.key)) for role in SCORED_ROLES]
    for name, heads in of_roles:
        for head in heads:
            words.setdefault(head.label, []).append(name)
    return {label: ", ".join(names) for label, names in words.items()}


def map_records(
    parts: Contributions, *, clear: Iterable[Head] = (), roles: Mapping[str, str] | None = None
) -> list[dict[str, object]]:
    """One record per head for the map: :func:`headroles.view.head_records.head_record`.

    Args:
        parts: the contributions.
        clear: the heads that get a ring: they wrote more than by chance.
        roles: {label of a head: the roles that list it, in words}.
    """
    ringed, roles = set(clear), roles or {}
    limit = max(float(parts.heads.abs().max()), LITTLE)
    records = []
    for head in Head.every(*parts.heads.shape):
        value = value_of(parts, head)
        way = "next to nothing" if abs(value) < LITTLE else "for it" if value > 0 else "against it"
        words = [f"{signed(value)} logits, {way}"]
        words += ["more than on other prompts"] * (head in ringed)
        records.append(
            head_record(
                head,
                value,
                most=limit,
                number=signed_number(value, 1),
                active=head in ringed,
                mark="" if roles.get(head.label, RESTING) == RESTING else roles[head.label],
                shown=", ".join(words),
            )
        )
    return records


def sum_records(parts: Contributions) -> list[dict[str, object]]:
    """One record per kind of part, each a bar that begins where the one before it ended, and the
    whole: name, start, end, value, shown, whole."""
    layers, width = parts.heads.shape
    named = [
        ("token embedding", parts.embedding),
        ("position embedding", parts.positions),
        (count(layers * width, "head"), float(parts.heads.double().sum())),
        (count(layers, "MLP"), float(parts.mlps.double().sum())),
        ("attention biases", float(parts.attention_biases.double().sum())),
        ("final bias", parts.final_bias),
    ]
    records, at = [], 0.0
    for name, value in named:
        if value or name == named[2][0]:
            records.append(_sum(len(records), name, at, at + value, signed(value)))
            at += value
    return [*records, _sum(len(records), "sum", 0.0, at, decimal(at), whole=True)]


def _sum(
    order: int, name: str, start: float, end: float, shown: str, *, whole: bool = False
) -> dict[str, object]:
    return {
        "order": order,
        "name": name,
        "start": start,
        "end": end,
        "right": max(start, end),
        "value": end - start,
        "against": end < start,
        "shown": shown,
        "whole": whole,
    }


def layer_records(parts: Contributions) -> list[dict[str, object]]:
    """Two records per layer: what its heads together and its MLP added, in logits."""
    heads = (parts.heads.double().sum(1) + parts.attention_biases.double()).tolist()
    return [
        {"layer": layer, "who": who, "value": value, "shown": signed(value)}
        for layer, both in enumerate(zip(heads, parts.mlps.tolist(), strict=True))
        for who, value in zip(("heads", "MLP"), both, strict=True)
    ]


def layers_sentence(parts: Contributions) -> str:
    """The take-away of the chart of layers (plain text)."""
    records = layer_records(parts)
    best = max(records, key=lambda record: record["value"])
    worst = min(records, key=lambda record: record["value"])
    who = {"heads": "the heads", "MLP": "the MLP"}
    said = f"{who[best['who']]} of layer {best['layer']} ({best['shown']})"
    if best["value"] < LITTLE:
        return "No layer added anything for it."
    lead = f"Most was added by {said}"
    if worst["value"] > -LITTLE:
        return f"{lead}."
    return (
        f"{lead}; most was taken off by {who[worst['who']]} of layer {worst['layer']} "
        f"({worst['shown']})."
    )


def key_rows(parts: Contributions, head: Head, labels: Sequence[str]) -> list[dict[str, object]]:
    """One record per token that a head could look at: key, label, attention, value (logits), per
    (logits for all of its attention; None without any)."""
    rows = zip(
        parts.attention[head.layer, head.head].tolist(),
        parts.by_key[head.layer, head.head].tolist(),
        strict=True,
    )
    return [
        {
            "key": key,
            "label": labels[key],
            "attention": attention,
            "value": value,
            "per": value / attention if attention >= 0.005 else None,
        }
        for key, (attention, value) in enumerate(rows)
    ]


def key_records(parts: Contributions, head: Head, labels: Sequence[str]) -> list[dict[str, object]]:
    """The tokens that matter for one head, in their order, and the others together: order, name,
    value, attention, looked (0..1 for a bar), shown."""
    rows = key_rows(parts, head, labels)
    most = len(rows) if len(rows) == KEYS_SHOWN + 1 else KEYS_SHOWN
    first = sorted(rows, key=lambda row: -max(abs(row["value"]), row["attention"]))[:most]
    shown = [row for row in rows if row in first]
    records = [
        _key(order, f"{row['key']} {row['label']}", row["value"], row["attention"])
        for order, row in enumerate(shown)
    ]
    others = [row for row in rows if row not in first]
    if others:
        value, attention = (sum(row[name] for row in others) for name in ("value", "attention"))
        records.append(_key(len(records), f"{len(others)} others", value, attention))
    return records


def _key(order: int, name: str, value: float, attention: float) -> dict[str, object]:
    return {
        "order": order,
        "name": name,
        "value": value,
        "against": value < 0,
        "attention": attention,
        "looked": percent(attention),
        "shown": f"{percent(attention)} → {signed(value)}",
    }


# ------------------------------------------------------------------ the ranking

RANKING = (
    "Head", "Roles", "Wrote (logits)", "Share of its side", "Looked most at",
)  # fmt: skip


def ranking(
    parts: Contributions,
    labels: Sequence[str],
    *,
    top: int = 6,
    roles: Mapping[str, str] | None = None,
    chance: Chance | None = None,
) -> tuple[list[str], list[list[str]]]:
    """The headers and rows of the table of heads: those that wrote most for and against it.

    Args:
        parts: the contributions.
        labels: [pos] the prompt's tokens.
        top: heads per direction.
        roles: {label of a head: the roles that list it, in words}.
        chance: what they write on other prompts; None before it is there.
    """
    order, roles = ranked(parts), roles or {}
    positive = [head for head in order[:top] if value_of(parts, head) >= LITTLE]
    negative = [head for head in order[: -top - 1 : -1] if value_of(parts, head) <= -LITTLE]
    clear = beyond_chance(parts, chance) if chance is not None else frozenset()
    side = {
        sign: sum(abs(value) for value in parts.heads.flatten().tolist() if sign * value > 0)
        for sign in (1, -1)
    }
    rows = []
    for head in (*positive, *reversed(negative)):
        value, key = value_of(parts, head), most_looked_at(parts, head)
        share = float(parts.attention[head.layer, head.head, key])
        row = [
            head.label,
            roles.get(head.label, "–"),
            signed(value),
            f"{percent(abs(value) / side[1 if value > 0 else -1])} "
            f"{'for' if value > 0 else 'against'}",
            f"{key} {labels[key]} ({percent(share)})",
        ]
        if chance is not None:
            row += [beside_chance(chance, head), "yes" if head in clear else "no"]
        rows.append(row)
    beside = ["On other prompts", "More than there?"] if chance is not None else []
    return [*RANKING, *beside], rows
