"""What ``data/head_categories.json`` holds: its records, their checks and its layout.

Every record is a pydantic model that forbids what it does not know, so that a file is either of
this schema or refused with the place where it is not. An entry of version 1 is converted while it
is read (:mod:`headroles.store.version_1`), and so is one that was made elsewhere
(:mod:`headroles.store.made_elsewhere`). No file is touched here.

>>> validate(to_json({"demo": entry}), "a file") == {"demo": entry}  # doctest: +SKIP
True
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from headroles.errors import CategoriesBrokenError
from headroles.models import catalogue
from headroles.roles import EXTENDED_ROLES, ROLES, SCORED_ROLES, role_measured_by
from headroles.store import made_elsewhere, version_1
from headroles.store.records import (
    Category,
    CausalRole,
    Control,
    ErrorMatrix,
    Matrix,
    OffsetProfiles,
    Record,
    RoleHints,
    ShareMatrix,
    Tokenization,
)
from headroles.store.stored_role import StoredRole
from headroles.types import Head

SCHEMA_VERSION = 2
"""Raised whenever an older reader could misread the file."""

LARGEST_SIDE = 1024
"""Layers of a model, and heads of a layer: several times what any has."""

LARGEST_SHARE = 1.000001
"""Rounding may carry a share a little over 1."""


class ModelEntry(Record):
    """Everything that is stored about one model.

    What has None or nothing by default is always there, unless the entry was made elsewhere.
    """

    schema_version: Literal[2] = SCHEMA_VERSION
    definitions_version: int | None = None
    model_name: str = Field(min_length=1)
    source: str = ""
    revision: str = ""
    num_layers: int = Field(gt=0, le=LARGEST_SIDE)
    num_heads: int = Field(gt=0, le=LARGEST_SIDE)
    analysis_date: str = Field(pattern=r"^(\d{4}-\d{2}-\d{2})?$")
    seed: int | None = None
    sequences: int | None = Field(default=None, gt=0)
    cap: int | None = Field(default=None, gt=0)
    tokenization: Tokenization | None = None
    library_versions: dict[str, str] = Field(default_factory=dict)
    categories: dict[str, Category]
    all_scores: dict[str, Matrix]
    standard_errors: dict[str, ErrorMatrix] = Field(default_factory=dict)
    controls: dict[str, Control] = Field(default_factory=dict)
    null_scores: dict[str, ShareMatrix] = Field(default_factory=dict)
    factors: dict[str, dict[str, Matrix]] = Field(default_factory=dict)
    """{role key: {what: [layer][head]}} the factors of a score."""
    by_kind: dict[str, dict[str, ShareMatrix]] = Field(default_factory=dict)
    """{role key: {kind of text: [layer][head]}} the mean on each kind, where several were tried."""
    profiles: dict[str, OffsetProfiles] = Field(default_factory=dict)
    """{role key: profiles} of roles whose heads each have a distance of their own."""
    notes: list[str] = Field(default_factory=list)
    causal: dict[str, CausalRole] = Field(default_factory=dict)
    """{role key: evidence by ablation}; empty in a file that was made without."""
    hints: dict[str, RoleHints] = Field(default_factory=dict)
    """{role key: prompts that wake its heads}; empty in a file that was made without."""
    as_written: dict[str, Any] | None = Field(default=None, exclude=True, repr=False)
    """What the file holds of an entry that was made elsewhere, and will hold; None for others."""

    @property
    def made_elsewhere(self) -> bool:
        """Whether another program wrote it: lists and scores, and not how they were measured."""
        return self.as_written is not None

    @property
    def heads(self) -> list[Head]:
        """Every head of the model, layer by layer."""
        places = range(self.num_layers * self.num_heads)
        return [Head(*divmod(place, self.num_heads)) for place in places]

    @property
    def extended(self) -> dict[str, StoredRole]:
        """{key: role} the extended roles, measured or not; none where they were left out."""
        return {key: self.role(key) for key in EXTENDED_ROLES if key in self.categories}

    def role(self, key: str) -> StoredRole:
        """What the entry says of one role; one that it does not describe lists no head."""
        role = ROLES[key]
        undescribed = Category(
            display_name=role.name, description=role.explanation, icon=role.icon, top_heads=[]
        )
        category = self.categories.get(key, undescribed)
        return StoredRole(
            role=role_measured_by(key, category.measured_by),
            category=category,
            scores=self._scores(key, category),
            errors=self.standard_errors.get(key),
            control=self.controls.get(key),
            factors=self.factors.get(key, {}),
            by_kind=self.by_kind.get(key, {}),
            profile=self.profiles.get(key),
            hints=self.hints.get(key),
        )

    def listed(self, key: str) -> list[Head]:
        """The heads that a role lists, best first; none where the entry does not describe it."""
        return self.categories[key].heads if key in self.categories else []

    def heads_over(self, key: str, threshold: float | None = None) -> int:
        """How many heads have a role, listed or not; of ``other`` all it lists.

        Args:
            key: the role.
            threshold: another one than the role's own; in logits a size, whatever the role's sign.
        """
        stored = self.role(key)
        limit = stored.category.threshold if threshold is None else threshold
        if limit is None:
            return len(stored.listed)
        return sum(stored.fits(head, limit) for head in stored.heads)

    def _scores(self, key: str, category: Category) -> list[list[float | None]]:
        """[layer][head] a role's scores; None where a file that was made elsewhere has none, and in
        layers that could not be measured."""
        if key == "other" and not self.made_elsewhere:
            return self._best_basic()
        if key in self.all_scores or not self.made_elsewhere:
            unseen = category.unseen_layers or ()
            return [
                [None] * len(row) if layer in unseen else row
                for layer, row in enumerate(self.all_scores.get(key, []))
            ]
        tops = category.top_heads
        listed = {top.place: top.score for top in tops}
        layers, heads = range(self.num_layers), range(self.num_heads)
        return [[listed.get(Head(layer, head)) for head in heads] for layer in layers]

    def _best_basic(self) -> Matrix:
        """[layer][head] the largest score on any basic role with cells."""
        with_cells = [self.all_scores[role.key] for role in SCORED_ROLES if role.has_cells]
        return [
            [max(matrix[layer][head] for matrix in with_cells) for head in range(self.num_heads)]
            for layer in range(self.num_layers)
        ]

    @model_validator(mode="before")
    @classmethod
    def _in_the_present_version(cls, plain: Any) -> Any:
        if not isinstance(plain, dict):
            return plain
        if made_elsewhere.is_from_elsewhere(plain):
            return made_elsewhere.adopt(plain)
        return version_1.upgrade(plain)

    @model_validator(mode="after")
    def _consistent(self) -> ModelEntry:
        """Roles known, matrices [num_layers][num_heads], listed heads in the model."""
        unknown = (self.categories.keys() | self.all_scores.keys()) - ROLES.keys()
        if unknown:
            raise ValueError(f"unknown roles {sorted(unknown)}")
        missing = {role.key for role in SCORED_ROLES} - self.all_scores.keys()
        if missing and not self.made_elsewhere:
            raise ValueError(f"no scores for {sorted(missing)}")
        for name, matrix in self._matrices().items():
            if len(matrix) != self.num_layers or any(len(row) != self.num_heads for row in matrix):
                raise ValueError(f"{name} is not a {self.num_layers} x {self.num_heads} matrix")
        for key, category in self.categories.items():
            for head in category.heads:
                if head.layer >= self.num_layers or head.head >= self.num_heads:
                    raise ValueError(f"{key} lists {head.label}, not in the model")
            if key in EXTENDED_ROLES and category.not_measured is None:
                self._check_whole(key)
        self._check_shares()
        self._check_causal()
        self._check_hints()
        return self

    def _matrices(self) -> dict[str, list[list[float]]]:
        """Every [layer][head] matrix of the entry, by a name for people."""
        named = dict(self.all_scores)
        named |= {f"errors of {key}": matrix for key, matrix in self.standard_errors.items()}
        named |= {f"null of {key}": matrix for key, matrix in self.null_scores.items()}
        for key, control in self.controls.items():
            named[f"control of {key}"] = control.scores
            if control.standard_errors is not None:
                named[f"errors of the control of {key}"] = control.standard_errors
        for parts in (self.factors, self.by_kind):
            for key, part in parts.items():
                named |= {f"{key}: {name}": matrix for name, matrix in part.items()}
        for key, profile in self.profiles.items():
            named |= {f"{key}: {name}": matrix for name, matrix in profile.matrices().items()}
        return named

    def _check_whole(self, key: str) -> None:
        """An extended role was measured with all its parts, or not at all."""
        stored = self.role(key)
        role, control = stored.role, stored.control
        parts = (
            stored.scores,
            stored.errors,
            control and control.standard_errors,
            stored.category.threshold is not None,
            stored.category.chance is not None or role.is_signed,
            stored.profile or not role.at_distance,
        )
        if not all(parts):
            raise ValueError(f"{key} was measured, but a part of its numbers is missing")

    def _check_shares(self) -> None:
        """Scores are shares, unless the role's have a sign."""
        tops = {
            key: [[category.threshold or 0.0]]
            + [[top.score, top.control or 0.0] for top in category.top_heads]
            for key, category in self.categories.items()
        }
        controls = {key: control.scores for key, control in self.controls.items()}
        for group in (self.all_scores, controls, tops):
            for key, matrix in group.items():
                if key in ROLES and ROLES[key].is_signed:
                    continue
                for value in (value for row in matrix for value in row):
                    if not 0 <= value <= LARGEST_SHARE:
                        raise ValueError(f"{key} holds {value}: its scores are shares from 0 to 1")

    def _check_causal(self) -> None:
        """Evidence is for roles that are described, about heads of the model, each once."""
        for name, role in self.causal.items():
            if name not in self.categories:
                raise ValueError(f"causal evidence for the unknown role '{name}'")
            for evidence in role.everywhere:
                self._check_places(name, [(effect.layer, effect.head) for effect in evidence.heads])
                self._check_places(name, evidence.group.heads if evidence.group else [])

    def _check_places(self, name: str, places: list[tuple[int, int]]) -> None:
        for layer, head in places:
            if layer >= self.num_layers or head >= self.num_heads:
                raise ValueError(f"causal {name} has L{layer}H{head}, not in the model")
        if len(set(places)) != len(places):
            raise ValueError(f"causal {name} has a head twice")

    def _check_hints(self) -> None:
        """Hints are for roles that are described, about heads of the model."""
        for key, hints in self.hints.items():
            if key not in self.categories:
                raise ValueError(f"hints for the unknown role '{key}'")
            woken = [(head.layer, head.head) for hint in hints.prompts for head in hint.heads]
            for layer, head in (*woken, *hints.in_vain):
                if layer >= self.num_layers or head >= self.num_heads:
                    raise ValueError(f"a hint of {key} has L{layer}H{head}, not in the model")


