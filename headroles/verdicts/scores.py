"""Every number that the verdicts of a prompt rest on, computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from jaxtyping import Float
from torch import Tensor

from headroles.scoring import RoleActivation, Sight, Visible
from headroles.scoring import activation as scoring_activation
from headroles.scoring import largest as scoring_largest
from headroles.types import Head, PromptRun


@dataclass(frozen=True, eq=False)
class PromptScores:
    """Every head's activation for every role on one prompt, computed once."""

    activations: Mapping[str, RoleActivation]
    """{role key: [layer head]}."""
    resting: Float[Tensor, "layer head"]
    """[layer head] mean attention on position 0."""
    num_tokens: int
    """Tokens of the prompt, BOS included."""
    token_ids: tuple[int, ...] = ()
    """[pos] the prompt's ids."""
    tokens: tuple[str, ...] = ()
    """[pos] the tokens as text; empty where only the ids are known."""
    output_change: Float[Tensor, "layer head"] | None = None
    """[layer head] how much each head's output changes from token to token, next to what a head of
    its layer writes; None where only the attention is known."""
    sight: Sight = ()
    """[layer] what the heads of each layer can see; empty where all see every token so far."""
    nowhere: Float[Tensor, "layer head"] | None = None
    """[layer head] mean attention on no token over the rows that have a choice, in a model with
    learned sinks; None in others."""

    largest: Float[Tensor, "layer head"] | None = None
    """[layer head] 0..1, each head's mean largest weight (:mod:`headroles.scoring.largest`), beside
    the evenness of ``diffuse``; None where only activations are known."""

    def largest_of(self, head: Head) -> tuple[float, float] | None:
        """A head's mean largest weight, and that of an even spread; None where it is not known."""
        if self.largest is None:
            return None
        even = scoring_largest.even_largest(self.num_tokens, self.visible_to(head.layer))
        return float(self.largest[head]), even

    def visible_to(self, layer: int) -> Visible:
        """[query key] what a layer's heads can see; None where that is every token so far."""
        return self.sight[layer] if self.sight else None

    def resting_of(self, head: Head) -> float:
        """0..1, a head's mean attention on position 0."""
        return self._plain_resting[head.layer][head.head]

    def output_change_of(self, head: Head) -> float | None:
        """0 and up, how much a head's output changes; None where that is not known."""
        return self._plain_change and self._plain_change[head.layer][head.head]

    # Plain numbers, made once: a page asks hundreds of times, and asking a tensor is slow.
    @cached_property
    def _plain_resting(self) -> list[list[float]]:
        return self.resting.tolist()

    @cached_property
    def _plain_change(self) -> list[list[float]] | None:
        return None if self.output_change is None else self.output_change.tolist()


def score_prompt(
    attention: Float[Tensor, "layer head query key"],
    token_ids: Sequence[int],
    *,
    tokens: Sequence[str] = (),
    output_change: Float[Tensor, "layer head"] | None = None,
    sight: Sight = (),
) -> PromptScores:
    """Every number that the verdicts of a prompt rest on.

    Args:
        attention: [layer head query key] the patterns.
        token_ids: [pos] ids, position 0 being the BOS token or its stand-in.
        tokens: [pos] the same as text, so that a reason can name a place; or nothing.
        output_change: [layer head] as in :class:`~headroles.types.PromptRun`; without it the
            attention alone says which heads rest.
        sight: [layer] what the heads can see; nothing where they see every token so far.
    """
    activations = scoring_activation.prompt_activations(attention, token_ids, sight=sight)
    nearby = activations["diffuse"].nearby
    return PromptScores(
        activations=activations,
        resting=scoring_activation.resting_share(attention, sight),
        num_tokens=len(token_ids),
        token_ids=tuple(token_ids),
        tokens=tuple(tokens),
        output_change=output_change,
        sight=tuple(sight),
        largest=scoring_largest.every_largest(attention, sight),
        nowhere=None if nearby is None or not bool(nearby[-1].any()) else nearby[-1],
    )


def score_run(run: PromptRun) -> PromptScores:
    """The same of a run, with all that it knows."""
    return score_prompt(
        run.attention,
        run.copy_ids,
        tokens=run.tokens,
        output_change=run.output_change,
        sight=run.sight,
    )
