"""Attention-only models as they are published: fetched from a small Hub, converted once, loaded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

from headroles.errors import UnsupportedModelError
from headroles.models import CATALOGUE, tl_legacy
from headroles.paths import ROOT
from tests.local_hub import LocalHub
from tests.published_form import (
    TOKENIZER,
    digits_tokenizer,
    logits_by_hand,
    publish_model,
    publish_tokenizer,
    published_state,
)

pytestmark = pytest.mark.slow

ONE, TWO = (CATALOGUE[key].source for key in ("attn-only-1l", "attn-only-2l"))
WEIGHTS = f"{TWO}/model_final.pth"
IDS = [0, 17, 99, 5, 17]
TEXT = "the cat 2024 sat"

LOAD = """
import json, sys, time
import torch
from headroles import models
from headroles.errors import HeadrolesError
from headroles.models.facts import inspect_model
time.sleep = lambda seconds: None  # huggingface_hub waits a second before it goes on after a cut
name, ids, text = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
seen = []
try:
    here, facts = models.is_here(name), inspect_model(name)
    models.fetch_model(name, progress=lambda done, total: seen.append((done, total)))
    loaded = models.load_model(name)
    print(json.dumps({
        "here": [here, models.is_here(name)],
        "bytes": seen,
        "logits": loaded.model(torch.tensor([ids])).logits[0].tolist(),
        "tokens": loaded.tokenizer(text, add_special_tokens=False)["input_ids"],
        "start": loaded.start.text,
        "left_out": loaded.model.config.logit_bias_left_out,
        "facts": [[one.num_layers, one.num_heads, one.width, one.vocabulary, one.revision,
                   one.download_bytes, one.parameters] for one in (facts, inspect_model(name))],
        "revision": models.model_revision(models.resolve_source(name)),
        "numbers": models.stored_numbers(models.resolve_source(name)),
    }))
except HeadrolesError as error:
    print(json.dumps({"error": type(error).__name__, "sentence": str(error)}))
"""

BRING = """
import json, sys
from headroles.models import tl_legacy as converted
from headroles.errors import HeadrolesError
for name in sys.argv[1:]:
    try:
        print(json.dumps({"folder": str(converted.bring(name))}))
    except HeadrolesError as error:
        print(json.dumps({"error": type(error).__name__, "sentence": str(error)}))
