"""What wrote an answer: sentences, rows and records from the contributions to its logit. Pure.

Contributions, sentence by sentence: the head that wrote most and what it looked at, what the other
parts of the model made, whether the head always writes this, and what happens without it.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import compress
from typing import TYPE_CHECKING, Any

from headroles import scoring
from headroles.formatting import (
    count,
    decimal,
    listing,
    ordinal,
    percent,
    quoted,
    signed,
)
from headroles.types import Head
from headroles.view.without_head import HALF, LITTLE, value_of, without_sentence

if TYPE_CHECKING:
    from headroles.attribution import Chance, Contributions, Target
    from headroles.view.without_head import Standing, Without

ALIKE = (
    "Some of that may raise every token alike; hold the answer against another token to leave that "
    "out."
)
COMING = "That is about this prompt: on 20 other prompts it wrote +0.00 ± 0.00."
"""A sentence of the usual length."""
SPREAD = 1 / 3
"""A head that puts less than this on any one token spreads its attention."""
# ------------------------------------------------------------------ small pieces


def name_of(target: Target) -> str:
    """The token that is watched, or both of a difference, quoted.

    >>> name_of(Target(5, " Mary", 6, " John"))  # doctest: +SKIP
    '“·Mary” over “·John”'
    """
    if target.against_id is None:
        return quoted(target.text)
    return f"{quoted(target.text)} over {quoted(target.against)}"


def ranked(parts: Contributions) -> list[Head]:
    """Every head, the one that wrote most for the target first."""
    layers, width = parts.heads.shape
    heads = [Head(layer, head) for layer in range(layers) for head in range(width)]
    return sorted(heads, key=lambda head: -value_of(parts, head))


def sums(parts: Contributions) -> dict[str, float]:
    """{kind of part: logits of all its parts together}, in the order of the model."""
    return {
        "embedding": parts.embedding + parts.positions,
        "heads": float(parts.heads.double().sum()),
        "MLPs": float(parts.mlps.double().sum()),
        "biases": float(parts.attention_biases.double().sum()) + parts.final_bias,
    }


def _token(labels: Sequence[str], key: int) -> str:
    """A token of the prompt in a sentence; one of several alike with its position."""
    if key == 0:
        return "the start token"
    at = f" at position {key}" if list(labels).count(labels[key]) > 1 else ""
    return f"“{labels[key]}”{at}"


def most_looked_at(parts: Contributions, head: Head) -> int:
    """The token that a head looked at most from the position."""
    return int(parts.attention[head.layer, head.head].argmax())


def source_of(parts: Contributions, head: Head) -> int:
    """The token from which most of what a head wrote came, in the direction of the whole."""
    sign = 1 if value_of(parts, head) >= 0 else -1
    return int((sign * parts.by_key[head.layer, head.head]).argmax())


def looks(parts: Contributions, head: Head, labels: Sequence[str]) -> str:
    """Where a head looked, as a verb with its share (plain text)."""
    attention = parts.attention[head.layer, head.head]
    if len(attention) == 1:
        return "can look at nothing but the start token"
    key = int(attention.argmax())
    share, nowhere = float(attention[key]), 1 - float(attention.sum())
    if nowhere > max(share, 0.02):
        return f"rested on no token ({percent(nowhere)} on its learned sink)"
    if share < SPREAD:
        return f"spread its attention (at most {percent(share)}, on {_token(labels, key)})"
    if key == 0:
        return f"rested on the start token ({percent(share)})"
    if key == parts.position:
        return f"looked at its own token “{labels[key]}” ({percent(share)})"
    return f"looked at {_token(labels, key)} ({percent(share)})"


def _is_the_answer(parts: Contributions, key: int, tokens: Sequence[str]) -> bool:
    return key > 0 and tokens[key].strip() == parts.target.text.strip() != ""


def of_all(value: float, total: float) -> str:
    """A part beside the whole; as a share of it only where that makes sense.

    >>> of_all(1.04, 5.3), of_all(-0.5, 5.3)
    ('+1.04 of 5.30', '−0.50, and all parts together make 5.30')
    """
    if 0 <= value <= total:
        return f"{signed(value)} of {decimal(total)}"
    return f"{signed(value)}, and all parts together make {decimal(total)}"


def _wrote(parts: Contributions, head: Head, tokens: Sequence[str]) -> str:
    """The verb of what a head wrote, e.g. ``wrote it``, ``wrote against “·Mary”``."""
    target, value = parts.target, value_of(parts, head)
    key = most_looked_at(parts, head)
    named = "it" if _is_the_answer(parts, key, tokens) else quoted(target.text)
    if abs(value) < LITTLE:
        return f"wrote next to nothing for {name_of(target)}"
    if target.against_id is not None:
        if value > 0:
            return f"wrote for {named} rather than {quoted(target.against)}"
        return f"wrote for {quoted(target.against)} rather than {named}"
    if value < 0:
        return f"wrote against {named}"
    copied = named == "it" and source_of(parts, head) == key
    return "wrote it" if copied else f"wrote for {named}"


def of_head(parts: Contributions, head: Head, labels: Sequence[str], tokens: Sequence[str]) -> str:
    """What one head looked at and wrote, in one or two sentences (plain text).

    Args:
        parts: the contributions.
        head: the head.
        labels: [pos] the prompt's tokens as short labels.
        tokens: [pos] the same as text.
    """
    value = value_of(parts, head)
    said = (
        f"{head.label} {looks(parts, head, labels)} and {_wrote(parts, head, tokens)}: "
        f"{of_all(value, parts.total)}."
    )
    key, source = most_looked_at(parts, head), source_of(parts, head)
    if abs(value) >= LITTLE and source != key:
        share = percent(float(parts.attention[head.layer, head.head, source]))
        part = float(parts.by_key[head.layer, head.head, source]) / value
        much = "Most" if part > HALF else "The largest part"
        said += f" {much} of that came from {_token(labels, source)} ({share} of its attention)."
    return said


# ------------------------------------------------------------------ chance


def effects(parts: Contributions, chance: Chance) -> dict[Head, scoring.Effect]:
    """{head: what it wrote here beside what it wrote on the prompts of the control}."""
    return {
        head: scoring.Effect(
            value_of(parts, head),
            control_mean=float(chance.mean[head.layer, head.head]),
            control_spread=float(chance.spread[head.layer, head.head]),
            least=LITTLE,
            draws=chance.n,
        )
        for head in ranked(parts)
    }


def beyond_chance(parts: Contributions, chance: Chance) -> frozenset[Head]:
    """The heads that wrote clearly more, in their direction, than on the prompts of the control.

    As for one more draw of the control (Student's t), corrected for the number of heads
    (Benjamini and Hochberg, 5 %), and at least :data:`LITTLE`.
    """
    of_heads = effects(parts, chance)
    return frozenset(compress(of_heads, scoring.clear_among(list(of_heads.values()))))


def beside_chance(chance: Chance, head: Head) -> str:
    """What a head wrote on the prompts of the control.

    >>> beside_chance(chance, Head(0, 0))  # doctest: +SKIP
    '+0.02 ± 0.10'
    """
    mean = float(chance.mean[head.layer, head.head])
    return f"{signed(mean)} ± {float(chance.spread[head.layer, head.head]):.2f}"


def chance_sentence(parts: Contributions, head: Head, chance: Chance) -> str:
    """Whether a head writes this token on other prompts too, in a sentence (plain text)."""
    there = f"on {count(chance.n, 'other prompt')} it wrote {beside_chance(chance, head)}"
    value, mean = value_of(parts, head), float(chance.mean[head.layer, head.head])
    anyway = bool(value) and mean / value >= HALF
    if head in beyond_chance(parts, chance):
        about = "Only a part of that is" if anyway else "That is"
        return f"{about} about this prompt: {there}."
    if anyway:
        return f"It writes much of that anyway: {there}."
    return f"That may still be chance: {there}."


# ------------------------------------------------------------------ the conclusion


def conclusion(
    parts: Contributions,
    labels: Sequence[str],
    tokens: Sequence[str],
    *,
    coming: int = 0,
    **known: Any,
) -> str:
    """What wrote the answer, as HTML.

    Args:
        parts: the contributions.
        labels: [pos] the prompt's tokens as short labels.
        tokens: [pos] the same as text.
        coming: sentences that will soon stand before the last one: their place is kept empty, so
            that nothing below jumps.
        known: the other arguments of :func:`story`.
    """
    lead, *rest = story(parts, labels, tokens, **known)
    kept = coming if value_of(parts, ranked(parts)[0]) >= LITTLE else 0
    empty = [f'<span class="hr-coming" aria-hidden="true">{COMING}</span>'] * kept
    return " ".join([f"<b>{escape(lead)}</b>", *map(escape, rest[:-1]), *empty, escape(rest[-1])])


def story(
    parts: Contributions,
    labels: Sequence[str],
    tokens: Sequence[str],
    *,
    chance: Chance | None = None,
    now: Standing | None = None,
    without: Without | None = None,
) -> list[str]:
    """What wrote the answer, in a few sentences (plain text), the most telling one first.

    Args:
        parts: the contributions.
        labels: [pos] the prompt's tokens as short labels.
        tokens: [pos] the same as text.
        chance: what the heads write on other prompts; None before it is there.
        now: how the model sees the token.
        without: the prompt without the head that wrote most; None before it is there.
    """
    best = ranked(parts)[0]
    sentences = _lead(parts, best, labels, tokens)
    if value_of(parts, best) >= LITTLE:
        if chance is not None:
            sentences.append(chance_sentence(parts, best, chance))
        if without is not None and now is not None and without.head == best:
            sentences.append(without_sentence(parts, now, without, name=best.label))
    return [*sentences, totals_sentence(parts)]


def _lead(
    parts: Contributions, best: Head, labels: Sequence[str], tokens: Sequence[str]
) -> list[str]:
    """Who wrote most; the first sentence may stand alone."""
    total, by_kind = parts.total, sums(parts)
    kind = max(by_kind, key=by_kind.__getitem__)
    name = name_of(parts.target)
    if value_of(parts, best) < LITTLE:
        worst = ranked(parts)[-1]
        more = [of_head(parts, worst, labels, tokens)] if value_of(parts, worst) <= -LITTLE else []
        return [f"No head wrote for {name}.", *more]
    said = of_head(parts, best, labels, tokens)
    if total > 0 and kind != "heads" and by_kind[kind] >= LITTLE:
        who = {
            "MLPs": "The MLPs wrote",
            "embedding": "The embedding brought",
            "biases": "The biases brought",
        }[kind]
        lead = f"{who} most for {name}: {of_all(by_kind[kind], total)}."
        alike = [ALIKE] if parts.target.against_id is None else []
        return [lead, *alike, f"The head that wrote most: {said}"]
    return [said]


def totals_sentence(parts: Contributions) -> str:
    """What each kind of part made of the logit, in a sentence (plain text)."""
    names = {"embedding": "the embedding", "heads": "heads", "MLPs": "MLPs", "biases": "biases"}
    said = [
        f"{names[kind]} {signed(value)}"
        for kind, value in sums(parts).items()
        if kind == "heads" or round(value, 2)
    ]
    whole = "the logit" if parts.target.against_id is None else "the difference of the logits"
    return f"Together {listing(said)} make {whole}, {decimal(parts.total)}."


def watched_sentence(target: Target, now: Standing, *, last: bool) -> str:
    """Which token is watched, and how the model sees it, in a sentence or two (plain text).

    Args:
        target: the token.
        now: how the model sees it.
        last: whether the next token of the whole prompt is watched.
    """
    who = "" if target.named else ", the model's first guess"
    place = f"{ordinal(now.rank)} of {count(now.vocabulary, 'token')}, {percent(now.probability)}"
    says = "" if now.rank == 1 else f"; the model says {quoted(now.guess)}"
    here = "" if last else " at this position"
    sentences = [f"Watched{here}: {quoted(target.text)}{who} ({place}{says})."]
    sentences += [
        f"{quoted(whole)} is more than one token; its first one, {quoted(first)}, is taken."
        for whole, first in (
            (target.part_of, target.text),
            (target.against_part_of, target.against),
        )
        if whole
    ]
    return " ".join(sentences)


def rivals(prompt: str, guess: str) -> list[str]:
    """Names of the prompt beside the guess, where that is one of them: what it could be held
    against. As tokens are read, each with a space in front.

    >>> rivals("When Mary and John went home, John gave a ring to", " Mary")
    [' John']
    >>> rivals("The cat sat. The cat", " sat")
    []
    """
    names: list[str] = []
    starts = True  # of a sentence, where every word has a capital
    for word in prompt.split():
        bare = word.strip(".,;:!?\"'()“”")
        if bare.istitle() and bare.isalpha() and len(bare) > 1 and not starts:
            names.append(bare)
        starts = word[-1] in ".!?:"
    names = list(dict.fromkeys(names))
    return [f" {name}" for name in names if name != guess.strip()] if guess.strip() in names else []


# ------------------------------------------------------------------ the sum, the map, the control


HOW = (
    "Before the logits, the model divides the sum of all that was written by its size (the final "
    "norm). Here that number is frozen as it was in the model's own pass, so the logit is a plain "
    "sum. A part's contribution is direct: what later layers made of it is counted as "
    "theirs. What "
    "raises the logits of all tokens alike changes no guess; the difference of two tokens leaves "
    "it out."
)


def proof_sentence(parts: Contributions) -> str:
    """The sum beside the model's own pass, in a sentence or more (plain text)."""
    what = "logit" if parts.target.against_id is None else "difference of the logits"
    off = f"{parts.error:.5f}" if parts.error >= 0.000005 else "under 0.00001"
    said = (
        f"The parts add up to {decimal(parts.total)}; the {what} of the model's own pass is "
        f"{decimal(parts.logit)} (they differ by {off})."
    )
    if parts.cap is not None:
        said += (
            f" Afterwards this model squashes every logit into ±{parts.cap:g} (a soft cap), which "
            "is no part of the sum."
        )
    if parts.remainders:
        layers = listing([str(layer) for layer in parts.remainders])
        layer = "layer" if len(parts.remainders) == 1 else "layers"
        said += (
            f" In {layer} {layers} of this model, no single module is the MLP: what is left of the "
            "layer's change stands for it, so the sum proves less there."
        )
    return said


def map_sentence(parts: Contributions) -> str:
    """The take-away of the map (plain text)."""
    order = ranked(parts)
    best, worst = order[0], order[-1]
    values = parts.heads.flatten().tolist()
    most = sum(value >= LITTLE for value in values)
    against = sum(value <= -LITTLE for value in values)
    ends = [(best, "most")] * (value_of(parts, best) >= LITTLE)
    ends += [(worst, "most against it")] * (value_of(parts, worst) <= -LITTLE)
    named = [f"{head.label} {way} ({signed(value_of(parts, head))})" for head, way in ends]
    said = f"Of {count(len(values), 'head')}, {most} wrote for {name_of(parts.target)}"
    said += f" and {against} against it, {LITTLE} logits or more"
    return f"{said}; {listing(named)}." if named else f"{said}."


def chance_rule(chance: Chance) -> str:
    """What the prompts of the control are, and what *more than there* means (plain text)."""
    return (
        f"{chance.what} Mean and spread over {count(chance.n, 'prompt')}. More than there: further "
        "from the mean than one more such prompt would be by chance, corrected for the number of "
        "heads (5% of the heads that pass are expected to be false), in the same direction."
    )
