"""What is wrong with a lesson's file, for someone who has never seen TOML: line, step and reason.

>>> print(of_syntax("title = Hello\\n")[0])
line 1: The value of title cannot be read. A text stands in quotation marks: title = "Hello"
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, get_args

from pydantic import ValidationError

from headroles import models
from headroles.errors import near_match
from headroles.formatting import count, in_one_line
from headroles.lessons import lines
from headroles.lessons.lesson import Case, Lesson, Option, Step
from headroles.lessons.lines import Path

KINDS = {
    get_args(kind.model_fields["kind"].annotation)[0]: kind
    for union in (get_args(get_args(Step)[0]))
    for kind in (get_args(union) or (union,))
}
"""{kind: the class of such a step}"""
_UNKNOWN = "extra_forbidden"
_BY_MODEL = ("prompt", "head", "reader", "without", "solution")
"""Fields that may have a text for each model, and need one for each of the step's models."""


class Fault(NamedTuple):
    """One thing that is wrong."""

    line: int | None
    """From 1; None if it has none."""
    step: str
    """Which step, “step 2, where”; "" outside the steps."""
    field: str
    """The field within the step or the lesson; "" for the whole."""
    sentence: str
    """What is wrong, and what it should be."""

    def __str__(self) -> str:
        """The fault in one line."""
        place = ", ".join(filter(None, (self.line and f"line {self.line}", self.step)))
        return f"{place}: {self.sentence}" if place else self.sentence


# ------------------------------------------------------------------ what is no TOML

_AT = re.compile(r" \((?:at line (\d+), column (\d+)|at end of document)\)$")
_NAME = re.compile(r"\s*([A-Za-z0-9_-]+)\s*=")
_CURLY = "“”„‟«»"
_OPEN = ("Unterminated string", "Expected \"'''\"")
_CAUSES = (
    ("Cannot declare ('steps',) twice", "Every step begins with [[steps]], in two brackets."),
    ("Cannot declare", "A heading in brackets stands there twice."),
    ("Illegal character '\\n'", 'The text does not end on its line: close it with ", or put it '
     "between three quotation marks if it has several lines."),
    ("Illegal character", "The text holds a character that cannot be seen; type it again."),
    *((begin, "A text is opened here and never closed: quotation marks are missing, one or three "
       "as at its beginning.") for begin in _OPEN),
    ("Unescaped '\\'", "A backslash within \" \" is written twice: \\\\."),
    ("Unclosed array", "A list needs a comma between two things, and ] at its end."),
    ("Unclosed inline table", "A table in { } needs a comma between two fields, and } at its end."),
    ("Duplicate inline table key", "A field stands there twice within { }."),
    ("Invalid initial character for a key part", "A table in { } stands on one line, and has no "
     "comma before its }."),
    ("Expected ']", "A heading ends with as many brackets as it begins with: [[steps]]."),
    ("Expected '='", "Every line is name = value; a text over several lines stands between three "
     "quotation marks."),
    ("Invalid statement", "Every line is name = value, or begins with [[steps]] or #."),
)  # fmt: skip
"""What Python's reader says, and what it usually comes from."""


def of_syntax(text: str) -> list[Fault]:
    """Why a text is no TOML, with its usual cause; nothing if it is."""
    try:
        tomllib.loads(text)
    except RecursionError:
        return [Fault(None, "", "", "It has brackets within brackets hundreds of times.")]
    except tomllib.TOMLDecodeError as error:
        said = str(error)
    except ValueError:  # Python reads no number of so many digits
        return [Fault(None, "", "", "It holds a number of thousands of digits.")]
    else:
        return []
    found = lines.find(text)
    if found.again and said.startswith("Cannot overwrite"):
        return [_twice(path, line) for path, line in found.again.items()]
    at = _AT.search(said)
    number = int(at[1]) if at and at[1] else len(text.rstrip("\n").split("\n"))
    rows = text.split("\n")
    row = rows[number - 1] if number <= len(rows) else ""
    column = int(at[2]) if at and at[2] else len(row)
    said = _AT.sub("", said)
    if said.startswith(_OPEN):
        number = found.lost  # where it begins; Python's reader names the end of the file
    return [Fault(number, "", "", _cause(said, row, column))]


