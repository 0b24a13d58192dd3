"""What the drawings and tables of a reveal are made of. Pure: no Streamlit, no charts.

The words of a row of ``cells`` are HTML: they wrap on a phone, and are read out as they stand.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from headroles.formatting import percent
from headroles.lessons.lesson import SAME
from headroles.lessons.measures import SHARES
from headroles.view.html import escape
from headroles.view.lesson_numbers import amounts, gap, share, unit_of, words_of
from headroles.view.lessons import START, name, names, strongest, who
from headroles.view.role_cards import STATE_WORDS

if TYPE_CHECKING:
    from headroles.lessons import Answer, Prediction, Question
    from headroles.lessons.lesson import Cells, Value
    from headroles.lessons.worksheet import Try
    from headroles.view.lessons import Outcome

Mark = Literal["hit", "miss", "missed", ""]
"""Chosen and among the strongest; chosen and not; not chosen and among them; neither."""
MARKS = {"hit": "✓", "miss": "✗", "missed": "○", "": ""}
"""{mark: its sign}."""
SPOKEN = {
    "hit": "chosen, and among the strongest",
    "miss": "chosen, not among the strongest",
    "missed": "among the strongest, not chosen",
    "": "",
}
"""{mark: what it means}."""

STRONGEST = 0.75
"""Opacity of all attention on one token; as in the pattern, it goes with the square root."""

OUTCOMES = {"right": "✓", "partly": "◐", "wrong": "✗"}
"""{outcome: its sign}."""


def outcome_sign(came: Outcome) -> str:
    """How a prediction came out, before all else (HTML); the last sentence says it in words."""
    return f'<i class="hr-came hr-came-{came}" aria-hidden="true">{OUTCOMES[came]}</i>'


# ------------------------------------------------------------------ cells


class Word(NamedTuple):
    """One token of a row."""

    place: int
    """Its position."""
    weight: float
    """0..1, how much of the row it holds."""
    mark: Mark
    """How it was chosen, and whether it should have been."""


def words(step: Cells, answer: Answer, prediction: Prediction) -> dict[int, list[Word]]:
    """{query: every token that it can look at}, in the order of the prompt."""
    best, chosen = strongest(step, answer), set(prediction.cells)
    found = {}
    for query, row in zip(answer.queries, answer.rows, strict=True):
        top = {key for key in best[query] if row[key] > 0}
        found[query] = [
            Word(key, row[key], _mark((query, key) in chosen, key in top))
            for key in range(int(step.without_first), len(row))
        ]
    return found


def _mark(is_chosen: bool, is_top: bool) -> Mark:
    if is_chosen:
        return "hit" if is_top else "miss"
    return "missed" if is_top else ""


def cells_html(step: Cells, answer: Answer, prediction: Prediction) -> str:
    """Every row as words, tinted and numbered by attention, with the choices marked by shape."""
    labels, rows = names(answer.tokens), []
    for place, (query, row) in enumerate(words(step, answer, prediction).items()):
        even = f"An even spread: {share(1 / len(row))} each."
        if step.without_first and len(answer.queries) > 1:
            rest = share(answer.resting[place])
            even += f" Left out: {rest} that rests on the {START}."
        chips = "".join(_word(labels, word) for word in row)
        rows.append(
            f'<div class="hr-laid"><p class="hr-laid-from">From <b>{_named(labels, query)}</b>, '
            f"{escape(answer.head)} looks at: <small>{even}</small></p>"
            f'<ul class="hr-laid-words">{chips}</ul></div>'
        )
    return "".join(rows)


def _named(labels: Sequence[str], place: int) -> str:
    again = f' <span class="hr-laid-at">{place}</span>' * (list(labels).count(labels[place]) > 1)
    return f"<bdi>{escape(labels[place])}</bdi>{again}"


def _word(labels: Sequence[str], word: Word) -> str:
    spoken = f'<span class="hr-unseen">, {SPOKEN[word.mark]}</span>' if word.mark else ""
    sign = f'<i aria-hidden="true">{MARKS[word.mark]}</i> ' if word.mark else ""
    return (
        f'<li class="hr-laid-word{f" hr-laid-{word.mark}" if word.mark else ""}" '
        f'style="background:rgba(46,127,208,{STRONGEST * max(word.weight, 0) ** 0.5:.3f})">'
        f"<span>{_named(labels, word.place)}</span>"
        f"<small>{sign}{percent(word.weight)}{spoken}</small></li>"
    )


def cells_legend() -> str:
    """What the marks of the words mean (HTML)."""
    marks = "".join(
        f'<span><i class="hr-laid-key hr-laid-{mark}">{MARKS[mark]}</i>{SPOKEN[mark]}</span>'
        for mark in ("hit", "miss", "missed")
    )
    return f'<div class="hr-legend">{marks}</div>'


def cells_table(
    step: Cells, answer: Answer, prediction: Prediction
) -> tuple[list[str], list[list[str]]]:
    """The same as a table: its headers and rows."""
    labels = names(answer.tokens)
    rows = [
        [
            name(labels, query),
            name(labels, word.place),
            share(word.weight),
            share(1 / len(row)),
            SPOKEN[word.mark] or "–",
        ]
        for query, row in words(step, answer, prediction).items()
        for word in row
    ]
    return ["From", "It looks at", "Attention", "An even spread", "Your choice"], rows


# ------------------------------------------------------------------ options


def option_records(step: Question, answer: Answer, prediction: Prediction) -> list[dict]:
    """A bar per option of ``active`` or ``largest``, in the order in which they were asked."""
    options = [option for option in answer.options if option.label != SAME]
    of = options[0].beside if step.kind == "largest" else None
    shown = amounts([option.value for option in options], unit_of(step), of=of)
    boxes = ("☐", "☑") if step.kind == "active" else ("○", "◉")
    records = []
    for order, (option, value) in enumerate(zip(options, shown, strict=True)):
        yours = option.label in prediction.chosen
        records.append(
            {
                "order": order,
                "name": who(option),
                "label": f"{boxes[yours]} {who(option)}",
                "value": option.value,
                "needed": _line(option.state, option.needed),
                "chance": _chance(option.chance, option.needed),
                "even": option.chance,
                "yours": yours,
                "right": option.is_right,
                "shown": value if option.state is None else _state(option.state, value),
                "needs": _needs(option.state, option.needed),
                "differs": "" if option.state is None or yours == option.is_right else "✗ ",
            }
        )
    return records


def _line(state: str | None, needed: float | None) -> float | None:
    """Where the line that decides stands; nowhere where no number decides."""
    return needed if state in ("active", "quiet") else None


def _chance(chance: float | None, needed: float | None) -> float | None:
    """Where chance stands; nowhere where a head has to stay near an even spread (*Diffuse*)."""
    is_over = chance is not None and needed is not None and chance > needed
    return None if is_over else chance


def _state(state: str, value: str) -> str:
    """A number with its verdict; where there is nothing to do, there is no number."""
    words = STATE_WORDS[state]
    return words if state == "not_applicable" else f"{value} · {words}"


def _needs(state: str | None, needed: float | None) -> str:
    line = _line(state, needed)
    return "–" if line is None else share(line)


def wake_record(answer: Answer) -> dict[str, object]:
    """The bar of a head on a prompt that was tried."""
    return {
        "order": 0,
        "name": answer.head,
        "label": answer.head,
        "value": answer.value,
        "needed": _line(answer.state, answer.needed),
        "chance": _chance(answer.chance, answer.needed),
        "even": answer.chance,
        "yours": False,
        "right": answer.state == "active",
        "shown": _state(answer.state, share(answer.value)),
        "needs": _needs(answer.state, answer.needed),
        "differs": "",
    }


def bars_alt(records: Sequence[dict]) -> str:
    """What the bars show, for whoever does not see them."""
    bars = []
    for record in records:
        needs = f", needs {record['needs']}" * (record["needs"] != "–")
        yours = ", your choice" * bool(record["yours"])
        bars.append(f"{record['name']}: {record['shown']}{needs}{yours}")
    return f"{'; '.join(bars)}."


def bar_table(step: Question, records: Sequence[dict]) -> tuple[list[str], list[list[str]]]:
    """The same as a table: its headers and rows."""
    if step.kind == "active":
        headers = ["", "Ticked", "Activation", "Needed", "Chance", "On this prompt"]
        return headers, [
            [
                record["name"],
                "yes" if record["yours"] else "–",
                share(record["value"]),
                record["needs"],
                "–" if record["even"] is None else share(record["even"]),
                record["shown"].partition(" · ")[2] or record["shown"],
            ]
            for record in records
        ]
    words = words_of(step)
    return ["", "You", f"{words[0].upper()}{words[1:]}"], [
        [record["name"], "chosen" if record["yours"] else "–", record["shown"]]
        for record in records
    ]


def line_record(step: Value, answer: Answer, prediction: Prediction) -> dict[str, object]:
    """The line of a number: what was said, what it is, and what counts as right."""
    unit = unit_of(step)
    low, high = min(step.low, answer.value), max(step.high, answer.value)
    said, value = amounts([prediction.number, answer.value], unit, of=answer.beside)
    return {
        "low": low,
        "high": high,
        "from": max(answer.value - step.within, low),
        "to": min(answer.value + step.within, high),
        "said": prediction.number,
        "value": answer.value,
        "you": f"you: {said}",
        "it": f"the answer: {value}",
        "within": gap(step.within, unit, exact=True),
    }


def axis_title(step: Question) -> str:
    """What the numbers of a question's chart are."""
    if step.kind == "active":
        return "activation"
    unit, what = unit_of(step), words_of(step)
    return what if unit in (*SHARES, "", "heads") else f"{what} ({unit})"


