"""Two prompts that differ in a few tokens, and the two answers between which they decide.

"When Mary and John went to the store, John gave a drink to" is continued with Mary, and with Mary
in place of the second John, with John. With d the logit of the first prompt's answer less that of
the second's, at the last position, the prompts are far apart in d, and most of what the model does
is the same in both. So what makes the difference can be looked for, part by part
(:mod:`headroles.ablation.patching`).

>>> pair = make_pair(loaded, "The cat sat. The cat", "The cat ran. The cat")  # doctest: +SKIP
>>> pair.differ, pair.answer, pair.against  # doctest: +SKIP
((3,), ' sat', ' ran')
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import partial
from typing import TYPE_CHECKING

from headroles.ablation.conditions import UNTOUCHED
from headroles.ablation.run import Outcome, run_conditions
from headroles.ablation.tables import Answer, find_answer
from headroles.errors import PairError
from headroles.formatting import count, decimal, quoted, visible
from headroles.texts import encode, token_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.models import LoadedModel
    from headroles.texts import ReadyPair
    from headroles.types import Encoding

LEAST_GAP = 0.1
"""Logits by which the two runs must differ: rounding (1e-5) is then a 10,000th of a share."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Two prompts of one length, and what each should be continued with."""

    first: Encoding
    """The prompt whose answer is ``answer``; its outputs are put into the second's run."""
    second: Encoding
    """The prompt whose answer is ``against``."""
    differ: tuple[int, ...]
    """Positions at which their tokens differ; before the first of them both runs are the same."""
    answer_id: int
    """The token that the first prompt should be continued with."""
    answer: str
    """That token as text, spaces kept."""
    against_id: int
    """The token that the second prompt should be continued with."""
    against: str
    """That token as text, spaces kept."""
    first_difference: float
    """Logits: the answer's less the other's at the end of the first prompt."""
    second_difference: float
    """The same at the end of the second prompt."""
    first_text: str = ""
    """The first prompt as it was typed."""
    second_text: str = ""
    """The second prompt as it was typed."""
    first_guess: str = ""
    """What the model itself would continue the first prompt with."""
    second_guess: str = ""
    """What the model itself would continue the second prompt with."""
    remarks: tuple[str, ...] = ()
    """What a reader should know about the answers, each in a sentence."""
    kind: str = ""
    """The group of a ready-made pair."""
    name: str = ""
    """The name of a ready-made pair."""
    exchange: tuple[str, ...] = ()
    """A word of both prompts that does not matter, and words to exchange it for: the control."""

    @property
    def gap(self) -> float:
        """Logits, above 0: what there is to recover."""
        return self.first_difference - self.second_difference

    @property
    def start(self) -> int:
        """The first position at which anything can differ."""
        return self.differ[0]

    @property
    def length(self) -> int:
        """Tokens of either prompt, the start token included."""
        return len(self.first.token_ids)

    @property
    def is_told_apart(self) -> bool:
        """Whether the model prefers the right one of the two answers after both prompts."""
        return self.first_difference > 0 > self.second_difference


def make_pair(
    loaded: LoadedModel,
    first: str,
    second: str,
    *,
    answer: str = "",
    against: str = "",
    chat: bool = False,
    exchange: tuple[str, ...] = (),
) -> Pair:
    """Run two prompts and see how far the model tells them apart.

    Args:
        loaded: a model.
        first: a prompt.
        second: another with as many tokens.
        answer: what the first should be continued with; empty for the model's own guess.
        against: what the second should be continued with; empty for the model's own guess.
        chat: whether both are wrapped by the model's chat template.
        exchange: a word of both prompts that does not matter, and words to exchange it for.

    Raises:
        PairError: if the prompts differ in length or in no token, the answers in none, or the model
            does not tell the prompts apart by these answers.
        HeadrolesError: if a prompt cannot be run or an answer holds no token.
    """
    texts = (first, second)
    both = [
        encode(loaded.tokenizer, text, max_tokens=loaded.max_tokens, chat=chat) for text in texts
    ]
    differ = _differing(*both)
    rows = [encoding.token_ids for encoding in both]
    outcomes = list(run_conditions(loaded, rows, [UNTOUCHED] * 2, losses=False))
    wanted, other = map(partial(find_answer, loaded), outcomes, texts, (answer, against))
    if wanted.token_id == other.token_id:
        raise _same_answers(wanted, other)
    apart = [logit_difference(one, wanted.token_id, other.token_id) for one in outcomes]
    _check_gap(wanted, other, *apart)
    return Pair(
        *both,
        differ,
        *(wanted.token_id, wanted.text, other.token_id, other.text),
        *apart,
        *texts,
        *token_texts(loaded.tokenizer, [one.guess for one in outcomes]),
        remarks=tuple(filter(None, map(_only_the_beginning, (wanted, other)))),
        exchange=exchange,
    )


def ready_pair(loaded: LoadedModel, ready: ReadyPair) -> Pair:
    """A ready pair as :func:`make_pair` makes it."""
    made = make_pair(
        loaded,
        ready.first,
        ready.second,
        answer=ready.answer,
        against=ready.against,
        exchange=ready.exchange,
    )
    return replace(made, kind=ready.kind, name=ready.name)


