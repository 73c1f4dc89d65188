"""RobotSpec: one robot file, checked and frozen. Numpy only, so that the guard's process stays small."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from mbrl_ros.config import ConfigError, build, read_yaml
from mbrl_ros.content import content_hash
from mbrl_ros.known import BACKENDS, LAWS
from mbrl_ros.paths import named, share
from mbrl_ros.robots.parts import BaseSpec, FeatureValues, GateSpec, Joint, Legs
from mbrl_ros.types import NS

GRAVITY = 9.81  # m/s^2
INTERFACES = ("position", "velocity", "effort")
LONGEST_STEP = 10.0  # s
STATE_TOPICS = ("joint_states", "imu/data", "odom")


@dataclass(frozen=True)
class RobotSpec:
    name: str
    interface: str
    command_topic: str
    state_topics: tuple[str, ...]
    dt: float
    sample_rate: float
    safe_sequence: tuple[str, ...]
    joints: tuple[Joint, ...]
    feature_scales: FeatureValues
    noise: FeatureValues = FeatureValues()
    gate: GateSpec = GateSpec()
    base: BaseSpec | None = None
    legs: Legs | None = None
    backend: str = "mujoco"  # what steps it where there is no hardware
    scene: str = ""  # of backend mujoco
    law: str = ""  # of motion, of backend analytic; and its numbers
    constants: dict[str, float] = field(default_factory=dict)
    primitives: tuple[tuple[float, float], ...] = ()  # (m/s, rad/s) of each motion that a decision can choose

    def __post_init__(self):
        if self.backend not in BACKENDS:
            raise ConfigError(f"no backend {self.backend!r}. Known: {', '.join(BACKENDS)}")
        if self.backend == "mujoco" and not self.scene:
            raise ConfigError("backend mujoco needs a scene, a file in sim/")
        if self.backend == "analytic" and self.law not in LAWS:
            raise ConfigError(f"backend analytic needs a law of motion, one of {', '.join(LAWS)}; got {self.law!r}")
        names = [j.name for j in self.joints]
        if len(set(names)) != len(names):
            raise ConfigError(f"joint names repeat: {', '.join(names)}")
        if self.interface not in INTERFACES:
            raise ConfigError(f"interface {self.interface!r} is none of {', '.join(INTERFACES)}")
        for topic in self.state_topics:
            if topic not in STATE_TOPICS:
                raise ConfigError(f"state topic {topic!r} is none of {', '.join(STATE_TOPICS)}")
        if self.floats and set(self.state_topics) != set(STATE_TOPICS):
            raise ConfigError("a robot with a base needs joint_states, imu/data and odom in state_topics")
        if self.planar:
            self._check_planar()
        if self.primitives:
            self._check_primitives()
        if not _is_safe_sequence(self.safe_sequence):
            raise ConfigError(
                f"safe_sequence [{', '.join(self.safe_sequence)}]: expected stance or zero, then sit or nothing, then "
                "damp or off, as in [stance, sit, damp]"
            )
        lowest = self.gate.min_height
        if self.floats and lowest is not None and not lowest < self.base.stance_height:
            raise ConfigError(
                f"gate.min_height {lowest:g} m must be below base.stance_height {self.base.stance_height:g} m: "
                "the guard would damp a robot that stands"
            )
        if not 0 < self.dt <= LONGEST_STEP:
            raise ConfigError(f"dt {self.dt} s must be above 0, and {LONGEST_STEP:g} s at most")
        if self.sample_rate * self.dt < 0.999:
            raise ConfigError(f"dt {self.dt} needs a sample_rate of at least {1 / self.dt:g} Hz")
        for joint in self.joints:
            if joint.mirror is not None and joint.mirror.lstrip("-") not in names:
                raise ConfigError(f"joint {joint.name}: mirror names no joint: {joint.mirror!r}")
            needs = "the effort interface" if self.interface == "effort" else "gate.torque_margin"
            limited = self.interface == "effort" or self.gate.torque_margin is not None
            if joint.actuated and limited and not joint.effort > 0:
                raise ConfigError(f"joint {joint.name}: effort {joint.effort:g} must be above 0: {needs} goes by it")
            if joint.actuated and self.interface == "position":
                if joint.position is None or not joint.position[0] <= joint.stance <= joint.position[1]:
                    raise ConfigError(f"joint {joint.name}: stance {joint.stance} is outside its limits")
                if not joint.kp > 0:
                    raise ConfigError(f"joint {joint.name}: a position interface needs kp > 0")
        for leg in self.legs.each if self.legs else ():
            for name in leg.joints:
                if name not in names:
                    raise ConfigError(f"leg names no joint: {name!r}. Known: {', '.join(names)}")

    def _check_primitives(self):
        wanted = (0.0, len(self.primitives) - 1.0)
        if len(self.actuated) != 1 or self.actuated[0].position != wanted or self.actuated[0].mirror is not None:
            raise ConfigError(
                f"{len(self.primitives)} motions in `primitives` are told by the number of one: that needs one driven "
                f"joint, with position [{wanted[0]}, {wanted[1]}] and no mirror"
            )

    def _check_planar(self) -> None:
        if not {"joint_states", "odom"} <= set(self.state_topics):
            raise ConfigError("a robot with a planar base needs joint_states and odom in state_topics")
        for name in ("tilt_gravity_z", "min_height", "frozen_after"):
            if getattr(self.gate, name) is not None:
                raise ConfigError(
                    f"gate.{name} does not go with a planar base, which neither tilts nor falls, and whose sensors may "
                    "well repeat themselves while it drives straight on: leave it out"
                )

    @property
    def floats(self) -> bool:
        """Whether it has a base with a height, that can tilt and fall."""
        return self.base is not None and not self.base.planar

    @property
    def planar(self) -> bool:
        """Whether it has a base that moves in the plane."""
        return self.base is not None and self.base.planar

    def constant(self, name: str) -> float:
        if name not in self.constants:
            raise ConfigError(f"robot {self.name} needs constants.{name}")
        return self.constants[name]

    @cached_property
    def joint_names(self) -> tuple[str, ...]:
        return tuple(j.name for j in self.joints)

    @cached_property
    def actuated(self) -> tuple[Joint, ...]:
        return tuple(j for j in self.joints if j.actuated)

    @cached_property
    def actuated_names(self) -> tuple[str, ...]:
        return tuple(j.name for j in self.actuated)

    @cached_property
    def actuated_indices(self) -> np.ndarray:
        """(A,) where the actuated joints stand among all joints."""
        return np.array([i for i, j in enumerate(self.joints) if j.actuated])

    @cached_property
    def stance(self) -> np.ndarray:
        """(A,) the target of rest: what holds the stance's posture under its load, or zero effort or velocity."""
        if self.interface != "position":
            return np.zeros(len(self.actuated))
        held = self.posture + self._stance_torque / np.array([j.kp for j in self.actuated])
        return np.clip(held, *self.target_limits)

    @cached_property
    def posture(self) -> np.ndarray:
        """(A,) where the actuated joints are in stance. A servo that carries weight must be told a little more."""
        return np.array([j.stance for j in self.actuated])

    @cached_property
    def _stance_torque(self) -> np.ndarray:
        """(A,) Nm that the joints hold in stance, each foot carrying its share of the weight; zero without legs."""
        torque = dict.fromkeys(self.actuated_names, 0.0)
        if self.legs is not None and self.base is not None:
            force = self.base.mass * GRAVITY / len(self.legs.each)
            angle = {j.name: j.stance for j in self.joints}
            for leg in self.legs.each:
                hip, thigh, calf = leg.joints
                knee_x = -self.legs.thigh * np.sin(angle[thigh])
                foot_x = knee_x - self.legs.calf * np.sin(angle[thigh] + angle[calf])
                torque[hip] = -force * leg.side * self.legs.hip_offset
                torque[thigh] = force * foot_x
                torque[calf] = force * (foot_x - knee_x)
        return np.array(list(torque.values()))

    @cached_property
    def sit(self) -> np.ndarray:
        """(A,) joint targets of lying down."""
        return np.array([j.sit for j in self.actuated])

    @cached_property
    def target_limits(self) -> np.ndarray:
        """(2, A) lowest and highest target, in units of the interface."""
        if self.interface == "position":
            return np.array([j.position for j in self.actuated]).T
        most = np.array([j.velocity if self.interface == "velocity" else j.effort for j in self.actuated])
        return np.stack([-most, most])

    @cached_property
    def target_step_limit(self) -> np.ndarray:
        """(A,) the most a position target may change within dt; infinite for other interfaces."""
        if self.interface != "position":
            return np.full(len(self.actuated), np.inf)
        return np.array([j.velocity for j in self.actuated]) * self.dt

    @cached_property
    def target_gain_limit(self) -> np.ndarray:
        """(A,) how much more a position target may change in a step than in the one before; infinite where not said."""
        if self.interface != "position":
            return np.full(len(self.actuated), np.inf)
        return np.array([np.inf if j.acceleration is None else j.acceleration for j in self.actuated]) * self.dt**2

    @cached_property
    def action_scale(self) -> np.ndarray:
        """(A,) physical units of one unit of model input."""
        return np.array([j.action_scale for j in self.actuated])

    @property
    def dt_ns(self) -> int:
        return round(self.dt * NS)

    @property
    def sample_period_ns(self) -> int:
        return round(NS / self.sample_rate)

    @property
    def phase_step(self) -> float:
        """Of the gait's phase in one control step; 0 without legs."""
        return self.dt / self.legs.gait.period if self.legs is not None else 0.0

    @property
    def scene_path(self):
        return share() / "sim" / self.scene

    @property
    def urdf_path(self):
        return share() / "sim" / f"{self.name}.urdf"

    @cached_property
    def layout_hash(self) -> str:
        """Names what a model of this robot can be loaded by: joints and their order, gains, features, units, step."""
        layout = {
            "robot": self.name,
            "interface": self.interface,
            "dt": self.dt,
            "base": "planar" if self.planar else self.base is not None,
            "joints": [
                [j.name, j.actuated, j.continuous, j.stance, j.action_scale, j.kp, j.kv, j.effort] for j in self.joints
            ],
        }
        if self.primitives:
            layout["primitives"] = self.primitives
        return content_hash(json.dumps(layout, sort_keys=True).encode())


def _is_safe_sequence(rungs: tuple[str, ...]) -> bool:
    if len(rungs) not in (2, 3):
        return False
    first, *middle, end = rungs
    return first in ("stance", "zero") and middle in ([], ["sit"]) and end in ("damp", "off")


def load_robot(name: str) -> RobotSpec:
    """The robot of config/robots/<name>.yaml, or of a path to such a file."""
    path = named("config/robots", name, ".yaml")
    return build(RobotSpec, read_yaml(path), path.name)
