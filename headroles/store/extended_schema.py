"""The optional section of an entry that holds the extended roles (:mod:`headroles.roles.extended`).

An older file has none, and an analysis may leave it out. A role that could not be measured on a
model (its tokenizer knows no names, say) is stored with the reason instead of a number. Scores may
be negative, so these matrices are not the shares of the basic roles.

>>> ExtendedScores(reason="No names.", seed=0).is_measured
False
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from headroles.roles import EXTENDED_ROLES

Number = Annotated[float, Field(allow_inf_nan=False)]
SignedMatrix = list[list[Number]]
"""[layer][head] numbers of any sign."""
ErrorMatrix = list[list[Annotated[float, Field(ge=0, allow_inf_nan=False)]]]
"""[layer][head] standard errors."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class ExtendedTopHead(_Record):
    """A head that an extended role lists."""

    layer: int = Field(ge=0)
    head: int = Field(ge=0)
    score: Number
    standard_error: float = Field(ge=0, allow_inf_nan=False)
    control: Number


class OffsetProfiles(_Record):
    """Mean attention of every head by distance."""

    distances: list[int]
    """Tokens back: 1, 2 ..."""
    chance: list[Number]
    """[distance] what an even spread gives."""
    scores: list[SignedMatrix]
    """[distance][layer][head] on sentences."""
    standard_errors: list[ErrorMatrix]
    """[distance][layer][head]."""
    control: list[SignedMatrix]
    """[distance][layer][head] on random tokens."""
    control_errors: list[ErrorMatrix]
    """[distance][layer][head]."""
    peaks: list[list[Annotated[int, Field(ge=2)]]]
    """[layer][head] the distance from 2 on that lies furthest over its chance."""
    previous: list[list[Annotated[int, Field(ge=0, le=1)]]]
    """[layer][head] 1 where one token back lies further over its chance."""


class ExtendedScores(_Record):
    """One extended role of one model: measured, or why not."""

    reason: str = ""
    """Why there is no number; empty where there is one."""
    seed: int
    n: int = Field(default=0, ge=0)
    """Texts, or words, behind each mean."""
    texts: str = ""
    """What they were, in a few words."""
    chance: Number | None = None
    threshold: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    threshold_reason: str = ""
    scores: SignedMatrix = []
    standard_errors: ErrorMatrix = []
    control: SignedMatrix = []
    control_errors: ErrorMatrix = []
    details: dict[str, SignedMatrix] = {}
    """{what: [layer][head]} the factors of the score."""
    profiles: OffsetProfiles | None = None
    top_heads: list[ExtendedTopHead] = []

    @property
    def is_measured(self) -> bool:
        """Whether there are numbers."""
        return not self.reason

    def matrices(self) -> dict[str, list[list[float]]]:
        """Every [layer][head] matrix by name, for checks of the shape."""
        found = {
            "scores": self.scores,
            "standard_errors": self.standard_errors,
            "control": self.control,
            "control_errors": self.control_errors,
            **self.details,
        }
        if self.profiles:
            found |= {"peaks": self.profiles.peaks, "previous": self.profiles.previous}
            for name in ("scores", "standard_errors", "control", "control_errors"):
                for place, matrix in enumerate(getattr(self.profiles, name)):
                    found[f"{name} at distance {place + 1}"] = matrix
        return found


class ExtendedSection(_Record):
    """All extended roles of one model."""

    definitions_version: int
    roles: dict[str, ExtendedScores]

    @model_validator(mode="after")
    def _known(self) -> ExtendedSection:
        if unknown := self.roles.keys() - EXTENDED_ROLES.keys():
            raise ValueError(f"unknown extended roles {sorted(unknown)}")
        return self

    def check_shape(self, layers: int, heads: int) -> None:
        """Every matrix [layers][heads], every listed head in the model.

        Raises:
            ValueError: naming what is of another shape.
        """
        for key, role in self.roles.items():
            if not role.is_measured:
                continue
            for name, matrix in role.matrices().items():
                if len(matrix) != layers or any(len(row) != heads for row in matrix):
                    raise ValueError(f"{key}: {name} is not a {layers} x {heads} matrix")
            for top in role.top_heads:
                if top.layer >= layers or top.head >= heads:
                    raise ValueError(f"{key} lists L{top.layer}H{top.head}, not in the model")
