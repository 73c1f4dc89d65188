"""What faults do to numbers: to what is measured, and to targets. Each effect is a function; two tables name them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from mbrl_ros.backends.faults import COMMANDS, IMU, JOINT_STATES, ODOM, Fault
from mbrl_ros.types import RobotState

# What a message of each topic says. That odom repeats the orientation is no reason for it to freeze with the IMU.
OF_BASE = {
    IMU: ("orientation_wxyz", "angular_velocity_body"),
    ODOM: ("position", "orientation_wxyz", "linear_velocity_body", "angular_velocity_body"),
}


@dataclass
class Running:
    """A fault that has begun."""

    fault: Fault
    number: int  # its place in the list, so that two of one name draw apart
    begun_ns: int
    seed: int
    kept: object = field(default=None)  # what a frozen topic repeats

    def draw(self, now_ns: int) -> float:
        """0 .. 1, the same whenever asked at one robot time: a state that is repeated in lockstep stays the same."""
        return float(np.random.default_rng((self.seed, now_ns, 1 + self.number)).random())

    def strikes(self, now_ns: int) -> bool:
        return self.draw(now_ns) < self.fault.share


def affected(running: Running, topic: str, state: RobotState, names: tuple[str, ...]) -> RobotState:
    """`state` as `topic` tells it under this fault. `names` of the joints."""
    fault = running.fault
    if fault.topic:
        if fault.topic != topic or fault.name not in NUMBERS:
            return state
        change, now_ns, where = NUMBERS[fault.name], state.stamp_ns, _places(fault.joint, names)
        return _changed(state, topic, lambda name, numbers: change(running, now_ns, name, numbers, where))
    on, name, change = ONE_READING.get(fault.name, ("", "", None))
    if on != topic:
        return state
    where = _places(fault.joint, names)
    return _changed(
        state, topic, lambda part, numbers: change(running, state.stamp_ns, numbers, where) if part == name else numbers
    )


def affected_target(running: Running, target: np.ndarray, now_ns: int, names: tuple[str, ...]) -> np.ndarray:
    """(A,) what comes of a command on its way to the robot. `names` of the actuated joints."""
    fault = running.fault
    if fault.topic != COMMANDS or fault.name not in NUMBERS:
        return target
    return NUMBERS[fault.name](running, now_ns, COMMANDS, target, _places(fault.joint, names))


def _places(joint: str, names: tuple[str, ...]) -> slice | int:
    return names.index(joint) if joint else slice(None)


def _changed(state: RobotState, topic: str, change: Callable[[str, np.ndarray], np.ndarray]) -> RobotState:
    """`state` with change(name, numbers) in place of all that a message of `topic` says."""
    if topic == JOINT_STATES:
        parts = ("joint_position", "joint_velocity")
        return replace(state, **{name: change(name, getattr(state, name)) for name in parts})
    return replace(
        state, base=replace(state.base, **{name: change(name, getattr(state.base, name)) for name in OF_BASE[topic]})
    )


# All that a topic says


def _freeze(running: Running, now_ns: int, name: str, numbers: np.ndarray, where) -> np.ndarray:
    """As they were when they were first told under the fault."""
    if running.kept is None:
        running.kept = {}
    return running.kept.setdefault(name, numbers)


def _nan(running: Running, now_ns: int, name: str, numbers: np.ndarray, where) -> np.ndarray:
    return _with(numbers, where, np.nan) if running.strikes(now_ns) else numbers


def _bias(running: Running, now_ns: int, name: str, numbers: np.ndarray, where) -> np.ndarray:
    if name == "orientation_wxyz":
        return rolled(numbers, running.fault.size)
    return _with(numbers, where, numbers[where] + running.fault.size)


def _scale(running: Running, now_ns: int, name: str, numbers: np.ndarray, where) -> np.ndarray:
    if name == "orientation_wxyz":
        return numbers
    return _with(numbers, where, numbers[where] * running.fault.size)


NUMBERS = {"freeze": _freeze, "nan": _nan, "bias": _bias, "scale": _scale}


# One reading


def _glitch(running: Running, now_ns: int, numbers: np.ndarray, where) -> np.ndarray:
    return _with(numbers, where, numbers[where] + running.fault.size) if running.strikes(now_ns) else numbers


def _add(running: Running, now_ns: int, numbers: np.ndarray, where) -> np.ndarray:
    return numbers + running.fault.size


def _add_to_x(running: Running, now_ns: int, numbers: np.ndarray, where) -> np.ndarray:
    return _with(numbers, 0, numbers[0] + running.fault.size)


ONE_READING = {
    "encoder_glitch": (JOINT_STATES, "joint_position", _glitch),
    "imu_bias": (IMU, "angular_velocity_body", _add),
    "odom_jump": (ODOM, "position", _add_to_x),
}


def _with(numbers: np.ndarray, where, value) -> np.ndarray:
    changed = np.array(numbers, float)
    changed[where] = value
    return changed


def rolled(orientation_wxyz: np.ndarray, angle: float) -> np.ndarray:
    """Turned by `angle` rad about the body's x axis, as an IMU that is mounted askew."""
    w, x, y, z = orientation_wxyz
    c, s = math.cos(angle / 2), math.sin(angle / 2)
    return np.array([w * c - x * s, w * s + x * c, y * c + z * s, z * c - y * s])
