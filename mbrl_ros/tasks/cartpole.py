"""Swing the pole up and keep it there, near the middle of the rail."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mbrl_ros.robots.features import FeatureLayout

UPRIGHT = math.cos(math.radians(15))


class Task:
    """No command. The pole is upright where its cosine is 1."""

    command_size = 0
    goal = "upright"

    def __init__(self, layout: FeatureLayout):
        names = layout.names
        self._cos = next(i for i, n in enumerate(names) if n.startswith("cos "))
        self._x = layout.joint_position.start
        self._rail = layout.spec.joints[0].position[1]
        self._dx = layout.joint_velocity.start
        self._dpole = layout.joint_velocity.start + 1

    def reward(self, state: Tensor, command: Tensor) -> Tensor:
        """state (..., S) -> (...)"""
        upright = (1 + state[..., self._cos]) / 2
        away = 0.1 * state[..., self._x].square() + 10 * torch.relu(state[..., self._x].abs() - 0.7 * self._rail)
        return (
            upright - away - 0.01 * upright * state[..., self._dpole].square() - 0.002 * state[..., self._dx].square()
        )

    def at_goal(self, state: Tensor) -> Tensor:
        """(...) bool: the pole stands within 15 degrees."""
        return state[..., self._cos] > UPRIGHT

    def terminated(self, state: Tensor) -> Tensor:
        """(...) bool: never; the rail has stops."""
        return torch.zeros_like(state[..., 0], dtype=torch.bool)
