"""What the task makes of the last few seconds: for whoever watches, as no goal and no bound is seen in velocities."""

from __future__ import annotations

from collections import deque

import torch

from mbrl_ros.types import Transition

SECONDS = 5.0


class Achieved:
    """Give it every transition."""

    def __init__(self, task, dt: float):
        self.goal: str | None = task.goal
        self._task = task
        self._rewards: deque[float] = deque(maxlen=round(SECONDS / dt))
        self._there: deque[bool] = deque(maxlen=round(SECONDS / dt))
        self._outside: deque[bool] = deque(maxlen=round(SECONDS / dt))
        self.violations: int | None = 0 if hasattr(task, "violation") else None  # steps so far that ended out of bounds

    def note(self, transition: Transition) -> None:
        self._rewards.append(transition.reward)
        reached = torch.from_numpy(transition.next_state)
        if self.goal:
            self._there.append(bool(self._task.at_goal(reached)))
        if self.violations is not None:
            self._outside.append(bool(self._task.violation(reached) > 0))
            self.violations += self._outside[-1]

    @property
    def reward(self) -> float | None:
        """Mean a step; None before the first."""
        return _mean(self._rewards)

    @property
    def share(self) -> float | None:
        """Of the steps that ended at the goal; None where the task has none."""
        return _mean(self._there)

    @property
    def outside(self) -> float | None:
        """Share of the steps that ended out of the task's bounds of the state; None where it has none."""
        return _mean(self._outside)


def _mean(values: deque) -> float | None:
    return sum(values) / len(values) if values else None
