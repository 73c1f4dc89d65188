"""What came over a topic that may repeat itself: duplicates are dropped, gaps counted, and a new sender is no loss."""

from __future__ import annotations

from mbrl_ros.types import Transition

MOST_STARTS = 100  # of planners that are remembered: those that were heard last


class Inbox:
    """Transitions are known by (start of their planner, sequence). Starts are names: clocks are set back."""

    def __init__(self):
        self._newest: dict[int, int] = {}  # sequence of the newest from each start, the one heard last at the end
        self.newest = -1  # sequence of the one that was taken last
        self.received = 0
        self.duplicates = 0
        self.missing = 0

    def accept(self, t: Transition) -> bool:
        """Whether it is new."""
        # The very first may be in the middle of what a topic repeats, which is no loss; a later planner begins at 0.
        before = self._newest.pop(t.start_ns, -1 if self._newest else t.sequence - 1)
        self._newest[t.start_ns] = max(before, t.sequence)
        if len(self._newest) > MOST_STARTS:
            del self._newest[next(iter(self._newest))]
        if t.sequence <= before:
            self.duplicates += 1
            return False
        self.missing += t.sequence - before - 1
        self.newest = t.sequence
        self.received += 1
        return True
