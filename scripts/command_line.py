"""What every command line shares: options within bounds, files that can be used, and one end.

A command is a function of its arguments under :func:`command`, and reads them with :func:`parser`.
Its exit code is 0 when it did what it was told, 1 when it found something wrong or failed
unexpectedly, 2 when what it was given cannot be used, and 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import functools
import json
import logging
import math
import os
import stat
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from tqdm import tqdm

from headroles.errors import DiskError, HeadrolesError, LimitError, UnknownHeadError
from headroles.formatting import in_one_line, listing
from headroles.limits import MODEL_NAME, Limit, Range
from headroles.store.files import replace_file
from headroles.types import Head

DONE, FAILED, UNUSABLE, STOPPED, PIPE_CLOSED = 0, 1, 2, 130, 141
"""Exit codes; the last two as shells have them."""
DEBUG = "HEADROLES_DEBUG"
"""The variable that shows where an error comes from; any value but the empty one."""
_LONGEST = 600
"""Characters of a mistake that are shown."""


class Parser(argparse.ArgumentParser):
    """One line for a mistake, and where help is."""

    def error(self, message: str) -> NoReturn:
        """End with the mistake in a line."""
        sentence = message.rstrip(".")
        self.exit(UNUSABLE, f"{one_line(sentence)}. Help: {self.prog} --help\n")

    def check(self, option: str, kind: Callable[[str], object], given: str) -> None:
        """Hold an option to a type that it has only beside certain others."""
        try:
            kind(given)
        except argparse.ArgumentTypeError as error:
            self.error(f"argument {option}: {error}")


def parser(name: str, doc: str | None, **settings: object) -> Parser:
    """An empty parser of ``python -m scripts.NAME``, described by its docstring's first line."""
    first = (doc or "").split("\n")[0]
    return Parser(prog=f"python -m scripts.{name}", **{"description": first} | settings)


def one_line(text: str) -> str:
    """A text in one line of the screen, shortened, with what cannot be seen made visible."""
    return in_one_line(" ".join(text[: 9 * _LONGEST].split()), limit=_LONGEST)


def whole(bounds: Range) -> Callable[[str], int]:
    """The type of an option that is a whole number within bounds."""
    least, most = bounds

    def number(text: str) -> int:
        with contextlib.suppress(ValueError):  # also for thousands of digits
            if (value := int(text)) in bounds:
                return value
        raise _not(text, f"a whole number from {least:,} to {most:,}")

    return number


def real(bounds: Range) -> Callable[[str], float]:
    """The type of an option that is a number within bounds, whole or not."""

    def number(text: str) -> float:
        with contextlib.suppress(ValueError):
            if (value := float(text)) in bounds:
                return value
        most = "" if math.isinf(bounds.most) else f" to {bounds.most:,}"
        raise _not(text, f"a number from {bounds.least:,}{most}")

    return number


def text(limit: Limit | None = None, *, empty: bool = False) -> Callable[[str], str]:
    """The type of an option that is a text: not too long, and empty only where that is allowed."""

    def checked(given: str) -> str:
        if not (given.strip() or empty):
            raise argparse.ArgumentTypeError("it is empty")
        try:
            given.encode()
        except UnicodeEncodeError:
            raise argparse.ArgumentTypeError("it holds bytes that are not UTF-8") from None
        if limit:
            try:
                limit.check(len(given))
            except LimitError as error:
                raise argparse.ArgumentTypeError(str(error)) from None
        return given

    return checked


MODEL = text(MODEL_NAME)
"""The type of an argument that names a model."""


def head(text: str) -> Head:
    """The type of an option that names a head."""
    try:
        return Head.parse(text.strip())
    except UnknownHeadError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def heads(text: str) -> tuple[Head, ...]:
    """The type of an option that names heads, with commas between them."""
    return tuple(map(head, text.split(",")))


