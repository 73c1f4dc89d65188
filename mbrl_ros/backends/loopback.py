"""A robot that does at once what it is told: no physics, no lag, no falls. A reference for all that steps robots."""

from __future__ import annotations

import math

import numpy as np

from mbrl_ros.backends.robot import Backend
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.types import BaseState, RobotMode, RobotState

DAMP_SECONDS = 0.05  # a damped joint's speed falls to 1/e in this time


class LoopbackBackend(Backend):
    """Position targets are reached in one physics step, velocities too; effort drives a joint of unit mass."""

    def __init__(self, spec: RobotSpec, seed: int, noise: bool = True, latency: float = 0.0):
        super().__init__(spec, seed, noise, latency, math.ceil(spec.dt * spec.sample_rate - 1e-9))
        self._stand()

    def _obey(self, target: np.ndarray) -> None:
        self._target = target

    def set_mode(self, mode: RobotMode) -> None:
        self._mode = RobotMode(mode)

    def _move(self, steps: int) -> None:
        for _ in range(steps):
            self._move_once(self.physics_dt)

    def truth(self) -> RobotState:
        base = None
        if self.spec.base is not None:
            base = BaseState(
                position=np.array([0.0, 0.0, self.spec.base.stance_height]),
                orientation_wxyz=np.array([1.0, 0.0, 0.0, 0.0]),
                linear_velocity_body=self._base_velocity.copy(),
                angular_velocity_body=np.zeros(3),
            )
        return RobotState(self.stamp_ns, self._position.copy(), self._velocity.copy(), base)

    def hold(self, held: bool) -> None:
        """Its base never moves, held or not."""

    def fallen(self) -> bool:
        return False

    def push(self, velocity_change_world: np.ndarray) -> None:
        """(3,) m/s, gone after one physics step."""
        if self.spec.base is None:
            raise ValueError(f"robot {self.spec.name} has no base to push")
        self._base_velocity = self._base_velocity + velocity_change_world

    def _stand(self) -> None:
        self._position = np.array([j.stance for j in self.spec.joints])
        self._velocity = np.zeros(len(self.spec.joints))
        self._base_velocity = np.zeros(3)
        self._target = self.spec.stance.copy()

    def _move_once(self, dt: float) -> None:
        driven = self.spec.actuated_indices
        self._base_velocity = np.zeros(3)
        if self._mode == RobotMode.DAMP:
            self._velocity *= math.exp(-dt / DAMP_SECONDS)
        elif self._mode == RobotMode.POSITION and self.spec.interface == "position":
            self._velocity[driven] = (self._target - self._position[driven]) / dt
        elif self._mode == RobotMode.POSITION and self.spec.interface == "velocity":
            self._velocity[driven] = self._target
        elif self._mode == RobotMode.POSITION:
            self._velocity[driven] += self._target * dt
        self._position += self._velocity * dt


BACKEND = LoopbackBackend
