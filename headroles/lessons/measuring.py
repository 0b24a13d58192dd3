"""The measures of :mod:`headroles.lessons.measures`, one function each.

Each hands its case to the part of the package that measures such a thing anyway, so that a lesson's
number is the one that the pages show.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial

import torch

from headroles import ablation, attribution, capture, circuits, store, texts, verdicts
from headroles.ablation.backup import without as knocked_out
from headroles.ablation.conditions import UNTOUCHED, Condition
from headroles.ablation.run import Outcome
from headroles.attribution import Contributions
from headroles.circuits.qk_ov import Factors
from headroles.errors import HeadrolesError, UnknownRoleError
from headroles.lessons import places
from headroles.lessons.lesson import Case, Step
from headroles.models import LoadedModel
from headroles.roles import BASIC_ROLES, SCORED_ROLES, get_role
from headroles.store import categories
from headroles.types import Encoding, Head, PromptRun
from headroles.verdicts import PromptScores

OTHERS = 5
"""Draws of random other heads: a question is answered while a student waits."""
COMMON = 2000
"""Commonest tokens, for a share of them."""
_FACTORS = "lesson_factors"


def run_of(loaded: LoadedModel, case: Case) -> PromptRun:
    """One pass over the case's prompt."""
    return capture.capture(loaded, places.text_of(case.prompt, loaded.key))


def scores_of(loaded: LoadedModel, case: Case) -> PromptScores:
    """Every head's activation in every scored role on the case's prompt."""
    _check_role(case.role)
    return verdicts.score_run(run_of(loaded, case))


def _check_role(role: str | None) -> None:
    known = [scored.key for scored in SCORED_ROLES]
    if role is not None and role not in known:
        raise UnknownRoleError(role, known=known)


def attention(loaded: LoadedModel, case: Case) -> float:
    """0..1, the head's attention from one token to another; 0 to a later one."""
    run, head = run_of(loaded, case), places.head_of(case.head, loaded)
    query = places.position_of(run.tokens, case.query)
    key = places.position_of(run.tokens, case.key, last=False)
    return float(run.attention[head][query, key])


def activation(loaded: LoadedModel, case: Case) -> float:
    """0..1, the head's activation in a role, with all heads or without some."""
    _check_role(case.role)
    head = places.head_of(case.head, loaded)
    (seen,) = ablation.looks(loaded, _encoding(loaded, case), [_without(loaded, case)])
    return seen.activations[case.role].of(*head).value


def activation_drop(loaded: LoadedModel, case: Case) -> float:
    """-1..1, by how much the head's activation in a role falls without some heads."""
    _check_role(case.role)
    head, encoding = places.head_of(case.head, loaded), _encoding(loaded, case)

    def falls(conditions: list[Condition]) -> list[float]:
        seen = ablation.looks(loaded, encoding, [UNTOUCHED, *conditions])
        clean, *changed = (one.activations[case.role].of(*head).value for one in seen)
        return [clean - value for value in changed]

    return _effect(loaded, case, len(encoding.token_ids), falls)


def activation_before(loaded: LoadedModel, case: Case) -> float:
    """0..1, the activation that :func:`activation_drop` starts from."""
    return activation(loaded, case.model_copy(update={"without": ()}))


def chance(loaded: LoadedModel, case: Case) -> float:
    """0..1, the same number for a head that spreads evenly."""
    return scores_of(loaded, case).activations[case.role].of(0, 0).chance


def needed(loaded: LoadedModel, case: Case) -> float:
    """0..1, the activation that a head must reach on the prompt to count as active: the role's
    threshold, or more where chance is high."""
    entry, _ = categories.good_entry(loaded.key)
    by_chance = chance(loaded, case)
    return get_role(case.role).needed(verdicts.thresholds_in(entry)[case.role], by_chance)


def resting(loaded: LoadedModel, case: Case) -> float:
    """0..1, the head's mean attention on the first token."""
    return scores_of(loaded, case).resting_of(places.head_of(case.head, loaded))


def value_size(loaded: LoadedModel, case: Case) -> float:
    """0 and up, how much the head takes over from a token for each share of attention there: the
    length of ``v W_O``, against its mean over all tokens after the first (Kobayashi et al. 2020
    weigh attention by this length)."""
    encoding, head = _encoding(loaded, case), places.head_of(case.head, loaded)
    own = circuits.weights.layer_weights(loaded, head.layer)
    values = attribution.record(loaded, encoding).values[head.layer][own.kv_of[head.head]]
    sizes = (values.double() @ own.W_O[head.head].double()).norm(dim=-1)  # [key]
    key = places.position_of(encoding.tokens, case.key, last=False)
    return float(sizes[key] / sizes[1:].mean())


