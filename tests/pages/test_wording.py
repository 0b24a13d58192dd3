"""The wording of every page, held by one file per page: everything else asserts facts.

``pytest tests/pages/test_wording.py --update-wording`` writes the files anew; ``git diff`` then
shows what a student will read differently. Numbers, heads and tokens are masked, since they belong
to the model and not to the wording, and a line that comes twice is kept once.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import pytest

from headroles.admin import hash_password
from headroles.lessons import reading
from headroles.paths import DEMO_MODEL, ROOT
from headroles.types import Head
from headroles.ui.admin import server
from headroles.ui.admin import state as admin_state
from headroles.ui.answer import state as answer_state
from headroles.ui.app import long_work, session
from headroles.ui.components import state as components_state
from headroles.ui.find_heads import state as find_state
from headroles.ui.knockout_lab import state as knockout_state
from headroles.ui.knockout_lab.sections import SECTIONS
from headroles.ui.lessons import state as lessons_state
from headroles.ui.real_text import state as real_text_state
from headroles.view.glossary import unmarked
from tests.pages.lesson_files import FIRST, SECOND

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)

FOLDER = Path(__file__).parent / "wording"
NO_REPEATS = "The old man walked slowly to the river with his dog."
MARKUP = r"<(style|svg|script).*?</\1>|<[^>]+>"
MASKS = {
    r"\\": "",  # Markdown's escapes
    r"“[^”]*”": "“…”",
    r"session [0-9a-f]{4}": "session #",
    r"[+−-]?\d[\d.,]*\d|[+−-]?\d": "#",
    r"#(?:st|nd|rd|th)\b": "#th",
    r"# (?:s|min|h|kB|MB|GB)\b": "# units",
    r"# [A-Z][a-z]{2,8} #": "# month #",
    r"[^\S\n]+": " ",
}


def said(node) -> list[str]:
    """What an element of a page shows, and what it says to someone who cannot see it."""
    proto = getattr(node, "proto", None)
    if proto is None:
        return []
    parts = [getattr(proto, name, "") for name in ("body", "label", "help", "alt", "text")]
    return [part for part in parts if isinstance(part, str)]


def lines_of(app) -> Iterator[str]:
    """The visible lines of a page, without markup, numbers and tokens.

    A single word in HTML is taken for a token.
    """
    for node in app.main:
        words = 2 if node.type == "html" else 1
        for text in said(node):
            bare = html.unescape(
                re.sub(r"<(style|svg|script).*?</\1>|<[^>]+>", "\n", unmarked(text), flags=re.S)
            )
            for mask, instead in MASKS.items():
                bare = re.sub(mask, instead, bare)
            for line in map(str.strip, bare.splitlines()):
                if len(re.findall(r"[^\W\d_]{2,}", line)) >= words:
                    yield line


def opened(page: str, **keys: object):
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120)
    app.secrets["admin"] = {"password_hash": hash_password("four random words")}
    app.run()
    for key, value in keys.items():
        app.session_state[key] = value
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    return app


def admin() -> Iterator[object]:
    app = opened("admin")
    yield app
    app.text_input(key=admin_state.SECRET).set_value("four random words")
    app.button(key="admin-sign_in").click().run()
    for section in app.segmented_control(key=admin_state.SECTION).options:
        app.segmented_control(key=admin_state.SECTION).set_value(section).run()
        yield app
    server.close()


def lessons() -> Iterator[object]:
    """The list, a question, and a summary, of lessons that no author changes."""
    with TemporaryDirectory() as folder, mock.patch.object(reading, "folders") as folders:
        folders.return_value = [Path(folder)]
        for name, text in (("first", FIRST), ("second", SECOND)):
            (Path(folder) / f"{name}.toml").write_text(text)
        yield opened("lessons")
        for step in ("which", lessons_state.END):
            yield opened("lessons", **{lessons_state.LESSON: "first", lessons_state.STEP: step})
        yield opened("lessons", **{lessons_state.LESSON: "second"})


PAGES: dict[str, Callable[[], Iterator[object]]] = {
    "your_prompt": lambda: (
        opened(
            "your_prompt",
            **dict.fromkeys((session.PROMPT, session.BOX), prompt),
            **dict.fromkeys((session.SECOND, session.SECOND_BOX), second),
        )
        for prompt, second in (("The cat sat. The cat sat.", None), (NO_REPEATS, "A cat. A cat."))
    ),
    "lessons": lessons,
    "head_closeup": lambda: (
        opened("head_closeup", **{session.HEAD: head}) for head in (Head(1, 1), Head(3, 7))
    ),
    "head_map": lambda: (
        opened("head_map", **{session.MAP_SOURCE: source}) for source in session.SOURCES
    ),
    "detector_lab": lambda: iter([opened("detector_lab")]),
    "knockout_lab": lambda: (
        opened("knockout_lab", **{knockout_state.SECTION: section}) for section in SECTIONS
    ),
    "answer": lambda: (
        opened("answer", **{answer_state.SECTION: section})
        for section in answer_state.SECTION_NAMES
    ),
    "find_heads": lambda: (
        opened("find_heads", **{find_state.SECTION: section}) for section in find_state.SECTIONS
    ),
    "circuits": lambda: iter([opened("circuits")]),
    "components": lambda: (
        opened("components", **{components_state.SECTION: section})
        for section in components_state.SECTION_NAMES[:2]  # the others have their own tests
    ),
    "real_text": lambda: (
        opened("real_text", **{real_text_state.SECTION: section})
        for section in real_text_state.SECTION_NAMES[:2]  # without what is still to be asked for
    ),
    "glossary": lambda: iter([opened("glossary")]),
    "admin": admin,
}
"""The states of each page whose words are held."""


def test_every_page_is_held() -> None:
    assert set(PAGES) == {path.stem for path in (ROOT / "pages").glob("*.py")}


@pytest.mark.parametrize("page", PAGES)
def test_the_words_of_a_page(page: str, planted, monkeypatch, request) -> None:
    monkeypatch.setattr(long_work, "MOMENT", 120.0)  # no browser ticks here
    words = "\n".join(dict.fromkeys(line for app in PAGES[page]() for line in lines_of(app))) + "\n"
    held = FOLDER / f"{page}.txt"
    if request.config.getoption("--update-wording"):
        held.write_text(words, encoding="utf-8")
    assert words == held.read_text(encoding="utf-8"), "renew it with --update-wording"
