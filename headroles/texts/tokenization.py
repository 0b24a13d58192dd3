"""The one tokenisation policy, shared by the offline analysis and the running app.

A prompt is tokenised as it stands, without the tokenizer's own special tokens, and the start token
(:mod:`headroles.texts.start_tokens`) is put in front, unless the prompt begins with it already. So
position 0 means the same thing everywhere, and the same text has the same ids offline and at
runtime. A prompt that is typed for a chat is wrapped first (:mod:`headroles.texts.chat_format`).

Special tokens that are typed are read as such, because that is the way to try them. Tokenizers may
also drop characters, change them or have no token for them. The encoding says where, for pages to
tell; a prompt of which nothing is left is refused.

>>> encode(tokenizer, "The cat sat").tokens  # doctest: +SKIP
('<|endoftext|>', 'The', ' cat', ' sat')
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from headroles import limits
from headroles.errors import ChatTemplateError, EmptyPromptError, HeadrolesError, ours
from headroles.formatting import in_one_line, quoted, token_bytes, visible
from headroles.texts.chat_format import wrap
from headroles.texts.start_tokens import special_tokens, start_token
from headroles.types import Encoding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jaxtyping import Float
    from torch import Tensor
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
        EmptyPromptError: if the text is empty or blank, nothing is left of it, or the model knows
            nothing of it.
        LimitError: if it has more characters than :data:`headroles.limits.PROMPT`.
        ChatTemplateError: if it cannot be wrapped.
        HeadrolesError: if the tokenizer fails, or the model has no embedding for one of its tokens.
    """
    limits.PROMPT.check(len(text))
    if not text.strip():
        raise EmptyPromptError
    start = start_token(tokenizer)
    read = _in_template(tokenizer, _clean(text)) if chat else _as_it_stands(tokenizer, _clean(text))
    ids, own = read.token_ids, read.own
    by = "app" if ids[:1] != [start.token_id] else "text" if 0 in own else "template"
    if by == "app":
        ids, own = [start.token_id, *ids], range(own.start + 1, own.stop + 1)
    if set(ids) == {start.token_id}:
        raise EmptyPromptError(f"The prompt holds nothing but the start token {start.text}.")
    kept = ids[:max_tokens]
    if chat and own.start >= len(kept):
        raise _no_room(own.start, max_tokens)
    _check_rows(tokenizer, max(kept), start.rows)
    template = [place for place in range(1, len(kept)) if place not in own]
    return Encoding(
        token_ids=tuple(kept),
        tokens=token_texts(tokenizer, kept),
        start_token=start.text,
        start_is_stand_in=start.is_stand_in,
        full_length=len(ids),
        start_passed_over=start.passed_over,
        start_added_by=by,
        is_chat=chat,
        template_positions=tuple(template) if chat else (),
        **_faults(tokenizer, kept, own, typed=text if not chat else read.typed),
    )


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate is no Unicode text


