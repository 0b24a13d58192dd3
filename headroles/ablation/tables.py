"""A prompt under many knock-outs, as sentences: is the answer still first, and what replaces it?

One row of a :class:`PromptTable` is one condition against the untouched run: where the answer
stands now, what the model says instead, which logits rose and fell.

>>> table = tabulate(loaded, "The cat sat. The cat", conditions)  # doctest: +SKIP
>>> table.rows[0].verdict  # doctest: +SKIP
'“·sat” falls from 1st to 2nd (72% → 13%). The model now says “ was”.'
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from headroles.ablation.conditions import (
    ALL_COMPONENTS,
    MEAN,
    UNTOUCHED,
    Condition,
    HeadOutput,
    Pattern,
    Values,
    removal,
)
from headroles.ablation.controls import Judgement, judge
from headroles.ablation.outcomes import Comparison, compare, logit_changes, rank, repeated_positions
from headroles.ablation.run import Outcome, ablate_beside, run_conditions
from headroles.circuits import TRAINED, Kind
from headroles.formatting import listing, ordinal, percent, quoted
from headroles.models import LoadedModel
from headroles.texts import ReadyPrompt, encode, likeliest_reading, token_texts
from headroles.types import Component, ComponentSet, Encoding, Head, NextToken, place_in

TOP = 5
"""Tokens per direction by default."""
MOST = 20
"""Most tokens per direction."""
GUESSES = 5
"""Likeliest next tokens that are kept of each run."""


@dataclass(frozen=True)
class Moved:
    """A token whose logit moved."""

    text: str
    """The token, spaces kept."""
    change: float
    """Logits; above 0 it rose."""


@dataclass(frozen=True)
class Answer:
    """The token that is watched."""

    token_id: int
    """Its id."""
    text: str
    """The token, spaces kept."""
    named: bool
    """True if someone named it; else it is the model's own first guess, or what follows."""
    part_of: str = ""
    """The whole of what was named, where the token is only its beginning."""
    follows: bool = False
    """True for the token that really comes next in the prompt."""

    @property
    def origin(self) -> str:
        """Who chose it, in words."""
        if self.follows:
            return "what really comes next in the prompt"
        return "named beforehand" if self.named else "the model's own guess"


@dataclass(frozen=True)
class Row:
    """One condition on one prompt."""

    name: str
    """The condition."""
    comparison: Comparison
    """The numbers."""
    says: str
    """The most probable next token under the condition."""
    says_probability: float
    """0..1, its probability."""
    verdict: str
    """One sentence."""
    rose: tuple[Moved, ...]
    """Tokens whose logits rose, most first."""
    fell: tuple[Moved, ...]
    """Tokens whose logits fell, most first."""
    guesses: tuple[NextToken, ...] = ()
    """The likeliest next tokens under the condition, likeliest first."""
    losses: tuple[float, ...] = ()
    """[pos - 1] nats, of each token after the first one, given those before it."""
    guesses_before: tuple[NextToken, ...] = ()
    """The likeliest next tokens in the run that it is compared with, likeliest first."""
    losses_before: tuple[float, ...] = ()
    """[pos - 1] nats, the losses of that run."""
    heads: tuple[Head, ...] = ()
    """The heads that the condition names; none where it is about value vectors."""
    components: tuple[Component, ...] = ()
    """The components that it takes away."""
    beside_all: bool = False
    """Whether it is compared with the model with all components, and not with the untouched one."""
    is_baseline: bool = False
    """Whether it is the model with all components itself, compared with the untouched one."""
    others: tuple[float, ...] = ()
    """[draw] nats that the answer loses with random others knocked out instead."""
    control: str = ""
    """What these others are, in a sentence or two; empty where none were asked for."""

    @property
    def beside(self) -> Judgement | None:
        """What the answer loses beside the random others; None where none were asked for."""
        return judge(self.comparison.surprise, self.others) if self.control else None


@dataclass(frozen=True, eq=False)
class PromptTable:
    """A prompt and all its conditions."""

    prompt: str
    """The text."""
    encoding: Encoding
    """The tokens."""
    answer: Answer
    """The token that is watched."""
    says: str
    """What the untouched model says."""
    says_probability: float
    """0..1, how sure it is."""
    position: int
    """The position t that one-position conditions act on."""
    rows: tuple[Row, ...]
    """One per condition, in order."""
    vocabulary: int = 0
    """Tokens among which the answer is ranked."""
    repeated: int = 0
    """Tokens that the loss on repeats is over."""
    kind: str = ""
    """The group of a ready prompt."""
    guesses: tuple[NextToken, ...] = ()
    """The likeliest next tokens of the untouched model, likeliest first."""
    losses: tuple[float, ...] = ()
    """[pos - 1] nats, of each token after the first one in the untouched run."""
    read_at: int = -1
    """The position after which the next token is guessed."""


