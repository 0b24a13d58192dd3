"""Models that can be analysed and those that cannot: names, disks, and a small Hub with faults."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertConfig, MambaConfig, T5Config

from headroles.errors import ModelNameError, ModelUnavailableError
from headroles.models import CATALOGUE, inspect_model
from headroles.models import hub as models_hub
from headroles.paths import DEMO_MODEL, ROOT
from tests.families import HEADS, LAYERS, WIDTH, family_config
from tests.local_hub import LocalHub

# ------------------------------------------------------------------ names


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "..",
        "/",
        "/etc",
        "/etc/passwd",
        "~/model",
        "./model",
        "../model",
        "owner/../model",
        "owner/..",
        "owner/name/",
        "owner/name/more",
        "owner//name",
        "C:\\models\\tiny",
        "owner\\name",
        "owner/na me",
        "owner/name\n",
        "owner/name\x00",
        "öwner/name",
        "owner/name--x",
        "owner/name.git",
        "owner/" + "x" * 200,
        "https://huggingface.co/owner/name",
        "owner/name@main",
        "gtp2",
        str(DEMO_MODEL),
        "data/demo_model",
    ],
)
def test_what_is_neither_a_key_nor_a_hub_id_is_refused(name: str) -> None:
    with pytest.raises(ModelNameError, match="type owner/name as on huggingface"):
        inspect_model(name)


def test_a_near_miss_of_the_catalogue_is_named() -> None:
    with pytest.raises(ModelNameError, match="Did you mean 'gpt2'"):
        inspect_model("gtp2")


def test_a_folder_that_bears_the_name_of_a_hub_id_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers would take the folder."""
    (tmp_path / "owner" / "name").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelNameError, match="There is a folder 'owner/name' on the server"):
        inspect_model("owner/name")
    with pytest.raises(ModelNameError, match="folder 'headroles/ui'"):  # beside the app itself
        inspect_model("headroles/ui")


# ------------------------------------------------------------------ no network


def test_the_bundled_model_needs_no_network() -> None:
    found = inspect_model("demo")
    config = json.loads((DEMO_MODEL / "config.json").read_text())
    weights = load_file(DEMO_MODEL / "model.safetensors")
    assert found.num_layers == config["num_hidden_layers"]
    assert found.num_heads == config["num_attention_heads"]
    assert (found.width, found.vocabulary) == (config["hidden_size"], config["vocab_size"])
    assert found.parameters == sum(tensor.numel() for tensor in weights.values())
    assert found.revision.startswith("sha256:")
    assert found.download_bytes == 0
    assert (found.key, found.source) == ("demo", CATALOGUE["demo"].source)


def test_without_a_network_an_unknown_model_says_what_to_do() -> None:
    with pytest.raises(ModelUnavailableError, match="hf download owner/not-here") as raised:
        inspect_model("owner/not-here")  # the tests run with HF_HUB_OFFLINE
    assert "bundled model" in raised.value.hint


