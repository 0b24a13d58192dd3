"""A lesson's Markdown as HTML whose words explain themselves. Pure: no Streamlit, no model.

HTML in a text is shown as it was typed, and pictures are left out: a lesson loads nothing.

>>> to_html("A **head** looks back.")
'<p>A <strong>head</strong> looks back.</p>\\n'
>>> filled("Where does {head} of {model} look?", model="demo", head="L1H4")
'Where does L1H4 of demo look?'
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

from headroles import lessons
from headroles.view import glossary
from headroles.view.markdown import plain

if TYPE_CHECKING:
    pass

HIGHEST = 4
"""A heading in a text stands below that of its step, which is an ``h3``."""


@cache
def _reader() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


@lru_cache(maxsize=512)
def to_html(text: str, *, everyday: bool = False) -> str:
    """A text with the words of the glossary marked.

    Args:
        text: Markdown, filled.
        everyday: whether everyday words such as *token* are marked too.
    """
    tokens = _reader().parse(text)
    for token in tokens:
        if token.type.startswith("heading_"):
            token.tag = f"h{max(HIGHEST, int(token.tag[1]))}"
        for inner in token.children or ():
            if inner.type == "link_open":
                inner.attrSet("target", "_blank")
                inner.attrSet("rel", "noopener")
    body = _reader().renderer.render(tokens, _reader().options, {})
    body = body.replace("“ ", "“\N{NO-BREAK SPACE}")  # a token with its space stays in one line
    return glossary.mark(body, everyday=everyday)


def filled(text: str, *, model: str, head: str = "") -> str:
    """A text with the names in place of ``{model}`` and ``{head}``.

    Args:
        text: Markdown, as a lesson's file holds it.
        model: the name of the model that is asked.
        head: the label of the head; "" where the step is about none.
    """
    return lessons.lesson.fill(text, model=plain(model), head=plain(head) or "the head")


def names_head(text: str | None) -> bool:
    """Whether a text names the step's head, so that a model must say which one that is."""
    return text is not None and "{head}" in text


def to_plain(text: str) -> str:
    """A text without its marks, in one line, for what takes no HTML.

    >>> to_plain("An **induction** head:\\n\\n- `looks` back")
    'An induction head: looks back'
    """
    blocks = [token.children or () for token in _reader().parse(text) if token.type == "inline"]
    joined = [
        "".join(part.content or " " * (part.type == "softbreak") for part in block)
        for block in blocks
    ]
    return " ".join(" ".join(joined).split())
