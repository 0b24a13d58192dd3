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
from headroles.roles.expression_functions import FUNCTIONS
from headroles.texts import classes

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
        ("abs(q) == 1", "no function “abs”"),
        ("q.real", "not allowed"),
        ("(lambda: q)()", "not allowed"),
        ("[q for q in t]", "not allowed"),
        ("__import__('os')", "no function “__import__”"),
        ("'a' == q", "compared with a token"),
        ("t[k] < 'a'", "== and !="),
        ("t[k] == 'a' < 'b'", "== and !="),
        ("'a'", "compared with a token"),
        ("'a' == 'a'", "compared with a token"),
        ("f'{q}' == t[k]", "not allowed"),
        ("b'a' == t[k]", "not allowed"),
        ("t[k] in 'abc'", "a list in brackets"),
        ("t[k] in ()", "a list in brackets"),
        ("t[k] in (1, 2)", "only texts in quotes"),
        ("t[k] in ('a', q)", "only texts in quotes"),
        ("q in ('a', 'b')", "compared with a token"),
        ("is_numbr(k)", "Did you mean 'is_number'?"),
        ("is_nmber", "Did you mean 'is_number'?"),
        ("is_number", "round brackets"),
        ("is_number()", "as is_number(k)"),
        ("is_number(q, k)", "as is_number(k)"),
        ("same_word(k)", "as same_word(q, k)"),
        ("is_number(*t)", "not allowed"),
        ("is_number(k=1)", "as is_number(k)"),
        ("is_number('a')", "compared with a token"),
        ("is_number(k)(q)", "not allowed"),
        ("kind(k) == 'numbr'", "Did you mean 'number'?"),
        ("kind(k) > 'number'", "== and !="),
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


TOKENS = (
    ("<s>", " Tom", " has", " 12", " (", "or", " 3", ")", " fl", "owers", ".", ' "', "No", '."',
     "\n", " has"),
)  # fmt: skip
TEXT_IDS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 2]
KINDS = classes(TOKENS[0])


def with_texts(text: str) -> torch.Tensor:
    return value(text, TEXT_IDS, tokens=TOKENS)


def _last(q: int, keys) -> int:
    return max((k for k in range(q) if k in keys), default=-1)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ('t[k] == "."', lambda q, k, t: k == 10),
        ('"." != t[k]', lambda q, k, t: k != 10),
        ('t[k] == "has"', lambda q, k, t: k in (2, 15)),
        ("t[k] == ' has'", lambda q, k, t: k in (2, 15)),
        ("t[k] == ' or'", lambda q, k, t: False),
        ('t[k-1] == "\\n"', lambda q, k, t: k == 15),
        ("t[k] == “or”", lambda q, k, t: k == 5),
        ("t[k] in ('(', \"or\")", lambda q, k, t: k in (4, 5)),
        ('t[q] not in ("has", "3") and k == q', lambda q, k, t: k == q and q not in (2, 6, 15)),
        ('t[k] == t[q] == "has"', lambda q, k, t: t[k] == t[q] == 2),
        ("is_number(k)", lambda q, k, t: k in (3, 6)),
        ("is_number(k-1)", lambda q, k, t: k in (4, 7)),
        ("not is_number(k-1)", lambda q, k, t: k not in (4, 7)),
        ("is_number(k + 0.5)", lambda q, k, t: False),
        ("is_capitalised(q) and k == q", lambda q, k, t: k == q and q in (1, 12)),
        ("is_punctuation(k)", lambda q, k, t: k in (4, 7, 10, 11, 13)),
        ("is_sentence_end(k)", lambda q, k, t: k in (10, 13)),
        ("is_word_start(k)", lambda q, k, t: k in (1, 2, 3, 5, 6, 8, 12, 15)),
        ("is_opening(k) or is_closing(k)", lambda q, k, t: k in (4, 7)),
        ("is_quote(k)", lambda q, k, t: k in (11, 13)),
        ("in_quotes(k)", lambda q, k, t: k in (12, 13)),
        ("is_newline(k)", lambda q, k, t: k == 14),
        ("is_function_word(k)", lambda q, k, t: k in (2, 5, 15)),
        ("kind(k) == kind(q)", lambda q, k, t: KINDS[k] == KINDS[q]),
        ("same_kind(q, k) and k < q", lambda q, k, t: KINDS[k] == KINDS[q] and k < q),
        ("same_word(q, k) and k < q", lambda q, k, t: (q, k) == (9, 8)),
        ("kind(k) == 'piece'", lambda q, k, t: k == 9),
        ("kind(k) in ('piece', 'number')", lambda q, k, t: k in (3, 6, 9)),
        ("kind(k) != 'piece'", lambda q, k, t: k != 9),
        ("kind(k+2) != 'piece'", lambda q, k, t: k != 7 and k + 2 < len(t)),
        ("last(is_number(k))", lambda q, k, t: k == _last(q, (3, 6))),
        ("last(is_number(k)) and is_number(q)", lambda q, k, t: (q, k) == (6, 3)),
        ("first(is_number(k))", lambda q, k, t: k == 3 and q > 3),
        ("last(t[k] == t[q])", lambda q, k, t: (q, k) == (15, 2)),
        ("last(k > 3)", lambda q, k, t: k == q - 1 and k > 3),
        ("last(q - k > 2)", lambda q, k, t: k == q - 3),
        ("is_number(k) + is_number(q) == 2", lambda q, k, t: k in (3, 6) and q in (3, 6)),
    ],
)
def test_questions_about_texts_mean_what_they_say(text: str, rule) -> None:
    torch.testing.assert_close(with_texts(text), naive(rule, TEXT_IDS))


