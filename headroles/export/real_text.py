"""What heads do on real text as tables: roles in the wild, and the passages that show a head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headroles.export.provenance import library_versions, origin
from headroles.formatting import count
from headroles.types import Head

if TYPE_CHECKING:
    from headroles.store import ModelEntry
    from headroles.store.real_text import RealText, RoleMeans
    from headroles.texts import Passage


def about(record: RealText) -> dict[str, object]:
    """Where the numbers come from, for the first lines of a file."""
    return {
        **origin(record.model_name),
        "revision": record.revision,
        "read_on": record.date,
        "python_of_the_texts": record.python,
        "seed": record.seed,
        "texts": [
            f"{one.name} ({one.licence}): {count(one.tokens, 'token')}" for one in record.sources
        ],
        "passages": len(record.passages),
        "libraries": library_versions(),
    }


def activity_rows(record: RealText, entry: ModelEntry | None) -> list[dict[str, object]]:
    """One row per role and head: how often it is active, its activation, the same shuffled.

    A head that does the same without the role's cue is never active; ``without_cue`` says so, and
    is None where there are no reference scores to tell.

    Args:
        record: of the text.
        entry: the model's reference scores; None without any.
    """
    activity = record.activity or {}
    listed = {key: entry.listed(key) for key in activity} if entry else {}
    by_place = {key: entry.role(key).without_cue for key in activity} if entry else {}
    return [
        {
            "role": key,
            "layer": head.layer,
            "head": head.head,
            "listed": head in listed.get(key, ()),
            "without_cue": head in by_place[key] if entry else None,
            "threshold": found.threshold,
            "chance": found.chance[head.layer],
            **_means(found.text, head, "", counts=head not in by_place.get(key, ())),
            **_means(found.shuffled, head, "_shuffled", counts=head not in by_place.get(key, ())),
        }
        for key, found in activity.items()
        for head in Head.every(record.num_layers, record.num_heads)
    ]


def _means(means: RoleMeans, head: Head, suffix: str, *, counts: bool) -> dict[str, object]:
    layer, number = head
    rate = means.rate(head)
    rate = rate if counts or rate is None else 0.0
    return {
        f"tokens{suffix}": means.rows_of(head),
        f"passages{suffix}": means.passages,
        f"active_tokens{suffix}": means.active[layer][number] if counts else 0,
        f"active_per_1000{suffix}": None if rate is None else round(1000 * rate, 3),
        f"activation{suffix}": means.mean[layer][number],
        f"standard_error{suffix}": means.error[layer][number],
    }


def evidence_rows(
    record: RealText,
    passages: Sequence[Passage | None],
    heads: Sequence[Head],
    role: str | None,
) -> list[dict[str, object]]:
    """One row per passage that shows a head: where it is, and what is looked at.

    Args:
        record: of the text.
        passages: [place in the record] with their text; None where it is not here.
        heads: whose passages.
        role: the role's key; None for what the heads look at whatever their role.
    """
    rows = []
    for head in heads:
        found = record.evidence and record.evidence.of(head, role)
        if not found:
            continue
        for kind, examples in (("strongest", found.strongest), ("typical", found.typical)):
            for rank, (place, query, activation, *keys) in enumerate(examples, start=1):
                stored, passage = record.passages[place], passages[place]
                rows.append(
                    {
                        "role": role,
                        "layer": head.layer,
                        "head": head.head,
                        "kind": kind,
                        "rank": rank,
                        "activation": activation / 1000,
                        "query": query,
                        "keys": keys[::2],
                        "attention": [weight / 1000 for weight in keys[1::2]],
                        "source": stored.source,
                        "document": stored.document,
                        "passage": stored.place,
                        "digest": stored.digest,
                        "text": passage and passage.text,
                    }
                )
    return rows