def tabulate(
    loaded: LoadedModel,
    prompt: str,
    conditions: Sequence[Condition] | Callable[[Encoding], Sequence[Condition]],
    *,
    answer: str = "",
    top: int = TOP,
    position: int = -1,
    kind: str = "",
    chat: bool = False,
    read_at: int = -1,
) -> PromptTable:
    """Run a prompt untouched and under every condition, in one batch.

    Args:
        loaded: a model.
        prompt: any text.
        conditions: conditions, or what makes them for this prompt's tokens.
        answer: what should come next; empty for what follows in the prompt or, at its end, the
            model's own guess.
        top: tokens per direction.
        position: the position that the conditions are about; shown with the prompt.
        kind: the group of a ready prompt.
        chat: whether the prompt is wrapped by the model's chat template.
        read_at: the position after which the next token is guessed.

    Raises:
        HeadrolesError: if the prompt cannot be run, or a condition names a head or position that
            does not exist.
    """
    encoding = encode(loaded.tokenizer, prompt, max_tokens=loaded.max_tokens, chat=chat)
    made = list(conditions(encoding) if callable(conditions) else conditions)
    clean, pairs = ablate_beside(loaded, encoding, made, read_at=read_at)
    watched = find_watched(loaded, clean, prompt, answer, encoding=encoding, read_at=read_at)
    guesses = likeliest(loaded, clean)
    return PromptTable(
        prompt=prompt,
        encoding=encoding,
        answer=watched,
        says=guesses[0].text,
        says_probability=guesses[0].probability,
        position=position % len(encoding.token_ids),
        rows=tuple(row_of(loaded, *pair, watched, encoding, top=top) for pair in pairs),
        vocabulary=len(clean.logits) - len(clean.nameless),
        repeated=len(repeated_positions(encoding.copy_ids)),
        kind=kind,
        guesses=guesses,
        losses=tuple(clean.losses.tolist()),
        read_at=read_at % len(encoding.token_ids),
    )


def find_watched(
    loaded: LoadedModel,
    clean: Outcome,
    prompt: str,
    answer: str,
    *,
    encoding: Encoding,
    read_at: int = -1,
) -> Answer:
    """The token to watch after a position: what was named, what follows, or the model's guess.

    Raises:
        EmptyPromptError: if what was named holds no token.
    """
    after = read_at % len(encoding.token_ids) + 1
    if after == len(encoding.token_ids):
        return find_answer(loaded, clean, prompt, answer)
    if answer:
        return find_answer(loaded, clean, "".join(encoding.tokens[1:after]), answer)
    return Answer(encoding.token_ids[after], encoding.tokens[after], named=False, follows=True)


def find_answer(loaded: LoadedModel, clean: Outcome, prompt: str, answer: str) -> Answer:
    """The token to watch: the first token of the named answer (as
    :func:`headroles.texts.likeliest_reading` takes it), or the model's own guess.

    Raises:
        HeadrolesError: if the answer holds no token.
    """
    if not answer:
        return Answer(clean.guess, token_texts(loaded.tokenizer, [clean.guess])[0], named=False)
    token_id, part_of = likeliest_reading(loaded.tokenizer, prompt, answer, clean.logits)
    return Answer(token_id, *token_texts(loaded.tokenizer, [token_id]), True, part_of)


def row_of(
    loaded: LoadedModel,
    clean: Outcome,
    other: Outcome,
    answer: Answer,
    encoding: Encoding,
    *,
    top: int = TOP,
) -> Row:
    """One condition's row."""
    comparison = compare(clean, other, answer=answer.token_id, token_ids=encoding.copy_ids)
    guesses = likeliest(loaded, other)
    says = guesses[0].text
    rose, fell = (
        tuple(
            Moved(text, moved.change)
            for text, moved in zip(
                token_texts(loaded.tokenizer, [moved.token_id for moved in part]), part, strict=True
            )
        )
        for part in logit_changes(clean, other, top=min(top, MOST))
    )
    return Row(
        name=other.condition.name,
        comparison=comparison,
        says=says,
        says_probability=guesses[0].probability,
        verdict=verdict(comparison, answer=answer.text, says=says),
        rose=rose,
        fell=fell,
        guesses=guesses,
        losses=tuple(other.losses.tolist()),
        guesses_before=likeliest(loaded, clean),
        losses_before=tuple(clean.losses.tolist()),
        heads=other.condition.heads,
        components=other.condition.components,
        beside_all=clean.condition == ALL_COMPONENTS,
        is_baseline=other.condition == ALL_COMPONENTS,
    )