def test_a_batch_gives_what_each_prompt_gives_alone() -> None:
    ids = torch.tensor([TEXT_IDS, TEXT_IDS[:9] + [0] * 7])
    tokens = (TOKENS[0], TOKENS[0][:9])
    for text in ("last(is_number(k))", "not is_number(k+1)", "t[k+1] != 'x'", "kind(k) == kind(q)"):
        both = parse(text).evaluate(ids, lengths=torch.tensor([16, 9]), tokens=tokens)
        assert torch.equal(both[0], with_texts(text))
        alone = parse(text).evaluate(ids[1:, :9], tokens=tokens[1:])[0]
        assert torch.equal(both[1, :9, :9], alone)
        assert not both[1, 9:].any()


@pytest.mark.parametrize("text", ["is_number(k)", 't[k] == "a"', "last(in_quotes(k))"])
def test_without_texts_a_question_about_them_is_refused(text: str) -> None:
    with pytest.raises(PatternError, match="only their ids are known"):
        value(text)


def test_every_function_is_a_question_or_refused() -> None:
    for name, function in FUNCTIONS.items():
        places = ", ".join(["q", "k"][-function.takes :])
        found = with_texts(f"{name}({places}) == {name}({places})")
        assert found.max() <= 1
        assert function.says


@pytest.mark.parametrize("text", EXAMPLES)
def test_the_examples_that_are_shown_work(text: str) -> None:
    assert with_texts(text.replace("t[k-1] == t[q]", "t[k] == t[q]")).any()


_PIECES = st.sampled_from(
    [
        *"qktx()[]+-*/%<>=!.,:~^&|'\"\\ \n\t\0{}#@01é²𝐪",
        *("t[k]", "t[q-1]", " and ", " or ", " not ", "==", "<=", "//", "**", "9999999", "1e300"),
        *("lambda ", " if ", " else ", "print", "True", "None", "...", ":=", chr(0xD800)),
        "__import__('os').system('true')",
        *("is_number(", "same_word(q, k)", "last(", "kind(k)", " in ", '"."', "'number'", "“a”"),
    ]
)


@given(st.one_of(st.text(max_size=80), st.lists(_PIECES, max_size=30).map("".join)))
def test_no_text_does_anything_but_evaluate_or_explain(text: str) -> None:
    began = time.perf_counter()
    try:
        found = parse(text).evaluate(torch.tensor([[3, 1, 1, 2]]), tokens=(("<s>", "a", "a", "."),))
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
