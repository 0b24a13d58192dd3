"""What ``data/head_categories.json`` holds: its records, their checks and its layout.

Every record is a pydantic model that forbids what it does not know, so that a file is either of
this schema or refused with the place where it is not. No file is touched here.

>>> validate(to_json({"demo": entry}), "a file") == {"demo": entry}  # doctest: +SKIP
True
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from headroles.errors import CategoriesBrokenError
from headroles.roles import ROLES, SCORED_ROLES
from headroles.store.extended_schema import ExtendedSection
from headroles.types import CausalVerdict

SCHEMA_VERSION = 1
"""Raised whenever an older reader could misread the file."""

Share = Annotated[float, Field(ge=0, le=1)]
Matrix = list[list[Annotated[float, Field(ge=0, le=1.000001)]]]
"""[layer][head] numbers."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


class TopHead(_Record):
    """A head that a role lists."""

    layer: int = Field(ge=0)
    head: int = Field(ge=0)
    score: Share
    standard_error: float = Field(ge=0, allow_inf_nan=False)
    control: Share | None = None
    """The same head's score on the control texts, for roles that have some."""
    entered_by: Literal["threshold", "layer diversity", "no role"] = "threshold"


class Category(_Record):
    """One role of one model: how it was measured, and its top heads."""

    display_name: str
    description: str
    icon: str
    requires_repetition: bool = False
    threshold: Share | None = None
    threshold_reason: str = ""
    chance: Share | None = None
    n: int = Field(default=0, ge=0)
    measured_on: str = ""
    top_heads: list[TopHead]


class Control(_Record):
    """Scores on texts in which the role's cue is missing."""

    name: str
    scores: Matrix
    standard_errors: list[list[Annotated[float, Field(ge=0, allow_inf_nan=False)]]] | None = None
    """Of these scores; older files have none."""


Nats = Annotated[float, Field(allow_inf_nan=False)]
Spread = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class CausalEffect(_Record):
    """What knocking heads out changed: mean change of the next-token loss, and its control."""

    change: Nats
    """Mean over ``CausalRole.n`` texts; above 0 the model guesses worse."""
    standard_error: Spread
    control_mean: Nats | None = None
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


class CausalRole(_Record):
    """What knocking out the heads of one role proves (:mod:`headroles.scoring.causal_verdict`)."""

    ablation: Literal["mean"] = "mean"
    """A head's output is set to its mean over the same texts, after position 0."""
    measured_on: Literal["repeats", "sentences", "held_out"]
    """``held_out``: passages that the model's folder holds, of the kind it was trained on."""
    n: int = Field(ge=2)
    """Texts behind each mean."""
    baseline_loss: Spread
    """Nats a token, of the untouched model."""
    even_guess_loss: Spread
    """Nats a token, of a guess that is spread evenly over the vocabulary: log(vocabulary)."""
    heads: list[CausalHead]
    group: CausalGroup | None = None

    @property
    def can_read(self) -> bool:
        """Whether the untouched model guesses better than evenly: else nothing can be told."""
        return self.baseline_loss < self.even_guess_loss

    def of(self, layer: int, head: int) -> CausalHead | None:
        """The evidence for a head; None where it was not tested."""
        found = (one for one in self.heads if (one.layer, one.head) == (layer, head))
        return next(found, None)


class Tokenization(_Record):
    """What was put in front of every text; the runtime does the same."""

    prepend_start_token: Literal[True] = True
    start_token: str
    start_token_id: int = Field(ge=0)
    is_stand_in: bool


