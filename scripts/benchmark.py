"""Speed and memory as ratios of two things measured in one run, in turn, several times.

    python -m scripts.benchmark
    python -m scripts.benchmark --only prompt_vs_forward --json

Absolute times depend on the machine and the hour; a ratio of two neighbours in time does not. Every
ratio is the median over repeats, with its smallest and largest. Nothing here passes or fails.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from headroles import (
    ablation,
    admin,
    analysis,
    capture,
    circuits,
    detector,
    models,
    reference,
    roles,
    verdicts,
)
from headroles.head_detection import get_active_head_summary
from headroles.types import Head
from headroles.ui.app import session

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

from headroles.paths import DEMO_MODEL, ROOT

CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

EMPTY_APP = 'import streamlit as st\nst.title("Your prompt")\n'


class Served(NamedTuple):
    """A Streamlit server that runs."""

    address: str
    """Where a browser finds it."""
    pid: int
    """Its process."""


@dataclass(frozen=True)
class Measured:
    """One figure of the table."""

    what: str
    """What the ratio divides by what."""
    aim: str
    """What it should be."""
    first: list[float]
    """[repeat] the numerator: seconds, or megabytes."""
    second: list[float]
    """[repeat] the denominator, measured right after it."""
    unit: str = "s"

    def summary(self) -> dict[str, object]:
        """The figure as plain numbers."""
        ratios = [a / b for a, b in zip(self.first, self.second, strict=True)]
        return {
            "what": self.what,
            "aim": self.aim,
            "ratio": round(statistics.median(ratios), 3),
            "median": round(statistics.median(ratios), 3),
            "min": round(min(ratios), 3),
            "max": round(max(ratios), 3),
            "n": len(ratios),
            "first_median": round(statistics.median(self.first), 4),
            "second_median": round(statistics.median(self.second), 4),
            "unit": self.unit,
        }


def seconds(action: Callable[[], object]) -> float:
    """Wall-clock seconds of one call."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def in_turn(
    first: Callable[[], object], second: Callable[[], object], *, repeats: int
) -> tuple[list[float], list[float]]:
    """Time two actions one after the other, ``repeats`` times, after one warm-up of each."""
    first(), second()
    pairs = [(seconds(first), seconds(second)) for _ in range(repeats)]
    return [a for a, _ in pairs], [b for _, b in pairs]


@contextlib.contextmanager
def gpt2_small() -> Iterator[Path]:
    """A folder with a GPT-2-small-sized model with random weights and the bundled tokenizer."""
    import torch
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "gpt2-small-random"
        torch.manual_seed(0)
        GPT2LMHeadModel(GPT2Config(bos_token_id=0, eos_token_id=0)).save_pretrained(folder)
        AutoTokenizer.from_pretrained(DEMO_MODEL).save_pretrained(folder)
        yield folder


def analysis_vs_detect_head(folder: Path, *, prompts: int, repeats: int) -> Measured:
    """The three roles that both know, on the same prompts: one run each against one pass."""
    from headroles.texts.sentences import SENTENCES

    bridge = analysis.load_bridge(str(folder))
    texts = [SENTENCES[place % len(SENTENCES)] for place in range(prompts)]
    difference = max(analysis.largest_difference(bridge, texts[:2]).values())
    theirs, own = in_turn(
        lambda: analysis.detect_head_scores(bridge, texts),
        lambda: analysis.own_detect_head(bridge, texts),
        repeats=repeats,
    )
    what = (
        f"detect_head / one batched pass, {prompts} prompts x 3 roles (differ by {difference:.0e})"
    )
    return Measured(what, "", theirs, own)


def analysis_vs_detect_head_bundled(repeats: int) -> Measured:
    """How many times faster the analysis is than ``detect_head`` on the bundled model."""
    found = analysis_vs_detect_head(DEMO_MODEL, prompts=50, repeats=repeats)
    return Measured(found.what, "at least 60", found.first, found.second)


