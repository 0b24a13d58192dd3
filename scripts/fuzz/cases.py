"""One bad input, and how its trial ends."""

from __future__ import annotations

import contextlib
import io
import logging
import random
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol

from headroles.errors import HeadrolesError
from headroles.paths import ROOT


class Case(NamedTuple):
    """One input and what is done with it."""

    description: str
    """What is tried; one line."""
    call: Callable[[], object]
    """Does it. It may return anything (a result) or raise one of our errors; everything else that
    it raises is a failure, an AssertionError about a wrong result as well."""


class Kind(Protocol):
    """A module of ``kinds/``."""

    SHARE: float
    """How many inputs it gets, beside 1 for others; may be missing."""

    def case(self, rng: random.Random) -> Case:
        """Make one input."""


class Outcome(StrEnum):
    """How an input ended."""

    RESULT = "result"
    REFUSED = "one of our errors"
    FAILED = "traceback"


class Trial(NamedTuple):
    """An input that was tried."""

    kind: str
    number: int
    description: str
    outcome: Outcome
    said: str = ""
    """The sentence of a refusal, or the last line of a traceback."""
    place: str = ""
    """Of a failure: the last line of the project that took part, so that the same fault is listed
    once."""
    trace: str = ""
    seconds: float = 0.0


class TooLongError(BaseException):
    """An input that takes longer than it may; no Exception, so that nobody swallows it."""


def rng_of(seed: int, kind: str, number: int) -> random.Random:
    """The source of everything that is random in one input."""
    return random.Random(f"{seed} {kind} {number}")


def tried(kind: str, module: Kind, *, seed: int, number: int, seconds: float) -> Trial:
    """Make one input, do what it is for, and say how that ended."""
    began = time.monotonic()
    case = module.case(rng_of(seed, kind, number))
    outcome, said, place, trace = _ended(case, seconds)
    description = " ".join(case.description.split())
    return Trial(kind, number, description, outcome, said, place, trace, time.monotonic() - began)


def _ended(case: Case, seconds: float) -> tuple[Outcome, str, str, str]:
    try:
        with _quiet(), _at_most(seconds):
            case.call()
    except HeadrolesError as error:
        if not error.message.strip() or "Traceback" in str(error):
            return Outcome.FAILED, repr(str(error)), "no plain sentence", ""
        return Outcome.REFUSED, str(error), "", ""
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a panic of a Rust library is no Exception
        said = traceback.format_exception_only(error)[-1].strip()
        return Outcome.FAILED, said, _place(error), "".join(traceback.format_exception(error))
    return Outcome.RESULT, "", "", ""


def _place(error: BaseException) -> str:
    """File and line of the project's last frame, and the kind of error.

    What a kind itself asserts is known by what it says.
    """
    if isinstance(error, AssertionError):
        return f"{error}"[:80]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename.startswith(str(ROOT / "headroles"))]
    frame = (own or frames)[-1]
    path = Path(frame.filename)
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name
    return f"{shown}:{frame.lineno} {type(error).__name__}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Nothing printed, logged or warned of."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(action="ignore"),
        ):
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """End what takes longer, with :class:`TooLongError`; only in the main thread."""

    def stop(*_: object) -> None:
        raise TooLongError(f"longer than {seconds:g} seconds")

    handler = signal.signal(signal.SIGALRM, stop)
    began, (left, every) = time.monotonic(), signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
        if time.monotonic() - began > seconds:  # a library's C code cannot be interrupted
            stop()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:  # somebody else's timer, as pytest's, goes on
            passed = time.monotonic() - began
            signal.setitimer(signal.ITIMER_REAL, max(left - passed, 0.001), every)
