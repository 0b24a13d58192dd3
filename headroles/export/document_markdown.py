"""A document as Markdown (GitHub's, whose tables and folded parts most viewers know).

Every character of the text that Markdown would read as its own has a backslash in front, so that a
token such as ``|`` or ``<script>`` stands there as it is. Maps are drawings of the HTML file; here
they are tables, layers across and heads down as there.

>>> literal("a|b <i> *c*")
'a\\\\|b \\\\<i\\\\> \\\\*c\\\\*'
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from headroles.export.documents import (
    Block,
    Bullets,
    Document,
    Folded,
    Picture,
    Section,
    Strip,
    Table,
    Text,
    clean,
)

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~$&@])")
_LINKS = re.compile(r"(?i)(?<=\w)(:)(?=//)|(?<=www)(\.)")
_AT_START = re.compile(r"^(?:([-+=])|(\d+)(?=[.)](?:\s|$)))")
BOLD_FROM = 0.5
"""Share of the strongest shade from which a token of a passage is bold."""


def to_markdown(document: Document) -> str:
    """The document as one file."""
    lines = [f"# {literal(document.title)}", literal(document.about)]
    lines += _blocks(document.lead)
    if contents := list(document.contents()):
        lines.append("## Contents")
        lines.append(
            "\n".join(
                f"{'  ' * level}- [{literal(section.title)}](#{section.anchor})"
                for level, section in contents
            )
        )
    for section in document.sections:
        lines += _section(section, 2)
    lines += ["---", literal(document.end)]
    return "\n\n".join(line for line in lines if line) + "\n"


def literal(text: str) -> str:
    """A text in one line, in which nothing is Markdown."""
    return _AT_START.sub(_escaped_start, _escaped(" ".join(clean(text).split())))


def _escaped(line: str) -> str:
    return _LINKS.sub(lambda match: "\\" + match[0], _MARKS.sub(r"\\\1", line))


def _escaped_start(match: re.Match[str]) -> str:
    """``- x`` and ``1. x`` would begin a list; a digit takes no backslash, but what follows may."""
    return f"\\{match[1]}" if match[1] else f"{match[2]}\\"


def _section(section: Section, level: int) -> list[str]:
    anchor = f'<a id="{section.anchor}"></a>\n\n' if section.anchor else ""
    lines = [f"{anchor}{'#' * min(level, 6)} {literal(section.title)}", *_blocks(section.blocks)]
    for inner in section.sections:
        lines += _section(inner, level + 1)
    return lines


def _blocks(blocks: Iterable[Block]) -> list[str]:
    return [line for block in blocks for line in _block(block)]


def _block(block: Block) -> list[str]:
    if isinstance(block, Text):
        words = literal(block.words)
        marks = {"lead": f"**{words}**", "warning": f"> **Note:** {words}"}
        return [marks.get(block.kind, words)]
    if isinstance(block, Bullets):
        return ["\n".join(f"- {literal(item)}" for item in block.items)]
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Picture):
        return [f"Map: {literal(block.alt)}", *(_table(block.table) if block.table else ())]
    if isinstance(block, Strip):
        return [literal(block.about), f"> {_strip(block)}"]
    assert isinstance(block, Folded)
    summary = escape(" ".join(clean(block.summary).split()))  # within a tag, HTML is read
    return [
        f"<details><summary>{summary}</summary>",
        *_blocks(block.blocks),
        "</details>",
    ]


def _table(table: Table) -> list[str]:
    def line(cells: Iterable[str]) -> str:
        return f"| {' | '.join(literal(cell) for cell in cells)} |"

    rule = "|" + " --- |" * len(table.headers)
    caption = [f"**{literal(table.caption)}**"] if table.caption else []
    return [*caption, "\n".join([line(table.headers), rule, *map(line, table.rows)])]


def _strip(strip: Strip) -> str:
    """The passage; strongly shaded tokens are bold, the one that looks stands in arrows."""
    most = max((token.share for token in strip.tokens), default=0.0)
    parts = []
    for token in strip.tokens:
        text = _escaped(clean(token.text).replace("\n", " "))
        if token.is_query:
            text = f"→{text}←"
        if most > 0 and token.share >= BOLD_FROM * most and token.text.strip():
            text = f"<b>{text}</b>"
        parts.append(text)
    return "".join(parts)