def analysis_vs_detect_head_gpt2_small(repeats: int) -> Measured:
    """The same on a GPT-2-small-sized model."""
    with gpt2_small() as folder:
        found = analysis_vs_detect_head(folder, prompts=8, repeats=max(3, repeats // 3))
    return Measured(found.what, "at least 8", found.first, found.second)


def knockouts_vs_one_at_a_time(repeats: int) -> Measured:
    """Twenty knock-outs on the default prompt: one after the other, and as rows of one batch.

    One alone is two rows, because it is told against the untouched run; twenty together share it.
    """
    from headroles.texts.examples import DEFAULT_PROMPT
    from headroles.texts.tokenization import encode

    loaded = models.load_model("demo")
    encoding = encode(loaded.tokenizer, DEFAULT_PROMPT)
    heads = [Head(place % loaded.num_layers, place // loaded.num_layers) for place in range(20)]
    conditions = [ablation.Condition(head.label, (ablation.HeadOutput((head,)),)) for head in heads]
    one_by_one, together = in_turn(
        lambda: [ablation.ablate(loaded, encoding, [one]) for one in conditions],
        lambda: ablation.ablate(loaded, encoding, conditions),
        repeats=repeats,
    )
    what = (
        f"20 knock-outs of {len(encoding.tokens)} tokens, one at a time / together, bundled model"
    )
    return Measured(what, "at least 5", one_by_one, together)


def analysis_vs_forward(repeats: int) -> Measured:
    """The whole analysis of GPT-2-small size against bare batched forward passes of its tokens."""
    import torch
    from transformers import AutoModelForCausalLM

    from headroles.texts.probe_texts import batches

    with gpt2_small() as folder:
        bridge = analysis.load_bridge(str(folder))
        model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
        probe = analysis.make_texts(models.load_tokenizer(str(folder)), n=8, seed=0)

        def bare() -> None:
            with torch.inference_mode():
                for texts in (probe.sentences, probe.control, probe.repeats):
                    for rows in batches(texts, max_cells=reference.MAX_CELLS):
                        model(texts.token_ids[rows, : int(texts.lengths[rows].max())])

        own, theirs = in_turn(
            lambda: analysis.measure_roles(bridge, probe, seed=0),
            bare,
            repeats=max(3, repeats // 3),
        )
    what = "analysis / bare eager forward of the same batches, GPT-2-small size"
    return Measured(what, "at most 1.25", own, theirs)


def detector_vs_detect_head(folder: Path, *, prompts: int, repeats: int) -> Measured:
    """The three patterns that both know, by mul: one run each against one batched pass."""
    from headroles.texts.probe_texts import pack
    from headroles.texts.sentences import SENTENCES

    bridge, loaded = analysis.load_bridge(str(folder)), models.load_model(str(folder))
    texts = [SENTENCES[place % len(SENTENCES)] for place in range(prompts)]
    # Whatever start token the bridge prepends, detect_head sees the same.
    batch = roles.prompts_of_ids(
        loaded.tokenizer, pack([bridge.to_tokens(text)[0].tolist() for text in texts])
    )
    patterns = [roles.Pattern("detect_head", name) for name in analysis.DETECTED.values()]
    found, theirs = (
        detector.detect(loaded, batch, patterns),
        analysis.detect_head_scores(bridge, texts),
    )
    difference = max(
        float((found.summary(place, "mul").mean - scores).abs().max())
        for place, scores in enumerate(theirs.values())
    )
    slow, own = in_turn(
        lambda: analysis.detect_head_scores(bridge, texts),
        lambda: detector.detect(loaded, batch, patterns),
        repeats=repeats,
    )
    what = (
        f"detect_head / detector lab, {prompts} prompts x 3 patterns (differ by {difference:.0e})"
    )
    return Measured(what, "", slow, own)


def detector_vs_detect_head_bundled(repeats: int) -> Measured:
    """How many times faster the detector lab is than ``detect_head`` on the bundled model."""
    found = detector_vs_detect_head(DEMO_MODEL, prompts=50, repeats=repeats)
    return Measured(found.what, "at least 60", found.first, found.second)


def detector_vs_detect_head_gpt2_small(repeats: int) -> Measured:
    """The same on a GPT-2-small-sized model."""
    with gpt2_small() as folder:
        found = detector_vs_detect_head(folder, prompts=8, repeats=max(3, repeats // 3))
    return Measured(found.what, "at least 8", found.first, found.second)


def detector_vs_forward(repeats: int) -> Measured:
    """A detection of three patterns against bare batched forward passes, GPT-2-small size."""
    with gpt2_small() as folder:
        return _detector_and_bare(folder, "GPT-2-small size", repeats=max(3, repeats // 3))


def detector_vs_forward_bundled(repeats: int) -> Measured:
    """The same on the bundled model."""
    return _detector_and_bare(DEMO_MODEL, "bundled model", repeats=repeats)


def _detector_and_bare(folder: Path, name: str, *, repeats: int) -> Measured:
    import torch
    from transformers import AutoModelForCausalLM

    from headroles.texts.probe_texts import batches
    from headroles.texts.sentences import SENTENCES

    loaded = models.load_model(str(folder))
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    prompts, _ = roles.read_prompts(loaded.tokenizer, SENTENCES, max_tokens=loaded.max_tokens)
    texts = prompts.sequences

    def bare() -> None:
        with torch.inference_mode():
            for rows in batches(texts, max_cells=detector.MAX_CELLS):
                model(texts.token_ids[rows, : int(texts.lengths[rows].max())])

    own, theirs = in_turn(
        lambda: detector.detect(loaded, prompts, roles.BUILT_IN[:3]), bare, repeats=repeats
    )
    what = f"detector lab / bare eager forward of the same batch, {len(prompts)} prompts, {name}"
    return Measured(what, "at most 1.25", own, theirs)


def extended_vs_basic(repeats: int) -> Measured:
    """What the extended roles add to the analysis of the bundled model, its loading left out."""
    return _extended_and_basic(DEMO_MODEL, n=64, repeats=repeats, what="bundled model")


def extended_vs_basic_gpt2_small(repeats: int) -> Measured:
    """The same on a GPT-2-small-sized model."""
    with gpt2_small() as folder:
        return _extended_and_basic(
            folder, n=64, repeats=max(3, repeats // 3), what="GPT-2-small size"
        )


def _extended_and_basic(folder: Path, *, n: int, repeats: int, what: str) -> Measured:

    bridge, tokenizer = analysis.load_bridge(str(folder)), models.load_tokenizer(str(folder))
    probe = analysis.make_texts(tokenizer, n=n, seed=0)
    extended, basic = in_turn(
        lambda: analysis.measure_extended(bridge, tokenizer, probe, seed=0),
        lambda: analysis.measure_roles(bridge, probe, seed=0),
        repeats=repeats,
    )
    return Measured(f"six extended roles / five basic roles, {what}", "", extended, basic)


def prompt_vs_forward(repeats: int) -> Measured:
    """From a prompt to all verdicts, against one bare eager forward pass of its tokens."""
    first, second, tokens = prompt_and_bare(DEMO_MODEL, repeats=repeats * 4)
    what = f"prompt to verdicts / bare eager forward, bundled model, {tokens} tokens"
    return Measured(what, "at most 1.3", first, second)


def prompt_vs_forward_gpt2_small(repeats: int) -> Measured:
    """The same on a GPT-2-small-sized model."""
    with gpt2_small() as folder:
        first, second, tokens = prompt_and_bare(folder, repeats=repeats)
    what = f"prompt to verdicts / bare eager forward, GPT-2-small size, {tokens} tokens"
    return Measured(what, "at most 1.3", first, second)


def prompt_during_analysis(repeats: int) -> Measured:
    """A student's prompt while an analysis runs in the background, and while the same one rests."""
    import psutil

    loaded = models.load_model("demo")
    prompt = "The cat sat on the mat. The dog lay by the fire. " * 4

    def answer() -> None:
        get_active_head_summary(capture.capture(loaded, prompt), "demo")

    with gpt2_small() as folder, tempfile.TemporaryDirectory() as name:
        jobs = admin.Jobs(Path(name))
        job = jobs.submit(admin.JobRequest(model=str(folder), sequences=20_000), who="benchmark")
        try:
            while not jobs.watch(job.id).progress.done:
                time.sleep(0.2)
            (child,) = psutil.Process().children()

            def beside_it() -> None:
                child.resume()
                answer()

            def alone() -> None:
                child.suspend()
                answer()

            busy, idle = in_turn(beside_it, alone, repeats=repeats * 4)
            child.resume()
        finally:
            jobs.close()
    what = "prompt to verdicts, bundled model, while an analysis of GPT-2-small size runs / rests"
    return Measured(what, "answers", busy, idle)


def prompt_and_bare(folder: Path, *, repeats: int) -> tuple[list[float], list[float], int]:
    """Seconds of the whole way to the verdicts, and of the bare forward pass; tokens."""
    import torch
    from transformers import AutoModelForCausalLM

    loaded = models.load_model(str(folder))
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    prompt = "The cat sat on the mat. The dog lay by the fire. " * 12
    ids = torch.tensor([capture.capture(loaded, prompt).token_ids])
    listed = [Head(n % loaded.num_layers, n) for n in range(8)]

    def own() -> None:
        run = capture.capture(loaded, prompt)
        scores = verdicts.score_prompt(run.attention, run.token_ids)
        for role, threshold in verdicts.DEFAULT_THRESHOLDS.items():  # eight listed heads a role
            for head in listed:
                verdicts.judge(head, role, scores, threshold)

    def bare() -> None:
        with torch.inference_mode():
            model(ids, output_attentions=True)

    first, second = in_turn(own, bare, repeats=repeats)
    return first, second, ids.shape[1]


def closeup_page_seconds(repeats: int) -> Measured:
    """Script time of the close-up of one of 144 heads, at 200 tokens and at 20."""
    return page_seconds("pages/head_closeup.py", "Head close-up", repeats=repeats)


def closeup_page_bytes(repeats: int) -> Measured:
    """Kilobytes that the same page sends to the browser."""
    return page_bytes("pages/head_closeup.py", "Head close-up")


def map_page_seconds(repeats: int) -> Measured:
    """Script time of the map of 144 heads on a prompt of 200 tokens and of 20."""
    return page_seconds("pages/head_map.py", "Head map", repeats=repeats)


def map_page_bytes(repeats: int) -> Measured:
    """Kilobytes that the same page sends to the browser."""
    return page_bytes("pages/head_map.py", "Head map")


def page_seconds(page: str, name: str, *, repeats: int) -> Measured:
    """Script time of a page at 200 tokens and at 20; the prompt was answered before."""
    with pages_of_a_large_model(page) as show:
        first, second = in_turn(lambda: show(200), lambda: show(20), repeats=repeats)
    what = f"script of {name} at 200 / at 20 tokens, GPT-2-small size, prompt answered before"
    return Measured(what, "at most 2", first, second)


def page_bytes(page: str, name: str) -> Measured:
    """Kilobytes that a page sends to the browser at 200 tokens and at 20; the same in every run."""
    with pages_of_a_large_model(page) as show:
        long, short = (show(tokens) / 1000 for tokens in (200, 20))
    what = f"KB sent by {name} at 200 / at 20 tokens, GPT-2-small size"
    return Measured(what, "under 200 KB", [long], [short], unit="KB")


@contextlib.contextmanager
def pages_of_a_large_model(page: str) -> Iterator[Callable[[int], int]]:
    """A function that draws a page for a prompt of so many tokens: bytes sent.

    The page runs as it does in the app, without a browser; the model is GPT-2-small-sized.
    """
    from dataclasses import replace
    from unittest import mock

    import streamlit as st
    from streamlit.testing.v1 import AppTest

    with gpt2_small() as folder:
        demo = replace(models.catalogue.CATALOGUE["demo"], source=str(folder))
        with mock.patch.dict(models.catalogue.CATALOGUE, {"demo": demo}):
            app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=300).run()
            app.switch_page(page).run()

            def show(tokens: int) -> int:
                app.session_state[session.PROMPT] = _prompt_of(tokens, folder)
                app.session_state[session.MAP_SOURCE] = session.PROMPTED
                app.run()
                assert not app.exception, app.exception[0].message
                protos = [getattr(part, "proto", None) for part in [*app.main, *app.sidebar]]
                return sum(proto.ByteSize() for proto in protos if proto is not None)

            yield show
            st.cache_data.clear()
            st.cache_resource.clear()


def _prompt_of(tokens: int, folder: Path) -> str:
    """A text of exactly so many tokens, the start token included."""

    tokenizer = models.load_tokenizer(str(folder))
    ids = tokenizer("The cat sat on the mat. The dog lay by the fire. " * tokens)["input_ids"]
    return tokenizer.decode(ids[: tokens - 1])


def first_paint_vs_empty_app(repeats: int) -> Measured:
    """Cold start: from opening the page on a fresh server to its title, against an empty app."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        empty = Path(name) / "empty.py"
        empty.write_text(EMPTY_APP)
        browser = playwright.chromium.launch(executable_path=_chromium(), args=CHROMIUM_FLAGS)

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


@contextlib.contextmanager
def served(
    script: Path, *options: str, environment: dict[str, str] | None = None
) -> Iterator[Served]:
    """Run a Streamlit script on a free loopback port, and stop it by its process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.headless=true"]
    command += [f"--server.port={port}", "--server.address=127.0.0.1"]
    command += ["--browser.gatherUsageStats=false", *options]
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **(environment or {})},
    )
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1)
                break
            time.sleep(0.1)
        yield Served(address, process.pid)
    finally:
        process.terminate()
        process.wait(timeout=20)


_MEMORY = """
import resource, sys
import streamlit
{body}
status = open("/proc/self/status").read()
print(int(status.split("VmRSS:")[1].split()[0]) / 1024)
"""

_TEN_PROMPTS = """
from headroles.capture import capture
from headroles.head_detection import get_active_head_summary
from headroles.models import load_model
loaded = load_model("demo")
for n in range(10):
    get_active_head_summary(capture(loaded, "The cat sat on the mat. " * (n + 1)), "demo")
"""


def resident_memory(repeats: int) -> Measured:
    """Resident memory after ten prompts on the bundled model, against its libraries alone."""

    def megabytes(body: str) -> float:
        output = subprocess.run(
            [sys.executable, "-c", _MEMORY.format(body=body)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        return float(output.stdout.split()[-1])

    baseline = "import torch, transformers\nfrom transformers import AutoModelForCausalLM"
    rounds = range(max(3, repeats // 3))
    pairs = [(megabytes(_TEN_PROMPTS), megabytes(baseline)) for _ in rounds]
    what = "MB after ten prompts / MB of streamlit + torch + transformers"
    return Measured(what, "under 1 GB", [a for a, _ in pairs], [b for _, b in pairs], unit="MB")


def app_memory_bundled(_repeats: int) -> Measured:
    """Resident memory of a real server with the bundled model, and of its analysis beside it."""
    with tempfile.TemporaryDirectory() as name:
        return app_memory("demo", home=Path(name), aim="under 1 GB each")


def app_memory_gpt2_small(_repeats: int) -> Measured:
    """The same with a model of GPT-2 small's size, which lies where the Hub's copy would lie."""

    entry = models.CATALOGUE["gpt2"]
    with tempfile.TemporaryDirectory() as name, gpt2_small() as folder:
        home = Path(name)
        model = home / "hub" / f"models--{entry.source.replace('/', '--')}"
        (model / "snapshots").mkdir(parents=True)
        (model / "snapshots" / str(entry.revision)).symlink_to(folder, target_is_directory=True)
        return app_memory("gpt2", home=home, aim="under 1.5 GB each")


def app_memory(model: str, *, home: Path, aim: str) -> Measured:
    """Five prompts, an analysis of the model on the Admin page, five more prompts.

    Args:
        model: a catalogue key whose files are in the bundled folder or in ``home``.
        home: the Hub's cache; passwords and data go there too.
        aim: for the table.
    """
    import shutil

    data = home / "data"
    data.mkdir()
    shutil.copy(ROOT / "data" / "head_categories.json", data)
    password = "only for this measurement"
    (home / "secrets.toml").write_text(
        f'[admin]\npassword_hash = "{admin.hash_password(password)}"\n'
    )
    environment = {
        "HEADROLES_DATA": str(data),
        "HF_HOME": str(home),
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_HUB_OFFLINE": "1",
    }
    prompts = [f"Story number {n}: the cat sat on the mat. " * (3 * n + 1) for n in range(10)]
    script, secrets = ROOT / "streamlit_app.py", f"--secrets.files={home / 'secrets.toml'}"
    with served(script, secrets, environment=environment) as app, watched(app.pid) as seen:
        browse(app.address, model, prompts, password=password)
        end = seen["server"][-1]
    together, child = max(seen["together"]), max(seen["children"])
    what = (
        f"MB of the server after ten prompts on {model} and an analysis in between / with the "
        f"analysis at its peak, pages of both counted once (the server alone at most "
        f"{max(seen['server']):.0f} MB, the analysis alone {child:.0f} MB)"
    )
    return Measured(what, aim, [end], [together], unit="MB")


@contextlib.contextmanager
def watched(pid: int, *, every: float = 0.2) -> Iterator[dict[str, list[float]]]:
    """The megabytes of a process and of all its children, until the end of the block.

    ``server`` and ``children`` are resident sets. ``together`` is the sum of proportional sets: a
    page that both have mapped (libraries, the file of the weights) counts once, as in a container.
    """
    import threading

    import psutil

    process, over = psutil.Process(pid), threading.Event()
    seen: dict[str, list[float]] = {"server": [], "children": [0.0], "together": []}

    def look() -> None:
        while not over.wait(every):
            with contextlib.suppress(psutil.NoSuchProcess):
                family = [process, *process.children(recursive=True)]
                own, *others = (one.memory_info().rss / 1e6 for one in family)
                seen["server"].append(own)
                seen["children"].append(sum(others))
                seen["together"].append(sum(one.memory_full_info().pss for one in family) / 1e6)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


def browse(address: str, model: str, prompts: list[str], *, password: str) -> None:
    """Run prompts in a browser, and have the model analysed on the Admin page half way."""
    from playwright.sync_api import sync_playwright

    name, half = models.CATALOGUE[model].name, len(prompts) // 2
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=CHROMIUM_FLAGS)
        page = browser.new_context().new_page()
        page.set_default_timeout(60_000)
        page.goto(f"{address}/?m={model}")

        def settle() -> None:
            page.wait_for_timeout(400)
            page.wait_for_function(
                "() => document.querySelector('[data-testid=stApp]')"
                "?.getAttribute('data-test-script-state') === 'notRunning'"
            )

        def go(title: str) -> None:
            page.get_by_test_id("stSidebarNavLink").filter(has_text=title).click()
            page.get_by_role("heading", name=title, exact=True).wait_for()
            settle()

        def run(some: list[str]) -> None:
            for prompt in some:
                box = page.get_by_label("Your sentence")
                box.fill(prompt)
                box.press("Control+Enter")
                settle()
                page.get_by_role("heading", name="What it expects next").wait_for()
                settle()

        page.get_by_role("heading", name="What it expects next").wait_for()
        chosen = page.get_by_test_id("stSidebar").get_by_label("Model").input_value()
        assert chosen == name, f"{chosen} runs instead"
        run(prompts[:half])
        go("Admin")
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Sign in").click()
        page.get_by_role("button", name="Start").wait_for()
        settle()
        if model != "demo":  # which is chosen from the start
            box = page.locator(".st-key-admin-models").get_by_role("combobox")
            box.press("Backspace")
            box.type(name)
            box.press("Enter")
            page.keyboard.press("Escape")
            settle()
        page.get_by_role("button", name="Start").click()
        done = page.get_by_role("button", name="Look at it")
        over = done.or_(page.get_by_text("failed", exact=False))
        over.first.wait_for(timeout=1_800_000)  # it gives way to whatever else the machine does
        assert done.count(), f"the analysis failed: {page.locator('main').inner_text()}"
        settle()
        go("Your Prompt")
        run(prompts[half:])
        browser.close()


def _chromium() -> str:
    return os.environ.get("CHROMIUM", "/usr/bin/chromium")


_CIRCUITS = """
import resource
from headroles import circuits
from headroles.models import load_model
from headroles.types import Head
loaded = load_model({folder!r})
even, wanted = circuits.uniform(50257), circuits.CircuitSettings()
circuits.key_table(circuits.head_factors(loaded, Head(0, 0), wanted), even)
for layer in range(12):
    for head in range(12):
        circuits.summarise(loaded, Head(layer, head), wanted, even)
circuits.composition(loaded, "K")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def circuits_peak_memory(repeats: int) -> Measured:
    """Peak memory of all circuits of a model of GPT-2-small size, against loading it alone."""
    with gpt2_small() as folder:
        whole = _CIRCUITS.format(folder=str(folder))
        alone = "\n".join([*whole.splitlines()[:5], whole.splitlines()[-1]])

        def megabytes(body: str) -> float:
            command = [sys.executable, "-c", body]
            output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            return float(output.stdout.split()[-1])

        pair = megabytes(whole), megabytes(alone)
    what = "peak MB with all circuits of 144 heads and 50,257 tokens / with the model loaded alone"
    return Measured(what, "under 1.5 GB", [pair[0]], [pair[1]], unit="MB")


def circuits_table_vs_whole(repeats: int) -> Measured:
    """The table of one head of the bundled model: in blocks, against both whole matrices."""

    loaded = models.load_model("demo")
    even = circuits.qk_ov.uniform(2816)
    found = circuits.qk_ov.head_factors(loaded, Head(0, 6), circuits.qk_ov.CircuitSettings())

    def whole() -> None:
        qk, ov = found.query @ found.key.T, found.value @ found.out
        (qk.amax(0) * ov.amax(1) * even**0.1).topk(10)

    blocks, at_once = in_turn(lambda: circuits.qk_ov.key_table(found, even), whole, repeats=repeats)
    what = "key table in blocks, with its lists / both whole matrices and the choice of keys"
    return Measured(what, "at most 1.5", blocks, at_once)


BENCHMARKS: dict[str, Callable[[int], Measured]] = {
    function.__name__: function
    for function in (
        analysis_vs_detect_head_bundled,
        analysis_vs_detect_head_gpt2_small,
        analysis_vs_forward,
        knockouts_vs_one_at_a_time,
        detector_vs_detect_head_bundled,
        detector_vs_detect_head_gpt2_small,
        detector_vs_forward,
        detector_vs_forward_bundled,
        extended_vs_basic,
        extended_vs_basic_gpt2_small,
        prompt_vs_forward,
        prompt_vs_forward_gpt2_small,
        prompt_during_analysis,
        closeup_page_seconds,
        closeup_page_bytes,
        map_page_seconds,
        map_page_bytes,
        first_paint_vs_empty_app,
        resident_memory,
        app_memory_bundled,
        app_memory_gpt2_small,
        circuits_table_vs_whole,
        circuits_peak_memory,
    )
}


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--repeats", type=int, default=9, help="about how often each is measured")
    parser.add_argument(
        "--only", action="append", choices=list(BENCHMARKS), help="measure only this; repeatable"
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure and print."""
    from tqdm import tqdm

    options = parse_arguments(argv)
    names = options.only or list(BENCHMARKS)
    results = {}
    if not options.json:
        print("| figure | ratio | min–max | n | aim | what | medians |")
        print("|---|--:|---|--:|---|---|---|", flush=True)
    for name in tqdm(names, disable=None):
        results[name] = BENCHMARKS[name](options.repeats).summary()
        if not options.json:
            print(table_row(name, results[name]), flush=True)
    if options.json:
        print(json.dumps(results, indent=1))
    return 0


def table_row(name: str, row: dict[str, object]) -> str:
    """One figure as a row of a Markdown table."""
    return (
        f"| {name} | {row['ratio']:.2f} | {row['min']:.2f}–{row['max']:.2f} | {row['n']} | "
        f"{row['aim']} | {row['what']} | "
        f"{row['first_median']:.3g} / {row['second_median']:.3g} {row['unit']} |"
    )


if __name__ == "__main__":
    sys.exit(main())
