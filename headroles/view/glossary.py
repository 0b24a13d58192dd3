"""The words of the field: one plain sentence and a small picture each, shown on the word itself.

The words stand in ``glossary.toml``, the pictures in :mod:`headroles.view.glossary_pictures`.
:func:`mark` turns the first occurrence of a word in a piece of HTML into a button whose definition
is shown on hover, tap and focus. That takes no JavaScript: the definition is an HTML popover, which
``style.css`` also shows while its button is pointed at.

>>> sentence("nats")
'The unit of log-probability, loss and KL: 0.69 nats make a guess twice as likely, or half as likely.'
>>> 'popovertarget="hr-loss' in mark("The loss rises.")
True
>>> unmarked(mark("The loss rises."))
'The loss rises.'
"""  # noqa: E501

from __future__ import annotations

import re
import tomllib
import zlib
from functools import cache, lru_cache
from html import escape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from headroles.view.glossary_pictures import PICTURES
from headroles.view.strokes import svg


class Term(NamedTuple):
    """A word and what it means."""

    key: str
    """Its name in addresses and in the program."""
    name: str
    """Its heading."""
    sentence: str
    """What it means (plain text)."""
    shown_on: tuple[str, ...]
    """The titles of the pages that use it."""
    spellings: tuple[str, ...]
    """What pages mark besides its name; regular expressions."""
    everyday: bool = False
    """Whether it is so common that only the first lines of a page mark it."""
    name_is_marked: bool = True
    """Whether its name is never anything else in a sentence."""

    @property
    def picture(self) -> tuple[str, str]:
        """Its picture as SVG elements, and the same in words."""
        return PICTURES[self.key]


def _read() -> dict[str, tuple[Term, ...]]:
    words = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {
        section["name"]: tuple(
            Term(
                **{
                    **fields,
                    "shown_on": tuple(fields["shown_on"]),
                    "spellings": tuple(fields.get("spellings", ())),
                }
            )
            for fields in section["term"]
        )
        for section in words["section"]
    }


SECTIONS: dict[str, tuple[Term, ...]] = _read()
"""{heading: its terms}, in the order of the page."""

TERMS: dict[str, Term] = {term.key: term for terms in SECTIONS.values() for term in terms}
"""Every term by its key."""


def sentence(key: str) -> str:
    """What a word means, as plain text: for the ``help`` of a widget.

    Raises:
        KeyError: if the glossary has no such word.
    """
    return TERMS[key].sentence


def term(key: str, shown: str = "", *, place: str = "") -> str:
    """A word with its definition, as HTML.

    Args:
        key: the word's key.
        shown: HTML; how it is written here, if not as its name.
        place: any text that no other mark of the same word on the page has.

    Raises:
        KeyError: if the glossary has no such word.
    """
    entry = TERMS[key]
    name = f"hr-{key}-{zlib.crc32(place.encode()):08x}"
    return (
        f'<span class="hr-gloss"><button type="button" '
        f'class="hr-term" popovertarget="{name}" aria-describedby="{name}">'
        f"{shown or escape(entry.name)}</button>"
        f'<span popover id="{name}" class="hr-tip" role="tooltip">{_drawn(key)}'
        f"<span><b>{escape(entry.name)}</b> {escape(entry.sentence)}</span></span></span>"
    )


@cache
def _drawn(key: str) -> str:
    """The picture: Streamlit's HTML takes no SVG, so the text's colour is masked by one."""
    strokes, alt = PICTURES[key]
    data = quote(svg(strokes).replace('"', "'"), safe=" /:=',()-.;")
    return (
        f'<span class="hr-picture" role="img" aria-label="{escape(alt)}" '
        f'style="--hr-picture: url(&quot;data:image/svg+xml,{data}&quot;)"></span>'
    )


_MARK = re.compile(
    r'<span class="hr-gloss">(\(?)<button [^>]*>(.*?)</button>([).,:!?]*)'
    r"<span popover .*?</span></span></span>"
)
_BEFORE = re.compile(r'(\()(<span class="hr-gloss">)')
_AFTER = re.compile(
    r"(</button>)(<span popover (?:(?!<span popover ).)*?</span></span></span>)([).,:!?]+)", re.S
)


def unmarked(body: str) -> str:
    """The same HTML without definitions: what a reader sees at first."""
    return _MARK.sub(r"\1\2\3", body)


