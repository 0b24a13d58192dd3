"""What is wrong with a lesson's file is said with its line, all of it at once."""

from __future__ import annotations

import json
import tomllib

import jsonschema
import pytest

from headroles import paths
from headroles.lessons import faults, lines, reading, schema
from headroles.lessons.lesson import Case
from headroles.lessons.reading import LessonError

LESSON = """\
title = "T"
goal = "G"
models = ["demo"]

[[steps]]
kind = "read"
key = "idea"
title = "A"
text = '''
A text
over lines.
'''

[[steps]]
kind = "cells"
key = "where"
title = "B"
question = "Where will {head} look?"
explain = "!"
prompt = "The cat sat. The cat"
head = "induction"
queries = ["cat"]

[[steps]]
kind = "largest"
key = "which"
title = "C"
question = "?"
explain = "!"
measure = "activation"
case = { head = "L1H3", role = "induction" }
options = [
  { label = "a", prompt = "one" },
  { label = "b", prompt = "two" },
]
"""


def found(text: str) -> list[faults.Fault]:
    with pytest.raises(LessonError) as caught:
        reading.parse(text.encode(), name="x.toml")
    return list(caught.value.faults)


def test_this_lesson_is_one() -> None:
    assert len(reading.parse(LESSON.encode(), name="x.toml").lesson.questions) == 2


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('prompt = "The', 'promt = "The', 20, ["promt", "cells", "'prompt'"]),
        ('"cells"', '"cell"', 15, ["'cell'", "'cells'"]),
        ('kind = "cells"\n', "", 14, ["kind", "missing"]),
        ('question = "Where will {head} look?"\n', "", 14, ["question", "missing"]),
        ("{head}", "{haed}", 18, ["{haed}", "{head}"]),
        ('head = "induction"', 'head = "inducton"', 21, ["'induction'"]),
        ('head = "induction"', 'head = "5.1"', 21, ["L1H3"]),
        ('role = "induction"', 'role = "inducton"', 31, ["'induction'"]),
        ('"activation"', '"activations"', 24, ["'activation'"]),
        ("models = [", 'models = ["dmeo", ', 3, ["'dmeo'", "'demo'"]),
        ('["demo"]', '"demo"', 3, ["list"]),
        ('["demo"]', '["ours"]', 3, ["'ours'", "demo"]),
        ('label = "b"', 'label = "a"', 24, ["“a”"]),
        ('{ label = "b", ', "{ ", 34, ["label", "missing"]),
        ('prompt = "two"', "prompt = 2", 34, ["options 2, prompt", "text", "2"]),
        ('["cat"]', "[]", 22, ["queries", "1"]),
        ('["cat"]', "[1.5]", 22, ["text", "whole number"]),
        ('key = "which"', 'key = "where"', 26, ["“where”"]),
        ('key = "which"', 'key = "Which one"', 26, ["my-step"]),
        ('prompt = "The cat sat. The cat"', 'prompt = { gpt2 = "The" }', 20, ["'demo'"]),
    ],
)
def test_a_fault_has_its_line_and_what_it_should_be(
    old: str, new: str, line: int, words: list[str]
) -> None:
    assert old in LESSON
    [fault] = found(LESSON.replace(old, new, 1))
    assert fault.line == line
    assert [word for word in words if word not in fault.sentence] == []


def test_all_faults_are_told_at_once_in_the_order_of_their_lines() -> None:
    text = LESSON.replace('goal = "G"', "goal = 3").replace("queries", "querys")
    text = text.replace('key = "which"', 'key = "idea"').replace('label = "a"', 'lable = "a"')
    assert [(f.line, f.step, f.field) for f in found(text)] == [
        (2, "", "goal"),
        (22, "step 2, where", "querys"),
        (26, "step 3, idea", "key"),
        (33, "step 3, idea", "options 1, lable"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a = 1\ntitle = Hello", 2, ["quotation marks", '"Hello"']),
        ("title = “Hello”", 1, ["straight"]),
        ('title = "Hello\n', 1, ["three quotation marks"]),
        ('title = "a "b" c"', 1, ["within a text"]),
        ("x = 0,3", 1, ["0.3"]),
        ("x = False", 1, ["false"]),
        ("x = [1,\n2\ny = 3", 3, ["comma"]),
        ("x = { a = 1,\n b = 2 }", 1, ["one line"]),
        ("x = 1\nSome text here", 2, ["name = value"]),
        ("x = 1\ny = '''a\nb", 2, ["never closed"]),
        ("[[steps]\n", 1, ["[[steps]]"]),
        ('[[steps]]\nkey = "a"\n[steps]', 3, ["[[steps]]"]),
        ('[[steps]]\nkey = "a"\nkind = "b"\nkey = "c"\n', 4, ["twice", "[[steps]]"]),
        ("x = " + "[" * 5_000, None, ["brackets"]),
        ("x = " + "1" * 5_000, None, ["digits"]),
    ],
)
def test_what_is_no_toml_has_its_usual_cause(text: str, line: int | None, words: list[str]) -> None:
    [fault] = found(text)
    assert fault.line == line
    assert [word for word in words if word not in fault.sentence] == []


