"""How much later than commanded a target takes effect: the delay under which joint accelerations are explained best.

A driver's own delay (bus, motor, its own loop) shows in no stamp. But how fast a joint's velocity changes depends on
the target in force, so a linear fit of one on the other is best with targets shifted by that delay. It needs no model
of the robot, and so works from the first seconds on.
"""

from __future__ import annotations

from collections import deque

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
        self._layout = layout
        self._window: deque[Transition] = deque(maxlen=WINDOW)
        self._since = 0
        self._suspected, self._agreed = steps, 0

    def add(self, transition: Transition) -> bool:
        """Whether `steps` is another one now; transitions from here on must come shifted by it."""
        if self._window and transition.sequence != self._window[-1].sequence + 1:
            self._window.clear()
        self._window.append(transition)
        self._since += 1
        if len(self._window) < FEWEST or self._since < EVERY:
            return False
        self._since = 0
        found = self._best()
        self._agreed = self._agreed + 1 if found == self._suspected else 1
        self._suspected = found
        if found == self.steps or self._agreed < AGREEING:
            return False
        self.steps = found
        self._window.clear()  # the old shift is in them
        return True

    def _best(self) -> int:
        """The latency (steps) that explains the window best; the present one unless another is clearly better."""
        error = {steps: self._unexplained(steps) for steps in range(LONGEST + 1)}
        best = min(error, key=error.get)
        return best if error[best] < CLEARLY * error[self.steps] else self.steps

    def _unexplained(self, steps: int) -> float:
        """Share of the variance of velocity changes that a linear fit leaves, with targets `steps` late."""
        window, size = list(self._window), len(self._window)
        steady = [t.stamp_ns for t in window]
        begin, end = LONGEST, size - LONGEST  # the same rows for every latency
        later = steps - self.steps  # how much further back than `action` the target in force would lie
        rows = [i for i in range(begin, end) if steady[i + LONGEST] - steady[i - LONGEST] < self._longest_ns()]
        if len(rows) < FEWEST // 2:
            return np.inf
        position, velocity = self._layout.joint_position, self._layout.joint_velocity
        states = np.stack([window[i].state for i in rows])
        targets = np.stack([window[i - later].action for i in rows])
        change = np.stack([window[i].next_state[velocity] - window[i].state[velocity] for i in rows])
        inputs = np.concatenate([states[:, position], states[:, velocity], targets], 1)
        inputs = inputs - inputs.mean(0)
        inputs = inputs / np.maximum(inputs.std(0), 1e-6)
        change = change - change.mean(0)
        change = change / np.maximum(change.std(0), 1e-6)
        gram = inputs.T @ inputs + RIDGE * len(rows) * np.eye(inputs.shape[1])
        left = change - inputs @ np.linalg.solve(gram, inputs.T @ change)
        return float((left**2).mean())

    def _longest_ns(self) -> int:
        """A stretch of 2 LONGEST steps without a gap is shorter."""
        return (2 * LONGEST) * self._layout.spec.dt_ns + self._layout.spec.dt_ns // 2
