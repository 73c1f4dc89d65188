"""A line on which messages get lost, come late, twice, or after their successors. Time is robot time."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from mbrl_ros.backends.fault_effects import Running
from mbrl_ros.types import NS

DELIVERY = ("drop", "delay", "jitter", "duplicate", "reorder")


class Delivery:
    """One topic. Messages are anything; they arrive in the order sent, but for those that `reorder` holds back."""

    def __init__(self):
        self._waiting: deque[tuple[int, object]] = deque()  # when each is due
        self._overtaken: list = []  # until the next one has gone by

    def send(self, message, now_ns: int, faults: Sequence[Running]) -> list:
        """What arrives now. A line without faults must have been flushed."""
        if not faults:
            return [message]
        copies, late_ns, held_back = [message], 0, False
        for running in faults:
            fault = running.fault
            if fault.name == "delay":
                late_ns += round(fault.size * NS)
            elif fault.name == "jitter":
                late_ns += round(running.draw(now_ns) * fault.size * NS)
            elif running.strikes(now_ns):
                if fault.name == "drop":
                    return self.due(now_ns)
                if fault.name == "duplicate":
                    copies = copies * 2
                if fault.name == "reorder":
                    held_back = not self._overtaken
        if held_back:
            self._overtaken = copies
            return self.due(now_ns)
        entering, self._overtaken = copies + self._overtaken, []
        self._waiting.extend((now_ns + late_ns, each) for each in entering)
        return self.due(now_ns)

    def due(self, now_ns: int) -> list:
        """What has been on its way for long enough, and nothing before what was sent earlier."""
        arrived = []
        while self._waiting and self._waiting[0][0] <= now_ns:
            arrived.append(self._waiting.popleft()[1])
        return arrived

    def flush(self) -> list:
        """All that is on its way, at once."""
        arrived = [message for _, message in self._waiting] + self._overtaken
        self._waiting.clear()
        self._overtaken = []
        return arrived
