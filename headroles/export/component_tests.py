"""The tests of components beside heads, as rows of a table: for people, and for files."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from headroles.ablation import Drop, Judgement
from headroles.ablation.component_tests import Result
from headroles.ablation.many_prompts import NOT_CLEAR
from headroles.formatting import decimal, percent, signed
from headroles.scoring.causal_verdict import LEAST_CHANGE
from headroles.types import BESIDE_CHANCE

KINDS = {"heads": "heads", "trained": "trained components", "svd": "SVD components"}
"""{kind of a subject: what it is called}."""
HEADERS = (
    "Without", "What", "Carries (nats)", "Share gone", "Loss on repeats", "Induction score",
)  # fmt: skip


def cells(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """One row per subject under :data:`HEADERS`, random others in brackets."""
    return [
        (
            result.subject.name,
            _what(result),
            beside(result.carried, digits=3),
            f"{percent(result.profile.redundancy)} ({_percent(result.profile.other_redundancy)})",
            beside(result.loss, digits=3),
            drops(result.drops),
        )
        for result in results
    ]


def beside(judgement: Judgement, *, digits: int = 2) -> str:
    """An effect beside that of random others, and what the comparison says."""
    effect = signed(judgement.effect, digits=digits)
    if judgement.draws < 2:
        return f"{effect} (no random others)"
    others = f"{signed(judgement.mean, digits=digits)} ± {decimal(judgement.spread, digits=digits)}"
    return f"{effect} (random: {others}): {verdict(judgement)}"


def verdict(judgement: Judgement) -> str:
    """What the comparison says; ``not clear`` where the texts differ too much to tell the mean from
    zero."""
    if judgement.verdict == "no_effect" and abs(judgement.effect) > LEAST_CHANGE:
        return NOT_CLEAR
    return BESIDE_CHANCE[judgement.verdict]


def _what(result: Result) -> str:
    named = KINDS[result.subject.kind]
    return f"1 {named[:-1]}" if result.subject.size == 1 else f"{result.subject.size} {named}"


def drops(found: Sequence[Drop]) -> str:
    """What becomes of one induction head, or of the mean of several that can be affected."""
    reached = [one for one in found if one.is_after]
    if len(reached) < 2:
        return "; ".join(map(drop, reached or found)) or "–"
    before, after = (
        statistics.fmean(each)
        for each in zip(*((one.before, one.after) for one in reached), strict=True)
    )
    said = f"mean of {len(reached)} heads {decimal(before)} → {decimal(after)}"
    if any(one.others is None for one in reached):
        return said
    return f"{said} (random: {decimal(statistics.fmean(one.others for one in reached))})"


def drop(found: Drop) -> str:
    """One induction head's score with everything and without, beside random others."""
    said = f"{found.head.label} {decimal(found.before)} → {decimal(found.after)}"
    if not found.is_after:
        return f"{said}: cannot be affected"
    others = "no random others" if found.others is None else f"random: {decimal(found.others)}"
    return f"{said} ({others}): {BESIDE_CHANCE[found.verdict]}"


def _percent(share: float | None) -> str:
    return "no random others" if share is None else f"random: {percent(share)}"


def rows(results: Sequence[Result]) -> list[dict[str, object]]:
    """One row per subject and induction head, with every number."""
    made = []
    for result in results:
        own = {
            "without": result.subject.name,
            "kind": result.subject.kind,
            "size": result.subject.size,
            "samples": result.profile.n,
            "carried_nats": result.carried.effect,
            "carried_error": result.profile.points[0].carried_error,
            **_judged("carried", result.carried),
            "redundancy": result.profile.redundancy,
            "redundancy_error": result.profile.redundancy_error,
            "random_redundancy": result.profile.other_redundancy,
            "texts": result.texts,
            "loss_on_repeats": result.loss_before,
            "loss_rise_nats": result.loss.effect,
            "loss_rise_error": result.loss_error,
            **_judged("loss", result.loss),
            "random_others": result.subject.control.note,
        }
        made += [own | drop_columns(each) for each in result.drops] or [own]
    return made


def _judged(name: str, judgement: Judgement) -> dict[str, object]:
    has = judgement.draws > 1
    return {
        f"{name}_random_mean": judgement.mean if has else None,
        f"{name}_random_spread": judgement.spread if has else None,
        f"{name}_random_draws": judgement.draws,
        f"{name}_verdict": judgement.verdict,
    }


def drop_columns(found: Drop) -> dict[str, object]:
    """One induction head's drop."""
    return {
        "induction_head": found.head.label,
        "reachable": found.is_after,
        "induction_score": found.before,
        "induction_score_error": found.before_error,
        "induction_score_without": found.after,
        "induction_score_without_error": found.after_error,
        "drop": found.drop,
        "drop_error": found.drop_error,
        "drop_random": None if found.others is None else found.before - found.others,
        "drop_random_spread": found.others_spread,
        "drop_random_draws": found.draws,
        "induction_chance": found.chance,
        "drop_verdict": found.verdict if found.is_after else None,
    }
