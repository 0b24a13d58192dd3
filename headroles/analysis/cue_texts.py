"""The texts of the extended roles that attention shows, with their controls.

A control has the tokens of the text, but for the role's cue, which is replaced by other tokens; the
cells at which a head is looked at are those of the text itself. So a head that goes by the place
keeps its score there, and one that goes by the cue loses it.

>>> real, control = CUES["sentences with long words"](setting).pair  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from headroles.analysis.sequences import WORDS
from headroles.analysis.setting import Setting
from headroles.errors import AnalysisError
from headroles.formatting import token_bytes
from headroles.roles import ROLES, Prompts
from headroles.texts import (
    encode,
    probe_texts,
    role_texts,
    sentences,
    spans,
    start_token,
    token_texts,
)
from headroles.texts.marks import MARKS as ALL_MARKS
from headroles.texts.words import CATEGORIES, category_of, single_tokens
from headroles.types import Sequences

PAIRS = "pairs of sentences"
LONG_WORDS = "sentences with words of several tokens"
CATEGORIES_IN = "lists and sentences with words of a few categories"
MARKS = "texts with brackets and quotation marks"
LONGER_MATCHES = "random tokens with matches of different lengths"

CATEGORY_TEXTS = 40
LEAST_WORDS = 5
"""Fewer single-token words than this make no category."""
MATCHES = (2, 3, 4)
"""Lengths of the long match, in tokens."""
MATCH_TEXTS = 36
FEW_BETWEEN, MOST_BETWEEN = 2, 6
"""Random tokens before each match."""
COMPETING = 3
"""Matches of one token in each text."""


@dataclass(frozen=True, eq=False)
class CueTexts:
    """The texts of a role and of its control."""

    real: Prompts
    control: Prompts
    """The same rows with other tokens in place of the cue; the cells are those of ``real``."""
    kinds: tuple[str, ...] = ()
    """The kind of every row, where there are several."""


def pairs_of_sentences(setting: Setting) -> CueTexts:
    """Every two sentences as one text, so that a distance of 16 has rows and some tokens come
    after a full stop; each sentence is used once. Control: random tokens."""
    pairs = zip(sentences.SENTENCES[::2], sentences.SENTENCES[1::2], strict=True)
    return _on_random_tokens(setting, [f"{first} {second}" for first, second in pairs])


def long_words(setting: Setting) -> CueTexts:
    """Sentences with words of several tokens. Control: random tokens, the words' places."""
    return _on_random_tokens(setting, role_texts.LONG_WORDS)


def marks(setting: Setting) -> CueTexts:
    """Texts with brackets or quotation marks. Control: another token instead of the opening mark.

    The closing one stands there still, so a head that looks back from it by habit, or to that
    distance, keeps its score; other tokens between the marks would leave both halves of the cue.
    """
    kinds = [kind for kind, some in role_texts.MARKED.items() for _ in some]
    real = _read(setting, [text for some in role_texts.MARKED.values() for text in some])
    opening = ROLES["brackets"].cells(real).any(-2)  # [batch key]
    for row, tokens in enumerate(real.tokens):  # a mark may be several tokens, its bytes
        for span in spans(tokens[1:]):
            opening[row, span.first + 1 : span.last + 1] = opening[row, span.last + 1]
    control = _replaced(real, opening, _unmarked(setting), setting.rng())
    return CueTexts(real, control, tuple(kinds))


def categories(setting: Setting) -> CueTexts:
    """Words of a few categories in lists and sentences. Control: words of no category there.

    Raises:
        AnalysisError: if too few of these words are single tokens of the model.
    """
    known = {
        kind: list(single_tokens(setting.tokenizer, some)) for kind, some in CATEGORIES.items()
    }
    known = {kind: some for kind, some in known.items() if len(some) >= LEAST_WORDS}
    plain = [word for word in WORDS if not category_of(word)]
    others = list(single_tokens(setting.tokenizer, plain).values())
    if len(known) < len(CATEGORIES) or len(others) < LEAST_WORDS:
        raise AnalysisError(
            "Too few names, colours, days, numbers or animals are single tokens of this model."
        )
    rng = setting.rng()
    told = {kind: known[kind] for kind in role_texts.IN_SENTENCES}
    rows = [
        role_texts.about_categories(told if place % 2 else known, as_list=place % 2 == 0, rng=rng)
        for place in range(CATEGORY_TEXTS)
    ]
    real = _read(setting, rows)
    cells = ROLES["semantic_category"].cells(real)
    words = cells.any(-1) | cells.any(-2)
    kinds = [role_texts.CATEGORY_KINDS[place % 2] for place in range(CATEGORY_TEXTS)]
    return CueTexts(real, _replaced(real, words, others, rng), tuple(kinds))


