"""How much memory there is for this process, and giving back what it no longer needs.

The room is the machine's free memory, or what a container's limit leaves where that is less (cgroup
v2 and v1). Python and torch free a model's memory at once, but the C library keeps what it may want
again; ``malloc_trim`` of glibc hands it back to the machine.

>>> available_memory() > 0
True
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from pathlib import Path

import psutil

CGROUPS, MEMBERSHIPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
"""Where Linux says what a process may take."""


def give_back() -> None:
    """Hand memory that nothing uses any more back to the machine."""
    gc.unfreeze()
    settle()  # a model and what PyVene puts around it point at each other
    trim()


def settle() -> None:
    """Let go of what nothing uses, and keep the rest out of the garbage collector's later rounds.

    Libraries and models are half a million objects that stay. Looking through them takes a quarter
    of a second, in which no other thread does anything. What is here now and dies later in a cycle
    is found by :func:`give_back`.
    """
    gc.collect()
    gc.freeze()


def trim() -> None:
    """Hand back what is freed already, but kept by the C library; takes a millisecond or two."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library, e.g. musl
            ctypes.CDLL("libc.so.6").malloc_trim(0)


PASS_NUMBERS = 24_000_000
"""Most numbers that the logits, or one layer's patterns, of one pass may hold (96 MB)."""
LARGE_PIECE = 4 << 20
"""Bytes from which a freed piece goes straight back to the machine."""
_M_MMAP_THRESHOLD = -3  # of glibc's malloc.h


def return_large_pieces() -> None:
    """Let every freed tensor of some size go back to the machine at once, from now on.

    glibc otherwise raises the bound to 32 MB when the first large piece is freed, and then keeps
    the pieces of every thread's heap: a visit to Circuits left 140 to 220 MB behind; now 8.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").mallopt(_M_MMAP_THRESHOLD, LARGE_PIECE)


def available_memory() -> int:
    """Bytes that a new process can have: the machine's, and the container's where there is one."""
    room = psutil.virtual_memory().available
    return max(0, min([room, *container_rooms()]))


def total_memory(mounted: Path = CGROUPS, memberships: Path = MEMBERSHIPS) -> int:
    """Bytes of the machine, or the limit of the container where that is less."""
    limits = [most for _, most, _ in _limits(mounted, memberships)]
    return min([psutil.virtual_memory().total, *limits])


def container_rooms(mounted: Path = CGROUPS, memberships: Path = MEMBERSHIPS) -> list[int]:
    """Bytes left under each memory limit (cgroup v2 or v1) that this process is under.

    A limit may stand at any level above the process. Cached files count as used there, but go when
    memory is wanted, so they are counted as free.
    """
    return [
        most - used + _cached_files(folder) for folder, most, used in _limits(mounted, memberships)
    ]


def _limits(mounted: Path, memberships: Path) -> list[tuple[Path, int, int]]:
    """The folder of each limit, the limit, and what is used of it, in bytes."""
    try:
        lines = memberships.read_text().splitlines()
    except OSError:  # no Linux
        return []
    limits = []
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top = mounted / "memory" if controllers else mounted
        limit, usage = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes")
            if controllers
            else ("memory.max", "memory.current")
        )
        parts = [part for part in group.split("/") if part not in ("", "..")]
        # In a container the path of the group may be the host's, and then only the top is there.
        for depth in range(len(parts) + 1):
            folder = top.joinpath(*parts[:depth])
            most, used = _number(folder / limit), _number(folder / usage)
            if most is not None and used is not None:
                limits.append((folder, most, used))
    return limits


def _number(path: Path) -> int | None:
    """The number in a file; None for ``max``, for no file, and for the huge "no limit" of v1."""
    try:
        number = int(path.read_text())
    except (OSError, ValueError):
        return None
    return number if number < 2**60 else None


def _cached_files(folder: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return int(stat.get("total_inactive_file", stat.get("inactive_file", 0)))
    return 0
