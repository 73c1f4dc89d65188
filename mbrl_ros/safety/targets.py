"""How far a target may go: the joint's position, the target's speed, what it gains in speed, the torque it asks for.

A target may lose speed as fast as it likes: a limit on braking would carry it past where it was to stop. The torque is
a proxy, what the joint's own servo would make of target, position and velocity; where it asks for more than the robot
file allows, the target is brought nearer to the measured posture. The other three are kept whatever the torque says,
and position is the last word whatever the others say.

Speed and its gain are judged from where the target was when the step of dt began. Several commands within one step
could still send it to and fro; so its ways within a step, there and back, add up to one step of its speed at most.

An effort or a velocity says nothing of where it leads. So it is judged by where the joint is: beyond its limits nothing
drives it further out, and above its own fastest no effort speeds it up.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mbrl_ros.robots.parts import Joint
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.types import RobotState

# Rounding in float32 is no clip.
TOLERANCE = 1e-5

POSITION, RATE, ACCELERATION, TORQUE = "position", "rate", "acceleration", "torque"
KINDS = (POSITION, RATE, ACCELERATION, TORQUE)


@dataclass(frozen=True, eq=False)
class TargetLimits:
    """Of one robot file, each (A,)."""

    low: np.ndarray
    high: np.ndarray
    step: np.ndarray | None  # the most a target may change within dt; none where it may jump
    gain: np.ndarray | None  # how much more than in the step before
    kp: np.ndarray
    kv: np.ndarray
    torque: np.ndarray | None
    driven: np.ndarray  # (A,) indices among all joints
    # Of efforts and velocities; infinite where nothing is limited.
    lowest: np.ndarray  # positions of the joint
    highest: np.ndarray
    fastest: np.ndarray  # velocity of the joint


@dataclass(frozen=True, eq=False)
class Step:
    """What the targets of one step of dt are judged from, each (A,)."""

    begin: np.ndarray  # in force when the step began
    move: np.ndarray  # what had changed in the step before, to come there
    now: np.ndarray  # last sent
    path: np.ndarray  # how far targets have moved since the step began, to and fro


def at_rest(target: np.ndarray) -> Step:
    return Step(target, np.zeros_like(target), target, np.zeros_like(target))


def next_step(step: Step) -> Step:
    return Step(step.now, step.now - step.begin, step.now, np.zeros_like(step.now))


def moved(step: Step, target: np.ndarray) -> Step:
    """With `target` sent."""
    return replace(step, now=target, path=step.path + np.abs(target - step.now))


def target_limits(spec: RobotSpec) -> TargetLimits:
    low, high = spec.target_limits
    position = spec.interface == "position"
    margin = spec.gate.torque_margin
    return TargetLimits(
        low=low,
        high=high,
        step=spec.target_step_limit if position else None,
        gain=spec.target_gain_limit if position and np.isfinite(spec.target_gain_limit).any() else None,
        kp=np.array([j.kp for j in spec.actuated]),
        kv=np.array([j.kv for j in spec.actuated]),
        torque=margin * np.array([j.effort for j in spec.actuated]) if position and margin else None,
        driven=spec.actuated_indices,
        lowest=np.array([-np.inf if _turns_freely(j) else j.position[0] for j in spec.actuated]),
        highest=np.array([np.inf if _turns_freely(j) else j.position[1] for j in spec.actuated]),
        fastest=np.array([j.velocity if spec.interface == "effort" else np.inf for j in spec.actuated]),
    )


def _turns_freely(joint: Joint) -> bool:
    return joint.continuous or joint.position is None


def limited(
    limits: TargetLimits, target: np.ndarray, step: Step, state: RobotState | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """`target` within the limits; and which of KINDS changed it. No `state`: it is too old to judge anything by."""
    if limits.step is None:
        return _held_back(limits, target, state)
    down = up = limits.step
    if limits.gain is not None:
        down = np.minimum(down, limits.gain - np.minimum(step.move, 0.0))
        up = np.minimum(up, limits.gain + np.maximum(step.move, 0.0))
    left = np.maximum(limits.step - step.path, 0.0)
    low, high = np.maximum(step.begin - down, step.now - left), np.minimum(step.begin + up, step.now + left)

    def within(wanted: np.ndarray) -> np.ndarray:
        return _clipped(_clipped(wanted, low, high), limits.low, limits.high)

    hurried = within(target)
    allowed = hurried
    if limits.torque is not None and state is not None:
        # kp (target - position) - kv velocity, within the torque
        rest = state.joint_position[limits.driven] + state.joint_velocity[limits.driven] * limits.kv / limits.kp
        most = limits.torque / limits.kp
        allowed = within(_clipped(target, rest - most, rest + most))
    if not _differ(allowed, target):
        return allowed, ()
    return allowed, _kinds(limits, step, left, target, hurried, allowed)


def _held_back(
    limits: TargetLimits, target: np.ndarray, state: RobotState | None
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Efforts and velocities: within the most that may be asked for, and none that leads where the joint may not be."""
    inside = _clipped(target, limits.low, limits.high)
    turned, slowed = inside, inside
    if state is not None:
        position, velocity = state.joint_position[limits.driven], state.joint_velocity[limits.driven]
        turned = _one_way(inside, position < limits.lowest, position > limits.highest)
        slowed = _one_way(turned, velocity < -limits.fastest, velocity > limits.fastest)
    return slowed, _changed((POSITION, target, turned), (RATE, turned, slowed))


def _one_way(target: np.ndarray, only_up: np.ndarray, only_down: np.ndarray) -> np.ndarray:
    return _clipped(target, np.where(only_up, 0.0, -np.inf), np.where(only_down, 0.0, np.inf))


def _kinds(limits: TargetLimits, step: Step, left, target, hurried, allowed) -> tuple[str, ...]:
    """`left` is how far a target may still go in this step, `hurried` what the torque would have been asked for."""
    inside = _clipped(target, limits.low, limits.high)
    slowed = _clipped(inside, step.begin - limits.step, step.begin + limits.step)
    slowed = _clipped(_clipped(slowed, step.now - left, step.now + left), limits.low, limits.high)
    return _changed(
        (POSITION, target, inside),
        (RATE, inside, slowed),
        (ACCELERATION, slowed, hurried),
        (TORQUE, hurried, allowed),
    )


def _changed(*steps: tuple[str, np.ndarray, np.ndarray]) -> tuple[str, ...]:
    return tuple(kind for kind, before, after in steps if _differ(before, after))


def _clipped(target: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.minimum(np.maximum(target, low), high)


def _differ(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.abs(one - other).max() > TOLERANCE)
