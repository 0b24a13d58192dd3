"""What the detector lab keeps between reruns: results of whole detections, with a bound."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from headroles.ui import caches

if TYPE_CHECKING:
    from headroles.detector import Detection, Progress
    from headroles.patterns import Pattern, Prompts
    from headroles.types import Head

MOST_RESULTS = 24
"""Results that are kept for the whole server; one of 1,000 prompts on GPT-2 takes about 20 MB."""


class Request(NamedTuple):
    """Everything that a detection depends on."""

    model: str
    """The catalogue key."""
    prompts: tuple[str, ...]
    """Texts that were typed; empty where prompts are generated."""
    generated: tuple[str, int, int]
    """Kind, number and seed; ("", 0, 0) where prompts were typed."""
    patterns: tuple[Pattern, ...]
    """The patterns."""
    exclude_bos: bool
    exclude_current_token: bool
    heads: tuple[Head, ...]
    """The heads that are asked for; empty for all."""


class Result(NamedTuple):
    """What came of it."""

    found: Detection
    prompts: Prompts
    left_out: int
    """Prompts that were longer than the model reads, and were cut."""


class _Results:
    """The last results, whoever asked for them."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Request, Result] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, request: Request) -> Result | None:
        with self._lock:
            if request in self._kept:
                self._kept.move_to_end(request)
            return self._kept.get(request)

    def put(self, request: Request, result: Result) -> None:
        with self._lock:
            self._kept[request] = result
            while len(self._kept) > MOST_RESULTS:
                self._kept.popitem(last=False)


@st.cache_resource(show_spinner=False)
def _results() -> _Results:
    return _Results()


def kept(request: Request) -> Result | None:
    """The result of a request that was run before; None otherwise."""
    return _results().get(request)


def run(request: Request, *, progress: Progress | None = None) -> Result:
    """Run a detection, or take it from memory.

    Raises:
        HeadrolesError: if the model, a prompt or a pattern cannot be used.
    """
    known = kept(request)
    if known is not None:
        return known
    caches.import_libraries()
    from headroles import patterns, probe_texts
    from headroles.detector import detect

    with caches.models_in_memory().borrow(request.model) as loaded:
        cut = 0
        kind, n, seed = request.generated
        if kind:
            ids = probe_texts.generated(
                kind, n, tokenizer=loaded.tokenizer, seed=seed, max_tokens=loaded.max_tokens
            )
            prompts = patterns.prompts_of_ids(loaded.tokenizer, ids)
        else:
            prompts, encodings = patterns.read_prompts(
                loaded.tokenizer, request.prompts, max_tokens=loaded.max_tokens
            )
            cut = sum(one.truncated for one in encodings)
        found = detect(
            loaded,
            prompts,
            request.patterns,
            exclude_bos=request.exclude_bos,
            exclude_current_token=request.exclude_current_token,
            heads=request.heads,
            progress=progress,
        )
    result = Result(found, prompts, cut)
    _results().put(request, result)
    return result
