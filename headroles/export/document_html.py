"""A document as one HTML file: it loads nothing, and is light or dark as the reader's system is.

Everything in it that is text is escaped. Shades are opacities of one colour, so that the ink can be
read on them in both themes, and each shaded token says its number when it is pointed at.

>>> to_html(document).startswith("<!doctype html>")  # doctest: +SKIP
True
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape as _escape

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
from headroles.formatting import percent

STYLE = """
:root { color-scheme: light dark; --ink: #10151b; --soft: #4a535e; --page: #fff; --line: #cfd6de;
  --head: #f1f4f7; --blue: #2e7fd0; --orange: #cc6a14; --warn: #fff4d6; --link: #0b5cad; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8ebef; --soft: #b0b8c1; --page: #14171c;
  --line: #3a424c; --head: #222931; --warn: #3d3006; --link: #7cbcff; } }
* { box-sizing: border-box; }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--page);
  margin: 0 auto; max-width: 76rem; padding: 1rem 1.25rem 4rem; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 1.2rem 0 .2rem; }
h2 { font-size: 1.35rem; margin: 2.6rem 0 .4rem; padding-top: .6rem; border-top: 1px solid
  var(--line); }
h3 { font-size: 1.1rem; margin: 1.9rem 0 .3rem; }
h4 { font-size: 1rem; margin: 1.3rem 0 .2rem; }
p, ul { margin: .35rem 0 .75rem; max-width: 46rem; }
a { color: var(--link); }
.about, .note, .end { color: var(--soft); font-size: .9rem; }
.summary { font-size: 1.08rem; }
.lead { font-weight: 600; }
.warning { background: var(--warn); border-left: 4px solid var(--orange); padding: .4rem .7rem; }
nav { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem 1rem; margin: 1.2rem 0; }
nav h2 { border: 0; margin: .2rem 0; padding: 0; font-size: 1rem; }
nav ol { margin: .2rem 0; padding-left: 1.2rem; columns: 2 18rem; list-style: none; }
nav ol ol { columns: 1; padding-left: 1rem; }
.scroll { overflow-x: auto; margin: .3rem 0 1rem; }
.scroll:focus-visible, summary:focus-visible, a:focus-visible { outline: 2px solid var(--link); }
table { border-collapse: collapse; font-size: .86rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .2rem 0; }
th, td { border: 1px solid var(--line); padding: .2rem .5rem; text-align: left;
  vertical-align: top; overflow-wrap: normal; }
thead th { background: var(--head); }
tbody th { font-weight: 600; }
td, thead th { white-space: nowrap; }
td.w { white-space: normal; min-width: 13rem; max-width: 30rem; }
details { border: 1px solid var(--line); border-radius: .5rem; padding: .35rem .8rem;
  margin: .6rem 0; }
