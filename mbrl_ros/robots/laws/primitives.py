"""A rover that knows a handful of motions: its one joint is the number of the motion that it is told, rounded.

Each of `primitives` in the robot file is a speed (m/s) and a yaw rate (rad/s), so the rover moves on arcs, and they are
taken at once. Driving into an obstacle of its map ends it there; in free space it knows of none.
"""

from __future__ import annotations

import math

import numpy as np

from mbrl_ros.config import ConfigError
from mbrl_ros.robots.fit import check_primitives
from mbrl_ros.robots.obstacles import map_of
from mbrl_ros.robots.spec import RobotSpec

exact, smooth = True, False


def begun(spec: RobotSpec, random: np.random.Generator) -> np.ndarray:
    check_primitives(spec)
    if not spec.planar:
        raise ConfigError(f"robot {spec.name}: law primitives needs a planar base")
    return np.zeros(8)


def after(m, spec: RobotSpec, motion, target, dt: float):
    x, y, heading = motion[..., 0], motion[..., 1], motion[..., 2]
    number = m.clip(m.round(target[..., 0]), 0, len(spec.primitives) - 1)
    told = m.asarray(spec.primitives, dtype=motion.dtype)[m.asarray(number, dtype=m.int64)]
    speed, yaw_rate = told[..., 0], told[..., 1]
    middle = heading + yaw_rate * dt / 2
    chord = speed * dt * m.sinc(yaw_rate * dt / (2 * math.pi))  # of the arc: exact, and straight on too
    x, y = x + chord * m.cos(middle), y + chord * m.sin(middle)
    none = 0 * number
    return m.stack([x, y, heading + yaw_rate * dt, speed, none, yaw_rate, number, none], -1)


def lost(spec: RobotSpec, motion: np.ndarray) -> bool:
    return bool(map_of(spec).clearance(np, motion[..., :2]) < spec.constant("radius"))
