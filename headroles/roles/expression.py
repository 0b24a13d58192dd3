"""A safe little language for detection patterns: comparisons and functions over q, k and t.

An expression is evaluated at every query position ``q`` and every key position ``k <= q``; ``t[i]``
is the id of the token at position i. It is never executed as Python code: :mod:`ast` reads it,
every node that is not on a short list is refused, and the rest is computed with tensors.

============================  =================================================================
allowed                       meaning
============================  =================================================================
``q``, ``k``, numbers         the query's position, the key's position
``t[...]``                    the token at a position, e.g. ``t[k-1]``
``+ - * / // %``              arithmetic
``== != < <= > >=``           comparisons, also chained: ``1 <= k < q``
``and or not``, brackets      logic; a comparison is 1 where it holds and 0 where not
``t[k] == "."``               the token's text, with or without the space in front of it; also
                              ``t[k] in ("(", "[")`` and ``not in``; case counts
``is_number(k)`` ...          a question about the token at any position (:data:`FUNCTIONS`)
``kind(k) == "number"``       its class (:mod:`headroles.texts.token_classes`)
``last(...)``, ``first(...)`` the last or first key before q where something holds
============================  =================================================================

Where there is no such token (``t[-1]``, or past the end), a comparison with it does not hold, and
no function does. Texts and functions need the texts of the tokens, ids alone are not enough.

>>> import torch
>>> parse("t[k-1] == t[q] and k < q").evaluate(torch.tensor([[9, 5, 7, 5]]))[0].int().tolist()
[[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]]
"""

from __future__ import annotations

import ast
import operator
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from headroles import limits
from headroles.errors import PatternError, near_match
from headroles.roles.expression_functions import FUNCTIONS, Lookup, at, nearest
from headroles.texts.token_classes import CLASSES, PLACE

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

LARGEST = 1_000_000
"""The largest number that may be written."""
EXAMPLES = (
    "k == q - 1",
    "t[k-1] == t[q] and k < q",
    "1 <= k and q - k <= 3",
    't[k] == "."',
    "is_number(q) and is_number(k)",
    "last(is_opening(k))",
)
"""Expressions that work, shown where one does not."""

