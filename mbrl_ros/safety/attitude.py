"""Which way up the robot is, by the newest orientation that is sound, though the rest of its sample is not believed.

A robot that falls may well be one whose other sensors go wrong: the legs' odometry first. Its fall must be seen all the
same. But one bad orientation in samples that were to be ignored must not damp it. So an orientation counts only as far
as it follows from the one heard before it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from mbrl_ros.types import RobotState

# Between two samples. No robot turns further; what jumps there counts once the next one agrees with it.
TURNED = 0.5  # rad


@dataclass(frozen=True, eq=False)
class Attitude:
    heard: RobotState  # the newest whose orientation is sound
    taken: RobotState | None = None  # the newest whose orientation counts; none where it is that of the believed state
    taken_ns: int = 0  # clock at which it came


def sound(state: RobotState) -> bool:
    """A unit quaternion; one of zeros, which drivers send before their IMU is ready, would read as upright."""
    return state.base is not None and abs(_dot(state, state) - 1) <= 0.1


def after(attitude: Attitude, state: RobotState, now: int) -> Attitude:
    """With `state`, whose orientation is sound but which is not believed as a whole."""
    if state.stamp_ns <= attitude.heard.stamp_ns:
        return attitude
    if _follows(attitude.heard, state):
        return Attitude(state, state, now)
    return replace(attitude, heard=state)


def _follows(before: RobotState, state: RobotState) -> bool:
    lengths = math.sqrt(_dot(before, before) * _dot(state, state))
    return abs(_dot(before, state)) >= math.cos(TURNED / 2) * lengths


def _dot(one: RobotState, other: RobotState) -> float:
    return float(np.dot(one.base.orientation_wxyz, other.base.orientation_wxyz))
