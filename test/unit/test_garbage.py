"""When Python's garbage collector runs: between ticks, and never by itself."""

import gc
import weakref

import pytest

from mbrl_ros.nodes.garbage import EVERY_NS, GarbageBetweenTicks


class Knot:
    """Garbage that only a collection frees."""

    def __init__(self):
        self.itself = self


def knotted():
    return weakref.ref(Knot())


@pytest.fixture
def garbage():
    between = GarbageBetweenTicks()
    between.begin(0)
    yield between
    between.end()


def test_nothing_is_collected_in_a_tick(garbage):
    left = knotted()
    for _ in range(5000):
        knotted()
    assert left() is not None


def test_what_ticks_leave_behind_is_collected_after_one_of_them_once_a_second(garbage):
    left = knotted()
    garbage.after_tick(EVERY_NS - 1)
    assert left() is not None
    garbage.after_tick(EVERY_NS)
    assert left() is None
    left = knotted()
    garbage.after_tick(EVERY_NS + 1)
    assert left() is not None


def test_what_was_there_before_is_not_looked_at_again(garbage):
    assert gc.get_freeze_count() > 1000


def test_afterwards_python_collects_as_ever(garbage):
    garbage.end()
    assert gc.isenabled() and gc.get_freeze_count() == 0
