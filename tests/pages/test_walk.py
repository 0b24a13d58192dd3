"""A walk through all pages: no page takes over what belongs to another, and nothing is lost."""

from __future__ import annotations

import pytest

from headroles.paths import DEMO_MODEL, ROOT
from headroles.ui.detector_lab import state as detector_lab
from headroles.ui.knockout_lab import state as knockout_lab

pytestmark = [
    pytest.mark.usefixtures("planted"),
    pytest.mark.skipif(
        not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
    ),
]
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py"))


def start():
    from streamlit.testing.v1 import AppTest

    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120).run()


def visit(app, page: str):
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    return app


def test_the_detector_lab_asks_all_heads_after_the_knock_out_lab() -> None:
    app = visit(start(), "knockout_lab")
    assert app.multiselect(key=knockout_lab.LAB_HEADS).value == ["L1H1"]
    visit(app, "detector_lab")
    assert app.multiselect(key=detector_lab.HEADS).value == []
    visit(app, "knockout_lab")
    assert app.multiselect(key=knockout_lab.LAB_HEADS).value == ["L1H1"]


def test_every_key_of_the_session_says_whose_it_is_and_typed_text_survives_the_walk() -> None:
    app = visit(start(), "detector_lab")
    app.text_input(key=detector_lab.EXPRESSION).set_value("typed, not added").run()
    for page in PAGES:
        visit(app, page)
        keys = {key for key in app.session_state._state.filtered_state if "$$" not in key}
        assert {key.partition("-")[0] for key in keys} <= {"app", *PAGES}, keys
    visit(app, "detector_lab")
    assert app.text_input(key=detector_lab.EXPRESSION).value == "typed, not added"
