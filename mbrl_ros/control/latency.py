"""How much later than commanded a target takes effect: the delay under which joint accelerations are explained best.

A driver's own delay (bus, motor, its own loop) shows in no stamp. But how fast a joint's velocity changes depends on
the target in force, so a linear fit of one on the other is best with targets shifted by that delay. It needs no model
of the robot, and so works from the first seconds on.
"""

from __future__ import annotations

import numpy as np

from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.types import Transition

LONGEST = 5  # steps
WINDOW = 1000  # transitions that are looked at
FEWEST = 300  # of them before the first look
EVERY = 100  # transitions between two looks
CLEARLY = 0.95  # another delay must leave less than this share of the error
AGREEING = 2  # looks in a row that must find the same
RIDGE = 1e-3


class LatencyEstimate:
    """Give it every transition. `steps` is the latency that their actions are already shifted by."""

    def __init__(self, layout: FeatureLayout, steps: int):
        self.steps = steps
        self._longest_ns = 2 * LONGEST * layout.spec.dt_ns + layout.spec.dt_ns // 2  # such a stretch has no gap
        self._position, self._velocity = layout.joint_position, layout.joint_velocity
        self._rows: np.ndarray | None = None  # (2 WINDOW, features): a look needs one piece of it and copies nothing
        self._stamps = np.zeros(2 * WINDOW, np.int64)
        self._size = self._since = 0
        self._sequence: int | None = None
        self._suspected, self._agreed = steps, 0

    def add(self, transition: Transition) -> bool:
        """Whether `steps` is another one now; transitions from here on must come shifted by it."""
        if self._sequence is not None and transition.sequence != self._sequence + 1:
            self._size = 0
        self._sequence = transition.sequence
        self._keep(transition)
        self._since += 1
        if self._size < FEWEST or self._since < EVERY:
            return False
        self._since = 0
        found = self._best()
        self._agreed = self._agreed + 1 if found == self._suspected else 1
        self._suspected = found
        if found == self.steps or self._agreed < AGREEING:
            return False
        self.steps = found
        self._size = 0  # the old shift is in them
        return True

    def _keep(self, t: Transition) -> None:
        before, after = t.state[self._velocity], t.next_state[self._velocity]
        row = np.concatenate([t.state[self._position], before, t.action, after - before])
        if self._rows is None:
            self._rows = np.zeros((2 * WINDOW, len(row)))
            self._parts = np.cumsum([len(t.state[self._position]) + len(before), len(t.action)])
        if self._size == len(self._rows):
            for kept in (self._rows, self._stamps):
                kept[:WINDOW] = kept[WINDOW:]
            self._size = WINDOW
        self._rows[self._size], self._stamps[self._size] = row, t.stamp_ns
        self._size += 1

    def _best(self) -> int:
        """The latency (steps) that explains the window best; the present one unless another is clearly better."""
        error = self._unexplained()
        best = int(np.argmin(error))
        return best if error[best] < CLEARLY * error[self.steps] else self.steps

    def _unexplained(self) -> list[float]:
        """For 0 .. LONGEST steps: the share of the variance of velocity changes that a linear fit leaves, with targets
        so late. The same rows for all of them."""
        begin = max(0, self._size - WINDOW)
        rows, stamps = self._rows[begin : self._size], self._stamps[begin : self._size]
        at = np.arange(LONGEST, len(rows) - LONGEST)
        at = at[stamps[at + LONGEST] - stamps[at - LONGEST] < self._longest_ns]
        if len(at) < FEWEST // 2:
            return [np.inf] * (LONGEST + 1)
        state, target, change = np.split(rows, self._parts, axis=1)
        change = _normalised(change[at])
        left = []
        for steps in range(LONGEST + 1):
            later = steps - self.steps  # how much further back than `action` the target in force would lie
            inputs = _normalised(np.concatenate([state[at], target[at - later]], 1))
            gram = inputs.T @ inputs + RIDGE * len(at) * np.eye(inputs.shape[1])
            rest = change - inputs @ np.linalg.solve(gram, inputs.T @ change)
            left.append(float((rest**2).mean()))
        return left


def _normalised(columns: np.ndarray) -> np.ndarray:
    centred = columns - columns.mean(0)
    return centred / np.maximum(centred.std(0), 1e-6)
