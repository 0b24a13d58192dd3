"""The one tokenisation policy, shared by the offline analysis and the running app.

A prompt is tokenised as it stands, without the tokenizer's own special tokens, and the start token
(:mod:`headroles.texts.start_tokens`) is put in front, unless the prompt begins with it already. So
position 0 means the same thing everywhere, and the same text has the same ids offline and at
runtime. A prompt that is typed for a chat is wrapped first (:mod:`headroles.texts.chat_format`).

>>> encode(tokenizer, "The cat sat").tokens  # doctest: +SKIP
('<|endoftext|>', 'The', ' cat', ' sat')
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from headroles import limits
from headroles.errors import EmptyPromptError, HeadrolesError
from headroles.formatting import quoted, token_bytes, visible
from headroles.texts.chat_format import wrap
from headroles.texts.start_tokens import start_token
from headroles.types import Encoding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from transformers import BatchEncoding, PreTrainedTokenizerBase

MAX_TOKENS = 512
"""Longest prompt that is run, BOS included: attention grows with its square (288 MB on GPT-2 at
512 tokens, 1.2 GB at 1,024)."""

DELIMITERS = frozenset(".,;:!?")
"""The characters that set clauses and sentences apart; a line break does so as well."""

_BYTE_PIECE = re.compile("<0x[0-9A-F]{2}>")
"""How a SentencePiece vocabulary with byte fallback writes a raw byte."""


def encode(
    tokenizer: PreTrainedTokenizerBase,
    text: str,
    *,
    max_tokens: int = MAX_TOKENS,
    chat: bool = False,
) -> Encoding:
    """Tokenise a prompt; what is longer than ``max_tokens`` is cut at the end and counted.

    Args:
        tokenizer: the model's.
        text: the prompt. Special tokens that are typed are read as such.
        max_tokens: most tokens, position 0 included.
        chat: whether the prompt is wrapped by the model's chat template.

    Raises:
        EmptyPromptError: if the text is empty or blank, or nothing is left of it.
        LimitError: if it has more characters than :data:`headroles.limits.PROMPT`.
        ChatTemplateError: if it cannot be wrapped.
        HeadrolesError: if the model has no embedding for one of its tokens.
    """
    limits.PROMPT.check(len(text))
    if not text.strip():
        raise EmptyPromptError
    start = start_token(tokenizer)
    clean = text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate is no Unicode text
    ids, template = _in_template(tokenizer, clean) if chat else (_ids(tokenizer, clean), [])
    by = "app" if ids[:1] != [start.token_id] else "template" if 0 in template else "text"
    if by == "app":
        ids, template = [start.token_id, *ids], [position + 1 for position in template]
    if len(ids) == 1:
        raise EmptyPromptError
    kept = ids[:max_tokens]
    _check_rows(tokenizer, max(kept), start.rows)
    return Encoding(
        token_ids=tuple(kept),
        tokens=token_texts(tokenizer, kept),
        start_token=start.text,
        start_is_stand_in=start.is_stand_in,
        full_length=len(ids),
        start_passed_over=start.passed_over,
        start_added_by=by,
        is_chat=chat,
        template_positions=tuple(position for position in template if 0 < position < len(kept)),
    )


def _check_rows(tokenizer: PreTrainedTokenizerBase, token_id: int, rows: int | None) -> None:
    """Refuse a token that was added to the tokenizer, and not to the model."""
    if rows is None or token_id < rows:
        return
    (text,) = token_texts(tokenizer, [token_id])
    raise HeadrolesError(
        f"The token {quoted(text)} has number {token_id:,}, and the model has embeddings for the "
        f"first {rows:,} only.",
        hint="Leave it out: it was added to the tokenizer, and the model never learned it.",
        value=token_id,
    )


def _ids(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    return _read(tokenizer, text)["input_ids"]


def _read(tokenizer: PreTrainedTokenizerBase, text: str, **settings: bool) -> BatchEncoding:
    # The tokenizer's own length warning is about running the whole text, which is not done.
    return tokenizer(
        text, add_special_tokens=False, split_special_tokens=False, verbose=False, **settings
    )


def _in_template(tokenizer: PreTrainedTokenizerBase, text: str) -> tuple[list[int], list[int]]:
    """The ids of a prompt in the model's chat template, and the positions of the template's own."""
    wrapped = wrap(tokenizer, text)
    read = _read(tokenizer, wrapped.text, return_offsets_mapping=True)
    first, last = wrapped.typed
    template = [
        position
        for position, (begins, ends) in enumerate(read["offset_mapping"])
        if ends <= first or begins >= last
    ]
    return read["input_ids"], template


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


@dataclass(frozen=True)
class Span:
    """Neighbouring tokens that are text only together; most are a single token."""

    first: int
    """The position of its first token."""
    size: int
    """How many tokens."""
    text: str
    """What they say together; of bytes that are no whole character, ``<0xF0>``."""

    @property
    def last(self) -> int:
        """The position of its last token."""
        return self.first + self.size - 1


def spans(tokens: Sequence[str]) -> tuple[Span, ...]:
    """Tokens joined to whole characters, in order; every token is in exactly one span.

    Bytes that never become a character (the prompt was cut off, or a special token stands between
    them) are left as single tokens.

    Args:
        tokens: [pos] from :func:`token_texts`.

    >>> [(span.text, span.size) for span in spans(["a", "<0xC3>", "<0xA9>", "<0xC3>"])]
    [('a', 1), ('é', 2), ('<0xC3>', 1)]
    """
    joined: list[Span] = []
    place = 0
    while place < len(tokens):
        joined.append(_span_at(tokens, place))
        place += joined[-1].size
    return tuple(joined)


def _span_at(tokens: Sequence[str], first: int) -> Span:
    """The span that begins at a position."""
    decoder, text = codecs.getincrementaldecoder("utf-8")(), ""
    for place in range(first, len(tokens)):
        if (raw := token_bytes(tokens[place])) is None:
            break
        try:
            text += decoder.decode(raw)
        except UnicodeDecodeError:
            break
        if not decoder.getstate()[0]:
            return Span(first, place - first + 1, text)
    return Span(first, 1, tokens[first])


def token_labels(tokens: Sequence[str], *, limit: int = 12) -> list[str]:
    """[pos] short labels for axes and tables, all that cannot be seen made visible.

    The token at position 0 is called ``start``; the second of four tokens that are one character
    together is ``🙂 2/4``.

    Args:
        tokens: [pos] from :func:`token_texts`.
        limit: most characters of a label.

    >>> token_labels(["<s>", " a", "<0xC3>", "<0xA9>"])
    ['start', '·a', 'é 1/2', 'é 2/2']
    """
    return list(_labels(tuple(tokens), limit))


@lru_cache(maxsize=32)
def _labels(tokens: tuple[str, ...], limit: int) -> tuple[str, ...]:
    labels = ["start"]
    for span in spans(tokens[1:]):
        if span.size == 1:
            labels.append(visible(span.text, limit=limit))
        else:
            parts = [f" {part}/{span.size}" for part in range(1, span.size + 1)]
            shown = visible(span.text, limit=limit - len(parts[-1]))
            labels += [f"{shown}{part}" for part in parts]
    return tuple(labels)


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
