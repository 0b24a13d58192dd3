"""What every measurement of an extended role needs, how its texts become one score per head, and
what becomes of a part that cannot be measured: a sentence, and the rest goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from transformer_lens.model_bridge import TransformerBridge
from transformers import PreTrainedTokenizerBase

from headroles.analysis.bridge import first_sentence
from headroles.analysis.measure import ProbeTexts
from headroles.errors import AnalysisError, HeadrolesError, NotANumberError, ours
from headroles.formatting import count, listing
from headroles.roles import ROLES
from headroles.scoring import mean_and_error, unseen_layers
from headroles.types import Head, RoleScores

Part = TypeVar("Part")


def measured_or_why(measure: Callable[[], Part]) -> Part | str:
    """What a part of an analysis gives, or in a sentence why it cannot be measured.

    Raises:
        NotANumberError: that is about the whole model, and ends its analysis.
    """
    try:
        with ours(_stopped):
            return measure()
    except NotANumberError:
        raise
    except HeadrolesError as error:
        return error.message


def _stopped(error: BaseException) -> AnalysisError:
    return AnalysisError(f"This measurement stopped with an error ({first_sentence(error)}).")


def without_gaps(scores: RoleScores | str) -> RoleScores | str:
    """The same scores, or why there are none where some of them are no numbers."""
    if isinstance(scores, str):
        return scores
    tables = (scores.mean, scores.standard_error, scores.control, scores.null, scores.control_error)
    tables = [
        one
        for one in (*tables, *scores.factors.values(), *scores.by_kind.values())
        if one is not None
    ]
    gaps = ~torch.stack([table.isfinite() for table in tables]).all(0)
    if not gaps.any():
        return scores
    if bool(gaps.all()):
        return "None of the texts has a place where this role could show."
    first = Head(*gaps.nonzero()[0].tolist())
    n = int(gaps.sum())
    which = first.label if n == 1 else f"{n} heads, {first.label} among them"
    return f"The measurement gave no number for {which}."


def unseen_notes(scores: Mapping[str, RoleScores | str]) -> list[str]:
    """A note on every role that could not be measured in some layers."""
    return [
        f"{ROLES[key].name}: not measured in {count(len(role.unseen_layers), 'layer')} "
        f"({listing(list(map(str, role.unseen_layers)))}), whose heads cannot see far enough back "
        "on these texts."
        for key, role in scores.items()
        if isinstance(role, RoleScores) and role.unseen_layers
    ]


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
    unseen = unseen_layers(scores)
    if len(unseen) == scores.shape[1]:  # no text says anything: that is no score of 0
        mean = torch.full_like(mean, torch.nan)
    without, without_error = mean_and_error(control)
    return RoleScores(
        role=key,
        mean=mean,
        standard_error=error,
        chance=chance,
        n=len(scores),
        unseen_layers=unseen,
        control=without,
        control_name=ROLES[key].control,
        control_error=without_error,
        texts=texts,
        factors=factors or {},
    )
