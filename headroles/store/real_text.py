"""What a model's heads do on real text: ``data/real_text/<model>.json.gz``.

The file names passages by a digest and holds none of their text (:mod:`headroles.texts.sources`).
It belongs to weights, as an entry does: one that was made with others is not used.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from headroles import disk, paths
from headroles.errors import HeadrolesError, ours
from headroles.store import files
from headroles.store.records import ErrorMatrix, Matrix, Record, Share, ShareMatrix, Spread
from headroles.store.token_kinds import KindTable, Proposals
from headroles.types import Head

PASSAGE_TOKENS = 192
"""Tokens of a passage that are read, the start token included; the rest of it is left out."""
_GZIP = b"\x1f\x8b"
Count = Annotated[int, Field(ge=0)]


class ReadSource(Record):
    """A source of the text that was read."""

    key: str
    name: str
    licence: str
    tokens: Count
    """Tokens of the model, start tokens not counted."""


class StoredPassage(Record):
    """A passage, without its text."""

    digest: str
    """Of its text (:attr:`headroles.texts.Passage.digest`)."""
    source: str
    document: str
    place: Count
    """How many passages of the document come before it."""


class Profiles(Record):
    """Every head's attention on the text in shares (:mod:`headroles.corpus.profiles`)."""

    rows: Count
    """Tokens of the text whose attention it is the mean of."""
    first: ShareMatrix
    """[layer][head] on the first token."""
    entropy: ShareMatrix
    """[layer][head] mean evenness: 1 for an even spread, 0 for one cell."""
    distance: list[ShareMatrix]
    """[distance][layer][head] on the token itself, 1 to 16 tokens back, and further."""
    copies: list[ShareMatrix]
    """[2][layer][head] on what followed an earlier copy of the token, and on earlier copies."""
    classes: dict[str, ShareMatrix]
    """{class of token: [layer][head]}."""


class RoleMeans(Record):
    """What every head does in one role on one kind of text."""

    rows: list[list[Count]]
    """[layer][head] tokens where the role applies; one number for a layer whose heads agree."""
    passages: Count
    """Passages with such a token."""
    active: list[list[Count]]
    """[layer][head] tokens at which the head is active."""
    mean: list[list[Share]]
    """[layer][head] activation over these tokens."""
    error: list[list[Spread | None]]
    """[layer][head] its standard error over groups of documents; None where there is one group
    only."""

    def rows_of(self, head: Head) -> int:
        """Tokens where the role applies to a head."""
        row = self.rows[head.layer]
        return row[head.head if len(row) > 1 else 0]

    def rate(self, head: Head) -> float | None:
        """0..1, the share of these tokens at which it is active; None without any."""
        rows = self.rows_of(head)
        return self.active[head.layer][head.head] / rows if rows else None


class RoleActivity(Record):
    """One role in the wild."""

    threshold: Share
    """What a head must reach at a token, or more where chance is high."""
    chance: list[Share]
    """[layer] activation of a head that spreads evenly."""
    text: RoleMeans
    """On the text."""
    shuffled: RoleMeans
    """On some of its passages with their tokens shuffled, the role's places where they were."""


class CopySuppression(Record):
    """What every head writes of the tokens that followed earlier copies, in logits."""

    tokens: Count
    """Tokens at which it was measured, at most one per passage."""
    mean: Matrix
    """[layer][head] direct effect times attention; below zero a head writes against them."""
    error: ErrorMatrix
    """[layer][head] its standard error over tokens."""
    control: Matrix
    """[layer][head] the same of another token of the passage."""
    control_error: ErrorMatrix
    """[layer][head] its standard error."""


Example = Annotated[list[Count], Field(min_length=3)]
"""Passage, query position, activation in thousandths; then key position and weight in thousandths
by turns, for the keys with most attention."""


class HeadEvidence(Record):
    """Tokens that show what a head does."""

    strongest: list[Example]
    """The strongest token of each of its strongest passages, best first."""
    typical: list[Example]
    """One token drawn from each tenth of all, the weakest tenth first."""


class Evidence(Record):
    """Tokens that show what every head does."""

    tokens: Count
    """Tokens that the looks of heads were taken from."""
    heads: dict[str, HeadEvidence]
    """{head: what it looks at, whatever its role}."""
    roles: dict[str, dict[str, HeadEvidence]]
    """{role key: {head: its evidence}} of the heads that a role lists."""

    def of(self, head: Head, role: str | None) -> HeadEvidence | None:
        """A head's evidence, in a role or as such; None where there is none."""
        return (self.heads if role is None else self.roles.get(role, {})).get(head.label)

    def every(self) -> Iterator[Example]:
        """All examples."""
        for heads in (self.heads, *self.roles.values()):
            for one in heads.values():
                yield from one.strongest
                yield from one.typical


