"""Which heads do on this prompt what the reference scores say they can do.

A head is *active* in a role when its activation reaches the role's calibrated threshold and lies
clearly above chance on this very prompt: at least the role's ``min_lift`` of the way from chance to
a perfect head. The second condition keeps a six-word prompt from lighting everything up. Both are
one number, :meth:`~headroles.roles.Role.needed`. The same rule holds for all roles that attention
can show: those of the registry and a student's own.

>>> judge(Head(3, 6), "induction", score_prompt(A, ids), 0.4).state  # doctest: +SKIP
'active'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from headroles.errors import CategoriesMissingError
from headroles.formatting import ordinal, percent, told_apart
from headroles.roles import ROLES, SCORED_ROLES, Role, get_role, prompts_of_run, resting
from headroles.scoring import RoleActivation
from headroles.scoring import activation as scoring_activation
from headroles.store import ModelEntry, StoredRole, categories
from headroles.texts import token_labels
from headroles.types import Activation, Head, PromptRun, State, Verdict

MAX_CHANCE = 0.5
"""Where an even spread already gives more than this, a prompt ("no no no") cannot tell heads
apart."""

RESTING = 0.5
"""A quiet head with more of its attention on position 0 than this is called resting."""

MOSTLY = 0.5
"""A quiet head that gives this much of its attention to something else is said to do that."""

CLEAR_PLACE = 0.5
"""A quiet head's best place is named if the head gives the role this much of its attention there;
an active head's if it is :data:`CHANCE_PLACE` at least."""
CHANCE_PLACE = 0.25

_ALL = 0.995  # shown as 100%

DEFAULT_THRESHOLDS = {role.key: role.default_threshold for role in SCORED_ROLES}
"""Used for a model that has no calibrated thresholds yet, and always marked as provisional."""


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
) -> PromptScores:
    """Every number that the verdicts of a prompt rest on.

    Args:
        attention: [layer head query key] the patterns.
        token_ids: [pos] ids, position 0 being the BOS token or its stand-in.
        tokens: [pos] the same as text, so that a reason can name a place; or nothing.
        output_change: [layer head] as in :class:`~headroles.types.PromptRun`; without it the
            attention alone says which heads rest.
    """
    return PromptScores(
        activations=scoring_activation.prompt_activations(attention, token_ids),
        resting=scoring_activation.resting_share(attention),
        num_tokens=len(token_ids),
        token_ids=tuple(token_ids),
        tokens=tuple(tokens),
        output_change=output_change,
    )


def score_run(run: PromptRun) -> PromptScores:
    """The same of a run, with all that it knows."""
    return score_prompt(
        run.attention, run.copy_ids, tokens=run.tokens, output_change=run.output_change
    )


def thresholds_of(model_name: str, path: Path | None = None) -> tuple[dict[str, float], bool]:
    """The calibrated threshold of every scored role, and whether they are calibrated at all.

    A model without an entry gets :data:`DEFAULT_THRESHOLDS` and False.

    Raises:
        CategoriesBrokenError: if the file is damaged and no earlier version has the model.
    """
    try:
        entry, _ = categories.good_entry(model_name, path)
    except CategoriesMissingError:
        return dict(DEFAULT_THRESHOLDS), False
    return thresholds_in(entry), not entry.made_elsewhere


def thresholds_in(entry: ModelEntry) -> dict[str, float]:
    """The threshold of every scored role; the default where the entry has none."""
    calibrated = {
        key: category.threshold
        for key, category in entry.categories.items()
        if key in DEFAULT_THRESHOLDS and category.threshold is not None
    }
    return {**DEFAULT_THRESHOLDS, **calibrated}


def active_heads(
    role: Role,
    activation: RoleActivation,
    threshold: float,
    *,
    num_tokens: int,
    output_change: Float[Tensor, "layer head"] | None = None,
) -> Bool[Tensor, "layer head"]:
    """[layer head] which heads are active in a role on this prompt."""
    if too_little(role, activation.rows, num_tokens, chance=activation.chance):
        return torch.zeros_like(activation.value, dtype=torch.bool)
    value = activation.value.double().clamp(0, 1)  # as Activation holds it, so that judge() agrees
    active = value >= role.needed(threshold, activation.chance)
    if role.key == resting.WITNESSED and output_change is not None:
        active &= output_change.double() <= resting.CHANGES_LITTLE
    return active


