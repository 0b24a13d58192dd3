"""Real text, always at hand: Python's manual, its library, held-out stories, files of one's own.

A source hands out documents, and every document falls into passages of a few hundred characters,
cut where paragraphs, lines or words end. Passages do not depend on a model, so a digest of its text
names one for all of them. No text is copied into the project: what is stored about a passage is its
digest, and it is read again from its source when somebody looks at it.

>>> manual = SOURCES["manual"]
>>> read_passages(manual)[0].document
'assert'
"""

from __future__ import annotations

import hashlib
import os
import re
import sysconfig
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from pydoc_data.topics import topics
from typing import Literal

import numpy as np

from headroles import disk, limits, paths
from headroles.errors import TextFileError
from headroles.texts.text_files import as_text, read_text

Kind = Literal["prose", "code", "stories", "own"]

LONGEST_PASSAGE = 600
"""Characters of a passage, about 140 tokens of English for a model with a large vocabulary; a short
rest of the document may stand behind them."""
SHORTEST_PASSAGE = 120
"""What is shorter is joined to the passage before it in the same document."""
_LONGEST_MODULE = 400_000
"""Bytes of a file of the library that is read; a few tables of data are longer."""


@dataclass(frozen=True)
class Document:
    """A text with a name: a topic of the manual, a file."""

    name: str
    text: str


@dataclass(frozen=True)
class TextSource:
    """Where real text comes from, and under which licence."""

    key: str
    """The name on the command line, in links and in files."""
    name: str
    """The name people read."""
    licence: str
    """Of the text; for a text of one's own, that it stays where it is."""
    kind: Kind
    """What sort of text it is."""
    documents: Callable[[], Iterable[Document]] = field(compare=False, repr=False)
    """Hands out the documents, always in the same order."""


