"""A second model beside the chosen one on Your Prompt, without a browser."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from headroles.errors import HeadrolesError
from headroles.models import Fetches
from headroles.paths import DEMO_MODEL
from headroles.ui.app import caches, session
from headroles.ui.your_prompt import files, state
from tests.chat_tokenizers import list_chat_models
from tests.facts import says
from tests.pages.on_page import opened, page_html

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)


@pytest.fixture
def other(tmp_path, monkeypatch) -> str:
    """The key of a listed model of two layers; beside it lies one whose chat template fails."""
    return list_chat_models(tmp_path, monkeypatch, "other")


def keys(app: AppTest) -> set[str]:
    return {button.key for button in app.button}


def test_it_is_chosen_from_a_menu_stands_in_the_link_and_can_be_stopped(other: str) -> None:
    app = opened()
    menu = app.menu_button(key=state.MODELS)
    assert not any("Headroles demo" in label for label in menu.options)  # not beside itself
    menu.click(other).run()
    assert not app.exception
    assert app.query_params["second_model"] == other
    html = page_html(app)
    assert html.count('class="hr-token hr-start"') == 3  # the page's own, and both models'
    assert says(html, "active heads for", "Both expect" if "Both expect" in html else "They expect")
    assert any("has not been analysed" in caption.value for caption in app.caption)
    app.button(key="your_prompt-stop_models").click().run()
    assert "second_model" not in app.query_params
    assert page_html(app).count('class="hr-token hr-start"') == 1


def test_a_link_opens_it_and_the_two_can_be_swapped(other: str) -> None:
    app = opened(second_model=other)
    assert "your_prompt-swap_models" in keys(app)
    app.button(key="your_prompt-swap_models").click().run()
    assert app.session_state[session.MODEL] == other
    assert app.query_params["second_model"] == "demo"
    assert not app.exception


def test_a_second_prompt_takes_its_place(other: str) -> None:
    app = opened(second_model=other)
    app.button(key="your_prompt-compare").click().run()
    assert app.session_state[session.SECOND_MODEL] is None
    assert "your_prompt-stop_models" not in keys(app)


def test_nothing_is_downloaded_before_a_click(monkeypatch) -> None:
    asked = []

    def bring(model: str, *, progress) -> None:
        asked.append(model)
        raise HeadrolesError("There is no network here.", hint="Try again later.")

    fetches = Fetches(bring=bring)
    monkeypatch.setattr(caches, "fetches", lambda: fetches)
    app = opened(second_model="gpt2")
    assert asked == []
    captions = [caption.value for caption in app.caption]
    assert says(captions, "to download", "downloads only when you click")
    app.button(key="your_prompt-download_second").click().run()
    assert asked == ["gpt2"]
    assert says([error.value for error in app.error], "no network here")
    assert "your_prompt-stop_models" in keys(app)


def test_a_prompt_that_the_second_model_refuses_is_a_sentence(other: str) -> None:
    app = opened(model=other, second_model="broken", chat="1")
    assert says([error.value for error in app.error], "Not like this")
    assert "your_prompt-stop_models" in keys(app)
    assert "your_prompt-swap_models" not in keys(app)
    assert page_html(app).count('class="hr-token hr-start"') == 1  # the first one's answer stays


def test_both_models_lie_in_the_files(other: str) -> None:
    prompt = "The cat sat"
    first = caches.answer("demo", prompt), caches.stored("demo")
    second = caches.answer(other, prompt), caches.provisional()
    csv, table = files.of_models(first, second)
    made = json.loads(table.make())
    origin, rows = made["provenance"], made["heads"]
    assert (origin["model"], origin["second_model"]) == ("demo", other)
    assert origin["prompt"] == prompt
    assert "second_prompt" not in origin  # only what differs is said twice
    assert {row["model"] for row in rows} == {"demo", other}
    assert sum(row["model"] == other for row in rows) == 5 * 2 * 4  # every head in every role
    assert csv.make().decode("utf-8-sig").count("\n") > len(rows)
