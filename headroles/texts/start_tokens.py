"""What stands at position 0 of every prompt: the model's start of text, or what serves as one.

Base models declare a BOS that documents began with in training, or none. Chat models often declare
the token that opens a *turn* (``<|im_start|>``); in front of plain text it costs SmolLM2 .65 nats a
token on sentences and 2.25 on repeats against ``<|endoftext|>``, which stood between its documents.
So a declared BOS is passed over where it is a chat marker and the vocabulary has a true start of
text. The rule needs the tokenizer alone, so the analysis and the app come to the same token.

>>> start_token(tokenizer)  # doctest: +SKIP
StartToken(token_id=0, text='<|endoftext|>', is_stand_in=True, passed_over='<|im_start|>')
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from headroles.errors import UnsupportedModelError
from headroles.texts.chat_format import render

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

STARTS = (
    "<|begin_of_text|>",
    "<|startoftext|>",
    "<|begin▁of▁text|>",
    "<｜begin▁of▁sentence｜>",
    "<bos>",
    "<BOS_TOKEN>",
    "<|bos|>",
    "[BOS]",
    "<s>",
)
"""What texts begin with in training, in the vocabularies of well-known models."""
ENDS = ("<|endoftext|>", "<|end_of_text|>")
"""What stands between texts there, so that it stands before most of them, too."""

# fmt: off
CHAT_MARKERS = frozenset((
    "<|im_start|>", "<|im_end|>",
    "<|start_header_id|>", "<|end_header_id|>",
    "<|header_start|>", "<|header_end|>",
    "<|start_of_role|>", "<|end_of_role|>",
    "<start_of_turn>", "<end_of_turn>",
    "<|START_OF_TURN_TOKEN|>", "<|END_OF_TURN_TOKEN|>",
    "<|turn_start|>", "<|turn_end|>",
    "<|start|>", "<|end|>",
    "[INST]", "[/INST]",
    "<|user|>", "<|assistant|>",
    "<|system|>", "<|message|>",
    "<|im_sep|>", "<|eot_id|>", "<|eot|>",
))
# fmt: on
"""What opens or closes a turn in well-known chat formats."""


@dataclass(frozen=True)
class StartToken:
    """The token that stands at position 0 of every prompt of a model."""

    token_id: int
    text: str
    """Its text, e.g. ``<|endoftext|>``."""
    is_stand_in: bool
    """True when it is not the BOS that the tokenizer declares."""
    passed_over: str = ""
    """The declared BOS that was not taken because it is a chat marker; "" where none was."""
    rows: int | None = None
    """How many tokens the model has embeddings for; None where only the tokenizer is known."""


_chosen: WeakKeyDictionary[PreTrainedTokenizerBase, StartToken] = WeakKeyDictionary()
"""{tokenizer: what was chosen for it}: every prompt asks."""


def start_token(tokenizer: PreTrainedTokenizerBase, *, rows: int | None = None) -> StartToken:
    """Find what the policy puts at position 0; chosen once per tokenizer.

    The first of these that the model has an embedding for: the declared BOS unless it is a chat
    marker; without a BOS, the end-of-text token unless it is one; what texts start with
    (:data:`STARTS`, :data:`ENDS`), one that the tokenizer declares for anything before others; the
    end-of-text token, then the padding token, unless they are chat markers; and any of the three,
    if there is nothing else.

    Args:
        tokenizer: the model's.
        rows: rows of the model's embedding, where they are known. It is remembered.

    Raises:
        UnsupportedModelError: if there is none.
    """
    if tokenizer in _chosen and rows in (None, _chosen[tokenizer].rows):
        return _chosen[tokenizer]
    _chosen[tokenizer] = start = _choose(tokenizer, rows)
    return start


def candidates(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """{text: id} of every token that might stand at position 0, the chosen one first.

    These are the declared BOS, end of text and padding, the true starts of text that the vocabulary
    has, and the first chat marker.
    """
    start = start_token(tokenizer)
    special = special_tokens(tokenizer)
    markers = sorted((special[text], text) for text in CHAT_MARKERS & special.keys())[:1]
    named = [
        *_declared(tokenizer),
        *(text for text in (*STARTS, *ENDS) if text in special),
        *(text for _, text in markers),
    ]
    ids = {start.text: start.token_id} | {text: special[text] for text in named if text in special}
    return {text: token for text, token in ids.items() if _has_row(token, start.rows)}


def _choose(tokenizer: PreTrainedTokenizerBase, rows: int | None) -> StartToken:
    special = {
        text: token for text, token in special_tokens(tokenizer).items() if _has_row(token, rows)
    }
    bos, declared = tokenizer.bos_token, _declared(tokenizer)
    if bos in special and not _is_turn_marker(tokenizer, bos):
        return StartToken(special[bos], bos, is_stand_in=False, rows=rows)
    known = (*STARTS, *ENDS)
    last = [text for text in (tokenizer.eos_token, tokenizer.pad_token) if text in special]
    ends = [text for text in last if not _is_turn_marker(tokenizer, text)]
    first = [text for text in ends if text == tokenizer.eos_token and not bos]
    usual = [text for text in declared if text in known]
    for text in (*first, *usual, *known, *ends, bos, *last):
        if text in special and (bos or tokenizer.eos_token):  # else it says nothing of its texts
            passed_over = bos if bos in special and bos != text else ""
            return StartToken(special[text], text, text != bos, passed_over, rows)
    why = "its tokenizer has neither a start token nor an end-of-text token"
    if declared and rows is not None:
        why += f" among the {rows:,} tokens that the model has embeddings for"
    name = Path(getattr(tokenizer, "name_or_path", "?"))
    raise UnsupportedModelError(name.name if name.is_absolute() else str(name), why=f"{why}.")


def _has_row(token: int, rows: int | None) -> bool:
    return token >= 0 and (rows is None or token < rows)


def _declared(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """The special tokens that the tokenizer gives a part to; the unknown token is often one."""
    names = (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token, tokenizer.unk_token)
    return list(dict.fromkeys(name for name in names if name))


def special_tokens(tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """{text: id} of the special tokens; a word that is merely spelt like one is none."""
    added = tokenizer.added_tokens_decoder.items()
    special = {token.content: token_id for token_id, token in added if token.special}
    declared = _declared(tokenizer)
    return special | dict(zip(declared, tokenizer.convert_tokens_to_ids(declared), strict=True))


def _is_turn_marker(tokenizer: PreTrainedTokenizerBase, text: str) -> bool:
    """Whether a token opens or closes every turn of a chat.

    Unless it is known by name, the template tells: a marker stands between any two messages. (The
    ``<s>`` of Llama 2 opens pairs of messages, and is missing between question and answer.)
    """
    if text in STARTS or text in ENDS or text in CHAT_MARKERS:
        return text in CHAT_MARKERS
    said = [f"message {number}" for number in range(3)]
    turns = [
        {"role": role, "content": content}
        for role, content in zip(("user", "assistant", "user"), said, strict=True)
    ]
    chat = render(tokenizer, turns) or ""
    if not all(content in chat for content in said):
        return False
    first, second, third = (chat.index(content) for content in said)
    return text in chat[first:second] and text in chat[second:third]
