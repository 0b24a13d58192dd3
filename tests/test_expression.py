"""Expressions for patterns: what they mean, what is refused, and that nothing else ever happens."""

from __future__ import annotations

import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from headroles.errors import HeadrolesError, LimitError, PatternError
from headroles.limits import EXPRESSION, EXPRESSION_PARTS
from headroles.roles.expression import EXAMPLES, LARGEST, parse

IDS = [9, 5, 7, 5, 7, 5]


def value(text: str, ids=IDS, **settings) -> torch.Tensor:
    return parse(text).evaluate(torch.tensor([ids]), **settings)[0]


def naive(rule, ids=IDS) -> torch.Tensor:
    """The same cell by cell in plain Python."""
    size = len(ids)
    return torch.tensor(
        [[float(rule(q, k, ids)) if k <= q else 0.0 for k in range(size)] for q in range(size)]
    )


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("k == q - 1", lambda q, k, t: k == q - 1),
        ("k ≤ q − 2", lambda q, k, t: k <= q - 2),
        ("1 <= k < q", lambda q, k, t: 1 <= k < q),
        ("t[k-1] == t[q] and k < q", lambda q, k, t: k > 0 and t[k - 1] == t[q] and k < q),
        ("not t[k] == t[q]", lambda q, k, t: t[k] != t[q]),
        ("t[k+1] != t[q]", lambda q, k, t: k + 1 < len(t) and t[k + 1] != t[q]),
        ("(q - k) % 2 == 0 or k == 0", lambda q, k, t: (q - k) % 2 == 0 or k == 0),
        ("(q - k) // 2 == 1", lambda q, k, t: (q - k) // 2 == 1),
        ("1 / (q - k + 1)", lambda q, k, t: 1 / (q - k + 1)),
        ("t[k] > 5", lambda q, k, t: t[k] > 5),
        ("+1", lambda q, k, t: 1),
        ("-(k - q) == 2", lambda q, k, t: q - k == 2),
        ("True and k", lambda q, k, t: k != 0),
    ],
)
def test_an_expression_means_what_it_means_in_python(text: str, rule) -> None:
    torch.testing.assert_close(value(text), naive(rule))


def test_a_token_that_is_not_there_compares_with_nothing() -> None:
    assert not value("t[0-1] == t[0-1]").any()
    assert not value("t[0-1] != t[q]").any()
    assert not value("t[1/2] == t[1/2]").any()  # between two positions there is no token


def test_padding_is_no_token() -> None:
    found = value("t[k+1] == t[k+1]", lengths=torch.tensor([4]))
    # k+1 must be one of the four tokens, and rows of padding are empty.
    assert found.sum(-1).tolist() == [1, 2, 3, 3, 0, 0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        ("k = q", "Write =="),
        ("k < q && q < 3", "Write “and”"),
        ("k <", "cannot be read"),
        ("x == q", "“x” is not known"),
        ("t == q", "square brackets"),
        ("t[k:q] == 1", "not allowed"),
        ("t[1, 2] == 1", "not allowed"),
        ("q[0] == 1", "not allowed"),
        ("q ** 9 == 1", "Powers"),
        ("abs(q) == 1", "not allowed"),
        ("q.real", "not allowed"),
        ("(lambda: q)()", "not allowed"),
        ("[q for q in t]", "not allowed"),
        ("__import__('os')", "not allowed"),
        ("'a' == q", "not allowed"),
        ("q if k else q", "not allowed"),
        ("k in t", "not allowed"),
        ("~q == 1", "not allowed"),
        ("q & 1", "not allowed"),
        ("1j == q", "not allowed"),
        (f"k < {LARGEST + 1}", "too large"),
        ("k < " + "9" * 200, "too large"),
        ("(" * 120 + "q" + ")" * 120, ""),
        ("k" * (EXPRESSION.most + 1), "at most 300"),
        ("+".join(["q"] * (EXPRESSION_PARTS.most + 1)), "at most 80"),
    ],
)
def test_everything_else_is_refused_in_a_sentence(text: str, says: str) -> None:
    if not says:  # many brackets around a name are in order
        assert parse(text).evaluate(torch.tensor([[1, 2]])).shape == (1, 2, 2)
        return
    with pytest.raises((PatternError, LimitError)) as caught:
        parse(text)
    assert says in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("q", "q = 2, k = 0 the expression gives 2"),
        ("1 / 0", "gives infinity"),
        ("-1 / 0", "gives -infinity"),
        ("0 / 0", "gives no number"),
        ("q % 0", "gives no number"),
        ("t[k-1]", "no number"),
    ],
)
def test_a_value_that_is_no_share_names_its_cell(text: str, says: str) -> None:
    with pytest.raises(PatternError, match="a pattern is made of numbers") as caught:
        value(text)
    assert says in caught.value.message


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_that_are_shown_work(text: str) -> None:
    assert value(text).any()


_PIECES = st.sampled_from(
    [
        *"qktx()[]+-*/%<>=!.,:~^&|'\"\\ \n\t\0{}#@01é²𝐪",
        *("t[k]", "t[q-1]", " and ", " or ", " not ", "==", "<=", "//", "**", "9999999", "1e300"),
        *("lambda ", " if ", " else ", "print", "True", "None", "...", ":=", chr(0xD800)),
        "__import__('os').system('true')",
    ]
)


@given(st.one_of(st.text(max_size=80), st.lists(_PIECES, max_size=30).map("".join)))
def test_no_text_does_anything_but_evaluate_or_explain(text: str) -> None:
    began = time.perf_counter()
    try:
        found = parse(text).evaluate(torch.tensor([[3, 1, 1, 2]]))
    except HeadrolesError as error:
        found = error
    if isinstance(found, HeadrolesError):
        assert found.message
        assert found.hint
    else:
        assert found.shape == (1, 4, 4)
        assert ((found >= 0) & (found <= 1)).all()
        assert not found.triu(1).any()
    assert time.perf_counter() - began < 5


def test_nothing_of_python_is_reached(monkeypatch) -> None:
    import builtins

    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("executed")

    assert value("k < q").any()  # now everything that it needs is imported
    for name in ("eval", "exec"):
        monkeypatch.setattr(builtins, name, forbidden)
    assert value("k < q").any()
    with pytest.raises(PatternError):
        parse("eval('1')")
