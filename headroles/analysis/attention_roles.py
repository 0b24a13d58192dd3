"""The extended roles that attention shows, on text and on random tokens.

Every such role of the registry is measured in the same two passes: over pairs of sentences, and
over random tokens in their place. A role that looks at marks finds them at the same places in both.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from headroles.analysis.bridge import each_layer
from headroles.analysis.setting import Setting, scores_over_texts
from headroles.reference import MAX_CELLS
from headroles.roles import EXTENDED_ROLES, LONGEST_OFFSET, Prompts
from headroles.scoring import (
    CellWeights,
    Visible,
    batch_activations,
    mean_and_error,
    offset_shares,
    once_per_sight,
    peaks,
    role_weights,
    unseen_layers,
)
from headroles.texts import encode, probe_texts, sentences, token_texts
from headroles.types import OffsetMeans, RoleScores, Sequences

TEXTS = "pairs of sentences"


def pairs_of_sentences(tokenizer: PreTrainedTokenizerBase, *, longest: int) -> Sequences:
    """Every two sentences as one text, so that a distance of 16 has rows and some tokens come
    after a full stop; each sentence is used once, and no text is longer than the model reads.
    """
    pairs = zip(sentences.SENTENCES[::2], sentences.SENTENCES[1::2], strict=True)
    return probe_texts.pack(
        [
            encode(tokenizer, f"{first} {second}", max_tokens=longest).token_ids
            for first, second in pairs
        ]
    )


def by_attention(setting: Setting) -> dict[str, RoleScores | str]:
    """Every extended role with cells, and the one that looks a fixed distance back."""
    natural = pairs_of_sentences(setting.tokenizer, longest=setting.bridge.cfg.n_ctx)
    ids = probe_texts.ordinary_ids(setting.tokenizer)
    control = probe_texts.random_like(natural, ids, rng=setting.rng())
    rows = zip(natural.token_ids.tolist(), natural.lengths.tolist(), strict=True)
    marked = tuple(token_texts(setting.tokenizer, row[:length]) for row, length in rows)
    on_text = _Pass(setting, Prompts(natural, marked), "sentences")
    on_random = _Pass(setting, Prompts(control, marked), "random tokens")
    measured: dict[str, RoleScores | str] = {
        key: scores_over_texts(
            key,
            on_text.scores[key],
            on_random.scores[key],
            texts=TEXTS,
            chance=float(on_text.chance[key].nanmean().nan_to_num(0.0)),  # 0 where nobody sees any
        )
        for key in on_text.scores
    }
    for key, role in EXTENDED_ROLES.items():
        if role.at_distance:
            measured[key] = _by_distance(key, on_text, on_random)
    return measured


class _Pass:
    """One pass over a kind of text, for all these roles."""

    def __init__(self, setting: Setting, prompts: Prompts, phase: str) -> None:
        n = len(prompts)
        self.roles = [role for role in EXTENDED_ROLES.values() if role.cells]
        self.scores = {role.key: torch.zeros(n, *setting.shape) for role in self.roles}
        """{role key: [n layer head]}; NaN where a text has no applying row."""
        self.chance = {role.key: torch.zeros(n, setting.shape[0]) for role in self.roles}
        """{role key: [n layer]}."""
        self.offsets = torch.zeros(LONGEST_OFFSET, n, *setting.shape)
        """[distance n layer head]."""
        self.offset_chance = torch.zeros(LONGEST_OFFSET, n, setting.shape[0])
        """[distance n layer]."""
        for rows in probe_texts.batches(prompts.sequences, max_cells=MAX_CELLS):
            self._run(setting, prompts.some(rows), rows)
            setting.advance(f"extended: {phase}", len(rows))

    def _run(self, setting: Setting, some: Prompts, rows: Tensor) -> None:
        drawn = once_per_sight(
            lambda visible: [role_weights(role, some, visible) for role in self.roles]
        )

        def on_layer(layer: int, pattern: Tensor, visible: Visible) -> None:
            self._score(layer, pattern.float(), some, rows, visible, drawn(visible))

        each_layer(setting.bridge, some.sequences.token_ids, on_layer)

    def _score(
        self,
        layer: int,
        pattern: Float[Tensor, "batch head query key"],
        some: Prompts,
        rows: Tensor,
        visible: Visible,
        predicted: list[CellWeights],
    ) -> None:
        if predicted:
            activations = batch_activations(pattern, predicted)  # [role batch head]
            for role, weights, values in zip(self.roles, predicted, activations, strict=True):
                self.chance[role.key][rows, layer] = weights.chance
                empty = (weights.rows == 0).unsqueeze(-1)
                self.scores[role.key][rows, layer] = values.masked_fill(empty, torch.nan)
        shares, chances = offset_shares(
            pattern, some.sequences.lengths, longest=LONGEST_OFFSET, visible=visible
        )
        self.offsets[:, rows, layer], self.offset_chance[:, rows, layer] = shares, chances


def _by_distance(key: str, on_text: _Pass, on_random: _Pass) -> RoleScores | str:
    """Each head at the distance that lies furthest over its chance; or why there are none."""
    by_layer = on_text.offset_chance.nanmean(1)  # [distance layer]; NaN where nobody sees so far
    seen = (~by_layer.isnan().all(-1)).nonzero().flatten().tolist()
    longest = seen[-1] + 1 if seen else 0  # the profile ends where the sight of all heads ends
    if longest < 2:
        return "No head of this model can see more than one token back."
    by_layer = by_layer[:longest]
    chance = by_layer.nanmean(-1).nan_to_num(0.0)  # [distance]
    means, errors = _over_texts(on_text.offsets[:longest])
    randoms, random_errors = _over_texts(on_random.offsets[:longest])
    sees = ~on_text.offset_chance[1:].isnan().all(0)  # [n layer] a token beyond the previous one
    peak = peaks(means, by_layer)
    at_peak = (peak.distance - 1).unsqueeze(0)  # [1 layer head] place in the profile
    error, control, control_error = (
        values.gather(0, at_peak).squeeze(0) for values in (errors, randoms, random_errors)
    )
    return RoleScores(
        role=key,
        mean=peak.share,
        standard_error=error,
        chance=float(chance[1:].max()),
        n=on_text.offsets.shape[1],
        unseen_layers=unseen_layers(torch.where(sees, 0.0, torch.nan).unsqueeze(-1)),
        control=control,
        control_name=EXTENDED_ROLES[key].control,
        control_error=control_error,
        texts=TEXTS,
        offsets=OffsetMeans(
            mean=means,
            standard_error=errors,
            control=randoms,
            control_error=random_errors,
            chance=chance,
            peak=peak.distance,
            is_previous=peak.is_previous,
        ),
    )


def _over_texts(
    offsets: Float[Tensor, "distance n layer head"],
) -> tuple[Float[Tensor, "distance layer head"], Float[Tensor, "distance layer head"]]:
    """Mean and standard error at every distance."""
    means, errors = zip(*(mean_and_error(values) for values in offsets), strict=True)
    return torch.stack(means), torch.stack(errors)
