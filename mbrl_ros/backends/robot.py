"""What a robot is to whoever steps it in-process, and the check that every backend makes of a target."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.types import RobotMode, RobotState


class Backend(Protocol):
    """One robot with a clock of its own. Built as Backend(spec, seed, noise); standing and ready at stamp 0."""

    physics_dt: float  # s
    stamp_ns: int  # robot time; never goes back

    def reset(self) -> RobotState:
        """Stands the robot up again. Takes two steps of robot time, so that a listener sees a gap."""

    def set_target(self, target: np.ndarray) -> None:
        """(A,) in units of the robot's interface, from the next physics step on."""

    def set_mode(self, mode: RobotMode) -> None: ...

    def advance(self, steps: int) -> None:
        """`steps` physics steps."""

    def step(self, target: np.ndarray) -> RobotState:
        """Applies `target` for spec.dt and measures."""

    def truth(self) -> RobotState: ...

    def measure(self) -> RobotState:
        """What the sensors say; the same for as long as robot time stands."""

    def hold(self, held: bool) -> None:
        """As a person's hands: the base stays where the robot stands until let go. Nothing to hold without a base."""

    def fallen(self) -> bool: ...

    def push(self, velocity_change_world: np.ndarray) -> None:
        """(3,) m/s, a blow to the base."""


def checked_target(spec: RobotSpec, target: np.ndarray) -> np.ndarray:
    """(A,) float64; a target of another length or with a number that is not finite is an error."""
    target = np.asarray(target, float)
    if target.shape != (len(spec.actuated),):
        raise ValueError(f"target has shape {target.shape}, robot {spec.name} takes ({len(spec.actuated)},)")
    if not np.isfinite(target).all():
        bad = [
            f"{name} = {value}"
            for name, value in zip(spec.actuated_names, target, strict=True)
            if not np.isfinite(value)
        ]
        raise ValueError(f"target is not finite: {', '.join(bad)}")
    return target


def has_fallen(spec: RobotSpec, truth: RobotState) -> bool:
    """By the robot file's limits of height and tilt; a robot without a base cannot fall."""
    if spec.base is None:
        return False
    low = truth.base.position[2] < spec.base.fall_height
    return bool(low or truth.base.gravity_body[2] > spec.base.fall_gravity_z)
