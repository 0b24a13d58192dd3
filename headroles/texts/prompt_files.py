"""Prompts with their answers that somebody brings: in lines, as CSV, or as JSON lines.

The kind is read off the name. Text: ``prompt => answer`` on every line. CSV: a first row with the
columns ``prompt`` and ``answer``, commas, semicolons or tabs between them. JSON lines: an object
with ``prompt`` and ``answer`` on every line, or a prompt in quotes. The answer may be missing. A
row that cannot be read is named by its line, and all others are taken.

>>> read_prompts("one two => three\\nThe cat\\n => x", name="own.txt").unread
(Unread(line=3, why='There is no prompt before the arrow.'),)
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import NamedTuple

from headroles import limits
from headroles.errors import LimitError, TextFileError
from headroles.formatting import in_one_line, listing
from headroles.texts.ready_prompts import ReadyPrompt

OWN = "Own"
"""The kind of prompts that somebody brings."""
ARROW = "=>"
"""Between a prompt and its answer in a line of text."""
ENDINGS = ("txt", "csv", "jsonl")
"""How the names of such files end."""
_DELIMITERS = ",;\t"


class Unread(NamedTuple):
    """A row that could not be read."""

    line: int
    """1.., where it begins in the file."""
    why: str
    """Why, in a sentence."""


class Prompts(NamedTuple):
    """What a file holds."""

    prompts: tuple[ReadyPrompt, ...] = ()
    """The prompts, in order."""
    unread: tuple[Unread, ...] = ()
    """The rows that could not be read, in order."""

    @property
    def note(self) -> str:
        """The rows that could not be read, in a sentence each; "" where there are none."""
        return " ".join(f"Line {row.line}: {row.why}" for row in self.unread)


_Row = tuple[int, str, str, str]
"""The line, the prompt, the answer, and why it cannot be read ("" where it can)."""


def read_prompts(text: str, *, name: str, limit: limits.Limit = limits.OWN_PROMPTS) -> Prompts:
    """The prompts of a file.

    Args:
        text: all of it, e.g. from :func:`headroles.texts.text_files.as_text`.
        name: what it is called; its ending says which kind it is, and any other is plain text.
        limit: how many there may be.

    Raises:
        LimitError: if there are too many prompts.
        TextFileError: if it is a table without a column of prompts, or no row can be read.
    """
    ending = PurePath(name).suffix.lower()
    rows = {".csv": _of_csv, ".jsonl": _of_json, ".ndjson": _of_json}.get(ending, _of_lines)
    shown = in_one_line(name, limit=60)
    read = _checked(rows(text, shown), limit)
    if not read.prompts:
        raise TextFileError(
            f"No prompt could be read from {shown}.",
            hint=read.note or "Write a prompt on every line.",
        )
    return read


def from_lines(text: str) -> tuple[ReadyPrompt, ...]:
    """Prompts that were typed, one per line, with their answers behind an arrow.

    Raises:
        LimitError: if there are too many, or if a prompt or an answer is too long.
        TextFileError: if a line has an answer and no prompt.
    """
    limits.PROMPTS_TEXT.check(len(text))
    return _checked(_of_lines(text, ""), limits.OWN_PROMPTS, all_of_them=True).prompts


def _checked(rows: Iterator[_Row], limit: limits.Limit, *, all_of_them: bool = False) -> Prompts:
    """Those that are whole and short enough, and why the others are not; or an error for these."""
    prompts: list[ReadyPrompt] = []
    unread: list[Unread] = []
    for line, prompt, answer, why in rows:
        try:
            limits.PROMPT.check(len(prompt))
            limits.ANSWER.check(len(answer))
        except LimitError as error:
            if all_of_them:
                raise
            why = str(error)
        if why and all_of_them:
            raise TextFileError(f"Line {line}: {why}", hint="Write a prompt => its answer.")
        if why:
            unread.append(Unread(line, why))
        else:
            prompts.append(ReadyPrompt(OWN, prompt, answer))
    limit.check(len(prompts))
    return Prompts(tuple(prompts), tuple(unread))


def _of_lines(text: str, _name: str) -> Iterator[_Row]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            prompt, _, answer = (part.strip() for part in line.partition(ARROW))
            yield number, prompt, answer, "" if prompt else "There is no prompt before the arrow."


def _of_csv(text: str, name: str) -> Iterator[_Row]:
    text = _with_line_breaks(text)
    head = text.lstrip().partition("\n")[0]
    rows = _numbered(text, max(_DELIMITERS, key=head.count))
    columns = next(([cell.strip().lower() for cell in row] for _, row, _ in rows if any(row)), [])
    if "prompt" not in columns:
        there = listing([in_one_line(cell, limit=20) for cell in columns[:6]]) or "broken"
        raise TextFileError(
            f"The table {name} has no column called prompt; its first row is {there}.",
            hint="Give it a first row with the names prompt and answer.",
        )
    for line, row, why in rows:
        cells = dict(zip(columns, row, strict=False))
        if why or any(cell.strip() for cell in row):
            prompt = cells.get("prompt", "")
            yield line, prompt, cells.get("answer", ""), why or _amiss(prompt, row, columns)


def _amiss(prompt: str, row: Sequence[str], columns: Sequence[str]) -> str:
    """What is wrong with a row of a table; "" where nothing is."""
    if len(row) > len(columns):
        return (
            f"It has {len(row)} cells, the first row {len(columns)}: put quotes around a text that "
            "holds the separator."
        )
    return "" if prompt.strip() else "Its prompt is empty."


def _numbered(text: str, delimiter: str) -> Iterator[tuple[int, list[str], str]]:
    """The rows of a table with the line where each begins, and why one is broken."""
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            yield line, next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:
            what = "A cell is too long" if "limit" in str(error) else "Its quotes do not match"
            last = reader.line_num
            yield line, [], f"{what}{f', up to line {last}' if last > line else ''}."


def _with_line_breaks(text: str) -> str:
    """A text whose lines end in one way, whatever wrote it."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _of_json(text: str, _name: str) -> Iterator[_Row]:
    for number, line in enumerate(_with_line_breaks(text).split("\n"), 1):
        if line.strip():
            yield number, *_json_row(line)


def _json_row(line: str) -> tuple[str, str, str]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return "", "", "It is not valid JSON."
    if isinstance(row, str):
        row = {"prompt": row}
    if not isinstance(row, dict):
        return "", "", 'It is no object like {"prompt": "…", "answer": "…"}.'
    prompt, answer = row.get("prompt"), row.get("answer")
    if not isinstance(prompt, str) or not prompt.strip():
        return "", "", "It has no text called prompt."
    if answer is not None and not isinstance(answer, str):
        return "", "", "Its answer is no text: put it in quotes."
    return prompt, answer or "", ""
