"""The text that the page is about: results that are stored, or a text that is read now.

Every section begins with :func:`draw`, which says what was read and gives its record
(:class:`headroles.store.real_text.RealText`); a section that runs something of its own gets the
passages as the model reads them from :func:`tokenized`.
"""

from __future__ import annotations

import threading
import time
import weakref
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles import capture, corpus, limits, models, store, texts
from headroles.errors import HeadrolesError
from headroles.formatting import count
from headroles.ui.app import (
    caches,
    draft_box,
    elements,
    long_work,
    passages,
    run_prompt,
    session,
)
from headroles.ui.real_text import state
from headroles.view import real_text as words
from headroles.view.html import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from headroles.corpus import Corpus, Pass, Setting
    from headroles.models import LoadedModel
    from headroles.store.real_text import RealText
    from headroles.texts import Passage, TextSource

SEED = 0
"""Draws the passages that are read now."""
CELLS = 40_000
"""Passages x length^2 of a step: one long passage, so that a slow model's bar moves, and it can be
stopped."""


class Asked(NamedTuple):
    """A text; what is made of it is kept by this."""

    model: str
    """The catalogue key."""
    text: str
    """A key of :data:`headroles.ui.real_text.state.TEXTS`."""
    tokens: int = 0
    """How many are read at most; 0 for stored results."""
    own: tuple[tuple[str, str], ...] = ()
    """(name, text) of what the reader brought."""
    stamp: object = None
    """Tells a stored file from the one that was there before."""


class Given(NamedTuple):
    """A text with what the model's heads do on it."""

    asked: Asked
    """Which text; names other work on it."""
    record: RealText
    """What the heads do."""
    passages: tuple[Passage | None, ...]
    """[place in the record's passages] with their text; None where this machine has it not."""

    @property
    def read(self) -> passages.ReadText:
        """The record with its passages, for what pages share."""
        return passages.ReadText(self.record, self.passages)


def draw() -> Given | None:
    """The choice of a text, and what was found on it; None, with the reason shown, until it is
    there."""
    model = st.session_state[session.MODEL]
    caches.import_libraries()
    with st.container(key="real_text-choice"):
        asked = _choose(model)
        place = st.container()
    if asked is None:
        return None
    with place:
        try:
            given = _stored(asked) if asked.text == state.STORED else _read_now(asked)
        except HeadrolesError as error:
            run_prompt.show_model_error(error)
            return None
        if given is not None:
            elements.note(escape(words.what_was_read(given.record, given.passages)))
    return given


def tokenized(given: Given) -> Corpus:
    """The passages of a text as the model reads them, those whose text is here.

    Raises:
        HeadrolesError: if the model cannot be loaded, or no passage is here.
    """
    return _tokenized(given.asked.model, given.asked, _passages=given.passages)


@caches.keep
def _tokenized(model: str, asked: Asked, *, _passages: Sequence[Passage | None]) -> Corpus:
    with caches.borrow(model) as loaded:
        return corpus.tokenize(
            loaded.tokenizer, [one for one in _passages if one is not None], **_lengths(loaded)
        )


# ------------------------------------------------------------------ the choice