def active_heads(loaded: LoadedModel, case: Case) -> float:
    """How many of all heads are active in a role: over the threshold, and clearly over chance."""
    scores = scores_of(loaded, case)
    entry, _ = categories.good_entry(loaded.key)
    active = verdicts.active_heads(
        get_role(case.role),
        scores.activations[case.role],
        verdicts.thresholds_in(entry)[case.role],
        num_tokens=scores.num_tokens,
        output_change=scores.output_change,
    )
    return float(active.sum())


def knocks_out(step: Step) -> bool:
    """Whether a step's number is that of a model without some heads."""
    if step.kind not in ("largest", "number"):
        return False
    options = step.options if step.kind == "largest" else ()
    return any(case.without for case in (step.case, *options))


def prepare(loaded: LoadedModel) -> None:
    """What every knock-out of this model needs once: seconds for a large one."""
    ablation.reference_means(loaded)


def all_heads(loaded: LoadedModel, _: Case) -> float:
    """How many heads the model has."""
    return float(loaded.num_layers * loaded.num_heads)


def heads_above(loaded: LoadedModel, case: Case) -> float:
    """How many of all heads have an activation of at least a flat line, whatever chance gives."""
    return float((scores_of(loaded, case).activations[case.role].value >= case.line).sum())


def score(loaded: LoadedModel, case: Case) -> float:
    """0..1, the head's reference score in a role."""
    entry, _ = categories.good_entry(loaded.key)
    head = places.head_of(case.head, loaded)
    if case.role not in entry.all_scores:
        raise UnknownRoleError(str(case.role), known=list(entry.all_scores))
    return entry.all_scores[case.role][head.layer][head.head]


def _encoding(loaded: LoadedModel, case: Case) -> Encoding:
    return texts.encode(
        loaded.tokenizer, places.text_of(case.prompt, loaded.key), max_tokens=loaded.max_tokens
    )


def _without(loaded: LoadedModel, case: Case) -> Condition:
    """The knock-out of the case's heads, each held at its mean output over reference text."""
    heads = places.heads_of(case.without, loaded)
    return knocked_out(heads) if heads else UNTOUCHED


def _effect(
    loaded: LoadedModel,
    case: Case,
    length: int,
    measure: Callable[[list[Condition]], list[float]],
) -> float:
    """What the knock-out of the case's heads does, in the case's manner.

    Args:
        loaded: the model.
        case: with ``without``.
        length: tokens of the prompt.
        measure: the effect of each of some conditions.

    Raises:
        HeadrolesError: if there are no other heads to compare with.
    """
    whole = _without(loaded, case)
    if case.manner == "one_by_one":
        return sum(measure([knocked_out([head]) for head in whole.heads]))
    if case.manner != "random_others":
        return measure([whole])[0]
    control = ablation.random_others(
        whole,
        num_layers=loaded.num_layers,
        num_heads=loaded.num_heads,
        length=length,
        draws=OTHERS,
        listed=listed_heads(loaded),
    )
    if not control.conditions:
        raise HeadrolesError(control.note, hint="Knock out fewer heads.")
    return statistics.fmean(measure(list(control.conditions)))


def listed_heads(loaded: LoadedModel) -> set[Head]:
    """Every head that the model's analysis lists in a basic role."""
    entry, _ = categories.good_entry(loaded.key)
    return {head for key in BASIC_ROLES for head in entry.listed(key)}


def probability(loaded: LoadedModel, case: Case) -> float:
    """0..1, of a token after the prompt, with all heads or without some."""
    encoding = _encoding(loaded, case)
    clean, changed = ablation.ablate(loaded, encoding, [_without(loaded, case)], losses=False)
    token = _token(loaded, encoding, case, clean)
    return float(torch.softmax(changed.logits.double(), 0)[token])


def _token(loaded: LoadedModel, encoding: Encoding, case: Case, clean: Outcome) -> int:
    """The id of the case's token, in the reading that the untouched model finds likelier."""
    found, _ = texts.likeliest_reading(
        loaded.tokenizer, encoding.tokens[-1], case.token, clean.logits
    )
    return found


def loss(loaded: LoadedModel, case: Case) -> float:
    """Nats, the mean loss of the prompt's tokens, with all heads or without some."""
    _, changed = ablation.ablate(loaded, _encoding(loaded, case), [_without(loaded, case)])
    return float(changed.losses.double().mean())


def loss_rise(loaded: LoadedModel, case: Case) -> float:
    """Nats, by how much the mean loss of the prompt's tokens rises without some heads; with a
    token, the loss of that token after the prompt."""
    encoding = _encoding(loaded, case)

    def rises(conditions: list[Condition]) -> list[float]:
        clean, *changed = ablation.ablate(loaded, encoding, conditions, losses=case.token is None)
        of = _mean_loss
        if case.token is not None:
            of = partial(_loss_of, token=_token(loaded, encoding, case, clean))
        return [of(outcome) - of(clean) for outcome in changed]

    return _effect(loaded, case, len(encoding.token_ids), rises)