def longer_matches(setting: Setting) -> CueTexts:
    """Random tokens in which the last one stood four times before, once after the same tokens.

    Each text ends with x; four times before x stood with another token behind it, and only once,
    never the last time, the tokens before it are those before the end, too. Control: other tokens
    before the last x, so that all four places match by one token.
    """
    rng, start = setting.rng(), start_token(setting.tokenizer).token_id
    pool, rows, controls = np.asarray(_ordinary(setting)), [], []
    for place in range(MATCH_TEXTS):
        size = MATCHES[place % len(MATCHES)]
        most = 2 + (COMPETING + 2) * (MOST_BETWEEN + size + 2)
        fresh = iter(rng.choice(pool, min(most, len(pool)), replace=False).tolist())
        before, last = [next(fresh) for _ in range(size - 1)], next(fresh)
        row, at = [start], place // len(MATCHES) % COMPETING
        for match in range(COMPETING + 1):
            row += [next(fresh) for _ in range(rng.integers(FEW_BETWEEN, MOST_BETWEEN + 1))]
            row += [*before, last] if match == at else [*(next(fresh) for _ in before), last]
            row.append(next(fresh))
        row += [next(fresh) for _ in range(rng.integers(FEW_BETWEEN, MOST_BETWEEN + 1))]
        rows.append([*row, *before, last])
        controls.append([*row, *(next(fresh) for _ in before), last])
    real = Prompts(probe_texts.pack(rows))
    control = Prompts(probe_texts.pack(controls), copies=real.sequences.token_ids)
    kinds = tuple(f"match of {MATCHES[row % len(MATCHES)]} tokens" for row in range(MATCH_TEXTS))
    return CueTexts(real, control, kinds)


CUES: dict[str, Callable[[Setting], CueTexts]] = {
    PAIRS: pairs_of_sentences,
    LONG_WORDS: long_words,
    CATEGORIES_IN: categories,
    MARKS: marks,
    LONGER_MATCHES: longer_matches,
}
"""{``measured_on`` of a role: what makes its texts}."""
COUNTS = {
    PAIRS: len(sentences.SENTENCES) // 2,
    LONG_WORDS: len(role_texts.LONG_WORDS),
    CATEGORIES_IN: CATEGORY_TEXTS,
    MARKS: sum(map(len, role_texts.MARKED.values())),
    LONGER_MATCHES: MATCH_TEXTS,
}
"""{``measured_on`` of a role: how many texts, without the control}."""


def _read(setting: Setting, rows: Sequence[str]) -> Prompts:
    """Texts as the model reads them, none longer than it can."""
    longest = setting.bridge.cfg.n_ctx
    read = [encode(setting.tokenizer, row, max_tokens=longest).token_ids for row in rows]
    return Prompts(
        probe_texts.pack(read), tuple(token_texts(setting.tokenizer, ids) for ids in read)
    )


def _on_random_tokens(setting: Setting, rows: Sequence[str]) -> CueTexts:
    real = _read(setting, rows)
    control = probe_texts.random_like(real.sequences, _ordinary(setting), rng=setting.rng())
    return CueTexts(real, Prompts(control, real.tokens))


def _ordinary(setting: Setting) -> list[int]:
    return probe_texts.ordinary_ids(setting.tokenizer)


def _unmarked(setting: Setting) -> list[int]:
    """The ordinary tokens without a bracket or quotation mark."""
    ids = _ordinary(setting)
    told = zip(ids, token_texts(setting.tokenizer, ids), strict=True)
    return [token for token, text in told if not ALL_MARKS & {*text} and not token_bytes(text)]


def _replaced(
    real: Prompts,
    places: Bool[Tensor, "batch pos"],
    ids: Sequence[int],
    rng: np.random.Generator,
) -> Prompts:
    """The same prompts with tokens drawn from some ids at some places; the cells stay."""
    token_ids = real.sequences.token_ids.clone()
    drawn = rng.choice(np.asarray(ids), int(places.sum()))
    token_ids[places] = torch.from_numpy(drawn).to(token_ids.dtype)
    return Prompts(
        Sequences(token_ids, real.sequences.lengths), real.tokens, real.sequences.token_ids
    )
