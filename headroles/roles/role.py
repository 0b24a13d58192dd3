"""What a role is: one record for everything that a head may do.

A role says where a head *looks* (``cells``: the set of key columns S(q) for every query row q) or
what it *writes*, how it is measured, and what people read. The roles of the registry, the patterns
of the detector lab and the roles that a student saves are all of this one type. No heavy library is
imported here: tensors are only touched through their own methods.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from headroles.roles import cells as role_cells

if TYPE_CHECKING:
    from collections.abc import Callable

    from jaxtyping import Bool, Float
    from torch import Tensor

    from headroles.roles.prompts import Prompts

    Cells = Callable[[Prompts], Bool[Tensor, "batch pos pos"] | Float[Tensor, "batch pos pos"]]

Level = Literal["basic", "extended", "lab"]
MeasuredBy = Literal["attention", "direct_effect", "weights", "knock_out", "copying"]
Unit = Literal[
    "share of attention", "share of tokens", "share of copied tokens", "logits", "fall of a share"
]

SHARE: Unit = "share of attention"
RATE: Unit = "share of tokens"
COPIED: Unit = "share of copied tokens"
LOGITS: Unit = "logits"
FALL: Unit = "fall of a share"
_UNITS: dict[MeasuredBy, Unit] = {
    "attention": SHARE,
    "weights": RATE,
    "direct_effect": LOGITS,
    "knock_out": FALL,
    "copying": COPIED,
}

UNIT_IN_WORDS: dict[Unit, str] = {
    LOGITS: "direct effect",
    FALL: "fall of the right name's share",
    RATE: "share of the words",
    COPIED: "share of the answers that it copies",
}
"""{unit: what a score is}, of all but the shares of attention."""

REPETITION_LIFT = 0.35
"""The ``min_lift`` of the two roles of repetition. On prompts of 8 to 14 tokens it keeps the false
alarms at 5% (at 1/4 they are 7%); see docs/measurements.md."""
CLASSIC = 0.4
"""The share of attention at which many a detector names a head, whatever the model: a convention,
as in the exercises of ARENA."""
LEAST_LOGITS = 0.1
"""A direct effect below this changes the odds of a token by less than a tenth."""
LEAST_FALL = 0.02
"""A share of attention that falls by less than this when a head is knocked out hardly falls."""


@dataclass(frozen=True, kw_only=True)
class Role:
    """One role: what it is called, what it predicts, how it is measured and how to wake it.

    Two roles are equal if all fields but their functions are: ``key`` identifies the cells.
    """

    key: str
    """The name in code, JSON, URLs and on the command line: ``induction``, ``offset:2``."""
    name: str
    """The name people read."""
    explanation: str
    """One or two sentences for a first-year student."""
    looks_at: str = ""
    """Completes "It looks at ..." where the role is judged from attention; else empty."""
    formula: str
    """S(q), or the score, in a line."""
    icon: str = "bookmark"
    """A Material Symbols name."""
    source: str = ""
    """Who defined it."""
    level: Level = "lab"
    """``basic``: for everybody; ``extended``: behind a switch; ``lab``: a pattern to compare."""

    measured_by: MeasuredBy = "attention"
    """What its score is read from."""
    cells: Cells | None = field(default=None, compare=False)
    """prompts -> [batch query key] where S(q) is (or 0..1); None where the role has no cells."""
    among: Cells | None = field(default=None, compare=False)
    """prompts -> [batch query key] the attention of which its cells' share is taken; None: all."""
    at_distance: Callable[[int], Role] | None = field(default=None, compare=False)
    """For a role whose heads each have a distance of their own: the role at one distance."""
    length: int | None = None
    """Tokens of the only prompts that its cells fit, the start token included; None for any."""
    sign: Literal[-1, 0, 1] = 0
    """-1: the role is a score below zero; +1: above; 0: scores have no sign."""
    measured_on: str = ""
    """Offline texts: ``sentences``, ``repeats`` or others; empty where heads get no number."""
    control: str = ""
    """Offline texts without the role's cue; empty for a role that has no control."""
    needs_cue: bool = False
    """Whether a head has the role only if its score falls where the cue is missing
    (:mod:`headroles.roles.cue`): others go by the place."""
    caution: str = ""
    """What the number does not say."""

    selection: Literal["diverse", "steady"] = "steady"
    """Which heads are listed besides, or instead of, those over the threshold: ``diverse`` also
    lists the best head of another layer, ``steady`` only heads whose score is clear of its
    error."""
    default_threshold: float = CLASSIC
    """The convention for a share of attention or of copied tokens: the least threshold that an
    analysis sets, and what is used, marked as provisional, where there is none."""
    set_by: str = "convention"
    """Whose threshold that is."""
    min_lift: float = 0.25
    """How far from chance (0) to a perfect head (1) an activation must lie to be clearly above
    chance on a prompt."""
    min_rows: int = 2
    """Fewer applying rows than this are too few to judge a head by."""
    min_tokens: int = 6
    """Prompts shorter than this (BOS included) are too short to judge a head by."""
    requires_repetition: bool = False
    """Whether the role needs a repeated token in the prompt."""
    always_applies: bool = False
    """Whether every prompt that is long enough has a place for it."""
    asleep: str = "The pattern predicts nothing on this prompt."
    """Why the role does not apply to a prompt without its pattern."""
    story_hints: tuple[str, ...] = ()
    """Prompts that wake it in a model of simple stories; each is tested on the bundled model."""
    text_hints: tuple[str, ...] = ()
    """Prompts that wake it in a model that reads any text; each is tested on SmolLM2."""

    @property
    def has_cells(self) -> bool:
        """Whether it is a share of attention on cells (``diffuse`` and ``other`` are not)."""
        return self.cells is not None or self.at_distance is not None

    def needed(self, threshold: float, chance: float) -> float:
        """0..1, what a head must reach on a prompt: the threshold, and clearly more than chance."""
        if not self.has_cells:
            return threshold
        return max(threshold, chance + self.min_lift * (1 - chance))

    @property
    def aside(self) -> str:
        """What a sentence adds to "attention", where not all of it counts."""
        return ", resting left out" if self.among else ""

    @property
    def is_scored(self) -> bool:
        """Whether heads get a number for it (all but ``other``)."""
        return self.measured_on != ""

    @property
    def is_signed(self) -> bool:
        """Whether scores lie on both sides of zero."""
        return self.sign != 0

    @property
    def from_attention(self) -> bool:
        """Whether one prompt's attention can show it."""
        return self.measured_by == "attention"

    @property
    def unit(self) -> Unit:
        """The unit of a score."""
        return _UNITS[self.measured_by]

    @property
    def spec(self) -> str:
        """The key; for a painted pattern only its size."""
        return f"matrix of {self.length} tokens" if self.length else self.key

    def fits(self, prompts: Prompts) -> Bool[Tensor, " batch"]:
        """[batch] which prompts it can be drawn on."""
        lengths = prompts.sequences.lengths
        return lengths == self.length if self.length else lengths > 0

    def draw(self, prompts: Prompts) -> Float[Tensor, "batch pos pos"]:
        """[batch query key] the cells on every prompt; 0 on padding and where it does not fit.

        Raises:
            PatternError: if an expression gives no number from 0 to 1 somewhere.
        """
        drawn = self.cells(prompts).float()
        return drawn * role_cells.within(prompts).unsqueeze(-1)
