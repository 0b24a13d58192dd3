"""A safe little language for detection patterns: comparisons and arithmetic over q, k and t.

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
============================  =================================================================

Where there is no such token (``t[-1]``, or past the end), a comparison with it does not hold.

>>> import torch
>>> parse("t[k-1] == t[q] and k < q").evaluate(torch.tensor([[9, 5, 7, 5]]))[0].int().tolist()
[[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]]
"""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from headroles import limits
from headroles.errors import PatternError

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor

LARGEST = 1_000_000
"""The largest number that may be written."""
EXAMPLES = ("k == q - 1", "t[k-1] == t[q] and k < q", "1 <= k and q - k <= 3")
"""Expressions that work, shown where one does not."""

_HINT = f"For example: {EXAMPLES[1]}"
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
        self, token_ids: Int[Tensor, "batch pos"], *, lengths: Int[Tensor, " batch"] | None = None
    ) -> Float[Tensor, "batch pos pos"]:
        """[batch query key] the values at every cell with k <= q, 0 elsewhere.

        Args:
            token_ids: [batch pos] ids.
            lengths: [batch] true lengths of rows that are padded on the right.

        Raises:
            PatternError: if a value is not a number from 0 to 1; the message names the cell.
        """
        batch, length = token_ids.shape
        within = torch.arange(length) < (
            lengths.unsqueeze(-1) if lengths is not None else torch.full((batch, 1), length)
        )
        tokens = token_ids.double().masked_fill(~within, torch.nan)  # ids are exact as doubles
        value = _value(self.tree, tokens, length).expand(batch, length, length)
        asked = within.unsqueeze(-1).expand(-1, -1, length).tril()
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
    clean = text.translate(_TYPED).strip()
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


def _unreadable(text: str) -> PatternError:
    signs = {"&&": "and", "||": "or", "!": "not"}
    bare = text.replace("!=", "")
    advice = [f"Write “{word}” for {sign}. " for sign, word in signs.items() if sign in bare]
    hint = advice[0] if advice else ""
    rest = text
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
        case ast.Compare(left=left, ops=signs, comparators=others) if all(
            type(sign) in _COMPARISONS for sign in signs
        ):
            below = [left, *others]
        case ast.Subscript(value=ast.Name(id="t"), slice=place) if not isinstance(
            place, ast.Slice | ast.Tuple
        ):
            below = [place]
        case ast.Name(id="q" | "k"):
            below = []
        case ast.Constant(value=int() | float() as number) if abs(number) <= LARGEST:
            below = []
        case _:
            raise _refused(node, text)
    for part in below:
        _allow(part, text)


def _refused(node: ast.AST, text: str) -> PatternError:
    try:
        part = ast.get_source_segment(text, node) or text
    except (IndexError, ValueError):  # an offset inside a character
        part = text
    part = part if len(part) <= 40 else f"{part[:39]}…"
    match node:
        case ast.Name(id="t"):
            why = "“t” needs a position in square brackets, for example t[k]."
        case ast.Name():
            why = f"The name “{part}” is not known: use q, k and t[…]."
        case ast.Constant(value=int() | float()):
            why = f"The number “{part}” is too large: at most {LARGEST:,}."
        case ast.BinOp(op=ast.Pow()):
            why = f"Powers are not allowed: “{part}”."
        case _:
            why = f"“{part}” is not allowed here: only comparisons, arithmetic, and, or, not, t[…]."
    return PatternError(why, hint=_HINT, value=text)


def _value(node: ast.expr, tokens: Float[Tensor, "batch pos"], length: int) -> Tensor:
    """[batch|1 query|1 key|1] a node's value as doubles; NaN where there is no such token."""

    def of(part: ast.expr) -> Tensor:
        return _value(part, tokens, length)

    match node:
        case ast.Name(id=name):
            places = torch.arange(length, dtype=torch.float64)
            return places.view((1, -1, 1) if name == "q" else (1, 1, -1))
        case ast.Constant(value=number):
            return torch.full((1, 1, 1), float(number), dtype=torch.float64)
        case ast.Subscript(slice=place):
            return _tokens_at(of(place), tokens)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return (~_holds(of(operand))).double()
        case ast.UnaryOp(op=sign, operand=operand):
            return -of(operand) if isinstance(sign, ast.USub) else of(operand)
        case ast.BinOp(left=left, op=sign, right=right):
            return _ARITHMETIC[type(sign)](of(left), of(right))
        case ast.BoolOp(op=sign, values=values):
            parts = [_holds(of(value)) for value in values]
            join = torch.logical_and if isinstance(sign, ast.And) else torch.logical_or
            joined = parts[0]
            for other in parts[1:]:
                joined = join(joined, other)
            return joined.double()
        case ast.Compare(left=left, ops=signs, comparators=others):
            return _compared([of(left), *map(of, others)], signs)
    raise AssertionError(f"{node!r} passed _allow")


def _holds(value: Tensor) -> Tensor:
    return (value != 0) & ~value.isnan()


def _compared(values: list[Tensor], signs: list[ast.cmpop]) -> Tensor:
    """A chain of comparisons as 0 and 1; none holds with a token that is not there."""
    joined = None
    for left, sign, right in zip(values, signs, values[1:], strict=False):
        holds = _COMPARISONS[type(sign)](left, right) & ~(left.isnan() | right.isnan())
        joined = holds if joined is None else joined & holds
    return joined.double()


def _tokens_at(place: Tensor, tokens: Float[Tensor, "batch pos"]) -> Tensor:
    """The ids at some positions, in the shape of the positions; NaN outside the text."""
    batch, length = tokens.shape
    there = (place >= 0) & (place < length) & (place == place.floor())
    index = place.masked_fill(~there, 0).long().expand(batch, -1, -1)
    ids = tokens.gather(1, index.flatten(1)).view(index.shape)
    return ids.masked_fill(~there, float("nan"))


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
