"""Megabytes: of ten prompts, of all circuits of a model, and of a real server in use."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil

from headroles.admin import hash_password
from headroles.paths import ROOT
from scripts.benchmark.browser import browse
from scripts.benchmark.measured import (
    BUNDLED,
    REAL_MODEL,
    SMALL,
    Figure,
    Measured,
    Subject,
    gpt2_small,
    real_model,
)
from scripts.benchmark.server import in_place_of_the_hub, served

_RESIDENT = """
import streamlit
{body}
status = open("/proc/self/status").read()
print(int(status.split("VmRSS:")[1].split()[0]) / 1024)
"""

_LIBRARIES = "import torch, transformers\nfrom transformers import AutoModelForCausalLM"

_TEN_PROMPTS = """
from headroles.capture import capture
from headroles.head_detection import get_active_head_summary
from headroles.models import load_model
loaded = load_model("demo")
for n in range(10):
    get_active_head_summary(capture(loaded, "The cat sat on the mat. " * (n + 1)), "demo")
"""

_LOADED = """
import resource
from headroles import circuits
from headroles.models import load_model
from headroles.types import Head
loaded = load_model({folder!r})
"""

_CIRCUITS = """
even, wanted = circuits.uniform(50257), circuits.CircuitSettings()
circuits.key_table(circuits.head_factors(loaded, Head(0, 0), wanted), even)
for layer in range(12):
    for head in range(12):
        circuits.summarise(loaded, Head(layer, head), wanted, even)
circuits.composition(loaded, "K")
"""

_READING = """
import resource
from functools import partial
from headroles import capture, corpus, models, store, texts
loaded = models.load_model("demo")
drawn = corpus.draw(loaded.tokenizer, [texts.SOURCES["manual"]], tokens={tokens}, seed=0)
whole = corpus.Pass(corpus.Setting(drawn, (4, 8), store.read_entry("demo"), 0))
for place in range(len(whole)):
    whole.step(place, partial(capture.each_layer, loaded))
"""

_PEAK = "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"


def megabytes(code: str) -> float:
    """What a piece of Python prints last, run in a process of its own."""
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return float(output.stdout.split()[-1])


def resident_memory(repeats: int) -> Measured:
    """Resident memory after ten prompts on the bundled model, against its libraries alone."""
    pairs = [
        [megabytes(_RESIDENT.format(body=body)) for body in (_TEN_PROMPTS, _LIBRARIES)]
        for _ in range(max(3, repeats // 3))
    ]
    what = "MB after ten prompts / MB of streamlit + torch + transformers"
    return Measured(what, "under 1 GB", [a for a, _ in pairs], [b for _, b in pairs], unit="MB")


def real_text_memory(_repeats: int) -> Measured:
    """Peak memory of reading ten times as much real text, against reading a tenth of it."""
    whole, tenth = (megabytes(_READING.format(tokens=tokens) + _PEAK) for tokens in (40_000, 4_000))
    what = "peak MB of reading 40,000 tokens of the manual / 4,000, bundled model"
    return Measured(what, "at most 1.2", [whole], [tenth], unit="MB")


def circuits_peak_memory(_repeats: int) -> Measured:
    """Peak memory of all circuits of a model of GPT-2-small size, against loading it alone."""
    with gpt2_small() as folder:
        loaded = _LOADED.format(folder=str(folder))
        whole, alone = megabytes(loaded + _CIRCUITS + _PEAK), megabytes(loaded + _PEAK)
    what = "peak MB with all circuits of 144 heads and 50,257 tokens / with the model loaded alone"
    return Measured(what, "under 1.5 GB", [whole], [alone], unit="MB")


def app_memory(subject: Subject, key: str, aim: str, _repeats: int) -> Measured:
    """Five prompts, an analysis of the model on the Admin page, five more prompts.

    Args:
        subject: whose files run as those of the model.
        key: of the model in the catalogue; what is not bundled lies where the Hub's copy would.
        aim: for the table.
    """
    with tempfile.TemporaryDirectory() as name, subject.folder() as folder:
        home = Path(name)
        seen, end = _an_hour(key, home, in_place_of_the_hub(key, folder, home))
    together, child = max(seen["together"]), max(seen["children"])
    what = (
        f"MB of the server after ten prompts on {key} and an analysis in between / with the "
        f"analysis at its peak, pages of both counted once (the server alone at most "
        f"{max(seen['server']):.0f} MB, the analysis alone {child:.0f} MB)"
    )
    return Measured(what, aim, [end], [together], unit="MB")


def app_memory_by_precision(_repeats: int) -> Measured:
    """Ten prompts on SmolLM2 in a browser, in 32 bits and in 16."""
    ends, most = {}, {}
    for numbers in ("float32", "bfloat16"):
        with tempfile.TemporaryDirectory() as name, real_model():
            environment = {"HEADROLES_PRECISION": numbers}
            seen, end = _an_hour(REAL_MODEL, Path(name), environment, analysed=False)
        ends[numbers], most[numbers] = [end], max(seen["server"])
    what = (
        "MB of the server after ten prompts on SmolLM2-135M in 32 bits / in bfloat16 (at most "
        f"{most['float32']:.0f} and {most['bfloat16']:.0f} MB)"
    )
    return Measured(what, "under 1.5 GB", ends["float32"], ends["bfloat16"], unit="MB")


def _an_hour(
    key: str, home: Path, variables: dict[str, str], *, analysed: bool = True
) -> tuple[dict[str, list[float]], float]:
    """Megabytes of a server in use whose files lie in ``home``: all of them, and at the end."""
    data = home / "data"
    data.mkdir()
    shutil.copy(ROOT / "data" / "head_categories.json", data)
    password = "only for this measurement"
    secrets = home / "secrets.toml"
    secrets.write_text(f'[admin]\npassword_hash = "{hash_password(password)}"\n')
    environment = {**os.environ, **variables, "HEADROLES_DATA": str(data)}
    prompts = [f"Story number {n}: the cat sat on the mat. " * (3 * n + 1) for n in range(10)]
    script, option = ROOT / "streamlit_app.py", f"--secrets.files={secrets}"
    with served(script, option, environment=environment) as app, watched(app.pid) as seen:
        browse(app.address, key, prompts, password=password if analysed else None)
        return seen, seen["server"][-1]


@contextlib.contextmanager
def watched(pid: int, *, every: float = 0.2) -> Iterator[dict[str, list[float]]]:
    """The megabytes of a process and of all its children, until the end of the block.

    ``server`` and ``children`` are resident sets. ``together`` is the sum of proportional sets: a
    page that both have mapped (libraries, the file of the weights) counts once, as in a container.
    """
    process, over = psutil.Process(pid), threading.Event()
    seen: dict[str, list[float]] = {"server": [], "children": [0.0], "together": []}

    def look() -> None:
        while not over.wait(every):
            with contextlib.suppress(psutil.NoSuchProcess):
                family = [process, *process.children(recursive=True)]
                own, *others = (member.memory_info().rss / 1e6 for member in family)
                seen["server"].append(own)
                seen["children"].append(sum(others))
                shares = [member.memory_full_info().pss / 1e6 for member in family]
                seen["together"].append(sum(shares))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


FIGURES: dict[str, Figure] = {
    "resident_memory": resident_memory,
    "app_memory_bundled": partial(app_memory, BUNDLED, "demo", "under 1 GB each"),
    "app_memory_gpt2_small": partial(app_memory, SMALL, "gpt2", "under 1.5 GB each"),
    "app_memory_real": app_memory_by_precision,
    "real_text_memory": real_text_memory,
    "circuits_peak_memory": circuits_peak_memory,
}
