"""A class link, without a browser: what it shows, what it leaves out, and how long it lasts."""

from __future__ import annotations

from html import unescape

import pytest

from headroles.paths import DEMO_MODEL, ROOT
from headroles.types import Head
from headroles.ui.app import address, class_link, scope, session
from tests.facts import says
from tests.pages.on_page import opened, page_html

pytestmark = [
    pytest.mark.usefixtures("planted"),
    pytest.mark.skipif(
        not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
    ),
]

LAB, CIRCUITS = "pages/knockout_lab.py", "pages/circuits.py"
PROMPT = "A dog and a cat. A dog"


def has(app, key: str) -> bool:
    return any(button.key == key for button in app.button)


def notes(app) -> list[str]:
    return [warning.value.replace("\\", "") for warning in app.warning]


def test_only_the_pages_of_the_class_are_there_with_the_model_as_text(monkeypatch) -> None:
    import streamlit as st

    shown: dict[str, str] = {}
    real = st.navigation

    def navigation(pages, **settings):
        shown.update({page.title: page.visibility for page in pages})
        return real(pages, **settings)

    monkeypatch.setattr(st, "navigation", navigation)
    app = opened(**{"class": "head_map,your_prompt"}, model="demo", prompt=PROMPT)
    assert not notes(app)
    assert {title for title, visibility in shown.items() if visibility == "visible"} == {
        "Your Prompt", "Head map", "Glossary",
    }  # fmt: skip
    assert app.title[0].value == "Your Prompt"
    assert not app.sidebar.selectbox
    assert says([part.value for part in app.sidebar.markdown], "demo")
    assert dict(app.query_params) == {
        "class": "head_map,your_prompt",
        "model": "demo",
        "prompt": PROMPT,
    }
    # What leads out of the class is not offered, and neither is another model.
    assert has(app, "your_prompt-all_heads")
    assert not has(app, "your_prompt-answer_page")
    assert not [menu for menu in app.get("menu_button") if "model" in str(menu.proto)]
    assert "Click a bar" not in page_html(app)


def test_the_address_keeps_the_class_from_page_to_page_until_it_is_left() -> None:
    app = opened(**{"class": "head_closeup,your_prompt"}, prompt=PROMPT)
    app.switch_page(session.CLOSEUP)
    app.run()
    assert app.title[0].value == "Head close-up"
    assert app.query_params["class"] == "head_closeup,your_prompt"
    app.button(key="app-leave_class").click().run()
    assert not app.exception
    assert app.title[0].value == "Head close-up"
    assert "class" not in app.query_params
    assert app.session_state[session.PROMPT] == PROMPT
    assert app.sidebar.selectbox(key=session.MODEL).value == "demo"


@pytest.mark.parametrize("page", [session.ADMIN, LAB])
def test_a_page_outside_the_class_says_so_and_names_the_ways_on(page: str) -> None:
    app = opened(page, **{"class": "head_map"}, model="demo")
    assert says(unescape(page_html(app)), scope.title(page), "class")
    assert not app.text_input  # no form to sign in
    assert not app.multiselect
    assert dict(app.query_params) == {"class": "head_map", "model": "demo"}
    app.button(key="app-leave_class_here").click().run()
    assert not app.exception
    assert app.title[0].value == scope.title(page)
    assert "class" not in app.query_params


@pytest.mark.parametrize("pages", [{"class": "your_prompt,lessons"}, {}])
def test_a_lesson_opens_at_its_step_from_the_app_s_own_address(pages: dict[str, str]) -> None:
    app = opened(**pages, model="demo", lesson="induction", step="_summary")
    assert app.session_state[session.PAGE] == session.LESSONS
    assert dict(app.query_params) == {
        **pages, "model": "demo", "lesson": "induction", "step": "_summary",
    }  # fmt: skip


def test_a_frame_has_no_form_to_sign_in(monkeypatch) -> None:
    monkeypatch.setattr(scope, "is_embedded", lambda: True)
    app = opened(session.ADMIN)
    assert says(page_html(app), "Admin", "another site")
    assert not app.text_input
    assert not has(app, "app-leave_class_here")


def test_a_click_that_would_lead_out_stays_with_a_note() -> None:
    app = opened(**{"class": "your_prompt"})
    others = app.selectbox(key=session.OTHER_HEAD)
    others.set_value(others.options[0]).run()
    assert not app.exception
    assert app.title[0].value == "Your Prompt"
    assert says([toast.value.replace("\\", "") for toast in app.toast], "Head close-up", "class")


