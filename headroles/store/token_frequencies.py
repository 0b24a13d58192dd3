"""How often each token of a model occurs, read from a file that says what was counted.

``data/token_frequencies/<model>.json`` holds counts by token id and their source, and which tokens
are mostly whole words there; it is made by ``python -m scripts.count_tokens``. A model without such
a file gets equal probabilities, and says so. Tokens that were not met get a little, as if met 1e-10
of the time.

>>> read_frequencies("demo", 2816).source  # doctest: +SKIP
'20,000 passages of the grammar that the model was trained on'
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float, Int
from pydantic import BaseModel, Field
from torch import Tensor

from headroles import disk, paths
from headroles.store import files

_UNSEEN = 1e-10
_MOST = 2**53
"""Of one token; above it, a float is no whole number any more."""


class _Stored(BaseModel):
    """The file, which may be anybody's."""

    source: str
    counts: dict[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0, le=_MOST)]]
    words: list[Annotated[int, Field(ge=0)]] = []


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

    @property
    def sentence(self) -> str:
        """Where the probabilities are from, for people."""
        if not self.counted:
            return (
                "No token counts are stored for this model: every token counts as equally likely."
            )
        return f"Token probabilities: counted in {self.source} ({self.counted:,} tokens)."


def read_frequencies(model: str, vocab_size: int) -> TokenFrequencies:
    """The stored frequencies of a model, or equal ones.

    Args:
        model: the catalogue key, or the name under which its scores are stored.
        vocab_size: rows of its embedding; a file that does not fit it is not used.
    """
    name = f"token_frequencies/{model.replace('/', '--')}.json"
    own = paths.DATA / name
    path = own if own.is_file() else paths.ROOT / "data" / name  # what ships with the code
    counts = torch.zeros(vocab_size, dtype=torch.float64)
    try:
        stored = _Stored.model_validate_json(disk.read(path)[0])
        ids = torch.tensor(list(stored.counts), dtype=torch.long)
        counts[ids] = torch.tensor(list(stored.counts.values()), dtype=torch.float64)
        words = torch.tensor(stored.words, dtype=torch.long) if stored.words else None
        if words is not None:
            _ = counts[words]  # of this vocabulary
    except (OSError, ValueError, IndexError):
        return TokenFrequencies(torch.full((vocab_size,), 1 / vocab_size), "", 0)
    total = int(counts.sum())
    probabilities = counts / max(total, 1) + _UNSEEN
    probabilities = (probabilities / probabilities.sum()).float()
    return TokenFrequencies(probabilities, stored.source, total, words)


def write_frequencies(
    model: str, counts: Mapping[int, int], *, source: str, words: Collection[int] = ()
) -> str:
    """Store a model's counts, and which tokens are whole words; returns the file's path."""
    path = paths.DATA / "token_frequencies" / f"{model.replace('/', '--')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    ordered = {str(token): counts[token] for token in sorted(counts)}
    content = {"model": model, "source": source, "counts": ordered}
    body = json.dumps(content | ({"words": sorted(words)} if words else {}), indent=0) + "\n"
    files.replace_file(path, body.encode())
    return str(path)
