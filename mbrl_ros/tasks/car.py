"""Drive round a circuit, fast and in the middle of the road.

The road runs round a stadium: two straights, joined by half circles. Its middle line is everywhere RADIUS away from the
segment between the centres of these, so how far a car is from it, and where along, are one line of algebra each:

    q = the point of the segment next to the car,   error = |p - q| - RADIUS,   ahead = (p - q) turned left / |p - q|

The origin is on the middle line of the first straight, which leads along x; the road turns left.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mbrl_ros.config import ConfigError
from mbrl_ros.robots.features import FeatureLayout

HALF_STRAIGHT = 2.5  # m
RADIUS = 1.0  # m, of the curves
HALF_WIDTH = 0.3  # m, of the road
CRUISE = 3.0  # m/s, faster is not worth more
NEAR = 0.1  # m: a cost as steep from far away as from here on, and flat in the middle
EDGE = 0.7  # share of the half width from which the edge is felt


class Task:
    """No command. State (..., S) of a robot with a planar base."""

    command_size = 0
    goal = "on_the_road"

    def __init__(self, layout: FeatureLayout):
        if not layout.spec.planar:
            raise ConfigError(f"task 'car' needs a robot with a planar base; {layout.spec.name} has none")
        self._layout = layout

    def beside(self, state: Tensor) -> tuple[Tensor, Tensor]:
        """(...) m to the right of the middle line, and (...) m/s along it."""
        layout = self._layout
        x, y = state[..., layout.position].unbind(-1)
        out_x, out_y = x - x.clamp(-HALF_STRAIGHT, HALF_STRAIGHT), y - RADIUS
        away = (out_x.square() + out_y.square() + 1e-9).sqrt()  # no slope is infinite
        cos, sin = state[..., layout.heading].unbind(-1)
        vx, vy = state[..., layout.linear_velocity].unbind(-1)
        world_x, world_y = cos * vx - sin * vy, sin * vx + cos * vy
        return away - RADIUS, (out_x * world_y - out_y * world_x) / away

    def reward(self, state: Tensor, command: Tensor) -> Tensor:
        """state (..., S) -> (...), 1 at best: the way made, less what is lost beside the middle and near the edge."""
        error, along = self.beside(state)
        beside = (error.square() + NEAR**2).sqrt() - NEAR
        return along.clamp(max=CRUISE) / CRUISE - 3 * beside - 20 * torch.relu(error.abs() - EDGE * HALF_WIDTH)

    def violation(self, state: Tensor) -> Tensor:
        """(...) m that the car is off the road; 0 on it."""
        return torch.relu(self.beside(state)[0].abs() - HALF_WIDTH)

    def at_goal(self, state: Tensor) -> Tensor:
        """(...) bool: on the road, and at half the speed at least."""
        return (self.violation(state) == 0) & (self.beside(state)[1] > CRUISE / 2)

    def terminated(self, state: Tensor) -> Tensor:
        """(...) bool: never; from beside the road one can drive back."""
        return torch.zeros_like(state[..., 0], dtype=torch.bool)
