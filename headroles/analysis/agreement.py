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
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformer_lens.head_detector import detect_head
from transformer_lens.model_bridge import TransformerBridge

from headroles.analysis.bridge import each_layer

DETECTED = {
    "previous_token": "previous_token_head",
    "duplicate_token": "duplicate_token_head",
    "induction": "induction_head",
}
"""Our role key -> the detector's name, for the roles that both know."""


def as_detect_head_sees(role_key: str, token_ids: Int[Tensor, " pos"]) -> Bool[Tensor, "pos pos"]:
    """The cells of a role as ``detect_head`` draws them: position 0 and row 1 take part."""
    if role_key == "previous_token":
        return torch.ones(len(token_ids), len(token_ids), dtype=torch.bool).tril(-1).triu(-1)
    copies = (token_ids.unsqueeze(-1) == token_ids).tril(-1)
    if role_key == "duplicate_token":
        return copies
    shifted = torch.zeros_like(copies)
    shifted[:, 1:] = copies[:, :-1]
    return shifted.tril()


def own_detect_head(
    bridge: TransformerBridge, prompts: Sequence[str]
) -> dict[str, Float[Tensor, "layer head"]]:
    """``detect_head``'s mean score over prompts, for all its roles in one pass a prompt."""
    totals = {key: torch.zeros(bridge.cfg.n_layers, bridge.cfg.n_heads) for key in DETECTED}
    for prompt in prompts:
        ids = bridge.to_tokens(
            prompt
        )  # whatever start token it prepends, detect_head sees the same
        cells = {key: as_detect_head_sees(key, ids[0]).float() for key in DETECTED}

        def on_layer(layer: int, pattern: Tensor, cells: dict[str, Tensor] = cells) -> None:
            for key, wanted in cells.items():
                totals[key][layer] += (pattern[0] * wanted).sum((-1, -2)) / pattern[0].sum((-1, -2))

        each_layer(bridge, ids, on_layer)
    return {key: total / len(prompts) for key, total in totals.items()}


def detect_head_scores(
    bridge: TransformerBridge, prompts: Sequence[str]
) -> dict[str, Float[Tensor, "layer head"]]:
    """TransformerLens' own numbers for the same prompts: one run a prompt and role."""
    return {key: detect_head(bridge, list(prompts), name) for key, name in DETECTED.items()}


def largest_difference(bridge: TransformerBridge, prompts: Sequence[str]) -> dict[str, float]:
    """{role key: largest |own - detect_head| over all heads}; below 1e-5 everywhere."""
    own, theirs = own_detect_head(bridge, prompts), detect_head_scores(bridge, prompts)
    return {key: float((own[key] - theirs[key]).abs().max()) for key in DETECTED}
