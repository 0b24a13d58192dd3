"""Which tokens the tables are about: common whole words, all tokens, or the words of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import export, limits, texts
from headroles.errors import HeadrolesError
from headroles.ui.app import elements, keeper
from headroles.ui.circuits import state
from headroles.view import html

if TYPE_CHECKING:
    from collections.abc import Hashable

    from streamlit.runtime.uploaded_file_manager import UploadedFile
    from torch import Tensor

    from headroles.models import LoadedModel
    from headroles.store import TokenFrequencies
    from headroles.texts.word_lists import Words


class Among(NamedTuple):
    """The tokens that a table chooses from."""

    ids: Tensor | tuple[int, ...] | None
    """[some] the tokens; None: all."""
    which: Hashable
    """What tells them from others, for what is kept."""
    words: str
    """What they are, in a sentence about the table."""
    called: str
    """What they are, in a file."""


def draw() -> None:
    """The box for a file of words, in the settings."""
    st.file_uploader(
        "Only the words of a file (one on every line)",
        type=["txt"],
        key=state.WORDS_FILE,
        help="The table then chooses keys, queries and outputs among these words alone. A word "
        "that the model reads in pieces is left out.",
    )


def among(loaded: LoadedModel, frequencies: TokenFrequencies, *, quiet: bool = False) -> Among:
    """The chosen tokens; a file that cannot be used is refused in a sentence, and the others stay.

    What was left out of a file is said, too.
    """
    file = st.session_state.get(state.WORDS_FILE)
    if file is not None:
        try:
            limits.UPLOAD.check(file.size)
            own = _read(file.file_id, loaded.weights, file, loaded)
        except HeadrolesError as error:
            if not quiet:
                elements.show_error(error)
        else:
            if not quiet:
                st.caption(html.plain(f"The tables are about {own.sentence}"))
            called = export.circuits.tokens_of(own.ids, own=own.name)
            return Among(own.ids, own.ids, f"the {called}", called)
    ids = None if st.session_state[state.FRAGMENTS] else frequencies.words
    count = len(frequencies.probabilities) if ids is None else len(ids)
    words = f"{count:,} common whole words"
    if ids is None:
        words = f"all {count:,} tokens, parts of words included"
    return Among(ids, ids is None, words, export.circuits.tokens_of(ids))


@keeper.keep
def _read(
    file_id: str, weights: tuple[str, str], _file: UploadedFile, _loaded: LoadedModel
) -> Words:
    """The words of a file, read once. Streamlit gives every upload an id that nobody can guess."""
    text = texts.as_text(_file.getvalue(), name=_file.name)
    return texts.read_words(text, _loaded.tokenizer, name=_file.name)
