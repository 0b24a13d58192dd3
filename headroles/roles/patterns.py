"""Detection patterns: a guess, cell by cell, about where a head looks.

A detection pattern is a matrix D[q, k] with a value from 0 to 1 for every query q and key k <= q: 1
where the head is expected to look (Nanda & Bloom 2022, ``transformer_lens.head_detector``). All but
a painted one are drawn anew for every prompt.

==================  ==================================================================
kind                cells
==================  ==================================================================
role                S(q) of the role (:mod:`headroles.roles`)
current_word        earlier tokens of the word that q belongs to
offset              the token n places back: {q-n}, not the start token
delimiters          . , ; : ! ? and line breaks up to q
detect_head         the three that TransformerLens knows, as it draws them
expression          where an expression over q, k and t holds (:mod:`headroles.roles.expression`)
matrix              painted or uploaded; for prompts of one length
==================  ==================================================================

>>> [pattern.name for pattern in BUILT_IN[:2]]
['Previous token', 'Induction']
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from headroles.errors import DetectionError, EmptyPromptError, PatternError, near_match
from headroles.roles import expression
from headroles.roles.pattern_matrix import Matrix, check_matrix, read_matrix, write_matrix
from headroles.roles.registry import ROLES, SCORED_ROLES
from headroles.texts import encode, is_delimiter, pack, token_texts
from headroles.types import Encoding, PromptRun, Sequences

MOST_PROMPTS = 1_000
"""Prompts of one detection, at most."""
MOST_OFFSET = 64
"""Places back that *same offset* takes, at most."""


@dataclass(frozen=True, eq=False)
class Prompts:
    """Prompts as the model reads them, with the text of every token."""

    sequences: Sequences
    """Ids padded on the right, with the true lengths."""
    tokens: tuple[tuple[str, ...], ...]
    """[prompt][pos] the tokens as text, without padding."""

    def __len__(self) -> int:
        return len(self.sequences)

    def some(self, rows: Int[Tensor, " rows"]) -> Prompts:
        """These rows only, no wider than the longest of them."""
        lengths = self.sequences.lengths[rows]
        ids = self.sequences.token_ids[rows, : int(lengths.max())]
        return Prompts(Sequences(ids, lengths), tuple(self.tokens[row] for row in rows.tolist()))

    def only(self, row: int) -> Prompts:
        """One row alone."""
        return self.some(torch.tensor([row]))


def prompts_of_run(run: PromptRun) -> Prompts:
    """The prompt of a run, as a batch of one."""
    ids = torch.tensor([run.token_ids])
    return Prompts(Sequences(ids, torch.tensor([ids.shape[1]])), (run.tokens,))


def read_prompts(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], *, max_tokens: int
) -> tuple[Prompts, tuple[Encoding, ...]]:
    """Tokenise prompts under the project's policy.

    Raises:
        EmptyPromptError, PromptTooLargeError: if there is none, or one cannot be read.
        DetectionError: if there are more than :data:`MOST_PROMPTS`.
    """
    if not texts:
        raise EmptyPromptError
    check_count(len(texts))
    encodings = tuple(encode(tokenizer, text, max_tokens=max_tokens) for text in texts)
    sequences = pack([one.token_ids for one in encodings])
    return Prompts(sequences, tuple(one.tokens for one in encodings)), encodings


def prompts_of_ids(tokenizer: PreTrainedTokenizerBase, sequences: Sequences) -> Prompts:
    """Sequences that are ids already, e.g. random ones, with the text of every token."""
    check_count(len(sequences))
    rows = zip(sequences.token_ids.tolist(), sequences.lengths.tolist(), strict=True)
    return Prompts(sequences, tuple(token_texts(tokenizer, ids[:length]) for ids, length in rows))


def check_count(prompts: int) -> None:
    """Raise DetectionError if there are more prompts than one detection takes."""
    if prompts > MOST_PROMPTS:
        raise DetectionError(
            f"There are {prompts:,} prompts; one detection takes at most {MOST_PROMPTS:,}.",
            hint="Leave some out: a thousand already make the standard error small.",
            value=prompts,
        )


@dataclass(frozen=True)
class Pattern:
    """One detection pattern. Its kind and value say all of it, so it can be kept and compared."""

    kind: str
    """A row of the table in the module's docstring."""
    value: str = ""
    """The role, the number, the expression, or the matrix as CSV."""
    title: str = ""
    """The name that a person gave it; empty for one that the pattern has by itself."""

    @property
    def spec(self) -> str:
        """How it is written on the command line; a matrix by its size alone."""
        if self.kind == "matrix":
            return f"matrix of {self.length} tokens"
        if self.kind in ("role", "detect_head"):
            return self.value
        return f"{self.kind}:{self.value}" if self.value else self.kind

    @property
    def name(self) -> str:
        """The name that people read."""
        return (
            self.title
            or {
                "role": lambda: ROLES[self.value].name,
                "current_word": lambda: "Current word",
                "offset": lambda: _offset_name(int(self.value)),
                "delimiters": lambda: "Delimiters",
                "detect_head": lambda: f"detect_head: {_DETECT_HEAD[self.value]}",
                "expression": lambda: self.value,
                "matrix": lambda: f"Painted, {self.length} tokens",
            }[self.kind]()
        )

    @property
    def looks_at(self) -> str:
        """Completes "It looks at ..."."""
        return {
            "role": lambda: ROLES[self.value].looks_at,
            "current_word": lambda: "earlier tokens of the same word",
            "offset": lambda: _offset_words(int(self.value)),
            "delimiters": lambda: "commas, full stops and other delimiters",
            "detect_head": lambda: f"{ROLES[self.value.removesuffix('_head')].looks_at}",
            "expression": lambda: f"the cells where {self.value}",
            "matrix": lambda: "the painted cells",
        }[self.kind]()

    @property
    def length(self) -> int | None:
        """The only prompt length that it fits, the start token included; None for any."""
        return len(_matrix(self.value)) if self.kind == "matrix" else None

    def fits(self, prompts: Prompts) -> Bool[Tensor, " batch"]:
        """[batch] which prompts it can be drawn on."""
        lengths = prompts.sequences.lengths
        if self.length is None:
            return torch.ones_like(lengths, dtype=torch.bool)
        return lengths == self.length

    def draw(self, prompts: Prompts) -> Float[Tensor, "batch pos pos"]:
        """[batch query key] the pattern on every prompt; 0 on padding and where it does not fit.

        Raises:
            PatternError: if an expression gives no number from 0 to 1 somewhere.
        """
        ids, lengths = prompts.sequences.token_ids, prompts.sequences.lengths
        if self.kind == "expression":
            return expression.parse(self.value).evaluate(ids, lengths=lengths)
        drawn = _DRAWING[self.kind](self.value, prompts).float()
        within = torch.arange(ids.shape[1]) < lengths.unsqueeze(-1)  # [batch query]
        return drawn * within.unsqueeze(-1)


