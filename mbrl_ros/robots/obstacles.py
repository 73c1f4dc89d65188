"""Random maps of round obstacles within walls, each with a way from the start to the goal.

A robot file names its map by a number, `constants.map`, so that whoever moves the robot and whoever rewards it see the
same one. Another map is `on_map(spec, number)`.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from mbrl_ros.robots.spec import RobotSpec

GOAL = (5.0, 5.0)  # m; the start is the origin
LOW, HIGH = -0.8, 5.8  # m, of both coordinates, where the walls are
OBSTACLES = 12
RADIUS = (0.3, 0.6)  # m, of an obstacle
KEPT_FREE = 0.6  # m, between an obstacle and the start or the goal
PASSAGE = 0.35  # m, half the width of the way that there must be
GRID = 0.1  # m


@dataclass(frozen=True, eq=False)
class Map:
    centres: np.ndarray  # (K, 2) m
    radii: np.ndarray  # (K,) m

    def clearance(self, m, place):
        """(..., 2) m -> (...) m to the nearest obstacle or wall; below 0 inside one. `m` is numpy or torch."""
        x, y = place[..., 0], place[..., 1]
        nearest = m.minimum(m.minimum(x - LOW, HIGH - x), m.minimum(y - LOW, HIGH - y))
        (centre_x, centre_y), radii = (m.asarray(part, dtype=place.dtype) for part in (self.centres.T, self.radii))
        away = m.sqrt((x[..., None] - centre_x) ** 2 + (y[..., None] - centre_y) ** 2 + 1e-9)  # no slope is infinite
        return m.minimum(nearest, m.amin(away - radii, -1))


def map_of(spec: RobotSpec) -> Map:
    """The one that the robot file names."""
    return random_map(int(spec.constant("map")))


def on_map(spec: RobotSpec, number: int) -> RobotSpec:
    """The same robot in another place."""
    return replace(spec, constants={**spec.constants, "map": float(number)})


@lru_cache(maxsize=1024)
def random_map(number: int) -> Map:
    """The first of those drawn from this seed that has a way through."""
    random = np.random.default_rng(number)
    while True:
        radii = random.uniform(*RADIUS, OBSTACLES)
        drawn = Map(random.uniform(LOW, HIGH, (OBSTACLES, 2)), radii)
        ends = np.array([(0.0, 0.0), GOAL])
        away = np.linalg.norm(ends[:, None] - drawn.centres, axis=-1) - radii
        if away.min() > KEPT_FREE and _has_a_way(drawn):
            return drawn


def _has_a_way(drawn: Map) -> bool:
    """Breadth first, over a grid of places that are far enough from everything."""
    steps = round((HIGH - LOW) / GRID) + 1
    across = LOW + GRID * np.arange(steps)
    free = drawn.clearance(np, np.stack(np.meshgrid(across, across, indexing="ij"), -1)) > PASSAGE
    start, goal = (tuple(round((c - LOW) / GRID) for c in end) for end in ((0.0, 0.0), GOAL))
    waiting = deque([start])
    free[start] = False
    while waiting:
        i, j = waiting.popleft()
        if (i, j) == goal:
            return True
        for near in ((i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)):
            if 0 <= min(near) and max(near) < steps and free[near]:
                free[near] = False
                waiting.append(near)
    return False