def judge(head: Head, role_key: str, scores: PromptScores, threshold: float | None) -> Verdict:
    """One head's state in one basic role on one prompt, with the reason as a sentence."""
    role = get_role(role_key)
    activation = scores.activations[role_key if role.is_scored else "diffuse"].of(*head)
    if not role.is_scored:  # no number of its own, only what the head does instead
        activation = replace(activation, value=0.0, chance=0.0, rows=0)
    return judge_as(role, head, activation, scores, threshold)


def judge_as(
    role: Role,
    head: Head,
    activation: Activation,
    scores: PromptScores,
    threshold: float | None,
) -> Verdict:
    """The same for any role that attention can show, from the head's activation in it.

    Args:
        role: a role of the registry, or one made by a student.
        head: the head.
        activation: how much of its attention goes where the role says.
        scores: of the same prompt; they show what a quiet head does instead.
        threshold: 0..1; None for the role's provisional one.
    """
    resting_share = scores.resting_of(head)
    if not role.is_scored and not role.has_cells:
        return Verdict(
            head,
            role.key,
            activation,
            0.0,
            "quiet",
            _what_instead(head, activation, scores),
            resting_share,
            needed=0.0,
        )
    threshold = role.default_threshold if threshold is None else threshold
    state = _state(role, activation, threshold, scores.num_tokens)
    if state == "active" and role.key == resting.WITNESSED and works(head, scores):
        state, reason = "quiet", _at_first_token(head, activation, scores)
    else:
        reason = _reason(role, state, activation, head, scores, threshold)
    needed = role.needed(threshold, activation.chance)
    return Verdict(head, role.key, activation, threshold, state, reason, resting_share, needed)


def works(head: Head, scores: PromptScores) -> bool:
    """Whether the second witness says that a head is at work, wherever it looks."""
    return not resting.hardly_changes(scores.output_change_of(head))


def judge_heads(
    stored: StoredRole, run: PromptRun, scores: PromptScores | None = None
) -> list[Verdict]:
    """Every head of a model, layer by layer, in a role that attention can show.

    Where each head has a distance of its own, each is judged at that distance.

    Args:
        stored: the role as it was measured: its threshold, and each head's distance.
        run: the prompt.
        scores: of the same prompt, where they are known already.
    """
    scores = scores or score_run(run)
    prompts = prompts_of_run(run)
    heads_at: dict[int | None, list[Head]] = {}
    for head in stored.heads:
        heads_at.setdefault(stored.distance(head), []).append(head)
    judged: dict[Head, Verdict] = {}
    for distance, heads in heads_at.items():
        role = stored.role if distance is None else stored.role.at_distance(distance)
        attention = torch.stack([run.attention[head] for head in heads])
        activations = scoring_activation.role_activation(attention, prompts, role)
        for place, head in enumerate(heads):
            judged[head] = judge_as(
                role, head, activations.of(place), scores, stored.category.threshold
            )
    return [judged[head] for head in stored.heads]


def _state(role: Role, activation: Activation, threshold: float, num_tokens: int) -> State:
    if activation.rows == 0 and not role.always_applies:
        return "not_applicable"
    if too_little(role, activation.rows, num_tokens, chance=activation.chance):
        return "too_short"
    needed = role.needed(threshold, activation.chance)
    return "active" if activation.value >= needed else "quiet"


def too_little(role: Role, rows: int, num_tokens: int, *, chance: float = 0.0) -> bool:
    """Whether a prompt is too short, or too uniform, to judge heads by.

    Args:
        role: the role in question.
        rows: its applying rows.
        num_tokens: tokens of the prompt, position 0 included.
        chance: 0..1, its chance level on the prompt.
    """
    uniform = role.has_cells and chance > MAX_CHANCE
    return uniform or num_tokens < role.min_tokens or rows < role.min_rows


def _reason(
    role: Role,
    state: State,
    activation: Activation,
    head: Head,
    scores: PromptScores,
    threshold: float,
) -> str:
    if state == "not_applicable":
        return role.asleep
    if state == "too_short":
        return _why_too_short(role, activation, scores.num_tokens)
    place = _clearest_place(role, head, scores, least=0.0 if state == "active" else CLEAR_PLACE)
    number = _number(role, activation)
    if state == "active":
        return f"Active: {number}.{place}"
    if activation.value >= threshold:
        return f"Not clearly above chance: {number}.{place}{_short_of_clear(role, activation)}"
    instead = _what_instead(head, activation, scores, unless=role.key)
    if not role.has_cells:
        return f"{instead} The evenness of its attention is only {percent(activation.value)}."
    if activation.work < 1 - _ALL:
        return instead
    number = _number(role, activation, only="only ")
    return f"{instead} {number[0].upper()}{number[1:]}.{place}"


