"""Downloads of the server: one a model, seen by all who wait, and its end kept for a moment."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from headroles.errors import ModelUnavailableError
from headroles.models import Fetches, downloads
from headroles.paths import DEMO_MODEL, ROOT
from tests.local_hub import LocalHub


class Bringer:
    """Downloads under the test's control."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.go, self.error = threading.Event(), None

    def __call__(self, name: str, *, progress) -> None:
        self.calls.append(name)
        progress(0, 400)
        progress(100, 400)
        assert self.go.wait(60)
        if self.error:
            raise self.error
        progress(400, 400)


@pytest.fixture
def bringer():
    made = Bringer()
    yield made
    made.go.set()


def counted(fetch) -> None:
    """Wait until the first bytes were counted."""
    for _ in range(600):
        if fetch.done == 100:
            return
        fetch.wait(0.1)
    raise AssertionError("nothing was counted")


def test_thirty_who_ask_wait_for_one_download(bringer) -> None:
    fetches = Fetches(bring=bringer)
    with ThreadPoolExecutor(30) as threads:
        found = set(threads.map(fetches.of, ["gpt2"] * 30))
    (fetch,) = found
    counted(fetch)
    assert (fetch.total, fetch.fraction) == (400, 0.25)
    assert not fetch.wait(0)
    bringer.go.set()
    assert fetch.wait(60)
    assert fetch.fraction == 1
    assert fetch.error is None
    assert bringer.calls == ["gpt2"]
    assert fetches.of("gpt2") is fetch  # its end is kept


def test_two_models_are_two_downloads(bringer) -> None:
    fetches = Fetches(bring=bringer)
    assert fetches.of("gpt2") is not fetches.of("distilgpt2")


def test_a_failure_is_kept_for_a_moment_and_can_be_forgotten(bringer, monkeypatch) -> None:
    bringer.error = ModelUnavailableError("gpt2", why="no luck.")
    bringer.go.set()
    fetches = Fetches(bring=bringer, kept=20)
    first = fetches.of("gpt2")
    assert first.wait(60)
    assert first.error is bringer.error
    assert fetches.of("gpt2") is first
    fetches.forget("gpt2")
    second = fetches.of("gpt2")
    assert second is not first
    assert second.wait(60)
    monkeypatch.setattr(downloads.time, "monotonic", lambda: second.ended_at + 20.5)
    assert fetches.of("gpt2") is not second
    assert len(bringer.calls) == 3


def test_one_that_runs_is_not_forgotten(bringer) -> None:
    fetches = Fetches(bring=bringer)
    fetch = fetches.of("gpt2")
    fetches.forget("gpt2")
    assert fetches.of("gpt2") is fetch


def test_speed_and_time_left_are_said_once_they_mean_something(bringer, monkeypatch) -> None:
    fetch = Fetches(bring=bringer).of("gpt2")
    counted(fetch)
    began = fetch._first_byte_at
    monkeypatch.setattr(downloads.time, "monotonic", lambda: began + 0.5)
    assert (fetch.speed, fetch.seconds_left) == (None, None)
    monkeypatch.setattr(downloads.time, "monotonic", lambda: began + 2)
    assert fetch.speed == 50  # 100 bytes in 2 seconds, and 300 to come
    assert fetch.seconds_left == 6


WATCH = """
import json, sys
from headroles import models
from headroles.models.downloads import Fetches
fetches, seen = Fetches(), []
fetch = fetches.of(sys.argv[1])
while not fetch.wait(0.05):
    seen.append((fetch.done, fetch.total))
print(json.dumps({"seen": seen, "total": fetch.total, "error": str(fetch.error or ""),
                  "here": models.is_here(sys.argv[1])}))
"""


def watch(environment: dict[str, str], name: str) -> dict:
    result = subprocess.run(
        [sys.executable, "-c", WATCH, name],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


@pytest.mark.slow
def test_a_slow_hub_is_watched_byte_by_byte_and_a_cut_one_leaves_nothing(tmp_path) -> None:
    with LocalHub({"owner/tiny": DEMO_MODEL, "owner/cut": DEMO_MODEL}) as hub:
        hub.bytes_per_second = 4_000_000
        hub.faults["owner/cut/model.safetensors"] = "cut"
        environment = hub.environment(home=tmp_path)
        found, cut = watch(environment, "owner/tiny"), watch(environment, "owner/cut")
    assert found["here"]
    done = [here for here, _ in found["seen"]]
    assert done == sorted(done)
    assert len({here for here in done if 0 < here < found["total"]}) >= 3
    assert "download was cut off" in cut["error"]
    assert not cut["here"]
