"""Python's garbage collector, out of the way: it runs between ticks and never by itself.

What a node has when it begins is set aside (frozen) and never looked at again: with torch imported, looking takes
100 ms. What ticks leave behind is nearly all freed by reference counts at once; the rest is little, and looked through
once a second in the idle time after a tick, in well under a millisecond.
"""

from __future__ import annotations

import gc

from mbrl_ros.types import NS

EVERY_NS = NS


class GarbageBetweenTicks:
    def __init__(self):
        self._collected_ns = 0

    def begin(self, now_ns: int) -> None:
        gc.collect()
        gc.freeze()
        gc.disable()
        self._collected_ns = now_ns

    def after_tick(self, now_ns: int) -> None:
        """Called when nothing is due for a while; steady time."""
        if now_ns - self._collected_ns >= EVERY_NS:
            self._collected_ns = now_ns
            gc.collect()

    def end(self) -> None:
        """Back to how Python does it."""
        gc.unfreeze()
        gc.enable()
