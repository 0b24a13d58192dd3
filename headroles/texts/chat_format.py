"""A prompt as a chat message: wrapped by the model's own template.

The template (jinja, in the tokenizer's files) puts its markers and often a system message around
what was typed, and ends where the model's answer begins. Which characters were typed is kept, so
that pages can tell the template's tokens from the prompt's.

>>> wrapped = wrap(tokenizer, "What is the capital of France?")  # doctest: +SKIP
>>> wrapped.text[slice(*wrapped.typed)]  # doctest: +SKIP
'What is the capital of France?'
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from headroles.errors import ChatTemplateError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_STANDS_IN = "\ue000message\ue000"
"""A message that no template holds, from the private use area of Unicode."""

MOST_AROUND = 1_000_000
"""Characters that a template may add; even to tokenise more takes minutes."""
LONGEST = 5
"""Seconds that a template may take: it is a program, and may hold a loop in a loop."""


class Wrapped(NamedTuple):
    """A prompt inside the model's chat template."""

    text: str
    """All of it, markers included."""
    typed: tuple[int, int]
    """[start, end) characters of ``text`` that are the prompt's own."""


def wrap(tokenizer: PreTrainedTokenizerBase, prompt: str) -> Wrapped:
    """Wrap a prompt as the user's message, up to where the answer begins.

    Raises:
        ChatTemplateError: if there is no template, it fails, or it leaves the prompt out.
    """
    if not tokenizer.chat_template:
        raise _refused("its tokenizer has none")
    text, around = (_message(tokenizer, content) for content in (prompt, _STANDS_IN))
    if len(text) - len(prompt) > MOST_AROUND:
        raise _refused(f"it puts {len(text) - len(prompt):,} characters around it")
    before = around.partition(_STANDS_IN)[0]
    start = len(before) if text.startswith(before) else 0
    typed = prompt if prompt in text[start:] else prompt.strip()  # many templates trim it
    start = text.find(typed, start)
    if start < 0:
        raise _refused("it changes or leaves out what was typed")
    return Wrapped(text, (start, start + len(typed)))


def _message(tokenizer: PreTrainedTokenizerBase, content: str) -> str:
    try:
        return _rendered(tokenizer, [{"role": "user", "content": content}], answer=True)
    except Exception as error:  # a stranger's program: it may raise anything
        reason = str(error).strip().split("\n")[0].rstrip(".")[:120] or type(error).__name__
        raise _refused(f"it says “{reason}”") from error


def _refused(why: str) -> ChatTemplateError:
    return ChatTemplateError(
        f"The model's chat template cannot wrap this prompt: {why}.",
        hint="Switch the chat format off to run the prompt as it is.",
        value=why,
    )


def render(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, str]]) -> str | None:
    """A conversation in the model's template; None without one, or where it fails."""
    try:
        return _rendered(tokenizer, messages, answer=False)
    except Exception:  # no template, or a stranger's program that fails
        return None


def _rendered(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, str]], *, answer: bool
) -> str:
    with _in_time():
        return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=answer)


@contextlib.contextmanager
def _in_time() -> Iterator[None]:
    """Stop whatever Python code this thread runs when it has run for :data:`LONGEST` seconds."""
    until, before = time.monotonic() + LONGEST, sys.gettrace()

    def look(_frame: object, _event: str, _argument: object) -> Callable:
        if time.monotonic() > until:
            raise TimeoutError(f"it did not end within {LONGEST} seconds")
        return look

    sys.settrace(look)
    try:
        yield
    finally:
        sys.settrace(before)
