"""The instructor's page in a browser, from signing in to what a student sees afterwards."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import partial

import pytest

from headroles.roles import BASIC_ROLES
from headroles.store import categories
from tests.browser.visit import Visit, opened


class InstructorVisit(Visit):
    """A visit to the instructor's page, by way of the navigation as a person comes to it."""

    def __init__(self, page, address: str) -> None:
        super().__init__(page, address)
        if page.viewport_size["width"] < 700:  # there the side bar is folded away
            page.get_by_test_id("stExpandSidebarButton").click()
            page.wait_for_timeout(600)
        page.get_by_test_id("stSidebarNavLink").filter(has_text="Admin").click()
        page.get_by_role("heading", name="Admin", exact=True).wait_for(timeout=30_000)
        self.settle()

    def sign_in(self, password: str) -> None:
        self.page.get_by_label("Password", exact=True).fill(password)
        self.press("Sign in")

    def open(self, section: str) -> None:
        self.page.locator(".st-key-admin-section").get_by_text(section, exact=True).click()
        self.settle()

    def bar(self) -> str | None:
        """Percent of the running analysis; None when none runs."""
        return self.page.evaluate(
            "() => document.querySelector('[data-testid=stProgress] [role=progressbar]')"
            "?.ariaValueNow ?? null"
        )

    def wait_until_done(self) -> list[int]:
        """Every position of the bar that was seen until the analysis ended."""
        seen, patience = [], time.monotonic() + 300  # a busy machine may take its time
        while time.monotonic() < patience:
            if self.page.get_by_role("button", name="Review it").count():
                return seen
            position = self.bar()
            seen += [] if position is None else [int(position)]
            self.page.wait_for_timeout(100)
        raise AssertionError("the analysis does not end")

    def start(self, *, sequences: int, cap: int) -> None:
        self.page.get_by_role("heading", name="A new analysis", exact=True).wait_for()
        self.settle()
        folded = self.page.get_by_text("Set up another analysis", exact=True)
        if (
            folded.count()
            and not self.page.get_by_role("spinbutton", name="Sequences").is_visible()
        ):
            folded.click()
            self.settle()
        for label, value in (("Sequences", sequences), ("Cap", cap)):
            box = self.page.get_by_role("spinbutton", name=label)
            box.fill(str(value))
            box.press("Enter")
            self.settle()
        self.page.get_by_role("button", name="Start", exact=True).click()
        self.settle()


@pytest.fixture
def visit(browser, classroom) -> Callable[..., object]:
    """``visit(InstructorVisit, width=390)``: a fresh visit; complaints fail the test."""

    return partial(opened, browser, classroom.address)


def test_a_visitor_finds_a_locked_page(visit, classroom) -> None:
    with visit(InstructorVisit) as page:
        assert page.page.get_by_role("button", name="Start").count() == 0
        page.sign_in("a guess")
        page.page.get_by_text("Wrong password.").wait_for()
        page.sign_in("another guess")
        page.page.get_by_text("You can try again in").wait_for()
        assert page.page.get_by_role("button", name="Sign in").is_disabled()
        page.page.wait_for_function(
            "() => ![...document.querySelectorAll('button')]"
            ".find(b => b.innerText.includes('Sign in')).disabled",
            timeout=10_000,
        )
        page.sign_in(classroom.password)
        page.page.get_by_role("button", name="Start").wait_for(timeout=30_000)


def test_a_reload_keeps_the_sign_in_of_this_tab_alone_and_signing_out_ends_it(
    visit, classroom
) -> None:
    held = "sessionStorage.getItem('headroles-admin-tab')"
    with visit(InstructorVisit) as page:
        page.sign_in(classroom.password)
        keys = [page.page.evaluate(held)]
        for _ in range(2):
            page.page.reload()
            page.page.get_by_role("button", name="Sign out").wait_for(timeout=60_000)
            page.settle()
            keys.append(page.page.evaluate(held))
        page.complaints.clear()  # see come_back
        assert len(set(keys)) == 3
        with visit(InstructorVisit) as other:  # another tab of the same browser
            assert other.page.get_by_label("Password", exact=True).is_visible()
            other.page.evaluate(
                "key => sessionStorage.setItem('headroles-admin-tab', key)", keys[0]
            )
            come_back(other)  # with an old key
            assert other.page.get_by_role("button", name="Sign out").count() == 0
        page.press("Sign out")
        page.page.get_by_label("Password", exact=True).wait_for()
        page.settle()
        assert page.page.evaluate(held) is None
        page.page.evaluate("key => sessionStorage.setItem('headroles-admin-tab', key)", keys[-1])
        come_back(page)
        assert page.page.get_by_role("button", name="Sign out").count() == 0


