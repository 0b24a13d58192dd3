"""What every measurement of an extended role needs, and how its texts become one score a head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedTokenizerBase

from headroles.analysis.measure import ProbeTexts
from headroles.roles import ROLES
from headroles.scoring import mean_and_error
from headroles.types import RoleScores


@dataclass(frozen=True, eq=False)
class Setting:
    """What every measurement needs."""

    bridge: TransformerBridge
    tokenizer: PreTrainedTokenizerBase
    probe: ProbeTexts
    seed: int
    advance: Callable[[str, int], None]
    """Told the phase and how many texts were done."""

    @property
    def shape(self) -> tuple[int, int]:
        """Layers and heads."""
        return self.bridge.cfg.n_layers, self.bridge.cfg.n_heads

    def rng(self) -> np.random.Generator:
        """A source of randomness for one measurement: no other one changes its numbers."""
        return np.random.default_rng(self.seed)


def scores_over_texts(
    key: str,
    scores: Float[Tensor, "n layer head"],
    control: Float[Tensor, "m layer head"],
    *,
    texts: str,
    chance: float | None = None,
    factors: Mapping[str, Float[Tensor, "layer head"]] | None = None,
) -> RoleScores:
    """The scores of a role from one number for each text and head.

    Args:
        key: the role's key.
        scores: [n layer head] NaN where a text says nothing.
        control: [m layer head] the same without the cue.
        texts: what was measured on, in a few words.
        chance: 0..1; None in logits.
        factors: {what: [layer head]} the factors of the score.
    """
    mean, error = mean_and_error(scores)
    without, without_error = mean_and_error(control)
    return RoleScores(
        role=key,
        mean=mean,
        standard_error=error,
        chance=chance,
        n=len(scores),
        control=without,
        control_name=ROLES[key].control,
        control_error=without_error,
        texts=texts,
        factors=factors or {},
    )