_HINT = f"For example: {EXAMPLES[1]}"
_LITERAL = re.compile(r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|“[^”]*”|‘[^’]*’)""")
"""A text in quotes, also in those that a phone types."""
_TYPED = str.maketrans({"≤": "<=", "≥": ">=", "≠": "!=", "−": "-", "×": "*", "–": "-", "\n": " "})
_ARITHMETIC: dict[type[ast.operator], Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_COMPARISONS: dict[type[ast.cmpop], Callable] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_LEAVES = (ast.expr_context, ast.operator, ast.cmpop, ast.boolop, ast.unaryop)


@dataclass(frozen=True)
class Expression:
    """An expression that was parsed and checked."""

    text: str
    """As typed, without surrounding spaces."""
    tree: ast.expr
    """The syntax tree; it holds allowed nodes only."""

    def evaluate(
        self,
        token_ids: Int[Tensor, "batch pos"],
        *,
        lengths: Int[Tensor, " batch"] | None = None,
        tokens: tuple[tuple[str, ...], ...] = (),
    ) -> Float[Tensor, "batch pos pos"]:
        """[batch query key] the values at every cell with k <= q, 0 elsewhere.

        Args:
            token_ids: [batch pos] ids.
            lengths: [batch] true lengths of rows that are padded on the right.
            tokens: [prompt][pos] the texts of the tokens, for expressions that ask about them.

        Raises:
            PatternError: if a value is not a number from 0 to 1, the message names the cell; if
                it asks about texts and there are none.
        """
        batch, length = token_ids.shape
        within = torch.arange(length) < (
            lengths.unsqueeze(-1) if lengths is not None else torch.full((batch, 1), length)
        )
        ids = token_ids.double().masked_fill(~within, torch.nan)
        value = _value(self.tree, Lookup(ids, within, tokens)).expand(batch, length, length)
        asked = within.unsqueeze(-1).expand(-1, -1, length).tril()
        if value.dtype != torch.bool:
            _check(self.text, value, asked)
        return torch.where(asked, value, 0.0).float()


def parse(text: str) -> Expression:
    """Read an expression.

    Raises:
        LimitError: if it is too long, or has too many parts.
        PatternError: if it is empty, not an expression, or holds anything that is not allowed;
            the message names the part.
    """
    limits.EXPRESSION.check(len(text.strip()))
    clean = _clean(text)
    if not clean:
        raise PatternError("The expression is empty.", hint=_HINT, value=text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python warns of things like 1or 2
            tree = ast.parse(clean, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _unreadable(clean) from error
    parts = sum(not isinstance(node, _LEAVES) for node in ast.walk(tree))
    limits.EXPRESSION_PARTS.check(parts)
    _allow(tree, clean)
    return Expression(clean, tree)


def _clean(text: str) -> str:
    """What was typed with the signs of the language; texts in quotes stay as they are."""
    parts = _LITERAL.split(text)
    for place, part in enumerate(parts):
        if place % 2 == 0:
            parts[place] = part.translate(_TYPED)
        elif part[0] in "“‘":
            parts[place] = '"' + part[1:-1].replace("\\", "\\\\").replace('"', '\\"') + '"'
    return "".join(parts).strip()


def _unreadable(text: str) -> PatternError:
    signs = {"&&": "and", "||": "or", "!": "not"}
    rest = _LITERAL.sub("", text)
    bare = rest.replace("!=", "")
    advice = [f"Write “{word}” for {sign}. " for sign, word in signs.items() if sign in bare]
    hint = advice[0] if advice else ""
    for sign in ("==", "<=", ">=", "!="):
        rest = rest.replace(sign, "")
    if not hint and "=" in rest:
        hint = "Write == to compare. "
    return PatternError(
        f"“{text}” cannot be read as an expression.", hint=f"{hint}{_HINT}", value=text
    )


def _allow(node: ast.AST, text: str) -> None:
    """Raise unless a node and all below it are on the list."""
    match node:
        case ast.BoolOp(values=values):
            below = values
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.UAdd(), operand=operand):
            below = [operand]
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _ARITHMETIC:
            below = [left, right]
        case ast.Compare():
            below = _compared_parts(node, text)
        case ast.Subscript(value=ast.Name(id="t"), slice=place) if not isinstance(
            place, ast.Slice | ast.Tuple
        ):
            below = [place]
        case ast.Call(func=ast.Name(id=name), args=below, keywords=[]) if (
            name in FUNCTIONS and len(below) == FUNCTIONS[name].takes
        ):
            pass
        case ast.Name(id="q" | "k"):
            below = []
        case ast.Constant(value=int() | float() as number) if abs(number) <= LARGEST:
            below = []
        case _:
            raise _refused(node, text)
    for part in below:
        _allow(part, text)


def _compared_parts(node: ast.Compare, text: str) -> list[ast.expr]:
    """What is compared but for texts, which may only be held against ``t[...]`` or a kind."""
    parts = [node.left, *node.comparators]
    for left, sign, right in zip(parts, node.ops, parts[1:], strict=False):
        if isinstance(sign, ast.In | ast.NotIn):
            if not isinstance(right, ast.Tuple | ast.List | ast.Set) or not right.elts:
                raise _refused(right, text, 'a list in brackets after “in”, as ("(", "[")')
            for one in right.elts:
                if not isinstance(one, ast.Constant) or not _is_text(one):
                    raise _refused(one, text, "only texts in quotes in such a list")
                _allow_text(left, one, text)
        elif type(sign) not in _COMPARISONS:
            raise _refused(node, text)
        elif _is_text(left) or _is_text(right):
            if not isinstance(sign, ast.Eq | ast.NotEq):
                raise _refused(node, text, "texts can only be compared with == and !=")
            _allow_text(*((right, left) if _is_text(left) else (left, right)), text)
    return [part for part in parts if not (_is_text(part) or isinstance(part, _LISTS))]


_LISTS = (ast.Tuple, ast.List, ast.Set)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_kind(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "kind"


def _allow_text(other: ast.expr, node: ast.Constant, text: str) -> None:
    """Raise unless a text is held against a token, or the name of a kind against a kind."""
    if _is_kind(other):
        if node.value not in CLASSES:
            raise PatternError(
                f"There is no kind of token called “{node.value}”."
                f"{near_match(node.value, CLASSES)}",
                hint=f"There are {', '.join(CLASSES)}.",
                value=text,
            )
    elif not isinstance(other, ast.Subscript):
        raise _refused(node, text, "a text is compared with a token, as t[k], or with kind(k)")


def _refused(node: ast.AST, text: str, rule: str = "") -> PatternError:
    try:
        part = ast.get_source_segment(text, node) or text
    except (IndexError, ValueError):  # an offset inside a character
        part = text
    part = part if len(part) <= 40 else f"{part[:39]}…"
    hint = _HINT
    match node:
        case _ if rule:
            why = f"“{part}” is not allowed here: {rule}."
        case ast.Name(id="t"):
            why = "“t” needs a position in square brackets, for example t[k]."
        case ast.Name(id=name) if name in FUNCTIONS:
            why = f"“{name}” needs a position in round brackets, for example {name}(k)."
        case ast.Name():
            near = near_match(part, FUNCTIONS)
            why = f"The name “{part}” is not known: use q, k, t[…] and functions.{near}"
        case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS:
            takes = FUNCTIONS[name].takes
            form = f"{name}(q, k)" if takes == 2 else f"{name}(k)"
            why = f"“{name}” is written with {takes} in its brackets, as {form}: “{part}” is not."
        case ast.Call(func=ast.Name(id=name)):
            why = f"There is no function “{name}”.{near_match(name, FUNCTIONS)}"
            hint = f"There are {', '.join(FUNCTIONS)}."
        case ast.Constant(value=str()):
            why = (
                f"“{part}” is not allowed here: a text is compared with a token, as t[k] == {part}."
            )
        case ast.Constant(value=int() | float()):
            why = f"The number “{part}” is too large: at most {LARGEST:,}."
        case ast.BinOp(op=ast.Pow()):
            why = f"Powers are not allowed: “{part}”."
        case _:
            why = f"“{part}” is not allowed here: only comparisons, arithmetic, and, or, not, t[…]."
    return PatternError(why, hint=hint, value=text)


def _value(node: ast.expr, lookup: Lookup) -> Tensor:
    """[batch|1 query|1 key|1] a node's value: doubles, NaN where there is no such token, or bools
    where it can only hold or not."""

    def of(part: ast.expr) -> Tensor:
        return _value(part, lookup)

    def number(part: ast.expr) -> Tensor:
        return _value(part, lookup).double()

    match node:
        case ast.Name(id=name):
            places = torch.arange(lookup.length, dtype=torch.float64)
            return places.view((1, -1, 1) if name == "q" else (1, 1, -1))
        case ast.Constant(value=written):
            return torch.full((1, 1, 1), float(written), dtype=torch.float64)
        case ast.Subscript(slice=place):
            return at(number(place), lookup.ids)
        case ast.Call(func=ast.Name(id="last" | "first" as name), args=[condition]):
            return nearest(_holds(of(condition)), lookup.length, last=name == "last")
        case ast.Call(func=ast.Name(id=name), args=places):
            left, *right = (at(number(place), lookup.of(name)) for place in places)
            if name == "kind":
                return left
            return left == (right[0] if right else 1)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ~_holds(of(operand))
        case ast.UnaryOp(op=sign, operand=operand):
            return -number(operand) if isinstance(sign, ast.USub) else number(operand)
        case ast.BinOp(left=left, op=sign, right=right):
            return _ARITHMETIC[type(sign)](number(left), number(right))
        case ast.BoolOp(op=sign, values=values):
            parts = [_holds(of(value)) for value in values]
            join = torch.logical_and if isinstance(sign, ast.And) else torch.logical_or
            joined = parts[0]
            for other in parts[1:]:
                joined = join(joined, other)
            return joined
        case ast.Compare():
            return _compared(node, lookup)
    raise AssertionError(f"{node!r} passed _allow")


def _holds(value: Tensor) -> Tensor:
    return value if value.dtype == torch.bool else (value != 0) & ~value.isnan()


def _compared(node: ast.Compare, lookup: Lookup) -> Tensor:
    """A chain of comparisons; none holds with a token that is not there."""
    parts, joined = [node.left, *node.comparators], None
    for left, sign, right in zip(parts, node.ops, parts[1:], strict=False):
        if isinstance(right, _LISTS):
            holds = _is_any_of(left, [one.value for one in right.elts], lookup)
        elif _is_text(right):
            holds = _is_any_of(left, [right.value], lookup)
        elif _is_text(left):
            holds = _is_any_of(right, [left.value], lookup)
        else:
            first, second = (_value(part, lookup).double() for part in (left, right))
            holds = _COMPARISONS[type(sign)](first, second) & ~(first.isnan() | second.isnan())
            joined = holds if joined is None else joined & holds
            continue
        holds = holds == (0 if isinstance(sign, ast.NotEq | ast.NotIn) else 1)
        joined = holds if joined is None else joined & holds
    return joined


def _is_any_of(node: ast.expr, written: list[str], lookup: Lookup) -> Tensor:
    """1 where a token or its kind is one of some texts, 0 where not, NaN where there is none."""
    if _is_kind(node):
        (place,) = node.args
        found = at(_value(place, lookup).double(), lookup.of("kind"))
        options = [(found == PLACE[one]).double() for one in written]
    else:
        place = _value(node.slice, lookup).double()
        options = [at(place, lookup.is_text(one)) for one in written]
        found = options[0]
    any_of = torch.stack(options).amax(0)
    return any_of.masked_fill(found.isnan(), torch.nan)


def _check(text: str, value: Tensor, asked: Tensor) -> None:
    wrong = asked & ~((value >= 0) & (value <= 1))
    if not bool(wrong.any()):
        return
    row, q, k = wrong.nonzero()[0].tolist()
    got = float(value[row, q, k])
    what = "no number" if got != got else f"{got:g}".replace("inf", "infinity")
    raise PatternError(
        f"At q = {q}, k = {k} the expression gives {what}; a pattern is made of numbers from 0 "
        "to 1.",
        hint=f"Use a comparison, so that every cell is 0 or 1. {_HINT}",
        value=text,
    )
