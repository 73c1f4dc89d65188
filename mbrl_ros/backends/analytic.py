"""A robot whose law of motion is a few lines of algebra (robots/laws/), stepped in-process."""

from __future__ import annotations

import math

import numpy as np

from mbrl_ros.backends.robot import Backend
from mbrl_ros.backends.sensors import turned_to
from mbrl_ros.known import the
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.types import BaseState, RobotMode, RobotState

DAMP_SPEED = 0.05  # m/s or rad/s at which damping takes a joint's whole effort
POSE, VELOCITY = slice(0, 3), slice(3, 6)  # of a planar base, in `motion`


class AnalyticBackend(Backend):
    """Who has come to an end, off a cliff or in an obstacle, moves no more until somebody resets it.

    Damped, or switched off, a joint with a position or velocity target goes to rest; one with an effort is braked, or
    free.
    """

    def __init__(self, spec: RobotSpec, seed: int, noise: bool = True, latency: float = 0.0):
        super().__init__(spec, seed, noise, latency, math.ceil(spec.dt * spec.sample_rate - 1e-9))
        self._law = the("law", spec.law)
        self._rng = np.random.default_rng(seed)
        self._held_at: np.ndarray | None = None  # (3,) pose, while somebody holds the base
        self._first_joint = 6 if spec.planar else 0
        self._stand()

    def _obey(self, target: np.ndarray) -> None:
        self._target = target

    def set_mode(self, mode: RobotMode) -> None:
        self._mode = RobotMode(mode)

    def _move(self, steps: int) -> None:
        for _ in range(steps):
            if self._law.lost(self.spec, self._motion):
                self._stop()
                return
            self._motion = self._law.after(np, self.spec, self._motion, self._in_force(), self.physics_dt)
            if self._held_at is not None:
                self._motion[POSE], self._motion[VELOCITY] = self._held_at, 0.0

    def _in_force(self) -> np.ndarray:
        """(A,) what the joints follow."""
        if self._mode == RobotMode.POSITION:
            return self._target
        if self._mode == RobotMode.OFF or self.spec.interface != "effort":
            return self.spec.stance
        velocity = self._joints(1)[self.spec.actuated_indices]
        return np.clip(-velocity / DAMP_SPEED, -1.0, 1.0) * self.spec.target_limits[1]

    def _joints(self, block: int) -> np.ndarray:
        """(J,) their positions (0) or velocities (1)."""
        count = len(self.spec.joints)
        return self._motion[self._first_joint + block * count :][:count]

    def _stop(self) -> None:
        self._joints(1)[:] = 0.0
        if self.spec.planar:
            self._motion[VELOCITY] = 0.0

    def truth(self) -> RobotState:
        base = None
        if self.spec.planar:
            (x, y, heading), (vx, vy, yaw_rate) = self._motion[POSE], self._motion[VELOCITY]
            base = BaseState(
                np.array([x, y, 0.0]), turned_to(heading), np.array([vx, vy, 0.0]), np.array([0.0, 0.0, yaw_rate])
            )
        return RobotState(self.stamp_ns, self._joints(0).copy(), self._joints(1).copy(), base)

    def hold(self, held: bool) -> None:
        self._held_at = self._motion[POSE].copy() if held and self.spec.planar else None
        if self._held_at is not None:
            self._motion[VELOCITY] = 0.0

    def fallen(self) -> bool:
        return self._law.lost(self.spec, self._motion)

    def push(self, velocity_change_world: np.ndarray) -> None:
        """(3,) m/s, gone after one physics step: its wheels hold the ground."""
        if not self.spec.planar:
            raise ValueError(f"robot {self.spec.name} has no base to push")
        (dx, dy, _), heading = velocity_change_world, self._motion[2]
        cos, sin = math.cos(heading), math.sin(heading)
        self._motion[VELOCITY] += [cos * dx + sin * dy, cos * dy - sin * dx, 0.0]

    def _stand(self) -> None:
        """At the start, at rest."""
        self._motion = self._law.begun(self.spec, self._rng)
        self._target = self.spec.stance.copy()


BACKEND = AnalyticBackend