def _twice(path: Path, line: int) -> Fault:
    sentence = f"The field {path[-1]} stands there twice."
    if path[0] == "steps":
        sentence += " Does the next step begin without [[steps]] above it?"
    return Fault(line, "", str(path[-1]), sentence)


def _cause(said: str, row: str, column: int) -> str:
    named = _NAME.match(row)
    if any(mark in row[column - 1 : column + 1] for mark in _CURLY):
        return 'These quotation marks are curly; a value needs straight ones: " ".'
    if named and said.startswith("Invalid value"):
        return f"The value of {named[1]} cannot be read. {_value_hint(named[1], row)}"
    if said.startswith("Expected newline"):
        if re.search(r"=\s*-?\d+,\d", row):
            return "Numbers are written with a point: 0.3."
        if named and re.match(r"\s*['\"]", row[named.end() :]):
            return (
                "Something stands after the end of the text. Quotation marks within a text are "
                'written “ ” or \\", or the text stands between three quotation marks.'
            )
        return "Something stands after the end of the value: one line holds one field."
    cause = next((cause for begin, cause in _CAUSES if said.startswith(begin)), "")
    return cause or f"This is not TOML: {said}."


def _value_hint(name: str, row: str) -> str:
    value = row.partition("=")[2].strip()
    if value.lower() in ("true", "false"):
        return f"Write {value.lower()} in small letters."
    if not value:
        return f'Nothing stands after the sign: {name} = "…"'
    if re.fullmatch(r"[\w][^\"']*", value):
        return f'A text stands in quotation marks: {name} = "{in_one_line(value, limit=40)}"'
    return "A text stands in quotation marks, a list in [ ], a table in { }."


# ------------------------------------------------------------------ what is TOML, but no lesson


def of_validation(error: ValidationError, plain: Mapping[str, Any], text: str) -> list[Fault]:
    """Every fault of a file that does not fit the schema, in the order of its lines."""
    where = lines.find(text)
    by_path: dict[Path, list[dict]] = {}
    for one in error.errors(include_url=False, include_input=False):
        by_path.setdefault(_in_file(one, plain), []).append(one)
    unknown = {path for path, ones in by_path.items() if ones[0]["type"] == _UNKNOWN}
    found = []
    for path, ones in by_path.items():
        if ones[0]["type"] == "missing" and _misspelt(path, unknown):
            continue  # its other name is a fault already
        if ones[0]["type"] == "too_short" and any(
            other[: len(path)] == path and other != path for other in by_path
        ):
            continue  # pydantic counts only what is in order
        found.append(_fault(path, _sentence(path, ones, plain), plain, where))
    twice = list(_repeated(plain, where))
    said = {fault.sentence for fault in twice}  # the schema says it too, without a line
    found = [fault for fault in found if fault.sentence not in said] + twice
    return sorted(found, key=lambda fault: fault.line or 0)


def further(lesson: Lesson, plain: Mapping[str, Any], text: str) -> list[Fault]:
    """What the schema alone does not see: models that nobody knows, and texts that none of a step's
    models gets."""
    known = models.known_models()
    faults: list[tuple[Path, str]] = []
    can_be_taken = any(key in known or models.catalogue.is_hub_id(key) for key in lesson.models)
    for path, key in _models_in(lesson):
        if key not in known and not models.catalogue.is_hub_id(key):
            near = near_match(key, known)
            # A model that only another server lists does not spoil a lesson that has others too.
            if near or not can_be_taken or path[0] == "steps":
                has = near or f" There are {', '.join(known)}."
                faults.append((path, f"There is no model called '{key}'.{has}"))
    unknown = {key for _, key in _models_in(lesson)} - set(known)
    for path, by_model, needed in _by_model(lesson):
        if "default" not in by_model:
            faults += [
                (path, f"There is no text for the model '{key}': add one, or one called default.")
                for key in needed
                if key not in by_model and key not in unknown
            ]
    where = lines.find(text)
    found = [_fault(path, sentence, plain, where) for path, sentence in faults]
    return sorted(found, key=lambda fault: fault.line or 0)


