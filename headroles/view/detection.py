"""The lab's map and sentences, worked out from a detection. Pure: no Streamlit, no charts.

>>> card = card_of(detection, 0, "activation")  # doctest: +SKIP
>>> card.sentence  # doctest: +SKIP
'L1H6 matches best: 97% of its attention lies on the marked cells; chance is 16%. 3 heads are
clearly above chance.'
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headroles import detector, roles
from headroles.formatting import decimal, percent, true_minus
from headroles.types import Head
from headroles.view import map_marks
from headroles.view.head_records import head_record, percent_number
from headroles.view.html import count
from headroles.view.map_marks import USUAL, Marks

if TYPE_CHECKING:
    from headroles.detector import Detection, Summary
    from headroles.roles import Role

MOST_NAMED = 4
"""Patterns whose best heads one sentence names."""
RINGED = 3
"""Heads that a map rings."""
DOMAINS = {"activation": (0.0, 1.0), "mul": (0.0, 1.0), "abs": (-1.0, 1.0)}
"""The scores that are drawn lightest and darkest."""


@dataclass(frozen=True)
class Card:
    """One pattern's map."""

    pattern: Role
    """The pattern."""
    records: tuple[dict[str, object], ...]
    """One per head: :func:`headroles.view.head_records.head_record`."""
    sentence: str
    """The take-away."""
    basis: str
    """What the numbers are a mean of."""


def card_of(detection: Detection, place: int, measure: str, marks: Marks = USUAL) -> Card:
    """The pattern at a place, by a measure, with the usual rings or a reader's own marks."""
    summary, pattern = detection.summary(place, measure), detection.patterns[place]
    records: Sequence[dict[str, object]] = _records(detection, summary, measure)
    sentence = _sentence(detection, place, measure)
    if marks.own:
        marked = map_marks.sentence(records, marks, pattern)
        records, sentence = map_marks.applied(records, marks, pattern), f"{sentence} {marked}"
    return Card(pattern, tuple(records), sentence, _basis(detection, summary))


def _records(detection: Detection, summary: Summary, measure: str) -> list[dict[str, object]]:
    best = set(summary.ranking()[:RINGED])
    return [
        _record(head, summary, detection, measure, head in best)
        for head in Head.every(*detection.asked.shape)
    ]


def marked_heads(detection: Detection, place: int, measure: str, marks: Marks) -> set[Head]:
    """The heads that a reader's own marks are on; none with the usual rings."""
    records = _records(detection, detection.summary(place, measure), measure)
    places = map_marks.marked(records, marks, detection.patterns[place])
    return {Head(records[at]["layer"], records[at]["head"]) for at in places}


def conclusion(detection: Detection, place: int, measure: str) -> str:
    """What to conclude: of the pattern that is shown, or which head is best for each of several.

    Args:
        detection: the result.
        place: the pattern that is shown.
        measure: ``activation``, ``mul`` or ``abs``.
    """
    if len(detection.patterns) == 1:
        return card_of(detection, place, measure).sentence
    best = []
    for number, pattern in enumerate(detection.patterns[:MOST_NAMED]):
        summary = detection.summary(number, measure)
        ranking = summary.ranking()
        score = f"{ranking[0].label}, {written(summary, ranking[0], measure)}" if ranking else "–"
        best.append(f"{pattern.name}: {score}")
    more = len(detection.patterns) - len(best)
    return f"Best heads. {'; '.join(best)}{f'; {more} more below' if more > 0 else ''}."


def questions() -> list[tuple[str, str]]:
    """What an expression can ask about the text of tokens: how it is written, where it holds."""
    rows = [
        ('t[k] == "the"', "the token is this text, with or without a space in front"),
        ('t[k] in ("(", "[")', "it is one of these texts"),
    ]
    for name, function in roles.expression_functions.FUNCTIONS.items():
        places = "…" if function.table is None else "q, k" if function.takes == 2 else "k"
        rows.append((f"{name}({places})", function.says))
    return rows


def _record(
    head: Head, summary: Summary, detection: Detection, measure: str, best: bool
) -> dict[str, object]:
    value, asked = float(summary.mean[head]), bool(detection.asked[head])
    if not (asked and math.isfinite(value)):
        words = "undefined" if asked else "not asked"
        return head_record(head, None, number="?" if asked else "–", shown=words)
    low, high = DOMAINS[measure]
    return head_record(
        head,
        value,
        shade=(value - low) / (high - low),
        number=short(value) if measure == "abs" else percent_number(value),
        active=best,
        shown=written(summary, head, measure),
    )


def short(value: float) -> str:
    """A score in a cell: hundredths without the leading 0.

    >>> short(0.973), short(1), short(-0.4), short(-6.19)
    ('.97', '1', '−.40', '−6.2')
    """
    if abs(value) >= 9.95:
        shown = f"{value:.0f}"
    elif abs(value) >= 0.995:
        shown = f"{value:.1f}".removesuffix(".0")
    else:
        shown = f"{value:.2f}".replace("0.", ".", 1)
    return true_minus(shown)


def written(summary: Summary, head: Head, measure: str) -> str:
    """A head's number: ``97% ± 1.2 points``, or ``0.97 ± 0.01`` by ``abs``, which is no share.

    One prompt has no error.
    """
    value, error = float(summary.mean[head]), float(summary.error[head])
    if measure == "abs":
        return decimal(value) + (f" ± {error:.2f}" if math.isfinite(error) else "")
    return percent(value) + (f" ± {100 * error:.1f} points" if math.isfinite(error) else "")


def _sentence(detection: Detection, place: int, measure: str) -> str:
    summary, pattern = detection.summary(place, measure), detection.patterns[place]
    ranking = summary.ranking()
    if not ranking:
        return "No head has a score here."
    chances = summary.chance_by_layer
    chance = chances[ranking[0].layer]
    score = written(summary, ranking[0], measure)
    best = f"{ranking[0].label} matches best:"
    if measure == "abs":
        even = f"; an even spread gets {decimal(chance)}" if math.isfinite(chance) else ""
        return f"{best} {score}, where 1 is a perfect match{even}."
    of_what = _of_what(detection, place, measure, ranking[0])
    sentence = f"{best} {score} of {of_what} lies on the marked cells"
    if not math.isfinite(chance):
        return f"{sentence}."
    needed = [chance + pattern.min_lift * (1 - chance) for chance in chances]
    clear = sum(float(summary.mean[head]) >= needed[head.layer] for head in ranking)
    heads = f"{count(clear, 'head')} {'is' if clear == 1 else 'are'}" if clear else "No head is"
    return f"{sentence}; chance is {percent(chance)}. {heads} clearly above chance."


def _of_what(detection: Detection, place: int, measure: str, head: Head) -> str:
    """The attention that a share is a share of.

    Of a head that rests, an exclusion may leave a thousandth: its share is no share of all.
    """
    if measure == "activation":
        among = detection.patterns[place].among
        return "its attention, resting left out," if among else "its attention"
    if not (detection.exclude_bos or detection.exclude_current_token):
        return "its attention"
    left = float(detector.kept_share(detection, place)[head])
    return f"the attention that counts ({percent(left)} of all)"


def _basis(detection: Detection, summary: Summary) -> str:
    total = detection.fits.shape[1]
    n = int(summary.n.max())
    if total == 1:
        return "From one prompt, so no error can be given."
    left = total - n
    rest = f"; on {left} the pattern predicts nothing or does not fit" if left else ""
    return f"Mean ± standard error over {count(n, 'prompt')} of {total}{rest}."
