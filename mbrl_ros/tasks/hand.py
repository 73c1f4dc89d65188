"""Turn the object to where it should be, and keep it there."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mbrl_ros.config import ConfigError
from mbrl_ros.robots.features import FeatureLayout

NEAR = 0.1  # rad: a cost as steep from far away as from here on, and flat at the goal
THERE = math.radians(10)


class Task:
    """No command. The object is the joint that turns freely; it should be at 0, and starts a quarter turn from there.

    An angle from where it began would have to be remembered by whoever plans; from 0, the state says what is left.
    """

    command_size = 0
    goal = "turned"

    def __init__(self, layout: FeatureLayout):
        free = [j for j in layout.spec.joints if j.continuous and not j.actuated]
        if len(free) != 1:
            raise ConfigError(
                f"task 'hand' needs one joint that turns freely, the object; {layout.spec.name} has {len(free)}"
            )
        names = layout.names
        self._cos, self._sin = (names.index(f"{part} {free[0].name}") for part in ("cos", "sin"))
        self._speed = names.index(f"d {free[0].name}")
        first = layout.joint_velocity.start
        self._fingers = [first + i for i in layout.spec.actuated_indices]

    def left(self, state: Tensor) -> Tensor:
        """state (..., S) -> (...) rad that the object has still to turn, -pi .. pi."""
        return torch.atan2(state[..., self._sin], state[..., self._cos])

    def reward(self, state: Tensor, command: Tensor) -> Tensor:
        """state (..., S) -> (...), 0 at best."""
        far = (self.left(state).square() + NEAR**2).sqrt() - NEAR
        cost = far + 0.002 * state[..., self._speed].square()
        return -cost - 0.0002 * state[..., self._fingers].square().sum(-1)

    def at_goal(self, state: Tensor) -> Tensor:
        """(...) bool: within 10 degrees."""
        return self.left(state).abs() < THERE

    def terminated(self, state: Tensor) -> Tensor:
        """(...) bool: never; the object cannot be lost."""
        return torch.zeros_like(state[..., 0], dtype=torch.bool)
