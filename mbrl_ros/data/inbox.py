"""What came over a topic that may repeat itself: duplicates are dropped, gaps counted, and a new sender is no loss."""

from __future__ import annotations

from mbrl_ros.types import Transition


class Inbox:
    """Transitions are known by (start of their planner, sequence)."""

    def __init__(self):
        self.start_ns: int | None = None
        self.newest = -1  # sequence of the newest from this planner
        self.received = 0
        self.duplicates = 0
        self.missing = 0

    def accept(self, t: Transition) -> bool:
        """Whether it is new."""
        if self.start_ns is None or t.start_ns > self.start_ns:
            # The first of a sender: a latched topic may begin in the middle, which is no loss to count.
            self.start_ns, self.newest = t.start_ns, t.sequence - 1
        if t.start_ns < self.start_ns or t.sequence <= self.newest:
            self.duplicates += 1
            return False
        self.missing += t.sequence - self.newest - 1
        self.newest = t.sequence
        self.received += 1
        return True
