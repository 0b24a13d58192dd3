"""A detection pattern as a matrix in a CSV file: read with a message for every fault.

A file has a row for each token that looks and a column for each token that may be looked at, both
in the order of the prompt, start token first. A first row and column may hold the
tokens if the corner cell is not a number; lines that begin with ``#`` are skipped.

>>> read_matrix("0,0\\n1,0", length=2)
((0.0, 0.0), (1.0, 0.0))
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from numbers import Real

from headroles import limits
from headroles.errors import PatternError
from headroles.formatting import count

Matrix = tuple[tuple[float, ...], ...]
"""[query key] values from 0 to 1, none above the diagonal."""

_HINT = "Download the current pattern as CSV, change its numbers and upload it again."


def read_matrix(text: str, *, length: int | None = None) -> Matrix:
    """Read a matrix.

    Args:
        text: the content of a CSV file; commas, semicolons or tabs between the numbers.
        length: tokens of the prompt, the start token included; None takes any length.

    Raises:
        LimitError: if it is too large.
        PatternError: if it is empty, not a table of numbers, not square, not lower-triangular, not
            of the prompt's length, or holds a number outside 0..1.
    """
    rows = _inner(_cells(text))
    limits.MATRIX_ROWS.check(len(rows))
    matrix = tuple(tuple(_number(cell, q, k) for k, cell in enumerate(row)) for q, row in rows)
    return check_matrix(matrix, length=length)


def check_matrix(matrix: Sequence[Sequence[float]], *, length: int | None = None) -> Matrix:
    """The same checks for a matrix that exists already.

    Raises:
        PatternError: as :func:`read_matrix`.
    """
    size = len(matrix)
    for q, row in enumerate(matrix):
        if len(row) != size:
            raise _off(
                f"The pattern must be square: it has {count(size, 'row')}, and row {q} has "
                f"{count(len(row), 'column')}.",
                matrix,
            )
    if length is not None and size != length:
        raise _off(
            f"The pattern is for {count(size, 'token')}, and the prompt has {length} (the start "
            "token included).",
            matrix,
        )
    for q, row in enumerate(matrix):
        for k, value in enumerate(row):
            if not isinstance(value, Real) or not math.isfinite(value):
                raise _off(f"Row {q}, column {k} holds no number.", matrix)
            if k > q and value != 0:
                raise _off(
                    f"The pattern must be lower-triangular: row {q} has {value:g} in column {k}, "
                    "and a token cannot look ahead.",
                    matrix,
                )
            if not 0 <= value <= 1:
                raise _off(
                    f"Row {q}, column {k} holds {value:g}; a pattern is made of numbers from 0 "
                    "to 1.",
                    matrix,
                )
    return tuple(tuple(float(value) for value in row) for row in matrix)


def write_matrix(matrix: Sequence[Sequence[float]]) -> str:
    """The numbers alone as CSV, to six digits, in the form that :func:`read_matrix` reads."""
    return "\n".join(",".join(f"{value:.6g}" for value in row) for row in matrix)


def _cells(text: str) -> list[list[str]]:
    limits.MATRIX.check(len(text))
    lines = [line for line in text.lstrip("\ufeff").splitlines() if not line.startswith("#")]
    body = "\n".join(lines)
    first = next((line for line in lines if line.strip()), "")
    mark = next((mark for mark in (",", ";", "\t") if mark in first), ",")
    try:
        rows = list(csv.reader(io.StringIO(body, newline=""), delimiter=mark))
    except csv.Error as error:
        raise _off(f"The file cannot be read as CSV: {error}.") from error
    rows = [[cell.strip() for cell in row] for row in rows if any(cell.strip() for cell in row)]
    if not rows:
        raise _off("The file is empty.")
    return rows


def _inner(rows: list[list[str]]) -> list[tuple[int, list[str]]]:
    """The rows without the names of tokens around them, numbered."""
    if not _is_number(rows[0][0]):
        if len(rows) == 1:
            raise _off(f"“{_short(rows[0][0])}” is not a number, and no other row follows.")
        rows = [row[1:] for row in rows[1:]]
    return list(enumerate(rows))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(cell: str, q: int, k: int) -> float:
    if not cell:
        return 0.0  # an empty cell is an empty cell
    if not _is_number(cell):
        raise _off(f"Row {q}, column {k} holds “{_short(cell)}”, which is not a number.")
    value = float(cell)
    if not math.isfinite(value):
        raise _off(f"Row {q}, column {k} holds “{_short(cell)}”, which is not a finite number.")
    return value


def _short(cell: str) -> str:
    return cell if len(cell) <= 20 else f"{cell[:19]}…"


def _off(message: str, value: object = None) -> PatternError:
    return PatternError(message, hint=_HINT, value=value)