@pytest.mark.parametrize(
    ("pages", "query", "title"),
    [
        ("head_closeup,head_map", {"head": "L1H3"}, "Head close-up"),
        ("head_map", {}, "Head map"),
        ("your_prompt,head_map", {"profile_layer": "2"}, "Head map"),
        ("your_prompt,head_map", {"prompt": PROMPT}, "Your Prompt"),
    ],
)
def test_a_link_to_the_app_itself_opens_at_the_task(pages, query, title) -> None:
    app = opened(**{"class": pages}, model="demo", **query)
    assert app.title[0].value == title
    assert not notes(app)
    assert query.items() <= dict(app.query_params).items()
    if "head" in query:
        assert app.session_state[session.HEAD] == Head(1, 3)


@pytest.mark.parametrize(
    ("value", "pages", "facts"),
    [
        ("head_map,labs", ("head_map",), [("labs",)]),
        ("head_mpa,your_prompt", ("your_prompt",), [("head_mpa", "head_map")]),
        ("admin,head_map", ("head_map",), [("admin",)]),
        ("x1,x2,x3,x4,x5,head_map", ("head_map",), [("x1",), ("x2",), ("x3",), ("2",)]),
        ("nothing", None, [("nothing",), ("whole app",)]),
        ("", None, [("whole app",)]),
        (["head_map", "your_prompt,head_map"], ("head_map", "your_prompt"), []),
    ],
)
def test_names_that_are_no_pages_are_said_and_the_others_taken(value, pages, facts) -> None:
    given = [value] if isinstance(value, str) else value
    import streamlit as st

    scope.register({path: path for path in (session.YOUR_PROMPT, session.MAP, session.ADMIN)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(st, "session_state", {})
        errors = scope.read(given)
        assert st.session_state[session.CLASS] == pages
    assert len(errors) == len(facts)
    assert all(says(error.message, *wanted) for error, wanted in zip(errors, facts, strict=True))
    assert all(error.hint for error in errors)


def test_a_bad_name_is_shown_above_the_page() -> None:
    app = opened(**{"class": "head_map,<b>labs"}, model="nope")
    assert app.title[0].value == "Head map"
    said = notes(app)
    assert len(said) == 2
    assert says(said, "<b>labs")
    assert says(said, "nope")


def test_going_back_into_the_class_and_out_of_it(monkeypatch) -> None:
    app = opened(session.MAP, model="demo")
    monkeypatch.setattr(address, "_went_back", lambda: True)
    app.query_params.update({"class": "head_map", "model": "demo"})
    app.run()
    assert app.session_state[session.CLASS] == ("head_map",)
    app.query_params.clear()  # left before its address was written: it says nothing
    app.run()
    assert app.session_state[session.CLASS] == ("head_map",)
    app.query_params.clear()
    app.query_params.update({"model": "demo"})
    app.run()
    assert app.session_state[session.CLASS] is None
    assert app.sidebar.selectbox(key=session.MODEL).value == "demo"


def test_a_head_of_another_model_is_not_opened_in_a_class(monkeypatch) -> None:
    import streamlit as st

    monkeypatch.setattr(st, "session_state", {})
    session.begin()
    said: list[str] = []
    monkeypatch.setattr(st, "toast", lambda text, **_: said.append(text))
    st.session_state[session.CLASS] = ("head_map", "head_closeup")
    session.open_closeup(Head(1, 2), model="gpt2")
    assert st.session_state[session.MODEL] == "demo"
    assert session.pop_navigation() is None
    assert says(said, "L1H2", "class link")
    session.open_closeup(Head(1, 2), model="demo")
    assert session.pop_navigation() == session.CLOSEUP


def test_the_link_for_a_class_is_made_where_it_opens() -> None:
    app = opened(session.REAL_TEXT)
    app.button(key="app-share").click().run()
    assert not app.exception
    assert alt_of_code(app).endswith("?model=demo")
    app.toggle(key=class_link.FOR_CLASS).set_value(True).run()
    app.multiselect(key=class_link.PAGES).set_value([session.MAP]).run()
    assert not app.exception
    assert alt_of_code(app).endswith("?class=head_map,real_text&model=demo")
    assert says([caption.value for caption in app.caption], "Real text", "Glossary")


def alt_of_code(app) -> str:
    """What the alternative text of the QR code says."""
    html = page_html(app)
    assert 'src="data:image/svg+xml;base64,' in html
    return html.partition('alt="QR code of the link ')[2].partition('"')[0].replace("&amp;", "&")


def test_every_page_that_a_class_can_name_exists() -> None:
    opened()
    assert set(scope.for_classes()) | {session.ADMIN} == {
        f"pages/{path.name}" for path in (ROOT / "pages").glob("*.py")
    }
