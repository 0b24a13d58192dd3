"""The widgets of a question and the answer laid over it, on answers that were made by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from headroles.errors import HeadrolesError
from headroles.lessons import answers
from headroles.lessons.worksheet import Prediction
from headroles.ui.lessons import caches, revealing, waking
from tests.lessons import questions as q

SEEN: dict[str, object] = {}
"""What the page under test was given, and what it returned."""


@pytest.fixture(autouse=True)
def _no_model(monkeypatch):
    """Answers are made up, and a prompt that holds "a b a b" wakes the head."""
    SEEN.clear()

    def answer(asked: caches.Asked, prompt: str = ""):
        if asked.step.kind == "wake" and not prompt.strip():
            return answers.wakes(asked.step, None, prompt)  # which refuses it
        if prompt == "broken":
            raise HeadrolesError("The model says no.", hint="Try another one.")
        if prompt:
            return q.wake_answer(prompt, value=0.9 if "a b a b" in prompt else 0.1)
        return {"active": q.ACTIVE_ANSWER}.get(asked.step.key) or q.CELLS_ANSWER

    monkeypatch.setattr(caches, "answer", answer)
    monkeypatch.setattr(caches, "tokens", lambda asked: q.TOKENS)
    monkeypatch.setattr(waking, "_encoding", lambda model, prompt: SimpleNamespace(
        truncated=False), raising=True)  # fmt: skip
    monkeypatch.setattr(waking.elements, "cut_off", lambda encoding: None)
    monkeypatch.setattr(waking.words, "of", lambda asked: waking.words.Words("Demo", "L1H4"))


def ask() -> None:
    """The widget of a question."""
    from headroles.ui.app import session
    from headroles.ui.lessons import asking, caches, waking
    from tests.pages import test_lesson_questions as test

    session.begin()
    step = test.SEEN["step"]
    draw = waking.draw if step.kind == "wake" else asking.draw
    test.SEEN["got"] = draw(step, caches.Asked("demo", "made-up", step), key="lessons-key")


def reveal() -> None:
    """An answer over its prediction."""
    from headroles.ui.app import session
    from headroles.ui.lessons import revealing
    from tests.pages import test_lesson_questions as test

    session.begin()
    revealing.draw(test.SEEN["step"], test.SEEN["entry"], key="lessons-key")


def asked(step) -> AppTest:
    SEEN["step"] = step
    app = AppTest.from_function(ask, default_timeout=60).run()
    assert not app.exception
    return app


def test_cells_are_chosen_word_by_word_and_one_too_many_replaces_the_first() -> None:
    app = asked(q.CELLS)
    first, second = app.button_group
    assert [len(group.options) for group in (first, second)] == [3, 5]
    assert SEEN["got"] is None
    first.set_value([1]).run()
    assert SEEN["got"] is None  # a row is still without a choice
    app.button_group[1].set_value([0, 3]).run()
    assert SEEN["got"] == Prediction(cells=((2, 1), (4, 0), (4, 3)))
    app.button_group[1].set_value([0, 3, 2]).run()
    assert SEEN["got"] == Prediction(cells=((2, 1), (4, 2), (4, 3)))
    assert len(app.button_group[1].value) == 2


def test_without_the_first_token_it_cannot_be_chosen() -> None:
    app = asked(q.RESTING)
    (group,) = app.button_group
    assert len(group.options) == 4
    group.set_value(4).run()
    assert SEEN["got"] == Prediction(cells=((4, 4),))


def test_roles_are_ticked_or_none_of_them() -> None:
    app = asked(q.ACTIVE)
    assert SEEN["got"] is None
    app.checkbox[1].check().run()
    assert SEEN["got"] == Prediction(chosen=("Previous token",))
    assert app.checkbox[2].disabled
    app.checkbox[1].uncheck().run()
    assert SEEN["got"] is None
    app.checkbox[2].check().run()
    assert SEEN["got"] == Prediction()
    assert app.checkbox[0].disabled


def test_one_option_is_chosen_and_about_the_same_is_the_last() -> None:
    app = asked(q.LARGEST)
    assert SEEN["got"] is None
    assert len(app.radio[0].options) == 4
    app.radio[0].set_value(3).run()
    assert SEEN["got"] == Prediction(chosen=("about the same",))


def test_a_slider_counts_once_it_was_moved() -> None:
    app = asked(q.NUMBER)
    assert SEEN["got"] is None
    app.slider[0].set_value(0.35).run()
    assert SEEN["got"] == Prediction(number=0.35)
    app.slider[0].set_value(0.25).run()  # where it began
    assert SEEN["got"] == Prediction(number=0.25)


def attempt(app: AppTest, prompt: str) -> waking.WakeState:
    app.text_area[0].set_value(prompt)
    app.button(key="lessons-key_try").click().run()
    assert not app.exception
    return SEEN["got"]


def test_prompts_are_tried_until_the_head_wakes() -> None:
    app = asked(q.WAKE)
    assert app.text_area[0].value == "nothing"
    assert SEEN["got"] == waking.WakeState()
    assert attempt(app, "nothing").answer.state == "quiet"
    state = attempt(app, "nothing")  # the same again is no further try
    assert (state.prompt, state.tries, state.is_over) == ("nothing", (), False)
    state = attempt(app, "something")
    assert [one.prompt for one in state.tries] == ["nothing"]
    for refused in (" ", "x" * 4_001, "broken"):
        assert attempt(app, refused).prompt == "something"
        assert len(app.warning) == 1
    state = attempt(app, "a b a b")
    assert state.is_over
    assert [one.prompt for one in state.tries] == ["nothing", "something"]
    app.run()
    assert SEEN["got"] == waking.WakeState()  # it was handed over once


def test_hints_come_one_after_the_other_and_then_the_solution_which_counts() -> None:
    app = asked(q.WAKE)
    shown = []
    for hints in range(1, 4):
        app.button(key="lessons-key_hint").click().run()
        assert SEEN["got"].hints == hints
        body = " ".join(element.proto.body for element in app.get("html"))
        shown.append([text in body for text in ("First.", "Second.", "a b a b")])
    assert shown == [[True, False, False], [True, True, False], [True, True, True]]
    assert "lessons-key_hint" not in [button.key for button in app.button]
    app.button(key="lessons-key_use").click().run()
    assert app.text_area[0].value == "a b a b"
    assert not SEEN["got"].is_over  # only a try wakes it


@pytest.mark.parametrize(
    ("step", "answer", "prediction", "charts"),
    [
        (q.CELLS, q.CELLS_ANSWER, Prediction(cells=((2, 1), (4, 0))), 0),
        (q.ACTIVE, q.ACTIVE_ANSWER, Prediction(chosen=("Induction",)), 1),
        (q.LARGEST, q.largest_answer(2.0, 1.0, 0.5), Prediction(chosen=("two",)), 1),
        (q.NUMBER, q.NUMBER_ANSWER, Prediction(number=0.4), 1),
        (q.WAKE, q.wake_answer("a b", value=0.9), Prediction(prompt="a b"), 1),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_an_answer_is_shown_from_its_entry_alone(step, answer, prediction, charts) -> None:
    SEEN["step"] = step
    SEEN["entry"] = q.entry(step, answer, prediction, sure=None if step is q.WAKE else 4)
    app = AppTest.from_function(reveal, default_timeout=60).run()
    assert not app.exception
    drawn = app.get("vega_lite_chart")
    assert len(drawn) == charts
    assert all(chart.proto.alt for chart in drawn)
    assert any("hr-conclusion" in element.proto.body for element in app.get("html"))


def test_a_prediction_of_an_older_question_is_said_to_be_none() -> None:
    SEEN["step"] = q.CELLS
    SEEN["entry"] = q.entry(q.CELLS, q.CELLS_ANSWER, Prediction(cells=((3, 1),)), sure=1)
    app = AppTest.from_function(reveal, default_timeout=60).run()
    assert not app.exception
    assert len(app.warning) == 1
    assert revealing.SHOWN > 0
