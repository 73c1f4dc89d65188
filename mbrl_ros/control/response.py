"""How long after a state its plan was there, and the command that executes it, seen from outside.

From a state to its command the way leads through two processes, planner and guard. Beside it may stand what such a way
takes at least: the same state passed on by one process that does nothing else, and by two of them, one after the other.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import numpy as np

HOPS = ("once", "twice")
_KEPT = 200  # states, and plans not executed yet


class Response:
    """Give it all that was seen, in the order of each topic, and when (ns of one clock).

    `when` is the receipt or the sending of the messages: two of these tell both.
    """

    def __init__(self):
        self.plan_ms = array("f")  # from each state to its plan; four bytes each: an hour is 720 kB
        self.command_ms = array("f")  # to the first that the guard said of executing that plan
        self.hop_ms = {hop: array("f") for hop in HOPS}
        self._states: dict[int, int] = {}  # robot time of a sample: when
        self._awaited: dict[int, int] = {}  # sequence of a plan not executed yet: when its state was seen
        self._early: tuple[int, int] | None = None  # (plan, when) executed before we had heard of that plan

    def state(self, stamp_ns: int, when_ns: int) -> None:
        self._states[stamp_ns] = when_ns
        _forget_the_oldest(self._states)

    def plan(self, sequence: int, stamp_ns: int, when_ns: int) -> None:
        began, early = self._states.get(stamp_ns), self._early
        self._early = None
        if began is None:
            return
        self.plan_ms.append((when_ns - began) / 1e6)
        if early is not None and early[0] == sequence:
            self.command_ms.append((early[1] - began) / 1e6)
        else:
            self._awaited[sequence] = began
            _forget_the_oldest(self._awaited)

    def applied(self, plan_sequence: int, when_ns: int) -> None:
        """The guard said that it sent what this plan wants; it says so right after the command."""
        began = self._awaited.pop(plan_sequence, None)
        if began is not None:
            self.command_ms.append((when_ns - began) / 1e6)
            for skipped in [s for s in self._awaited if s < plan_sequence]:
                del self._awaited[skipped]  # it came too late to be executed
        elif self._early is None or self._early[0] != plan_sequence:
            self._early = (plan_sequence, when_ns)

    def hopped(self, hop: str, stamp_ns: int, when_ns: int) -> None:
        """The state of `stamp_ns`, passed on by nobody but bare processes."""
        began = self._states.get(stamp_ns)
        if began is not None:
            self.hop_ms[hop].append((when_ns - began) / 1e6)

    def report(self) -> dict:
        """Percentiles in ms."""
        hops = {f"bare_hop_{hop}": percentiles(took) for hop, took in self.hop_ms.items()}
        return {"plan": percentiles(self.plan_ms), "command": percentiles(self.command_ms), **hops}


def percentiles(values: Sequence[float]) -> dict:
    if not values:
        return {"p50": None, "p95": None, "p99": None, "max": None}
    p50, p95, p99 = np.percentile(values, (50, 95, 99))
    return {"p50": float(p50), "p95": float(p95), "p99": float(p99), "max": float(max(values))}


def _forget_the_oldest(kept: dict) -> None:
    if len(kept) > _KEPT:
        del kept[next(iter(kept))]
