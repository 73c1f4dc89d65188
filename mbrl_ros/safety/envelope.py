"""When a robot has fallen, stands or is still, and which states are whole. Each by the numbers of its robot file."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.safety.attitude import sound
from mbrl_ros.types import BaseState, RobotState

# Far above the sensors' noise, far below any gait.
STILL_SPEED = 0.3  # m/s
STILL_TURN = 0.5  # rad/s

# A robot this near to its stance can be told the stance without a jolt; a softly held one sags by less.
STANDING_TOLERANCE = 0.3  # rad


@dataclass(frozen=True, eq=False)
class Envelope:
    """The numbers of one robot file that the gate needs at each call."""

    joints: int
    actuated: np.ndarray  # (A,) indices
    position_interface: bool
    stance: np.ndarray  # (A,)
    posture: np.ndarray  # (A,) where the joints are in stance
    low: np.ndarray  # (A,)
    high: np.ndarray  # (A,)
    has_base: bool
    tilt_gravity_z: float
    min_height: float


def envelope(spec: RobotSpec) -> Envelope:
    low, high = spec.target_limits
    gate = spec.gate
    return Envelope(
        joints=len(spec.joints),
        actuated=spec.actuated_indices,
        position_interface=spec.interface == "position",
        stance=spec.stance,
        posture=spec.posture,
        low=low,
        high=high,
        has_base=spec.base is not None,
        tilt_gravity_z=math.inf if gate.tilt_gravity_z is None else gate.tilt_gravity_z,
        min_height=-math.inf if gate.min_height is None else gate.min_height,
    )


def state_fault(limits: Envelope, state: RobotState) -> str | None:
    """Why the state cannot be believed."""
    if state.joint_position.shape != (limits.joints,) or state.joint_velocity.shape != (limits.joints,):
        return "state_shape"
    if limits.has_base and state.base is None:
        return "state_without_base"
    if not state.is_finite():
        return "state_not_finite"
    return "state_orientation" if state.base is not None and not sound(state) else None


def tilted(limits: Envelope, state: RobotState) -> str | None:
    if state.base is None or gravity_z(state.base) <= limits.tilt_gravity_z:
        return None
    return f"tilt: gravity z {gravity_z(state.base):.2f} is above {limits.tilt_gravity_z:.2f}"


def low(limits: Envelope, state: RobotState) -> str | None:
    if state.base is None or state.base.position[2] >= limits.min_height:
        return None
    return f"height: {state.base.position[2]:.3f} m is below {limits.min_height:.3f} m"


def unrest(limits: Envelope, state: RobotState) -> str | None:
    """Why the robot is not upright and still."""
    if state.base is None:
        return None
    speed = norm(state.base.linear_velocity_body)
    turn = norm(state.base.angular_velocity_body)
    if speed > STILL_SPEED:
        return f"moving: {speed:.2f} m/s, still is up to {STILL_SPEED} m/s"
    if turn > STILL_TURN:
        return f"turning: {turn:.2f} rad/s, still is up to {STILL_TURN} rad/s"
    return tilted(limits, state)


def not_standing(limits: Envelope, state: RobotState) -> str | None:
    """Why the robot cannot simply be told to hold its stance. Other interfaces rest at zero, from anywhere."""
    if not limits.position_interface:
        return None
    away = float(np.abs(state.joint_position[limits.actuated] - limits.posture).max())
    if away > STANDING_TOLERANCE:
        return f"posture: {away:.2f} rad from stance"
    return low(limits, state) or unrest(limits, state)


def resting_target(limits: Envelope, state: RobotState) -> np.ndarray:
    """(A,) the target that changes least: the measured posture, or zero effort or velocity."""
    if not limits.position_interface:
        return limits.stance
    return np.clip(state.joint_position[limits.actuated], limits.low, limits.high)


def gravity_z(base: BaseState) -> float:
    _, x, y, _ = base.orientation_wxyz
    return float(2 * (x * x + y * y) - 1)


def norm(vector: np.ndarray) -> float:
    return math.sqrt(float(np.dot(vector, vector)))