def come_back(visit: InstructorVisit) -> None:
    visit.page.reload()
    visit.page.get_by_label("Password", exact=True).wait_for(timeout=60_000)
    visit.settle()
    # Of a page below the root, Streamlit asks for its addresses there first.
    assert all("/admin/_stcore/" in address for address in visit.missing)
    visit.complaints.clear()


@pytest.mark.parametrize(("width", "height"), [(1400, 900), (1024, 768), (390, 844)])
def test_after_two_quick_clicks_on_start_one_analysis_is_in_view(
    visit, classroom, width: int, height: int
) -> None:
    with visit(InstructorVisit, width=width) as page:
        page.page.set_viewport_size({"width": width, "height": height})
        page.sign_in(classroom.password)
        for label, value in (("Seed", width), ("Sequences", 2000)):  # so many do not end by then
            number = page.page.get_by_role("spinbutton", name=label)
            number.fill(str(value))
            number.press("Enter")
            page.settle()
        page.page.get_by_role("button", name="Start", exact=True).dblclick()
        card = page.page.locator("[class*=st-key-admin-open_]")
        card.first.wait_for(timeout=30_000)
        page.settle()
        assert card.count() == 1
        box = card.get_by_role("button", name="Cancel").bounding_box()
        assert 0 < box["y"] < height - box["height"]

        card.get_by_role("button", name="Cancel").click()
        card.first.wait_for(state="detached", timeout=30_000)
        page.page.get_by_text("⊘ cancelled").first.wait_for(timeout=30_000)


def test_from_an_analysis_to_what_a_student_sees(visit, classroom) -> None:
    with (
        visit(Visit) as student,
        visit(InstructorVisit) as first,
        visit(InstructorVisit) as second,
    ):
        heads = student.page.locator(".st-key-your_prompt-card_induction .hr-count")
        before = heads.inner_text()
        assert "of 1 listed head" not in before

        for visitor in (second, first):
            visitor.sign_in(classroom.password)
        first.start(sequences=500, cap=1)  # long enough for another tab to see the bar move
        assert first.bar() is not None

        for section in ("Versions", "Analyse"):  # another tab shows the same analysis
            second.open(section)
        seen = second.wait_until_done()
        assert seen == sorted(seen)
        assert len(set(seen)) > 1, "the bar did not move"

        second.press("Review it")
        look_at_every_role(second)
        assert heads.inner_text() == before  # nothing is live yet
        second.press("Publish …")
        dialog = second.page.get_by_role("dialog")
        assert re.search(r"Induction: .* leave", dialog.inner_text())
        second.press("Publish", within="[role=dialog]")
        second.page.get_by_text("is live.").wait_for()

        student.run("The cat sat on the mat. The cat sat on the mat. The cat")
        heads.filter(has_text="of 1 listed head").wait_for(timeout=30_000)
        # The other models' entries are still there, as they were.
        entries, shipped = (
            categories.read_all(classroom.folder / "head_categories.json"),
            categories.read_all(),
        )
        assert entries.keys() == shipped.keys()
        assert [name for name in entries if entries[name] != shipped[name]] == ["demo"]


def look_at_every_role(page: InstructorVisit) -> None:
    for role in BASIC_ROLES.values():
        page.page.locator(".st-key-admin-look_role").get_by_text(role.name, exact=True).click()
        page.settle()
        cells = page.page.locator(".st-key-admin-candidate svg.marks .mark-rect path")
        cells.nth(31).wait_for(state="attached", timeout=20_000)
        assert cells.count() == 32, role.key
        sentence = re.compile(rf"{re.escape(role.name)}: \d+ of 32 heads ")  # the alt text
        assert page.page.get_by_label(sentence).first.count() == 1, role.key


def test_a_phone_shows_every_part_without_sideways_scrolling(visit, classroom) -> None:
    """After the test above, there is an analysis, a version and a list to show."""
    with visit(InstructorVisit, width=390, scheme="dark") as page:
        assert page.overflow() <= 0
        page.sign_in(classroom.password)
        for section in ("Analyse", "Review and publish", "Versions", "Audit"):
            page.open(section)
            assert page.overflow() <= 0, section
            assert page.sticking_out() == [], section
