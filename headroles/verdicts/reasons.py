"""Why a head is active, quiet or cannot be judged on a prompt: one sentence in plain words."""

from __future__ import annotations

import torch

from headroles.formatting import count, ordinal, percent, told_apart
from headroles.roles import ROLES, Prompts, Role, resting
from headroles.scoring import MIN_WORK, Visible, role_weights
from headroles.store import StoredRole
from headroles.texts import token_labels
from headroles.types import Activation, Head, State, Verdict
from headroles.verdicts.scores import PromptScores

RESTING = 0.5
"""A quiet head with more of its attention on position 0 than this is called resting."""

MENTIONED = 0.01
"""Attention on no token is mentioned from this share on."""

MOSTLY = 0.5
"""A quiet head that gives this much of its attention to something else is said to do that."""

CLEAR_PLACE = 0.5
"""A quiet head's best place is named if the head gives the role this much of its attention there;
an active head's if it is :data:`CHANCE_PLACE` at least."""
CHANCE_PLACE = 0.25

_ALL = 0.995  # shown as 100%


def works(head: Head, scores: PromptScores) -> bool:
    """Whether the second witness says that a head is at work, wherever it looks."""
    return not resting.hardly_changes(scores.output_change_of(head))


def reason_of(
    role: Role,
    state: State,
    activation: Activation,
    head: Head,
    scores: PromptScores,
    threshold: float,
) -> str:
    """The sentence behind a state."""
    if state == "not_applicable":
        return _out_of_sight(role, head, scores) or role.asleep
    if state == "too_short":
        why = _why_too_short(role, activation, scores.num_tokens)
        few = scores.num_tokens >= role.min_tokens and activation.rows < role.min_rows
        sees = sight_in_words(scores.visible_to(head.layer)) if few else ""
        return f"{why} Its layer {sees}." if sees else why
    place = _clearest_place(role, head, scores, least=0.0 if state == "active" else CLEAR_PLACE)
    number = _number(role, activation)
    if state == "active":
        return f"Active: {number}.{place}"
    if activation.value >= threshold:
        return f"Not clearly above chance: {number}.{place}{_short_of_clear(role, activation)}"
    instead = what_instead(head, activation, scores, unless=role.key)
    if not role.has_cells:
        return f"{instead} The evenness of its attention is only {percent(activation.value)}."
    if activation.work < 1 - _ALL:
        return instead
    number = _number(role, activation, only="only ")
    return f"{instead} {number[0].upper()}{number[1:]}.{place}"


def without_the_cue(stored: StoredRole, verdict: Verdict) -> str:
    """Why a head that looks where the role says does not have it."""
    reached = told_apart(stored.score(verdict.head), stored.control_score(verdict.head))
    return (
        f"{percent(verdict.activation.value)} of its attention goes to {stored.role.looks_at}, but "
        f"not because of them: in the analysis it put {reached[0]} there on the role's texts, and "
        f"{reached[1]} on the control ({stored.role.control})."
    )


def _out_of_sight(role: Role, head: Head, scores: PromptScores) -> str:
    """Why a role does not apply to a head that would have work if it saw more; else empty."""
    sees = sight_in_words(scores.visible_to(head.layer))
    if not sees or role.cells is None or not scores.token_ids:
        return ""
    prompts = Prompts.of_ids(scores.token_ids, tokens=[scores.tokens] if scores.tokens else ())
    if not int(role_weights(role, prompts).rows):
        return ""
    what = "Every earlier copy" if role.requires_repetition else "Where the role looks"
    return f"{what} is out of this head's sight: its layer {sees}."


def sight_in_words(visible: Visible) -> str:
    """What completes "its layer"; empty where it sees every token so far.

    >>> sight_in_words(torch.ones(9, 9).tril().triu(-3).bool())
    'sees only the last 4 tokens'
    """
    if visible is None:
        return ""
    window = int(visible.sum(-1).max())
    if torch.equal(visible, torch.ones_like(visible).tril().triu(1 - window)):
        return f"sees only the last {window:,} tokens"
    return "sees only some of the tokens so far"


def _number(role: Role, activation: Activation, *, only: str = "") -> str:
    """How much goes where the role says, all of it over the same rows and of the same whole."""
    if not role.has_cells:
        part = f" {percent(activation.work)} of" if activation.nowhere >= MENTIONED else ""
        return f"the evenness of{part} its attention is {percent(activation.value)}"
    goes = (
        f"{only}{percent(activation.value)} {{}}goes to {role.looks_at} "
        f"(an even spread would give {percent(activation.chance)})"
    )
    if activation.work >= _ALL:
        return goes.format("of its attention ")
    # On "no, no, no" the token just before is left out, too.
    rests = activation.resting + activation.nowhere
    counts = "does not rest" if activation.work + rests > _ALL else "can tell"
    whole = f"of the {percent(activation.work)} of its attention that {counts}"
    if activation.work < MIN_WORK - 0.005:
        whole += f" (counted as {MIN_WORK:.0%})"
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
    nth = scores.token_ids[: row + 1].count(token)
    name = token_labels(scores.tokens, limit=24)[row]
    return f" Clearest at “{name}” ({ordinal(nth)}): {percent(mass)} of all its attention there."


def _why_too_short(role: Role, activation: Activation, num_tokens: int) -> str:
    if num_tokens < role.min_tokens:
        return (
            f"Too short to tell: {count(num_tokens, 'token')} including the start token, and "
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


def what_instead(
    head: Head, activation: Activation, scores: PromptScores, *, unless: str = ""
) -> str:
    """What a quiet head does instead, over the rows that its activation is about."""
    first, nowhere = activation.resting, activation.nowhere
    if nowhere >= MENTIONED and nowhere >= first and is_resting(first + nowhere):
        return _on_no_token(activation)
    if unless != "positional" and is_resting(first):
        return at_first_token(head, activation, scores)
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


def _on_no_token(activation: Activation) -> str:
    """A head that rests in a learned sink."""
    first = ""
    if not is_resting(activation.nowhere):
        first = f", and {percent(activation.resting)} on the first token"
    return (
        f"Resting: {percent(activation.nowhere)} of its attention is on no token{first}. In this "
        "model heads rest in a learned sink."
    )


def at_first_token(head: Head, activation: Activation, scores: PromptScores) -> str:
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