def test_a_server_that_answers_drop_by_drop_does_not_hold_the_page() -> None:
    never = threading.Event()
    with pytest.raises(TimeoutError):
        models_hub.within(0.05, never.wait)
    never.set()
    assert models_hub.within(60, lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        models_hub.within(60, lambda: 1 / 0)


# ------------------------------------------------------------------ a Hub

INSPECT = """
import dataclasses, json, sys
from headroles.models.facts import inspect_model
from headroles.errors import HeadrolesError
for name in sys.argv[1:]:
    try:
        found = dataclasses.asdict(inspect_model(name, timeout=3 if "asleep" in name else 60))
    except HeadrolesError as error:
        found = {"error": type(error).__name__, "sentence": str(error)}
    print(json.dumps(found))
"""


def inspect_at(hub: LocalHub, home: Path, *names: str) -> dict[str, dict]:
    """Each model as a server that knows this Hub only sees it."""
    result = subprocess.run(
        [sys.executable, "-c", INSPECT, *names],
        cwd=ROOT,
        env=hub.environment(home=home),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    return dict(zip(names, map(json.loads, result.stdout.splitlines()), strict=True))


def put(folder: Path, config: object, *, weights: str = "model.safetensors") -> Path:
    """A repository of one small matrix."""
    folder.mkdir()
    text = config if isinstance(config, str) else json.dumps(config)
    (folder / "config.json").write_text(text)
    if weights.endswith(".safetensors"):
        save_file({"matrix": torch.zeros(10, 100)}, folder / weights)
    else:
        (folder / weights).write_bytes(b"\x80" * 4_000)
    return folder


GPT2 = family_config("gpt2").to_dict()
REFUSED = {
    "remote-code": ("it needs code of its own", {**GPT2, "auto_map": {"AutoModel": "m.Model"}}),
    "mamba": ("it has no attention heads", MambaConfig().to_dict()),
    "t5": ("it is an encoder-decoder model", T5Config().to_dict()),
    "bert": ("its tokens also look at the ones after them", BertConfig().to_dict()),
    "vision": ("continues a text", {"model_type": "vit"}),
    "novel": ("knows no architecture 'novel'", {"model_type": "novel"}),
    "nameless": ("knows no architecture 'None'", {}),
    "odd-name": ("knows no architecture '[1]'", {"model_type": [1]}),
    "a-list": ("knows no architecture 'None'", []),
    "nonsense": ("its config.json", {**GPT2, "n_layer": "many"}),
    "no-heads": ("it has no attention heads", {**GPT2, "n_head": 0}),
    "negative": ("its config.json", {**GPT2, "n_embd": -1}),
    "huge-config": ("it has no config.json that says", json.dumps(GPT2) + " " * 1_000_000),
}


@pytest.fixture(scope="module")
def repos(tmp_path_factory: pytest.TempPathFactory, model_folders) -> dict[str, Path]:
    from transformers import AutoModelForCausalLM

    root = tmp_path_factory.mktemp("repos")
    sharded = root / "sharded"
    model = AutoModelForCausalLM.from_pretrained(model_folders("llama"), dtype=torch.bfloat16)
    model.save_pretrained(sharded, max_shard_size="20KB")
    assert len(list(sharded.glob("model-*-of-*.safetensors"))) > 1
    half = {**GPT2, "dtype": "float16"}
    made = {
        "owner/tiny": DEMO_MODEL,
        "owner/sharded": sharded,
        "openai-community/gpt2": model_folders("gpt2"),
        "distilbert/distilgpt2": put(root / "old", GPT2, weights="pytorch_model.bin"),
        "facebook/opt-125m": put(root / "half", half, weights="pytorch_model.bin"),
        "owner/pickled": put(root / "pickled", GPT2, weights="pytorch_model.bin"),
        "owner/adapter": put(root / "adapter", GPT2, weights="adapter_model.safetensors"),
        "owner/no-config": put(root / "no-config", GPT2),
        "owner/no-json": put(root / "no-json", "{ half a fi"),
    }
    (root / "no-config" / "config.json").unlink()
    for fault in ("gated-file", "gated", "forbidden", "broken", "busy", "asleep", "cut-off"):
        made[f"owner/{fault}"] = put(root / fault, GPT2)
    for name, (_, config) in REFUSED.items():
        made[f"owner/{name}"] = put(root / name, config)
    return made


@pytest.fixture(scope="module")
def hub(repos: dict[str, Path]) -> Iterator[LocalHub]:
    with LocalHub(repos) as server:
        server.faults = {
            "owner/gated-file/config.json": "gated",  # as the real one: the list, but no file
            "owner/gated": "not on the list",
            "owner/forbidden": "forbidden",
            "owner/broken": "broken",
            "owner/busy": "busy",
            "owner/asleep": "hang",
            "owner/cut-off/config.json": "cut",
        }
        server.commits = {
            entry.source: entry.revision for entry in CATALOGUE.values() if entry.revision
        }
        yield server


@pytest.fixture(scope="module")
def seen(hub: LocalHub, repos: dict[str, Path], tmp_path_factory) -> dict[str, dict]:
    """Every repository, and one that is not there, looked up by one server.

    One file of GPT-2 is on its disk already.
    """
    names, home = [*repos, "gpt2", "distilgpt2", "owner/Tiny"], tmp_path_factory.mktemp("home")
    code = (
        "import huggingface_hub as h; from headroles.models import CATALOGUE\n"
        "h.hf_hub_download('openai-community/gpt2', 'tokenizer.json', "
        "revision=CATALOGUE['gpt2'].revision)"
    )
    command = [sys.executable, "-c", code]
    subprocess.run(
        command, cwd=ROOT, env=hub.environment(home=home), check=True, capture_output=True
    )
    return inspect_at(hub, home, *names)


@pytest.mark.slow
def test_a_model_of_the_hub_is_described_without_its_weights(
    hub: LocalHub, seen: dict[str, dict]
) -> None:
    found = seen["owner/tiny"]
    bundled = inspect_model("demo")
    shape = ("num_layers", "num_heads", "width", "vocabulary", "parameters", "stored_bytes")
    for name in (*shape, "is_tied"):
        assert found[name] == pytest.approx(getattr(bundled, name)), name
    assert found["revision"] == hub.commit("owner/tiny")
    suffixes = (".json", ".txt", ".safetensors")  # a text may be a vocabulary
    wanted = [path for path in DEMO_MODEL.iterdir() if path.suffix in suffixes]
    assert found["download_bytes"] == sum(path.stat().st_size for path in wanted)
    assert not [line for line in hub.requests if line.endswith((".safetensors", ".bin"))]


def test_shards_of_smaller_numbers_are_added_up(seen: dict[str, dict], repos) -> None:
    found = seen["owner/sharded"]
    shards = list(repos["owner/sharded"].glob("*.safetensors"))
    numbers = [tensor.numel() for path in shards for tensor in load_file(path).values()]
    assert found["parameters"] == sum(numbers)
    assert found["stored_bytes"] == sum(path.stat().st_size for path in shards)
    assert found["stored_bytes"] < 3 * sum(numbers)  # 16 bits a number, not 32
    assert (found["num_layers"], found["num_heads"], found["width"]) == (LAYERS, HEADS, WIDTH)


def test_a_key_and_its_hub_id_are_one_model(seen: dict[str, dict]) -> None:
    assert seen["gpt2"] == seen["openai-community/gpt2"]
    assert (seen["gpt2"]["key"], seen["gpt2"]["source"]) == ("gpt2", "openai-community/gpt2")


def test_what_is_on_the_disk_is_not_downloaded_again(seen: dict[str, dict], repos) -> None:
    folder = repos["openai-community/gpt2"]
    sizes = {path.name: path.stat().st_size for path in folder.iterdir()}
    assert seen["gpt2"]["download_bytes"] == sum(sizes.values()) - sizes["tokenizer.json"] > 0


def test_a_catalogue_model_is_trusted_to_have_safetensors_elsewhere(seen) -> None:
    """The Hub keeps a converted copy on a branch of its own; its size is that of the old file."""
    assert seen["distilgpt2"]["parameters"] == 1_000  # 4,000 bytes of 32-bit numbers
    assert seen["facebook/opt-125m"]["parameters"] == 2_000  # of 16-bit numbers
    assert seen["facebook/opt-125m"]["key"] == "opt-125m"


@pytest.mark.parametrize(("name", "why"), [(name, why) for name, (why, _) in REFUSED.items()])
def test_what_cannot_be_analysed_is_refused_with_its_reason(seen, name: str, why: str) -> None:
    assert seen[f"owner/{name}"]["error"] == "UnsupportedModelError"
    assert why in seen[f"owner/{name}"]["sentence"]


@pytest.mark.parametrize(
    ("name", "error", "why"),
    [
        ("owner/pickled", "UnsupportedModelError", "not stored as safetensors"),
        ("owner/adapter", "UnsupportedModelError", "not stored as safetensors"),
        ("owner/no-config", "UnsupportedModelError", "no config.json"),
        ("owner/no-json", "ModelUnavailableError", "answer cannot be understood"),
        ("owner/Tiny", "HubAnswerError", "no public model 'owner/Tiny'"),
        ("owner/gated", "HubAnswerError", "Accept its terms on huggingface.co/owner/gated"),
        ("owner/gated-file", "HubAnswerError", "Accept its terms"),
        ("owner/forbidden", "HubAnswerError", "Accept its terms"),
        ("owner/broken", "ModelUnavailableError", "answered with an error (500)"),
        ("owner/busy", "ModelUnavailableError", "answered with an error (429)"),
        ("owner/asleep", "ModelUnavailableError", "did not answer within 3 seconds"),
        ("owner/cut-off", "ModelUnavailableError", "cannot be reached"),
    ],
)
def test_each_fault_of_the_hub_has_its_sentence(seen, name: str, error: str, why: str) -> None:
    assert seen[name]["error"] == error
    assert why in seen[name]["sentence"]


def test_a_hub_that_does_not_answer_is_not_asked_again(hub: LocalHub, seen) -> None:
    """huggingface_hub's own download asks six times, which takes most of a minute."""
    assert "error" in seen["owner/asleep"]
    for name in ("asleep", "broken", "busy"):
        assert len([line for line in hub.requests if f"owner/{name}" in line]) == 1


DOWNLOAD = """
from transformers import AutoModelForCausalLM, AutoTokenizer
AutoModelForCausalLM.from_pretrained("owner/tiny", use_safetensors=True)
AutoTokenizer.from_pretrained("owner/tiny")
"""


@pytest.mark.slow
def test_what_was_downloaded_once_needs_no_hub(repos, tmp_path: Path) -> None:
    with LocalHub(repos) as hub:
        environment = hub.environment(home=tmp_path)
        command = [sys.executable, "-c", DOWNLOAD]
        subprocess.run(command, env=environment, check=True, capture_output=True)
    seen = inspect_at(hub, tmp_path, "owner/tiny", "owner/sharded")  # the Hub is gone
    assert seen["owner/tiny"]["download_bytes"] == 0
    assert seen["owner/tiny"]["revision"] == hub.commit("owner/tiny")
    assert seen["owner/tiny"]["parameters"] == inspect_model("demo").parameters
    assert seen["owner/sharded"]["error"] == "ModelUnavailableError"
    assert "cannot be reached" in seen["owner/sharded"]["sentence"]
