"""On which line of a TOML file each value stands, which Python's reader does not keep.

The file is one that :mod:`tomllib` has read, or nearly: this reader follows its grammar (TOML 1.0)
and keeps nothing but lines; what it does not understand ends it quietly.

>>> find("a = 1\\n[[steps]]\\nkey = 'x'\\n").of(("steps", 0, "key"))
3
"""

from __future__ import annotations

import re
import tomllib
from typing import NamedTuple

Path = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\r\n]*")
_STRINGS = (
    re.compile(r'"""(?:\\.|[^\\])*?"{3,5}', re.DOTALL),
    re.compile(r"'''.*?'{3,5}", re.DOTALL),
    re.compile(r'"(?:\\.|[^"\\\n])*"'),
    re.compile(r"'[^'\n]*'"),
)
_DEEPEST = 50
"""Brackets within brackets; a lesson needs four."""


class Lines(NamedTuple):
    """What was found."""

    first: dict[Path, int]
    """{path of a value: its line, from 1}; a table's is that of its header."""
    again: dict[Path, int]
    """{path that is given twice: the line of the second}."""
    lost: int | None = None
    """The line of what is no TOML, such as a text that is never closed; None if all is."""

    def of(self, path: Path) -> int | None:
        """The line of a value, or of what holds it; None if nothing of it is known."""
        while path and path not in self.first:
            path = path[:-1]
        return self.first.get(path)


def find(text: str) -> Lines:
    """Read a file as far as it can be understood."""
    reader = _Reader(text)
    try:
        reader.document()
    except _LostError:
        return Lines(reader.first, reader.again, reader.line_now())
    return Lines(reader.first, reader.again)


class _LostError(Exception):
    """What comes is no TOML."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0
        self.line, self._counted = 1, 0
        self.first: dict[Path, int] = {}
        self.again: dict[Path, int] = {}
        self._length: dict[Path, int] = {}

    def document(self) -> None:
        table: Path = ()
        while True:
            self._skip(_BLANK)
            if self.at >= len(self.text):
                return
            if self._takes("[["):
                table = self._array_header()
            elif self._takes("["):
                start, table = self.line_now(), self._inside(self._key())
                self._found(table, start)
                self._takes("]")
            else:
                self._pair(table, 0)
                self._skip(_SPACE)
                if self.text[self.at : self.at + 1] not in ("", "\n", "\r", "#"):
                    raise _LostError

    def _array_header(self) -> Path:
        start, path = self.line_now(), self._key()
        path = (*self._inside(path[:-1]), path[-1])
        self._found(path, start)
        number = self._length.get(path, 0)
        self._length[path] = number + 1
        self.first[*path, number] = start
        self._takes("]]")
        return (*path, number)

    def _inside(self, path: Path) -> Path:
        """A path with the number of the last element wherever it is an array of tables."""
        full: Path = ()
        for part in path:
            full = (*full, part)
            if full in self._length:
                full = (*full, self._length[full] - 1)
        return full

    def _pair(self, table: Path, depth: int) -> None:
        start, key = self.line_now(), self._key()
        path = (*table, *key)
        if path in self.first:
            self.again.setdefault(path, start)
        self._found(path, start)
        if not self._takes("="):
            raise _LostError
        self._skip(_SPACE)
        self._value(path, depth)

    def _found(self, path: Path, line: int) -> None:
        for end in range(1, len(path) + 1):
            self.first.setdefault(path[:end], line)

    def _key(self) -> Path:
        parts: list[str] = []
        while len(parts) < _DEEPEST:
            self._skip(_SPACE)
            if self.text[self.at : self.at + 1] in ("'", '"'):
                parts.append(_read(self._string()))
            elif bare := self._skip(_BARE):
                parts.append(bare)
            else:
                raise _LostError
            self._skip(_SPACE)
            if not self._takes("."):
                break
        return tuple(parts)

    def _value(self, path: Path, depth: int) -> None:
        if depth > _DEEPEST:
            raise _LostError
        if self._takes("["):
            self._array(path, depth + 1)
        elif self._takes("{"):
            self._skip(_SPACE)
            while not self._takes("}"):
                self._pair(path, depth + 1)
                self._skip(_SPACE)
                if not self._takes(",") and self.text[self.at : self.at + 1] != "}":
                    raise _LostError
                self._skip(_SPACE)
        elif self.text[self.at : self.at + 1] in ("'", '"'):
            self._string()
        else:
            self._skip(_SCALAR)

    def _array(self, path: Path, depth: int) -> None:
        number = 0
        while True:
            self._skip(_BLANK)
            if self._takes("]"):
                return
            self.first[*path, number] = self.line_now()
            self._value((*path, number), depth)
            number += 1
            self._skip(_BLANK)
            if not self._takes(",") and self.text[self.at : self.at + 1] != "]":
                raise _LostError

    def _string(self) -> str:
        for pattern in _STRINGS:
            if match := pattern.match(self.text, self.at):
                self.at = match.end()
                return match[0]
        raise _LostError

    def _skip(self, pattern: re.Pattern) -> str:
        match = pattern.match(self.text, self.at)
        if match is None:
            return ""
        self.at = match.end()
        return match[0]

    def _takes(self, sign: str) -> bool:
        if not self.text.startswith(sign, self.at):
            return False
        self.at += len(sign)
        return True

    def line_now(self) -> int:
        """The line of what comes next."""
        self.line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self.line


def _read(quoted: str) -> str:
    """A key in quotation marks."""
    try:
        return str(tomllib.loads(f"key = {quoted}")["key"])
    except ValueError:
        raise _LostError from None
