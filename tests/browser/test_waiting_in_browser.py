"""A model that downloads slowly from a Hub, as two students see it at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from headroles.models import CATALOGUE
from headroles.paths import DEMO_MODEL
from tests.browser.conftest import serve
from tests.browser.visit import opened
from tests.local_hub import LocalHub

MODEL = "pythia-14m"  # not pinned, so that the small Hub may say which commit it has
SLOW = 15_000
"""Bytes a second at which the model would take six minutes: it must not arrive before the test asks
for it, however busy the machine is.
"""
PATIENCE = 120_000
"""Milliseconds that a busy machine may take."""
PICTURES = os.environ.get("PICTURES")
"""A folder for screenshots, or nothing."""


@pytest.fixture(scope="module")
def far(tmp_path_factory) -> Iterator[tuple[LocalHub, str]]:
    """A Hub and a server that reaches no other one."""
    folder = tmp_path_factory.mktemp("far")
    with (
        LocalHub({CATALOGUE[MODEL].source: DEMO_MODEL}) as hub,
        serve(folder, hub=hub.environment(home=folder / "home")) as address,
    ):
        yield hub, address


def choose(visit, name: str) -> None:
    visit.page.get_by_test_id("stSidebar").get_by_label("Model").click()
    begins = re.compile(f"^{re.escape(name.partition(' (')[0])} ·")  # then comes its state
    visit.page.get_by_role("option", name=begins).click()


def answered(visit) -> None:
    """Wait for the bundled model's answer to the first prompt."""
    visit.card("induction").get_by_label("active", exact=True).wait_for(timeout=PATIENCE)
    visit.settle()


def picture(visit, name: str) -> None:
    """Four of them, for a person to look at: light and dark, wide and as narrow as a telephone."""
    if not PICTURES:
        return
    for scheme, width in (("light", 1400), ("light", 390), ("dark", 390), ("dark", 1400)):
        visit.page.emulate_media(color_scheme=scheme)
        visit.page.set_viewport_size({"width": width, "height": 900})
        visit.page.wait_for_timeout(700)
        visit.page.screenshot(path=Path(PICTURES) / f"{name}_{scheme}_{width}.png")
    visit.page.emulate_media(color_scheme="light")
    visit.page.set_viewport_size({"width": 1400, "height": 900})


def test_a_hub_that_fails_has_its_sentence_and_another_try_helps(browser, far) -> None:
    hub, address = far
    hub.faults[CATALOGUE[MODEL].source] = "broken"
    with opened(browser, address) as visit:
        choose(visit, "Pythia 14M")
        visit.page.get_by_text("answered with an error (500)").wait_for(timeout=PATIENCE)
        visit.settle()
        picture(visit, "failed")
        hub.faults.clear()
        hub.bytes_per_second = SLOW
        visit.press("Try again")
        bar = visit.page.get_by_test_id("stProgress")
        bar.get_by_text("B a second").wait_for(timeout=PATIENCE)
        picture(visit, "downloading")
        first = bar.inner_text()
        assert "of 4.8 MB" in first

        with opened(browser, address) as other:  # the bundled model answers meanwhile
            answered(other)
            bar.get_by_text(first, exact=True).wait_for(state="detached", timeout=PATIENCE)
            assert "of 4.8 MB" in bar.inner_text()
            choose(other, "Pythia 14M")
            other.page.get_by_test_id("stProgress").wait_for(timeout=PATIENCE)
            other.press("Use the bundled model meanwhile")
            answered(other)

        hub.bytes_per_second = None
        arrived = visit.page.get_by_role("heading", name="How the model reads it")
        arrived.wait_for(timeout=PATIENCE)
        visit.settle()
        assert bar.count() == 0
        picture(visit, "arrived")
    asked = [line for line in hub.requests if line.startswith("GET") and ".safetensors" in line]
    assert len(asked) == 1