class ModelEntry(_Record):
    """Everything that is stored about one model."""

    schema_version: Literal[1] = SCHEMA_VERSION
    definitions_version: int
    model_name: str = Field(min_length=1)
    source: str
    revision: str
    num_layers: int = Field(gt=0)
    num_heads: int = Field(gt=0)
    analysis_date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    seed: int
    sequences: int = Field(gt=0)
    cap: int = Field(gt=0)
    tokenization: Tokenization
    library_versions: dict[str, str]
    categories: dict[str, Category]
    all_scores: dict[str, Matrix]
    standard_errors: dict[str, list[list[Annotated[float, Field(ge=0, allow_inf_nan=False)]]]]
    controls: dict[str, Control]
    null_scores: dict[str, Matrix]
    notes: list[str] = []
    extended: ExtendedSection | None = None
    """The extended roles; older files, and an analysis that leaves them out, have none."""
    causal: dict[str, CausalRole] = {}
    """{role key: evidence by knock-out}; empty in a file that was made without."""

    @model_validator(mode="after")
    def _consistent(self) -> ModelEntry:
        """Roles known, matrices [num_layers][num_heads], listed heads in the model."""
        unknown = (self.categories.keys() | self.all_scores.keys()) - ROLES.keys()
        if unknown:
            raise ValueError(f"unknown roles {sorted(unknown)}")
        missing = {role.key for role in SCORED_ROLES} - self.all_scores.keys()
        if missing:
            raise ValueError(f"no scores for {sorted(missing)}")
        controls = {name: control.scores for name, control in self.controls.items()}
        for group in (self.all_scores, self.standard_errors, self.null_scores, controls):
            for name, matrix in group.items():
                self._check_matrix(name, matrix)
        for name, control in self.controls.items():
            if control.standard_errors is not None:
                self._check_matrix(f"errors of the control of {name}", control.standard_errors)
        if self.extended:
            self.extended.check_shape(self.num_layers, self.num_heads)
        for name, category in self.categories.items():
            for head in category.top_heads:
                if head.layer >= self.num_layers or head.head >= self.num_heads:
                    raise ValueError(f"{name} lists L{head.layer}H{head.head}, not in the model")
        self._check_causal()
        return self

    def _check_causal(self) -> None:
        """Evidence is for roles that are described, about heads of the model, each once."""
        for name, role in self.causal.items():
            if name not in self.categories:
                raise ValueError(f"causal evidence for the unknown role '{name}'")
            heads = [(one.layer, one.head) for one in role.heads]
            for places in (heads, role.group.heads if role.group else []):
                for layer, head in places:
                    if layer >= self.num_layers or head >= self.num_heads:
                        raise ValueError(f"causal {name} has L{layer}H{head}, not in the model")
                if len(set(places)) != len(places):
                    raise ValueError(f"causal {name} has a head twice")

    def _check_matrix(self, name: str, matrix: list[list[float]]) -> None:
        if len(matrix) != self.num_layers or any(len(row) != self.num_heads for row in matrix):
            raise ValueError(f"{name} is not a {self.num_layers} x {self.num_heads} matrix")


def _named_by_key(entries: dict[str, ModelEntry]) -> dict[str, ModelEntry]:
    for key, entry in entries.items():
        if key != entry.model_name:
            raise ValueError(f"the entry '{key}' says that it is of '{entry.model_name}'")
    return entries


_File = TypeAdapter(Annotated[dict[str, ModelEntry], AfterValidator(_named_by_key)])


def validate(text: str | bytes, path: object) -> dict[str, ModelEntry]:
    """The entries of a file's text.

    Raises:
        CategoriesBrokenError: if it is no JSON, or not of the schema; it names ``path``.
    """
    try:
        return _File.validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise CategoriesBrokenError(path, why=f"{place}: {first['msg']}.") from error


def digest(entry: ModelEntry | None) -> str:
    """SHA-256 of everything an entry says, whatever the file's layout; "" for no entry."""
    if entry is None:
        return ""
    plain = entry.model_dump(mode="json")
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def to_json(entries: dict[str, ModelEntry]) -> str:
    """The file's text: sorted by model, one row of a matrix a line, so that changes read well."""
    plain = {
        name: entries[name].model_dump(mode="json", exclude_none=True) for name in sorted(entries)
    }
    for entry in plain.values():
        if not entry["causal"]:  # a file that was made without stays as it was
            del entry["causal"]
    text = json.dumps(plain, indent=1, ensure_ascii=False)
    # A line break only ever stands between values, never inside a text, so texts stay as they are.
    rows = re.compile(r"\[\n\s+([-\d.e]+(?:,\n\s+[-\d.e]+)*)\n\s+\]")
    heads = re.compile(r'\{\n\s+("(?:layer|change)": [^{}\[\]]*?)\n\s+\}')
    text = rows.sub(lambda row: f"[{_joined(row[1])}]", text)
    return heads.sub(lambda head: f"{{{_joined(head[1])}}}", text) + "\n"


def _joined(lines: str) -> str:
    return re.sub(r"\n\s+", " ", lines)