def likeliest(loaded: LoadedModel, outcome: Outcome) -> tuple[NextToken, ...]:
    """The model's guess first, as :attr:`Outcome.guess` has it where several are as likely."""
    sure = outcome.logits.double().softmax(-1)
    most = min(GUESSES, len(sure) - len(outcome.nameless))  # the nameless come last, and are cut
    others = outcome.named.topk(most).indices.tolist()
    ids = list(dict.fromkeys([outcome.guess, *others]))[:GUESSES]
    texts = token_texts(loaded.tokenizer, ids)
    return tuple(
        NextToken(text, token_id, float(sure[token_id]))
        for text, token_id in zip(texts, ids, strict=True)
    )


def verdict(comparison: Comparison, *, answer: str, says: str) -> str:
    """Whether the answer is still first; if not, what it falls to and what the model says instead.

    >>> verdict(Comparison(7, 1, 0.03, 0.72, 1.0, None, None), answer=" sat", says=" ran")
    '“·sat” falls from 1st to 7th (72% → 3%). The model now says “·ran”.'
    """
    before, after = comparison.rank_before, comparison.rank
    answer, says = quoted(answer), quoted(says)
    numbers = f"({percent(comparison.probability_before)} → {percent(comparison.probability)})"
    if after == before:
        return f"{answer} is still {_place(after)} {numbers}."
    way = "falls" if after > before else "rises"
    now = f" The model now says {says}." if after > 1 else ""
    return f"{answer} {way} from {ordinal(before)} to {ordinal(after)} {numbers}.{now}"


def _place(rank: int) -> str:
    return "first" if rank == 1 else ordinal(rank)


# ------------------------------------------------------------------ ready conditions


def standard_conditions(
    heads: Sequence[Head], encoding: Encoding, *, position: int = -1
) -> list[Condition]:
    """About twenty knock-outs around some heads: alone, together, softer, and value vectors.

    Args:
        heads: the heads; each alone is a condition up to six of them.
        encoding: the prompt; a value condition is left out where it has too few tokens.
        position: the position t at which one-position conditions act.

    Raises:
        UnknownPositionError: if the prompt has no such position.
    """
    t = place_in(position, len(encoding.token_ids))
    heads = tuple(heads)
    together = short_list(heads)
    layers = tuple(sorted({head.layer for head in heads}))
    where = f"layer{'s' if len(layers) > 1 else ''} {listing([str(layer) for layer in layers])}"
    conditions = [Condition(f"{head.label} to zero", (HeadOutput((head,)),)) for head in heads[:6]]
    if len(heads) > 1:
        conditions.append(Condition(f"{together} to zero", (HeadOutput(heads),)))
    conditions += [
        Condition(f"{together} to zero at t", (HeadOutput(heads, positions=(t,)),)),
        Condition(f"{together} to mean", (HeadOutput(heads, MEAN),)),
        Condition(f"{together} to mean at t", (HeadOutput(heads, MEAN, (t,)),)),
        Condition(f"{together} resting on the first token", (Pattern(heads),)),
        Condition(f"{together} looking evenly", (Pattern(heads, "uniform"),)),
    ]
    for name, positions in (
        ("t-1", (t - 1,)),
        ("t-1 and t-2", (t - 2, t - 1)),
        ("all before t", tuple(range(t))),
    ):
        if positions and min(positions) >= 0:
            conditions.append(Condition(f"values at {name}, {where}", (Values(positions, layers),)))
            conditions.append(Condition(f"values at {name}, all layers", (Values(positions),)))
    return conditions


def component_conditions(sets: Sequence[ComponentSet], kind: Kind) -> list[Condition]:
    """The model without each of some sets of components; first, with trained ones, the model with
    all of them, which is what the others are compared with."""
    removed = [removal(each, kind) for each in sets]
    return [ALL_COMPONENTS, *removed] if removed and kind == TRAINED else removed


def short_list(heads: Sequence[Head], *, most: int = 4) -> str:
    """Heads as a list; many of them as a count.

    >>> short_list([Head(1, head) for head in range(7)])
    '7 heads (L1H0, L1H1, L1H2, …)'
    """
    labels = [head.label for head in heads]
    if len(labels) <= most:
        return listing(labels)
    return f"{len(labels)} heads ({', '.join(labels[: most - 1])}, …)"


def ready_ranks(loaded: LoadedModel, prompts: Sequence[ReadyPrompt]) -> list[int]:
    """[prompt] the place of each prompt's answer in the untouched model, in few passes."""
    rows = [encode(loaded.tokenizer, ready.prompt).token_ids for ready in prompts]
    outcomes = run_conditions(loaded, rows, [UNTOUCHED] * len(rows), losses=False)
    return [
        rank(outcome.named, find_answer(loaded, outcome, ready.prompt, ready.answer).token_id)
        for ready, outcome in zip(prompts, outcomes, strict=True)
    ]
