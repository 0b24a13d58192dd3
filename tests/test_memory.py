"""What is here to stay costs the garbage collector nothing, and is still found when it dies."""

from __future__ import annotations

import gc
import weakref

import pytest

from headroles.models import memory


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
