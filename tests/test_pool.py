"""Models in memory: one load for thirty threads, a bound, and memory that really goes back."""

from __future__ import annotations

import gc
import json
import shutil
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from headroles.capture import capture
from headroles.errors import ModelUnavailableError, ServerBusyError
from headroles.models import ModelPool, load_model, model_revision
from headroles.paths import DEMO_MODEL, ROOT
from tests.local_hub import LocalHub
from tests.retrained import retrain


@pytest.fixture
def three(model_folders) -> list[str]:
    """Three tiny models on this disk."""
    return [str(model_folders(family)) for family in ("llama", "gpt_neox", "opt")]


def bare(keys: Iterable[str]) -> list[str]:
    """The names of folders, without the digits of their weights."""
    return [key.rpartition("-")[0] for key in keys]


def test_thirty_threads_load_one_model(three) -> None:
    loads: list[str] = []

    def load(name: str):
        loads.append(name)
        return load_model(name)

    pool, start = ModelPool(load=load), threading.Barrier(30)

    def borrow(_number: int) -> int:
        start.wait(60)
        with pool.borrow(three[0]) as loaded:
            return id(loaded)

    with ThreadPoolExecutor(30) as threads:
        assert len(set(threads.map(borrow, range(30)))) == 1
    assert loads == [three[0]]


def test_a_folder_that_is_trained_on_is_loaded_anew(tmp_path: Path) -> None:
    folder = tmp_path / "course"
    shutil.copytree(DEMO_MODEL, folder)
    pool = ModelPool(most=1)
    with pool.borrow(str(folder)) as old:
        first = model_revision(str(folder))
        before = capture(old, "The cat sat.").attention
    with pool.borrow(str(folder)) as same:
        assert same is old
        retrain(folder)
        with pool.borrow(str(folder)) as new:  # there is room, though the old one is in use
            assert (same.revision, new.revision) == (first, model_revision(str(folder)))
            after = capture(new, "The cat sat.").attention
        assert torch.equal(capture(same, "The cat sat.").attention, before)
    assert not torch.allclose(after, before, atol=0.01)
    assert pool.names() == [new.key]
    with pool.borrow(str(folder)) as again:
        assert again is new


def test_two_models_are_fetched_side_by_side(three) -> None:
    both = threading.Barrier(2, timeout=60)  # breaks if one waits for the other
    pool = ModelPool(fetch=lambda _name, *, progress: both.wait())

    def borrow(name: str) -> str:
        with pool.borrow(name) as loaded:
            return loaded.key

    with ThreadPoolExecutor(2) as threads:
        assert bare(threads.map(borrow, three[:2])) == ["llama", "gpt_neox"]


def test_the_model_that_was_idle_the_longest_goes(three) -> None:
    pool = ModelPool(most=2)
    for name in (*three[:2], three[0], three[2]):
        with pool.borrow(name):
            pass
    assert bare(pool.names()) == ["llama", "opt"]


def test_where_memory_is_short_the_idle_go_and_then_loading_decides(three) -> None:
    asked: list[tuple[str, list[str]]] = []

    def fits(name: str) -> bool:
        asked.append((name, bare(pool.names())))
        return name != three[1]

    pool = ModelPool(most=3, fits=fits)
    with pool.borrow(three[0]):
        with pool.borrow(three[1]):  # nobody is idle, and there is room by number
            assert bare(pool.names()) == ["llama", "gpt_neox"]
        with pool.borrow(three[2]):  # fits
            assert bare(pool.names()) == ["llama", "gpt_neox", "opt"]
    pool = ModelPool(most=3, fits=fits)
    for name in (three[0], three[2], three[1]):
        with pool.borrow(name):
            pass
    assert bare(pool.names()) == ["gpt_neox"]  # both idle ones made room
    assert asked[-3:] == [(three[1], ["llama", "opt"]), (three[1], ["opt"]), (three[1], [])]


def test_the_weights_of_a_model_that_goes_are_gone(three) -> None:
    pool = ModelPool(most=1)
    with pool.borrow(three[0]) as loaded:
        capture(loaded, "The cat sat on the mat.")  # PyVene's collector is around it now
        weights = [weakref.ref(weight) for weight in loaded.model.parameters()]
    del loaded
    gc.collect()
    assert all(weight() is not None for weight in weights)
    with pool.borrow(three[1]):
        assert not any(weight() is not None for weight in weights)


