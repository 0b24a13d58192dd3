"""Text that is typed and not run, the prompts of the visit, and to which text a result belongs."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from headroles.paths import DEMO_MODEL
from headroles.texts import DEFAULT_PROMPT, STORY_EXAMPLES
from headroles.ui.app import history, session
from headroles.ui.detector_lab import state as detector_lab
from tests.facts import says
from tests.pages.on_page import opened, page_html, run_prompt

pytestmark = pytest.mark.skipif(
    not (DEMO_MODEL / "config.json").exists(), reason="the bundled model is not there"
)

DRAFT = "typed, not run"
EDITED = "Edited, not run yet."
PUT_BACK = f"{session.BOX}_put_back"


@pytest.fixture
def app(planted) -> AppTest:
    return opened()


def typed(app: AppTest, text: str = DRAFT) -> AppTest:
    app.text_area(key=session.BOX).set_value(text).run()
    assert not app.exception
    return app


def is_edited(app: AppTest) -> bool:
    return edited_boxes(app) > 0


def edited_boxes(app: AppTest) -> int:
    return page_html(app).count('class="hr-draft hr-edited"')


def keys(app: AppTest) -> set[str]:
    return {button.key for button in app.button}


def recent(app: AppTest) -> list[str]:
    return [ran.prompt for ran in app.session_state[history.RECENT]]


def test_typed_text_is_said_to_be_another_than_the_one_that_is_shown(app) -> None:
    assert not is_edited(app)
    assert PUT_BACK not in keys(app)
    typed(app)
    assert is_edited(app)
    assert says(page_html(app), EDITED, f"<q>{DEFAULT_PROMPT}</q>")
    assert app.session_state[session.PROMPT] == DEFAULT_PROMPT  # nothing was run
    run_prompt(app, DRAFT)
    assert not is_edited(app)


def test_it_can_be_put_back(app) -> None:
    typed(app).button(key=PUT_BACK).click().run()
    assert app.text_area(key=session.BOX).value == DEFAULT_PROMPT
    assert not is_edited(app)


def test_it_survives_other_pages_and_another_model(app) -> None:
    typed(app)
    app.switch_page("pages/head_closeup.py").run()
    assert app.text_area(key=session.BOX).value == DRAFT
    assert is_edited(app)
    (form,) = [box for box in app.expander if "On the prompt" in box.label]
    assert says(form.label, "The cat sat", "not run yet")
    app.switch_page("pages/circuits.py").run()
    app.switch_page("pages/your_prompt.py").run()
    assert app.text_area(key=session.BOX).value == DRAFT
    assert is_edited(app)
    app.session_state[session.MODEL] = "gpt2"  # it cannot be downloaded here
    app.run()
    assert app.text_area(key=session.BOX).value == DRAFT


def test_an_example_keeps_it_even_after_another_example(app) -> None:
    app.button(key="app-example_1").click().run()
    typed(app).button(key="app-example_2").click().run()
    assert app.text_area(key=session.BOX).value == STORY_EXAMPLES[2].prompt
    app.button(key="app-undo").click().run()
    assert app.text_area(key=session.BOX).value == DRAFT


def test_a_prompt_with_markup_is_named_as_text(app) -> None:
    run_prompt(app, "<b>bold</b> & <script>x</script>")
    typed(app)
    assert says(page_html(app), "&lt;b&gt;bold&lt;/b&gt; &amp;")
    assert "<script>x" not in page_html(app)


# ------------------------------------------------------------------ the prompts of the visit


def test_what_was_run_is_listed_newest_first_and_once(app) -> None:
    for prompt in ("one two", "a dog", "one two"):
        run_prompt(app, prompt)
    assert recent(app) == ["one two", "a dog", DEFAULT_PROMPT]
    typed(app)
    run_prompt(app, "   ")  # nothing to run again
    assert recent(app) == ["one two", "a dog", DEFAULT_PROMPT]


def test_one_choice_runs_it_again_and_keeps_what_was_typed(app) -> None:
    run_prompt(app, "a dog")
    typed(app)
    app.menu_button(key=history.MENU).click(1).run()
    assert app.session_state[session.PROMPT] == DEFAULT_PROMPT
    assert recent(app) == [DEFAULT_PROMPT, "a dog"]
    app.button(key="app-undo").click().run()
    assert app.text_area(key=session.BOX).value == DRAFT


def test_the_list_can_be_cleared_and_has_an_end(app) -> None:
    for number in range(history.MOST + 3):
        app.session_state[session.PROMPT] = f"prompt {number}"
        app.run()
    assert len(recent(app)) == history.MOST
    assert recent(app)[0] == f"prompt {history.MOST + 2}"
    menu = app.menu_button(key=history.MENU)
    menu.click_index(len(menu.options) - 1).run()
    assert recent(app) == [f"prompt {history.MOST + 2}"]  # the one that is shown
    assert app.menu_button(key=history.MENU).disabled


def test_another_model_is_named_and_chosen_again(app) -> None:
    app.session_state[history.RECENT] = (history.Ran("a dog", "gpt2", chat=False),)
    app.run()
    menu = app.menu_button(key=history.MENU)
    assert says(menu.options[0], "a dog", "on GPT")
    menu.click_index(0).run()
    assert app.session_state[session.MODEL] == "gpt2"
    assert app.session_state[session.PROMPT] == "a dog"


def test_two_prompts_that_begin_alike_are_told_apart(app) -> None:
    long = "the same words again and again " * 5
    for end in ("one", "two", "three"):
        run_prompt(app, long + end)
    menu = app.menu_button(key=history.MENU)
    assert len(set(menu.options)) == len(menu.options) == 4
    menu.click(2).run()
    assert app.session_state[session.PROMPT] == long + "one"


# ------------------------------------------------------------------ links, other boxes


def test_the_same_link_again_keeps_what_was_typed(app) -> None:
    typed(app)
    app.session_state[session.LINK_READ] = False
    app.query_params["prompt"] = DEFAULT_PROMPT
    app.run()
    assert app.text_area(key=session.BOX).value == DRAFT
    assert is_edited(app)


def test_another_prompt_of_a_link_can_be_taken_back(app) -> None:
    typed(app)
    app.session_state[session.LINK_READ] = False
    app.query_params["prompt"] = "a dog"
    app.run()
    assert app.text_area(key=session.BOX).value == app.session_state[session.PROMPT] == "a dog"
    app.button(key="app-undo").click().run()
    assert app.text_area(key=session.BOX).value == DRAFT


def test_the_second_box_says_it_too(app) -> None:
    app.button(key="your_prompt-compare").click().run()
    app.text_area(key=session.SECOND_BOX).set_value(DRAFT).run()
    assert edited_boxes(app) == 1
    app.switch_page("pages/head_map.py").run()
    app.switch_page("pages/your_prompt.py").run()
    assert app.text_area(key=session.SECOND_BOX).value == DRAFT
    assert edited_boxes(app) == 1


def test_the_prompts_of_the_detector_lab_are_run_by_a_button(app) -> None:
    app.switch_page("pages/detector_lab.py").run()
    app.segmented_control(key=detector_lab.SOURCE).set_value(detector_lab.SEVERAL).run()
    app.text_area(key=detector_lab.MANY).set_value("one two one two").run()
    assert is_edited(app)
    app.switch_page("pages/head_map.py").run()
    app.switch_page("pages/detector_lab.py").run()
    assert app.text_area(key=detector_lab.MANY).value == "one two one two"
    assert app.session_state[detector_lab.MANY_SHOWN] == detector_lab.FIRST_MANY
    app.button(key="detector_lab-run_many").click().run()
    assert not app.exception
    assert not is_edited(app)
    assert says([caption.value for caption in app.caption], "1 prompt")