def _choose(model: str) -> Asked | None:
    """The chosen text; None, with the reason shown, where there is none yet."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            "Text",
            list(state.TEXTS),
            format_func=state.TEXTS.__getitem__,
            key=state.TEXT,
            required=True,
            persist_state="session",
        )
        text = st.session_state[state.TEXT]
        stamp = store.real_text.stamp(model)
        missing = text == state.STORED and stamp is None
        if text != state.STORED or missing:
            st.selectbox(
                "Tokens, at most",
                state.TOKENS,
                format_func="{:,}".format,
                key=state.MOST,
                persist_state="session",
                width=140,
            )
    if text == state.STORED and not missing:
        return Asked(model, text, stamp=stamp)
    if text == state.OWN:
        own = _own()
        return Asked(model, text, st.session_state[state.MOST], own) if own else None
    stories = models.entry_of(model).stories
    if missing:
        text = "stories" if stories else "manual"
        elements.note(escape(words.nothing_stored(state.TEXTS[text])))
    if stories and text != "stories":
        elements.note(escape(words.STORIES_ONLY))
    return Asked(model, text, st.session_state[state.MOST])


def _own() -> tuple[tuple[str, str], ...]:
    """(name, text) of what the reader brought; empty until something is read."""
    draft_box.draw(
        "Your text",
        box=state.OWN_BOX,
        shown=state.OWN_SHOWN,
        run="real_text-read",
        placeholder="Paste some paragraphs, or upload text files below",
        most=limits.OWN_TEXT.most,
    )
    draft_box.run_button("Read it", key="real_text-read", on_click=state.read_own)
    with st.expander("Or text files", type="compact", key="real_text-files_box"):
        files = st.file_uploader(
            "Text files", type=["txt", "md", "py", "csv", "rst", "tex"],
            accept_multiple_files=True, key=state.FILES,
        )  # fmt: skip
    try:
        limits.CORPUS.check(sum(file.size for file in files))
        given = [(file.name, texts.as_text(file.getvalue(), name=file.name)) for file in files]
    except HeadrolesError as error:
        elements.show_error(error)
        return ()
    if (typed := st.session_state[state.OWN_SHOWN]) and typed.strip():
        given.append(("pasted text", typed))
    if not given:
        elements.note(
            "Nothing to read yet: paste a text and click “Read it”, or upload files. A text stays "
            "on this server for as long as the page is open, and is not kept."
        )
    return tuple(given)


# ------------------------------------------------------------------ what is stored


def _stored(asked: Asked) -> Given | None:
    read = passages.stored(asked.model)
    if read is None:
        elements.show_error(words.other_weights(models.name_of(asked.model)), kind=st.warning)
        return None
    return Given(asked, *read)


# ------------------------------------------------------------------ what is read now


class _Run:
    """A pass that several sessions may do the steps of: each batch is run once.

    The kept steps of somebody who left may be of a pass that is gone, so a step first does those
    before it that this pass has not seen.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked, self._lock, self._done = asked, threading.Lock(), 0
        with caches.borrow(asked.model) as loaded:
            self.whole: Pass = corpus.Pass(_setting(loaded, asked), max_cells=CELLS)
            self._revision = loaded.revision

    def step(self, place: int) -> int:
        """Run the batches up to this one; the number of it."""
        with self._lock, caches.borrow(self._asked.model) as loaded:
            while self._done <= place:
                self.whole.step(self._done, partial(capture.each_layer, loaded))
                self._done += 1
        return place

    def result(self) -> Given:
        """What was found."""
        self.step(len(self.whole) - 1)
        source = _source(self._asked)
        record = self.whole.record(
            model=self._asked.model, revision=self._revision, sources={source.key: source}
        )
        return Given(self._asked, record, self.whole.setting.corpus.passages)


_runs: weakref.WeakValueDictionary[Asked, _Run] = weakref.WeakValueDictionary()
_making = threading.Lock()


def _plan(asked: Asked) -> long_work.Plan:
    with _making:
        run = _runs.get(asked) or _Run(asked)
        _runs[asked] = run
    places = range(len(run.whole))
    return long_work.Plan([partial(run.step, place) for place in places], lambda _: run.result())


def _read_now(asked: Asked) -> Given | None:
    """The result of reading a text, once somebody asked for it."""
    if not long_work.offer(
        "real_text-read",
        asked,
        f"Read {count(asked.tokens, 'token')}",
        what="reading of real text",
        seconds=asked.tokens * _seconds_per_token(asked.model),
    ):
        return None
    return long_work.run("real_text-read", asked, partial(_plan, asked), doing="Reading")


@caches.keep
def _seconds_per_token(model: str) -> float:
    """Of a pass with everything that looks on, from a few passages."""
    run = _Run(Asked(model, "stories", tokens=40))
    run.step(0)  # the first one is longer
    run = _Run(Asked(model, "stories", tokens=150))
    began = time.thread_time()
    run.step(len(run.whole) - 1)
    return (time.thread_time() - began) / run.whole.setting.corpus.tokens


def _source(asked: Asked) -> TextSource:
    if asked.text != state.OWN:
        return texts.SOURCES[asked.text]
    return texts.sources.own_text([texts.Document(name, text) for name, text in asked.own])


def _setting(loaded: LoadedModel, asked: Asked) -> Setting:
    try:
        entry = caches.stored(asked.model).entry
    except HeadrolesError:
        entry = None  # the sections say what that means
    drawn = corpus.draw(
        loaded.tokenizer, [_source(asked)], tokens=asked.tokens, seed=SEED, **_lengths(loaded)
    )
    return corpus.Setting(drawn, (loaded.num_layers, loaded.num_heads), entry, SEED)


def _lengths(loaded: LoadedModel) -> dict[str, int]:
    return {"max_tokens": min(corpus.reading.MAX_TOKENS, loaded.max_tokens)}
