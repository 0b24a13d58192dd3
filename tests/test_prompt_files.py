"""Prompts from a file: every kind, and rows that cannot be read are named by their line."""

from __future__ import annotations

import json

import pytest

from headroles import limits
from headroles.errors import LimitError, TextFileError
from headroles.texts import as_text, read_prompts
from headroles.texts.prompt_files import from_lines
from scripts import ablate_heads

PAIRS = [("The cat, she", "sat"), ('He said "no', ""), ("one two", " three")]


def _pairs(text: str, name: str) -> list[tuple[str, str]]:
    return [(ready.prompt, ready.answer) for ready in read_prompts(text, name=name).prompts]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'prompt,answer\n"The cat, she",sat\n"He said ""no",\none two, three\n'),
        ("a.csv", 'Answer;PROMPT\nsat;The cat, she\n;"He said ""no"\n three;one two'),
        ("a.CSV", 'prompt\tanswer\nThe cat, she\tsat\n"He said ""no"\none two\t three\n'),
        ("a.jsonl", '{"prompt": "The cat, she", "answer": "sat"}\n"He said \\"no"\n\n'
                    '{"answer": " three", "prompt": "one two"}'),
    ],
)  # fmt: skip
def test_every_kind_in_every_encoding(name, text, newline, encoding) -> None:
    raw = text.replace("\n", newline).encode(encoding)
    assert _pairs(as_text(raw, name=name), name) == PAIRS


def test_lines_of_text() -> None:
    read = read_prompts("The cat => sat\n\n  one two  =>  three \nno answer\n=> x", name="a.txt")
    assert [tuple(ready) for ready in read.prompts] == [
        ("Own", "The cat", "sat"), ("Own", "one two", "three"), ("Own", "no answer", ""),
    ]  # fmt: skip
    assert read.note == "Line 5: There is no prompt before the arrow."


@pytest.mark.parametrize(
    ("name", "text", "kept", "lines"),
    [
        ("a.csv", "prompt,answer\na,b\n,c\nd,e,f\n\n  ,\ng", ["a", "g"], [3, 4]),
        ("a.csv", 'prompt,answer\na,b\n"two\nlines",c\n"x"y,z\nd,e\n',
         ["a", "two\nlines", "d"], [5]),
        ("a.csv", 'prompt,answer\na,b\n"open,c\nd,e\n', ["a"], [3]),
        ("a.jsonl", '"a"\n{\n[1]\n{"prompt": 3}\n{"prompt": "b", "answer": 1}\n"c"', ["a", "c"],
         [2, 3, 4, 5]),
        ("a.jsonl", "[" * 100_000 + '\n"a"', ["a"], [1]),
        ("a.txt", "a\n" + "x" * (limits.PROMPT.most + 1) + "\nb => " + "y" * 81, ["a"], [2, 3]),
    ],
)  # fmt: skip
def test_damaged_rows_are_named_and_the_others_kept(name, text, kept, lines) -> None:
    read = read_prompts(text, name=name)
    assert [ready.prompt for ready in read.prompts] == kept
    assert [row.line for row in read.unread] == lines
    assert all(row.why.endswith(".") for row in read.unread)


def test_what_an_open_quote_swallows_is_said() -> None:
    read = read_prompts('prompt\na\n"b\nc\nd\n', name="a.csv")
    assert read.note == "Line 3: Its quotes do not match, up to line 5."


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "text,answer\na,b", "no column called prompt; its first row is text and answer"),
        ("a.jsonl", "{}", "Line 1: It has no text called prompt."),
        ("a.txt", "=> a", "Line 1: There is no prompt"),
        ("a.csv", "prompt,answer\n", "No prompt could be read from a.csv"),
    ],
)
def test_a_file_without_any_prompt_is_refused(name, text, says) -> None:
    with pytest.raises(TextFileError) as refused:
        read_prompts(text, name=name)
    assert says in str(refused.value)


def test_too_many_prompts_are_refused_and_none_is_cut_off() -> None:
    most = limits.OWN_PROMPTS.most
    assert len(read_prompts("a\n" * most, name="a.txt").prompts) == most
    for name, text in (("a.txt", "a\n"), ("a.jsonl", '"a"\n'), ("a.csv", "prompt\n")):
        with pytest.raises(LimitError):
            read_prompts(text + text.replace("prompt", "a") * most + "b\nb", name=name)


def test_a_typed_line_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(TextFileError, match="Line 2"):
        from_lines("a => b\n => c")


def test_the_command_reads_the_file_and_names_its_bad_row(tmp_path, capsys) -> None:
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"prompt": "The cat sat. The cat", "answer": "sat"}) + "\n{\n")
    assert ablate_heads.main(["--heads", "L1H4", "--prompts", str(path)]) == 0
    told = capsys.readouterr()
    assert "Own: 'The cat sat. The cat'" in told.out
    assert "mine.jsonl: Line 2: It is not valid JSON." in told.err
    path.write_text("{")
    assert ablate_heads.main(["--heads", "L1H4", "--prompts", str(path)]) == 2
    assert "No prompt could be read from mine.jsonl" in capsys.readouterr().err
