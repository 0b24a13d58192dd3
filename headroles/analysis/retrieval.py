"""The role *retrieval*: a head that copies the answer out of a long text while the model says it.

A *needle*, a sentence that the model cannot know, stands somewhere in a haystack of others and is
asked for at the end. While the model says the answer, token by token, a head copies a token if its
top key lies in the needle and is the very token that is said (Wu et al. 2024, arXiv 2404.15574).
With k the tokens of the answer and g those that the head copies, its score on a text is

    |g and k| / |k|

and the mean over the texts whose answer the model finds (at least half of its tokens); the others
say nothing, as in the paper. The same needle stands in several texts, which are no independent
tries: their mean is one value, and score and standard error are those of the needles' values
(:func:`over_needles`). Every token is asked for behind the right ones before it, in one pass,
and counts as said where it is the model's own first guess.

The control has random tokens in the place of the answer in the needle, and asks for the same
answer: a head whose top key lies at that place all the same goes by the place.

>>> measure_retrieval(setting).mean.max()  # doctest: +SKIP
tensor(0.81)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from headroles.analysis.bridge import each_layer
from headroles.analysis.setting import Setting, scores_over_texts
from headroles.errors import AnalysisError
from headroles.reference import MAX_CELLS
from headroles.scoring import Visible
from headroles.texts import SENTENCES, encode, probe_texts, role_texts
from headroles.types import RoleScores, Sequences

FOUND = 0.5
"""0..1, of the answer's tokens: the model has found a needle if it says so many."""
LEAST_NEEDLES = 3
"""Fewer needles that the model finds make no score: they hardly tell how far needles differ."""

N_NEEDLES = len(role_texts.NEEDLES)
N_TEXTS = N_NEEDLES * len(role_texts.PLACES)


@dataclass(frozen=True, eq=False)
class Haystacks:
    """Texts with a needle each, and their controls; all rows that ask for an answer's token."""

    real: Sequences
    control: Sequences
    """[n pos] the same with random tokens where the answer stands in the needle."""
    cells: Bool[Tensor, "n query key"]
    """[n query key] True where a row waits for a token of the answer, at that token in the
    needle."""
    wanted: Int[Tensor, "n pos"]
    """[n pos] the token that each row waits for; -1 on rows that wait for none."""
    needle: Int[Tensor, " n"]
    """[n] which needle each text hides: texts of one needle are no independent tries."""

    def __len__(self) -> int:
        return len(self.real)

    @property
    def asked(self) -> Int[Tensor, " n"]:
        """[n] tokens of the answer."""
        return (self.wanted >= 0).sum(-1)

    def some(self, rows: Int[Tensor, " rows"], batch: Sequences) -> tuple[Tensor, Tensor, Tensor]:
        """Ids, cells and wanted tokens of a few texts, no wider than the longest."""
        width = int(batch.lengths[rows].max())
        return (
            batch.token_ids[rows, :width],
            self.cells[rows, :width, :width],
            self.wanted[rows, :width],
        )


def haystacks(setting: Setting) -> Haystacks:
    """Every needle at every place, among sentences in an order of their own.

    Raises:
        AnalysisError: if the model's context is too short, or its tokenizer splits an answer in two
            ways.
    """
    rng, rows, which = setting.rng(), [], []
    for number, needle in enumerate(role_texts.NEEDLES):
        for others, depth in role_texts.PLACES:
            hay = rng.permutation(list(SENTENCES))[:others].tolist()
            encoding = encode(setting.tokenizer, needle.hidden(hay, depth))
            if found := _answers(encoding.tokens, encoding.token_ids, needle.answer):
                rows.append((list(encoding.token_ids), found))
                which.append(number)
    context = setting.bridge.cfg.n_ctx
    longest = max((len(ids) for ids, _ in rows), default=0)
    if longest > context:
        raise AnalysisError(
            f"The model reads {context} tokens at most, and a text with a needle has {longest}."
        )
    if len(rows) < N_TEXTS // 2:
        raise AnalysisError("This model splits the answers into other tokens inside a sentence.")
    return _of(rows, which, probe_texts.ordinary_ids(setting.tokenizer), rng)


def _answers(
    tokens: tuple[str, ...], ids: tuple[int, ...], answer: str
) -> tuple[int, int, int] | None:
    """Where an answer begins in the needle and at the end, and its length in tokens."""
    starts = np.cumsum([0, *map(len, tokens[1:])])  # of the tokens behind the start token
    text = "".join(tokens[1:])
    places = text.find(answer), text.rfind(answer)
    at = [int(np.searchsorted(starts, place)) for place in places]
    if places[0] < 0 or [starts[one] for one in at] != list(places):
        return None
    first, last = (one + 1 for one in at)
    size = len(ids) - last
    return (first, last, size) if ids[first : first + size] == ids[last:] else None


def _of(
    rows: list[tuple[list[int], tuple[int, int, int]]],
    which: list[int],
    ids: list[int],
    rng: np.random.Generator,
) -> Haystacks:
    real = probe_texts.pack([row for row, _ in rows])
    control, width = real.token_ids.clone(), real.token_ids.shape[1]
    cells = torch.zeros(len(rows), width, width, dtype=torch.bool)
    wanted = torch.full((len(rows), width), -1)
    for place, (row, (first, last, size)) in enumerate(rows):
        control[place, first : first + size] = torch.from_numpy(rng.choice(np.asarray(ids), size))
        for step in range(size):
            query, token = last + step - 1, row[last + step]
            wanted[place, query] = token
            for key in range(first, first + size):
                cells[place, query, key] = row[key] == token
    return Haystacks(real, Sequences(control, real.lengths), cells, wanted, torch.tensor(which))


