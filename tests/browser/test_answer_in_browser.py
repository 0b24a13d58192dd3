"""Two prompts and their paths as a student meets them: from a comparison to a drawing by clicks."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from tests.browser.visit import opened
from tests.facts import says

FIRST = "The cat sat on the mat. The cat sat on the mat. The cat"
SECOND = "The cat ran on the mat. The cat ran on the mat. The cat"
CONCLUSION = ".hr-conclusion"
LONG = 60_000


def chart(student, kind: str):
    return student.page.locator(f"[class*=st-key-answer-{kind}]").first


def test_a_comparison_leads_to_the_head_and_clicks_draw_its_paths(browser, server) -> None:
    query = urlencode({"prompt": FIRST, "second_prompt": SECOND})
    with opened(browser, f"{server}?{query}") as student:
        page = student.page
        page.get_by_role("button", name="Which head carries the difference?").click()
        page.get_by_text("Which head carries the difference?").first.wait_for(timeout=LONG)
        page.locator(CONCLUSION, has_text=re.compile(r"L\d+H\d+’s output")).wait_for(timeout=LONG)
        student.settle()
        assert says(page.locator(CONCLUSION).inner_text(), "brings back", "logits")

        page.get_by_text("Paths", exact=True).click()
        senders = chart(student, "path_senders")
        senders.locator("svg.marks").wait_for(timeout=LONG)
        student.settle()
        senders.get_by_role("button", name=re.compile("^L3H4")).first.click(force=True)
        drawing = chart(student, "path_drawing")
        box = drawing.get_by_role("button", name=re.compile("^L3H4"))
        box.wait_for(timeout=LONG)
        student.settle()
        assert "paths=L3H4%3Elogits" in page.url
        box.click(force=True)  # now its own senders are looked for
        page.get_by_text("What it reads with").first.wait_for(timeout=20_000)
        student.settle()
        student.resize(390)
        assert student.overflow() == 0
        assert not student.sticking_out()
