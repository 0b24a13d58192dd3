"""Where roles look: for every prompt the set S(q) of key columns, row by row.

With ``t`` the token ids:

=====================  =====================================  ====================================
cells                  S(q)                                   source
=====================  =====================================  ====================================
previous               {q-1}, q >= 2                          Elhage et al. 2021; Voita et al. 2019
after_earlier_copies   {k < q-1 : t[k-1] = t[q] /= t[k]}      Elhage et al. 2021; Olsson et al. 2022
copies                 {k < q-1 : t[k] = t[q] /= t[k-1]}      Wang et al. 2022 (arXiv 2211.00593)
first                  {0}, q >= 1                            Xiao et al. 2023 (attention sinks)
delimiters             . , ; : ! ? and line breaks up to q    Clark et al. 2019
offset                 {q-n}, not the start token             Voita et al. 2019
current_word           earlier tokens of the word of q        Correia et al. 2019
after_longer_matches   k as in after_earlier_copies, and      Akyürek et al. 2024
                       t[k-2] = t[q-1], where others compete
same_category          last tokens of earlier words of the    Vig & Belinkov 2019
                       category of q's word, not that word
opening_marks          the mark that the one at q closes      Yao et al. 2021
as_detect_head_draws   the three of TransformerLens           Nanda & Bloom 2022
where                  an expression over q, k, t and texts
painted                a matrix, for prompts of one length
=====================  =====================================  ====================================

Position 0 may be a copy like any other: the start token that headroles puts there equals no other
token, unless one is typed. Row 1 is left out of ``previous`` because its predecessor is position 0,
where idle heads rest: a head that only ever rests must score 0.

The two roles of repetition leave out the cells that cannot tell them from other roles: q-1 (on
"no, no, no" the token after the earlier copy *is* the token just before, where a previous-token
head looks, too), and what both predict (on "no no no", everything). Only a part of a row's
attention counts for them (``besides_...``): neither column 0, where heads rest, nor the cells that
cannot tell. Column 0 counts where it is itself the earlier copy. No heavy library is imported here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from headroles import roles, texts
from headroles.errors import PatternError

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from torch import Tensor

    from headroles.roles.pattern_matrix import Matrix
    from headroles.roles.prompts import Prompts


def within(prompts: Prompts) -> Bool[Tensor, "batch pos"]:
    """[batch pos] True on text, False on padding."""
    ids, lengths = prompts.sequences.token_ids, prompts.sequences.lengths
    return ids.new_ones(ids.shape[-1]).cumsum(-1) <= lengths.unsqueeze(-1)


def earlier_copies(token_ids: Int[Tensor, "*batch pos"]) -> Bool[Tensor, "*batch pos pos"]:
    """True at [q, k] where k < q holds the same token as q."""
    return _equal(token_ids).tril(-1)


def _equal(token_ids: Int[Tensor, "*batch pos"]) -> Bool[Tensor, "*batch pos pos"]:
    return token_ids.unsqueeze(-1) == token_ids.unsqueeze(-2)  # [*batch query key]


def _repetition(prompts: Prompts) -> tuple[Bool[Tensor, "batch pos pos"], ...]:
    """Earlier copies, and what followed them (the query itself and q-1 included)."""
    earlier = earlier_copies(prompts.copy_ids)
    followers = earlier.new_zeros(earlier.shape)
    followers[..., 1:] = earlier[..., :-1]  # the target is one column right of the copy
    return earlier, followers


def copies(prompts: Prompts) -> Bool[Tensor, "batch pos pos"]:
    """Earlier copies of the same token, where only a duplicate-token head looks."""
    earlier, followers = _repetition(prompts)
    return earlier.logical_and_(~followers).tril(-2)


def after_earlier_copies(prompts: Prompts) -> Bool[Tensor, "batch pos pos"]:
    """What followed each earlier copy, where only an induction head looks."""
    earlier, followers = _repetition(prompts)
    return followers.logical_and_(~earlier).tril(-2)


def besides_copies(prompts: Prompts) -> Bool[Tensor, "batch pos pos"]:
    """The attention that counts for ``copies``: not where it cannot tell, nor on column 0, unless
    that is the copy."""
    earlier, followers = _repetition(prompts)
    return _that_tells(earlier, followers, earlier)


def besides_followers(prompts: Prompts) -> Bool[Tensor, "batch pos pos"]:
    """The same for ``after_earlier_copies``."""
    earlier, followers = _repetition(prompts)
    return _that_tells(earlier, followers, followers)


def _that_tells(
    earlier: Bool[Tensor, "batch pos pos"],
    followers: Bool[Tensor, "batch pos pos"],
    predicted: Bool[Tensor, "batch pos pos"],
) -> Bool[Tensor, "batch pos pos"]:
    counts = (~(earlier & followers)).tril()
    just_before = counts.diagonal(-1, -2, -1)
    just_before.logical_and_(~predicted.diagonal(-1, -2, -1))
    counts[..., 0] = predicted[..., 0]
    counts[..., :2, 0] = False
    return counts


def after_longer_matches(prompts: Prompts) -> Bool[Tensor, "batch pos pos"]:
    """What followed an earlier copy of *two or more* tokens, where copies of one token compete.

    Of the places that an induction head looks at, those in S(q) match the text by at least the two
    last tokens. A row counts only where at least :data:`COMPETING` places that match by one token
    stand against each of them, one of them later than all: then a head that needs one matching
    token is far from S(q), whether it spreads over the matches or takes the last one.
    """
    targets = after_earlier_copies(prompts)
    same = earlier_copies(prompts.copy_ids)
    longer = same.new_zeros(same.shape)
    longer[..., 1:, 2:] = same[..., :-1, :-2]  # t[k-2] = t[q-1]
    short = targets.logical_and(~longer)
    longer = targets.logical_and_(longer)
    enough = short.sum(-1) >= COMPETING * longer.sum(-1)
    later = _last(short) > _last(longer)
    return longer.logical_and_((enough & later).unsqueeze(-1))


COMPETING = 2
"""Places that match by one token, for each that matches by more."""


def _last(cells: Bool[Tensor, "batch query key"]) -> Int[Tensor, "batch query"]:
    """The last column of every row, counted from 1; 0 where there is none."""
    columns = cells.new_ones(cells.shape[-1]).cumsum(-1)
    return (cells * columns).amax(-1)


def previous(prompts: Prompts) -> Bool[Tensor, "batch pos pos"]:
    """The token just before."""
    same = _equal(prompts.sequences.token_ids)
    below_diagonal = same.new_ones(same.shape).tril(-1).triu(-1)
    below_diagonal[..., :2, :] = False
    return below_diagonal


def first(prompts: Prompts) -> Bool[Tensor, "batch pos pos"]:
    """The first token."""
    same = _equal(prompts.sequences.token_ids)
    column = same.new_zeros(same.shape)
    column[..., 1:, 0] = True
    return column


def offset(prompts: Prompts, places: int) -> Bool[Tensor, "batch pos pos"]:
    """The token so many places back; never the start token, where idle heads rest."""
    same = _equal(prompts.sequences.token_ids)
    cells = same.new_ones(same.shape).tril(-places).triu(-places)
    cells[..., 0] = False
    return cells


def delimiters(prompts: Prompts) -> Bool[Tensor, "batch pos pos"]:
    """The delimiters up to and including each token; the start token is never one."""
    ids = prompts.sequences.token_ids
    marks = ids.new_zeros(ids.shape).bool()
    for row, tokens in enumerate(_texts(prompts)):
        flags = [texts.is_delimiter(token) for token in tokens[1:]]
        marks[row, 1 : len(tokens)] = marks.new_tensor(flags)
    return marks.unsqueeze(-2).expand(-1, ids.shape[-1], -1).tril()


def _texts(prompts: Prompts) -> tuple[tuple[str, ...], ...]:
    if not prompts.tokens:
        raise PatternError(
            "This role needs the text of the tokens, but only their ids are known.",
            hint="Give the prompt as a run (headroles.roles.prompts_of_run).",
        )
    return prompts.tokens


def current_word(prompts: Prompts) -> Bool[Tensor, "batch pos pos"]:
    """The earlier tokens of the word that each token belongs to."""
    ids = prompts.sequences.token_ids
    begins = ids.new_ones(ids.shape)
    for row, tokens in enumerate(_texts(prompts)):
        begins[row, : len(tokens)] = ids.new_tensor(word_begins(tokens))
    return _equal(begins.cumsum(-1)).tril(-1)


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


def same_category(prompts: Prompts) -> Bool[Tensor, "batch pos pos"]:
    """Earlier words of the same category and not the same word, from the last token of a word to
    theirs (:func:`headroles.texts.words.category_of`)."""
    ids = prompts.sequences.token_ids
    category, word = ids.new_zeros(ids.shape), ids.new_zeros(ids.shape)  # 0: no word of any
    numbers: dict[str, int] = {}  # one number for each category, and for each word
    for row, tokens in enumerate(_texts(prompts)):
        for place, text in words_at(tokens).items():
            if kind := texts.words.category_of(text):
                category[row, place] = numbers.setdefault(f"category {kind}", len(numbers) + 1)
                word[row, place] = numbers.setdefault(text.lower(), len(numbers) + 1)
    told = (category > 0).unsqueeze(-1)
    return (_equal(category) & ~_equal(word) & told).tril(-1)


def words_at(tokens: Sequence[str]) -> dict[int, str]:
    """{place of a word's last token: the word}, without spaces and the marks around it.

    >>> words_at(["<s>", "The", " lo", "qu", "acious", "."])
    {1: 'The', 4: 'loquacious', 5: ''}
    """
    begins = word_begins(tokens)
    found, first = {}, 1
    for place in range(1, len(tokens)):
        if begins[place]:
            first = place
        if place + 1 == len(tokens) or begins[place + 1]:
            found[place] = "".join(tokens[first : place + 1]).strip(_AROUND)
    return found


_AROUND = " \t\n.,;:!?()[]{}\"'“”‘’"


def opening_marks(prompts: Prompts) -> Bool[Tensor, "batch pos pos"]:
    """From a closing bracket or quotation mark to the one that it closes
    (:func:`headroles.texts.marks.closing_marks`)."""
    same = _equal(prompts.sequences.token_ids)
    drawn = same.new_zeros(same.shape)
    for row, tokens in enumerate(_texts(prompts)):
        for closing, opening in texts.marks.closing_marks(tokens).items():
            drawn[row, closing, opening] = True
    return drawn


def as_detect_head_draws(prompts: Prompts, name: str) -> Bool[Tensor, "batch pos pos"]:
    """One of the three patterns of TransformerLens: there, position 0 and row 1 count too.

    Args:
        prompts: the prompts.
        name: ``previous_token_head``, ``duplicate_token_head`` or ``induction_head``.
    """
    same = _equal(prompts.sequences.token_ids).tril(-1)  # [batch query key]
    if name == "previous_token_head":
        return same.new_ones(same.shape).tril(-1).triu(-1)
    if name == "duplicate_token_head":
        return same
    shifted = same.new_zeros(same.shape)
    shifted[..., 1:] = same[..., :-1]
    return shifted.tril()


def where(prompts: Prompts, expression: str) -> Float[Tensor, "batch pos pos"]:
    """The cells where an expression holds (:mod:`headroles.roles.expression`).

    Raises:
        PatternError: if it cannot be read, gives no number from 0 to 1 somewhere, or asks about
            texts and there are none.
    """
    sequences = prompts.sequences
    parsed = roles.expression.parse(expression)
    return parsed.evaluate(sequences.token_ids, lengths=sequences.lengths, tokens=prompts.tokens)


def painted(prompts: Prompts, matrix: str) -> Float[Tensor, "batch pos pos"]:
    """A matrix as CSV, on the prompts of its length."""
    lengths = prompts.sequences.lengths
    ids = prompts.sequences.token_ids.float()
    cells = ids.new_tensor(read(matrix))
    drawn = ids.new_zeros(*ids.shape, ids.shape[-1])
    fits = lengths == len(cells)
    if bool(fits.any()):
        drawn[fits, : len(cells), : len(cells)] = cells
    return drawn


@lru_cache(maxsize=32)
def read(matrix: str) -> Matrix:
    """The numbers of a matrix as CSV."""
    return roles.read_matrix(matrix)
