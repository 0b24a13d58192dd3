"""The app in a real browser: its first paint, and a class's hour for the figures of memory."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from headroles.models import name_of
from headroles.paths import ROOT
from scripts.benchmark.measured import Figure, Measured
from scripts.benchmark.server import CHROMIUM_FLAGS, chromium_path, served
from tests.browser.visit import Visit

EMPTY_APP = 'import streamlit as st\nst.title("Your prompt")\n'

EXPECTS_NEXT = "What it expects next"
"""The last heading of Your Prompt: once it is there, the model has answered."""

ANALYSIS_MS = 1_800_000
"""The longest an analysis may take: it gives way to whatever else the machine does."""


def first_paint_vs_empty_app(repeats: int) -> Measured:
    """Cold start: from opening the page on a fresh server to its title, against an empty app."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        empty = Path(name) / "empty.py"
        empty.write_text(EMPTY_APP)
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_FLAGS)

        def paint(script: Path) -> float:
            with served(script) as app:
                page = browser.new_context().new_page()
                began = time.perf_counter()
                page.goto(app.address)
                page.locator("h1").first.wait_for()
                took = time.perf_counter() - began
                page.context.close()
            return took

        paint(empty)  # warms the browser and the file cache
        pairs = [
            (paint(ROOT / "streamlit_app.py"), paint(empty)) for _ in range(max(3, repeats // 2))
        ]
        browser.close()
    what = "first title of the app / of an empty app, each on a fresh server"
    return Measured(what, "at most 1.5", [a for a, _ in pairs], [b for _, b in pairs])


def browse(address: str, model: str, prompts: list[str], *, password: str | None) -> None:
    """Run prompts in a browser, and have the model analysed on the Admin page half way.

    Args:
        address: of the server.
        model: its key in the catalogue.
        prompts: run in two halves.
        password: signs in to the Admin page; None for prompts alone.
    """
    half = len(prompts) // 2
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_FLAGS)
        page = browser.new_context().new_page()
        page.set_default_timeout(60_000)
        visit = Visit(page, f"{address}/?m={model}", ready=EXPECTS_NEXT)
        chosen = page.get_by_test_id("stSidebar").get_by_label("Model").input_value()
        assert chosen.startswith(name_of(model).partition(" (")[0]), f"{chosen} runs instead"
        _run(visit, prompts[:half])
        if password is not None:
            _analyse(visit, model, password=password)
            visit.go("Your Prompt")
        _run(visit, prompts[half:])
        browser.close()


def _run(visit: Visit, prompts: list[str]) -> None:
    for prompt in prompts:
        visit.run(prompt)
        visit.page.get_by_role("heading", name=EXPECTS_NEXT).wait_for()
        visit.settle()


def _analyse(visit: Visit, model: str, *, password: str) -> None:
    """Sign in on the Admin page, and wait until the model has been analysed."""
    page = visit.page
    visit.go("Admin")
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Start").wait_for()
    visit.settle()
    if model != "demo":  # which is chosen from the start
        box = page.locator(".st-key-models_to_analyse").get_by_role("combobox")
        box.press("Backspace")
        box.type(name_of(model))
        box.press("Enter")
        page.keyboard.press("Escape")
        visit.settle()
    page.get_by_role("button", name="Start").click()
    done = page.get_by_role("button", name="Review it")
    done.or_(page.get_by_text("failed", exact=False)).first.wait_for(timeout=ANALYSIS_MS)
    assert done.count(), f"the analysis failed: {page.locator('main').inner_text()}"
    visit.settle()


FIGURES: dict[str, Figure] = {"first_paint_vs_empty_app": first_paint_vs_empty_app}
