"""A taken-apart logit as tables: every part, and every head's share by token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from headroles.types import Head

if TYPE_CHECKING:
    from headroles.attribution import Chance, Contributions


def part_rows(
    parts: Contributions,
    tokens: Sequence[str],
    *,
    chance: Chance | None = None,
    roles: Mapping[str, str] | None = None,
) -> list[dict[str, object]]:
    """One row per part of the model, in its order; the contributions add up to the logit.

    Args:
        parts: the contributions.
        tokens: [pos] the prompt's tokens.
        chance: what the heads write on other prompts; None where it was not asked for.
        roles: {label of a head: the roles that list it}.
    """
    rows = [_row("token embedding", parts.embedding), _row("position embedding", parts.positions)]
    for layer in range(len(parts.heads)):
        for number in range(parts.heads.shape[1]):
            head = Head(layer, number)
            rows.append(_head_row(parts, head, tokens, chance, (roles or {}).get(head.label, "")))
        rows.append(_row("attention bias", float(parts.attention_biases[layer]), layer=layer))
        rows.append(_row("MLP", float(parts.mlps[layer]), layer=layer))
    return [*rows, _row("final bias", parts.final_bias)]


def _row(part: str, value: float, **more: object) -> dict[str, object]:
    return {
        "part": part,
        "layer": None,
        "head": None,
        "contribution_logits": value,
        "looked_most_at_position": None,
        "looked_most_at_token": None,
        "attention": None,
        "mean_on_other_prompts": None,
        "spread_on_other_prompts": None,
        "roles": None,
        **more,
    }


def _head_row(
    parts: Contributions, head: Head, tokens: Sequence[str], chance: Chance | None, roles: str
) -> dict[str, object]:
    place = head.layer, head.head
    key = int(parts.attention[place].argmax())
    return _row(
        "head",
        float(parts.heads[place]),
        layer=head.layer,
        head=head.head,
        looked_most_at_position=key,
        looked_most_at_token=tokens[key],
        attention=float(parts.attention[place][key]),
        mean_on_other_prompts=None if chance is None else float(chance.mean[place]),
        spread_on_other_prompts=None if chance is None else float(chance.spread[place]),
        roles=roles,
    )


def token_rows(parts: Contributions, tokens: Sequence[str]) -> list[dict[str, object]]:
    """One row per head and token that it could look at; a head's rows add up to what it wrote."""
    layers, width, keys = parts.by_key.shape
    return [
        {
            "layer": layer,
            "head": head,
            "position": key,
            "token": tokens[key],
            "attention": float(parts.attention[layer, head, key]),
            "contribution_logits": float(parts.by_key[layer, head, key]),
        }
        for layer in range(layers)
        for head in range(width)
        for key in range(keys)
    ]


def about(parts: Contributions) -> dict[str, object]:
    """What was taken apart, for the first lines of a file."""
    target = parts.target
    return {
        "watched_token": target.text,
        "watched_token_id": target.token_id,
        "watched_token_named": target.named,
        "against_token": target.against if target.against_id is not None else None,
        "against_token_id": target.against_id,
        "position": parts.position,
        "sum_of_parts": parts.total,
        "logit": parts.logit,
        "soft_cap": parts.cap,
    }
