"""Which commands a robot practises: spread evenly, slow at first and after a fall.

Independent random ones leave holes: of ten in a row, often none is fast, and then nothing fast is learned.
"""

from __future__ import annotations

import numpy as np

from mbrl_ros.learner_settings import PracticeConfig

LOW = np.array([-0.4, -0.25, -0.7])  # m/s, m/s, rad/s
HIGH = np.array([0.85, 0.25, 0.7])
START = 0.4  # share of the range that is practised first
GENTLE = 5.0  # s after a fall with slow ones again, until it has been learned from


def spread(number: int, offset: np.ndarray) -> np.ndarray:
    """(C,) of 0..1, the point of this number in a sequence that fills the box evenly at any length.

    Each step adds irrational shares, powers of the root of x^(C + 1) = x + 1: the golden ratio in C dimensions.
    """
    root = 2.0
    for _ in range(30):
        root = (1 + root) ** (1 / (len(offset) + 1))
    return (offset + number * root ** -np.arange(1, len(offset) + 1)) % 1.0


class TrainingCommands:
    """Even in a box that grows once there is a model, because a young model knows no fast motion."""

    def __init__(self, size: int, seed: int, first_seconds: float, practice: PracticeConfig):
        self._size, self._first, self._practice = size, first_seconds, practice
        self._offset = np.random.default_rng(seed).uniform(size=size)
        self._gentle_until = 0.0

    def fell(self, seconds: float) -> None:
        """The robot fell at this time of the run."""
        self._gentle_until = seconds + GENTLE

    def at(self, seconds: float) -> np.ndarray:
        """(C,) the command at this time of the run; the same for a seed, but for falls."""
        if self._size == 0:
            return np.zeros(0)
        share = np.clip(START + (1 - START) * (seconds - self._first) / self._practice.ramp, START, 1.0)
        if seconds < self._gentle_until:
            share = START
        low, high = LOW[: self._size], HIGH[: self._size]
        return (low + (high - low) * spread(int(seconds / self._practice.hold + 1e-6), self._offset)) * share
