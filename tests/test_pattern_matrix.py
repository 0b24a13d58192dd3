"""A pattern from a CSV file: what is read, and what is said of a file that is off."""

from __future__ import annotations

import csv
import io
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headroles.errors import HeadrolesError, LimitError, PatternError
from headroles.limits import MATRIX
from headroles.roles.pattern_matrix import read_matrix, write_matrix
from headroles.roles.patterns import of_matrix

THREE = ((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.2, 0.8, 0.0))


@pytest.mark.parametrize(
    "text",
    [
        "0,0,0\n1,0,0\n.2,.8,0",
        "0;0;0\r\n1;0;0\r\n.2;.8;0\r\n",
        "0\t0\t0\n1\t0\t0\n.2\t.8\t0",
        '\ufeff# tokens: ["a"]\n0,,\n\n1,0,\n0.2,8e-1,0\n',
        'query \\ key,start," 1","=2"\nstart,0,0,0\n" 1",1,0,0\n"=2",.2,.8,0',
        ",1,2,3\n1,0,0,0\n2,1,0,0\n3,.2,.8,0",  # tokens that are numbers, behind an empty corner
    ],
)
def test_the_usual_forms_are_read(text: str) -> None:
    assert read_matrix(text, length=3) == THREE


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_matrix_of_what_is_no_number_is_refused(value: float) -> None:
    with pytest.raises(PatternError, match="Row 1, column 0 holds no number"):
        of_matrix([[0.0, 0.0], [value, 0.0]])


def test_what_is_written_is_read_back() -> None:
    assert read_matrix(write_matrix(THREE)) == THREE


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("# nothing\n \n", "is empty"),
        ("0,0\n1,0,0", "row 1 has 3 columns"),
        ("0,0,0\n1,0,0", "must be square: it has 2 rows"),
        ("0,0\n1,0", "is for 2 tokens, and the prompt has 3"),
        ("0,0,0\n1,0,1\n0,0,0", "lower-triangular: row 1 has 1 in column 2"),
        ("0,0,0\n2,0,0\n0,0,0", "Row 1, column 0 holds 2"),
        ("0,0,0\n-1,0,0\n0,0,0", "Row 1, column 0 holds -1"),
        ("0,0,0\nx,0,0\n0,0,0", "Row 1, column 0 holds “x”, which is not a number"),
        ("0,0,0\nnan,0,0\n0,0,0", "not a finite number"),
        ("0,0,0\n1e999,0,0\n0,0,0", "not a finite number"),
        ("a", "“a” is not a number"),
        ("a,b,c", "“a” is not a number"),
        ("0\n" * 600, "600 rows; at most 512"),
        ("0," * MATRIX.most, "at most 2,000,000"),
    ],
)
def test_a_sentence_says_what_is_off(text: str, says: str) -> None:
    with pytest.raises((PatternError, LimitError)) as caught:
        read_matrix(text, length=3)
    assert says in caught.value.message
    assert caught.value.hint


_TEXTS = st.one_of(
    st.text(max_size=200),
    st.text(alphabet='0123.,;-eE"\n\r\t #naif\x00', max_size=200),
    st.binary(max_size=100).map(lambda raw: raw.decode("utf-8", "replace")),
)


@given(_TEXTS)
def test_no_text_raises_anything_but_the_projects_error(text: str) -> None:
    try:
        matrix = read_matrix(text)
    except HeadrolesError as error:
        matrix = error
    if isinstance(matrix, HeadrolesError):
        assert matrix.message
    else:
        assert all(len(row) == len(matrix) for row in matrix)
        assert all(
            0 <= v <= 1 and (k <= q or v == 0)
            for q, r in enumerate(matrix)
            for k, v in enumerate(r)
        )


@given(
    st.integers(1, 9).flatmap(
        lambda n: st.lists(
            st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=n, max_size=n),
            min_size=n,
            max_size=n,
        )
    )
)
def test_a_table_with_names_around_is_read_as_the_table(rows: list[list[float]]) -> None:
    lower = [[v if k <= q else 0.0 for k, v in enumerate(row)] for q, row in enumerate(rows)]
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["query \\ key", *range(len(rows))])
    writer.writerows([[place, *row] for place, row in enumerate(lower)])
    assert read_matrix(file.getvalue()) == tuple(map(tuple, lower))