def copied(
    pattern: Float[Tensor, "batch head query key"], cells: Bool[Tensor, "batch query key"]
) -> Bool[Tensor, "batch head query"]:
    """Where a head's top key is one of the row's cells."""
    top = pattern.argmax(-1)  # [batch head query]
    spread = cells.unsqueeze(1).expand(-1, top.shape[1], -1, -1)
    return spread.gather(-1, top.unsqueeze(-1)).squeeze(-1)


def over_needles(
    values: Float[Tensor, " n *rest"], needle: Int[Tensor, " n"]
) -> Float[Tensor, " needle *rest"]:
    """One value for each needle, in order: the mean over its texts, NaNs left out.

    Args:
        values: [n ...] one for each text; NaN where a text says nothing.
        needle: [n] which needle each text hides.

    >>> over_needles(torch.tensor([0.2, 0.4, 1.0]), torch.tensor([0, 0, 5]))
    tensor([0.3000, 1.0000])
    """
    return torch.stack([values[needle == one].nanmean(0) for one in needle.unique()])


def measure_retrieval(setting: Setting) -> RoleScores:
    """``retrieval``: how much of the answers a head copies out of the needles.

    ``n`` of the scores counts the needles that the model finds.

    Raises:
        AnalysisError: if the model finds too few needles, or the texts do not fit it.
    """
    hay = haystacks(setting)
    said = _Pass(setting, hay, hay.real)
    found = said.right >= FOUND  # [n]
    needle, texts = hay.needle[found], int(found.sum())
    needles, asked = len(needle.unique()), len(hay.needle.unique())
    if needles < LEAST_NEEDLES:
        raise AnalysisError(
            f"The model finds {needles} of {asked} needles, in {texts} of {len(hay)} texts; a "
            f"score takes at least {LEAST_NEEDLES} needles."
        )
    without = _Pass(setting, hay, hay.control, own_guess=False)
    return scores_over_texts(
        "retrieval",
        over_needles(said.scores[found], needle),
        over_needles(without.scores[found], needle),
        texts=f"{asked} needles in {len(hay)} texts, among 4 or 8 sentences; the model finds "
        f"{needles} of them, in {texts} of the texts, and says {said.right[found].mean():.0%} of "
        "their tokens there",
        chance=float(over_needles(said.chance[found], needle).mean()),
        factors={
            "attention on the token it is to copy": over_needles(
                said.attention[found], needle
            ).nanmean(0)
        },
    )


class _Pass:
    """One pass over the texts or their control.

    Args:
        setting: the model.
        hay: the places.
        batch: the texts or their control.
        own_guess: whether a token counts only where it is the model's own first guess.
    """

    def __init__(
        self, setting: Setting, hay: Haystacks, batch: Sequences, *, own_guess: bool = True
    ) -> None:
        shape = (len(hay), *setting.shape)
        self.scores, self.attention = torch.zeros(shape), torch.zeros(shape)
        """[n layer head] share of the answer that is copied; mean attention on its tokens. NaN
        where a layer sees none of them."""
        self.right = torch.zeros(len(hay))
        """[n] 0..1, the share of the answer's tokens that are the model's first guess."""
        rows_of = (hay.wanted >= 0).float()
        even = hay.cells.sum(-1) / torch.arange(1, hay.cells.shape[-1] + 1)
        self.chance = (even * rows_of).sum(-1) / hay.asked
        """[n] the share that a top key at a random place would give."""
        for rows in probe_texts.batches(batch, max_cells=MAX_CELLS):
            self._run(setting, hay, batch, rows, own_guess)
            setting.advance("extended: needles", len(rows))

    def _run(
        self, setting: Setting, hay: Haystacks, batch: Sequences, rows: Tensor, own_guess: bool
    ) -> None:
        ids, cells, wanted = hay.some(rows, batch)
        hits: list[Tensor] = []

        def on_layer(layer: int, pattern: Tensor, visible: Visible) -> None:
            pattern = pattern.float()
            seen = cells if visible is None else cells & visible
            hits.append(copied(pattern, seen))
            asked = seen.any(-1).sum(-1)  # [batch] rows with a token in sight
            mass = (pattern * seen.unsqueeze(1)).sum((-1, -2)) / asked.unsqueeze(-1)
            self.attention[rows, layer] = mass  # 0/0 where none is in sight

        def on_end(hidden: Tensor) -> None:
            at = wanted >= 0
            with torch.inference_mode():
                guesses = setting.bridge.unembed(hidden[at]).argmax(-1)
            said = torch.zeros_like(at)
            said[at] = guesses == wanted[at]
            self.right[rows] = said.sum(-1) / hay.asked[rows]
            counts = said if own_guess else at
            for layer, hit in enumerate(hits):
                share = (hit & counts.unsqueeze(1)).sum(-1) / hay.asked[rows].unsqueeze(-1)
                unseen = self.attention[rows, layer].isnan()
                self.scores[rows, layer] = share.masked_fill(unseen, torch.nan)

        each_layer(setting.bridge, ids, on_layer, on_end=on_end)