@dataclass(frozen=True)
class Passage:
    """A piece of a document, as long as a model reads at once."""

    source: str
    """The key of its source."""
    document: str
    """The name of its document."""
    place: int
    """How many passages of the document come before it."""
    text: str

    @cached_property
    def digest(self) -> str:
        """Twelve hexadecimal digits that name the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


def _manual() -> Iterator[Document]:
    for name in sorted(topics):
        yield Document(name, topics[name])


def _library() -> Iterator[Document]:
    """The modules at the top of the standard library."""
    folder = Path(sysconfig.get_path("stdlib"))
    for path in sorted(folder.glob("*.py")):
        try:
            raw, _ = disk.read(path, most=_LONGEST_MODULE)
            yield Document(path.name, as_text(raw, name=path.name))
        except (OSError, ValueError, TextFileError):  # too long, or no plain text: left out
            continue


def _held_out(folder: Path) -> Iterator[Document]:
    lines = read_text(folder / "held_out.txt").splitlines()
    for place, line in enumerate(filter(str.strip, lines), start=1):
        yield Document(f"story {place}", line.strip())


MANUAL = TextSource(
    "manual",
    "Python's manual (English and code)",
    "PSF License Version 2; it comes with Python",
    "prose",
    _manual,
)
CODE = TextSource(
    "code",
    "Python's library (code)",
    "PSF License Version 2; it comes with Python",
    "code",
    _library,
)
STORIES = TextSource(
    "stories",
    "Stories that the bundled models were not trained on",
    "MIT; made by the grammar of this project",
    "stories",
    lambda: _held_out(paths.DEMO_MODEL),
)
SOURCES = {source.key: source for source in (MANUAL, CODE, STORIES)}
"""The sources that are on every machine."""


def own_text(documents: Sequence[Document], *, name: str = "Your own text") -> TextSource:
    """Texts that somebody brings: pasted, or uploaded and read already.

    Raises:
        LimitError: if they are longer than ``limits.CORPUS`` together.
        TextFileError: if there is nothing but spaces in them.
    """
    limits.CORPUS.check(sum(len(document.text) for document in documents))
    if not any(document.text.strip() for document in documents):
        raise TextFileError(
            f"{name} is empty.", hint="Give a text of some hundred words.", value=name
        )
    kept = tuple(documents)
    return TextSource("own", name, "yours; it is not kept", "own", lambda: kept)


def own_files(path: Path) -> tuple[TextSource, list[str]]:
    """A file, or all text files below a folder, as one source.

    Links are not followed, and hidden files and folders are left out.

    Returns:
        The source, and a sentence about every file that could not be read as text.

    Raises:
        LimitError: if the texts are too long together.
        TextFileError: if there is no such file, or no text in it.
    """
    documents, skipped, room = [], [], limits.CORPUS.most
    for found in [path] if path.is_file() else _below(path):
        try:
            text = read_text(found, limit=limits.CORPUS)
        except TextFileError as error:
            skipped.append(error.message)
            continue
        room -= len(text)
        if room < 0:
            limits.CORPUS.check(limits.CORPUS.most - room)
        name = found.name if path.is_file() else str(found.relative_to(path))
        documents.append(Document(name, text))
    if not documents:
        raise TextFileError(
            f"There is no text in {path}.",
            hint="Name a text file, or a folder with text files in it.",
            value=str(path),
        )
    return own_text(documents, name=path.name or str(path)), skipped


def _below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):  # follows no links
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            found = Path(parent) / name
            if not name.startswith(".") and not found.is_symlink() and found.is_file():
                yield found


def read_passages(source: TextSource) -> list[Passage]:
    """All passages of a source, in order; those that stand in it twice are named once."""
    if source.key in SOURCES:
        return list(_ready(source.key))
    return _passages(source)


@lru_cache(maxsize=len(SOURCES))
def _ready(key: str) -> tuple[Passage, ...]:
    return tuple(_passages(SOURCES[key]))


def _passages(source: TextSource) -> list[Passage]:
    seen: dict[str, Passage] = {}
    for document in source.documents():
        for place, text in enumerate(cut(document.text)):
            passage = Passage(source.key, document.name, place, text)
            seen.setdefault(passage.digest, passage)
    return list(seen.values())


def cut(text: str, *, longest: int = LONGEST_PASSAGE) -> list[str]:
    """A text in passages of at most ``longest`` characters, cut where paragraphs end if it can be.

    >>> cut("One two.\\n\\nThree four.", longest=12)
    ['One two.', 'Three four.']
    """
    passages: list[str] = []
    for piece, joint in _pieces(text.replace("\r\n", "\n").strip("\n"), longest):
        if passages and len(passages[-1]) + len(joint) + len(piece) <= longest:
            passages[-1] += joint + piece
        else:
            passages.append(piece)
    if len(passages) > 1 and len(passages[-1]) < min(SHORTEST_PASSAGE, longest // 5):
        tail = passages.pop()
        passages[-1] += "\n" + tail
    return [passage.rstrip() for passage in passages if passage.strip()]


def _pieces(text: str, longest: int) -> Iterator[tuple[str, str]]:
    """(piece, what joins it to the one before): paragraphs; of long ones lines; of long lines parts
    that end at a space, or in the middle of what has none."""
    for paragraph in re.split(r"\n(?:[ \t]*\n)+", text):
        if len(paragraph) <= longest:
            yield paragraph, "\n\n"
            continue
        joint = "\n\n"
        for line in paragraph.split("\n"):
            rest, before = line, joint
            while len(rest) > longest:
                end = rest.rfind(" ", longest // 2, longest)
                end = longest if end < 0 else end
                yield rest[:end], before
                rest, before = rest[end:].lstrip(" "), " "
            yield rest, before
            joint = "\n"


def draw(passages: Sequence[Passage], n: int, *, seed: int) -> list[Passage]:
    """So many passages, drawn at random, in their order; all if there are fewer."""
    if n >= len(passages):
        return list(passages)
    chosen = np.random.default_rng(seed).choice(len(passages), n, replace=False)
    return [passages[place] for place in sorted(chosen.tolist())]


def shuffled(passages: Sequence[Passage], *, seed: int) -> list[Passage]:
    """All of them in a random order, so that any number of the first is a fair sample."""
    order = np.random.default_rng(seed).permutation(len(passages))
    return [passages[place] for place in order.tolist()]


def find(digests: Iterable[str]) -> dict[str, Passage]:
    """{digest: passage} of those that the sources of this machine hold.

    Another version of Python has another manual: a passage that was changed there is not found.
    """
    wanted = set(digests)
    return {
        passage.digest: passage
        for key in SOURCES
        for passage in _ready(key)
        if passage.digest in wanted
    }
