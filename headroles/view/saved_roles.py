"""Saved roles on a prompt: a card, a map and a head's state. Pure: no Streamlit.

>>> card_of(saved, run, scores).headline  # doctest: +SKIP
'2 of 3 heads active'
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from headroles import roles, scoring, verdicts
from headroles.errors import PatternError
from headroles.types import Head
from headroles.view import head_maps, role_cards

if TYPE_CHECKING:
    from headroles.roles import SavedRole
    from headroles.types import PromptRun, Verdict
    from headroles.verdicts import PromptScores

THRESHOLD = 0.4
"""Provisional: what heads of a role that somebody made reach has not been measured."""
FEWEST_HEADS = 3
"""Heads that such a role lists even if none reaches the threshold."""
KEPT = "Kept by your instructor"
"""The badge of a role that every visitor sees."""


def judge(
    saved: SavedRole, run: PromptRun, scores: PromptScores, heads: Sequence[Head]
) -> list[Verdict]:
    """The state of some heads in a saved role on a prompt, as for the roles of the analysis.

    Raises:
        PatternError: if the pattern does not fit the prompt.
    """
    role, prompts = saved.pattern, roles.prompts_of_run(run)
    if not bool(role.fits(prompts).all()):
        raise PatternError(
            f"It was painted for {role.length} tokens, and this prompt has "
            f"{len(run.token_ids)} (the start token included).",
            hint="Type a prompt of that length, or save an expression: it fits any prompt.",
        )
    activations = scoring.role_activation(run.attention, prompts, role, sight=run.sight)
    return [
        verdicts.judge_as(role, head, activations.of(*head), scores, THRESHOLD) for head in heads
    ]


def card_of(saved: SavedRole, run: PromptRun, scores: PromptScores) -> role_cards.RoleCard:
    """A saved role with its heads on a prompt; heads that the model lacks are left out.

    Raises:
        PatternError: if the pattern does not fit the prompt.
    """
    measured = _measured(saved, scores)
    rows = [
        {
            "layer": verdict.head.layer,
            "head": verdict.head.head,
            "label": verdict.head.label,
            "score": measured[verdict.head],
            "standard_error": None,
            "roles": [],
            **verdicts.verdict_row(verdict),
        }
        for verdict in judge(saved, run, scores, list(measured))
    ]
    return role_cards.role_card(saved.pattern, rows, None)


def _measured(saved: SavedRole, scores: PromptScores) -> dict[Head, float]:
    """{head: activation in the lab} of the role's heads that the model has."""
    layers, width = scores.resting.shape
    return {head: s for head, s in saved.heads if head.layer < layers and head.head < width}


def rows(
    shown: Iterable[tuple[SavedRole, bool]],
    run: PromptRun,
    scores: PromptScores,
    *,
    heads: Sequence[Head] | None = None,
) -> list[dict[str, object]]:
    """One flat row per role and head for a file, in the columns of the roles of the analysis.

    A role whose painted cells do not fit the prompt says so in each of its rows.

    Args:
        shown: (role, whether it is kept for the class), in their order.
        run: the prompt.
        scores: all heads' numbers on it.
        heads: these in every role; by default those that each role lists.
    """
    table = []
    for saved, is_kept in shown:
        measured = _measured(saved, scores)
        asked = list(measured) if heads is None else list(heads)
        try:
            on_prompt = list(map(verdicts.verdict_row, judge(saved, run, scores, asked)))
        except PatternError as error:
            told = {"is_active": False, "state": "not_applicable", "reason": error.message}
            on_prompt = [told] * len(asked)
        for head, judged in zip(asked, on_prompt, strict=True):
            table.append(
                {
                    "role": f"saved:{saved.name}",
                    "layer": head.layer,
                    "head": head.head,
                    "label": head.label,
                    "score": measured.get(head),
                    **judged,
                    **({} if heads is None else {"listed": head in measured}),
                    "pattern": saved.pattern.key if saved.travels else saved.pattern.formula,
                    "kept_for_the_class": is_kept,
                }
            )
    return table


def map_of(saved: SavedRole, run: PromptRun, scores: PromptScores) -> head_maps.RoleMap:
    """Every head of the model in a saved role on a prompt, its own heads marked.

    Raises:
        PatternError: if the pattern does not fit the prompt.
    """
    judged = judge(saved, run, scores, Head.every(*scores.resting.shape))
    marked = {head for head, _ in saved.heads}
    return head_maps.prompt_map(saved.pattern, judged, marked=marked)
