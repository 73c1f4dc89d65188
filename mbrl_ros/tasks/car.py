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
BESIDE = 0.1  # m from the middle, at which half of what that may cost is lost


class Task:
    """No command. State (..., S) of a robot with a planar base."""

    command_size = 0
    goal = "on_the_road"

    def __init__(self, layout: FeatureLayout):
        if not layout.spec.planar:
            raise ConfigError(f"task 'car' needs a robot with a planar base; {layout.spec.name} has none")
        self._layout = layout

    def beside(self, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(...) m to the right of the middle line, (...) m/s along it, (...) cosine of the angle to it."""
        layout = self._layout
        x, y = state[..., layout.position].unbind(-1)
        out_x, out_y = x - x.clamp(-HALF_STRAIGHT, HALF_STRAIGHT), y - RADIUS
        away = (out_x.square() + out_y.square() + 1e-9).sqrt()  # no slope is infinite
        cos, sin = state[..., layout.heading].unbind(-1)
        vx, vy = state[..., layout.linear_velocity].unbind(-1)
        aligned, across = (out_x * sin - out_y * cos) / away, (out_x * cos + out_y * sin) / away
        return away - RADIUS, aligned * vx + across * vy, aligned

    def reward(self, state: Tensor, command: Tensor) -> Tensor:
        """state (..., S) -> (...), 1 at best: the way made and the way headed, less what is lost beside the middle.

        That loss is bounded but for a little: a car that stands across the road must leave it to turn, and were that
        dear it would stand there for ever. Where staying on it matters more than anything, there is `violation`.
        """
        error, along, aligned = self.beside(state)
        square = error.square()
        lost = 0.3 * square / (square + BESIDE**2) + 0.1 * (square + 1e-6).sqrt()
        return 0.7 * along.clamp(max=CRUISE) / CRUISE + 0.3 * aligned - lost

    def violation(self, state: Tensor) -> Tensor:
        """(...) m that the car is off the road; 0 on it."""
        return torch.relu(self.beside(state)[0].abs() - HALF_WIDTH)

    def at_goal(self, state: Tensor) -> Tensor:
        """(...) bool: on the road, and at half the speed at least."""
        return (self.violation(state) == 0) & (self.beside(state)[1] > CRUISE / 2)

    def terminated(self, state: Tensor) -> Tensor:
        """(...) bool: never; from beside the road one can drive back."""
        return torch.zeros_like(state[..., 0], dtype=torch.bool)
