"""What is imported before a page shows its title: each import is waited for by whoever opens it."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from headroles.paths import ROOT

EMPTY = """
import streamlit as st
st.set_page_config(layout="wide")
st.navigation([st.Page(lambda: st.title("empty"), title="Empty")]).run()
"""

PROGRAM = """
import json, sys
from streamlit.testing.v1 import AppTest
import streamlit as st

empty, entry, *others = sys.argv[1:]
AppTest.from_file(empty).run()
before, after, title = set(sys.modules), set(), st.title

def stop_at_title(*args, **settings):
    after.update(sys.modules)
    st.stop()

st.title = stop_at_title
app = AppTest.from_file(entry, default_timeout=120).run()
for page in others:
    app.switch_page(page).run()
assert not app.exception, app.exception
print(json.dumps(sorted(after - before)))
"""

LIBRARIES = {"cachetools", "humanize", "lazy_loader"}
"""Beyond Streamlit; each takes a millisecond."""

OWN = {
    "disk", "errors.base", "errors.models", "errors.prompts", "errors.scores", "errors.server",
    "formatting", "limits", "models.builtin", "models.catalogue",
    "models.gguf_files", "models.listed", "models.on_disk", "models.weight_files", "paths",
    "roles.cells",
    "roles.extended", "roles.known_heads", "roles.registry", "roles.resting", "roles.role",
    "store.contents",
    "texts.examples", "texts.ready_detections", "texts.ready_pairs",
    "texts.tokenization", "types", "view.causal", "view.conclusions", "view.detection",
    "view.extended_roles", "view.glossary", "view.glossary_pictures", "view.head_maps",
    "view.head_records", "view.html", "view.lamps", "view.lists", "view.map_conclusions",
    "view.map_marks", "view.strokes",
    "view.markdown", "view.offer", "view.offset_profiles", "view.random_repeats",
    "view.resting_layers", "view.role_cards", "view.two_prompts", "view.two_texts", "view.waking",
}  # fmt: skip
"""Of this project, not counting faces of packages and modules of ``ui``. Think before adding one:
does the title, the picker or the prompt box need it?"""


def names_from(program: str, *arguments: str) -> list[str]:
    """What a program in a fresh interpreter prints last: names, as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(
    "others",
    [
        (),
        ("pages/head_closeup.py", "pages/head_map.py"),
        ("pages/detector_lab.py", "pages/knockout_lab.py", "pages/circuits.py"),
        ("pages/answer.py", "pages/find_heads.py"),
        ("pages/real_text.py",),
        ("pages/lessons.py",),
        ("pages/glossary.py",),
    ],
)
def test_little_is_imported_before_the_title(others: tuple[str, ...], tmp_path) -> None:
    empty = tmp_path / "empty.py"
    empty.write_text(EMPTY)
    modules = names_from(PROGRAM, str(empty), str(ROOT / "streamlit_app.py"), *others)
    packages = {name.partition(".")[0] for name in modules} - sys.stdlib_module_names
    assert packages - {"streamlit", "headroles"} <= LIBRARIES
    own = {name.partition(".")[2] for name in modules if name.startswith("headroles.")}
    faces = {place.parent.name for place in (ROOT / "headroles").glob("*/__init__.py")}
    assert {name for name in own if not name.startswith("ui.")} - faces <= OWN


TOGETHER = """
import json, sys
from streamlit.testing.v1 import AppTest

entry, page = sys.argv[1:]
alone = []

class Watch:
    def find_spec(self, name, *_):
        caches = sys.modules.get("headroles.ui.app.caches")
        if name in ("torch", "transformers", "pyvene", "pandas", "altair"):
            alone.extend([] if caches and caches._importing.locked() else [name])

sys.meta_path.insert(0, Watch())
app = AppTest.from_file(entry, default_timeout=120)
app.switch_page(page).run()
assert not app.exception, app.exception
assert {"transformers", "altair"} <= sys.modules.keys()
print(json.dumps(alone))
"""


@pytest.mark.parametrize("page", ["pages/your_prompt.py", "pages/admin.py"])
def test_the_libraries_are_imported_by_one_session_at_a_time(page: str) -> None:
    """Another session would be handed a library that is half there, and show an ImportError."""
    assert names_from(TOGETHER, str(ROOT / "streamlit_app.py"), page) == []


AT_ONCE = """
import sys, threading
from headroles import formatting

sys.setswitchinterval(1e-5)
barrier, said = threading.Barrier(8), []

def say():
    barrier.wait()
    said.append(formatting.size(722_000_000))

threads = [threading.Thread(target=say) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(said == ["722 MB"] * 8)
"""


def test_the_first_visitors_may_come_at_the_same_moment() -> None:
    """A module that loads itself when it is first used is half there for a second thread."""
    done = subprocess.run(
        [sys.executable, "-c", AT_ONCE], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "True", done.stderr
