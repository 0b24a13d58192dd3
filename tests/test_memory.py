"""Freed memory goes back to the machine."""

from __future__ import annotations

import subprocess
import sys

import pytest

from headroles.paths import ROOT

_FREED = """
import sys, psutil, torch
from headroles.models import memory
if sys.argv[1] == "return":
    memory.return_large_pieces()
def resident():
    return psutil.Process().memory_info().rss
del (first := [torch.ones(7_000_000)])[:]  # glibc would now keep pieces of this size
before = resident()
pieces = [torch.ones(3_000_000) for _ in range(20)]  # 240 MB
last = torch.ones(1000)
del pieces[:]
print(resident() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc only")
def test_freed_tensors_go_back_at_once() -> None:
    command = [sys.executable, "-c", _FREED, "return"]
    left = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert int(left) < 30_000_000
