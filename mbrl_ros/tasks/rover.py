"""Reach the goal of a map between obstacles, by motions chosen from a handful.

The map is known, as a rover knows the one that it was given: it is part of the reward, and not of the dynamics. So what
a model has to learn is what each motion does, on free ground and once for all maps; were obstacles seen as ranges, it
would have to foresee what has not been in sight yet. The reward says nothing of ways round an obstacle: it is the
distance as the crow flies, and to find a way is what planning is for.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mbrl_ros.config import ConfigError
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.obstacles import GOAL, map_of

ARRIVED = 0.4  # m from the goal
COLLISION_COST = 100.0  # a step: through an obstacle there is no short way, however far it is round it
AWAY = 0.3  # of a metre from the goal, a step


class Task:
    """No command. State (..., S) of a robot with a planar base, on the map that its file names."""

    command_size = 0
    goal = "arrived"

    def __init__(self, layout: FeatureLayout):
        if not layout.spec.planar:
            raise ConfigError(f"task 'rover' needs a robot with a planar base; {layout.spec.name} has none")
        self._place = layout.position
        self._map = map_of(layout.spec)
        if not (margin := layout.spec.constant("margin")) >= 0:
            raise ConfigError(f"robot {layout.spec.name}: constants.margin {margin:g} m: expected 0 or more")
        self._room = layout.spec.constant("radius") + margin
        self._goal = torch.tensor(GOAL)

    def reward(self, state: Tensor, command: Tensor) -> Tensor:
        """state (..., S) -> (...), 1 at best."""
        away = self._away(state)
        return torch.sigmoid(10 * (ARRIVED - away)) - AWAY * away - COLLISION_COST * self.terminated(state)

    def at_goal(self, state: Tensor) -> Tensor:
        """(...) bool"""
        return self._away(state) < ARRIVED

    def terminated(self, state: Tensor) -> Tensor:
        """(...) bool: in an obstacle or a wall, or as good as."""
        return self._map.clearance(torch, state[..., self._place]) < self._room

    def _away(self, state: Tensor) -> Tensor:
        """(...) m to the goal."""
        return ((state[..., self._place] - self._goal).square().sum(-1) + 1e-6).sqrt()
