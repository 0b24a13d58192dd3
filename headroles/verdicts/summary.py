"""The listed heads of a model on a prompt, as plain rows: what ``get_active_head_summary`` gives.

>>> import headroles
>>> headroles.get_active_head_summary(run, "demo")["induction"][0]["is_active"]  # doctest: +SKIP
True
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from headroles.errors import HeadrolesError, ShapeError, UnknownHeadError, ours
from headroles.roles import BASIC_ROLES, SCORED_ROLES, KnownHead, named_heads
from headroles.store import ModelEntry
from headroles.types import Head, PromptRun, Verdict
from headroles.verdicts.prompt import judge
from headroles.verdicts.scores import PromptScores


def summarize(entry: ModelEntry, scores: PromptScores) -> dict[str, list[dict[str, object]]]:
    """The body of :func:`get_active_head_summary`, for callers that hold the scores already."""
    roles_of = _roles_of_heads(entry)
    summary: dict[str, list[dict[str, object]]] = {}
    for key in BASIC_ROLES:
        if key not in entry.categories:
            continue
        category, hints = entry.categories[key], entry.hints.get(key)
        summary[key] = [
            {
                "layer": top.layer,
                "head": top.head,
                "label": top.place.label,
                "score": top.score,
                "standard_error": top.standard_error,
                "roles": roles_of[top.place],
                **verdict_row(judge(top.place, key, scores, category.threshold)),
                "hint": hints.prompt_for(top.place) if hints else None,
            }
            for top in category.top_heads
        ]
    return summary


def literature_entry(model_name: str) -> dict[str, list[KnownHead]]:
    """The heads that papers name for a model, by scored role; empty if no paper mentions it.

    A head that several sources name for one role appears once, with all of them.
    """
    entry: dict[str, list[KnownHead]] = {}
    for role in SCORED_ROLES:
        merged: dict[Head, KnownHead] = {}
        for known in named_heads(model_name, role=role.key):
            if first := merged.get(known.head):
                basis = "pattern" if "pattern" in (first.basis, known.basis) else first.basis
                known = known._replace(basis=basis, source=f"{first.source}; {known.source}")
            merged[known.head] = known
        if merged:
            entry[role.key] = list(merged.values())
    return entry


def summarize_literature(
    named: Mapping[str, Sequence[KnownHead]], scores: PromptScores
) -> dict[str, list[dict[str, object]]]:
    """The rows of :func:`summarize` for heads from papers, judged by provisional thresholds.

    Nobody has measured them here, so ``score`` and ``standard_error`` are None; ``source`` is the
    citation, and ``basis`` says whether it names the head for its pattern or its effect.

    Raises:
        UnknownHeadError: if a named head is not in this model.
    """
    layers, heads = scores.resting.shape
    roles_of: dict[Head, list[str]] = {}
    for key, rows in named.items():
        for known in rows:
            if known.head.layer >= layers or known.head.head >= heads:
                raise UnknownHeadError(known.head.label, layers=layers, heads=heads)
            roles_of.setdefault(known.head, []).append(key)
    return {
        key: [
            {
                "layer": known.head.layer,
                "head": known.head.head,
                "label": known.head.label,
                "score": None,
                "standard_error": None,
                "roles": roles_of[known.head],
                "basis": known.basis,
                "source": known.source,
                **verdict_row(judge(known.head, key, scores, None)),
                "hint": None,
            }
            for known in rows
        ]
        for key, rows in named.items()
    }


def verdict_row(verdict: Verdict) -> dict[str, object]:
    """A verdict as the part of a summary's row that depends on the prompt."""
    return {
        "activation_score": verdict.activation.value,
        "chance": verdict.activation.chance,
        "rows": verdict.activation.rows,
        "threshold": verdict.threshold,
        "needed": verdict.needed,
        "is_active": verdict.is_active,
        "state": verdict.state,
        "reason": verdict.reason,
        "resting_share": verdict.resting_share,
    }


def _roles_of_heads(entry: ModelEntry) -> dict[Head, list[str]]:
    roles: dict[Head, list[str]] = {}
    for key in BASIC_ROLES:
        for head in entry.listed(key):
            roles.setdefault(head, []).append(key)
    return roles


def unpack_heads(activation_data: PromptRun | Mapping[str, object]) -> tuple[Tensor, Sequence[int]]:
    """[layer head query key] attention and [pos] token ids of a run, or of a mapping with both."""
    if isinstance(activation_data, PromptRun):
        return activation_data.attention, activation_data.copy_ids
    try:
        attention, token_ids = activation_data["attention"], activation_data["token_ids"]
    except (KeyError, TypeError, IndexError) as error:
        is_mapping = isinstance(activation_data, Mapping)
        raise ShapeError(
            "The activation data",
            expected="{'attention': [layer, head, query, key], 'token_ids': [pos]}",
            got=sorted(activation_data) if is_mapping else type(activation_data).__name__,
        ) from error
    return patterns_of(attention), ids_of(token_ids)


def patterns_of(given: object) -> Tensor:
    """Attention from any program, whatever kind of numbers it holds, as scores are computed.

    Raises:
        ShapeError: if it is no array of numbers, or an empty one.
        HeadrolesError: if it holds NaN or infinity: no comparison with these is true.
    """

    def refused(error: BaseException) -> ShapeError:
        got = f"the form of {type(given).__name__}"
        return ShapeError("The attention", expected="[..., query, key]", got=got)

    with ours(refused):
        weights = torch.as_tensor(given).detach().float()
    if not weights.numel():
        raise ShapeError("The attention", expected="[..., query, key]", got=list(weights.shape))
    if not bool(weights.isfinite().all()):
        raise HeadrolesError(
            "The attention holds numbers that are not numbers (NaN or infinity).",
            hint="Look for them in the model that it comes from: its weights are damaged, or too "
            "large for the numbers that it runs in.",
        )
    return weights


def ids_of(given: object) -> list[int]:
    """[pos] token ids from any program.

    Raises:
        ShapeError: if they are no whole numbers.
    """
    form = "[pos] with the tokens' ids, which are whole numbers"
    with ours(lambda error: ShapeError("The tokens", expected=form, got=type(given).__name__)):
        ids = torch.as_tensor(given)
    if ids.is_floating_point():
        raise ShapeError("The tokens", expected=form, got=str(ids.dtype).removeprefix("torch."))
    return ids.flatten().tolist()


def head_index(head_info: object, weights: Tensor) -> tuple[int, int]:
    """Layer and head, checked against the attention's shape."""
    try:
        pair = head_info if isinstance(head_info, tuple) else map(head_info.get, ("layer", "head"))
        layer, head = map(operator.index, pair)
    except (AttributeError, TypeError, ValueError) as error:
        raise HeadrolesError(
            "A head is given by the numbers of its layer and of itself.",
            hint="Pass a mapping with 'layer' and 'head', as in top_heads.",
            value=str(head_info),
        ) from error
    layers, heads = weights.shape[:2]
    if not (0 <= layer < layers and 0 <= head < heads):
        raise UnknownHeadError(Head(layer, head).label, layers=layers, heads=heads)
    return layer, head
