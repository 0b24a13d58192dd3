"""What a page of a large model costs: seconds of script, and bytes to the browser.

The page runs as it does in the app, without a browser.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

from streamlit.testing.v1 import AppTest

from headroles.models import catalogue, load_tokenizer
from headroles.paths import ROOT
from headroles.ui.app import caches, session
from scripts.benchmark.measured import REAL, SMALL, Figure, Measured, Subject, in_turn

LONG, SHORT = 200, 20
"""Tokens of the two prompts that are compared."""


def page_seconds(page: str, name: str, subject: Subject, repeats: int) -> Measured:
    """Script time of a page at 200 tokens and at 20; the prompt was answered before."""
    with pages_of_a_large_model(page, subject) as show:
        first, second = in_turn(lambda: show(LONG), lambda: show(SHORT), repeats=repeats)
    what = f"script of {name} at 200 / at 20 tokens, {subject.name}, prompt answered before"
    return Measured(what, "at most 2", first, second)


def page_bytes(page: str, name: str, subject: Subject, _repeats: int) -> Measured:
    """Kilobytes that a page sends to the browser at 200 tokens and at 20; the same in every run."""
    with pages_of_a_large_model(page, subject) as show:
        long, short = (show(tokens) / 1000 for tokens in (LONG, SHORT))
    what = f"KB sent by {name} at 200 / at 20 tokens, {subject.name}"
    return Measured(what, "under 200 KB", [long], [short], unit="KB")


@contextlib.contextmanager
def pages_of_a_large_model(page: str, subject: Subject) -> Iterator[Callable[[int], int]]:
    """A function that draws a page for a prompt of so many tokens, and returns the bytes sent."""
    with subject.folder() as folder:
        demo = replace(catalogue.CATALOGUE["demo"], source=str(folder))
        with mock.patch.dict(catalogue.CATALOGUE, {"demo": demo}):
            app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=300).run()
            app.switch_page(page).run()

            def show(tokens: int) -> int:
                app.session_state[session.PROMPT] = _prompt_of(tokens, folder)
                app.session_state[session.MAP_SOURCE] = session.PROMPTED
                app.run()
                assert not app.exception, app.exception[0].message
                protos = [getattr(part, "proto", None) for part in [*app.main, *app.sidebar]]
                return sum(proto.ByteSize() for proto in protos if proto is not None)

            yield show
            caches.clear()
            caches.models_in_memory.clear()


def _prompt_of(tokens: int, folder: Path) -> str:
    """A text of exactly so many tokens, the start token included."""
    tokenizer = load_tokenizer(str(folder))
    ids = tokenizer("The cat sat on the mat. The dog lay by the fire. " * tokens)["input_ids"]
    return tokenizer.decode(ids[: tokens - 1])


_PAGES = {
    "closeup": ("pages/head_closeup.py", "Head close-up"),
    "map": ("pages/head_map.py", "Head map"),
}
_SUBJECTS = {"": SMALL, "_real": REAL}
FIGURES: dict[str, Figure] = {
    f"{key}_page_{unit}{which}": partial(measure, *page, subject)
    for key, page in _PAGES.items()
    for which, subject in _SUBJECTS.items()
    for unit, measure in (("seconds", page_seconds), ("bytes", page_bytes))
}