def test_a_model_in_use_never_goes_and_the_next_one_waits(three) -> None:
    pool = ModelPool(most=1)
    waiting = threading.Event()

    def borrow() -> str:
        waiting.set()
        with pool.borrow(three[1]) as other:
            return other.key

    with ThreadPoolExecutor(1) as threads:
        with pool.borrow(three[0]) as loaded:
            second = threads.submit(borrow)
            waiting.wait(60)
            for _ in range(5):
                capture(loaded, "The cat sat on the mat.")
                assert bare(pool.names()) == ["llama"]
            assert not second.done()
        assert bare([second.result(60)]) == ["gpt_neox"]
    assert bare(pool.names()) == ["gpt_neox"]


def test_without_any_room_there_is_a_sentence(three) -> None:
    pool = ModelPool(most=1, patience=0.05)
    with (
        pool.borrow(three[0]),
        pytest.raises(ServerBusyError, match=r"in use: .*llama"),
        pool.borrow(three[1]),
    ):
        pass
    with pool.borrow(three[1]):
        assert bare(pool.names()) == ["gpt_neox"]


def test_a_load_that_failed_is_tried_again(three) -> None:
    answers = iter([ModelUnavailableError("llama", why="no luck.")])

    def fetch(_name: str, *, progress: object) -> None:
        for error in answers:
            raise error

    pool = ModelPool(fetch=fetch)
    with pytest.raises(ModelUnavailableError), pool.borrow(three[0]):
        pass
    with pool.borrow(three[0]) as loaded:
        assert bare([loaded.key]) == ["llama"]


# ------------------------------------------------------------------ with a Hub, in a process

THIRTY = """
import json, sys, threading
from concurrent.futures import ThreadPoolExecutor
from headroles.models.pool import ModelPool
pool, start, seen = ModelPool(), threading.Barrier(30), []

def borrow(number):
    start.wait(60)
    with pool.borrow("owner/tiny", progress=lambda *bytes: seen.append(bytes)) as loaded:
        return id(loaded)

with ThreadPoolExecutor(30) as threads:
    models = len(set(threads.map(borrow, range(30))))
print(json.dumps({"models": models, "seen": seen}))
"""


@pytest.mark.slow
def test_thirty_threads_download_a_cold_model_once_and_see_the_bytes(tmp_path: Path) -> None:
    with LocalHub({"owner/tiny": DEMO_MODEL}) as hub:
        result = subprocess.run(
            [sys.executable, "-c", THIRTY],
            cwd=ROOT,
            env=hub.environment(home=tmp_path),
            capture_output=True,
            text=True,
        )
        assert result.returncode == 0, result.stderr
        asked = [line for line in hub.requests if line.startswith("GET")]
    found = json.loads(result.stdout.splitlines()[-1])
    assert found["models"] == 1
    assert len(asked) == len(set(asked))  # no file and no description was asked for twice
    assert sum(line.endswith("model.safetensors") for line in asked) == 1
    wanted = [
        path for path in DEMO_MODEL.iterdir() if path.suffix in (".json", ".txt", ".safetensors")
    ]
    total = sum(path.stat().st_size for path in wanted)
    assert {whole for _, whole in found["seen"]} == {total}
    done = [here for here, _ in found["seen"]]
    assert done == sorted(done)
    assert done[-1] == total


MEMORY = """
import gc, sys
import psutil, torch
from headroles.capture import capture
from headroles.models.pool import ModelPool
torch.set_num_threads(1)
pool, resident = ModelPool(most=1), lambda: psutil.Process().memory_info().rss
with pool.borrow("demo") as loaded:
    capture(loaded, "The cat sat on the mat.")
before = resident()
for _ in range(3):
    with pool.borrow(sys.argv[1]) as loaded:
        capture(loaded, "The cat sat on the mat.")
        weights = sum(weight.nbytes for weight in loaded.model.parameters())
    largest = resident()
    del loaded
    with pool.borrow("demo"):
        print(weights, largest - before, resident() - before)
"""


@pytest.mark.slow
def test_the_memory_of_a_model_that_goes_is_given_back(tmp_path: Path) -> None:
    from transformers import GPT2Config, GPT2LMHeadModel

    from tests.families import byte_level_tokenizer, save

    config = GPT2Config(n_embd=768, n_layer=8, n_head=12, vocab_size=len(byte_level_tokenizer()))
    save(GPT2LMHeadModel(config), tmp_path / "large")
    result = subprocess.run(
        [sys.executable, "-c", MEMORY, tmp_path / "large"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    for line in result.stdout.splitlines()[-3:]:
        weights, largest, left = map(int, line.split())
        assert weights > 200_000_000
        assert largest > 0.9 * weights
        assert left < 0.2 * weights