def _offset_name(places: int) -> str:
    return "The token itself" if places == 0 else f"Same offset −{places}"


def _offset_words(places: int) -> str:
    if places == 0:
        return "the token itself"
    return "the token just before" if places == 1 else f"the token {places} places back"


# ------------------------------------------------------------------ drawing


def _role(key: str, prompts: Prompts) -> Tensor:
    return ROLES[key].targets(prompts.sequences.token_ids)


def offset_cells(length: int, places: int) -> Bool[Tensor, "pos pos"]:
    """[query key] {q-n}; never the start token, where idle heads rest."""
    cells = torch.ones(length, length, dtype=torch.bool).tril(-places).triu(-places)
    cells[:, 0] = False
    return cells


def _offset(places: str, prompts: Prompts) -> Tensor:
    batch, length = prompts.sequences.token_ids.shape
    return offset_cells(length, int(places)).expand(batch, -1, -1)


def _current_word(_: str, prompts: Prompts) -> Tensor:
    length = prompts.sequences.token_ids.shape[1]
    begins = torch.ones(len(prompts), length, dtype=torch.bool)
    for row, tokens in enumerate(prompts.tokens):
        begins[row, : len(tokens)] = torch.tensor(word_begins(tokens))
    word = begins.cumsum(-1)
    return (word.unsqueeze(-1) == word.unsqueeze(-2)).tril(-1)


def word_begins(tokens: Sequence[str]) -> list[bool]:
    """[pos] whether a word begins there; the start token and each punctuation mark are their own.

    >>> word_begins(["<s>", "The", " lo", "qu", "acious", "."])
    [True, True, True, False, False, True]
    """
    begins = [True] * len(tokens)
    for place in range(2, len(tokens)):
        token, before = tokens[place], tokens[place - 1]
        joined = token[:1].strip() and before[-1:].strip()
        wordly = any(map(str.isalnum, token)) and any(map(str.isalnum, before))
        begins[place] = not (joined and wordly)
    return begins


