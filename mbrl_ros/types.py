"""The vocabulary: shape legend and the frozen records that travel between parts.

Shapes, by letter, everywhere in the project:

    N candidates   H horizon (steps)   M or E ensemble members   B batch   K training steps rolled
    J joints       A actuated joints (physical action)           S state features
    U decision variables of a planner (one step)                 C command numbers
    P points of a plan

Units are SI and radians; frames follow REP-103 and REP-105. Robot time is integer nanoseconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag, StrEnum

import numpy as np

NS = 1_000_000_000  # nanoseconds in a second


@dataclass(frozen=True)
class BaseState:
    """A floating base. Velocities are in the body frame."""

    position: np.ndarray  # (3,) m, world; z is the height above the ground
    orientation_wxyz: np.ndarray  # (4,) unit quaternion, body to world
    linear_velocity_body: np.ndarray  # (3,) m/s
    angular_velocity_body: np.ndarray  # (3,) rad/s

    @property
    def heading(self) -> float:
        """rad, about the world's z axis."""
        w, x, y, z = self.orientation_wxyz
        return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))

    @property
    def gravity_body(self) -> np.ndarray:
        """(3,) the unit vector 'down' seen from the body: (0, 0, -1) when upright."""
        w, x, y, z = self.orientation_wxyz
        return np.array([2 * (w * y - x * z), -2 * (y * z + w * x), 2 * (x * x + y * y) - 1])


@dataclass(frozen=True)
class RobotState:
    """One complete sample of the robot, joints in the robot file's order."""

    stamp_ns: int  # robot time
    joint_position: np.ndarray  # (J,)
    joint_velocity: np.ndarray  # (J,)
    base: BaseState | None = None

    def is_finite(self) -> bool:
        parts = [self.joint_position, self.joint_velocity]
        if self.base is not None:
            parts += [
                self.base.position,
                self.base.orientation_wxyz,
                self.base.linear_velocity_body,
                self.base.angular_velocity_body,
            ]
        return all(np.isfinite(part).all() for part in parts)


class Flag(IntFlag):
    """What is special about a transition. Flagged data is valid data."""

    CLIPPED = 1  # the gate changed the target
    HELD = 2  # the gate followed no plan
    EXPLORED = 4  # the planner was exploring
    ANEW = 8  # actions are shifted by another latency from here on: forget what came before
    UNSURE = 16  # the ensemble was in doubt about what was decided


@dataclass(frozen=True)
class Transition:
    """One step of the robot: in `state`, `action` was really applied, and `next_state` came of it."""

    state: np.ndarray  # (S,) features at stamp_ns
    action: np.ndarray  # (A,) what the actuated joints were told, physical units
    next_state: np.ndarray  # (S,) features one step later
    command: np.ndarray  # (C,)
    phase: float  # of the gait at stamp_ns, 0..1
    reward: float
    terminal: bool
    flags: Flag
    sequence: int  # dense, from 0, per planner start
    stamp_ns: int
    start_ns: int  # wall time at which the planner started; with `sequence` it identifies the transition
    model: int  # version that planned; 0 where none did

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Of state, action and next_state."""
        return len(self.state), len(self.action), len(self.next_state)


@dataclass(frozen=True)
class Plan:
    """Joint targets from robot time `stamp_ns` on. Point i holds from stamp + offsets_ns[i] for one step."""

    stamp_ns: int
    sequence: int
    model: int
    gait_origin_ns: int
    offsets_ns: tuple[int, ...]  # (P,) increasing
    targets: np.ndarray  # (P, A)
    exploring: bool = False


class Action(StrEnum):
    """What the guard did."""

    FOLLOW = "follow"
    CLIP = "clip"  # the plan's target, within limits
    SCALE = "scale"  # the plan's target, brought nearer to the measured posture: it asked for too much torque
    HOLD = "hold"  # its own target: stance, or a blend on the way to it
    SIT = "sit"
    DAMP = "damp"


FOLLOWED = (Action.FOLLOW, Action.CLIP, Action.SCALE)  # the plan, as it is or as far as the limits allow
CHANGED = (Action.CLIP, Action.SCALE)


class RobotMode(StrEnum):
    POSITION = "position"  # obey the commands of the robot file's interface
    DAMP = "damp"
    OFF = "off"


@dataclass(frozen=True)
class Command:
    """What the guard tells the robot now."""

    stamp_ns: int  # robot time at which it is sent
    target: np.ndarray  # (A,)
    mode: RobotMode
    action: Action
    plan_sequence: int  # -1 where no plan stands behind it
    model: int


@dataclass(frozen=True)
class Event:
    """Something that all nodes should hear of once."""

    name: str  # reset, fall, damp, obey, estop, release, mode, ...
    stamp_ns: int
    message: str
