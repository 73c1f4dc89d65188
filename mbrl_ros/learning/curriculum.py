"""Which commands a robot practises: random ones, slow at first and after a fall."""

from __future__ import annotations

import numpy as np

HOLD = 2.0  # s
LOW = np.array([-0.4, -0.25, -0.7])  # m/s, m/s, rad/s
HIGH = np.array([0.85, 0.25, 0.7])
START = 0.4  # share of the range that is practised first
RAMP = 20.0  # s from there to the whole range
GENTLE = 5.0  # s after a fall with slow ones again, until it has been learned from


class TrainingCommands:
    """Uniform in a box that grows once there is a model, because a young model knows no fast motion."""

    def __init__(self, size: int, seed: int, first_seconds: float):
        self._size, self._seed, self._first = size, seed, first_seconds
        self._gentle_until = 0.0

    def fell(self, seconds: float) -> None:
        """The robot fell at this time of the run."""
        self._gentle_until = seconds + GENTLE

    def at(self, seconds: float) -> np.ndarray:
        """(C,) the command at this time of the run; the same for a seed, but for falls."""
        if self._size == 0:
            return np.zeros(0)
        generator = np.random.default_rng((self._seed, int(seconds / HOLD + 1e-6)))
        share = np.clip(START + (1 - START) * (seconds - self._first) / RAMP, START, 1.0)
        if seconds < self._gentle_until:
            share = START
        return generator.uniform(LOW, HIGH) * share