def loss_before(loaded: LoadedModel, case: Case) -> float:
    """Nats, the loss that :func:`loss_rise` starts from."""
    encoding = _encoding(loaded, case)
    (clean,) = ablation.ablate(loaded, encoding, [], losses=case.token is None)
    if case.token is None:
        return _mean_loss(clean)
    return _loss_of(clean, token=_token(loaded, encoding, case, clean))


def _mean_loss(outcome: Outcome) -> float:
    return float(outcome.losses.double().mean())


def _loss_of(outcome: Outcome, *, token: int) -> float:
    return -float(torch.log_softmax(outcome.logits.double(), 0)[token])


def contribution(loaded: LoadedModel, case: Case) -> float:
    """Logits, what the head wrote for a token after the prompt, or for it against another one; with
    a key, the part of it that it read from there."""
    parts, encoding = _contributions(loaded, case)
    head = places.head_of(case.head, loaded)
    if case.key is None:
        return float(parts.heads[head])
    return float(parts.by_key[head][places.position_of(encoding.tokens, case.key, last=False)])


def part_contribution(loaded: LoadedModel, case: Case) -> float:
    """Logits, what all heads together, all MLPs or the embedding wrote for a token."""
    parts, _ = _contributions(loaded, case)
    if case.part == "embedding":
        return parts.embedding + parts.positions
    return float((parts.heads if case.part == "heads" else parts.mlps).double().sum())


def _contributions(loaded: LoadedModel, case: Case) -> tuple[Contributions, Encoding]:
    encoding = _encoding(loaded, case)
    seen = attribution.record(loaded, encoding)
    target = attribution.resolve_target(
        loaded, encoding, case.token, case.against or "", recording=seen
    )
    return attribution.project(loaded, seen, target), encoding


# ------------------------------------------------------------------ read from weights


def composition(loaded: LoadedModel, case: Case) -> float:
    """0..1, how far the later head's keys (or queries, or values) read what the head writes."""
    head, reader = (places.head_of(named, loaded) for named in (case.head, case.reader))
    if head.layer >= reader.layer:
        raise HeadrolesError(
            f"{reader.label} cannot read what {head.label} writes.",
            hint="Only a head of a later layer can.",
        )
    scores = circuits.composition.block_scores(loaded, case.reads or "K", reader.layer)
    return float(scores[head.layer * loaded.num_heads + head.head, reader.head])


def random_composition(loaded: LoadedModel, _: Case) -> float:
    """0..1, what :func:`composition` is for random matrices of a head's shape."""
    shape = circuits.weights.layer_weights(loaded, 0).W_Q.shape[1:]
    mean, _ = circuits.composition.random_composition(*shape)
    return mean


def _factors(loaded: LoadedModel, case: Case) -> Factors:
    """The case's head by tokens; the last one is kept with the model, since the options of a
    question often share it."""
    head = places.head_of(case.head, loaded)
    kept, factors = loaded.tools.get(_FACTORS, (None, None))
    if kept != head:
        factors = circuits.head_factors(loaded, head, circuits.CircuitSettings())
        loaded.tools[_FACTORS] = (head, factors)
    return factors


def copying(loaded: LoadedModel, case: Case) -> float:
    """-1..1, the head's copying score: positive where it raises what it looks at."""
    return circuits.summary.copying_score(_factors(loaded, case))


def copies(loaded: LoadedModel, case: Case) -> float:
    """0..1, share of the commonest tokens that the head raises among the most when it looks at
    them (:data:`headroles.circuits.summary.AMONG`)."""
    factors = _factors(loaded, case)
    often = store.read_frequencies(loaded.key, factors.vocab_size).probabilities
    return circuits.summary.copied_share(
        factors, often.topk(min(COMMON, len(often))).indices.tolist()
    )


def writes(loaded: LoadedModel, case: Case) -> float:
    """Logits before the final norm divides, what looking at one token does to another's; from the
    mean of all tokens."""
    key, token = (places.token_of(str(named), loaded) for named in (case.key, case.token))
    return float(_factors(loaded, case).ov([key], [token]))


def wants(loaded: LoadedModel, case: Case) -> float:
    """How far one token's query fits another's key, as added to the score before the softmax; from
    how far it fits the start token's."""
    query, key = (places.token_of(str(named), loaded) for named in (case.query, case.key))
    return float(_factors(loaded, case).qk([query], [key]))


def self_match(loaded: LoadedModel, case: Case) -> float:
    """How much better a token's query fits its own key than others', in standard deviations."""
    return circuits.summary.self_match(_factors(loaded, case))


BESIDE = {
    "activation_drop": activation_before,
    "active_heads": all_heads,
    "heads_above": all_heads,
    "loss_rise": loss_before,
    "composition": random_composition,
}
"""{measure: the number that its number is held against}."""


def beside(measure: str, loaded: LoadedModel, case: Case) -> float | None:
    """The number that a measure's number is held against (:attr:`Measure.beside`); None where it
    says enough alone."""
    measured = BESIDE.get(measure)
    return None if measured is None else measured(loaded, case)