"""


def run(code: str, environment: dict[str, str], *arguments: str) -> list[dict]:
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def load(environment: dict[str, str]) -> dict:
    """What a server with this environment makes of the two-layer model."""
    (found,) = run(LOAD, environment, "attn-only-2l", str(IDS), TEXT)
    return found


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return published_state()


class Evil:
    """What a pickle can do to who reads it carelessly."""

    def __reduce__(self) -> tuple:
        return os.mkdir, ("pickle-was-run",)


@pytest.fixture
def hub(tmp_path: Path, state) -> Iterator[LocalHub]:
    root = tmp_path / "repos"
    torn, gone = publish_model(root / "torn", state), publish_model(root / "gone", state)
    whole = (torn / "model_final.pth").read_bytes()
    (torn / "model_final.pth").write_bytes(whole[: len(whole) // 2])
    (gone / "model_final.pth").unlink()
    repos = {
        TOKENIZER: publish_tokenizer(root / "tokenizer"),
        TWO: publish_model(root / "two", state),
        "owner/torn": torn,
        "owner/gone": gone,
        "owner/evil": publish_model(root / "evil", {"embed.W_E": Evil()}),
        "owner/no-names": publish_model(root / "no-names", [torch.zeros(2)]),
        "owner/mlp": publish_model(root / "mlp", {**state, "blocks.0.mlp.W_in": torch.zeros(1)}),
        "owner/short": publish_model(root / "short", state, shortformer_pos=True),
        "owner/other-tokens": publish_model(root / "other", state, tokenizer_name="gpt2"),
        "owner/few-tokens": publish_model(root / "few", published_state(200)),
    }
    with LocalHub(repos) as server:
        yield server


def test_it_is_fetched_converted_once_and_the_same_model(hub, state, tmp_path) -> None:
    environment = hub.environment(home=tmp_path / "home")
    hub.faults[WEIGHTS] = "cut"
    cut = load(environment)
    assert cut["error"] == "ModelUnavailableError"
    assert "'attn-only-2l' could not be loaded: the download was cut off" in cut["sentence"]
    assert not list((tmp_path / "home").rglob("*.incomplete"))

    hub.faults.clear()
    found = load(environment)
    assert found["here"] == [False, True]
    done, total = found["bytes"][-1]
    assert done == total == hub.files(TWO)["model_final.pth"].stat().st_size
    assert found["bytes"][0] == [0, total]  # what came before the cut is here
    by_hand = logits_by_hand(state, torch.tensor(IDS))
    assert_close(torch.tensor(found["logits"]), by_hand, atol=1e-4, rtol=1e-4)
    assert found["tokens"] == digits_tokenizer()(TEXT, add_special_tokens=False)["input_ids"]
    assert found["start"] == "<|BOS|>"
    bias = state["unembed.b_U"]
    assert found["left_out"] == pytest.approx(float((bias - bias.mean()).abs().max()), abs=1e-4)
    published, here = found["facts"]
    assert published[:5] == here[:5] == [2, 4, 32, 400, hub.commit(TWO)]
    assert (published[5], here[5]) == (total, 0)
    assert here[6] == found["numbers"]
    assert found["revision"] == hub.commit(TWO)

    hub.requests.clear()
    again = load({**environment, "HF_HUB_OFFLINE": "1"})
    assert (again["here"], again["logits"]) == ([True, True], found["logits"])
    assert hub.requests == []


def test_offline_and_unknown_and_gated_are_sentences(hub, tmp_path) -> None:
    environment = hub.environment(home=tmp_path / "home")
    (offline,) = run(BRING, {**environment, "HF_HUB_OFFLINE": "1"}, TWO)
    assert "HF_HUB_OFFLINE forbids the network" in offline["sentence"]
    hub.faults[TOKENIZER] = "not on the list"
    gated, unknown = run(BRING, environment, TWO, ONE)
    assert f"Accept its terms on huggingface.co/{TOKENIZER}" in gated["sentence"]
    assert f"no public model '{ONE}'" in unknown["sentence"]


def test_what_cannot_be_read_is_refused_and_leaves_no_folder(hub, tmp_path) -> None:
    names = ["torn", "gone", "evil", "no-names", "mlp", "short", "other-tokens", "few-tokens"]
    environment = hub.environment(home=tmp_path / "home")
    found = run(BRING, environment, *(f"owner/{name}" for name in names))
    says = {name: one["sentence"] for name, one in zip(names, found, strict=True)}
    assert "model_final.pth is damaged" in says["torn"]
    assert "Delete it to have it fetched anew" in says["torn"]
    assert "no *final.pth" in says["gone"]
    assert "holds more than numbers" in says["evil"]
    assert not (ROOT / "pickle-was-run").exists()
    assert "holds no weights by name" in says["no-names"]
    assert "there is an MLP in its weights" in says["mlp"]
    assert "shortformer" in says["short"]
    assert "its tokenizer is 'gpt2'" in says["other-tokens"]
    assert "more tokens than the model" in says["few-tokens"]
    assert not list((tmp_path / "home").rglob("headroles-*/*/model.safetensors"))


def test_a_disk_that_takes_nothing_is_told(hub, tmp_path) -> None:
    (tmp_path / "file").write_text("no folder")
    nowhere = {"HF_HUB_CACHE": str(tmp_path / "file" / "hub")}
    (full,) = run(BRING, {**hub.environment(home=tmp_path), **nowhere}, TWO)
    assert full["error"] == "DiskError", full


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({}, "no attention-only model"),
        ("nonsense", "no attention-only model"),
        ({"attn_only": True, "normalization": "RMS"}, "norm 'RMS'"),
        ({"attn_only": True}, "norm 'None'"),
    ],
)
def test_a_configuration_that_a_gpt2_cannot_stand_for_is_refused(said, why: str) -> None:
    with pytest.raises(UnsupportedModelError, match=why):
        tl_legacy.config_of("owner/x", said)


def test_the_analysis_takes_it_by_its_name(hub, tmp_path) -> None:
    out = tmp_path / "categories.json"
    options = ["--sequences", "4", "--no-extended", "--no-causal", "--out", str(out)]
    result = subprocess.run(
        [sys.executable, "-m", "scripts.analyze_heads", "attn-only-2l", *options],
        cwd=ROOT,
        env=hub.environment(home=tmp_path / "home"),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    entry = json.loads(out.read_text())["attn-only-2l"]
    assert (entry["num_layers"], entry["num_heads"]) == (2, 4)
    assert entry["revision"] == hub.commit(TWO)
