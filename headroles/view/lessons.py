"""A prediction beside the answer, in sentences, rows and records. Pure: no Streamlit, no model.

Everything here is said from four things: the question, the answer, its mark and the prediction. So
a worksheet that is read again says the same as the page did.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from headroles import texts
from headroles.formatting import count, listing, ordinal
from headroles.lessons import marking
from headroles.lessons.lesson import CERTAINTIES, SAME
from headroles.lessons.measures import MEASURES, POINTS
from headroles.view.html import escape, plain
from headroles.view.lesson_numbers import amount, amounts, gap, is_share, share, unit_of, words_of
from headroles.view.role_cards import STATE_WORDS

if TYPE_CHECKING:
    from headroles.lessons import Answer, Mark, OptionAnswer, Prediction
    from headroles.lessons.lesson import Cells, Largest, Question, Value

Outcome = Literal["right", "partly", "wrong"]
START = "start token"
"""What the token at position 0 is called."""
_IN_WORDS = {2: "two", 3: "three", 4: "four"}

# ------------------------------------------------------------------ asking


def names(tokens: Sequence[str]) -> list[str]:
    """[pos] what each token is called on a chip."""
    return [START, *texts.token_labels(tokens)[1:]]


def name(labels: Sequence[str], place: int) -> str:
    """A token in a sentence; one of several alike with its position.

    >>> name(["start token", "·a", "·b", "·a"], 3), name(["start token", "·a"], 0)
    ('“·a” (3)', 'the start token')
    """
    if place == 0:
        return f"the {START}"
    again = list(labels).count(labels[place]) > 1
    return f"“{labels[place]}”{f' ({place})' * again}"


def chip(labels: Sequence[str], place: int) -> str:
    """A token on a chip, in Markdown; one of several alike with its position, small."""
    again = list(labels).count(labels[place]) > 1
    return plain(labels[place]) + f" :small[{place}]" * again


def row_question(labels: Sequence[str], query: int, *, most: int, spoken: bool = False) -> str:
    """What is asked about one token that looks: as HTML, or as it is read out.

    >>> row_question(["start token", "·a", "·b"], 2, most=1, spoken=True)
    'From ·b: where does it look? Choose one.'
    """
    again = f" ({query})" * (list(labels).count(labels[query]) > 1)
    choose = "Choose one." if most == 1 else f"Choose up to {_IN_WORDS.get(most, most)}."
    if spoken:
        return f"From {labels[query]}{again}: where does it look? {choose}"
    token = f"<b><bdi>{escape(labels[query])}</bdi></b>{again}"
    return f"From {token}: where does it look? <small>{choose}</small>"


def chips_note(labels: Sequence[str], *, without_first: bool) -> str:
    """What the marks on chips mean, and what the first one is (HTML)."""
    said = ["“·” is a space."] if any("·" in label for label in labels) else []
    if any(times > 1 for times in Counter(labels).values()):
        said.append("A small number is a token's place in the prompt.")
    if without_first:
        said.append(
            f"The {START}, which stands before every prompt, is left out: many heads rest there. "
            "So shares are of the attention on all other tokens."
        )
    else:
        said.append(f"The {START} stands before every prompt; it is no word of it.")
    return escape(" ".join(said))


def slider_label(step: Value) -> str:
    """The label of the slider, in Markdown."""
    measure = MEASURES[step.measure]
    words = plain(words_of(step))
    if measure.unit == "heads":
        return f"Your prediction: number of {words}"
    unit = ", in percent" if is_share(step) else f", in {measure.unit}" * bool(measure.unit)
    return f"Your prediction: {words}{unit}"


def slider_format(step: Value) -> str:
    """The format of the slider's number, as Streamlit reads it."""
    unit = MEASURES[step.measure].unit
    if is_share(step):
        return "percent"
    digits = len(f"{step.step:.10f}".rstrip("0").partition(".")[2])
    return f"%.{digits}f {unit}".strip()


# ------------------------------------------------------------------ the outcome


def outcome(step: Question, mark: Mark) -> Outcome:
    """Whether a prediction was right; cells that hold no more than chance are wrong."""
    if step.kind == "cells" and mark.caught <= mark.chance:
        return "wrong"
    if marking.is_right(mark.score):
        return "right"
    return "partly" if marking.is_partly_right(mark.score) else "wrong"


def certainty_sentence(sure: int, came: Outcome) -> str:
    """Certainty and outcome in one sentence (plain text).

    >>> certainty_sentence(4, "right"), certainty_sentence(1, "wrong")
    ('You were certain, and it was right.', 'You were just guessing, and it was wrong.')
    """
    who = "You were just guessing" if sure == 1 else f"You were {CERTAINTIES[sure - 1]}"
    was = {"right": "right", "partly": "partly right", "wrong": "wrong"}[came]
    return f"{who}, and it was {was}."


