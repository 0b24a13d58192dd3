"""The parts of an entry of ``data/head_categories.json``: roles, controls, profiles, evidence.

Every record is a pydantic model that forbids what it does not know.

>>> TopHead(layer=1, head=2, score=0.5, standard_error=0.01).place.label
'L1H2'
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from headroles.roles.role import MeasuredBy
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
UNTESTED: CausalVerdict = "backup_untested"


class Record(BaseModel):
    """A frozen record that forbids what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class KnockOut(Record):
    """What knocking a name mover out at the last position changes, in logits."""

    change: Number
    """Of the right name against the mean of all other names: without the head less with it."""
    standard_error: Spread
    """Of that mean over the prompts."""
    direct: Number
    """What the head itself adds there, by its direct effect: other heads do the rest."""
    lead_change: Number
    """Of the right name against the subject."""
    lead_error: Spread
    """Its standard error."""


class TopHead(Record):
    """A head that a role lists."""

    layer: int = Field(ge=0)
    head: int = Field(ge=0)
    score: Number
    standard_error: Spread | None = None
    """None in a list that was made elsewhere."""
    control: Number | None = None
    """The same head's score on the control texts, for roles that have some."""
    entered_by: Literal["threshold", "layer diversity", "no role", "made elsewhere"] = "threshold"
    knock_out: KnockOut | None = None
    """Of a name mover: what its knock-out does; None where that was not run."""

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
    measured_by: MeasuredBy = "attention"
    sign: Literal[-1, 0, 1] = 0
    """-1: heads below zero have the role; +1: heads above; 0: scores have no sign."""
    not_measured: str | None = None
    """Why there are no numbers on this model, as a sentence; None where there are."""
    threshold: Spread | None = None
    """A share; in logits the size on the role's side of zero."""
    threshold_reason: str = ""
    null_limit: Share | None = None
    """What one percent of all heads on single texts put on random cells, or more; None in older
    files and where there are no cells."""
    chance: Share | None = None
    n: int = Field(default=0, ge=0)
    unseen_layers: list[int] | None = None
    """Layers whose heads see the role's places on fewer than two texts, and so have no score (the
    matrices hold 0 there); None where there are none."""
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
    part: Number | None = None
    """What it adds to the effect of the role's heads together: their effect less that without this
    one. None where that was not tested."""
    part_error: Spread | None = None
    """Standard error of ``part``, from the paired differences text by text."""
    part_control_mean: Number | None = None
    """What a random other head adds in its place."""
    part_control_spread: Spread | None = None
    """Standard deviation over these draws."""

    @model_validator(mode="before")
    @classmethod
    def _say_what_was_tested(cls, fields: object) -> object:
        """Entries of the first definitions called every such head backed up, without a test."""
        if not isinstance(fields, dict) or fields.get("verdict") != "backed_up":
            return fields
        return fields if fields.get("part") is not None else {**fields, "verdict": UNTESTED}


class CausalGroup(CausalEffect):
    """The evidence for a role's heads knocked out together."""

    heads: list[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]] = Field(
        min_length=1
    )
    """[(layer, head)] those that the role listed when it was measured."""


class CausalRule(Record):
    """How an analysis corrected its verdicts for their number; the same for all of its roles."""

    comparisons: int = Field(ge=0)
    """Tests of heads and groups, each against zero and against random others."""
    level: Share
    """What a p value of these could be at most to count."""
    parts: int = Field(default=0, ge=0)
    """Tests of what a head adds to its role's heads together."""
    parts_level: Share | None = None


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
    rule: CausalRule | None = None
    """None in entries made before verdicts were corrected: two standard errors each."""
    also: list[CausalRole] = []
    """The same heads on the texts where another role reads what this one writes."""

    @property
    def everywhere(self) -> list[CausalRole]:
        """The evidence on every kind of text, the role's own first."""
        return [self, *self.also]

    @property
    def can_read(self) -> bool:
        """Whether the untouched model guesses better than evenly; if not, no verdict is given."""
        return self.baseline_loss < self.even_guess_loss

    def of(self, layer: int, head: int) -> CausalHead | None:
        """The evidence for a head; None where it was not tested."""
        evidence = (effect for effect in self.heads if (effect.layer, effect.head) == (layer, head))
        return next(evidence, None)


class WokenHead(Record):
    """A head that a prompt wakes."""

    layer: int = Field(ge=0)
    head: int = Field(ge=0)
    activation: Share
    """What it reached on that prompt."""

    @property
    def place(self) -> Head:
        """Which head it is."""
        return Head(self.layer, self.head)


class Hint(Record):
    """A prompt that wakes listed heads of a role."""

    prompt: str = Field(min_length=1)
    heads: list[WokenHead] = Field(min_length=1)

    @property
    def woken(self) -> dict[Head, float]:
        """{head: its activation on the prompt}."""
        return {head.place: head.activation for head in self.heads}


class RoleHints(Record):
    """Prompts that wake the listed heads of one role (:mod:`headroles.analysis.hints`)."""

    tried: int = Field(ge=0)
    """Prompts that were run."""
    prompts: list[Hint]
    """As few as wake every head that any prompt woke, the one that wakes most first."""
    in_vain: list[tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]] = Field(
        default_factory=list
    )
    """[(layer, head)] listed heads that no prompt woke."""

    def best(self, head: Head) -> Hint | None:
        """The prompt on which a head reached most; None where none is known to wake it."""
        known = [hint for hint in self.prompts if head in hint.woken]
        return max(known, key=lambda hint: hint.woken[head], default=None)

    def prompt_for(self, head: Head) -> str | None:
        """The text of that prompt."""
        best = self.best(head)
        return best.prompt if best else None


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
