"""The parts of an entry of ``data/head_categories.json``: roles, controls, profiles, evidence.

Every record is a pydantic model that forbids what it does not know.

>>> TopHead(layer=1, head=2, score=0.5, standard_error=0.01).place.label
'L1H2'
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from headroles.types import CausalVerdict, Head

Share = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Spread = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Matrix = list[list[Number]]
"""[layer][head] scores: shares from 0 to 1, or logits of any sign."""
ShareMatrix = list[list[Annotated[float, Field(ge=0, le=1.000001)]]]
"""[layer][head] shares."""
ErrorMatrix = list[list[Spread]]
"""[layer][head] standard errors."""


class Record(BaseModel):
    """A frozen record that forbids what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class TopHead(Record):
    """A head that a role lists."""

    layer: int = Field(ge=0)
    head: int = Field(ge=0)
    score: Number
    standard_error: Spread
    control: Number | None = None
    """The same head's score on the control texts, for roles that have some."""
    entered_by: Literal["threshold", "layer diversity", "no role"] = "threshold"

    @property
    def place(self) -> Head:
        """Which head it is."""
        return Head(self.layer, self.head)


class Category(Record):
    """One role of one model: how it was measured, or why not, and its top heads."""

    display_name: str
    description: str
    icon: str
    requires_repetition: bool = False
    measured_by: Literal["attention", "direct_effect", "weights"] = "attention"
    sign: Literal[-1, 0, 1] = 0
    """-1: heads below zero have the role; +1: heads above; 0: scores have no sign."""
    not_measured: str | None = None
    """Why there are no numbers on this model, as a sentence; None where there are."""
    threshold: Spread | None = None
    """A share; in logits the size on the role's side of zero."""
    threshold_reason: str = ""
    chance: Share | None = None
    n: int = Field(default=0, ge=0)
    seed: int | None = None
    """Where it is not the entry's."""
    measured_on: str = ""
    top_heads: list[TopHead]

    @property
    def heads(self) -> list[Head]:
        """The heads that it lists, best first."""
        return [top.place for top in self.top_heads]


class Control(Record):
    """Scores on texts in which the role's cue is missing."""

    name: str
    scores: Matrix
    standard_errors: ErrorMatrix | None = None
    """Of these scores; older files have none."""


class OffsetProfiles(Record):
    """Mean attention of every head by distance."""

    distances: list[int]
    """Tokens back: 1, 2 ..."""
    chance: list[Number]
    """[distance] what an even spread gives."""
    scores: list[Matrix]
    """[distance][layer][head] on sentences."""
    standard_errors: list[ErrorMatrix]
    """[distance][layer][head]."""
    control: list[Matrix]
    """[distance][layer][head] on random tokens."""
    control_errors: list[ErrorMatrix]
    """[distance][layer][head]."""
    peaks: list[list[Annotated[int, Field(ge=2)]]]
    """[layer][head] the distance from 2 on that lies furthest over its chance."""
    previous: list[list[Annotated[int, Field(ge=0, le=1)]]]
    """[layer][head] 1 where one token back lies further over its chance."""

    def matrices(self) -> dict[str, list[list[float]]]:
        """Every [layer][head] matrix by name, for checks of the shape."""
        named = {"peaks": self.peaks, "previous": self.previous}
        for name in ("scores", "standard_errors", "control", "control_errors"):
            for place, matrix in enumerate(getattr(self, name)):
                named[f"{name} at distance {place + 1}"] = matrix
        return named


class CausalEffect(Record):
    """What knocking heads out changed: mean change of the next-token loss, and its control."""

    change: Number
    """Mean over ``CausalRole.n`` texts; above 0 the model guesses worse."""
    standard_error: Spread
    control_mean: Number | None = None
    """The same for random other heads, as many; None where there were none to draw."""
    control_spread: Spread | None = None
    """Standard deviation over the draws."""
    draws: int = Field(default=0, ge=0)
    same_layers: bool = True
    """Whether every control head is of the same layers; else some are of the nearest ones."""
    verdict: CausalVerdict


class CausalHead(CausalEffect):
    """The evidence for one listed head."""

    layer: int = Field(ge=0)
    head: int = Field(ge=0)


class CausalGroup(CausalEffect):
    """The evidence for a role's heads knocked out together."""

    heads: list[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]] = Field(
        min_length=1
    )
    """[(layer, head)] those that the role listed when it was measured."""


class CausalRole(Record):
    """What knocking out the heads of one role shows (:mod:`headroles.scoring.causal_verdict`)."""

    ablation: Literal["mean"] = "mean"
    """A head's output is set to its mean over the same texts, after position 0."""
    measured_on: Literal["repeats", "sentences", "held_out"]
    """``held_out``: passages that the model's folder holds, of the kind it was trained on."""
    n: int = Field(ge=2)
    """Texts behind each mean."""
    baseline_loss: Spread
    """Nats per token, of the untouched model."""
    even_guess_loss: Spread
    """Nats per token, of a guess that is spread evenly over the vocabulary: log(vocabulary)."""
    heads: list[CausalHead]
    group: CausalGroup | None = None

    @property
    def can_read(self) -> bool:
        """Whether the untouched model guesses better than evenly; if not, no verdict is given."""
        return self.baseline_loss < self.even_guess_loss

    def of(self, layer: int, head: int) -> CausalHead | None:
        """The evidence for a head; None where it was not tested."""
        evidence = (effect for effect in self.heads if (effect.layer, effect.head) == (layer, head))
        return next(evidence, None)


class StartCandidate(Record):
    """How well plain text is guessed behind one token at position 0."""

    token: str | None = None
    """Its text; None for nothing at all."""
    token_id: Annotated[int, Field(ge=0)] | None = None
    sentence_loss: Spread
    """Nats per token on sentences, from the second token of each on."""
    repeat_loss: Spread
    """Nats per token on random repeats, over the tokens that an earlier copy tells."""

    @property
    def mean_loss(self) -> float:
        """Nats per token, the mean of both."""
        return (self.sentence_loss + self.repeat_loss) / 2


class Tokenization(Record):
    """What was put in front of every text; the runtime does the same."""

    prepend_start_token: Literal[True] = True
    start_token: str
    start_token_id: int = Field(ge=0)
    is_stand_in: bool
    passed_over: str = ""
    """The declared BOS whose place it takes, a chat marker; "" where none was passed over."""
    candidates: list[StartCandidate] = Field(default_factory=list)
    """The chosen token first, then what else might stand there; older files have none."""