def _named_by_key(entries: dict[str, ModelEntry]) -> dict[str, ModelEntry]:
    named = {}
    for key, entry in entries.items():
        if key != entry.model_name:
            if not (entry.made_elsewhere and _may_be(key, entry.model_name)):
                raise ValueError(f"the entry '{key}' says that it is of '{entry.model_name}'")
            entry = entry.model_copy(update={"model_name": key})
        named[key] = entry
    return named


def _may_be(key: str, name: str) -> bool:
    """Whether a name that is made for people may be that of a key: it is no other model's."""
    said = catalogue.same_model(name)
    return said == catalogue.same_model(key) or said not in catalogue.known_models()


_File = TypeAdapter(Annotated[dict[str, ModelEntry], AfterValidator(_named_by_key)])


def validate(text: str | bytes, path: object) -> dict[str, ModelEntry]:
    """The entries of a file's text.

    Raises:
        CategoriesBrokenError: if it is no JSON, or not of the schema; it names ``path``.
    """
    text = _in_utf8(text)
    try:
        return _File.validate_json(text)
    except ValidationError as error:
        if notes := notes_in(text):
            entries = {key: part for key, part in json.loads(text).items() if key not in notes}
            return validate(json.dumps(entries), path)
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        said = first["msg"].removeprefix("Value error, ")
        raise CategoriesBrokenError(path, why=f"{place}: {said}.") from error


