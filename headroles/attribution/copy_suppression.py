"""Copy suppression on real text: does a head write against the token that it looks at?

The reference scores measure this on random repeats (:mod:`headroles.analysis.direct_effect_roles`).
Here the same number is taken where a token comes back on its own account. At token q an earlier
copy stands at k - 1, so that t[k] is what the model may expect next; with ``A`` the attention,
``v`` the values and ``<o, t>`` the direct effect of an output o on the logit of token t, less the
mean of all tokens (McDougall et al. 2023, arXiv 2310.04625)::

    score = sum over k in S(q) of A[q, k] <v[k] W_O, t[k]>

averaged over tokens. Below zero the head writes against what it looks at. Its control is the same
attention with the direct effect on another token of the same passages.

A token takes a pass of its own, so a bounded number of tokens is drawn, at most one per passage.

>>> rows = draw_rows(prompts, cells, n=40, seed=0)  # doctest: +SKIP
>>> measure(loaded, rows).mean[10, 7]  # doctest: +SKIP
tensor(-0.62)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headroles.attribution import contributions
from headroles.attribution.recording import Recording, record_rows
from headroles.circuits import weights
from headroles.circuits.parts import matrix_of
from headroles.models import LoadedModel
from headroles.scoring import mean_and_error

ROWS = 64
"""Tokens that are measured, if nothing is said."""
_AT_ONCE = 8
"""Recordings in memory together."""
_BLOCK = 8192
"""Columns of the unembedding whose mean is taken together."""


@dataclass(frozen=True)
class Row:
    """A token at which copies of it are looked for."""

    passage: int
    """Which passage."""
    token_ids: tuple[int, ...]
    """[pos] the passage up to the token."""
    keys: tuple[int, ...]
    """S(q): the places of what followed its earlier copies."""
    other: int
    """The id of another token of the text, for the control."""


@dataclass(frozen=True, eq=False)
class Suppression:
    """What every head writes of the tokens that it looks at, in logits."""

    mean: Float[Tensor, "layer head"]
    """[layer head] direct effect on the tokens in S(q), times the attention on them."""
    error: Float[Tensor, "layer head"]
    """[layer head] its standard error over tokens."""
    control: Float[Tensor, "layer head"]
    """[layer head] the same for another token of the text."""
    control_error: Float[Tensor, "layer head"]
    """[layer head] its standard error."""
    rows: int
    """Tokens that were measured."""


def draw_rows(
    token_ids: Sequence[Sequence[int]],
    cells: Sequence[Bool[Tensor, "..."]],
    *,
    n: int = ROWS,
    seed: int = 0,
) -> list[Row]:
    """Tokens with an earlier copy, at most one per passage, at random.

    Args:
        token_ids: [passage][pos] ids, position 0 the start token.
        cells: [passage] [query key] S(q) of induction, each of its own size; may be padded.
        n: at most so many.
        seed: fixes the choice.
    """
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for passage in rng.permutation(len(token_ids)).tolist():
        ids = token_ids[passage]
        queries = cells[passage][: len(ids), : len(ids)].any(-1).nonzero().squeeze(-1).tolist()
        if not queries:
            continue
        query = int(rng.choice(queries))
        keys = tuple(cells[passage][query].nonzero().squeeze(-1).tolist())
        copied = {ids[key] for key in keys}
        others = [token for token in ids[1:] if token not in copied]
        if not others:
            continue
        rows.append(Row(passage, tuple(ids[: query + 1]), keys, int(rng.choice(others))))
        if len(rows) == n:
            break
    return rows


def measure(loaded: LoadedModel, rows: Sequence[Row]) -> Suppression:
    """Every head's score at these tokens.

    Raises:
        UnsupportedModelError: if the parts of this model cannot be told apart.
        NotANumberError: if the model computes NaN or infinity.
    """
    reference = mean_unembedding(loaded)
    scores = [
        score
        for start in range(0, len(rows), _AT_ONCE)
        for score in _scores(loaded, rows[start : start + _AT_ONCE], reference)
    ]
    both = torch.stack(scores) if scores else torch.zeros(0, 2, loaded.num_layers, loaded.num_heads)
    mean, error = mean_and_error(both)
    return Suppression(mean[0], error[0], mean[1], error[1], len(scores))


def _scores(
    loaded: LoadedModel, rows: Sequence[Row], reference: Float[Tensor, " d_model"]
) -> list[Float[Tensor, "kind layer head"]]:
    """[row] what each head writes of the tokens in S(q), and of the other token."""
    seen = record_rows(loaded, [row.token_ids for row in rows], logits=False)
    found = []
    for row, recording in zip(rows, seen, strict=True):
        copied = torch.zeros(loaded.num_layers, loaded.num_heads)
        for token in {row.token_ids[key] for key in row.keys}:
            at = [key for key in row.keys if row.token_ids[key] == token]
            copied += _by_key(loaded, recording, token, reference)[..., at].sum(-1)
        other = _by_key(loaded, recording, row.other, reference)[..., list(row.keys)].sum(-1)
        found.append(torch.stack([copied, other]))
    return found


def _by_key(
    loaded: LoadedModel, recording: Recording, token: int, reference: Float[Tensor, " d_model"]
) -> Float[Tensor, "layer head key"]:
    wanted = weights.unembedding_of(loaded, [token])[0].squeeze(-1) - reference
    return contributions.effects_by_key(loaded, recording, wanted)


def mean_unembedding(loaded: LoadedModel) -> Float[Tensor, " d_model"]:
    """The mean of all columns of the unembedding, which no token's lead depends on."""
    vocabulary = matrix_of(loaded.model.get_output_embeddings())[0].shape[-1]
    total = torch.zeros((), dtype=torch.double)
    for start in range(0, vocabulary, _BLOCK):
        ids = range(start, min(start + _BLOCK, vocabulary))
        total = total + weights.unembedding_of(loaded, list(ids))[0].sum(-1)
    return total / vocabulary
