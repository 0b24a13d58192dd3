"""Simple patterns, and how much of any attention each of them explains: all of them at once.

Every pattern is an expression of the detector lab (:mod:`headroles.roles.expression`). Three groups
differ only in how they are computed:

==========  ====================================================================================
``SINGLE``  at most one key per query: an offset, the last opening bracket
``KEYED``   all earlier keys of a kind
``CELLS``   whatever else: copies, the same word, ranges of distance
==========  ====================================================================================

Each may be narrowed to the queries of one kind (:func:`narrowed`). Column 0 is no part of any
pattern here: what rests there is not explained by any of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headroles.corpus.kinds import QUERIES, kinds_of
from headroles.corpus.reading import Batch
from headroles.roles import cells
from headroles.scoring import Visible

OFFSETS = 16
FAR = (2, 4, 8)
NEARBY = tuple(f"{least} q - k <= {far}".strip() for least in ("", "1 <=") for far in FAR)
"""Ranges of distance, with and without the token itself; to look nearby is one pattern of many."""

CONDITIONS = (
    *(f'kind(k) == "{kind}"' for kind in QUERIES),
    'kind(k) in ("word", "name", "first_word")',
    'kind(k) in ("word", "name", "first_word", "function", "piece")',
    "is_punctuation(k)",
    "is_capitalised(k)",
    "is_word_start(k)",
    "is_quote(k)",
    "is_sentence_end(k)",
    "is_opening(k)",
    "is_closing(k)",
    *(f't[k] == "{word}"' for word in (",", ".", ":", "(", "=", "the", "a", "of", "to", "and")),
)
"""What may be asked of a key alone: of all earlier keys, of the last one and of the first one,
which may be a second resting place (Sun et al. 2024, arXiv 2402.17762)."""
AFTER = (
    "is_newline(k-1)",
    "is_sentence_end(k-1)",
    "is_punctuation(k-1)",
    "is_opening(k-1)",
    "is_quote(k-1)",
)
"""What may stand before a key: the last such key is the first of its line, sentence and so on."""
PAIRED = ("t[k] == t[q]", "t[k-1] == t[q]", "t[k-1] == t[q-1]", "same_kind(q, k)")
"""What may be asked of a query and a key."""

KEYED = tuple(f"{condition} and k < q" for condition in CONDITIONS)
SINGLE = (
    "k == q",
    *(f"k == q - {distance}" for distance in range(1, OFFSETS + 1)),
    "k == 1",
    *(f"last({condition})" for condition in (*CONDITIONS, *AFTER, *PAIRED)),
    *(f"first({condition})" for condition in (*CONDITIONS, "t[k] == t[q]", "same_word(q, k)")),
)
CELLS = (
    *NEARBY,
    f"q - k > {OFFSETS}",
    "k <= 3 and k < q",
    *(f"{pair} and k < q" for pair in PAIRED),
    "t[k-1] == t[q] and t[k-2] == t[q-1] and k < q",
    "t[k+1] == t[q] and k + 1 < q",
    "t[k] == t[q-1] and k < q - 1",
    "same_word(q, k) and k < q",
)
PATTERNS = (*SINGLE, *KEYED, *CELLS)
"""[pattern] all of them, not narrowed."""
KINDS = (None, *QUERIES)
"""The queries that a pattern may be narrowed to; None: all."""


def narrowed(pattern: str, kind: str | None) -> str:
    """A pattern for the queries of one kind.

    >>> narrowed("last(is_opening(k))", "closing")
    'kind(q) == "closing" and last(is_opening(k))'
    """
    return pattern if kind is None else f'kind(q) == "{kind}" and {pattern}'


def either(one: str, other: str) -> str:
    """The union of two patterns; *and* binds more closely than *or*."""
    return f"{one} or {other}"


@dataclass(frozen=True, eq=False)
class Candidates:
    """All patterns on one batch."""

    batch: Batch

    @cached_property
    def queries(self) -> Float[Tensor, "batch query kind"]:
        """[batch query kind] 1 at the kind of each token of the text."""
        return kinds_of(self.batch)[..., 1:]

    @cached_property
    def single(self) -> Int[Tensor, "batch query pattern"]:
        """[batch query pattern] the key of each pattern of ``SINGLE``; 0 where there is none."""
        length = self.batch.is_text.shape[1]
        places = torch.arange(length)
        found = []
        for pattern in SINGLE:
            which, _, condition = pattern.removesuffix(")").partition("(")
            if which in ("last", "first") and condition in (*CONDITIONS, *AFTER):
                held = torch.where(self._at_keys(condition), places, 0)  # [batch key]
                if which == "first":
                    held = held.where((held > 0).cumsum(-1) == 1, 0)
                upto = held.cummax(-1).values
                found.append(torch.nn.functional.pad(upto[:, :-1], (1, 0)))
            else:
                found.append((self._drawn(pattern) * places).sum(-1).long())
        single = torch.stack(found, -1)
        return single * self.batch.is_text.unsqueeze(-1)

    @cached_property
    def keyed(self) -> Float[Tensor, "batch key pattern"]:
        """[batch key pattern] 1 where the condition of a pattern of ``KEYED`` holds."""
        held = torch.stack([self._at_keys(condition) for condition in CONDITIONS], -1).float()
        held[:, 0] = 0
        return held

    @cached_property
    def cells(self) -> Float[Tensor, "batch query key pattern"]:
        """[batch query key pattern] the cells of ``CELLS``."""
        return torch.stack([self._drawn(pattern) for pattern in CELLS], -1)

    def _at_keys(self, condition: str) -> Bool[Tensor, "batch key"]:
        drawn = cells.where(self.batch.prompts, condition)
        return drawn.diagonal(dim1=-2, dim2=-1) > 0

    def _drawn(self, pattern: str) -> Float[Tensor, "batch query key"]:
        drawn = cells.where(self.batch.prompts, pattern)
        drawn[..., 0] = 0
        return drawn

    def explained(
        self, attention: Float[Tensor, "#batch head query key"]
    ) -> Float[Tensor, "batch head query pattern"]:
        """[batch head query pattern] the attention on every pattern; column 0 must be empty."""
        attention = attention.expand(len(self.batch.rows), -1, -1, -1)
        index = self.single.unsqueeze(1).expand(-1, attention.shape[1], -1, -1)
        on_single = attention.gather(-1, index)  # column 0 is empty, and 0 stands for no key
        itself = attention.diagonal(dim1=-2, dim2=-1).unsqueeze(-1) * self.keyed.unsqueeze(1)
        on_keyed = attention @ self.keyed.unsqueeze(1) - itself
        on_cells = (attention.transpose(1, 2) @ self.cells).transpose(1, 2)
        return torch.cat([on_single, on_keyed, on_cells], -1)

    def where(self, pattern: int, kind: int) -> Float[Tensor, "batch query key"]:
        """[batch query key] the cells of a pattern, narrowed to a kind of :data:`KINDS`."""
        length = self.batch.is_text.shape[1]
        if pattern < len(SINGLE):
            key = self.single[..., pattern].unsqueeze(-1)
            found = ((torch.arange(length) == key) & (key > 0)).float()
        elif pattern < len(SINGLE) + len(KEYED):
            held = self.keyed[..., pattern - len(SINGLE)]
            found = held.unsqueeze(1).expand(-1, length, -1).tril(-1)
            found = found * self.batch.is_text.unsqueeze(-1)
        else:
            found = self.cells[..., pattern - len(SINGLE) - len(KEYED)]
        return found if kind == 0 else found * self.queries[..., kind - 1].unsqueeze(-1)

    def by_kind(
        self, rows: Float[Tensor, "batch head query *pattern"]
    ) -> Float[Tensor, "batch head kind *pattern"]:
        """Rows of the text, added up by the kind of their query."""
        flat = rows if rows.ndim == 4 else rows.unsqueeze(-1)
        added = self.queries.transpose(1, 2).unsqueeze(1) @ flat
        return added if rows.ndim == 4 else added.squeeze(-1)


def even_beside_first(length: int, visible: Visible) -> Float[Tensor, "query key"]:
    """[query key] a head that spreads evenly over all that it sees but the first token."""
    seen = torch.ones(length, length).tril() if visible is None else visible.float()
    seen = seen.clone()
    seen[:, 0] = 0
    return seen / seen.sum(-1, keepdim=True).clamp_min(1)