def notes_in(text: str | bytes) -> dict[str, object]:
    """What a file of another program says beside its entries, such as a version or a date.

    That is whatever is no object and not under the name of a model, or has a name that begins with
    ``_``. It is not read, and kept when the file is written.
    """
    try:
        plain = json.loads(_in_utf8(text))
    except (ValueError, RecursionError):
        return {}
    return made_elsewhere.notes(plain) if isinstance(plain, dict) else {}


def _in_utf8(text: str | bytes) -> str | bytes:
    """As other programs may write it: with a byte order mark, or in UTF-16."""
    if isinstance(text, str):
        return text
    try:
        return text.decode(json.detect_encoding(text))
    except UnicodeDecodeError:
        return text  # which is then refused, with the place


def digest(entry: ModelEntry | None) -> str:
    """SHA-256 of everything an entry says, whatever the file's layout; "" for no entry."""
    if entry is None:
        return ""
    plain = {**entry.model_dump(mode="json"), "as_written": entry.as_written}
    if not entry.made_elsewhere:
        del plain["as_written"]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def to_json(entries: dict[str, ModelEntry], *, notes: Mapping[str, object] | None = None) -> str:
    """The file's text: sorted by model, one matrix row per line, so that changes read well.

    Args:
        entries: by model.
        notes: of :func:`notes_in`, which stand before them.
    """
    plain = {
        name: entries[name].as_written or entries[name].model_dump(mode="json", exclude_none=True)
        for name in sorted(entries)
    }
    for entry in (plain[name] for name in plain if not entries[name].made_elsewhere):
        for evidence in entry["causal"].values():
            for place in (evidence, *evidence["also"]):
                if not place["also"]:
                    del place["also"]
        for part in (
            "factors",
            "by_kind",
            "profiles",
            "causal",
            "hints",
        ):  # of an analysis that was made without
            if not entry[part]:
                del entry[part]
    text = json.dumps({**(notes or {}), **plain}, indent=1, ensure_ascii=False)
    # A line break only ever stands between values, never inside a text, so texts stay as they are.
    rows = re.compile(r"\[\n\s+([-\d.e]+(?:,\n\s+[-\d.e]+)*)\n\s+\]")
    heads = re.compile(r'\{\n\s+("(?:layer|change)": [^{}\[\]]*?)\n\s+\}')
    text = rows.sub(lambda row: f"[{_joined(row[1])}]", text)
    return heads.sub(lambda head: f"{{{_joined(head[1])}}}", text) + "\n"


def _joined(lines: str) -> str:
    return re.sub(r"\n\s+", " ", lines)
