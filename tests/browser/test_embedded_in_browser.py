"""The app in a frame of another site's page."""

from __future__ import annotations

import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

READY = "() => document.querySelector('[data-testid=stApp]')?.dataset.testScriptState"


@pytest.fixture
def course(server, tmp_path):
    """The address of a page of another origin that embeds the app."""
    source = f"{server}?model=demo&amp;prompt=one%20two%20one%20two&amp;embed=true"
    (tmp_path / "course.html").write_text(
        f'<!doctype html><h1>A course</h1><iframe src="{source}" width="100%" height="700">'
        "</iframe>",
        encoding="utf-8",
    )

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *args, **settings) -> None:
            super().__init__(*args, directory=str(tmp_path), **settings)

        def log_message(self, *args: object) -> None:
            pass

    site = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    yield f"http://localhost:{site.server_port}/course.html"
    site.shutdown()
    site.server_close()


def test_a_frame_has_one_page_and_stays_embedded(browser, course: str) -> None:
    page = browser.new_context(viewport={"width": 1000, "height": 900}).new_page()
    try:
        page.goto(course)
        frame = page.frame_locator("iframe")
        frame.get_by_role("button", name="All heads on this prompt").wait_for(timeout=60_000)
        assert frame.locator("[data-testid=stSidebar]").count() == 0
        assert frame.get_by_role("button", name="Copy link").count() == 0
        assert frame.locator("textarea").first.input_value() == "one two one two"
        way_out = frame.get_by_role("link", name="Open in a new tab")
        assert way_out.get_attribute("target") == "_blank"
        assert "embed" not in way_out.get_attribute("href")
        assert "prompt=one%20two%20one%20two" in way_out.get_attribute("href")
        frame.get_by_role("button", name="All heads on this prompt").click()
        frame.get_by_role("heading", name="Head map").wait_for(timeout=60_000)
        frame.get_by_role("link", name="Back").wait_for(timeout=30_000)
        inner = page.frames[1]
        inner.wait_for_function(f"{READY} === 'notRunning'", timeout=30_000)
        inner.wait_for_url("**/head_map?*embed=true*", timeout=10_000)
        frame.get_by_role("link", name="Back").click()
        frame.get_by_role("heading", name="Your Prompt").wait_for(timeout=60_000)
        assert "embed=true" in inner.url
    finally:
        page.context.close()


def test_the_frame_can_be_copied(browser, server) -> None:
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    try:
        page.goto(server)
        page.get_by_role("button", name="Embed").click(timeout=60_000)
        page.get_by_text("Paste it into the HTML").wait_for(timeout=10_000)
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied.startswith(f'<iframe src="{server}')
        assert 'model=demo&amp;embed=true"' in copied
    finally:
        context.close()