def ids_of(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """The ids of a text that is no prompt, e.g. of what should come next; there may be none.

    Raises:
        HeadrolesError: if the tokenizer fails, or the model has no embedding for one of its tokens.
    """
    ids = list(_read(tokenizer, _clean(text))["input_ids"])
    _check_rows(tokenizer, max(ids, default=0), start_token(tokenizer).rows)
    return ids


def likeliest_reading(
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    answer: str,
    logits: Float[Tensor, " vocab"],
) -> tuple[int, str]:
    """The first token of what should come next, and the whole of it where that is more.

    A word after a word starts with a space in most vocabularies, and nobody types it: of the answer
    with and without one, the model's likelier reading is taken.

    Args:
        tokenizer: the model's.
        prompt: what it comes after.
        answer: what was typed.
        logits: [vocab] of the token after the prompt.

    Raises:
        EmptyPromptError: if it holds no token.
    """
    answer = answer.encode("utf-8", "replace").decode()  # as a prompt is read
    options = [answer]
    if answer and not answer[0].isspace() and prompt[-1:].strip():
        options.append(f" {answer}")
    tokenised = [ids for text in options if (ids := ids_of(tokenizer, text))]
    if not tokenised:
        raise EmptyPromptError(
            "The expected next token is empty.", hint="Type a word, or leave the box empty."
        )
    best = max(tokenised, key=lambda ids: float(logits[ids[0]]))
    return best[0], answer if len(best) > 1 else ""


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


class _Read(NamedTuple):
    """The ids of a text, before a start token is put in front."""

    token_ids: list[int]
    own: range
    """Positions of what was typed; the others are the chat template's."""
    typed: str
    """What was typed, as far as the template took it over."""


def _as_it_stands(tokenizer: PreTrainedTokenizerBase, text: str) -> _Read:
    ids = _read(tokenizer, text)["input_ids"]
    if not ids:
        raise _nothing_left(text)
    return _Read(ids, range(len(ids)), text)


def _read(tokenizer: PreTrainedTokenizerBase, text: str, **settings: bool) -> BatchEncoding:
    # The tokenizer's own length warning is about running the whole text, which is not done.
    with ours(_unreadable):
        return tokenizer(
            text, add_special_tokens=False, split_special_tokens=False, verbose=False, **settings
        )


def _in_template(tokenizer: PreTrainedTokenizerBase, text: str) -> _Read:
    """The ids of a prompt in the model's chat template.

    A token may stand for no character at all, or share one with its neighbours; all that stand
    between the first and the last token of the prompt are the prompt's.
    """
    wrapped = wrap(tokenizer, text)
    read = _read(tokenizer, wrapped.text, return_offsets_mapping=True)
    first, last = wrapped.typed
    own = [
        position
        for position, (begins, ends) in enumerate(read["offset_mapping"])
        # A lone space may be cut off its own token, which then ends where it begins.
        if (ends > first and begins < last) or (begins == ends == last)
    ]
    typed = wrapped.text[first:last]
    if not own:
        raise _nothing_left(typed)
    return _Read(read["input_ids"], range(own[0], own[-1] + 1), typed)


def _unreadable(error: BaseException) -> HeadrolesError:
    if isinstance(error, NotImplementedError):
        return ChatTemplateError(
            "The chat format needs a tokenizer that says which characters a token stands for, and "
            "this model's does not.",
            hint="Switch the chat format off to run the prompt as it is.",
            value=error,
        )
    return HeadrolesError(
        "The model's tokenizer cannot read this prompt.",
        hint="Leave out unusual characters, or choose another model.",
        value=error,
    )


def _nothing_left(text: str) -> HeadrolesError:
    return EmptyPromptError(
        f"The model's tokenizer leaves nothing of “{in_one_line(text, limit=40)}”.",
        hint="It drops these characters. Type others, for example English words.",
    )


def _no_room(template: int, max_tokens: int) -> HeadrolesError:
    return ChatTemplateError(
        f"The chat template puts {template:,} tokens before the prompt, and the model reads "
        f"{max_tokens:,} at most.",
        hint="Switch the chat format off to run the prompt as it is.",
        value=template,
    )


_special: WeakKeyDictionary[PreTrainedTokenizerBase, frozenset[int]] = WeakKeyDictionary()
"""{tokenizer: the ids of its special tokens}."""


def _faults(
    tokenizer: PreTrainedTokenizerBase, token_ids: Sequence[int], own: range, *, typed: str
) -> dict[str, tuple]:
    """What is not read as characters, of a prompt that may have been cut.

    Raises:
        EmptyPromptError: if no token of the prompt says anything.
    """
    if (special := _special.get(tokenizer)) is None:
        special = _special[tokenizer] = frozenset(special_tokens(tokenizer).values())
    places = range(own.start, min(own.stop, len(token_ids)))
    ids = [token_ids[place] for place in places]
    unknown_id, unknown = tokenizer.unk_token_id, ()
    if unknown_id in ids and tokenizer.unk_token not in typed:
        unknown = tuple(place for place in places if token_ids[place] == unknown_id)
    texts = token_texts(
        tokenizer, [token for token in ids if not (unknown and token == unknown_id)]
    )
    read = b"".join(token_bytes(text) or text.encode("utf-8", "replace") for text in texts)
    said = read.decode("utf-8", "replace")
    is_whole = own.stop <= len(token_ids)
    lost = () if said == typed else _lost(tokenizer, ids, typed, said, is_whole=is_whole)
    if is_whole and not said.strip():
        raise _all_unknown(typed, tokenizer.unk_token) if unknown else _nothing_left(typed)
    return {
        "special_positions": tuple(
            place
            for place in places
            if place and token_ids[place] in special and place not in unknown
        ),
        "unknown_positions": unknown,
        "lost": lost,
    }


def _lost(
    tokenizer: PreTrainedTokenizerBase, ids: list[int], typed: str, said: str, *, is_whole: bool
) -> tuple[str, ...]:
    """The characters that come back neither token by token nor from all tokens together.

    Each of them alone is asked, for SentencePiece adds spaces and others take them away.
    """
    together = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    if not is_whole:  # what was cut off is not lost
        typed = typed[: max(len(said.rstrip("�")), 1)]
    typed_count, said_count = Counter(typed), Counter(said)
    missing = (typed_count - said_count) & (typed_count - Counter(together))
    return tuple(character for character in typed_count if missing[character])


def _all_unknown(text: str, unknown: str) -> HeadrolesError:
    return EmptyPromptError(
        f"This model knows nothing of “{in_one_line(text, limit=40)}”: it would read {unknown} "
        "everywhere.",
        hint="Type other words, or choose another model.",
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
