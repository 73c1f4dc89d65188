"""How often the guard may speak for one reason, so that nobody makes it speak too often."""

from __future__ import annotations

from collections import deque

from mbrl_ros.types import NS

# So many commands may follow one another at once, as where something was held up; what comes in time but for less than
# a tenth of their share of a second is never refused. In the quiet after a burst the guard repeats what it said last.
BURST = 10


class Rate:
    """Of commands, on a steady clock: in any time that `most` a second give BURST commands there are no more."""

    def __init__(self, most: float):
        self._window_ns = BURST * NS / most
        self._sent: deque[int] = deque(maxlen=BURST)

    def takes(self, now_ns: int, early: float = 0.0) -> bool:
        """Whether one more may be sent, which then counts; also where it comes too early by a share `early`."""
        if len(self._sent) == BURST and now_ns - self._sent[0] < (1 - early) * self._window_ns:
            return False
        self._sent.append(now_ns)
        return True