def _number(role: Role, activation: Activation, *, only: str = "") -> str:
    """How much goes where the role says, all of it over the same rows and of the same whole."""
    if not role.has_cells:
        return f"the evenness of its attention is {percent(activation.value)}"
    goes = (
        f"{only}{percent(activation.value)} {{}}goes to {role.looks_at} "
        f"(an even spread would give {percent(activation.chance)})"
    )
    if activation.work >= _ALL:
        return goes.format("of its attention ")
    # On "no, no, no" the token just before is left out, too.
    counts = "does not rest" if activation.work + activation.resting > _ALL else "can tell"
    whole = f"of the {percent(activation.work)} of its attention that {counts}"
    if activation.work < scoring_activation.MIN_WORK - 0.005:
        whole += f" (counted as {scoring_activation.MIN_WORK:.0%})"
    return f"{whole}, {goes.format('')}"


def _short_of_clear(role: Role, activation: Activation) -> str:
    """What a head over the threshold would need to be clearly above chance, and what it has."""
    clear = role.needed(0.0, activation.chance)
    needed, reached = told_apart(clear, activation.value)
    return f" On this prompt it would need {needed}; it has {reached}."


def _clearest_place(role: Role, head: Head, scores: PromptScores, *, least: float) -> str:
    """Where a head does most of a role of repetition; empty where that tells nothing."""
    known = scores.activations.get(role.key)
    if known is None or known.clearest is None or not scores.tokens:
        return ""
    rows, masses = known.clearest
    row, mass = int(rows[head]), float(masses[head])
    if mass < max(least, CHANCE_PLACE):
        return ""
    token = scores.token_ids[row]
    nth = scores.token_ids[1 : row + 1].count(token)
    name = token_labels(scores.tokens, limit=24)[row]
    return f" Clearest at “{name}” ({ordinal(nth)}): {percent(mass)} of all its attention there."


def _why_too_short(role: Role, activation: Activation, num_tokens: int) -> str:
    if num_tokens < role.min_tokens:
        return (
            f"Too short to tell: {num_tokens} tokens including the start token, and "
            f"judging takes at least {role.min_tokens}."
        )
    if activation.rows < role.min_rows:
        places = "one place" if activation.rows == 1 else f"{activation.rows} places"
        return (
            f"Too little to tell: only {places} where it could show, and judging takes at least "
            f"{role.min_rows}."
        )
    return (
        f"Too uniform to tell: a head that spreads its attention evenly would already score "
        f"{percent(activation.chance)} on this prompt."
    )


def is_resting(share: float) -> bool:
    """Whether a head with so much of its attention (0..1) on position 0 looks like resting."""
    return share >= RESTING


def _what_instead(
    head: Head, activation: Activation, scores: PromptScores, *, unless: str = ""
) -> str:
    """What a quiet head does instead, over the rows that its activation is about."""
    if unless != "positional" and is_resting(activation.resting):
        return _at_first_token(head, activation, scores)
    if activation.itself >= MOSTLY:
        return f"Each token looks mostly at itself ({percent(activation.itself)})."
    if unless != "previous_token" and activation.previous >= MOSTLY:
        looks_at = ROLES["previous_token"].looks_at
        return f"Busy elsewhere: {percent(activation.previous)} goes to {looks_at}."
    for key, role_activation in scores.activations.items():
        own = role_activation.of(*head)
        role = ROLES[key]
        # No number: it would be about other rows.
        if key != unless and role.among and own.value >= MOSTLY and own.lift >= role.min_lift:
            return f"Busy elsewhere: it looks at {role.looks_at}."
    change = scores.output_change_of(head)
    if change is not None and change <= resting.IDLE:
        return (
            "Idle: it looks elsewhere and writes nearly the same at every token (the changes are "
            f"{percent(change)} of what a head of its layer writes)."
        )
    return "It looks elsewhere."


def _at_first_token(head: Head, activation: Activation, scores: PromptScores) -> str:
    """A head that looks mostly at the first token: it rests, or works all the same."""
    share, change = activation.resting, scores.output_change_of(head)
    if works(head, scores):
        changed, most = told_apart(change, resting.CHANGES_LITTLE)
        return (
            f"Looks at the first token ({percent(share)}), yet does not rest: what it writes "
            f"changes from token to token by {changed} of what a head of its layer writes; a "
            f"resting head's by at most {most}."
        )
    alike = "" if change is None else " and it writes nearly the same at every token"
    return f"Resting: {percent(share)} of its attention is on the first token{alike}."
