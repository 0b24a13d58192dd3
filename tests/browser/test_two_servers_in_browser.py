"""Two server processes on one data folder, each with an instructor in a browser."""

from __future__ import annotations

import shutil
from contextlib import ExitStack

from headroles.admin import hash_password
from headroles.paths import ROOT
from tests.browser.conftest import serve
from tests.browser.test_admin_in_browser import InstructorVisit
from tests.browser.visit import opened

PASSWORD = "four random words here"


def test_what_one_server_runs_is_seen_and_cancelled_on_the_other_and_taken_over(
    browser, tmp_path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(ROOT / "data" / "head_categories.json", data)
    secrets = tmp_path / "secrets.toml"
    secrets.write_text(f'[admin]\npassword_hash = "{hash_password(PASSWORD)}"\n')

    def instructor(stack: ExitStack, name: str) -> InstructorVisit:
        (tmp_path / name).mkdir()
        server = stack.enter_context(serve(tmp_path / name, data=data, secrets=secrets))
        visit = stack.enter_context(opened(browser, server, InstructorVisit))
        visit.sign_in(PASSWORD)
        visit.page.get_by_role("button", name="Start", exact=True).wait_for(timeout=60_000)
        return visit

    with ExitStack() as second_server:
        with ExitStack() as first_server:
            first = instructor(first_server, "first")
            second = instructor(second_server, "second")  # before there is anything to miss
            first.start(sequences=2000, cap=4)  # long
            first.page.get_by_test_id("stProgress").wait_for(timeout=60_000)
            second.open("Versions")
            second.open("Analyse")
            second.page.get_by_test_id("stProgress").wait_for(timeout=60_000)
            second.start(sequences=2000, cap=5)
            second.page.get_by_text("1 analysis ahead of it").wait_for(timeout=30_000)
            second.page.get_by_role("button", name="Cancel").first.click()
            for visit in (first, second):
                visit.page.get_by_text("⊘ cancelled").first.wait_for(
                    state="attached", timeout=30_000
                )
            second.start(sequences=8, cap=3)  # it waits for the other one of 2000
            second.page.get_by_text("1 analysis ahead of it").wait_for(timeout=30_000)
            assert second.page.get_by_test_id("stProgress").count() == 1
        # The first server is gone: what it ran is lost, and what waits is taken over.
        second.page.get_by_text("? lost").first.wait_for(state="attached", timeout=60_000)
        second.page.get_by_role("button", name="Review it").wait_for(timeout=120_000)