def _models_in(lesson: Lesson) -> Iterator[tuple[Path, str]]:
    for number, key in enumerate(lesson.models):
        yield ("models", number), key
    for number, step in enumerate(lesson.steps):
        if step.model:
            yield ("steps", number, "model"), step.model


def _by_model(lesson: Lesson) -> Iterator[tuple[Path, dict[str, str], tuple[str, ...]]]:
    """Every text that differs by model, with the models that read it."""
    for number, step in enumerate(lesson.steps):
        needed = (step.model,) if step.model else lesson.models
        parts: list[tuple[Path, object]] = [(("steps", number), step)]
        if isinstance(case := getattr(step, "case", None), Case):
            parts.append((("steps", number, "case"), case))
        options = [option for option in getattr(step, "options", ()) if isinstance(option, Option)]
        parts += [(("steps", number, "options", i), option) for i, option in enumerate(options)]
        for path, part in parts:
            for field in _BY_MODEL:
                value = getattr(part, field, None)
                for one in value if isinstance(value, tuple) else (value,):
                    if isinstance(one, dict):
                        yield (*path, field), one, needed


def _repeated(plain: Mapping[str, Any], where: lines.Lines) -> Iterator[Fault]:
    """Keys that two steps have; the schema says so only where all else is in order."""
    steps = plain.get("steps")
    steps = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    times = Counter(step["key"] for step in steps if isinstance(step.get("key"), str))
    for key in (key for key, many in times.items() if many > 1):
        last = max(i for i, s in enumerate(plain["steps"]) if isinstance(s, dict)
                   and s.get("key") == key)  # fmt: skip
        sentence = f"Two steps have the key “{key}”."
        yield _fault(("steps", last, "key"), sentence, plain, where)


def _in_file(one: Mapping[str, Any], plain: Any) -> Path:
    """Where a fault is in the file: pydantic's place without the names of types in it."""
    place = list(one["loc"])
    if len(place) > 2 and place[0] == "steps" and place[2] in KINDS:
        del place[2]
    path: list[str | int] = []
    for number, part in enumerate(place):
        last = number == len(place) - 1
        inside = (isinstance(plain, dict) and part in plain) or (
            isinstance(plain, list) and isinstance(part, int) and part < len(plain)
        )
        if inside:
            plain = plain[part]
        elif not (last and one["type"] == "missing"):
            continue
        path.append(part)
    return (*path, "kind") if one["type"] == "union_tag_invalid" else tuple(path)


def _fault(path: Path, sentence: str, plain: Mapping[str, Any], where: lines.Lines) -> Fault:
    step, rest = "", path
    if len(path) > 1 and path[0] == "steps":
        rest = path[2:]
        step = f"step {int(path[1]) + 1}"
        key = _at(plain, (*path[:2], "key"))
        step += f", {in_one_line(key, limit=60)}" if isinstance(key, str) and key else ""
    return Fault(where.of(path), step, _field(rest), sentence)


def _at(plain: Any, path: Iterable[str | int]) -> Any:
    for part in path:
        try:
            plain = plain[part]
        except (LookupError, TypeError):
            return None
    return plain


def _field(path: Path) -> str:
    """A path as it is read: options 2, label."""
    said = ""
    for part in path:
        said += f" {part + 1}" if isinstance(part, int) else f"{', ' if said else ''}{part}"
    return in_one_line(said, limit=80)


