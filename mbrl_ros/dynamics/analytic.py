"""A law of motion as a model: the truth about an analytic robot, behind the same `rollout` as everything else."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from mbrl_ros.dynamics.physics import PhysicsModel
from mbrl_ros.known import the
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import RobotSpec


class AnalyticModel:
    """One member: it has no doubt. It knows nothing of obstacles and falls; what these mean, the task says."""

    members = 1

    def __init__(self, spec: RobotSpec):
        self.spec, self.layout = spec, FeatureLayout(spec)
        self._law = the("law", spec.law)
        self._steps = 1 if self._law.exact else math.ceil(spec.dt * spec.sample_rate - 1e-9)
        self._stance = torch.tensor([j.stance for j in spec.joints])
        if self._law.smooth:
            self.differentiable_rollout = self.rollout

    def rollout(self, states: Tensor, actions: Tensor, *found: Mapping[str, Tensor]) -> Tensor:
        """States (M, B, S) and targets (M, B, H, A) in physical units -> the states that follow (M, B, H, S).

        `found`: constants in place of the robot file's, where the law has unknown ones.
        """
        motion, path, dt = self.decode(states), [], self.spec.dt / self._steps
        for target in actions.unbind(2):
            for _ in range(self._steps):
                motion = self._law.after(torch, self.spec, motion, target, dt, *found)
            path.append(self.encode(motion))
        return torch.stack(path, 2)

    def decode(self, features: Tensor) -> Tensor:
        """(..., S) -> (..., N) as laws of motion have it."""
        layout = self.layout
        joints = features[..., layout.joint_position] + self._stance, features[..., layout.joint_velocity]
        if not self.spec.planar:
            return torch.cat(joints, -1)
        cos, sin = features[..., layout.heading].unbind(-1)
        velocity = features[..., layout.linear_velocity], features[..., layout.angular_velocity]
        return torch.cat([features[..., layout.position], torch.atan2(sin, cos)[..., None], *velocity, *joints], -1)

    def encode(self, motion: Tensor) -> Tensor:
        """(..., N) -> (..., S)"""
        count = len(self.spec.joints)
        base, position, velocity = motion.split([motion.shape[-1] - 2 * count, count, count], -1)
        joints = position - self._stance, velocity
        if not self.spec.planar:
            return torch.cat(joints, -1)
        place, heading, rest = base.split([2, 1, 3], -1)
        return torch.cat([place, torch.cos(heading), torch.sin(heading), rest, *joints], -1)


def true_model(spec: RobotSpec):
    """What really moves the robot, as a model."""
    return AnalyticModel(spec) if spec.law else PhysicsModel(spec)
