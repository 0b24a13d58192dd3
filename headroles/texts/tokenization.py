"""The one tokenisation policy, shared by the offline analysis and the running app.

A prompt is tokenised as it stands, without the tokenizer's own special tokens, and the model's BOS
token is put in front. A model without one gets its end-of-text token as a stand-in. So position 0
means the same thing everywhere, and the same text has the same ids offline and at runtime.

>>> encode(tokenizer, "The cat sat").tokens  # doctest: +SKIP
('<|endoftext|>', 'The', ' cat', ' sat')
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from headroles import limits
from headroles.errors import EmptyPromptError, UnsupportedModelError
from headroles.types import Encoding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import PreTrainedTokenizerBase

MAX_TOKENS = 512
"""Longest prompt that is run, BOS included: attention grows with its square (288 MB on GPT-2 at
512 tokens, 1.2 GB at 1,024)."""

DELIMITERS = frozenset(".,;:!?")
"""The characters that set clauses and sentences apart; a line break does so as well."""

_BYTE_PIECE = re.compile("<0x[0-9A-F]{2}>")
"""How a SentencePiece vocabulary with byte fallback writes a raw byte."""


@dataclass(frozen=True)
class StartToken:
    """The token that stands at position 0 of every prompt of a model."""

    token_id: int
    text: str
    """Its text, e.g. ``<|endoftext|>``."""
    is_stand_in: bool
    """True when the model has no BOS and its end-of-text token takes its place."""


def start_token(tokenizer: PreTrainedTokenizerBase) -> StartToken:
    """Find what the policy puts at position 0.

    Raises:
        UnsupportedModelError: if the tokenizer has neither a BOS nor an end-of-text token.
    """
    if tokenizer.bos_token_id is not None:
        return StartToken(tokenizer.bos_token_id, tokenizer.bos_token, is_stand_in=False)
    if tokenizer.eos_token_id is not None:
        return StartToken(tokenizer.eos_token_id, tokenizer.eos_token, is_stand_in=True)
    raise UnsupportedModelError(
        getattr(tokenizer, "name_or_path", "?"),
        why="its tokenizer has neither a start token nor an end-of-text token.",
    )


def encode(
    tokenizer: PreTrainedTokenizerBase, text: str, *, max_tokens: int = MAX_TOKENS
) -> Encoding:
    """Tokenise a prompt; what is longer than ``max_tokens`` is cut at the end and counted.

    Raises:
        EmptyPromptError: if the text is empty or blank.
        LimitError: if it has more characters than :data:`headroles.limits.PROMPT`.
    """
    limits.PROMPT.check(len(text))
    if not text.strip():
        raise EmptyPromptError
    start = start_token(tokenizer)
    clean = text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate is no Unicode text
    # The tokenizer's own length warning is about running the whole text, which is not done.
    ids = tokenizer(clean, add_special_tokens=False, verbose=False)["input_ids"]
    kept = [start.token_id, *ids][:max_tokens]
    return Encoding(
        token_ids=tuple(kept),
        tokens=token_texts(tokenizer, kept),
        start_token=start.text,
        start_is_stand_in=start.is_stand_in,
        full_length=len(ids) + 1,
    )


_texts: WeakKeyDictionary[PreTrainedTokenizerBase, dict[int, str]] = WeakKeyDictionary()
"""{tokenizer: {id: text}}: a text takes longer to make than the pass over a short prompt."""


def token_texts(tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int]) -> tuple[str, ...]:
    """One readable string per token: its text with its spaces, or ``<0xF0>`` for a lone byte.

    A character outside the vocabulary (an emoji, say) is several tokens in a byte-level tokenizer,
    and none of them is text on its own.
    """
    known = _texts.setdefault(tokenizer, {})
    new = [token_id for token_id in dict.fromkeys(token_ids) if token_id not in known]
    pieces = tokenizer.convert_ids_to_tokens(new)
    for token_id, piece in zip(new, pieces, strict=True):
        known[token_id] = _as_text(tokenizer, token_id, piece)
    return tuple(known[token_id] for token_id in token_ids)


def is_delimiter(text: str) -> bool:
    """Whether a token's text sets clauses or lines apart, and says nothing else.

    >>> [is_delimiter(text) for text in (" ,", "?!", "\\n", "a.", " ")]
    [True, True, True, False, False]
    """
    marks = text.strip()
    return set(marks) <= DELIMITERS if marks else "\n" in text


def _as_text(tokenizer: PreTrainedTokenizerBase, token_id: int, piece: str | None) -> str:
    if piece is None:
        return f"<{token_id}>"
    # A SentencePiece tokenizer drops the leading space when it decodes a single token.
    if piece.startswith("▁"):
        return piece.replace("▁", " ")
    text = tokenizer.decode([token_id], clean_up_tokenization_spaces=False)
    if "�" not in text:
        return text
    if _BYTE_PIECE.fullmatch(piece):
        return piece
    alphabet = _byte_alphabet()
    if all(character in alphabet for character in piece):
        return "".join(f"<0x{alphabet[character]:02X}>" for character in piece)
    return piece


def _byte_alphabet() -> dict[str, int]:
    """The characters in which byte-level tokenizers (GPT-2 and its heirs) write raw bytes."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): byte for byte in printable}
    table.update({chr(256 + place): byte for place, byte in enumerate(others)})
    return table
