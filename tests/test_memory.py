"""Freed memory goes back, and what is here to stay costs the garbage collector nothing."""

from __future__ import annotations

import gc
import subprocess
import sys
import weakref

import pytest

from headroles.models import memory
from headroles.paths import ROOT


class Node:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _thawed():
    yield
    gc.unfreeze()


def test_what_stays_is_left_out_of_later_rounds():
    stays = [Node() for _ in range(1000)]
    memory.settle()
    assert gc.get_freeze_count() > len(stays)
    looked_at = {id(thing) for thing in gc.get_objects()}
    assert not any(id(node) in looked_at for node in stays)


def test_what_comes_later_and_dies_is_collected():
    memory.settle()
    gone = weakref.ref(Node())
    gc.collect()
    assert gone() is None


def test_what_was_here_and_dies_later_is_given_back():
    node = Node()
    memory.settle()
    gone = weakref.ref(node)
    del node
    gc.collect()
    assert gone() is not None, "it was not left out, so this test shows nothing"
    memory.give_back()
    assert gone() is None
    assert gc.get_freeze_count() > 0  # and the rest is left out again


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
