"""What heads add to a token where it is not the answer: is a contribution about this prompt at all?

A head may write " Mary" after every prompt. So its contribution to the same token is measured again
where the token is not the answer. If it stands in the prompt, every copy of it is exchanged for
another word of its kind, and so is the token that it is held against: a head that copies the name
now writes another one, and adds nothing to this one. Otherwise the same token is looked for at
random places in the project's sentences.

>>> chance(loaded, encoding, target, n=20).what  # doctest: +SKIP
'On 20 copies of this prompt with random other names in place of “Mary” and “John”.'
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from headroles import limits
from headroles.attribution.contributions import head_effects
from headroles.attribution.recording import record_rows
from headroles.attribution.records import Chance, Target
from headroles.errors import HeadrolesError
from headroles.formatting import listing, quoted
from headroles.models import LoadedModel
from headroles.texts import SENTENCES, encode, ids_of, token_texts
from headroles.texts.words import KINDS, kind_of
from headroles.types import Encoding, place_in

_LEAST_WORDS = 4
"""Fewer other words of a kind are no chance."""
_AT_ONCE = 10
"""Rows whose recordings are in memory together."""
_LEAST_BEFORE = 4
"""Tokens before a place in a sentence, the start token included."""


def chance(
    loaded: LoadedModel,
    encoding: Encoding,
    target: Target,
    *,
    position: int = -1,
    n: int = 20,
    seed: int = 0,
) -> Chance:
    """Each head's contribution to a target where it is not the answer, in batched passes.

    Args:
        loaded: a model.
        encoding: the prompt.
        target: from :func:`headroles.attribution.contributions.resolve_target`.
        position: the position whose next token is predicted.
        n: most prompts; fewer where there are no more other words.
        seed: fixes the draw.

    Raises:
        UnknownPositionError: if the prompt has no such position.
        HeadrolesError: if ``n`` is out of bounds (:data:`headroles.limits.CHANCE`).
    """
    rows, what = control_rows(loaded, encoding, target, position=position, n=n, seed=seed)
    return joined([effects_on(loaded, rows, target)], what)


def effects_on(
    loaded: LoadedModel, rows: Sequence[Sequence[int]], target: Target
) -> Float[Tensor, "row layer head"]:
    """[row layer head] what each head adds to a target at the end of each row."""
    parts = (rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE))
    seen = (one for part in parts for one in record_rows(loaded, part, logits=False))
    return torch.stack([head_effects(loaded, one, target) for one in seen])


def joined(effects: Sequence[Float[Tensor, "row layer head"]], what: str) -> Chance:
    """Mean and spread over the rows of all parts."""
    heads = torch.cat(list(effects))
    return Chance(heads.mean(0), heads.std(0), len(heads), what)


def control_rows(
    loaded: LoadedModel,
    encoding: Encoding,
    target: Target,
    *,
    position: int = -1,
    n: int = 20,
    seed: int = 0,
) -> tuple[list[list[int]], str]:
    """The rows that chance is taken from, and what they are in a sentence; see :func:`chance`."""
    if n not in limits.CHANCE:
        least, most = limits.CHANCE
        raise HeadrolesError(
            f"Chance cannot be taken from {n:,} prompts.",
            hint=f"Ask for {least:,} to {most:,}.",
            value=n,
        )
    rng = np.random.default_rng(seed)
    position = place_in(position, len(encoding.token_ids))
    rows, what = _other_words(loaded, encoding, target, position, n, rng)
    if len(rows) < min(n, _LEAST_WORDS):
        rows, what = _other_places(loaded, target, n, rng)
    return rows, what


# ------------------------------------------------------------------ other words in the prompt


def _other_words(
    loaded: LoadedModel,
    encoding: Encoding,
    target: Target,
    position: int,
    n: int,
    rng: np.random.Generator,
) -> tuple[list[list[int]], str]:
    """Rows up to the position with other words in place of the watched ones; none if not so."""
    ids, tokens = list(encoding.token_ids[: position + 1]), encoding.tokens[: position + 1]
    watched = [target.text, *([] if target.against_id is None else [target.against])]
    words = list(dict.fromkeys(text.strip() for text in watched))
    stand = {word: _places(tokens, word) for word in words}
    if not stand[words[0]]:
        return [], ""
    stand = {word: places for word, places in stand.items() if places}
    pools = {word: _others(loaded, tokens, word, places) for word, places in stand.items()}
    drawn: dict[tuple[str, ...], list[int]] = {}
    for _ in range(20 * n):  # draws that repeat another count for nothing
        if len(drawn) == n or not all(pools.values()):
            break
        new = tuple(str(rng.choice(list(pool))) for pool in pools.values())
        if len(set(new)) < len(new):
            continue
        row = list(ids)
        for word, other in zip(stand, new, strict=True):
            for place in stand[word]:
                row[place] = pools[word][other][_is_spaced(tokens[place])]
        drawn[new] = row
    kinds = {kind_of(word) or "words" for word in stand}
    kind = kinds.pop() if len(kinds) == 1 else "words of their kinds"
    named = listing([quoted(word) for word in stand])
    return list(drawn.values()), (
        f"On {len(drawn)} copies of this prompt with random other {kind} in place of {named}."
    )


def _is_spaced(token: str) -> bool:
    return token[:1].isspace()


def _places(tokens: Sequence[str], word: str) -> list[int]:
    """Where a word stands as one token, after the start token; none if it is not always whole."""
    if not word.isalpha():
        return []
    places = [at for at, token in enumerate(tokens) if at and token.strip() == word]
    return places if all(_is_whole(tokens, place) for place in places) else []


def _is_whole(tokens: Sequence[str], place: int) -> bool:
    """Whether a token is no part of a longer word."""
    before = "" if place == 1 else tokens[place - 1]
    after = tokens[place + 1] if place + 1 < len(tokens) else ""
    begins = _is_spaced(tokens[place]) or not before[-1:].isalnum()
    return begins and not after[:1].isalnum()


def _others(
    loaded: LoadedModel, tokens: Sequence[str], word: str, places: Sequence[int]
) -> dict[str, dict[bool, int]]:
    """{other word of its kind: {whether a space stands before it: its id}}, none of the prompt's.

    Of no kind, they are the words of the project's sentences that are written in the same case.
    """
    kind = kind_of(word)
    options = KINDS[kind] if kind else _ordinary(word)
    spaced = {_is_spaced(tokens[place]) for place in places}
    there = {token.strip() for token in tokens}
    found = {}
    for option in options:
        by_space = {space: _id_of(loaded, f"{' ' * space}{option}") for space in spaced}
        if option not in there and None not in by_space.values():
            found[option] = by_space
    return found


def _ordinary(word: str) -> list[str]:
    every = {part.strip(".,;:!?“”") for sentence in SENTENCES for part in sentence.split()}
    return sorted(
        one for one in every if one.isalpha() and len(one) > 2 and one.islower() == word.islower()
    )


def _id_of(loaded: LoadedModel, text: str) -> int | None:
    """The token that is this text; None if there is none."""
    for written in (text, text.strip()):  # SentencePiece puts a space before what it reads
        ids = ids_of(loaded.tokenizer, written)
        if len(ids) == 1 and token_texts(loaded.tokenizer, ids) == (text,):
            return ids[0]
    return None


# ------------------------------------------------------------------ other places


def _other_places(
    loaded: LoadedModel, target: Target, n: int, rng: np.random.Generator
) -> tuple[list[list[int]], str]:
    """Beginnings of the project's sentences after which something else than the target comes."""
    rows = [
        list(ids[:end])
        for sentence in SENTENCES
        for ids in [encode(loaded.tokenizer, sentence, max_tokens=loaded.max_tokens).token_ids]
        for end in range(min(_LEAST_BEFORE, len(ids) - 1), len(ids))
        if ids[end] != target.token_id
    ]
    chosen = sorted(rng.choice(len(rows), min(n, len(rows)), replace=False).tolist())
    return [rows[place] for place in chosen], (
        f"At {len(chosen)} random places in other sentences, where {quoted(target.text)} does not "
        "come next."
    )
