"""Walk where the command says, level and at stance height."""

from __future__ import annotations

import torch
from torch import Tensor

from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.fit import check_walks

VELOCITY_COST = 40.0
YAW_COST = 10.0
FALL_COST = 50.0  # a step


class Task:
    """Command (3,): forward velocity, sideways velocity (m/s) and yaw rate (rad/s), in the body frame."""

    command_size = 3
    goal = None  # it is good where it does what the command says

    def __init__(self, layout: FeatureLayout):
        check_walks(layout.spec)
        self._base = layout.spec.base
        self._gravity = layout.gravity.start
        self._v = layout.linear_velocity.start
        self._w = layout.angular_velocity.start
        self._height = layout.height.start

    def reward(self, state: Tensor, command: Tensor) -> Tensor:
        """state (..., S), command (3,) -> (...), 0 at best."""
        g, v, w = self._gravity, self._v, self._w
        off = state[..., v] - command[0]
        cost = off.square() * VELOCITY_COST
        # Each feature on its own: they lie apart in memory, and a sum over so few of them at once is slow.
        for off, weight in (
            (state[..., v + 1] - command[1], VELOCITY_COST),
            (state[..., w + 2] - command[2], YAW_COST),
            (state[..., self._height] - self._base.stance_height, 100.0),
            (state[..., g], 10.0),
            (state[..., g + 1], 10.0),
            (state[..., v + 2], 1.0),
            (state[..., w], 0.1),
            (state[..., w + 1], 0.1),
        ):
            cost = torch.addcmul(cost, off, off, value=weight)
        return -cost - FALL_COST * self.terminated(state)

    def terminated(self, state: Tensor) -> Tensor:
        """(...) bool: fallen."""
        low = state[..., self._height] < self._base.fall_height
        return low | (state[..., self._gravity + 2] > self._base.fall_gravity_z)
