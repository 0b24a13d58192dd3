"""A report read back: what its HTML and its Markdown say, block by block, in plain words."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser

VOID = {"meta", "wbr", "rect", "path"}


class Page(HTMLParser):
    """Tags, tables and texts of an HTML file; text within drawings and styles is left out."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: list[list[list[str]]] = []
        self.said: list[str] = []
        self._open: list[str] = []
        self._cell: list[str] | None = None
        self.feed(text)
        self.close()
        assert not self._open, f"not closed: {self._open}"

    def handle_starttag(self, tag: str, attrs) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self._cell = []

    def handle_startendtag(self, tag: str, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"{tag} closes what is not open"
        if tag in ("th", "td"):
            self.tables[-1][-1].append("".join(self._cell or ()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)
        elif data.strip() and not {"svg", "style"} & set(self._open):
            self.said.append(" ".join(data.split()))


def plain(markdown: str) -> str:
    """Markdown's escapes taken back."""
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", markdown)


def cells(line: str) -> list[str]:
    """The cells of a row of a Markdown table."""
    return [plain(cell.strip()) for cell in re.split(r"(?<!\\)(?:\\\\)*\|", line)[1:-1]]


def markdown_tables(text: str) -> list[list[list[str]]]:
    """Every table: its rows with the header, without the rule."""
    tables: list[list[list[str]]] = []
    before = ""
    for line in text.splitlines():
        if line.startswith("| "):
            if not before.startswith("|"):
                tables.append([])
            tables[-1].append(cells(line))
        before = line
    for table in tables:
        assert set("".join(table.pop(1))) <= {"-", " "}
    return tables


def without_maps(tables: list[list[list[str]]]) -> list[list[list[str]]]:
    """The tables of a Markdown file that the HTML has as tables, too, and not as drawings."""
    return [table for table in tables if not is_map(table)]


def is_map(table: list[list[str]]) -> bool:
    """Whether a table stands for a drawing: layers across, heads down."""
    return table[0][:2] == ["head", "layer 0"]


def markdown_says(text: str) -> str:
    """All words of a Markdown file in one line, without its marks."""
    folded = re.split(r"<summary>(.*)</summary>", text)  # every second one is read as HTML
    words = [unescape(part) if place % 2 else _unmarked(part) for place, part in enumerate(folded)]
    return " ".join(" ".join(words).split())


def _unmarked(text: str) -> str:
    return plain(re.sub(r"</?(?:details|b)>|<a id=\"[^\"]*\"></a>", " ", text))
