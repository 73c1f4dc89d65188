"""Get as high as possible. Nobody says where the cliff is: the height is measured, and has to be foreseen."""

from __future__ import annotations

from torch import Tensor

from mbrl_ros.config import ConfigError
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.laws import hill

FALL_COST = 20.0  # a step
HIGH = 0.8  # share of the highest place


class Task:
    """No command. State (..., S): x, the height of the ground there, and how fast both change."""

    command_size = 0
    goal = "high_up"

    def __init__(self, layout: FeatureLayout):
        if layout.spec.law != "hill":
            raise ConfigError(f"task 'cliff' needs a robot on a hill; {layout.spec.name} is on none")
        self._height = layout.joint_position.start + 1
        self._speed = layout.joint_velocity.start
        self._fallen_below = layout.spec.constant("fallen_below")
        self._high = HIGH * hill.crest(layout.spec)[1]

    def reward(self, state: Tensor, command: Tensor) -> Tensor:
        """state (..., S) -> (...)"""
        return state[..., self._height] - 0.02 * state[..., self._speed].square() - FALL_COST * self.terminated(state)

    def at_goal(self, state: Tensor) -> Tensor:
        """(...) bool: nearly as high as one can get, which the judge knows and who plans does not."""
        return state[..., self._height] > self._high

    def terminated(self, state: Tensor) -> Tensor:
        """(...) bool: fallen down the cliff."""
        return state[..., self._height] < self._fallen_below
