"""Where TransformerLens' ``detect_head`` means the same as this project, both must agree.

``detect_head(..., error_measure="mul")`` divides the attention on the detection pattern by *all*
attention of the prompt, rows without a target included (n rows in all). This project averages over
applying rows only. On one prompt, with D(q) the pattern's columns,

    detect_head = sum over q, k in D(q) of A[q, k] / n        (rows of A sum to 1)

so with S(q) = D(q), ``activation * applying rows = detect_head * n``. The two definitions of the
cells differ in what design.md lists: TransformerLens counts row 1 for previous-token, and
position 0 as a possible copy. :func:`own_detect_head` computes ``detect_head``'s number from this
project's own attention and cells, with these differences added back, and the tests and the
command line compare.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from transformer_lens.head_detector import detect_head
from transformer_lens.model_bridge import TransformerBridge

from headroles.analysis.bridge import each_layer
from headroles.roles import ROLES, Prompts
from headroles.scoring import CellWeights, batch_activations
from headroles.texts import pack
from headroles.types import Sequences

DETECTED = {
    "previous_token": "previous_token_head",
    "duplicate_token": "duplicate_token_head",
    "induction": "induction_head",
}
"""Our role key -> the detector's name, for the roles that both know."""


def own_detect_head(
    bridge: TransformerBridge, prompts: Sequence[str]
) -> dict[str, Float[Tensor, "layer head"]]:
    """``detect_head``'s mean score over prompts: all prompts and roles in one batched pass."""
    # Whatever start token the bridge prepends, detect_head sees the same.
    batch = pack([bridge.to_tokens(prompt)[0].tolist() for prompt in prompts])
    weights = [_detect_head_weights(role_key, batch) for role_key in DETECTED]
    scores = torch.zeros(len(DETECTED), bridge.cfg.n_layers, bridge.cfg.n_heads)

    def on_layer(layer: int, pattern: Tensor, _visible: Tensor | None) -> None:
        scores[:, layer] = batch_activations(pattern.float(), weights).mean(1)

    each_layer(bridge, batch.token_ids, on_layer)
    return dict(zip(DETECTED, scores, strict=True))


def _detect_head_weights(role_key: str, batch: Sequences) -> CellWeights:
    """``detect_head`` as averaging weights: 1 / length on every cell of every row of the text."""
    within = torch.arange(batch.token_ids.shape[1]) < batch.lengths.unsqueeze(-1)  # [batch query]
    cells = ROLES[DETECTED[role_key]].cells(Prompts(batch)) & within.unsqueeze(-1)
    weights = cells / batch.lengths.view(-1, 1, 1)
    return CellWeights(weights, chance=torch.zeros(len(batch)), rows=batch.lengths)


def detect_head_scores(
    bridge: TransformerBridge, prompts: Sequence[str]
) -> dict[str, Float[Tensor, "layer head"]]:
    """TransformerLens' own numbers for the same prompts: one run a prompt and role."""
    return {key: detect_head(bridge, list(prompts), name) for key, name in DETECTED.items()}


def largest_difference(bridge: TransformerBridge, prompts: Sequence[str]) -> dict[str, float]:
    """{role key: largest |own - detect_head| over all heads}; below 1e-5 everywhere."""
    own, theirs = own_detect_head(bridge, prompts), detect_head_scores(bridge, prompts)
    return {key: float((own[key] - theirs[key]).abs().max()) for key in DETECTED}
