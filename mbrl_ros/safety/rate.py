"""How often the guard may speak: a plan that holds at once is told at once, yet nobody makes it speak too often."""

from __future__ import annotations

from collections import deque

from mbrl_ros.types import NS

# So many commands may follow one another at once, as a sample's and that of the plan which answers it do; after them
# there is quiet until their share of a second is over. That must end well before a driver damps.
BURST = 4


class Rate:
    """Of commands, on a steady clock: in any time that `most` a second give BURST commands there are no more."""

    def __init__(self, most: float):
        self._window_ns = BURST * NS / most
        self._sent: deque[int] = deque(maxlen=BURST)

    def allows(self, now_ns: int, early: float = 0.0) -> bool:
        """One more; also where it comes too early by a share `early` of its time, as samples may."""
        return len(self._sent) < BURST or now_ns - self._sent[0] >= (1 - early) * self._window_ns

    def sent(self, now_ns: int) -> None:
        self._sent.append(now_ns)