class RealText(Record):
    """A pass over real text; every part names passages by their place in ``passages``."""

    version: Annotated[int, Field(ge=1, le=1)] = 1
    model_name: str
    revision: str
    """Of the weights that ran."""
    num_layers: Annotated[int, Field(ge=1)]
    num_heads: Annotated[int, Field(ge=1)]
    date: str
    seed: Count
    python: str
    """The version whose manual and library were read, as 3.11."""
    sources: list[ReadSource]
    passages: list[StoredPassage]
    profiles: Profiles | None = None
    kinds: KindTable | None = None
    """From what kind of token to what kind heads look."""
    proposals: Proposals | None = None
    """A simple pattern for every head."""
    activity: dict[str, RoleActivity] | None = None
    """{role key: how often its heads are at work}."""
    evidence: Evidence | None = None
    """Passages that show what heads do."""
    copy_suppression: CopySuppression | None = None
    """Whether heads write against what they look at, at a bounded number of tokens."""

    @model_validator(mode="after")
    def _fits(self) -> RealText:
        """Refuse numbers that are not of this model, and places that are not of this text."""
        if (own := self.profiles) is not None:
            self._check(own.first, own.entropy, *own.distance, *own.copies, *own.classes.values())
        for one in (self.activity or {}).values():
            for means in (one.text, one.shuffled):
                self._check(means.active, means.mean, means.error)
                if len(means.rows) != self.num_layers or not all(
                    len(row) in (1, self.num_heads) for row in means.rows
                ):
                    raise ValueError("the rows are not of this model's shape")
            if len(one.chance) != self.num_layers:
                raise ValueError("the chance levels are not of this model's layers")
        if one := self.copy_suppression:
            self._check(one.mean, one.error, one.control, one.control_error)
        if self.evidence:
            self._check_evidence(self.evidence)
        if self.kinds:
            self._check(self.kinds.mean)
        if self.proposals:
            self._check(self.proposals.heads)
        return self

    def _check_evidence(self, evidence: Evidence) -> None:
        known = {head.label for head in Head.every(self.num_layers, self.num_heads)}
        for heads in (evidence.heads, *evidence.roles.values()):
            if not known.issuperset(heads):
                raise ValueError("a head is not of this model's shape")
        if any(one[0] >= len(self.passages) for one in evidence.every()):
            raise ValueError("an example is of no passage")

    def _check(self, *matrices: list[list]) -> None:
        for matrix in matrices:
            if len(matrix) != self.num_layers or any(len(row) != self.num_heads for row in matrix):
                raise ValueError("a matrix is not of this model's shape")

    @property
    def tokens(self) -> int:
        """Of all sources."""
        return sum(source.tokens for source in self.sources)


def read_real_text(model: str, *, revision: str | None = None) -> RealText | None:
    """What is stored for a model; None where there is nothing, or it was made with other weights.

    Args:
        model: the catalogue key, or the name of the entry.
        revision: of the weights; None takes any.

    Raises:
        HeadrolesError: if the file is damaged.
    """
    path = _stored(model)
    if disk.stamp(path) is None:
        return None
    found = read_file(path)
    return found if revision in (None, found.revision) else None


def read_file(path: Path) -> RealText:
    """A record that lies anywhere, compressed or not.

    Raises:
        HeadrolesError: if there is none, or it is damaged.
    """
    with ours(_damaged):
        try:
            return RealText.model_validate_json(plain(disk.read(path)[0]))
        except ValidationError as error:
            raise _damaged(error) from error


def stamp(model: str) -> disk.Stamp | None:
    """What changes whenever the file does; None where there is none."""
    return disk.stamp(_stored(model))


def write_real_text(record: RealText, folder: Path | None = None) -> str:
    """Store it in place of an earlier one, whole or not at all; returns the file's path.

    ``folder`` is the data folder, the server's own where none is given.
    """
    path = path_of(record.model_name, folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.replace_file(path, gzip.compress(as_bytes(record), mtime=0))
    return str(path)


def as_bytes(record: RealText) -> bytes:
    """The record as JSON, not compressed."""
    return (record.model_dump_json(exclude_none=True) + "\n").encode()


def plain(content: bytes) -> bytes:
    """The JSON in a file's content, which may be compressed.

    Raises:
        ValueError, zlib.error: if it is damaged, or unpacks to more than a file may have.
    """
    if not content.startswith(_GZIP):
        return content
    unpacking = zlib.decompressobj(wbits=31)  # of gzip, with its checksum
    unpacked = unpacking.decompress(content, disk.LARGEST)
    if not unpacking.eof:
        raise ValueError("it is cut off, or too large")
    return unpacked


def _stored(model: str) -> Path:
    """The server's own file, or else the one that comes with the project."""
    own = path_of(model)
    return own if own.is_file() else paths.ROOT / "data" / "real_text" / own.name


def path_of(model: str, folder: Path | None = None) -> Path:
    """The file of a model in a data folder, by default the server's own."""
    return (folder or paths.DATA) / "real_text" / f"{model.replace('/', '--')}.json.gz"


def _damaged(error: BaseException) -> HeadrolesError:
    return HeadrolesError(
        "The stored results on real text cannot be read.",
        hint="Make them anew with python -m scripts.read_texts.",
        value=str(error)[:200],
    )
