"""How alike heads are by their attention: profile by profile, or cell by cell on the same text.

*By profile* (:mod:`headroles.corpus.profiles`): five numbers from 0 to 1 and their mean. Of the
attention that does not rest on the first token, the overlap by distance, by copies and by the sort
of token (``sum of min(p, q)``: what both heads give to the same part); and how close their resting
shares and their evenness are (one minus the difference). It works for heads of different models.

*By pattern*: the cosine of both heads' attention over all cells of the same text, without the first
column. It needs the same tokens, so it is for heads of one model.

Both are symmetric, and 1 for a head and itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from headroles.corpus.profiles import ProfileCollector
from headroles.corpus.reading import Batch, Corpus, EachLayer, Reading, tokenize
from headroles.scoring import Visible, likeness
from headroles.store.real_text import Profiles
from headroles.texts import batches, sources

PARTS = {
    "distance": "how far back",
    "copies": "copies",
    "classes": "sort of token",
    "first": "resting",
    "entropy": "evenness",
}
"""{part of the likeness of two profiles: its name}."""


@dataclass(frozen=True, eq=False)
class Likeness:
    """How alike the heads of one model and of another (or the same) are."""

    parts: dict[str, Float[Tensor, "head other"]]
    """{part: [head other]} 0..1, in the order of :data:`PARTS`."""

    @property
    def total(self) -> Float[Tensor, "head other"]:
        """[head other] 0..1, the mean of the parts."""
        return torch.stack(list(self.parts.values())).mean(0)


def by_profile(one: Profiles, other: Profiles) -> Likeness:
    """Every head of one model held against every head of another, or of the same."""
    names = sorted({*one.classes, *other.classes})
    parts = {
        view: likeness.all_overlaps(_division(one, view, names), _division(other, view, names))
        for view in ("distance", "copies", "classes")
    }
    for number in ("first", "entropy"):
        pair = (torch.tensor(getattr(profiles, number)).flatten() for profiles in (one, other))
        parts[number] = likeness.closeness(*pair)
    return Likeness(parts)


def _division(profiles: Profiles, view: str, classes: list[str]) -> Float[Tensor, "head kind"]:
    """[head kind] how the attention that does not rest is divided; each row sums to 1.

    A head that only rests has a row of zeros but for a last kind of its own.
    """
    layers, heads = len(profiles.first), len(profiles.first[0])
    if view == "classes":
        empty = [[0.0] * heads] * layers
        shares = torch.tensor([profiles.classes.get(name, empty) for name in classes])
    else:
        shares = torch.tensor(getattr(profiles, view))
    shares = shares.flatten(1).T.double()  # [head kind]
    if view == "copies":
        beside = torch.tensor(profiles.distance).flatten(1).sum(0).double()
        rest = (beside - shares.sum(-1)).clamp_min(0)
        shares = torch.cat([shares, rest.unsqueeze(-1)], -1)
    whole = shares.sum(-1, keepdim=True)
    only_rests = whole <= 0
    divided = torch.where(only_rests, 0.0, shares / whole.clamp_min(1e-9))
    return torch.cat([divided, only_rests.double()], -1).float()


class PatternProducts:
    """Sums the products of every two heads' attention over all cells of a text but column 0.

    One step of the pass holds all layers of its passages, so it is run a passage at a time:
    ``heads x length^2`` numbers. Padding counts for nothing.

    Args:
        shape: layers and heads.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        heads = shape[0] * shape[1]
        self.products = torch.zeros(heads, heads, dtype=torch.double)
        self._layers: list[Tensor] = []

    def begin(self, batch: Batch) -> None:
        """Nothing is known of the layers yet."""
        self._is_text, self._layers = batch.is_text, []

    def on_layer(
        self, layer: int, attention: Float[Tensor, "batch head query key"], visible: Visible
    ) -> None:
        """Keep a layer until the passage is over."""
        shown = attention[..., 1:] * self._is_text[:, None, :, None]
        self._layers.append(shown.transpose(0, 1).flatten(1))  # [head cells]

    def end(self) -> None:
        """Multiply, and forget the patterns."""
        every = torch.cat(self._layers)
        self.products += (every @ every.T).double()
        self._layers = []

    def add(self, other: PatternProducts) -> None:
        """Take over what another one of the same model has summed."""
        self.products += other.products

    def likeness(self) -> Float[Tensor, "head other"]:
        """[head other] 0..1, the cosines."""
        return likeness.cosine(self.products).float()


# ------------------------------------------------------------------ what is read for it

PASSAGES = {"stories": 80, "manual": 12}
"""{source: passages that are read, about 1,500 tokens}."""
TOKENS = 128
"""Tokens of a passage that are read."""
NUMBERS = 4_000_000
"""Heads x cells of a step, 16 MB."""


def sample(tokenizer: PreTrainedTokenizerBase, source: str, *, max_tokens: int = TOKENS) -> Corpus:
    """The passages on which heads are compared where nothing is stored: always the same.

    Args:
        tokenizer: the model's.
        source: a key of :data:`PASSAGES`.
        max_tokens: what the model can read, if that is less than :data:`TOKENS`.
    """
    passages = sources.read_passages(sources.SOURCES[source])
    drawn = sources.draw(passages, PASSAGES[source], seed=0)
    return tokenize(tokenizer, drawn, max_tokens=min(TOKENS, max_tokens))


def steps(corpus: Corpus, shape: tuple[int, int]) -> list[Int[Tensor, " rows"]]:
    """Passages that are read together, so that all layers' patterns of a step fit in memory."""
    cells = max(TOKENS**2, NUMBERS // (shape[0] * shape[1]))
    return batches(corpus.prompts.sequences, max_cells=cells)


@dataclass(frozen=True, eq=False)
class Sums:
    """Profiles and products of one model on some text."""

    profiles: ProfileCollector
    products: PatternProducts

    @classmethod
    def of(cls, shape: tuple[int, int]) -> Sums:
        """Nothing is read yet."""
        return cls(ProfileCollector(shape), PatternProducts(shape))

    @classmethod
    def read(
        cls,
        corpus: Corpus,
        shape: tuple[int, int],
        each_layer: EachLayer,
        rows: Int[Tensor, " rows"],
    ) -> Sums:
        """Of some passages of a corpus.

        Raises:
            NotANumberError: if the model computes NaN or infinity.
            UnsupportedModelError: if what its heads see cannot be told.
        """
        made = cls.of(shape)
        Reading(corpus, [made.profiles, made.products]).step(each_layer, rows)
        return made

    @classmethod
    def joined(cls, parts: Sequence[Sums]) -> Sums:
        """Of all parts, which stay as they are."""
        whole = cls.of(parts[0].profiles.shape)
        for part in parts:
            whole.profiles.add(part.profiles)
            whole.products.add(part.products)
        return whole
