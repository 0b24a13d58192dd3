"""The extended roles that attention shows, on texts and on their controls.

Roles of the registry that share their texts are measured in the same two passes: over the texts,
and over the control at the same cells (:mod:`headroles.analysis.cue_texts`). On pairs of sentences
every head's profile by distance is measured along.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from headroles.analysis import cue_texts
from headroles.analysis.bridge import each_layer
from headroles.analysis.setting import Setting, measured_or_why, scores_over_texts
from headroles.reference import MAX_CELLS
from headroles.roles import EXTENDED_ROLES, LONGEST_OFFSET, Prompts, Role
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
from headroles.texts import probe_texts
from headroles.types import OffsetMeans, RoleScores


def count_texts() -> int:
    """How many texts these roles run, without their controls."""
    return sum(cue_texts.COUNTS[kind] for kind in {role.measured_on for role in _shown()})


def _shown() -> list[Role]:
    return [role for role in EXTENDED_ROLES.values() if role.from_attention]


def by_attention(
    setting: Setting, keys: Sequence[str] | None = None
) -> dict[str, RoleScores | str]:
    """Every extended role that attention shows, or why one has no scores.

    Args:
        setting: the model.
        keys: only the roles of these keys; None for all.
    """
    wanted = [role for role in _shown() if keys is None or role.key in keys]
    by_text: dict[str, list[Role]] = {}
    for role in wanted:
        by_text.setdefault(role.measured_on, []).append(role)
    measured: dict[str, RoleScores | str] = {}
    for kind, roles in by_text.items():
        part = measured_or_why(lambda kind=kind, roles=roles: _on_texts(setting, kind, roles))
        some = dict.fromkeys((role.key for role in roles), part) if isinstance(part, str) else part
        measured |= some
    return measured


def _on_texts(setting: Setting, kind: str, roles: Sequence[Role]) -> dict[str, RoleScores | str]:
    """The roles that are measured on one kind of texts."""
    texts = cue_texts.CUES[kind](setting)
    with_cells = [role for role in roles if role.cells]
    offsets = any(role.at_distance for role in roles)
    phase = "sentences" if kind == cue_texts.PAIRS else kind
    on_text = _Pass(setting, with_cells, texts.real, phase, offsets=offsets)
    on_random = _Pass(setting, with_cells, texts.control, "random tokens", offsets=offsets)
    measured: dict[str, RoleScores | str] = {
        role.key: _over(role, on_text, on_random, texts=kind, kinds=texts.kinds)
        for role in with_cells
    }
    for role in roles:
        if role.at_distance:
            measured[role.key] = _by_distance(role.key, on_text, on_random)
    return measured


def _over(
    role: Role, on_text: _Pass, on_random: _Pass, *, texts: str, kinds: Sequence[str]
) -> RoleScores:
    """A role over the texts that have a place for it."""
    scores, chance = on_text.scores[role.key], on_text.chance[role.key]
    said = (~scores.isnan()).flatten(1).any(-1)
    if not said.any():
        said = torch.ones_like(said)  # then there is no number, and the reason is given
    counted = [kind for kind, counts in zip(kinds, said.tolist(), strict=False) if counts]
    return scores_over_texts(
        role.key,
        scores[said],
        on_random.scores[role.key][said],
        texts=texts,
        chance=float(chance.nanmean().nan_to_num(0.0)),  # 0 where nobody sees any
        factors=_by_kind(scores[said], counted),
    )


def _by_kind(
    scores: Float[Tensor, "n layer head"], kinds: Sequence[str]
) -> dict[str, Float[Tensor, "layer head"]]:
    """{kind of text: mean}, in the order in which the kinds come."""
    rows = {kind: [at for at, other in enumerate(kinds) if other == kind] for kind in kinds}
    return {kind: mean_and_error(scores[some])[0] for kind, some in rows.items()}


class _Pass:
    """One pass over a kind of text, for the roles that are measured on it."""

    def __init__(
        self,
        setting: Setting,
        roles: Sequence[Role],
        prompts: Prompts,
        phase: str,
        *,
        offsets: bool = False,
    ) -> None:
        n = len(prompts)
        self.roles, self._by_distance = roles, offsets
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
        if not self._by_distance:
            return
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
        texts=cue_texts.PAIRS,
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
