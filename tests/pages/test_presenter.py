"""Your Prompt in large type, without a browser: one role at a time, moved on by buttons."""

from __future__ import annotations

import pytest

from headroles.paths import DEMO_MODEL, ROOT
from headroles.roles import SCORED_ROLES
from headroles.texts import DEFAULT_PROMPT
from headroles.texts.examples import STORY_EXAMPLES
from headroles.ui.app import session
from tests.facts import says
from tests.pages.on_page import page_html, run_prompt

pytestmark = [
    pytest.mark.usefixtures("planted"),
    pytest.mark.skipif(
        not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
    ),
]


def open_app(**query: str):
    from streamlit.testing.v1 import AppTest

    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    for name, value in query.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    return app


def press(app, name: str):
    app.button(key=f"your_prompt-{name}").click().run()
    assert not app.exception
    return app


def shown(app) -> str:
    """The role whose card is shown: there is only one."""
    html = page_html(app)
    assert html.count('class="hr-cardhead') == 1
    return next(role.key for role in SCORED_ROLES if f"<h3>{role.name}</h3>" in html)


def test_the_keys_go_through_roles_and_prompts() -> None:
    app = press(open_app(), "begin_presenting")
    roles = [role.key for role in SCORED_ROLES]
    assert shown(app) == roles[0]
    assert shown(press(app, "right")) == roles[1]
    assert shown(press(press(app, "left"), "left")) == roles[-1]  # after the first comes the last
    press(app, "down")
    assert app.session_state[session.PROMPT] == STORY_EXAMPLES[1].prompt
    assert shown(app) == roles[-1]  # the role stays
    press(press(app, "up"), "up")
    assert app.session_state[session.PROMPT] == STORY_EXAMPLES[-1].prompt
    shortcuts = {button.key: button.proto.shortcut for button in app.button}
    assert shortcuts["your_prompt-left"] == "left"
    assert shortcuts["your_prompt-leave"] == "escape"
    press(app, "leave")
    assert 'class="hr-steps"' not in page_html(app)


def test_a_prompt_of_ones_own_is_among_them() -> None:
    app = run_prompt(open_app(), "red blue red blue")
    press(press(app, "begin_presenting"), "down")
    assert app.session_state[session.PROMPT] == DEFAULT_PROMPT
    press(app, "up")
    assert app.session_state[session.PROMPT] == "red blue red blue"


def test_a_link_opens_it_and_the_address_says_so() -> None:
    app = open_app(model="demo", present="1")
    assert 'class="hr-steps"' in page_html(app)
    assert "1" in app.query_params["present"]
    press(app, "leave")
    assert "present" not in app.query_params
    odd = open_app(model="demo", present="yes")
    assert any(says(one.value, "neither 0 nor 1") for one in odd.warning)