# ------------------------------------------------------------------ marking

_TAG = re.compile(r"(<[^>]+>)")
_VOID = {"br", "hr", "img", "input", "wbr", "col"}
_SILENT = re.compile(
    r'^<(?:button|a|bdi|code|h[1-6]|style|svg)\b|class="[^"]*\bhr-(?:token|prompt)\b'
)
"""Elements whose text is a name, somebody's own words, or a control already."""


@cache
def _pattern(everyday: bool) -> re.Pattern[str]:
    spellings = [
        (spelling, entry.key)
        for entry in TERMS.values()
        if everyday or not entry.everyday
        for spelling in (*entry.spellings, *[re.escape(entry.name)] * entry.name_is_marked)
    ]
    spellings.sort(key=lambda pair: -len(pair[0]))
    groups = "|".join(f"(?P<{key}_{n}>{said})" for n, (said, key) in enumerate(spellings))
    return re.compile(rf"(?<![\w-])(?:{groups})(?!\w)", re.IGNORECASE)


@lru_cache(maxsize=512)  # most of what a page says, it says in every run
def mark(body: str, *, everyday: bool = False, place: str = "") -> str:
    """Turn the first occurrence of each word of the glossary into a mark (:func:`term`).

    What stands in “quotes”, in tokens, headings, links and buttons stays as it is.

    Args:
        body: HTML, or text that was escaped for HTML.
        everyday: whether everyday words such as *token* are marked too.
        place: what tells this piece from others of the same words, where a page may have some.
    """
    seen: set[str] = set()
    silent: list[bool] = []
    quoted = False
    parts = []

    def replace(found: re.Match[str]) -> str:
        key = str(found.lastgroup).rpartition("_")[0]
        if key in seen:
            return found[0]
        seen.add(key)
        return term(key, found[0], place=place or body)

    for part in _TAG.split(body):
        if part.startswith("<"):
            _follow(part, silent)
        elif not any(silent):
            pieces = re.split(r"([“”])", part)
            for number, piece in enumerate(pieces):
                if piece in "“”" and piece:
                    quoted = piece == "“"
                elif not quoted:
                    pieces[number] = _pattern(everyday).sub(replace, piece)
            part = "".join(pieces)
        parts.append(part)
    return _together("".join(parts))


def _together(body: str) -> str:
    """Brackets and points beside a mark go into it: else a line may end between them, because a
    browser takes a button for a picture."""
    return _AFTER.sub(r"\1\3\2", _BEFORE.sub(r"\2\1", body))


def _follow(tag: str, silent: list[bool]) -> None:
    """Keep the list of open elements, each with whether its text stays as it is."""
    if tag.startswith("</"):
        if silent:
            silent.pop()
    elif not tag.endswith("/>") and re.match(r"<(\w+)", tag) and tag[1:-1].split()[0] not in _VOID:
        silent.append(bool(_SILENT.search(tag)))


# ------------------------------------------------------------------ the page


def search(wanted: str) -> dict[str, tuple[Term, ...]]:
    """The sections with the terms that a text names, by key or by words; its own term first."""
    needle = " ".join(wanted.lower().split())

    def rank(entry: Term) -> bool:
        return needle not in (entry.key, entry.name.lower())

    found = {
        name: tuple(sorted((term for term in terms if _has(term, needle)), key=rank))
        for name, terms in SECTIONS.items()
    }
    hits = [(name, terms) for name, terms in found.items() if terms]
    return dict(sorted(hits, key=lambda hit: rank(hit[1][0])))


def _has(entry: Term, needle: str) -> bool:
    said = " ".join((entry.name, entry.sentence, *entry.spellings)).lower()
    return needle == entry.key or needle in said


def entries(terms: tuple[Term, ...]) -> str:
    """Terms with their pictures, as a list of definitions in HTML; each has its key as anchor."""
    items = "".join(
        f'<div class="hr-entry" id="{entry.key}"><dt>{escape(entry.name)}</dt>'
        f"<dd>{_drawn(entry.key)}</dd><dd>{escape(entry.sentence)} "
        f"<small>Shown on {escape(', '.join(entry.shown_on))}.</small></dd></div>"
        for entry in terms
    )
    return f'<dl class="hr-entries">{items}</dl>'
