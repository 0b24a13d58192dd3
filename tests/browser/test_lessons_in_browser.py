"""A lesson by keyboard alone, on a phone: predict, say how sure, look, go on, and reload."""

from __future__ import annotations

from tests.browser.visit import Visit, opened
from tests.pages.lesson_files import FIRST

MOST = 60
"""Presses of Tab after which something counts as out of reach."""


class Student(Visit):
    """A visit that touches no mouse."""

    def at(self, selector: str) -> bool:
        """Whether the focus is on or in what a selector finds."""
        return self.page.evaluate("(s) => !!document.activeElement?.closest(s)", selector)

    def tab_to(self, selector: str) -> None:
        """Press Tab until it is there."""
        for _ in range(MOST):
            if self.at(selector):
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not reach {selector}")

    def press_on(self, selector: str, key: str = "Enter") -> None:
        self.tab_to(selector)
        self.page.keyboard.press(key)
        self.settle()

    def arrives_at(self, place: str) -> None:
        self.page.wait_for_function(
            "(id) => document.activeElement?.id === id", arg=place, timeout=20_000
        )


def test_a_question_is_answered_by_keyboard_on_a_phone(browser, classroom) -> None:
    folder = classroom.folder / "lessons"
    folder.mkdir()
    (folder / "first.toml").write_text(FIRST)
    with opened(browser, classroom.address, Student, width=390, scheme="dark") as student:
        page = student.page
        student.press_on(".st-key-app-title_line a")  # “New here?”
        page.get_by_role("heading", name="Lessons", exact=True).wait_for(timeout=30_000)
        student.settle()
        student.press_on(".st-key-lessons-open_first")
        student.arrives_at("lessons-here")
        student.press_on(".st-key-lessons-next")
        student.arrives_at("lessons-here")
        assert "step=which" in page.url
        reveal = page.locator(".st-key-lessons-reveal button")
        assert reveal.is_disabled()
        student.press_on(".stRadio", " ")
        student.press_on("[class*=_sure]", "ArrowRight")
        if reveal.is_disabled():  # the arrow only moved on
            page.keyboard.press(" ")
            student.settle()
        student.press_on(".st-key-lessons-reveal")
        student.arrives_at("lessons-answer")
        page.get_by_text("Only a copy has a follower").wait_for()
        page.locator(".st-key-lessons-body svg.marks").first.wait_for(timeout=20_000)
        assert student.overflow() == 0
        assert not student.sticking_out()
        student.press_on(".st-key-lessons-next")
        student.arrives_at("lessons-here")
        assert "step=level" in page.url
        page.go_back()
        page.locator("h2", has_text="Which one?").wait_for(timeout=20_000)
        student.settle()
        assert page.get_by_text("Only a copy has a follower").is_visible()
        page.reload()
        page.get_by_text("1 answer from before the reload").wait_for(timeout=60_000)
        student.settle()
        assert "step=which" in page.url
        assert page.get_by_text("Only a copy has a follower").is_visible()
        forgotten = "sessionStorage.getItem('headroles-lessons-tab') === null"
        assert not page.evaluate(forgotten)
        page.locator(".st-key-lessons-leave button").click()
        student.settle()
        page.get_by_role("button", name="Start over").click()
        page.wait_for_function(forgotten, timeout=20_000)
        page.reload()
        page.get_by_text("Your answers are kept until you close this tab").wait_for(timeout=60_000)
        student.settle()
        # A sub-address asks for the app's health beside itself first, and is told 404 at a reload.
        assert len(student.complaints) == len(student.missing)
        student.complaints.clear()