def _what_holds(path: Path, plain: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """What the fields around a place belong to, in words, and their names."""
    if len(path) < 2 or path[0] != "steps":
        return "a lesson", tuple(Lesson.model_fields)
    kind = _at(plain, (*path[:2], "kind"))
    if len(path) > 4 and path[2] == "options":
        return "an option", tuple(Option.model_fields)
    if len(path) > 3 and path[2] == "case":
        return "a case", tuple(Case.model_fields)
    return f"a step of kind {kind}", tuple(KINDS[kind].model_fields)


def _misspelt(path: Path, unknown: Iterable[Path]) -> bool:
    """Whether an unknown field beside a missing one is that one, misspelt."""
    beside = [str(other[-1]) for other in unknown if other[:-1] == path[:-1]]
    return any(near_match(name, [str(path[-1])]) for name in beside)


def _sentence(path: Path, ones: list[dict], plain: Mapping[str, Any]) -> str:
    """What is wrong at a place, in plain words."""
    first, field = ones[0], _field(path[2:] if path[:1] == ("steps",) and path[1:] else path)
    kind, context = first["type"], first.get("ctx", {})
    if kind == _UNKNOWN:
        holder, names = _what_holds(path, plain)
        near = near_match(str(path[-1]), names)
        has = near or f" There are {', '.join(name for name in names if name != 'kind')}."
        return f"'{in_one_line(str(path[-1]), limit=60)}' is no field of {holder}.{has}"
    if kind == "missing":
        holder, _ = _what_holds(path, plain)
        return f"{path[-1]} is missing: {holder} needs it."
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        known = ", ".join(KINDS)
        if kind == "union_tag_not_found":
            return f"kind is missing: a step is of kind {known}."
        given = in_one_line(str(context["tag"]), limit=60)
        return f"There is no kind '{given}'.{near_match(given, KINDS)} There are {known}."
    if kind == "value_error":
        said = first["msg"].removeprefix("Value error, ")
        said = said[:1].upper() + said[1:]
        return f"{field}: {said}." if field else f"{said}."
    value = _at(plain, path)
    shown = f" It is {_shown(value)}." if isinstance(value, str | int | float) else ""
    return f"{field or 'This'} {_must_be(ones)}.{shown}"


def _shown(value: str | float) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"“{in_one_line(value, limit=40)}”"
    return f"{value:.12g}" if isinstance(value, float) else in_one_line(str(value), limit=40)


_TYPES = {
    "string": "a text in quotation marks",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false, without quotation marks",
    "tuple": "a list in square brackets",
    "dict": 'a table with a text for each model: { demo = "…", default = "…" }',
    "model": "a table",
    "finite": "a number",
}
_BOUNDS = {
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than_equal": ("le", "must be at most {}"),
    "greater_than": ("gt", "must be more than {}"),
    "less_than": ("lt", "must be less than {}"),
}


def _must_be(ones: list[dict]) -> str:
    """What a value must be, from all that pydantic says of it: one for each type it may have."""
    first = ones[0]
    kind, context = first["type"], first.get("ctx", {})
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return words.format(f"{context[name]:g}")
    if kind == "string_pattern_mismatch":
        return "must be small letters, digits and hyphens, such as my-step"
    if kind == "string_too_short":
        return "is empty"
    if kind == "string_too_long":
        return f"is longer than {count(context['max_length'], 'character')}"
    if kind in ("too_short", "too_long"):
        least = kind == "too_short"
        bound = count(context["min_length" if least else "max_length"], "thing")
        return f"needs at least {bound}" if least else f"may have at most {bound}"
    if kind == "literal_error":
        return f"must be {context['expected']}"
    types = dict.fromkeys(_TYPES.get(one["type"].split("_")[0], "") for one in ones)
    said = " or ".join(filter(None, types))
    return f"must be {said}" if said else f"is not as it should be: {first['msg']}"
