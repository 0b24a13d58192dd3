"""Disks that are full, read-only or forbidden, and a writer that does not let go."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from headroles.errors import DiskError, FileBusyError
from headroles.paths import ROOT
from headroles.store import categories
from tests.entries import entry
from tests.facts import says


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "head_categories.json"


# ------------------------------------------------------------------ real disks, made of memory

IN_A_NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
"""Mounts made there are seen by that process only, and go with it, however it ends."""

BEGIN = """
import json, os, subprocess, sys
from pathlib import Path
from headroles.store import categories as store
from headroles.errors import DiskError
from tests.entries import entry

folder = Path(sys.argv[1])

def mount(*options):
    subprocess.run(["mount", *options, str(folder)], check=True)

def files():
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())
"""


def on_a_disk_of_its_own(folder: Path, code: str) -> dict:
    """Run code in a process that may mount what it likes; it prints one JSON object."""
    probe = f"mount -t tmpfs -o size=64k tmpfs '{folder}'"
    try:
        subprocess.run([*IN_A_NAMESPACE, "sh", "-c", probe], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this system lets nobody mount a small disk: {error}")
    done = subprocess.run(
        [*IN_A_NAMESPACE, sys.executable, "-c", BEGIN + code, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_full_disk_changes_nothing_at_whatever_step_it_is_full(tmp_path: Path) -> None:
    found = on_a_disk_of_its_own(
        tmp_path,
        """
mount("-t", "tmpfs", "-o", "size=256k", "tmpfs")
path = folder / "head_categories.json"
filler = folder / "filler"
store.write_entry(entry(seed=0), path)
before = files()
rounds = []
for free_pages in range(8):
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
    os.truncate(filler, max(filler.stat().st_size - 4096 * free_pages, 0))
    old = path.read_bytes()
    try:
        store.write_entry(entry(seed=7), path)
        outcome = "written"
    except DiskError as error:
        outcome = str(error)
    rounds.append({
        "outcome": outcome,
        "unchanged": path.read_bytes() == old,
        "seed": store.read_entry("tiny", path).seed,
        "kept": [store.read_version(one.name, path)["tiny"].seed for one in store.versions(path)],
        "strays": [name for name in files() if "/." in "/" + name],
    })
    filler.unlink()
    if outcome == "written":
        break
store.write_entry(entry(seed=8), path)
print(json.dumps({"rounds": rounds, "seed": store.read_entry("tiny", path).seed}))
""",
    )
    *refused, last = found["rounds"]
    # An entry takes two pages: none for the lock or the folder, one for half a copy, and so on.
    assert len(refused) >= 3
    for one in refused:
        assert says(one["outcome"], "disk is full", "nothing was changed")
        assert one["unchanged"]
        assert one["seed"] == 0
    assert refused[0]["kept"] == []  # not even room for the copy of the old file
    assert refused[-1]["kept"] == [0]  # room for that, and not for the new one
    assert (last["outcome"], last["seed"], last["kept"]) == ("written", 7, [0])
    assert not [stray for one in found["rounds"] for stray in one["strays"]]
    assert found["seed"] == 8  # the lock is free, and a disk with room again is written


def test_a_read_only_disk_is_said_and_still_read(tmp_path: Path) -> None:
    found = on_a_disk_of_its_own(
        tmp_path,
        """
mount("-t", "tmpfs", "-o", "size=1m", "tmpfs")
path = folder / "head_categories.json"
store.write_entry(entry(seed=0), path)
store.write_entry(entry(seed=1), path)
version = store.versions(path)[0].name
before = files()
mount("-o", "remount,ro")

def outcome(call, *arguments):
    try:
        call(*arguments)
    except DiskError as error:
        return str(error)

said = [
    outcome(store.write_entry, entry(seed=2), path),
    outcome(store.restore, version, path),
    outcome(store.set_aside, path),
    outcome(store.write_entry, entry(), folder / "new" / "head_categories.json"),
]
print(json.dumps({
    "said": said,
    "seed": store.read_good(path).entries["tiny"].seed,
    "kept": store.read_version(version, path)["tiny"].seed,
    "same": files() == before,
}))
""",
    )
    for sentence in found["said"]:
        assert says(sentence, "read-only", "nothing was changed")
    assert (found["seed"], found["kept"], found["same"]) == (1, 0, True)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that another user may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_a_folder_without_the_right_to_write_and_a_file_without_the_right_to_read(
    open_folder: Path,
) -> None:
    """As a user who is not root, because root may do everything."""
    code = """
