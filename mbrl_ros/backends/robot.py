"""What a robot is to whoever steps it in-process, and the check that every backend makes of a target."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Collection, Mapping

import numpy as np

from mbrl_ros.backends.sensors import noisy
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.types import NS, RobotMode, RobotState


class Backend(ABC):
    """One robot with a clock of its own: robot time counts physics steps from 0 and never goes back.

    Built as Backend(spec, seed, noise, latency); standing and ready at stamp 0. `latency`: s from a target to its
    effect, as drivers, buses and motors have it.
    """

    def __init__(self, spec: RobotSpec, seed: int, noise: bool, latency: float, steps_per_dt: int):
        self.spec = spec
        self.physics_dt = spec.dt / steps_per_dt  # s
        self._steps_per_dt = steps_per_dt
        self._physics_dt_ns = round(self.physics_dt * NS)
        self._steps = 0
        self._latency_steps = round(latency / self.physics_dt)
        self._coming: deque[tuple[int, np.ndarray]] = deque()  # targets, and the step from which on each is in force
        self._seed, self._noise = seed, noise
        self._mode = RobotMode.POSITION

    @property
    def stamp_ns(self) -> int:
        return self._steps * self._physics_dt_ns

    def reset(self) -> RobotState:
        """Stands the robot up again. Takes two steps of robot time, so that a listener sees a gap."""
        self._steps += 2 * self._steps_per_dt
        self._coming.clear()
        self._stand()
        return self.measure()

    def advance(self, steps: int) -> None:
        """`steps` physics steps."""
        end = self._steps + steps
        while self._steps < end:
            while self._coming and self._coming[0][0] <= self._steps:
                self._obey(self._coming.popleft()[1])
            until = min(end, self._coming[0][0]) if self._coming else end
            self._move(until - self._steps)
            self._steps = until

    def set_target(self, target: np.ndarray) -> None:
        """(A,) in units of the robot's interface, in force after the latency."""
        target = checked_target(self.spec, target).copy()
        if self._latency_steps:
            self._coming.append((self._steps + self._latency_steps, target))
        else:
            self._obey(target)

    def step(self, target: np.ndarray) -> RobotState:
        """Applies `target` for spec.dt and measures."""
        self.set_target(target)
        self.advance(self._steps_per_dt)
        return self.measure()

    def measure(self) -> RobotState:
        """What the sensors say; the same for as long as robot time stands."""
        return noisy(self.truth(), self.spec, self._seed) if self._noise else self.truth()

    def impair(self, torque_left: Mapping[str, float], stuck: Collection[str]) -> None:
        """Joints by name: those with a share of their torque, and those that hold the angle that they have.

        In place of what was impaired before; the others are whole.
        """
        if torque_left or stuck:
            raise ValueError(f"the joints of {type(self).__name__} cannot fail")

    @abstractmethod
    def set_mode(self, mode: RobotMode) -> None:
        """Position: follow the targets. Damp: each joint resists motion. Off: no torque at all."""

    @abstractmethod
    def truth(self) -> RobotState: ...

    @abstractmethod
    def hold(self, held: bool) -> None:
        """As a person's hands: the base stays where the robot stands until let go. Nothing to hold without a base."""

    @abstractmethod
    def fallen(self) -> bool: ...

    @abstractmethod
    def push(self, velocity_change_world: np.ndarray) -> None:
        """(3,) m/s, a blow to the base."""

    @abstractmethod
    def _obey(self, target: np.ndarray) -> None:
        """Follow a checked target from the next physics step on."""

    @abstractmethod
    def _move(self, steps: int) -> None:
        """`steps` physics steps, without the clock."""

    @abstractmethod
    def _stand(self) -> None:
        """Into stance, still, where the robot is now."""


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
    """By the robot file's limits of height and tilt; a robot without a base, or with a planar one, cannot fall."""
    if not spec.floats:
        return False
    low = truth.base.position[2] < spec.base.fall_height
    return bool(low or truth.base.gravity_body[2] > spec.base.fall_gravity_z)
