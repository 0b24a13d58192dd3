"""Place or content: what the pages say about the random-token control. Pure: no Streamlit.

>>> two_texts_sentence(two_texts(entry, thresholds, extended=False)["positional"])  # doctest: +SKIP
'12 of 32 heads reach the threshold of First token (resting) on sentences: 11 do it on ...'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headroles import scoring
from headroles.types import Head
from headroles.view.head_records import head_record, percent_number, signed_number
from headroles.view.html import count

if TYPE_CHECKING:
    from headroles.scoring import PlaceOrContent
    from headroles.store import ModelEntry

HEADERS = ("Role", "On sentences", "On random tokens", "What this means")
"""The columns of a table of heads or roles on both kinds of text."""
PLACE_OR_CONTENT_RULE = (
    "The rule: a head that keeps three quarters or more of its score above chance on random tokens "
    "is positional. A quarter or less: content-driven. In between: partly positional. Where less "
    "than three quarters is left, but the two scores differ by no more than two standard errors, "
    "the texts are too few to tell."
)


@dataclass(frozen=True)
class TwoTexts:
    """A role's scores on sentences and on random tokens."""

    key: str
    """The role's key, basic or extended."""
    name: str
    """What people read."""
    threshold: float
    """0..1."""
    zero: float
    """0..1, the chance level; 0 where chance cannot be the zero."""
    sentences: Sequence[Sequence[float | None]]
    """[layer][head]; None where a head could not be measured."""
    random: Sequence[Sequence[float]]
    """[layer][head]."""
    errors: tuple[Sequence[Sequence[float]] | None, Sequence[Sequence[float]] | None]
    """Standard errors of both; None where an older file has none."""

    def verdict(self, head: Head) -> PlaceOrContent:
        """Whether position or content drives a head."""

        layer, place = head
        known = [0.0 if matrix is None else matrix[layer][place] for matrix in self.errors]
        return scoring.place_or_content(
            self.sentences[layer][place],
            self.random[layer][place],
            threshold=self.threshold,
            zero=self.zero,
            errors=known,
        )

    def pair(self, head: Head) -> tuple[str, str]:
        """Both numbers with their errors."""
        layer, place = head
        values = (self.sentences[layer][place], self.random[layer][place])
        return tuple(
            f"{value:.3f}" + ("" if error is None else f" ± {error[layer][place]:.3f}")
            for value, error in zip(values, self.errors, strict=True)
        )

    @property
    def heads(self) -> list[Head]:
        """Every head that has a score, layer by layer."""
        return [
            Head(layer, place)
            for layer, row in enumerate(self.sentences)
            for place, value in enumerate(row)
            if value is not None
        ]


def two_texts(
    entry: ModelEntry, thresholds: Mapping[str, float], *, extended: bool
) -> dict[str, TwoTexts]:
    """Every role that was measured on sentences and on random tokens, by key.

    Args:
        entry: the stored analysis.
        thresholds: {role key: threshold} of the basic roles.
        extended: whether the extended roles that attention shows are among them.
    """
    measured = {}
    for key, category in entry.categories.items():
        stored = entry.role(key)
        role, control = stored.role, stored.control
        wanted = role.level == "basic" or (extended and role.from_attention)
        # Other controls replace a cue among the words, which is another question.
        if control is None or not wanted or "random tokens" not in role.control:
            continue
        measured[key] = TwoTexts(
            key,
            role.name,
            thresholds.get(key, category.threshold),
            (category.chance or 0.0) if role.has_cells else 0.0,
            stored.scores,
            control.scores,
            (stored.errors, control.standard_errors),
        )
    return measured


def two_texts_sentence(texts: TwoTexts) -> str:
    """How many heads of a role are positional, and how many are content-driven."""
    kinds = [texts.verdict(head).kind for head in texts.heads]
    over = len(kinds) - kinds.count("neither")
    if not over:
        return f"No head reaches the threshold of {texts.name} on sentences."
    everywhere = kinds.count("positional")
    return (
        f"{over} of {count(len(kinds), 'head')} {'reaches' if over == 1 else 'reach'} the "
        f"threshold of {texts.name} on sentences: "
        f"{everywhere} {'does' if everywhere == 1 else 'do'} so on random tokens too (positional), "
        f"{kinds.count('content')} only on sentences (content-driven), "
        f"{kinds.count('partly')} in between"
        + (f", {kinds.count('unsure')} cannot be told." if "unsure" in kinds else ".")
    )


def two_texts_records(texts: TwoTexts, which: str) -> list[dict[str, object]]:
    """One record per head: the score on ``sentences``, ``random tokens``, or the ``difference``."""
    records = []
    for head in texts.heads:
        layer, place = head
        on_text, on_random = texts.sentences[layer][place], texts.random[layer][place]
        first, second = texts.pair(head)
        words = f"{first} on sentences, {second} on random tokens"
        if which == "difference":
            value = on_text - on_random
            more = "more on sentences" if value > 0 else "more on random tokens"
            drawn = {
                "most": 1.0,
                "number": signed_number(100 * value, 0),
                "shown": f"{words}: {more}",
            }
        else:
            value = on_text if which == "sentences" else on_random
            drawn = {
                "active": value >= texts.threshold,
                "number": percent_number(value),
                "shown": words,
            }
        records.append(head_record(head, value, **drawn))
    return records


def export_rows(
    by_role: Mapping[str, TwoTexts], *, only: Head | None = None
) -> list[dict[str, object]]:
    """One flat row per role and head that has a score, for a file; ``only`` this head's."""
    rows = []
    for texts in by_role.values():
        for head in [one for one in texts.heads if only in (None, one)]:
            layer, place = head
            errors = [None if known is None else known[layer][place] for known in texts.errors]
            on_text, on_random = texts.sentences[layer][place], texts.random[layer][place]
            verdict = texts.verdict(head)
            rows.append(
                {
                    "role": texts.key,
                    "layer": layer,
                    "head": place,
                    "label": head.label,
                    "on_sentences": on_text,
                    "on_sentences_error": errors[0],
                    "on_random_tokens": on_random,
                    "on_random_tokens_error": errors[1],
                    "difference": on_text - on_random,
                    "threshold": texts.threshold,
                    "chance": texts.zero,
                    "kind": verdict.kind,
                    "means": verdict.sentence,
                }
            )
    return rows
