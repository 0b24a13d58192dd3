"""What a lesson can ask a number of: one function each, over the parts of the package that measure.

A measure takes a loaded model and a case (:class:`headroles.lessons.lesson.Case`) and gives one
number: the function of its name in :mod:`headroles.lessons.measuring`. Its record says which fields
of the case it needs, so that a lesson's file is checked before any model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from headroles.errors import near_match

if TYPE_CHECKING:
    from headroles.lessons.lesson import Case


POINTS = "points"
"""The unit of a change of a share."""
SHARES = ("share", POINTS)
"""Units of numbers that are shown in percent."""


class Measure(NamedTuple):
    """A number of a model in a case."""

    name: str
    """What it is called in a lesson's file."""
    words: str
    """What it is called in a sentence: “the attention”."""
    unit: str
    """``share`` (0..1, shown as percent), ``points`` (a change of one), ``nats``, ``logits``,
    ``heads``, ``standard deviations``; "" for a bare number."""
    needs: tuple[str, ...]
    """The fields of the case without which it means nothing."""
    takes: tuple[str, ...] = ()
    """Further fields that it looks at."""
    beside: str = ""
    """What it is held against, in a sentence with ``{}`` for that number
    (:func:`headroles.lessons.measuring.beside`); "" where it needs nothing beside it. A number of
    heads is one of all heads and says so itself."""


MEASURES = {
    measure.name: measure
    for measure in (
        Measure("attention", "attention", "share", ("prompt", "head", "query", "key")),
        Measure("activation", "activation", "share", ("prompt", "head", "role"), ("without",)),
        Measure(
            "activation_drop",
            "fall of the activation",
            "points",
            ("prompt", "head", "role", "without"),
            ("manner",),
            beside="With all heads in place, the activation is {}.",
        ),
        Measure("chance", "chance", "share", ("prompt", "role")),
        Measure("needed", "activation needed to count as active", "share", ("prompt", "role")),
        Measure("resting", "attention on the start token", "share", ("prompt", "head")),
        Measure("active_heads", "heads that are active", "heads", ("prompt", "role")),
        Measure("heads_above", "heads above a flat line", "heads", ("prompt", "role", "line")),
        Measure(
            "value_size",
            "size of what it would take over (an average token: 1)",
            "",
            ("prompt", "head", "key"),
        ),
        Measure("score", "reference score", "share", ("head", "role")),
        Measure("probability", "probability", "share", ("prompt", "token"), ("without",)),
        Measure("loss", "mean loss", "nats", ("prompt",), ("without",)),
        Measure(
            "loss_rise",
            "rise of the loss",
            "nats",
            ("prompt", "without"),
            ("token", "manner"),
            beside="With all heads in place, the loss is {}.",
        ),
        Measure(
            "contribution",
            "contribution to the logit",
            "logits",
            ("prompt", "head", "token"),
            ("against", "key"),
        ),
        Measure(
            "part_contribution",
            "contribution to the logit",
            "logits",
            ("prompt", "part", "token"),
            ("against",),
        ),
        Measure(
            "composition",
            "composition score",
            "",
            ("head", "reader"),
            ("reads",),
            beside="Two random heads of this size get {} on average.",
        ),
        Measure("copying", "copying score", "", ("head",)),
        Measure("copies", "share of common tokens that it copies", "share", ("head",)),
        Measure(
            "writes",
            "effect on the logit before the final norm",
            "logits",
            ("head", "key", "token"),
        ),
        Measure("wants", "match of query and key", "", ("head", "query", "key")),
        Measure("self_match", "self-match", "standard deviations", ("head",)),
    )
}
"""{name: measure}"""


def check(name: str, cases: Iterable[Case]) -> None:
    """Whether there is such a measure, and each case has what it needs and nothing that it ignores.

    Raises:
        ValueError: with what is missing or too much, in half a sentence.
    """
    measure = MEASURES.get(name)
    if measure is None:
        known = ", ".join(MEASURES)
        raise ValueError(
            f"there is no measure '{name}'.{near_match(name, MEASURES)} There are {known}"
        )
    for case in cases:
        said = {
            field for field in type(case).model_fields if getattr(case, field) not in (None, ())
        }
        if missing := [field for field in measure.needs if field not in said]:
            raise ValueError(f"the measure '{name}' needs {missing[0]}")
        if ignored := sorted(said - set(measure.needs) - set(measure.takes)):
            raise ValueError(f"the measure '{name}' does not look at {ignored[0]}")