def told_apart(loaded: LoadedModel, pairs: Sequence[ReadyPair]) -> tuple[ReadyPair, ...]:
    """The ready pairs of one length for this tokenizer of which the model prefers the right answer
    after both prompts, in few passes."""
    rows, found = [], []
    for ready in pairs:
        both = [
            encode(loaded.tokenizer, text, max_tokens=loaded.max_tokens)
            for text in (ready.first, ready.second)
        ]
        if len(both[0].token_ids) == len(both[1].token_ids):
            found.append(ready)
            rows += [encoding.token_ids for encoding in both]
    if not rows:
        return ()
    outcomes = run_conditions(loaded, rows, [UNTOUCHED] * len(rows), losses=False)
    return tuple(
        ready
        for ready, one, other in zip(found, outcomes, outcomes, strict=True)
        if _is_told_apart(loaded, ready, one, other)
    )


def _is_told_apart(loaded: LoadedModel, ready: ReadyPair, one: Outcome, other: Outcome) -> bool:
    answer = find_answer(loaded, one, ready.first, ready.answer).token_id
    against = find_answer(loaded, other, ready.second, ready.against).token_id
    first, second = (logit_difference(outcome, answer, against) for outcome in (one, other))
    return first > 0 > second and first - second >= LEAST_GAP


def logit_difference(outcome: Outcome, answer_id: int, against_id: int) -> float:
    """The logit of one token less that of another, for the token after the last one."""
    return float(outcome.logits[answer_id].double() - outcome.logits[against_id].double())


def _differing(first: Encoding, second: Encoding) -> tuple[int, ...]:
    """Positions at which the tokens of two prompts differ.

    Raises:
        PairError: if they cannot be laid side by side.
    """
    if first.truncated or second.truncated:
        longest = max(first.full_length, second.full_length)
        raise PairError(
            f"The prompts have {longest:,} tokens, and {len(first.token_ids):,} are read at most.",
            hint="Shorten both.",
            value=longest,
        )
    if len(first.token_ids) != len(second.token_ids):
        raise _different_lengths(first, second)
    pairs = zip(first.token_ids, second.token_ids, strict=True)
    differ = tuple(place for place, (one, other) in enumerate(pairs) if one != other)
    if not differ:
        raise PairError(
            "The two prompts have the same tokens.",
            hint="Exchange a word in one of them, for example a name.",
            value=first.token_ids,
        )
    return differ


def _different_lengths(first: Encoding, second: Encoding) -> PairError:
    """Both lengths, and the tokens that do not line up."""
    matcher = SequenceMatcher(None, first.token_ids, second.token_ids, autojunk=False)
    odd = next(
        (a, b, c, d)
        for kind, a, b, c, d in matcher.get_opcodes()
        if kind != "equal" and b - a != d - c
    )
    sides = (_run_of(first.tokens[odd[0] : odd[1]]), _run_of(second.tokens[odd[2] : odd[3]]))
    lengths = (len(first.token_ids), len(second.token_ids))
    return PairError(
        f"The first prompt has {count(lengths[0], 'token')} and the second {lengths[1]:,}: "
        f"{sides[0]} in the first stands against {sides[1]} in the second.",
        hint="Choose words that are split into as many tokens, so that both prompts line up.",
        value=lengths,
    )


def _run_of(tokens: tuple[str, ...]) -> str:
    """Some tokens in a row, in running text.

    >>> _run_of((" Qu", "illen")), _run_of(())
    ('“·Qu|illen” (2 tokens)', 'nothing')
    """
    if not tokens:
        return "nothing"
    shown = "|".join(map(visible, tokens[:6])) + ("|…" if len(tokens) > 6 else "")
    return f"“{shown}” ({count(len(tokens), 'token')})"


def _same_answers(wanted: Answer, other: Answer) -> PairError:
    if wanted.named or other.named:
        why = f"Both answers begin with {quoted(wanted.text)}, so nothing tells them apart."
        return PairError(why, hint="Name answers with different first tokens.", value=wanted.text)
    return PairError(
        f"Both prompts would be continued with {quoted(wanted.text)}.",
        hint="Exchange a word on which the answer depends, or name the two answers.",
        value=wanted.text,
    )


def _check_gap(wanted: Answer, other: Answer, first: float, second: float) -> None:
    """Refuse a pair of which no share can be recovered.

    Raises:
        PairError: with the numbers.
    """
    if first - second >= LEAST_GAP:
        return
    what = (
        f"The logit of {quoted(wanted.text)} less that of {quoted(other.text)} is "
        f"{decimal(first)} after the first prompt and {decimal(second)} after the second"
    )
    if second - first >= LEAST_GAP:
        raise PairError(
            f"{what}: the answers are the wrong way round.",
            hint="Exchange the two prompts or the two answers.",
            value=(first, second),
        )
    raise PairError(
        f"{what}: the model does not tell the prompts apart, and no share can be taken of nothing.",
        hint="Exchange a word on which the answer depends, or name other answers.",
        value=(first, second),
    )


def _only_the_beginning(answer: Answer) -> str:
    """That a named answer is more than one token; empty where it is one."""
    if not answer.part_of:
        return ""
    return (
        f"{quoted(answer.part_of)} is more than one token; its first, {quoted(answer.text)}, is "
        "watched."
    )
