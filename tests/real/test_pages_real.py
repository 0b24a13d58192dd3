"""Every page on a real language model, without a browser: it comes up, and speaks of this model."""

from __future__ import annotations

import pytest

from headroles.paths import ROOT
from headroles.ui.app import caches, session
from tests.facts import says

pytestmark = [pytest.mark.real, pytest.mark.filterwarnings("ignore")]
PAGES = [
    "your_prompt", "head_closeup", "head_map", "detector_lab", "knockout_lab", "answer", "circuits",
    "components", "real_text", "find_heads",
]  # fmt: skip


@pytest.fixture
def app(real_model: str, monkeypatch):
    from streamlit.testing.v1 import AppTest

    from headroles.ui.app import long_work

    monkeypatch.setattr(long_work, "MOMENT", 600.0)  # a run of a page does all of its work
    caches.clear()
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=600)
    app.query_params["model"] = real_model
    yield app.run()
    caches.clear()


@pytest.mark.parametrize("page", PAGES)
def test_a_page_comes_up(app, real_model: str, page: str) -> None:
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    assert [error.value for error in app.error] == []
    assert app.session_state[session.MODEL] == real_model


def test_your_prompt_names_the_guess_and_heads_at_work(app) -> None:
    app.session_state[session.PROMPT] = "The capital of France is"
    app.run()
    assert not app.exception
    alts = [chart.proto.alt for chart in app.get("vega_lite_chart")]
    assert says(alts, "next token", "Paris")
    assert says(alts, "Previous token", "L16H0")
