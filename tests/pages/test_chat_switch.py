"""The switch Chat format, without a browser, on a tiny model with a chat template."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from headroles.models import entry_of
from headroles.paths import DEMO_MODEL
from headroles.ui.app import caches, session
from headroles.ui.head_map import files as map_files
from headroles.ui.your_prompt import files
from headroles.view.glossary import unmarked
from tests.chat_tokenizers import list_chat_models
from tests.pages.on_page import opened

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)

PROMPT = "The cat sat"


@pytest.fixture
def chatty(tmp_path, monkeypatch) -> str:
    """The key of a listed model with a chat template; beside it lies one whose template fails."""
    return list_chat_models(tmp_path, monkeypatch, "chatty")


def has_switch(app: AppTest) -> bool:
    return any(toggle.key == session.CHAT for toggle in app.toggle)


def html(app: AppTest) -> str:
    return unmarked("\n".join(element.proto.body for element in app.get("html")))


def test_it_is_there_for_a_model_with_a_template_only(chatty: str) -> None:
    assert not has_switch(opened(model="demo"))
    app = opened(model=chatty)
    assert has_switch(app)
    assert "added by the chat template" not in html(app)


def test_it_wraps_the_prompt_says_so_and_stands_in_the_link(chatty: str) -> None:
    app = opened(model=chatty, prompt=PROMPT)
    app.toggle(key=session.CHAT).set_value(True).run()
    assert not app.exception
    template = len(caches.answer(chatty, PROMPT, chat=True).run.encoding.template_positions)
    assert f"Wrapped as a chat message: {template} tokens were added" in html(app)
    assert html(app).count("hr-token hr-template") == template
    assert app.query_params["chat"] == "1"
    assert app.query_params["prompt"] == PROMPT  # what was typed
    again = opened(model=chatty, prompt=PROMPT, chat="1")
    assert again.toggle(key=session.CHAT).value
    assert "Wrapped as a chat message" in html(again)
    again.toggle(key=session.CHAT).set_value(False).run()
    assert "Wrapped" not in html(again)
    assert "chat" not in again.query_params


def test_it_stays_on_from_page_to_page_and_is_no_part_of_a_model_without_template(
    chatty: str,
) -> None:
    app = opened(model=chatty, prompt=PROMPT)
    app.toggle(key=session.CHAT).set_value(True).run()
    for page in ("knockout_lab", "answer", "head_closeup", "detector_lab", "head_map"):
        app.switch_page(f"pages/{page}.py").run()
        assert not app.exception
        assert app.session_state[session.CHAT]
        if page != "head_map":
            assert any("as a chat message" in box.label for box in app.expander)
    app.switch_page("pages/your_prompt.py").run()
    app.sidebar.selectbox(key=session.MODEL).set_value("demo").run()
    assert not app.exception
    assert not has_switch(app)
    assert "Wrapped" not in html(app)
    assert "chat" not in app.query_params
    app.sidebar.selectbox(key=session.MODEL).set_value(chatty).run()
    assert "Wrapped" in html(app)


def test_the_second_prompt_is_wrapped_too(chatty: str) -> None:
    app = opened(model=chatty, prompt=PROMPT, second_prompt="The mat", chat="1")
    assert html(app).count("Wrapped as a chat message") == 2


def test_a_template_that_fails_is_a_sentence_and_the_switch_stays(chatty: str) -> None:
    app = opened(model="broken", prompt=PROMPT, chat="1")
    assert any("Not like this" in error.value for error in app.error)
    assert any("Switch the chat format off" in error.value for error in app.error)
    app.toggle(key=session.CHAT).set_value(False).run()
    assert not app.error


def test_the_files_say_it(chatty: str) -> None:
    answer = caches.answer(chatty, PROMPT, chat=True)
    made = {file.label: file.make for file in files.of_prompt(answer, caches.provisional())}
    origin = json.loads(made["Heads as JSON"]())["provenance"]
    assert origin["chat_format"] is True
    assert (origin["prompt"], len(origin["tokens"])) == (PROMPT, len(answer.run.tokens))
    assert b"chat=True" in made["Python script"]()
    (_, table) = map_files.of_map(chatty, PROMPT, caches.provisional(), extended=False, chat=True)
    assert json.loads(table.make())["provenance"]["token_ids"] == list(answer.run.token_ids)
    assert entry_of(chatty).is_local