def line_alt(record: dict[str, object]) -> str:
    """What the line of a number shows."""
    return (
        f"A line with two marks. {record['you']}; {record['it']}; right within {record['within']}."
    )


def line_table(step: Value, record: dict[str, object]) -> tuple[list[str], list[list[str]]]:
    """The same as a table: its headers and rows."""
    low, high = amounts([float(record["from"]), float(record["to"])], unit_of(step))
    said, value = (str(record[who]).partition(": ")[2] for who in ("you", "it"))
    words = words_of(step)
    return ["", f"{words[0].upper()}{words[1:]}"], [
        ["You", said],
        ["The answer", value],
        ["Counts as right", f"{low} to {high}"],
    ]


def line_legend() -> str:
    """What the marks of a number's line mean (HTML)."""
    return (
        '<div class="hr-legend"><span>▼ your prediction</span>'
        '<span><i class="hr-laid-band"></i>counts as right</span></div>'
    )


def bars_legend(step: Question, records: Sequence[dict], chosen: Collection[str] = ()) -> str:
    """What the marks of some bars mean: those that are there (HTML).

    Args:
        step: the question.
        records: its bars.
        chosen: the labels that were chosen; one of them may have no bar.
    """
    active, largest = step.kind == "active", step.kind == "largest"
    right, yours = (any(record[what] for record in records) for what in ("right", "yours"))
    needed, chance = (
        any(record[what] is not None for record in records) for what in ("needed", "chance")
    )
    keys = {
        "☑ you ticked it": active and yours,
        "◉ your choice": largest and yours,
        f"◉ your choice: {SAME}": SAME in chosen,
        "✗ you and the model differ": any(record["differs"] for record in records),
        _key("active", "active"): active and right,
        _key("active", "the largest"): largest and right,
        _key("quiet", "not active"): active and not all(record["right"] for record in records),
        _key("threshold", "needed here"): needed,
        _key("chance hr-key-tick", "chance"): chance,
    }
    shown = "".join(f"<span>{key}</span>" for key, is_there in keys.items() if is_there)
    return f'<div class="hr-legend">{shown}</div>' if shown else ""


def _key(look: str, words: str) -> str:
    return f'<i class="hr-key hr-key-{look}"></i>{words}'


# ------------------------------------------------------------------ tries


def tries_table(tries: Sequence[Try]) -> tuple[list[str], list[list[str]]]:
    """What was tried, the latest first: headers and rows."""
    rows = [
        [
            str(number),
            one.prompt,
            "–" if one.state == "not_applicable" else share(one.value),
            STATE_WORDS.get(one.state, one.state),
        ]
        for number, one in enumerate(tries, 1)
    ]
    return ["Try", "Prompt", "Activation", "Verdict"], rows[::-1]
