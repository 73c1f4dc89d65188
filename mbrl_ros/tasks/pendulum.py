"""Swing the pendulum up and keep it there, with a motor too weak to lift it at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mbrl_ros.config import ConfigError
from mbrl_ros.robots.features import FeatureLayout

UPRIGHT = math.cos(math.radians(15))


class Task:
    """No command. The pendulum is upright where its cosine is 1."""

    command_size = 0
    goal = "upright"

    def __init__(self, layout: FeatureLayout):
        free = [j.name for j in layout.spec.joints if j.continuous]
        if len(free) != 1:
            raise ConfigError(
                f"task 'pendulum' needs one joint that turns freely, the rod; {layout.spec.name} has {len(free)}"
            )
        self._cos, self._speed = (layout.names.index(f"{part} {free[0]}") for part in ("cos", "d"))

    def reward(self, state: Tensor, command: Tensor) -> Tensor:
        """state (..., S) -> (...), 1 at best. Near the top, being fast costs more."""
        upright = (1 + state[..., self._cos]) / 2
        return upright - (0.002 + 0.03 * upright) * state[..., self._speed].square()

    def at_goal(self, state: Tensor) -> Tensor:
        """(...) bool: within 15 degrees."""
        return state[..., self._cos] > UPRIGHT

    def terminated(self, state: Tensor) -> Tensor:
        """(...) bool: never."""
        return torch.zeros_like(state[..., 0], dtype=torch.bool)
