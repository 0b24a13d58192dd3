"""Anybody's words in Markdown, which Streamlit reads nearly everywhere, come out as they are."""

from __future__ import annotations

import re

from headroles.formatting import in_one_line

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~<>$:&=])")
_READ_LATE = re.compile(
    r"(?<=:)(?=material/|[\w+-]+:|//)|(?<=www)(?=\.)|(?<=\w)(?=@\w)"
    r"|(?<=-)(?=[->])|(?<=<)(?=[-=])|(?<=[>~])(?==)",
    re.IGNORECASE,
)
"""Places in what Streamlit replaces after Markdown was read, whatever was escaped: icons and emoji
(``:material/home:``), addresses (``www.a.b``, ``a@b.c``) and arrows (``->``)."""
_JOINER = "\u2060"
"""Has no width, and parts what would be replaced."""
_COMMAND = re.compile(r"(python -m [\w.]+(?: --[\w-]+(?: (?:'[^'`]*'|[^\s,;`]+))?)*)")


def plain(text: str) -> str:
    """Text for Markdown, in which it comes out as it is, in one line.

    Everything that anybody wrote (prompts, tokens, names of models, files and patterns) passes here
    before it gets into a label, a caption, a tooltip or a message.
    """
    return _literal(_one_line(text))


def sentence(text: str) -> str:
    """The same for a sentence of ours: a command in it is code, which can be copied as it is.

    >>> print(sentence("To see it: python -m scripts.warm_up --model demo"))
    To see it\\: `python -m scripts.warm_up --model demo`
    """
    parts = enumerate(_COMMAND.split(_one_line(text)))  # every second one is a command
    return "".join(f"`{part}`" if place % 2 else _literal(part) for place, part in parts)


def _one_line(text: str) -> str:
    return " ".join(text.split("\n")).strip()


def _literal(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", _READ_LATE.sub(_JOINER, text))


def named(name: str, *, limit: int | None = None) -> str:
    """The same for a name whose characters may be unseen, or that may be very long."""
    return plain(in_one_line(name, limit=limit))
