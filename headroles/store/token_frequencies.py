"""How often each token of a model occurs, read from a file that says what was counted.

``data/token_frequencies/<model>.json`` holds counts by token id and their source, and which tokens
are mostly whole words there; it is made by ``python -m scripts.count_tokens``. A model without such
a file, or with one that cannot be right, gets equal probabilities, and says so. Tokens that were
not met get a little, as if met 1e-10 of the time.

>>> read_frequencies("demo", 2816).source  # doctest: +SKIP
'20,000 passages of the grammar that the model was trained on'
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float, Int
from pydantic import BaseModel, Field, ValidationError
from torch import Tensor

from headroles import disk, paths
from headroles.errors import HeadrolesError, ours
from headroles.formatting import count, in_one_line
from headroles.store import files

_UNSEEN = 1e-10
_MOST = 2**53
"""Of one token; above it, a float is no whole number any more."""


class _Stored(BaseModel):
    """The file, which may be anybody's."""

    source: str
    counts: dict[
        Annotated[int, Field(ge=0, le=_MOST)], Annotated[int, Field(ge=0, le=_MOST, strict=True)]
    ]
    words: list[Annotated[int, Field(ge=0, le=_MOST, strict=True)]] = []


@dataclass(frozen=True, eq=False)
class TokenFrequencies:
    """The probability of each token, and where it is from."""

    probabilities: Float[Tensor, " vocab"]
    """[vocab] sums to 1."""
    source: str
    """What was counted, in words; empty if nothing was."""
    counted: int
    """Tokens that were counted; 0 if none."""
    words: Int[Tensor, " word"] | None = None
    """[word] the tokens that are mostly whole words there; None where that was not counted."""
    fault: str = ""
    """Why the stored counts cannot be used, in a sentence; "" where they can, or there are none."""

    @property
    def sentence(self) -> str:
        """Where the probabilities are from, for people."""
        if not self.counted:
            why = self.fault or "No token counts are stored for this model."
            return f"{why} So every token counts as equally likely."
        return f"Token probabilities: counted in {self.source} ({count(self.counted, 'token')})."


def read_frequencies(model: str, vocab_size: int) -> TokenFrequencies:
    """The stored frequencies of a model, or equal ones.

    Args:
        model: the catalogue key, or the name under which its scores are stored.
        vocab_size: rows of its embedding; a file that does not fit it is refused.
    """
    name = f"token_frequencies/{model.replace('/', '--')}.json"
    own = paths.DATA / name
    path = own if own.is_file() else paths.ROOT / "data" / name  # what ships with the code
    equal = torch.full((vocab_size,), 1 / vocab_size)
    if disk.stamp(path) is None:
        return TokenFrequencies(equal, "", 0)
    try:
        with ours(lambda error: _refused("it cannot be read as JSON")):
            stored = _stored(disk.read(path)[0], vocab_size)
    except HeadrolesError as error:
        return TokenFrequencies(equal, "", 0, fault=error.message)
    counts = torch.zeros(vocab_size, dtype=torch.float64)
    counts[torch.tensor(list(stored.counts), dtype=torch.long)] = torch.tensor(
        list(stored.counts.values()), dtype=torch.float64
    )
    words = torch.tensor(stored.words, dtype=torch.long) if stored.words else None
    total = int(counts.sum())
    probabilities = counts / max(total, 1) + _UNSEEN
    probabilities = (probabilities / probabilities.sum()).float()
    return TokenFrequencies(probabilities, stored.source, total, words)


def write_frequencies(
    model: str, counts: Mapping[int, int], *, source: str, words: Collection[int] = ()
) -> str:
    """Store a model's counts, and which tokens are whole words; returns the file's path.

    Raises:
        HeadrolesError: if something is no count, or no token's number.
    """
    path = paths.DATA / "token_frequencies" / f"{model.replace('/', '--')}.json"
    ordered = {str(token): counts[token] for token in sorted(counts)}
    content = {"model": model, "source": source, "counts": ordered}
    body = json.dumps(content | ({"words": sorted(words)} if words else {}), indent=0) + "\n"
    _stored(body.encode(), math.inf)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.replace_file(path, body.encode())
    return str(path)


def _stored(raw: bytes, vocab_size: float) -> _Stored:
    """The content of a file, every number of which was looked at.

    Raises:
        HeadrolesError: with the first thing that is wrong.
        ValueError: if it is no JSON.
    """
    content = json.loads(raw, object_pairs_hook=_unique)
    try:
        stored = _Stored.model_validate(content)
    except ValidationError as error:
        raise _refused(_first_fault(error.errors()[0])) from error
    if len(stored.counts) < len(content["counts"]):
        raise _refused("it counts a token twice")
    largest = max((*stored.counts, *stored.words), default=0)
    if largest >= vocab_size:
        raise _refused(f"it has token {largest:,}, and the model has {vocab_size:,} tokens")
    return stored


def _first_fault(fault: Mapping) -> str:
    """What pydantic finds first, in words."""
    where, *rest = fault["loc"] or ("",)
    if where == "counts" and rest:
        token = in_one_line(str(rest[0]), limit=30)
        if rest[-1] == "[key]":
            return f"“{token}” is no token's number"
        value = in_one_line(str(fault["input"]), limit=30)
        return f"the count of token {token} is {value}, which is no whole number from 0 to 2^53"
    if where == "words" and rest:
        return (
            f"“{in_one_line(str(fault['input']), limit=30)}” among its words is no token's number"
        )
    return f"“{where}” is missing or not what it should be" if where else "it holds no counts"


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object whose names are all different: of equal ones, the last would win."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _refused("it has the same name twice")
    return made


def _refused(why: str) -> HeadrolesError:
    return HeadrolesError(
        f"The stored token counts cannot be used: {why}.",
        hint="Make them anew with python -m scripts.count_tokens.",
        value=why,
    )
