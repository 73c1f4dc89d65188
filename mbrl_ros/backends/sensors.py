"""Sensor noise of a simulated robot, one sigma a kind in the robot file."""

from __future__ import annotations

import numpy as np

from mbrl_ros.robots.parts import FeatureValues
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.types import BaseState, RobotState


def noisy(state: RobotState, spec: RobotSpec, seed: int) -> RobotState:
    """`state` as the sensors report it. Depends on seed and stamp alone: who asks twice gets the same answer."""
    rng = np.random.default_rng((seed, state.stamp_ns))
    sigma = spec.noise
    joints = rng.standard_normal((2, len(state.joint_position)))
    base = None
    if spec.planar:
        base = _noisy_in_the_plane(state.base, sigma, rng.standard_normal(6))
    elif state.base is not None:
        draws = rng.standard_normal(9)
        position = state.base.position.copy()
        position[2] += sigma.height * draws[0]
        base = BaseState(
            position=position,
            orientation_wxyz=_tilted(state.base.orientation_wxyz, sigma.gravity * draws[1:3]),
            linear_velocity_body=state.base.linear_velocity_body + sigma.linear_velocity * draws[3:6],
            angular_velocity_body=state.base.angular_velocity_body + sigma.angular_velocity * draws[6:9],
        )
    return RobotState(
        stamp_ns=state.stamp_ns,
        joint_position=state.joint_position + sigma.joint_position * joints[0],
        joint_velocity=state.joint_velocity + sigma.joint_velocity * joints[1],
        base=base,
    )


def _noisy_in_the_plane(base: BaseState, sigma: FeatureValues, draws: np.ndarray) -> BaseState:
    angular_velocity = base.angular_velocity_body + sigma.angular_velocity * np.array([0.0, 0.0, draws[3]])
    return BaseState(
        position=base.position + sigma.position * np.array([*draws[:2], 0.0]),
        orientation_wxyz=turned_to(base.heading + sigma.heading * draws[2]),
        linear_velocity_body=base.linear_velocity_body + sigma.linear_velocity * np.array([*draws[4:], 0.0]),
        angular_velocity_body=angular_velocity,
    )


def turned_to(heading: float) -> np.ndarray:
    """(4,) the level orientation, wxyz, with this heading (rad)."""
    return np.array([np.cos(heading / 2), 0.0, 0.0, np.sin(heading / 2)])


def _tilted(orientation_wxyz: np.ndarray, tilt: np.ndarray) -> np.ndarray:
    """The orientation turned by small angles `tilt` (2,) rad about the world's x and y axes."""
    w, x, y, z = orientation_wxyz
    a, b = tilt / 2
    turned = np.array([w - a * x - b * y, x + a * w + b * z, y + b * w - a * z, z + a * y - b * x])
    return turned / np.sqrt(turned @ turned)