def told(step: Question, answer: Answer, mark: Mark, prediction: Prediction) -> list[str]:
    """The difference between prediction and answer, in sentences (plain text), the first alone
    saying the most."""
    say = {
        "cells": _cells, "active": _active, "largest": _largest, "number": _number, "wake": _wake,
    }  # fmt: skip
    return say[step.kind](step, answer, mark, prediction)


# ------------------------------------------------------------------ cells


def _cells(step: Cells, answer: Answer, mark: Mark, prediction: Prediction) -> list[str]:
    labels, chosen = names(answer.tokens), len(prediction.cells)
    if not mark.best:
        return [f"All its attention from {_rows(answer)} rests on the {START}."]
    caught, best, even = amounts([mark.caught, mark.best, mark.chance], "share")
    one, is_best = chosen == 1, mark.right == chosen == mark.of
    yours = ("that cell" if is_best else "your cell") if one else f"your {chosen} cells"
    of_what = f"Of its attention from {_rows(answer)}"
    if step.without_first:
        of_what = f"Of the attention that does not rest on the {START}"
    top = "the strongest holds" if mark.of == 1 else f"the {mark.of} strongest hold"
    more = "" if is_best else f"; {top} {best}"
    said = [
        _cells_lead(step, answer, mark, prediction, labels),
        f"{of_what}, {yours} {'holds' if one else 'hold'} {caught}{more}. Spread evenly, "
        f"{'one cell' if one else f'{chosen} cells'} would hold {even}.",
    ]
    if step.without_first:
        rest = sum(answer.resting) / len(answer.resting)
        said.append(f"{share(rest)} of all its attention from there rests on the {START}.")
    return said


def _cells_lead(
    step: Cells, answer: Answer, mark: Mark, prediction: Prediction, labels: Sequence[str]
) -> str:
    """Where it looks most, if one cell was to be chosen; else how many are among the strongest."""
    if mark.of == 1:
        query = answer.queries[0]
        (best,) = strongest(step, answer)[query]
        most = f"from {name(labels, query)} it looks most at {name(labels, best)}"
        if mark.right:
            return f"Yes: {most}."
        (_, key), *_ = prediction.cells
        return f"{most[0].upper()}{most[1:]}, not at {name(labels, key)}."
    chosen = len(prediction.cells)
    strong = f"the {mark.of} strongest"
    if (many := len(answer.queries)) > 1:
        strong += f" ({'one' if mark.of == many else step.each} for each token)"
    if mark.right == chosen == mark.of:
        return f"Yes: your {chosen} cells are {strong}."
    if chosen == 1:
        return f"Your cell is {'' if mark.right else 'not '}among {strong}."
    which = mark.right or "None"
    one = "is" if mark.right <= 1 else "are"
    return f"{which} of your {count(chosen, 'cell')} {one} among {strong}."


def _rows(answer: Answer) -> str:
    many = len(answer.queries)
    return "this token" if many == 1 else f"these {many} tokens"


def strongest(step: Cells, answer: Answer) -> dict[int, list[int]]:
    """{query: the keys that it looks at most}, as many as may be chosen, the largest first."""
    return {
        query: marking.strongest_of(step, row)
        for query, row in zip(answer.queries, answer.rows, strict=True)
    }


# ------------------------------------------------------------------ roles or heads


def _active(_: Question, answer: Answer, mark: Mark, prediction: Prediction) -> list[str]:
    lead = f"You got {mark.right} of {mark.of} right."
    if mark.right == mark.of:
        all_of = {1: "It is", 2: "Both are"}.get(mark.of, f"All {mark.of} are")
        lead = f"{all_of} as you expected."
    said = []
    for option in answer.options:
        ticked = option.label in prediction.chosen
        if ticked and not option.is_right:
            said.append(f"{who(option)}: ticked, but not active. {_reason(option.reason)}")
        elif option.is_right and not ticked:
            said.append(f"{who(option)}: active, but not ticked. {_reason(option.reason)}")
    return [lead, *said]


def who(option: OptionAnswer) -> str:
    """An option's name, and the head whose activation it is.

    >>> who(option)  # doctest: +SKIP
    'Induction (L1H4)'
    """
    if option.head in ("", option.label):
        return option.label
    return f"{option.label} ({option.head})"


def _reason(reason: str) -> str:
    """A verdict's reason where it was said that it is active."""
    rest = reason.removeprefix("Active: ")
    return f"{rest[:1].upper()}{rest[1:]}"


# ------------------------------------------------------------------ one of several