def path(text: str) -> Path:
    """The type of an option that names a file or folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return Path(text)


def file(text: str) -> Path:
    """The type of an option that names a file which is read."""
    given = path(text)
    with _looking_at(given):
        kind = given.stat().st_mode
        if stat.S_ISDIR(kind):
            raise argparse.ArgumentTypeError(f"{given} is a folder, not a file")
        if not stat.S_ISREG(kind):
            raise argparse.ArgumentTypeError(f"{given} is a pipe or a device, not a file")
        if not os.access(given, os.R_OK):
            raise argparse.ArgumentTypeError(f"{given} may not be read")
    return given


def folder(text: str) -> Path:
    """The type of an option that names a folder from which files are read."""
    given = path(text)
    with _looking_at(given):
        if not stat.S_ISDIR(given.stat().st_mode):
            raise argparse.ArgumentTypeError(f"{given} is a file, not a folder")
    return given


def output(text: str) -> Path:
    """The type of an option that names a file which is written, or a pipe or a device."""
    given = path(text)
    with _looking_at(given, missing=True):
        if given.exists() and not given.is_file() and not given.is_dir():
            return given
    return new_file(text)


def new_file(text: str) -> Path:
    """The type of an option that names a file which is written, or replaced."""
    given = path(text)
    with _looking_at(given, missing=True):
        if given.is_dir() or text.endswith("/"):
            raise argparse.ArgumentTypeError(f"{given} is a folder; give the name of a file in it")
        if given.exists() and not given.is_file():
            raise argparse.ArgumentTypeError(f"{given} is a pipe or a device, not a file")
        if given.exists() and not os.access(given, os.W_OK):
            raise argparse.ArgumentTypeError(f"{given} may not be written")
        _writable_folder(given.parent)
        _fits(given)
    return given


def named_file(*endings: str) -> Callable[[str], Path]:
    """The type of an option that names a file, whose ending says what is written into it.

    >>> named_file(".csv", ".json")("heads.CSV").name
    'heads.CSV'
    """

    def checked(text: str) -> Path:
        given = new_file(text)
        if not given.name.lower().endswith(endings):
            ends = listing(list(endings), last="or")
            raise argparse.ArgumentTypeError(f"'{given}' does not end in {ends}")
        return given

    return checked


def new_folder(text: str) -> Path:
    """The type of an option that names a folder into which files are written."""
    given = path(text)
    with _looking_at(given, missing=True):
        _writable_folder(given)
        _fits(given)
    return given


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, with the folders that it lies in; or a pipe or a device.

    Raises:
        DiskError: if the disk does not take it.
    """
    try:
        if path.exists() and not path.is_file():
            handle = os.open(path, os.O_WRONLY | os.O_NONBLOCK)  # a pipe may have no reader
            os.set_blocking(handle, True)
            with open(handle, "wb") as there:
                there.write(content)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path.resolve(), content)
    except OSError as error:
        raise DiskError(path, error) from error


@contextlib.contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """A folder beside another, whose files go into that one when all of them are written.

    Raises:
        DiskError: if the disk does not take them.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as made:
            yield Path(made)
            for file in Path(made).iterdir():
                os.replace(file, folder / file.name)
    except OSError as error:
        raise DiskError(folder, error) from error


@contextlib.contextmanager
def bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error, told (done, of how many)."""
    with tqdm(desc=what, file=sys.stderr, leave=False, disable=None) as drawn:

        def tell(done: int, total: int) -> None:
            drawn.total = total
            drawn.update(done - drawn.n)

        yield tell


def end_with_input() -> None:
    """Never outlive the program at the other end of standard input, however it ended."""

    def wait() -> None:
        # Not sys.stdin: Python cannot end while a thread waits in its buffer.
        while os.read(sys.stdin.fileno(), 4096):
            pass
        os._exit(1)

    threading.Thread(target=wait, name="end-with-input", daemon=True).start()


class JsonLines:
    """One JSON object per line, for a program that watches.

    Args:
        model: named in every event; None where there is only one.
    """

    def __init__(self, model: str | None = None) -> None:
        self._model = {} if model is None else {"model": model}

    def progress(self, phase: str, done: int, total: int) -> None:
        """Print a progress event."""
        self._print({"event": "progress", "phase": phase, "done": done, "total": total})

    def notice(self, sentence: str) -> None:
        """Print a sentence where the log keeps it."""
        self._print({"event": "notice", "message": sentence})
        print(sentence, file=sys.stderr)

    def result(self, summary: dict[str, object]) -> None:
        """Print the result event."""
        self._print({"event": "result", **summary})

    def error(self, message: str, hint: str) -> None:
        """Print the error event, and the sentence where errors belong."""
        self._print({"event": "error", "message": message, "hint": hint})
        print(f"{message} {hint}".rstrip(), file=sys.stderr)

    def _print(self, event: dict[str, object]) -> None:
        print(json.dumps({**event, **self._model}), flush=True)


