"""What a robot file is made of: joints, a base, legs and their gait, what the guard keeps; each checks itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mbrl_ros.config import ConfigError

LONGEST_FADE_IN = 60.0  # s


@dataclass(frozen=True)
class Joint:
    name: str
    velocity: float  # rad/s (m/s): the fastest the target (position) or the joint (effort) may move
    position: tuple[float, float] | None = None  # rad (m); none for a joint that turns freely
    effort: float = 0.0
    acceleration: float | None = None  # rad/s^2 (m/s^2): the most a target may gain speed; braking is free
    stance: float = 0.0
    sit: float = 0.0
    kp: float = 0.0
    kv: float = 0.0
    action_scale: float = 1.0  # physical units of one unit of model input
    reach: float = 0.0  # how far a plan in joint targets may go from stance
    mirror: str | None = None  # the joint on the other side, with a minus where the sign changes
    start: tuple[float, ...] = ()  # where a free joint may be when the robot begins, one of them; else it hangs
    actuated: bool = True
    continuous: bool = False  # an angle that wraps: the model sees its cosine and sine

    def __post_init__(self):
        for name, value in vars(self).items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ConfigError(f"joint {self.name}: {name} {value:g} is not a finite number")
        for name in ("velocity", "acceleration"):
            if (value := getattr(self, name)) is not None and not value > 0:
                raise ConfigError(f"joint {self.name}: {name} {value:g} must be above 0: it holds in both directions")
        for name in ("effort", "kp", "kv"):
            if (value := getattr(self, name)) < 0:
                raise ConfigError(f"joint {self.name}: {name} {value:g} must be 0 or above")
        if self.position is not None and not -math.inf < self.position[0] < self.position[1] < math.inf:
            raise ConfigError(
                f"joint {self.name}: position [{self.position[0]:g}, {self.position[1]:g}] must be the lowest, then "
                "the highest; leave it out where the joint turns freely"
            )


@dataclass(frozen=True)
class BaseSpec:
    """A floating base, and when it counts as fallen; or a planar one, which has a place and a heading alone."""

    mass: float = 0.0
    stance_height: float = 0.0
    fall_height: float = 0.0
    fall_gravity_z: float = 0.0
    planar: bool = False

    def __post_init__(self):
        if self.planar:
            if any((self.mass, self.stance_height, self.fall_height, self.fall_gravity_z)):
                raise ConfigError("a planar base has neither mass nor height, and cannot fall: it is {planar: true}")
            return
        if not self.fall_gravity_z < 0:
            raise ConfigError(f"fall_gravity_z {self.fall_gravity_z:g} must be below 0: upright is -1")
        if not self.mass > 0:
            raise ConfigError(f"mass {self.mass:g} kg must be above 0")
        if not self.fall_height < self.stance_height:
            raise ConfigError(
                f"fall_height {self.fall_height:g} m must be below stance_height {self.stance_height:g} m: "
                "the robot would count as fallen where it stands"
            )


@dataclass(frozen=True)
class Leg:
    joints: tuple[str, str, str]  # hip, thigh, calf
    hip: tuple[float, float]  # x, y of the hip axis in the body frame
    side: float  # +1 left, -1 right
    phase: float  # offset in the gait, 0..1


@dataclass(frozen=True)
class Gait:
    period: float  # s
    duty: float  # share of the period that a foot is on the ground
    lift: float  # m, of a swinging foot in the prior
    lift_range: float  # m, the highest a plan may ask for
    stride: tuple[float, float, float]  # m/s, m/s, rad/s of one unit of decision
    residual: tuple[float, float, float]  # m, foot displacement of one unit of decision

    def __post_init__(self):
        if not self.period > 0:
            raise ValueError(f"period {self.period} s must be above 0")
        if not 0 < self.duty < 1:
            raise ValueError(f"duty {self.duty} must lie between 0 and 1: a foot both stands and swings")


@dataclass(frozen=True)
class Legs:
    thigh: float
    calf: float
    hip_offset: float
    foot_radius: float
    gait: Gait
    each: tuple[Leg, ...]


@dataclass(frozen=True)
class FeatureValues:
    """One number for each kind of state feature: a scale, or a standard deviation."""

    position: float = 0.0
    heading: float = 0.0
    gravity: float = 0.0
    linear_velocity: float = 0.0
    angular_velocity: float = 0.0
    height: float = 0.0
    joint_position: float = 0.0
    joint_velocity: float = 0.0


@dataclass(frozen=True)
class GateSpec:
    """Which envelope the guard keeps, beyond the joints' own limits."""

    tilt_gravity_z: float | None = None
    min_height: float | None = None
    fade_in: float = 2.0  # s
    # Targets. How much of its effort a joint may be told to use: kp (target - position) - kv velocity, against effort.
    torque_margin: float | None = None
    # States. What is left out is not checked.
    frozen_after: float | None = None  # s that a sensor may repeat itself to the last bit while the robot moves
    joint_speed: float | None = None  # rad/s (m/s) that no joint reaches
    beyond_limits: float | None = None  # rad (m) outside its limits, where no joint gets
    joint_jump: float | None = None  # rad (m) between two samples that a joint's own velocity does not explain
    base_speed: float | None = None  # m/s that the base never reaches
    base_jump: float | None = None  # m between two samples that the base's own velocity does not explain

    def __post_init__(self):
        for name, value in vars(self).items():
            if name not in ("tilt_gravity_z", "min_height", "fade_in") and value is not None and not value > 0:
                raise ConfigError(f"gate.{name} {value:g} must be above 0; leave it out where it is not to be checked")
        if not 0 <= self.fade_in <= LONGEST_FADE_IN:
            raise ConfigError(f"gate.fade_in {self.fade_in:g} s must be 0 (at once) to {LONGEST_FADE_IN:g} s")
