"""One visit to the app in a browser, and what can be done and seen there."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg


@contextmanager
def opened(
    browser,
    address: str,
    kind: type[Visit] | None = None,
    *,
    width: int = 1400,
    scheme: str = "light",
) -> Iterator[Visit]:
    """A fresh visit; an error on the page, a complaint or a request to the outside is a failure.

    All visits share the first context of the browser, and so the scripts that it has in its cache;
    what a visit stores there, the next one forgets.
    """
    page = browser.contexts[0].new_page()
    try:
        page.add_init_script("localStorage.clear()")
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        found = (kind or Visit)(page, address)
        yield found
        assert found.page.get_by_test_id("stException").all_inner_texts() == []
        assert found.complaints == []
        assert found.outside == []
    except Exception as error:
        error.add_note(f"The page showed: {page.locator('.stApp').all_inner_texts()}")
        raise
    finally:
        page.close()


class Visit:
    """One visit to the page, and everything that the browser complained about."""

    def __init__(
        self, page, address: str, *, ready: str = "What the heads are doing", drawn: bool = True
    ) -> None:
        self.page, self.complaints, self.outside, self.missing = page, [], [], []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._request)
        page.on("response", self._response)
        self.is_asked = False
        """Whether the page asked for a run that has not begun."""
        page.on("websocket", self._socket)
        page.goto(address, timeout=90_000)  # a busy machine may take its time
        page.get_by_role("heading", name=ready).wait_for(timeout=90_000)
        self.settle()
        if drawn:  # the first visit of a browser has yet to load what draws charts
            page.wait_for_function(
                "() => !document.querySelector('[data-testid=stSkeleton]')", timeout=60_000
            )

    def _console(self, message) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _request(self, request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:", "blob:")):
            self.outside.append(request.url)

    def _response(self, response) -> None:
        if response.status == 404:
            self.missing.append(response.url)

    def _socket(self, socket) -> None:
        socket.on("framesent", self._sent)
        socket.on("framereceived", self._received)

    def _sent(self, frame: bytes | str) -> None:
        if isinstance(frame, bytes) and BackMsg.FromString(frame).HasField("rerun_script"):
            self.is_asked = True

    def _received(self, frame: bytes | str) -> None:
        if isinstance(frame, bytes) and ForwardMsg.FromString(frame).HasField("new_session"):
            self.is_asked = False  # it is the first message of every run

    def settle(self) -> None:
        """Wait until every run that was asked for has begun and none has run for half a second: one
        run may ask for the next. Charts and sliders may still load: wait for what is looked at."""
        self.page.wait_for_timeout(200)
        patience = time.monotonic() + 60
        while self.is_asked:
            assert time.monotonic() < patience, "a run that was asked for has not begun"
            self.page.wait_for_timeout(50)
        self.page.evaluate("window.quietSince = performance.now()")
        self.page.wait_for_function(
            "() => { const state = document.querySelector('[data-testid=stApp]')"
            "?.getAttribute('data-test-script-state');"
            "if (state !== 'notRunning') window.quietSince = performance.now();"
            "return performance.now() - window.quietSince >= 500; }",
            timeout=60_000,
        )

    def run(self, prompt: str) -> None:
        box = self.page.get_by_label("Your sentence")
        box.fill(prompt)
        box.press("Control+Enter")
        self.settle()

    def press(self, name: str | re.Pattern[str], *, within: str = ".stApp") -> None:
        self.page.locator(within).get_by_role("button", name=name).first.click()
        self.settle()

    def card(self, role: str):
        return self.page.locator(f".st-key-your_prompt-card_{role}")

    def awake(self, role: str) -> bool:
        return self.card(role).get_by_label("active", exact=True).count() == 1

    def click_bar(self, role: str, *, row: int = 0) -> str:
        """Click a bar of a card; returns the label of its head."""
        drawing = self.card(role).locator("svg.marks")
        drawing.scroll_into_view_if_needed()
        labels = drawing.locator("text").all_text_contents()
        box = drawing.bounding_box()
        self.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 2 + 42 * row + 21)
        self.page.locator(".hr-head").wait_for(timeout=30_000)
        self.settle()
        return [label for label in labels if re.fullmatch(r"L\d+H\d+", label)][row]

    def go(self, name: str) -> None:
        """Follow the navigation, which a phone folds away before and after."""
        if self.page.viewport_size["width"] < 700:
            self.page.get_by_test_id("stExpandSidebarButton").click()
            self.page.wait_for_timeout(600)
        self.page.get_by_test_id("stSidebarNavLink").filter(has_text=name).click()
        self.page.get_by_role("heading", name=name, exact=True).wait_for(timeout=30_000)
        self.settle()

    def heading(self) -> str:
        return self.page.locator("h1").inner_text()

    def head(self) -> str:
        """The head that the close-up shows."""
        return self.page.locator(".hr-head h2").inner_text()

    def seen_as(self) -> str:
        """The role that the close-up looks at it for."""
        return self.page.get_by_label("Seen as").input_value()

    def resize(self, width: int) -> None:
        self.page.set_viewport_size({"width": width, "height": 900})
        self.settle()

    def overflow(self) -> int:
        """Pixels by which the page is wider than the window."""
        return self.page.evaluate(
            "() => { const main = document.querySelector('[data-testid=stMain]');"
            "return Math.max(main.scrollWidth - main.clientWidth,"
            "document.documentElement.scrollWidth - innerWidth); }"
        )

    def sticking_out(self) -> list[str]:
        """Charts and cards that reach over the right edge of the window; the rows of examples
        and of guesses scroll sideways.
        """
        return self.page.evaluate(
            "() => [...document.querySelectorAll('svg.marks, canvas, [class*=st-key-]')]"
            ".filter(e => !e.parentElement.closest("
            "'.st-key-app-examples, .st-key-answer-offers'))"
            ".filter(e => e.getBoundingClientRect().right > innerWidth + 1)"
            ".map(e => e.getAttribute('class'))"
        )