def test_a_model_of_another_server_spoils_no_lesson_that_has_others() -> None:
    text = LESSON.replace('["demo"]', '["demo", "ours-on-another-server"]')
    assert len(reading.parse(text.encode(), name="x.toml").lesson.models) == 2


def test_what_is_said_to_a_wrong_prediction_is_no_text_by_model() -> None:
    text = LESSON.replace('queries = ["cat"]', 'queries = ["cat"]\nfeedback = { cat = "!" }')
    assert reading.parse(text.encode(), name="x.toml").lesson.questions[0].feedback == {"cat": "!"}


def test_the_fields_with_a_text_for_each_model_are_all_looked_at() -> None:
    parts = (*faults.KINDS.values(), Case)
    by_model = {
        name
        for part in parts
        for name, field in part.model_fields.items()
        if "dict[str, str]" in str(field.annotation)
    }
    assert by_model - {"expect"} == set(faults._BY_MODEL)


def test_a_file_that_is_too_large_or_of_another_encoding_is_refused() -> None:
    for raw in (b"#" * (reading.LARGEST + 1), LESSON.replace("lines", "ü").encode("latin-1")):
        with pytest.raises(LessonError):
            reading.parse(raw, name="x.toml")


# ------------------------------------------------------------------ lines


def all_paths(value: object, path: tuple = ()) -> set[tuple]:
    """Where every value of a document stands, by Python's own reader."""
    parts = value.items() if isinstance(value, dict) else enumerate(value)
    inside = [((*path, part), one) for part, one in parts] if value else []
    return {p for p, _ in inside}.union(
        *(all_paths(one, p) for p, one in inside if isinstance(one, dict | list))
    )


ODD = r'''
"a.b" = 1
'' = { "" = 0 }
'c' . d = [[1, 2], ["x]", '}', """
]]""", { e = "#", f = [ ] } ], # ] comment
]
when = 2026-01-01T00:00:00Z
[t."u v".w] # here
x = """a "" \" b"""""
[[t.list]]
y = 'it # is'
[t.list.deep]
z = -1.5e3
[[t.list]]
[[t.list.more]]
q = true
'''


@pytest.mark.parametrize("name", ["pyproject.toml", "headroles/view/glossary.toml", ""])
def test_every_value_is_found_that_pythons_reader_finds(name: str) -> None:
    text = (paths.ROOT / name).read_text(encoding="utf-8") if name else ODD
    assert set(lines.find(text).first) == all_paths(tomllib.loads(text))


def test_values_stand_on_their_lines() -> None:
    first = lines.find(ODD).first
    rows = ODD.split("\n")
    for path in (("a.b",), ("when",), ("t", "list", 0, "deep", "z"), ("t", "list", 1, "more", 0)):
        assert str(path[-1] or "more") in rows[first[path] - 1]
    assert first["c", "d", 1, 3, "e"] == 5


# ------------------------------------------------------------------ the schema for editors


def test_the_schema_for_editors_is_that_of_the_code() -> None:
    path = paths.ROOT / "data" / "lessons" / schema.FILE
    assert path.read_text(encoding="utf-8") == schema.as_json(), (
        f"run: python -m scripts.check_lessons --schema data/lessons/{schema.FILE}"
    )


@pytest.mark.parametrize(
    ("old", "new", "fits"),
    [
        ("", "", True),
        ("prompt =", "promt =", False),
        ('"cells"', '"cell"', False),
        ('"activation"', '"activations"', False),
        ('role = "induction"', 'role = "inducton"', False),
        ('["cat"]', "[3]", True),
        ('["cat"]', "[]", False),
        ('goal = "G"', "goal = 3", False),
    ],
)
def test_editors_see_by_the_schema_what_is_wrong(old: str, new: str, fits: bool) -> None:
    checker = jsonschema.Draft7Validator(json.loads(schema.as_json()))
    assert checker.is_valid(tomllib.loads(LESSON.replace(old, new, 1))) == fits


def test_every_field_is_described_for_editors() -> None:
    for name, part in schema.of_lessons()["$defs"].items():
        plain = [f for f, said in part["properties"].items() if "description" not in said]
        assert plain in (["kind"], []), name