def command(main: Callable[[Sequence[str] | None], int]) -> Callable[..., int]:
    """Give a command its end: whatever happens, one line says so, and the exit code is right.

    >>> @command
    ... def main(argv):
    ...     raise HeadrolesError("There is no such thing.")
    >>> main([])  # prints the sentence on standard error
    2
    """

    @functools.wraps(main)
    def ended(argv: Sequence[str] | None = None) -> int:
        _prepare()
        try:
            try:
                return main(argv)
            finally:
                sys.stdout.flush()  # a reader that is gone is noticed here, and not too late
        except SystemExit as end:  # of the parser: help, or a mistake
            return end.code if isinstance(end.code, int) else FAILED
        except KeyboardInterrupt:
            print("\nStopped.", file=sys.stderr)
            return STOPPED
        except BrokenPipeError:
            _drop_output()
            return PIPE_CLOSED
        except Exception as error:
            return _told(error)

    return ended


def _told(error: Exception) -> int:
    """Say in a line what ended a command; the exit code."""
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    if isinstance(error, HeadrolesError):
        code, sentence = UNUSABLE, str(error)
    elif isinstance(error, OSError):
        code = UNUSABLE
        what = f"{error.filename} cannot be used" if error.filename else "Reading or writing failed"
        sentence = f"{what}: {error.strerror or error}."
        if error.errno == errno.ENOSPC:
            _drop_output()
    elif isinstance(error, ModuleNotFoundError):
        code = UNUSABLE
        sentence = f"{error}. Install what is missing: pip install -r requirements-dev.txt"
    else:
        code, last = FAILED, traceback.extract_tb(error.__traceback__)[-1]
        kind = type(error).__name__
        sentence = (
            f"Something went wrong that should not: {kind}: {error} "
            f"({Path(last.filename).name}:{last.lineno}). "
            f"Run it again with {DEBUG}=1 to see where, and report that."
        )
    with contextlib.suppress(OSError):  # nobody may be there to read it
        print(one_line(sentence), file=sys.stderr)
    return code


def _prepare() -> None:
    """Any character can be printed, and what is logged on the way takes a line."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    # The handler of a program that sets up no other: a cause is shown only to who asks for it.
    if (handler := logging.lastResort) and not os.environ.get(DEBUG):
        handler.addFilter(_has_no_cause)


def _has_no_cause(record: logging.LogRecord) -> bool:
    return not record.exc_info


def _drop_output() -> None:
    """Nothing more can be written: what is still in the buffer must not fail again at the end."""
    with contextlib.suppress(OSError, ValueError):  # a stream without a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _not(text: str, what: str) -> argparse.ArgumentTypeError:
    shown = text if len(text) <= 40 else f"{text[:39]}…"
    return argparse.ArgumentTypeError(f"'{shown}' is not {what}")


@contextlib.contextmanager
def _looking_at(path: Path, *, missing: bool = False):
    """What the system says of a path, as a mistake of the command line."""
    try:
        yield
    except FileNotFoundError:
        if not missing:
            raise argparse.ArgumentTypeError(
                f"{path} cannot be read: there is no such file"
            ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in it
        why = getattr(error, "strerror", None) or error
        raise argparse.ArgumentTypeError(f"{path} cannot be used: {why}") from None


def _writable_folder(path: Path) -> None:
    """Refuse a folder that neither is there nor can be made."""
    there = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not there.is_dir():
        raise argparse.ArgumentTypeError(f"{there} is a file, not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise argparse.ArgumentTypeError(f"the folder {there} may not be written")


def _fits(path: Path) -> None:
    """Refuse a name that is too long for a file beside which a temporary one is written."""
    room = os.pathconf("/", "PC_NAME_MAX") - len(".") - len(".12345678.tmp")
    if len(os.fsencode(path.name)) > room:
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