import shutil
warm = folder / "warm" / "head_categories.json"  # the other user may not read Python's own modules
for seed in range(2):
    store.write_entry(entry(seed=seed), warm)
store.versions(warm)
shutil.rmtree(warm.parent)

if os.getuid() == 0:
    os.chown(folder, 65534, 65534)
    os.setgid(65534)
    os.setuid(65534)
path = folder / "head_categories.json"
store.write_entry(entry(seed=0), path)
store.write_entry(entry(seed=1), path)
version = store.versions(path)[0].name
result = {}

os.chmod(folder, 0o555)
before = path.read_bytes()
try:
    store.write_entry(entry(seed=2), path)
except DiskError as error:
    result["folder"] = str(error)
result["seed"] = store.read_entry("tiny", path).seed
result["same"] = path.read_bytes() == before and not [f for f in files() if "/." in "/" + f]
os.chmod(folder, 0o755)

os.chmod(path, 0)
result["fault"] = str(store.fault(path))
result["digest"] = store.file_digest(path)
result["fallen_to"] = store.read_good(path).entries["tiny"].seed
store.restore(version, path, expecting="unreadable")
result["restored"] = store.read_entry("tiny", path).seed
newest = store.versions(path)[0]
result["kept"] = newest.fault
os.chmod(path.parent / "history" / newest.name, 0o644)
result["kept_seed"] = store.read_version(newest.name, path)["tiny"].seed

os.chmod(path, 0)
store.set_aside(path)
result["aside"] = not path.exists()
print(json.dumps(result))
"""
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code, str(open_folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert says(found["folder"], "no permission", "nothing was changed")
    assert (found["seed"], found["same"]) == (1, True)
    assert "Permission denied" in found["fault"]
    # The refused write had got as far as the copy of the live file, so nothing is older than that.
    assert (found["digest"], found["fallen_to"], found["restored"]) == ("unreadable", 1, 0)
    # What nobody could read was kept all the same, and can be read once somebody may.
    assert "Permission denied" in found["kept"]
    assert (found["kept_seed"], found["aside"]) == (1, True)


# ------------------------------------------------------------------ faults that no disk gives here


@pytest.mark.parametrize("step", ["fsync", "replace", "chmod"])
@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk is full"),
        (errno.EROFS, "the disk is read-only"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_fault_at_each_step_is_one_sentence(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, says: str
) -> None:
    """A disk may refuse at the flush what it took at the write: network disks do."""
    categories.write_entry(entry(seed=0), path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(DiskError, match=says) as raised:
        categories.write_entry(entry(seed=7), path)
    monkeypatch.undo()
    assert raised.value.value.errno == number
    assert path.read_bytes() == before
    assert not list(path.parent.rglob(".*"))
    assert categories.versions(path) == []


def test_a_disk_that_cannot_flush_a_folder_is_no_fault(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new name is there for everybody by then, so "nothing was changed" would be wrong."""
    real = os.fsync

    def fsync(number: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{number}"):
            raise OSError(errno.EINVAL, "Invalid argument")
        real(number)

    monkeypatch.setattr(os, "fsync", fsync)
    categories.write_entry(entry(seed=7), path)
    assert categories.read_entry("tiny", path).seed == 7


def test_a_file_in_the_place_of_the_folder_is_said(path: Path) -> None:
    path.write_text("in the way")
    with pytest.raises(DiskError, match="could not be written"):
        categories.write_entry(entry(), path / "head_categories.json")
    assert path.read_text() == "in the way"


# ------------------------------------------------------------------ another writer


def test_a_writer_that_does_not_let_go_is_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    categories.write_entry(entry(seed=0), path)
    categories.write_entry(entry(seed=1), path)
    version = categories.versions(path)[0].name
    monkeypatch.setattr(categories, "LOCK_SECONDS", 0.2)
    with FileLock(f"{path}.lock"):
        for call in (
            lambda: categories.write_entry(entry(seed=7), path),
            lambda: categories.restore(version, path),
            lambda: categories.set_aside(path),
        ):
            error = from_a_thread(call)
            assert isinstance(error, FileBusyError)
            assert says(str(error), "0.2 seconds", "nothing was changed")
        assert categories.read_entry("tiny", path).seed == 1  # readers wait for nobody
    categories.write_entry(entry(seed=7), path)
    assert categories.read_entry("tiny", path).seed == 7


def from_a_thread(call) -> BaseException | None:
    """What a call raises in another session's thread."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    return raised[0] if raised else None
