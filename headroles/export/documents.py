"""A document of plain parts that is written twice: as one HTML file, and as Markdown.

What a report says is put together once, as sections of paragraphs, lists, tables, maps and
passages (:mod:`headroles.view.report`); :mod:`headroles.export.document_html` and
:mod:`headroles.export.document_markdown` only spell it. So both say the same, word for word and
number for number. All text here is plain: a token, a prompt or a name may hold anything, and each
spelling escapes it in its own way.

>>> Table("Heads", ("Head", "Score"), (("L1H4", "0.98"),)).rows[0]
('L1H4', '0.98')
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

NOT_TEXT = re.compile("[^\t\n -\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What neither HTML nor a file in UTF-8 can hold: controls, halves of surrogates."""


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    words: str
    kind: Literal["plain", "summary", "lead", "note", "warning"] = "plain"
    """``summary``: the whole in short; ``lead``: what to remember; ``note``: small print;
    ``warning``: what is missing or wrong."""


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table; the first cell of a row names it."""

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.headers):
                raise ValueError(f"a row of {len(row)} cells under {len(self.headers)} headers")


@dataclass(frozen=True)
class Picture:
    """A drawing, of which a table somewhere in the document holds the numbers."""

    svg: str
    """Markup of this project, with all text in it escaped."""
    alt: str
    """What it shows, in a sentence."""
    table: Table | None = None
    """The same cell by cell, for a spelling without drawings."""


@dataclass(frozen=True)
class Shaded:
    """A token of a passage."""

    text: str
    """With what cannot be seen made visible."""
    share: float
    """0..1: how strongly it is shaded."""
    is_query: bool = False
    """Whether it is the token that looks at the shaded ones."""


@dataclass(frozen=True)
class Strip:
    """A passage, token by token, shaded by what a head does there."""

    about: str
    """Which head, where the passage stands, how strong it is."""
    tokens: tuple[Shaded, ...]


@dataclass(frozen=True)
class Folded:
    """Parts behind a line that opens them."""

    summary: str
    blocks: tuple[Block, ...]


Block = Text | Bullets | Table | Picture | Strip | Folded


@dataclass(frozen=True)
class Section:
    """A titled part."""

    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()
    anchor: str = ""
    """The name by which the table of contents leads here; a section without one is not in it."""


@dataclass(frozen=True)
class Document:
    """The whole of it."""

    title: str
    about: str
    """A line under the title."""
    lead: tuple[Block, ...]
    """What it says in short, before the table of contents."""
    sections: tuple[Section, ...]
    end: str = ""
    """The last line: what made it."""

    def contents(self) -> Iterator[tuple[int, Section]]:
        """(level from 0, section) of every section of the table of contents, in order."""
        for section in self.sections:
            yield from _contents(section, 0)


def _contents(section: Section, level: int) -> Iterator[tuple[int, Section]]:
    if section.anchor:
        yield level, section
    for inner in section.sections:
        yield from _contents(inner, level + 1)


def of_tables(
    title: str,
    tables: Sequence[tuple[str, Sequence[str], Sequence[Sequence[str]]]],
    *,
    about: str = "",
    lead: Sequence[Block] = (),
    origin: Mapping[str, object] | None = None,
) -> Document:
    """A document of tables, a section each; those without rows are left out.

    Args:
        title: of the document.
        tables: (caption, headers, rows).
        about: a line under the title.
        lead: what it says in short.
        origin: where the numbers come from, for the last line.
    """
    made = [
        Table(caption, tuple(headers), tuple(map(tuple, rows)))
        for caption, headers, rows in tables
        if rows
    ]
    told = [
        f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}"
        for name, value in (origin or {}).items()
    ]
    sections = tuple(Section(table.caption, (table,)) for table in made)
    return Document(title, about, tuple(lead), sections, "; ".join(told) or "Made with headroles.")


def tables(blocks: tuple[Block, ...]) -> Iterator[Table]:
    """Every table among some blocks, folded ones too."""
    for block in blocks:
        if isinstance(block, Table):
            yield block
        elif isinstance(block, Folded):
            yield from tables(block.blocks)


def clean(text: str) -> str:
    """A text without the characters that no file can hold; each becomes the replacement sign.

    >>> clean("a\\x00b\\ud800")
    'a\ufffdb\ufffd'
    """
    return NOT_TEXT.sub("\N{REPLACEMENT CHARACTER}", text)
