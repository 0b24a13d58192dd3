"""The finished parts of an analysis on the disk, so that one that was cut off goes on.

One small file per model holds what is done: the scores, and every pass of the knock-outs. It is
taken up only by an analysis with the same *terms* (weights, texts, settings, versions), gives the
very numbers of an uninterrupted one, and is removed when the analysis is done. The file is read as
data alone (``weights_only``), and not at all if its checksum does not fit.

>>> parts = FinishedParts(Path("unfinished/demo.parts"), {"weights": "1f3a"})  # doctest: +SKIP
>>> parts.recall("basic", lambda: measure_roles(...))  # doctest: +SKIP
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch

from headroles import disk
from headroles.store import files
from headroles.types import OffsetMeans, RoleScores

SECONDS = 5.0
"""Between two times that the file is written: so much work is lost at most."""
KEPT = 5
"""Files of unfinished analyses in a folder; the oldest go first."""

Part = TypeVar("Part")


class FinishedParts:
    """What is done of one analysis.

    Args:
        path: the file; None keeps nothing.
        terms: what must be the same for a part to be taken up.
    """

    def __init__(self, path: Path | None, terms: Mapping[str, object]) -> None:
        self._path, self._terms = path, dict(terms)
        self._parts: dict[str, object] = {}
        self._written = time.monotonic()
        self.ignored = ""
        """Why a file that is there was not taken up, as a sentence; "" if nothing was ignored."""
        self.recalled = False
        """Whether any part came from the file."""
        self.went_on = False
        """Whether work began after parts came from the file."""
        if path:
            self._read(path)

    def recall(self, name: str, make: Callable[[], Part]) -> Part:
        """A part from the file, or made now and kept."""
        if name in self._parts:
            self.recalled = True
            return self._parts[name]
        self.went_on = self.recalled
        self._parts[name] = part = make()
        if self._path and time.monotonic() - self._written > SECONDS:
            self._write(self._path)
        return part

    def remove(self) -> None:
        """The analysis is done."""
        if self._path:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)
                self._path.parent.rmdir()  # where it was the last one

    def _read(self, path: Path) -> None:
        try:
            content, _ = disk.read(path)
            checksum, body = content[:32], content[32:]
            if hashlib.sha256(body).digest() != checksum:
                raise ValueError("its checksum does not fit")
            with torch.serialization.safe_globals([RoleScores, OffsetMeans]):
                kept = torch.load(io.BytesIO(body), weights_only=True)
            terms, parts = dict(kept["terms"]), dict(kept["parts"])
        except FileNotFoundError:
            return
        except Exception:  # whatever lies there: the analysis can do without
            self.ignored = (
                "The finished parts of an earlier analysis cannot be read; they are done again."
            )
            return
        other = [name for name in self._terms if terms.get(name) != self._terms[name]]
        if other:
            self.ignored = (
                "The finished parts of an earlier analysis are done again: they were made with "
                f"other {' and '.join(other)}."
            )
            return
        self._parts = parts

    def _write(self, path: Path) -> None:
        buffer = io.BytesIO()
        torch.save({"terms": self._terms, "parts": self._parts}, buffer)
        body = buffer.getvalue()
        with contextlib.suppress(OSError):  # a disk that is full costs no analysis
            path.parent.mkdir(exist_ok=True)
            files.replace_file(path, hashlib.sha256(body).digest() + body)
            for old in sorted(path.parent.glob("*.parts"), key=_age)[:-KEPT]:
                old.unlink(missing_ok=True)
        self._written = time.monotonic()


def _age(path: Path) -> float:
    return path.stat().st_mtime
