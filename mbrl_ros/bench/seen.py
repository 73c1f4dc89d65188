"""In a learner's place: keeps the transitions that it is given, and never learns."""

from __future__ import annotations

import numpy as np

from mbrl_ros.types import Transition


class Seen:
    def __init__(self):
        self.transitions: list[Transition] = []

    def add(self, transition: Transition) -> None:
        self.transitions.append(transition)

    def due(self) -> bool:
        return False

    def run(self) -> tuple[np.ndarray, np.ndarray]:
        """All of it as one run, states (1, T + 1, S) and targets (1, T, A); whoever fell between has two."""
        numbers = [t.sequence for t in self.transitions]
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            raise RuntimeError("the robot fell, or steps were lost: what was seen is not one run")
        states = np.stack([t.state for t in self.transitions] + [self.transitions[-1].next_state])
        return states[None], np.stack([t.action for t in self.transitions])[None]
