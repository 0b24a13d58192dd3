"""Questions with answers that were worked out by hand; no model is needed."""

from __future__ import annotations

from headroles.lessons.answers import Answer, OptionAnswer
from headroles.lessons.lesson import SAME, Active, Case, Cells, Largest, Option, Value, Wake
from headroles.lessons.worksheet import Entry, Prediction, now

ABOUT = {"title": "A question", "question": "What?", "explain": "So."}
MODEL = {"model": "demo", "revision": "sha256:0"}
TOKENS = ("<s>", " a", " b", " a", " b")

CELLS = Cells(
    kind="cells", key="cells", prompt=" a b a b", head="L0H0", queries=(2, 4), each=2, **ABOUT
)
"""Two cells from each of two tokens: their best hold .9 and .8 of the rows."""
CELLS_ANSWER = Answer(
    **MODEL,
    prompt=" a b a b",
    head="L0H0",
    tokens=TOKENS,
    queries=(2, 4),
    rows=((0.1, 0.6, 0.3), (0.0, 0.0, 0.3, 0.5, 0.2)),
    resting=(0.1, 0.0),
)

RESTING = CELLS.model_copy(update={"queries": (4,), "each": 1, "without_first": True})
"""One cell, the start token left out: .4 % of the attention is shared out."""
RESTING_ANSWER = CELLS_ANSWER.model_copy(
    update={"queries": (4,), "rows": ((0.0, 0.0, 0.004, 0.896, 0.1),), "resting": (0.996,)}
)

ACTIVE = Active(
    kind="active", key="active", prompt="x", options=("induction", "previous_token"), **ABOUT
)
ACTIVE_ANSWER = Answer(
    **MODEL,
    options=(
        OptionAnswer(label="Induction", value=0.12, is_right=False, needed=0.4, chance=0.1,
                     head="L1H4", state="quiet", reason="It rests."),
        OptionAnswer(label="Previous token", value=0.9, is_right=True, needed=0.4, chance=0.2,
                     head="L0H6", state="active", reason="Active: 90% goes there."),
    ),
)  # fmt: skip

LARGEST = Largest(
    kind="largest",
    key="largest",
    measure="loss",
    options=tuple(Option(label=label, prompt=label) for label in ("one", "two", "three")),
    same_within=0.1,
    **ABOUT,
)


def largest_answer(one: float, two: float, three: float) -> Answer:
    """Its answer for these three numbers, in nats."""
    values = {"one": one, "two": two, "three": three}
    top, apart = max(values.values()), max(values.values()) - min(values.values())
    options = [
        OptionAnswer(label=label, value=value, is_right=apart > 0.1 and value == top)
        for label, value in values.items()
    ]
    return Answer(
        **MODEL, options=(*options, OptionAnswer(label=SAME, value=apart, is_right=apart <= 0.1))
    )


NUMBER = Value(
    kind="number", key="number", measure="chance", case=Case(prompt="x", role="induction"),
    low=0, high=0.5, step=0.05, within=0.1, **ABOUT,
)  # fmt: skip
NUMBER_ANSWER = Answer(**MODEL, value=0.6)
"""Beyond the right end of the slider."""

WAKE = Wake(
    kind="wake", key="wake", role="induction", start="nothing", hints=("First.", "Second."),
    solution="a b a b", **ABOUT,
)  # fmt: skip


def wake_answer(prompt: str, *, value: float, needed: float = 0.4) -> Answer:
    """What came of a prompt."""
    active = value >= needed
    return Answer(
        **MODEL, prompt=prompt, head="L1H4", tokens=TOKENS, value=value, chance=0.1, needed=needed,
        state="active" if active else "quiet", reason="Active: it does." if active else "It rests.",
    )  # fmt: skip


def entry(step: object, answer: Answer, prediction: Prediction, **settings: object) -> Entry:
    """One answered question."""
    return Entry(
        lesson="made-up", lesson_digest="0" * 12, step=step.key, kind=step.kind, answer=answer,
        prediction=prediction, score=1.0, asked=now(), answered=now(), **settings,
    )  # fmt: skip
