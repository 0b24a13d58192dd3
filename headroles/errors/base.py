"""What every error of the project is, and how a library's error becomes one of them."""

from __future__ import annotations

import contextlib
import difflib
import logging
from collections.abc import Callable, Iterable, Iterator

logger = logging.getLogger(__name__)


class HeadrolesError(Exception):
    """Anything that the project can explain to a user.

    Args:
        message: what is wrong, in one plain sentence.
        hint: what to do about it, in one sentence; may be empty.
        value: The offending value, kept for callers and tests.
    """

    def __init__(self, message: str, *, hint: str = "", value: object = None) -> None:
        self.message = message
        self.hint = hint
        self.value = value
        super().__init__(f"{message} {hint}".strip())

    def __reduce__(self) -> tuple:
        """Pickle what was said, for another process: each class makes it of other arguments."""
        return _said_again, (type(self), self.args, self.__dict__)


def _said_again(kind: type[HeadrolesError], args: tuple, state: dict) -> HeadrolesError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


@contextlib.contextmanager
def ours(explain: Callable[[BaseException], HeadrolesError]) -> Iterator[None]:
    """Around a call into a library: whatever it raises becomes one of our errors.

    A stranger's file may make transformers, tokenizers, safetensors, PyVene or TransformerLens
    raise anything at all, and no list of exceptions stays complete. What is ours already passes
    as it is, and so does what is meant to stop the program. The cause is kept and goes to the log.

    >>> with ours(lambda error: HeadrolesError("Its tokenizer cannot be read.")):
    ...     {}["model"]
    Traceback (most recent call last):
    headroles.errors.base.HeadrolesError: Its tokenizer cannot be read.

    Args:
        explain: makes our error of the library's.
    """
    try:
        yield
    except HeadrolesError:
        raise
    except BaseException as error:
        # A panic of the Rust libraries (tokenizers, safetensors) is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        explained = explain(error)
        logger.warning("%s", explained.message, exc_info=error)
        raise explained from error


def near_match(value: str, known: Iterable[str]) -> str:
    """Return ``" Did you mean 'x'?"`` for the closest known name, or an empty string."""
    close = difflib.get_close_matches(value, list(known), n=1, cutoff=0.6)
    return f" Did you mean '{close[0]}'?" if close else ""
