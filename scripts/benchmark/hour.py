"""Megabytes of an hour's use: many visits to every page, each with prompts of its own.

Every visit opens all pages that students use, runs a prompt that nobody else has, and ends. What a
visit holds is gone then, and what the server keeps has a bound, so the memory levels off.
"""

from __future__ import annotations

import json
import subprocess
import sys

from headroles.paths import ROOT
from scripts.benchmark.measured import Figure, Measured

VISITS, FIRST = 40, 15
"""Visits in all, and those after which memory is compared with the end."""

_VISITS = """
import gc, json, random, psutil
from streamlit.testing.v1 import AppTest
from headroles.ui.app import keeper, long_work, session

long_work.MOMENT = 300.0  # no browser ticks here
PAGES = (
    "your_prompt", "head_closeup", "head_map", "detector_lab", "knockout_lab", "answer", "circuits",
    "find_heads",
)
WORDS = "the a cat dog sat ran on mat house one two three red blue big small and with to".split()
chance = random.Random(0)


def visit():
    app = AppTest.from_file("{script}", default_timeout=600).run()
    words = chance.choices(WORDS, k=chance.choice((10, 20, 60, 200)))
    app.session_state[session.PROMPT] = " ".join(words + words[: len(words) // 2])
    for page in PAGES:
        app.switch_page(f"pages/{{page}}.py").run()
        assert not app.exception, app.exception[0].message


for number in range({visits}):
    visit()
    gc.collect()  # as a Streamlit server does after every run
    resident = psutil.Process().memory_info().rss / 1e6
    print(json.dumps([resident, keeper.results().size / 1e6]), flush=True)
"""


def megabytes_by_visit(visits: int = VISITS) -> list[tuple[float, float]]:
    """[visit] the megabytes of the process, and of the results that it keeps, after each visit."""
    code = _VISITS.format(script=ROOT / "streamlit_app.py", visits=visits)
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [tuple(json.loads(line)) for line in output.splitlines() if line.startswith("[")]


def app_memory_hour(_repeats: int) -> Measured:
    """The app after all visits, against after the first of them."""
    seen = megabytes_by_visit()
    (end, kept), (before, _) = seen[-1], seen[FIRST - 1]
    what = (
        f"MB of the app on the bundled model after {VISITS} visits to every page / after {FIRST}, "
        f"each with a prompt of its own ({kept:.0f} MB of results kept)"
    )
    return Measured(what, "under 1 GB", [end], [before], unit="MB")


FIGURES: dict[str, Figure] = {"app_memory_hour": app_memory_hour}
