"""MuJoCo itself as a model: the oracle that learned models are compared with, behind the same `rollout`."""

from __future__ import annotations

import mujoco
import mujoco.rollout
import numpy as np
import torch

from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.mjcf import addresses, load_model, physics_steps
from mbrl_ros.robots.spec import RobotSpec

TIME, QPOS = 0, 1  # where they begin in a MuJoCo state


class PhysicsModel:
    """True physics on a flat floor, rolled out by C threads. One member: it has no doubt."""

    members = 1

    def __init__(self, spec: RobotSpec, threads: int = 2):
        self.spec = spec
        self.layout = FeatureLayout(spec)
        self.mujoco = load_model(spec)
        self._at = addresses(spec, self.mujoco)
        self._steps = physics_steps(spec, self.mujoco)
        self._datas = [mujoco.MjData(self.mujoco) for _ in range(threads)]
        self._pool = mujoco.rollout.Rollout(nthread=threads)
        self._size = mujoco.mj_stateSize(self.mujoco, mujoco.mjtState.mjSTATE_FULLPHYSICS)

    def rollout(self, state: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
        """state (1, B or 1, S) features, actions (1, B, H, A) targets -> (1, B, H, S) features after each step."""
        _, batch, horizon, _ = actions.shape
        start = state[0].detach().cpu().double().numpy()
        targets = actions[0].detach().cpu().double().numpy()
        control = np.zeros((batch, horizon, self.mujoco.nu))
        control[:, :, self._at.ctrl] = targets
        # (B, H * physics steps, ...); only the last of each step is wanted
        path, _ = self._pool.rollout(
            self.mujoco, self._datas, self.decode(start), np.repeat(control, self._steps, axis=1)
        )
        return torch.as_tensor(self.encode(path[:, self._steps - 1 :: self._steps]))[None].to(state)

    def decode(self, features: np.ndarray) -> np.ndarray:
        """(..., S) -> (..., MuJoCo state), standing at the origin and heading along x."""
        layout, at = self.layout, self._at
        physics = np.zeros((*features.shape[:-1], self._size))
        qpos = physics[..., QPOS : QPOS + self.mujoco.nq]
        qvel = physics[..., QPOS + self.mujoco.nq : QPOS + self.mujoco.nq + self.mujoco.nv]
        if at.has_base:
            orientation = upright_to(features[..., layout.gravity])
            qpos[..., 2] = features[..., layout.height.start]
            qpos[..., 3:7] = orientation
            qvel[..., :3] = np.einsum("...ij,...j->...i", rotations(orientation), features[..., layout.linear_velocity])
            qvel[..., 3:6] = features[..., layout.angular_velocity]
        angles = features[..., layout.joint_position]
        column = 0
        for joint, address in zip(self.spec.joints, at.qpos, strict=True):
            if joint.continuous:
                qpos[..., address] = np.arctan2(angles[..., column + 1], angles[..., column])
            else:
                qpos[..., address] = angles[..., column] + joint.stance
            column += 2 if joint.continuous else 1
        qvel[..., at.dof] = features[..., layout.joint_velocity]
        return physics

    def encode(self, physics: np.ndarray) -> np.ndarray:
        """(..., MuJoCo state) -> (..., S)"""
        layout, at = self.layout, self._at
        features = np.zeros((*physics.shape[:-1], layout.size))
        qpos = physics[..., QPOS : QPOS + self.mujoco.nq]
        qvel = physics[..., QPOS + self.mujoco.nq : QPOS + self.mujoco.nq + self.mujoco.nv]
        if at.has_base:
            to_world = rotations(qpos[..., 3:7])
            features[..., layout.gravity] = -to_world[..., 2, :]
            features[..., layout.linear_velocity] = np.einsum("...ji,...j->...i", to_world, qvel[..., :3])
            features[..., layout.angular_velocity] = qvel[..., 3:6]
            features[..., layout.height.start] = qpos[..., 2]
        angles = []
        for joint, address in zip(self.spec.joints, at.qpos, strict=True):
            angle = qpos[..., address]
            angles += [np.cos(angle), np.sin(angle)] if joint.continuous else [angle - joint.stance]
        features[..., layout.joint_position] = np.stack(angles, axis=-1)
        features[..., layout.joint_velocity] = qvel[..., at.dof]
        return features


def upright_to(gravity_body: np.ndarray) -> np.ndarray:
    """(..., 3) 'down' seen from the body -> (..., 4) the orientation, wxyz, that sees it so without any heading."""
    up = -gravity_body
    pitch = np.arctan2(-up[..., 0], np.hypot(up[..., 1], up[..., 2])) / 2
    roll = np.arctan2(up[..., 1], up[..., 2]) / 2
    cp, sp, cr, sr = np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    return np.stack([cp * cr, cp * sr, sp * cr, -sp * sr], axis=-1)


def rotations(orientation_wxyz: np.ndarray) -> np.ndarray:
    """(..., 4) unit quaternions -> (..., 3, 3) body to world."""
    w, x, y, z = np.moveaxis(orientation_wxyz, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
