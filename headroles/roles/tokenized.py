"""Prompts from texts or ids, with the text of every token; this needs the tokenizer's library.

>>> prompts, encodings = read_prompts(tokenizer, ["The cat sat."], max_tokens=64)  # doctest: +SKIP
>>> len(prompts)  # doctest: +SKIP
1
"""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from headroles import limits
from headroles.errors import EmptyPromptError
from headroles.roles.prompts import Prompts
from headroles.texts import encode, pack, token_texts
from headroles.types import Encoding, Sequences


def read_prompts(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    *,
    max_tokens: int,
    chat: bool = False,
) -> tuple[Prompts, tuple[Encoding, ...]]:
    """Tokenise prompts under the project's policy; ``chat`` wraps each by the model's template.

    Raises:
        EmptyPromptError: if there is no prompt, or an empty one.
        LimitError: if there are too many, or too long ones.
    """
    if not texts:
        raise EmptyPromptError
    limits.PROMPTS.check(len(texts))
    limits.PROMPTS_TEXT.check(sum(map(len, texts)))
    encodings = tuple(encode(tokenizer, text, max_tokens=max_tokens, chat=chat) for text in texts)
    sequences = pack([encoding.token_ids for encoding in encodings])
    copies = pack([encoding.copy_ids for encoding in encodings]).token_ids
    tokens = tuple(encoding.tokens for encoding in encodings)
    return Prompts(sequences, tokens, copies), encodings


def prompts_of_ids(tokenizer: PreTrainedTokenizerBase, sequences: Sequences) -> Prompts:
    """Sequences that are ids already, e.g. random ones, with the text of every token."""
    limits.PROMPTS.check(len(sequences))
    rows = zip(sequences.token_ids.tolist(), sequences.lengths.tolist(), strict=True)
    return Prompts(sequences, tuple(token_texts(tokenizer, ids[:length]) for ids, length in rows))
