"""The Hub of the tests: what other tests conclude from it holds only if it is like the real one."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from headroles.paths import DEMO_MODEL, ROOT
from tests.local_hub import FAULTS, LocalHub

pytestmark = pytest.mark.slow

CONFIG = "/owner/tiny/resolve/main/config.json"
WEIGHTS = "/owner/tiny/resolve/main/model.safetensors"


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    with LocalHub({"owner/tiny": DEMO_MODEL}) as server:
        yield server


def get(hub: LocalHub, path: str, **headers: str) -> http.client.HTTPResponse:
    request = urllib.request.Request(hub.url + path, headers=headers)
    return urllib.request.urlopen(request, timeout=30)


def test_it_describes_a_repository(hub: LocalHub) -> None:
    info = json.load(get(hub, "/api/models/owner/tiny?blobs=true"))
    assert info["sha"] == hub.commit("owner/tiny")
    assert len(info["sha"]) == 40
    sizes = {file["rfilename"]: file["size"] for file in info["siblings"]}
    assert sizes == {path.name: path.stat().st_size for path in DEMO_MODEL.iterdir()}
    numbers = sum(tensor.numel() for tensor in load_file(DEMO_MODEL / "model.safetensors").values())
    assert info["safetensors"] == {"parameters": {"F32": numbers}, "total": numbers}


def test_another_content_is_another_commit(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with LocalHub({"owner/one": tmp_path}) as hub:
        before = hub.commit("owner/one")
        save_file({"a": torch.zeros(2, 3)}, tmp_path / "model.safetensors")
        after = hub.commit("owner/one")
        assert after != before
        assert get(hub, f"/owner/one/resolve/{after}/config.json").read() == b"{}"
        with pytest.raises(urllib.error.HTTPError) as raised:
            get(hub, f"/owner/one/resolve/{before}/config.json")
        assert raised.value.headers["X-Error-Code"] == "RevisionNotFound"


def test_a_download_can_be_taken_up_in_the_middle(hub: LocalHub) -> None:
    whole = (DEMO_MODEL / "config.json").read_bytes()
    answer = get(hub, CONFIG, Range="bytes=100-")
    assert answer.status == 206
    assert answer.headers["Content-Range"] == f"bytes 100-{len(whole) - 1}/{len(whole)}"
    assert answer.read() == whole[100:]
    assert get(hub, CONFIG, Range="bytes=3-9").read() == whole[3:10]


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_an_answer_of_its_own(hub: LocalHub, fault: str) -> None:
    hub.faults["owner/tiny/config.json"] = fault
    with pytest.raises(urllib.error.HTTPError) as raised:
        get(hub, CONFIG)
    assert (raised.value.code, raised.value.headers.get("X-Error-Code", "")) == FAULTS[fault]
    assert get(hub, "/owner/tiny/resolve/main/tokenizer.json").status == 200


def test_a_cut_connection_gives_half_a_file(hub: LocalHub) -> None:
    hub.faults["owner/tiny/model.safetensors"] = "cut"
    with pytest.raises(http.client.IncompleteRead) as raised:
        get(hub, WEIGHTS).read()
    whole = (DEMO_MODEL / "model.safetensors").read_bytes()
    assert raised.value.partial == whole[: (len(whole) - 1) // 2]


def test_a_slow_download_that_is_given_up_was_not_sent_whole(hub: LocalHub) -> None:
    hub.bytes_per_second = 100_000  # 4.6 MB would take most of a minute
    answer = get(hub, WEIGHTS)
    assert answer.read(20_000)
    answer.close()
    assert hub.bytes_sent < (DEMO_MODEL / "model.safetensors").stat().st_size / 2


LOAD = """
from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained("owner/tiny", use_safetensors=True)
print(model.num_parameters(), AutoTokenizer.from_pretrained("owner/tiny")("a cat")["input_ids"])
"""


def test_transformers_loads_a_model_and_its_tokenizer_from_it(
    hub: LocalHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    result = subprocess.run(
        [sys.executable, "-c", LOAD],
        cwd=ROOT,
        env=hub.environment(home=tmp_path),
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    expected = AutoModelForCausalLM.from_pretrained(DEMO_MODEL).num_parameters()
    ids = AutoTokenizer.from_pretrained(DEMO_MODEL)("a cat")["input_ids"]
    assert result.stdout.split("\n")[0] == f"{expected} {ids}"
    commit = hub.commit("owner/tiny")
    assert f"GET /owner/tiny/resolve/{commit}/model.safetensors" in hub.requests
    [kept] = tmp_path.rglob("snapshots/*/model.safetensors")
    assert kept.parent.name == commit
    assert kept.read_bytes() == (DEMO_MODEL / "model.safetensors").read_bytes()