summary { cursor: pointer; font-weight: 600; }
figure { margin: .4rem 0 .8rem; }
figcaption { color: var(--soft); font-size: .86rem; max-width: 46rem; }
svg { color: var(--ink); display: block; }
svg text { fill: currentColor; font: 11px system-ui, sans-serif; }
.u { fill: #2e7fd0; } .a { fill: #cc6a14; }
.strip { line-height: 1.9; border: 1px solid var(--line); border-radius: .4rem;
  padding: .3rem .6rem; margin: .2rem 0 .9rem; font-size: .9rem; white-space: pre-wrap; }
.strip span { border-radius: .2rem; padding: .08rem .06rem; }
.strip .q { outline: 2px solid var(--orange); outline-offset: -1px; }
@media (max-width: 640px) { body { font-size: 15px; padding: .6rem .8rem 3rem; }
  tbody th { white-space: normal; } td.w { min-width: 10rem; } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #333; --page: #fff;
    --line: #bbb; --head: #eee; --warn: #fff; --link: #000; }
  body { max-width: none; padding: 0; font-size: 10.5pt; } table { font-size: 7pt; }
  figure, tr, .strip, nav { break-inside: avoid; } h2, h3, h4 { break-after: avoid; }
  .scroll { overflow: visible; } .scroll svg { max-width: 100%; height: auto; }
  a { text-decoration: none; } th, td, td.w, thead th { padding: .1rem .2rem;
    white-space: normal; min-width: 0; } td.w { overflow-wrap: break-word; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""
MOST_SHADE = 0.75
"""Opacity of the strongest shade: ink on it keeps 4.5 to 1 in either theme."""
LONG = 34
"""A column with a cell of more characters is broken into lines."""


def to_html(document: Document) -> str:
    """The document as one file."""
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(document.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f'<header>\n<h1>{escape(document.title)}</h1>\n<p class="about">'
        f"{escape(document.about)}</p>\n</header>\n<main>\n",
        *map(_block, document.lead),
        _contents(document),
        *(_section(section, 2) for section in document.sections),
        f'</main>\n<footer><p class="end">{escape(document.end)}</p></footer>\n</body>\n</html>\n',
    ]
    return "".join(parts)


def escape(text: str) -> str:
    """A text as HTML, without what no file can hold."""
    return _escape(clean(text))


def _contents(document: Document) -> str:
    lines, depth = ['<nav aria-labelledby="contents">\n<h2 id="contents">Contents</h2>\n<ol>'], 0
    entries = list(document.contents())
    for place, (level, section) in enumerate(entries):
        if place:
            lines.append("<ol>" * (level - depth) if level > depth else "</li>")
            lines.append("</ol></li>" * (depth - level))
        lines.append(f'<li><a href="#{escape(section.anchor)}">{escape(section.title)}</a>')
        depth = level
    lines.append("</li>" + "</ol></li>" * depth + "</ol>\n</nav>\n")
    return "".join(lines) if entries else ""


def _section(section: Section, level: int) -> str:
    anchor = f' id="{escape(section.anchor)}"' if section.anchor else ""
    rank = min(level, 6)
    heading = f"<h{rank}{anchor}>{escape(section.title)}</h{rank}>\n"
    inner = "".join(_section(part, level + 1) for part in section.sections)
    return f"<section>\n{heading}{_blocks(section.blocks)}{inner}</section>\n"


def _blocks(blocks: Iterable[Block]) -> str:
    return "".join(map(_block, blocks))


def _block(block: Block) -> str:
    if isinstance(block, Text):
        kind = "" if block.kind == "plain" else f' class="{block.kind}"'
        return f"<p{kind}>{escape(block.words)}</p>\n"
    if isinstance(block, Bullets):
        return f"<ul>{''.join(f'<li>{escape(item)}</li>' for item in block.items)}</ul>\n"
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Picture):
        return (
            f'<figure><div class="scroll" tabindex="0" role="group" aria-label="Map">{block.svg}'
            f"</div><figcaption>{escape(block.alt)}</figcaption></figure>\n"
        )
    if isinstance(block, Strip):
        tokens = "".join(map(_token, block.tokens))
        return f'<p>{escape(block.about)}</p>\n<div class="strip">{tokens}</div>\n'
    assert isinstance(block, Folded)
    return (
        f"<details><summary>{escape(block.summary)}</summary>\n{_blocks(block.blocks)}</details>\n"
    )


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in table.headers)
    kinds = [_kind([row[place] for row in table.rows]) for place in range(len(table.headers))]
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(
            f"<td{kind}>{escape(cell)}</td>" for kind, cell in zip(kinds[1:], row[1:], strict=True)
        )
        + "</tr>\n"
        for row in table.rows
    )
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(table.caption)}">'
        f"<table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"
        "</div>\n"
    )


def _kind(cells: Sequence[str]) -> str:
    """Of a column: wide where a cell is a sentence, else in one line."""
    return ' class="w"' if max(map(len, cells), default=0) > LONG else ""


def _token(token: object) -> str:
    shade = min(max(token.share, 0.0), 1.0) * MOST_SHADE
    style = f' style="background:rgb(46 127 208/{shade:.2f})"' if shade >= 0.01 else ""
    says = f' title="{percent(token.share)}"' if shade >= 0.01 else ""
    kind = ' class="q"' if token.is_query else ""
    if not (style or kind):
        return f"<bdi>{escape(token.text)}</bdi><wbr>"
    return f"<span{kind}{style}{says}><bdi>{escape(token.text)}</bdi></span><wbr>"
