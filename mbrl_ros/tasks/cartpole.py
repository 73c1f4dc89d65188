"""Swing the pole up and keep it there, near the middle of the rail."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mbrl_ros.config import ConfigError
from mbrl_ros.robots.features import FeatureLayout

UPRIGHT = math.cos(math.radians(15))


class Task:
    """No command. The pole is upright where its cosine is 1."""

    command_size = 0
    goal = "upright"

    def __init__(self, layout: FeatureLayout):
        joints = layout.spec.joints
        poles, carts = [j for j in joints if j.continuous and not j.actuated], [j for j in joints if j.actuated]
        if len(poles) != 1 or len(carts) != 1 or carts[0].continuous:
            raise ConfigError(
                "task 'cartpole' needs one joint that turns freely, the pole, and one that is driven along a rail; "
                f"{layout.spec.name} has {len(poles)} and {sum(not j.continuous for j in carts)}"
            )
        pole, cart, names = poles[0].name, carts[0].name, layout.names
        self._cos, self._dpole = names.index(f"cos {pole}"), names.index(f"d {pole}")
        self._x, self._dx = names.index(cart), names.index(f"d {cart}")
        self._rail = carts[0].position[1]

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
