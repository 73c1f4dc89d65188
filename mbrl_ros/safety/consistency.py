"""Do the sensors agree with one another? What they say of a robot that can exist, sample after sample.

A sensor that froze goes on sending, fresh stamps and all, so no age shows it. What shows it is another one: joints that
move under an IMU that says the same to the last bit. Standing still is no evidence, nor is noise asked for: a simulated
robot in a person's hands repeats itself bit by bit, and that is believed. So nothing can be told of a sensor that
freezes while the robot rests, until something moves.

Whether one joint alone is stuck or its encoder frozen cannot be told apart here: either way plans are made from a
posture, or for one, that is not there. That is a doubt; all else makes the whole sample one that is not believed.
Encoders of a robot that stands repeat themselves on their ticks, also where it is turned by hand. So all of them count
as frozen only where several joints must have moved.

Everything is in robot time. Across a gap of some steps nothing is compared, as a robot may have been put elsewhere; a
sample or two that were lost are no such gap, or a link that loses many would hide all this.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.safety.envelope import norm
from mbrl_ros.types import NS, RobotState

# What counts as motion, while what should have seen it repeats itself: far above noise and what settles in stance.
MOVED = 0.05  # rad (m) of any joint
SAID = 0.1  # rad (m) by a joint's own velocity, over the last FADE_SECONDS
FADE_SECONDS = 0.1
LEFT_BEHIND = 0.05  # rad between a target and where it was when the joint last moved: more than friction holds
AWAY_SECONDS = 0.08  # so long: more than a driver needs until the joint begins to follow
# A joint that friction held says nothing new once it is told to be where it is. It is in doubt for so long after that,
# and believed again; one that is left behind again without having moved since is stuck.
BACK_SECONDS = 1.0
SEVERAL = 2  # joints that must have moved, while not one encoder says anything new

# After a jump, samples that agree with one another for so long are the truth: an estimator has found itself again.
SETTLED_NS = 100_000_000

IMU_FROZEN = "imu frozen"
ODOM_FROZEN = "odom frozen"
ENCODERS_FROZEN = "encoders frozen"


@dataclass(frozen=True, eq=False)
class Bounds:
    """Of one robot file; infinite where it says nothing."""

    names: tuple[str, ...]  # (J,)
    low: np.ndarray  # (J,) below it no joint can be
    high: np.ndarray  # (J,)
    joint_speed: float
    joint_jump: np.ndarray  # (J,)
    base_speed: float
    base_jump: float
    frozen_ns: float
    gap_ns: int  # between two samples, across which no jump is seen
    break_ns: int  # likewise, across which nothing is compared at all
    near_ns: int  # as far as speeds at both ends explain what came between
    driven: np.ndarray | None  # (A,) joints that follow position targets


def bounds(spec: RobotSpec) -> Bounds:
    gate = spec.gate

    def or_infinite(value: float | None) -> float:
        return math.inf if value is None else value

    limits = np.array([j.position or (-math.inf, math.inf) for j in spec.joints])
    beyond = or_infinite(gate.beyond_limits)
    return Bounds(
        names=spec.joint_names,
        low=limits[:, 0] - beyond,
        high=limits[:, 1] + beyond,
        joint_speed=or_infinite(gate.joint_speed),
        joint_jump=np.array([math.inf if j.continuous else or_infinite(gate.joint_jump) for j in spec.joints]),
        base_speed=or_infinite(gate.base_speed),
        base_jump=or_infinite(gate.base_jump),
        frozen_ns=or_infinite(gate.frozen_after) * NS,
        gap_ns=spec.dt_ns * 3 // 2,
        break_ns=spec.dt_ns * 7 // 2,
        near_ns=spec.dt_ns * 5 // 2,
        driven=spec.actuated_indices if spec.interface == "position" else None,
    )


@dataclass(frozen=True)
class Fault:
    """`kind` is what is counted, `text` what a person reads. `since_ns`: robot time since which it has been so."""

    kind: str
    text: str
    since_ns: int


@dataclass(frozen=True, eq=False)
class Part:
    """Of an IMU or an odometry: since when it has been repeating itself, and where the joints were then."""

    bits: bytes
    since_ns: int
    joints: np.ndarray  # (J,)
    frozen: bool = False


@dataclass(frozen=True, eq=False)
class Joints:
    """Of each joint, since its encoder last said something new (J,)."""

    position: np.ndarray
    since_ns: np.ndarray
    said: np.ndarray  # rad by its own velocity, fading
    away: np.ndarray  # s for which its target has been away from where it was then
    target: np.ndarray | None  # (A,) the target then
    frozen: np.ndarray  # (J,) bool
    back: np.ndarray  # s for which its target has been there again, since frozen; never enough: -inf
    all_frozen: bool = False


@dataclass(frozen=True, eq=False)
class Track:
    """What the next sample is compared with."""

    newest: RobotState  # believed or not
    believed: RobotState
    jump: Fault | None  # the newest, while samples after it are not believed yet
    joints: Joints
    imu: Part | None
    odom: Part | None


def begun(bounds: Bounds, state: RobotState, target: np.ndarray | None) -> Track:
    """With nothing to compare `state` with."""
    now, base = state.stamp_ns, state.base
    return Track(
        newest=state,
        believed=state,
        jump=None,
        joints=_moving(bounds, state, target),
        imu=None if base is None else Part(_imu_bits(state), now, state.joint_position),
        odom=None if base is None else Part(_odom_bits(state), now, state.joint_position),
    )


def impossible(bounds: Bounds, state: RobotState) -> Fault | None:
    """What no robot of this kind can be or do, whatever came before."""
    beyond = (state.joint_position < bounds.low) | (state.joint_position > bounds.high)
    if beyond.any():
        j = int(beyond.argmax())
        return _fault(state, "state_joint_range", f"{bounds.names[j]} at {state.joint_position[j]:.2f}, far off limits")
    fast = np.abs(state.joint_velocity) > bounds.joint_speed
    if fast.any():
        j = int(fast.argmax())
        return _fault(state, "state_joint_speed", f"{bounds.names[j]} at {state.joint_velocity[j]:.0f} a second")
    if state.base is not None and (speed := norm(state.base.linear_velocity_body)) > bounds.base_speed:
        return _fault(state, "state_base_speed", f"odom at {speed:.1f} m/s")
    return None


def followed(
    bounds: Bounds, track: Track, state: RobotState, target: np.ndarray | None
) -> tuple[Track, Fault | None, Fault | None]:
    """The track with `state`, later than its newest; why that is not to be believed; and a doubt about one joint.

    `target` is what the joints are told to follow; none where they are free.
    """
    elapsed_ns = state.stamp_ns - track.newest.stamp_ns
    broken = elapsed_ns > bounds.break_ns
    joints = _joints_after(bounds, track, state, target, broken)
    imu = _part_after(bounds, track.imu, _imu_bits, state, broken)
    odom = _part_after(bounds, track.odom, _odom_bits, state, broken)
    jump = None if elapsed_ns > bounds.gap_ns else _jump_now(bounds, track, state)
    track = Track(
        newest=state,
        believed=state if jump is None else track.believed,
        jump=jump,
        joints=joints,
        imu=imu,
        odom=odom,
    )
    doubt = None
    if joints.all_frozen:
        return track, Fault("state_encoders_frozen", ENCODERS_FROZEN, int(joints.since_ns.max())), None
    if joints.frozen.any():
        names = [name for name, frozen in zip(bounds.names, joints.frozen, strict=True) if frozen]
        doubt = Fault("joint_frozen", f"{', '.join(names)} stuck or frozen", int(joints.since_ns[joints.frozen].min()))
    if imu is not None and imu.frozen:
        return track, Fault("state_imu_frozen", IMU_FROZEN, imu.since_ns), doubt
    if odom is not None and odom.frozen:
        return track, Fault("state_odom_frozen", ODOM_FROZEN, odom.since_ns), doubt
    return track, jump, doubt


def _jump_now(bounds: Bounds, track: Track, state: RobotState) -> Fault | None:
    """Why `state` is not believed: it is not where the last believed one was, nor have samples since settled."""
    near = state.stamp_ns - track.believed.stamp_ns <= bounds.near_ns
    if near and _jump(bounds, track.believed, state) is None:
        return None
    jump = _jump(bounds, track.newest, state) or track.jump
    return None if jump is not None and state.stamp_ns - jump.since_ns >= SETTLED_NS else jump


def _jump(bounds: Bounds, before: RobotState, state: RobotState) -> Fault | None:
    """Further in the time between than their own speeds say, at both its ends."""
    seconds = (state.stamp_ns - before.stamp_ns) / NS
    v0, v1 = before.joint_velocity, state.joint_velocity
    moved = state.joint_position - before.joint_position
    unexplained = np.abs(moved - (v0 + v1) * (seconds / 2)) - np.abs(v1 - v0) * (seconds / 2)
    if (unexplained > bounds.joint_jump).any():
        j = int((unexplained - bounds.joint_jump).argmax())
        return _fault(state, "state_joint_jump", f"{bounds.names[j]} jumped by {moved[j]:.2f}")
    if state.base is None:
        return None
    far = norm(state.base.position - before.base.position)
    speed = max(norm(before.base.linear_velocity_body), norm(state.base.linear_velocity_body))
    if far > bounds.base_jump + speed * seconds:
        return _fault(state, "state_odom_jump", f"odom jumped by {far:.2f} m")
    return None


def imu_frozen(track: Track, state: RobotState) -> bool:
    """Whether `state`, compared or not yet, repeats what an IMU that froze says."""
    return track.imu is not None and track.imu.frozen and _imu_bits(state) == track.imu.bits


def _part_after(bounds: Bounds, part: Part | None, read, state: RobotState, broken: bool) -> Part | None:
    if part is None:
        return None
    bits = read(state)
    if bits != part.bits:
        return Part(bits, state.stamp_ns, state.joint_position)
    if part.frozen:
        return part
    if broken:
        return Part(bits, state.stamp_ns, state.joint_position)
    if state.stamp_ns - part.since_ns < bounds.frozen_ns:
        return part
    if float(np.abs(state.joint_position - part.joints).max()) <= MOVED:
        return part
    return replace(part, frozen=True)


def _moving(bounds: Bounds, state: RobotState, target: np.ndarray | None) -> Joints:
    count = len(state.joint_position)
    return Joints(
        position=state.joint_position,
        since_ns=np.full(count, state.stamp_ns),
        said=np.zeros(count),
        away=np.zeros(count),
        target=target,
        frozen=np.zeros(count, bool),
        back=np.zeros(count),
    )


def _joints_after(bounds: Bounds, track: Track, state: RobotState, target: np.ndarray | None, broken: bool) -> Joints:
    """Where an encoder repeats itself: what its joint must have done meanwhile, by its velocity and its target."""
    was, position = track.joints, state.joint_position
    still = position == was.position
    if not still.any():
        return _moving(bounds, state, target)
    frozen = was.frozen & still
    if broken:
        all_frozen = was.all_frozen and bool(still.all())
        back = np.where(still, was.back, 0.0)
        return replace(_moving(bounds, state, target), frozen=frozen, back=back, all_frozen=all_frozen)
    elapsed_ns = state.stamp_ns - track.newest.stamp_ns
    seconds = min(elapsed_ns, bounds.gap_ns) / NS  # what came in samples that were lost, nobody knows
    said = np.where(still, (was.said + state.joint_velocity * seconds) * math.exp(-elapsed_ns / NS / FADE_SECONDS), 0.0)
    since_ns = np.where(still, was.since_ns, state.stamp_ns)
    away, back = np.zeros(len(still)), np.where(still, was.back, 0.0)
    begin = target
    if target is not None and was.target is not None:
        driven = bounds.driven
        begin = np.where(still[driven], was.target, target)
        left = np.abs(target - begin) > LEFT_BEHIND
        away[driven] = np.where(left, was.away[driven] + seconds, 0.0)
        back[driven] = np.where(frozen[driven] & ~left, back[driven] + seconds, np.minimum(back[driven], 0.0))
    long_since = still & (state.stamp_ns - since_ns >= bounds.frozen_ns)
    contradicted = long_since & (np.abs(said) > SAID)
    forgiven = back >= BACK_SECONDS
    back[contradicted | forgiven] = -math.inf
    frozen = (frozen & ~forgiven) | contradicted | long_since & (away > AWAY_SECONDS)
    all_frozen = bool(still.all()) and int(frozen.sum()) >= min(SEVERAL, len(still))
    return Joints(position, since_ns, said, away, begin, frozen, back, all_frozen)


def _imu_bits(state: RobotState) -> bytes:
    return state.base.orientation_wxyz.tobytes() + state.base.angular_velocity_body.tobytes()


def _odom_bits(state: RobotState) -> bytes:
    return state.base.position.tobytes() + state.base.linear_velocity_body.tobytes()


def _fault(state: RobotState, kind: str, text: str) -> Fault:
    return Fault(kind, text, state.stamp_ns)
