"""A real download from a small Hub, cancelled in the middle: nothing stays, and it works anew."""

from __future__ import annotations

import time

import pytest
from filelock import FileLock
from transformers import GPT2Config, GPT2LMHeadModel

from headroles.admin import JobRequest, Jobs
from headroles.models import sweep_unfinished
from tests.families import byte_level_tokenizer, save
from tests.local_hub import LocalHub

pytestmark = pytest.mark.slow

NAME = "owner/tiny"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The cache of the client and of this process."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home" / "hub"))
    return tmp_path / "home" / "hub"


@pytest.fixture
def hub(tmp_path, monkeypatch, cache):
    """A Hub with one tiny model; every child process of this test knows it only."""
    config = GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=256)
    config.vocab_size = len(byte_level_tokenizer())
    save(GPT2LMHeadModel(config), tmp_path / "tiny")
    with LocalHub({NAME: tmp_path / "tiny"}) as server:
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        for name, value in server.environment(home=tmp_path / "home").items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
        yield server


def parts(cache):
    return list(cache.glob("models--owner--tiny/blobs/*.incomplete"))


def wait_until(condition, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_cancel_during_the_download_leaves_nothing_and_the_next_one_works(hub, cache, tmp_path):
    hub.bytes_per_second = 60_000
    jobs = Jobs(tmp_path / "jobs")
    job = jobs.submit(JobRequest(model=NAME, sequences=4), who="s")
    wait_until(lambda: parts(cache))
    jobs.cancel(job.id)
    assert jobs.watch(job.id).job.state == "cancelled"
    assert parts(cache) == []
    assert [path.name for path in (tmp_path / "jobs" / job.id).iterdir()] == ["job.json"]

    hub.bytes_per_second = None
    again = jobs.submit(JobRequest(model=NAME, sequences=4), who="s")
    wait_until(lambda: not jobs.watch(again.id).job.is_open)
    assert jobs.watch(again.id).job.state == "done", jobs.watch(again.id)
    assert jobs.candidate(again.id).model_name == NAME
    assert jobs.candidate(again.id).revision == hub.commit(NAME)


def test_a_part_that_somebody_is_downloading_stays(cache):
    blobs = cache / "models--owner--tiny" / "blobs"
    locks = cache / ".locks" / "models--owner--tiny"
    blobs.mkdir(parents=True)
    locks.mkdir(parents=True)
    (blobs / "aa").write_text("whole")
    for etag in ("bb", "cc"):
        (blobs / f"{etag}.12345678.incomplete").write_text("half")
    with FileLock(locks / "bb.lock"):
        assert sweep_unfinished(NAME) == 1
    assert sorted(path.name for path in blobs.iterdir()) == ["aa", "bb.12345678.incomplete"]


@pytest.mark.parametrize("name", ["demo", "no such model", ""])
def test_where_nothing_is_downloaded_there_is_nothing_to_do(cache, name):
    assert sweep_unfinished(name) == 0
    assert not cache.exists()
