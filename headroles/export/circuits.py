"""A head's circuits as tables that people read: visible tokens, CSV, Markdown, a prompt to try.

>>> listed([TokenValue(5, 0.5)], {5: "·cat"})
'·cat 0.50'
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headroles.circuits import CircuitSettings, KeyRow, TokenValue
from headroles.export.tables import csv_bytes, heads_csv
from headroles.formatting import decimal, visible
from headroles.texts import encode, token_texts

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedTokenizerBase

    from headroles.circuits import Composition, HeadSummary
    from headroles.models import LoadedModel
    from headroles.types import Head


def labels(loaded: LoadedModel, rows: Sequence[KeyRow]) -> dict[int, str]:
    """{token id: label} of every token in some rows."""
    lists = [part for row in rows for part in (row.queries, row.promoted, row.suppressed)]
    ids = sorted(
        {row.token_id for row in rows} | {item.token_id for part in lists for item in part}
    )
    texts = token_texts(loaded.tokenizer, ids)
    return {token: visible(text) for token, text in zip(ids, texts, strict=True)}


def listed(values: Sequence[TokenValue], names: dict[int, str], *, first: int | None = None) -> str:
    """Tokens with their numbers to two decimals, in a line."""
    return "  ".join(f"{names[item.token_id]} {decimal(item.value)}" for item in values[:first])


def about(head: Head, settings: CircuitSettings) -> dict[str, object]:
    """What was done to the weights, for the first lines of a file."""
    return {
        "head": head.label,
        "embedding": settings.embedding_at(head.layer),
        "layer_norm": settings.norm,
        "biases": settings.biases,
        "qk_minus_bos": settings.minus_bos,
        "ov_minus_mean": settings.minus_mean,
    }


def tokens_of(words: Sequence[int] | Tensor | None, *, own: str = "") -> str:
    """Which tokens a table is about, in words: some whole words, or (None) all tokens.

    >>> tokens_of([3, 4]), tokens_of(None), tokens_of([3, 4], own="animals.txt")
    ('2 whole words', 'all', '2 of animals.txt')
    """
    if words is None:
        return "all"
    return f"{len(words):,} of {own}" if own else f"{len(words):,} whole words"


def settings_of(settings: CircuitSettings) -> dict[str, object]:
    """What was done to the weights of all heads, for the first lines of a file."""
    return {
        "embedding_above_layer_0": settings.embedding,
        "layer_norm": settings.norm,
        "biases": settings.biases,
        "qk_minus_bos": settings.minus_bos,
        "ov_minus_mean": settings.minus_mean,
    }


def table_csv(
    rows: Sequence[KeyRow], names: dict[int, str], provenance: dict[str, object]
) -> bytes:
    """The pivot table, one line per cell: key, list (query, promoted, suppressed), rank, token."""
    return csv_bytes(heads_csv(table_rows(rows, names), provenance))


def table_rows(
    rows: Sequence[KeyRow], names: dict[int, str], *, head: Head | None = None
) -> list[dict[str, object]]:
    """The pivot table as one flat row per cell; of several heads, each names its own."""
    which = {} if head is None else {"head": head.label}
    return [
        which
        | {
            "key": names[row.token_id],
            "key_id": row.token_id,
            "importance": row.importance,
            "list": name,
            "rank": rank,
            "token": names[item.token_id],
            "token_id": item.token_id,
            "value": item.value,
        }
        for row in rows
        for name, items in (
            ("query", row.queries),
            ("promoted", row.promoted),
            ("suppressed", row.suppressed),
        )
        for rank, item in enumerate(items, start=1)
    ]


def summary_rows(summaries: Sequence[HeadSummary]) -> list[dict[str, object]]:
    """One row per head with its numbers."""
    return [
        {
            "head": numbers.head.label,
            "copying": numbers.copying,
            "copies": numbers.copies,
            "lowers": numbers.lowers,
            "copies_of": numbers.copies_of,
            "self_match": numbers.self_match,
            "previous": numbers.previous,
            "previous_chance": numbers.previous_chance,
        }
        for numbers in summaries
    ]


def composition_rows(result: Composition) -> list[dict[str, object]]:
    """One row per pair of heads of different layers, strongest first."""
    values = result.score.tolist()
    rows = [
        {
            "earlier": first.label,
            "later": second.label,
            "score": values[i][j],
            "above_random": values[i][j] - result.baseline,
        }
        for i, first in enumerate(result.heads)
        for j, second in enumerate(result.heads)
        if second.layer > first.layer
    ]
    return sorted(rows, key=lambda row: -row["score"])


def about_composition(result: Composition, norm: str) -> dict[str, object]:
    """What the pairs are held against, for the first lines of a file."""
    return {
        "kind": result.kind,
        "layer_norm": norm,
        "random_mean": result.baseline,
        "random_sd": result.spread,
        "random_draws": result.draws,
    }


def table_markdown(
    rows: Sequence[KeyRow], names: dict[int, str], provenance: dict[str, object]
) -> str:
    """The pivot table as Markdown: one section per key."""
    parts = [f"# {provenance.get('model', '')} {provenance.get('head', '')}".rstrip(), ""]
    parts += [f"- {name}: {value}" for name, value in provenance.items()]
    for row in rows:
        parts += [
            "",
            f"## Key {_code(names[row.token_id])} (importance {row.importance:.2f})",
            "",
            f"- Queries that want it: {_codes(row.by_strength, names)}",
            f"- Promoted outputs: {_codes(row.promoted, names)}",
            f"- Suppressed outputs: {_codes(row.suppressed, names)}",
        ]
    return "\n".join(parts) + "\n"


def _codes(values: Sequence[TokenValue], names: dict[int, str]) -> str:
    return ", ".join(f"{_code(names[item.token_id])} {decimal(item.value)}" for item in values)


def _code(label: str) -> str:
    return f"`` {label} ``" if "`" in label else f"`{label}`"


_PATTERNS = (
    "The{key} and the{query}",
    "The{key}{query}",
    "{key} and{query}",
    "{key}{query}",
    "{key}\n{query}",
    "{key} {query}",
)


def example_prompt(tokenizer: PreTrainedTokenizerBase, row: KeyRow) -> str | None:
    """A prompt in which the key stands before its strongest query that can be typed, or None.

    A text may be tokenised differently from the tokens that it was put together from; only a text
    that still holds both, the key first, is used.
    """
    (key,) = token_texts(tokenizer, [row.token_id])
    for item in row.queries:
        (query,) = token_texts(tokenizer, [item.token_id])
        for pattern in _PATTERNS:
            prompt = pattern.format(key=key, query=query)
            if not prompt.strip():
                continue
            ids = encode(tokenizer, prompt).token_ids[1:]
            places = [n for n, token in enumerate(ids) if token == row.token_id]
            if places and item.token_id in ids[places[0] + 1 :]:
                return prompt
    return None
