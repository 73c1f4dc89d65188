"""Two ways to keep a car on its road without a model: PID, and pure pursuit. What planning is measured against.

Each is a function of a state (S,) of the task car that gives a target (A,): the speed and the steering angle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.tasks.car import HALF_STRAIGHT, RADIUS, Task

GAINS = {1.5: (3.0, 0.2, 1.5), 2.0: (1.5, 0.2, 1.0), 3.0: (1.0, 0.2, 0.5)}
# by speed (m/s), p, i and d of least mean error on a grid: bench/planners_gains.py


@dataclass
class Pid:
    """Steers by how far off the middle the car is: it sees no curve before it is in it.

        steer = p error + i integral of error + d error'

    The gains are those for 1.5 m/s.
    """

    layout: FeatureLayout
    speed: float  # m/s
    p: float = GAINS[1.5][0]  # rad/m
    i: float = GAINS[1.5][1]
    d: float = GAINS[1.5][2]

    def __post_init__(self):
        self._task, self._sum, self._before = Task(self.layout), 0.0, None

    def __call__(self, state: np.ndarray) -> np.ndarray:
        error = float(self._task.beside(torch.as_tensor(state))[0])
        dt = self.layout.spec.dt
        self._sum += error * dt
        rate = 0.0 if self._before is None else (error - self._before) / dt
        self._before = error
        return _within(self.layout, self.speed, self.p * error + self.i * self._sum + self.d * rate)


@dataclass(frozen=True)
class PurePursuit:
    """Steers on the circle that leads through a point of the middle line so far ahead of the car.

    steer = atan(2 L sin(angle to the point) / distance to it)
    """

    layout: FeatureLayout
    speed: float  # m/s
    ahead: float = 0.8  # m, along the line

    def __call__(self, state: np.ndarray) -> np.ndarray:
        layout = self.layout
        place, (cos, sin) = state[layout.position], state[layout.heading]
        towards = point_at(distance_of(place) + self.ahead) - place
        forward, left = cos * towards[0] + sin * towards[1], cos * towards[1] - sin * towards[0]
        far = math.hypot(forward, left)
        return _within(layout, self.speed, math.atan(2 * layout.spec.constant("wheelbase") * left / far**2))


def distance_of(place: np.ndarray) -> float:
    """(2,) m -> m along the middle line, from the middle of the first straight, of the point next to the place."""
    x, y = place
    beyond = x - np.clip(x, -HALF_STRAIGHT, HALF_STRAIGHT)
    if beyond == 0:
        return float(x if y < RADIUS else 2 * HALF_STRAIGHT + math.pi * RADIUS - x)
    if beyond > 0:
        return HALF_STRAIGHT + RADIUS * (math.pi / 2 + math.atan2(y - RADIUS, beyond))
    return 3 * HALF_STRAIGHT + RADIUS * (math.pi * 3 / 2 + math.atan2(RADIUS - y, -beyond))


def point_at(distance: float) -> np.ndarray:
    """(2,) m, of the middle line at this distance along it."""
    curve = math.pi * RADIUS
    left = distance % (4 * HALF_STRAIGHT + 2 * curve)
    if left < HALF_STRAIGHT or left >= 3 * HALF_STRAIGHT + 2 * curve:
        return np.array([left if left < HALF_STRAIGHT else left - 4 * HALF_STRAIGHT - 2 * curve, 0.0])
    if left < HALF_STRAIGHT + curve:
        angle = (left - HALF_STRAIGHT) / RADIUS
        return np.array([HALF_STRAIGHT + RADIUS * math.sin(angle), RADIUS * (1 - math.cos(angle))])
    if left < 3 * HALF_STRAIGHT + curve:
        return np.array([2 * HALF_STRAIGHT + curve - left, 2 * RADIUS])
    angle = (left - 3 * HALF_STRAIGHT - curve) / RADIUS
    return np.array([-HALF_STRAIGHT - RADIUS * math.sin(angle), RADIUS * (1 + math.cos(angle))])


def _within(layout: FeatureLayout, speed: float, steer: float) -> np.ndarray:
    return np.clip([speed, steer], *layout.spec.target_limits)
