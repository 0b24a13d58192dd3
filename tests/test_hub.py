"""Fetching from a small Hub with faults: cut, gated, asleep, gone, offline, and a full disk."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from headroles.paths import DEMO_MODEL, ROOT
from tests.local_hub import LocalHub

pytestmark = pytest.mark.slow

LOAD = """
import json, sys, time
from headroles.errors import HeadrolesError
from headroles.models import load_model, model_revision
from headroles.capture import capture
time.sleep = lambda seconds: None  # huggingface_hub waits a second before it goes on after a cut
for name in sys.argv[1:]:
    try:
        run = capture(load_model(name), "The cat sat on the mat.")
        print(json.dumps({"revision": model_revision(name), "sum": float(run.attention.sum())}))
    except HeadrolesError as error:
        print(json.dumps({"error": type(error).__name__, "sentence": str(error)}))
"""


def load(environment: dict[str, str], *names: str) -> list[dict]:
    """What a server with this environment makes of each model."""
    result = subprocess.run(
        [sys.executable, "-c", LOAD, *names],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[LocalHub]:
    pickled = tmp_path / "pickled"
    shutil.copytree(DEMO_MODEL, pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    faults = {
        "owner/gated": "not on the list",
        "owner/no-weights": "",
        "owner/broken": "broken",
        "owner/asleep": "hang",
    }
    repos = dict.fromkeys(["owner/tiny", *faults], DEMO_MODEL)
    with LocalHub({**repos, "owner/pickled": pickled}) as server:
        server.faults = {**faults, "owner/no-weights/model.safetensors": "gated"}
        yield server


def parts(home: Path) -> list[Path]:
    return list((home / "hub").glob("models--*/blobs/*.incomplete"))


def test_a_cut_download_is_told_leaves_nothing_and_works_the_next_time(hub, tmp_path) -> None:
    environment = hub.environment(home=tmp_path / "home")
    hub.faults["owner/tiny/model.safetensors"] = "cut"
    (cut,) = load(environment, "owner/tiny")
    assert cut["error"] == "ModelUnavailableError"
    assert "the download was cut off" in cut["sentence"]
    assert parts(tmp_path / "home") == []

    del hub.faults["owner/tiny/model.safetensors"]
    hub.requests.clear()
    again, bundled = load(environment, "owner/tiny", "demo")
    assert again["revision"] == hub.commit("owner/tiny")
    assert again["sum"] == bundled["sum"]
    assert not [line for line in hub.requests if line.endswith("/tokenizer.json")]  # it was whole


def test_what_is_here_needs_no_hub_and_asks_none(hub, tmp_path) -> None:
    environment = hub.environment(home=tmp_path)
    assert "sum" in load(environment, "owner/tiny")[0]
    hub.requests.clear()
    assert "sum" in load(environment, "owner/tiny")[0]
    assert hub.requests == []
    offline = {**environment, "HF_HUB_OFFLINE": "1"}
    here, elsewhere = load(offline, "owner/tiny", "owner/gated")
    assert "sum" in here
    assert "HF_HUB_OFFLINE forbids the network" in elsewhere["sentence"]
    assert hub.requests == []


def test_shards_are_fetched_by_the_index_whatever_their_names(hub, tmp_path) -> None:
    """And a pickle that an index names is neither fetched nor read."""
    for name in ("sharded", "pointed"):
        folder = Path(shutil.copytree(DEMO_MODEL, tmp_path / name))
        weights = load_file(folder / "model.safetensors")
        (folder / "model.safetensors").unlink()
        files = [f"{part}.safetensors" for part in ("one", "two")]
        held = {key: files[place % 2] for place, key in enumerate(weights)}
        for file in files:
            part = {key: weights[key] for key in weights if held[key] == file}
            save_file(part, folder / file, metadata={"format": "pt"})
        if name == "pointed":
            torch.save(weights, folder / "weights.model")
            held[min(held)] = "weights.model"
        index = {"metadata": {"total_size": 1}, "weight_map": held}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        hub.repos[f"owner/{name}"] = folder
    environment = hub.environment(home=tmp_path / "home")
    bundled, sharded, pointed = load(environment, "demo", "owner/sharded", "owner/pointed")
    assert sharded["sum"] == bundled["sum"]
    assert sharded["revision"] == hub.commit("owner/sharded")
    assert "Its index names 'weights.model'" in pointed["sentence"]
    assert not [line for line in hub.requests if line.endswith("/weights.model")]


def test_each_answer_of_the_hub_has_its_sentence_and_is_not_asked_for_twice(hub, tmp_path) -> None:
    names = ["gated", "no-weights", "broken", "asleep", "pickled", "nowhere"]
    mistyped = "openai-comunity/gpt2"
    asked = [*(f"owner/{name}" for name in names), mistyped]
    *found, typo = load(hub.environment(home=tmp_path), *asked)
    says = {name: one["sentence"] for name, one in zip(names, found, strict=True)}
    assert f"no public model '{mistyped}'" in typo["sentence"]
    assert "Did you mean 'openai-community/gpt2'?" in typo["sentence"]
    assert "Did you mean" not in says["nowhere"]
    assert "Accept its terms on huggingface.co/owner/gated" in says["gated"]
    assert "Accept its terms" in says["no-weights"]
    assert "answered with an error (500)" in says["broken"]
    assert "did not answer within 8 seconds" in says["asleep"]
    assert "not stored as safetensors" in says["pickled"]
    assert "no public model 'owner/nowhere'" in says["nowhere"]
    for name in ("gated", "broken", "asleep", "pickled", "nowhere"):
        assert len([line for line in hub.requests if f"owner/{name}" in line]) == 1, name


def test_a_hub_that_is_gone_and_a_disk_that_takes_nothing(hub, tmp_path) -> None:
    (tmp_path / "file").write_text("no folder")
    nowhere = {"HF_HUB_CACHE": str(tmp_path / "file" / "hub")}
    (full,) = load({**hub.environment(home=tmp_path), **nowhere}, "owner/tiny")
    assert full["error"] == "DiskError", full
    gone = {**hub.environment(home=tmp_path), "HF_ENDPOINT": "http://127.0.0.1:9"}
    (nobody,) = load(gone, "owner/tiny")
    assert "the Hugging Face Hub cannot be reached" in nobody["sentence"]
