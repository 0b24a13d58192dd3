"""The public face: read the stored roles, score one head, summarise all of them on a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from headroles import models
from headroles.errors import CategoriesMissingError, ShapeError
from headroles.roles import BASIC_ROLES
from headroles.scoring import Sight
from headroles.scoring import activation as scoring_activation
from headroles.store import categories, contents
from headroles.types import PromptRun
from headroles.verdicts import (
    PromptScores,
    attention_of,
    head_index,
    ids_of,
    literature_entry,
    score_prompt,
    score_run,
    summarize,
    summarize_literature,
    unpack_heads,
)

PARTS_BY_ROLE = (
    "categories",
    "all_scores",
    "standard_errors",
    "controls",
    "null_scores",
    "factors",
    "by_kind",
    "profiles",
    "hints",
)
"""The parts of an entry that hold something for each role."""


def load_head_categories(
    model_name: str, path: str | Path | None = None, *, extended: bool = False
) -> dict[str, object]:
    """Read one model's entry of ``head_categories.json`` as plain dicts and lists.

    If the file is damaged, this is the last good entry, as long as there is one. An entry that
    another dashboard made holds ``made_elsewhere``: its thresholds are conventions, and what it
    does not say is left out.

    Args:
        model_name: the model's key in the file, or another of its names, as its id on the Hub.
        path: another file.
        extended: whether the extended roles stand among the others, under the same names. By
            default a loop over ``categories`` or ``all_scores`` meets the basic roles alone: their
            scores are shares from 0 to 1, and :func:`verify_head_activation` takes each of them.

    Raises:
        CategoriesMissingError: if there is no such file or no entry for this model.
        CategoriesBrokenError: if the file is damaged and no earlier version has the entry.
    """
    entry, _ = categories.good_entry(model_name, Path(path) if path else None)
    plain = entry.model_dump(exclude_none=True)
    if entry.made_elsewhere:
        plain["made_elsewhere"] = True
    if not extended:
        for part in PARTS_BY_ROLE:
            plain[part] = {key: value for key, value in plain[part].items() if key in BASIC_ROLES}
    return plain


def verify_head_activation(
    attention_weights: object,
    tokens: object,
    head_info: object,
    category: str,
    *,
    sight: Sight | Tensor = (),
) -> float:
    """How far one head does what a role says, on one prompt.

    Args:
        attention_weights: [query key] the head's pattern; or [layer head query key] of the whole
            model, from which the head of ``head_info`` is taken. A tensor or array of any
            precision, or lists.
        tokens: [pos] token ids, the start token included if there is one.
        head_info: which head it is, as in ``top_heads``: a mapping with ``layer`` and ``head``; or
            a :class:`Head`, or its label.
        category: the role's key.
        sight: where a layer does not see every token so far, ``run.sight``, or the one [query key]
            mask of the head's layer: True where it can look.

    Returns:
        The activation, 0..1 (:mod:`headroles.scoring`); 0 where the role does not apply.

    Raises:
        UnknownRoleError: for an unknown category.
        UnknownHeadError: if the whole model's attention is given and has no such head.
        ShapeError: if attention and tokens do not fit together.
        HeadrolesError: if the attention holds NaN, or what is no weight.
    """
    weights, ids = attention_of(attention_weights), ids_of(tokens)
    own = (sight,) if isinstance(sight, Tensor) and sight.ndim == 2 else sight
    if weights.ndim == 4:
        head = head_index(head_info, weights)
        weights, own = weights[head], own if own is not sight else sight[head[0] : head[0] + 1]
    if weights.ndim != 2:
        raise ShapeError("One head's attention", expected="[query, key]", got=list(weights.shape))
    return scoring_activation.role_activation(weights, ids, category, sight=own).of().value


def get_active_head_summary(
    activation_data: object,
    model_name: str,
    *,
    path: str | Path | None = None,
) -> dict[str, list[dict[str, object]]]:
    """Judge every listed head of every role on one prompt.

    Args:
        activation_data: a :class:`PromptRun`, or a mapping with ``attention``
            [layer head query key] and ``token_ids`` [pos]; with ``tokens`` [pos], their text,
            reasons name the place where a head does most. Where layers do not see every token so
            far, ``sight`` is [layer] what they see (:attr:`PromptRun.sight`).
        model_name: the model's key in the categories file.
        path: another categories file.

    Returns:
        ``{role key: [{layer, head, label, score, standard_error, activation_score, chance,
        threshold, needed, rows, is_active, state, reason, resting_share, roles, hint}, ...]}`` in
        the order of ``top_heads``; ``needed`` is what an activation must reach on this prompt,
        ``roles`` lists every role that names the head, and ``hint`` is a prompt that was seen to
        wake it, or None. For a model without an entry these are the heads that papers name, if
        there are any: :func:`summarize_literature`.

    Raises:
        CategoriesMissingError, CategoriesBrokenError: as :func:`load_head_categories`.
        OtherWeightsError: if the model that was run has other weights than the stored one.
        ShapeError: if the attention is not that of the stored model.
    """
    attention, _ = unpack_heads(activation_data)
    run = activation_data if isinstance(activation_data, PromptRun) else None
    try:
        entry, _ = categories.good_entry(model_name, Path(path) if path else None)
    except CategoriesMissingError:
        model = models.same_model(model_name)
        is_another = run is not None and models.same_model(run.model_name) != model
        if not is_another and (named := literature_entry(model)):
            return summarize_literature(named, _scores(activation_data))
        raise
    if run is not None:
        contents.check_weights(entry, run.source, run.revision)
    if attention.shape[:2] != (entry.num_layers, entry.num_heads):
        raise ShapeError(
            f"The attention of {model_name}",
            expected=f"[{entry.num_layers}, {entry.num_heads}, query, key]",
            got=list(attention.shape),
        )
    return summarize(entry, _scores(activation_data))


def _scores(activation_data: PromptRun | Mapping[str, object]) -> PromptScores:
    if isinstance(activation_data, PromptRun):
        return score_run(activation_data)
    attention, token_ids = unpack_heads(activation_data)
    return score_prompt(
        attention,
        token_ids,
        tokens=_or_nothing(activation_data.get("tokens")),
        sight=_or_nothing(activation_data.get("sight")),
    )


def _or_nothing(given: Sequence | None) -> Sequence:
    return () if given is None else given
