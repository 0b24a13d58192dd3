"""Passages of real text that show what a head does, for the pages that show some."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import store, texts, view
from headroles.formatting import percent
from headroles.roles import BASIC_ROLES
from headroles.ui.app import address, caches, elements, files, scope, session

if TYPE_CHECKING:
    from headroles.store.real_text import Example, RealText
    from headroles.texts import Passage
    from headroles.types import Head


class ReadText(NamedTuple):
    """What a model's heads do on some text, with the text."""

    record: RealText
    """What they do."""
    passages: tuple[Passage | None, ...]
    """[place in the record's passages] with their text; None where this machine has it not."""


def stored(model: str) -> ReadText | None:
    """What is stored for a model; None where there is nothing for the weights that are here.

    Raises:
        HeadrolesError: if the file is damaged, or the model's files cannot be read.
    """
    stamp = store.real_text.stamp(model)
    return None if stamp is None else _stored(model, stamp)


@caches.keep
def _stored(model: str, stamp: object) -> ReadText | None:
    record = store.real_text.read_real_text(model, revision=files.revision(model))
    if record is None:
        return None
    here = texts.sources.find(one.digest for one in record.passages)
    return ReadText(record, tuple(here.get(one.digest) for one in record.passages))


@caches.keep
def tokens_of(model: str, text: str) -> tuple[str, ...]:
    """[pos] the tokens of a passage, as far as a pass over many reads it.

    Raises:
        HeadrolesError: if the model cannot be loaded.
    """
    with caches.borrow(model) as loaded:
        most = min(store.real_text.PASSAGE_TOKENS, loaded.max_tokens)
        return texts.encode(loaded.tokenizer, text, max_tokens=most).tokens


def draw(
    model: str,
    read: ReadText,
    examples: Sequence[Example],
    *,
    head: Head,
    role: str | None,
    key: str,
    names: Sequence[str] = (),
) -> None:
    """One card per example: the passage, where it stands, and the way to the close-up.

    Args:
        model: the catalogue key.
        read: of which the examples are.
        examples: what is shown.
        head, role: whose they are; the role is None for the head's looks.
        key: begins the keys of the buttons.
        names: what each example is called, e.g. its tenth.
    """
    sources = {source.key: source.name for source in read.record.sources}
    for number, example in enumerate(examples):
        place, query, activation, *_ = example
        told, passage = read.record.passages[place], read.passages[place]
        name = f"{names[number]}: " if names else ""
        head_line = f"<b>{escape(name)}{percent(activation / 1000)}</b>"
        with st.container(key=f"{key}_{number}", gap="small", border=True):
            if passage is None:
                missing = view.passages.missing(told, read.record.python)
                elements.html(f'<div class="hr-small">{head_line} {escape(missing)}</div>')
                continue
            tokens = tokens_of(model, passage.text)
            if query >= len(tokens):  # a file that fits no text of this tokenizer
                continue
            where = escape(view.passages.where(told, sources))
            elements.html(f'<div class="hr-small">{head_line} · {where}</div>')
            elements.html(view.passages.tinted(tokens, example))
            scope.button(
                session.CLOSEUP,
                "Close-up with this passage",
                icon=":material/zoom_in:",
                type="tertiary",
                key=f"{key}_open_{number}",
                on_click=open_closeup,
                args=(passage.text, head, role, query),
                help=view.html.plain(view.passages.say(tokens, example)),
            )


def open_closeup(text: str, head: Head, role: str | None, query: int) -> None:
    """Lead to the close-up of a head on a passage, with the token that looks chosen."""
    session.use_tested(text)
    shown = {"role": role} if role in BASIC_ROLES else {}
    address.follow(session.CLOSEUP, head=head, position=query, **shown)