def _largest(step: Largest, answer: Answer, mark: Mark, prediction: Prediction) -> list[str]:
    unit = unit_of(step)
    options = [option for option in answer.options if option.label != SAME]
    values = amounts([option.value for option in options], unit, of=options[0].beside)
    shown = dict(zip([option.label for option in options], values, strict=True))
    beside = _beside(step, options)
    (chosen,) = prediction.chosen
    order = sorted(options, key=lambda option: -option.value)
    top, low = order[0], order[-1]
    if any(option.is_right for option in answer.options if option.label == SAME):
        apart, within = gap(top.value - low.value, unit), gap(step.same_within, unit, exact=True)
        said = f"They are about the same: {apart} apart, and up to {within} count as the same."
        if len(set(shown.values())) == 1:
            said = f"They are the same: {shown[top.label]} each."
        return [f"Yes. {said}" if mark.right else said, *beside]
    best = f"{_the_words(step)} is largest for {_quoted(top.label)}: {shown[top.label]}."
    if unit == "heads":
        best = f"{_quoted(top.label)} has the most: {shown[top.label]}."
    if mark.right:
        return [f"Yes: {best[0].lower()}{best[1:]}", *beside]
    if chosen == SAME:
        apart = gap(top.value - low.value, unit)
        lowest = f"{_quoted(low.label)} has {shown[low.label]}"
        return [best, f"They are not about the same: {lowest}, {apart} less.", *beside]
    place = 1 + [option.label for option in order].index(chosen)
    rank = f", the {ordinal(place)} of {len(options)}" if len(options) > 2 else ""
    return [best, f"You chose {_quoted(chosen)}: {shown[chosen]}{rank}.", *beside]


def _beside(step: Question, options: Sequence[OptionAnswer | Answer]) -> list[str]:
    """What the options' numbers, or the one number asked for, are held against: one number, or one
    for each of them."""
    sentence, unit = MEASURES[step.measure].beside, _unit_beside(step)
    numbers = [option.beside for option in options]
    if not sentence or None in numbers:
        return []
    shown = [amount(number, unit) for number in numbers]
    if len(set(shown)) == 1:
        return [sentence.format(shown[0])]
    each = zip(shown, options, strict=True)
    return [sentence.format(listing([f"{one} for {_quoted(of.label)}" for one, of in each]))]


def _unit_beside(step: Question) -> str:
    """The unit of what a number is held against: a change of a share began from a share."""
    unit = unit_of(step)
    return "share" if unit == POINTS else unit


def _quoted(label: str) -> str:
    """An option in a sentence; one that is a quotation is in quotation marks already.

    >>> _quoted("an induction head"), _quoted("“cat”")
    ('“an induction head”', '“cat”')
    """
    is_quotation = label.startswith("“") and label.find("”") == len(label) - 1
    return label if is_quotation else f"“{label}”"


def _the_words(step: Question) -> str:
    """What a number is, at the beginning of a sentence: “The activation”, “Chance”."""
    words = words_of(step)
    return words.capitalize() if words == "chance" else f"The {words}"


def same_note(step: Largest) -> str:
    """What “about the same” means in a question (plain text); "" where it cannot be chosen."""
    if step.same_within is None:
        return ""
    within = gap(step.same_within, unit_of(step), exact=True)
    return f"“About the same” is right if they are at most {within} apart."


# ------------------------------------------------------------------ a number, a prompt


def _number(step: Value, answer: Answer, mark: Mark, prediction: Prediction) -> list[str]:
    unit, off = unit_of(step), prediction.number - answer.value
    said, value = amounts([prediction.number, answer.value], unit, of=answer.beside)
    against = _beside(step, [answer])
    lead = f"{'It' if unit == 'heads' else _the_words(step)} is {value}; you said {said}."
    within = f"up to {gap(step.within, unit, exact=True)} off counts as right"
    if unit == "heads" and step.within < 1:
        within = "only the exact number counts as right"
    if not off:
        return [lead, *against]
    aside = f"That is {gap(off, unit)} too {'high' if off > 0 else 'low'}; {within}."
    return [lead, aside, *against]


def _wake(_: Question, answer: Answer, __: Mark, ___: Prediction) -> list[str]:
    return wake_sentences(answer)


def wake_tries(before: int, hints: int, is_awake: bool) -> str:
    """How a head was woken (plain text).

    >>> wake_tries(0, 0, True), wake_tries(2, 1, True), wake_tries(1, 0, False)
    ('At the first try, without a hint.', 'At try 3, with 1 hint.', '2 tries, without a hint.')
    """
    helped = f"with {count(hints, 'hint')}" if hints else "without a hint"
    if not is_awake:
        return f"{count(before + 1, 'try', 'tries')}, {helped}."
    return f"{f'At try {before + 1}' if before else 'At the first try'}, {helped}."


def wake_sentences(answer: Answer) -> list[str]:
    """The verdict on a prompt, and its reason (plain text)."""
    if answer.state == "active":
        return [f"{answer.head} is awake.", _reason(answer.reason)]
    words = STATE_WORDS[answer.state or "quiet"]
    aside = "" if answer.state == "too_short" else f" ({words})"  # its reason says so
    return [f"{answer.head} is not awake yet{aside}.", _reason(answer.reason)]