def delimiter_cells(
    tokens: Sequence[Sequence[str]], *, length: int
) -> Bool[Tensor, "batch pos pos"]:
    """[batch query key] True where k <= q holds a delimiter; the start token is never one.

    Args:
        tokens: [batch][pos] tokens as text, without padding.
        length: the padded length.
    """
    marks = torch.zeros(len(tokens), length, dtype=torch.bool)
    for row, texts in enumerate(tokens):
        marks[row, 1 : len(texts)] = torch.tensor([is_delimiter(text) for text in texts[1:]])
    return marks.unsqueeze(-2).expand(-1, length, -1).tril()


def _delimiters(_: str, prompts: Prompts) -> Tensor:
    return delimiter_cells(prompts.tokens, length=prompts.sequences.token_ids.shape[1])


def as_detect_head_draws(
    name: str, token_ids: Int[Tensor, "batch pos"]
) -> Bool[Tensor, "batch pos pos"]:
    """One of the three patterns of TransformerLens: position 0 and row 1 take part there.

    Args:
        name: ``previous_token_head``, ``duplicate_token_head`` or ``induction_head``.
        token_ids: [batch pos] ids.
    """
    copies = (token_ids.unsqueeze(-1) == token_ids.unsqueeze(-2)).tril(-1)  # [batch query key]
    if name == "previous_token_head":
        return torch.ones_like(copies).tril(-1).triu(-1)
    if name == "duplicate_token_head":
        return copies
    shifted = torch.zeros_like(copies)
    shifted[..., 1:] = copies[..., :-1]
    return shifted.tril()


def _detect_head(name: str, prompts: Prompts) -> Tensor:
    return as_detect_head_draws(name, prompts.sequences.token_ids)


def _painted(text: str, prompts: Prompts) -> Tensor:
    cells = torch.tensor(_matrix(text))
    batch, length = prompts.sequences.token_ids.shape
    drawn = torch.zeros(batch, length, length)
    fits = prompts.sequences.lengths == len(cells)
    if bool(fits.any()):
        drawn[fits, : len(cells), : len(cells)] = cells
    return drawn


@lru_cache(maxsize=32)
def _matrix(text: str) -> Matrix:
    return read_matrix(text)


_DRAWING = {
    "role": _role,
    "offset": _offset,
    "current_word": _current_word,
    "delimiters": _delimiters,
    "detect_head": _detect_head,
    "matrix": _painted,
}
_DETECT_HEAD = {
    "previous_token_head": "previous token",
    "duplicate_token_head": "duplicate token",
    "induction_head": "induction",
}

# ------------------------------------------------------------------ making them

BUILT_IN: tuple[Pattern, ...] = (
    *(Pattern("role", role.key) for role in SCORED_ROLES if role.has_cells),
    Pattern("current_word"),
    Pattern("delimiters"),
    *(Pattern("detect_head", name) for name in _DETECT_HEAD),
)
"""Every pattern that needs no setting."""


def offset(places: int) -> Pattern:
    """*Same offset*: the token so many places back; 0 is the token itself.

    Raises:
        PatternError: for fewer than 0 or more than :data:`MOST_OFFSET`.
    """
    if not 0 <= places <= MOST_OFFSET:
        raise PatternError(
            f"An offset of {places} places back is not possible.",
            hint=f"Choose a whole number from 0 (the token itself) to {MOST_OFFSET}.",
            value=places,
        )
    return Pattern("offset", str(places))


def of_expression(text: str, *, title: str = "") -> Pattern:
    """The cells where an expression holds.

    Raises:
        PatternError: as :func:`headroles.roles.expression.parse`.
    """
    return Pattern("expression", expression.parse(text).text, title)


def of_matrix(matrix: Sequence[Sequence[float]], *, title: str = "") -> Pattern:
    """Painted or uploaded cells.

    Raises:
        PatternError: as :func:`headroles.roles.pattern_matrix.check_matrix`.
    """
    return Pattern("matrix", write_matrix(check_matrix(matrix)), title)


def parse_pattern(spec: str) -> Pattern:
    """Read a pattern as it is written on the command line.

    ``induction``, ``current_word``, ``delimiters``, ``induction_head``, ``offset:2``,
    ``expression:k == q - 1``.

    Raises:
        PatternError: if there is no such pattern.
    """
    kind, _, value = spec.partition(":")
    if kind == "expression":
        return of_expression(value)
    if kind == "offset":
        try:
            return offset(int(value))
        except ValueError:
            raise PatternError(
                f"“{value}” is no number of places.", hint="For example: offset:2", value=spec
            ) from None
    known = {pattern.spec: pattern for pattern in BUILT_IN}
    if spec in known:
        return known[spec]
    raise PatternError(
        f"There is no pattern called '{spec}'.{near_match(spec, known)}",
        hint=f"There are {', '.join(known)}, offset:N and expression:….",
        value=spec,
    )
