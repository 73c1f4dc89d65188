"""A robot in MuJoCo, stepped in-process: the truth that training, evaluation and the bridge share."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import mujoco
import numpy as np

from mbrl_ros.backends.robot import Backend, has_fallen
from mbrl_ros.robots.mjcf import addresses, load_model, physics_steps, servo
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.types import BaseState, RobotMode, RobotState

SETTLE_SECONDS = 3.0
DAMP_SPEED = 5.0  # rad/s or m/s at which pure damping takes a joint's whole effort
STUCK_GIVES = 0.01  # rad or m, by which a stuck joint gives way to as much as its motor could do
START_SPREAD = 0.1  # rad or m, how far from rest a robot without a base may start


class MujocoBackend(Backend):
    """One simulated robot."""

    def __init__(self, spec: RobotSpec, seed: int, noise: bool = True, latency: float = 0.0):
        self.model = load_model(spec)
        self.data = mujoco.MjData(self.model)
        super().__init__(spec, seed, noise, latency, physics_steps(spec, self.model))
        self._at = addresses(spec, self.model)
        self._rng = np.random.default_rng(seed)
        self._held_pose = None  # (7,) while somebody holds the base
        self._servo = {
            RobotMode.POSITION: [servo(spec.interface, j) for j in spec.actuated],
            RobotMode.DAMP: [(0.0, (0.0, 0.0, -j.effort / DAMP_SPEED)) for j in spec.actuated],
            RobotMode.OFF: [(0.0, (0.0, 0.0, 0.0)) for _ in spec.actuated],
        }
        self._torque_left = np.ones(len(spec.actuated))  # (A,) share
        self._stuck_at: dict[int, float] = {}  # actuated joints, by their place, and the angle that each is stuck at
        self._stood_qpos = self._settled()
        self._stand()

    def _obey(self, target: np.ndarray) -> None:
        self.data.ctrl[self._at.ctrl] = target

    def set_mode(self, mode: RobotMode) -> None:
        mode = RobotMode(mode)
        if mode == self._mode:
            return
        self._mode = mode
        self._drive()

    def impair(self, torque_left: Mapping[str, float], stuck: Collection[str]) -> None:
        names = self.spec.actuated_names
        self._torque_left = np.array([torque_left.get(name, 1.0) for name in names])
        before, self._stuck_at = self._stuck_at, {}
        for place in (names.index(name) for name in stuck):
            self._stuck_at[place] = before.get(place, self._angle(place))
        self._drive()

    def _angle(self, place: int) -> float:
        return float(self.data.qpos[self._at.qpos[self.spec.actuated_indices[place]]])

    def _drive(self) -> None:
        """Gains and force limits of all motors, from the mode and from what is impaired."""
        for place, (actuator, joint) in enumerate(zip(self._at.ctrl, self.spec.actuated, strict=True)):
            stuck = place in self._stuck_at
            gain, bias = self._seized(place) if stuck else self._servo[self._mode][place]
            left = 1.0 if stuck else self._torque_left[place]
            self.model.actuator_gainprm[actuator, 0] = left * gain
            self.model.actuator_biasprm[actuator, :3] = left * np.array(bias)
            self.model.actuator_forcerange[actuator] = left * joint.effort * np.array([-1.0, 1.0])
            self.model.actuator_forcelimited[actuator] = not stuck

    def _seized(self, place: int) -> tuple[float, tuple[float, float, float]]:
        """A spring around the angle, no stiffer than a physics step bears, with its critical damping."""
        inertia = self.model.dof_M0[self._at.dof[self.spec.actuated_indices[place]]]
        stiffness = min(self.spec.actuated[place].effort / STUCK_GIVES, 0.5 * inertia / self.physics_dt**2)
        damping = 2.0 * np.sqrt(stiffness * inertia)
        return 0.0, (stiffness * self._stuck_at[place], -stiffness, -damping)

    def _move(self, steps: int) -> None:
        if self._held_pose is None:
            mujoco.mj_step(self.model, self.data, nstep=steps)
        else:
            for _ in range(steps):
                mujoco.mj_step(self.model, self.data)
                self._place_base(self._held_pose)

    def truth(self) -> RobotState:
        qpos, qvel = self.data.qpos, self.data.qvel
        base = None
        if self._at.has_base:
            orientation = qpos[3:7] / np.sqrt(qpos[3:7] @ qpos[3:7])
            # A free joint's linear velocity is in the world's axes, its angular velocity in the body's.
            linear_body = rotation(orientation).T @ qvel[:3]
            base = BaseState(qpos[:3].copy(), orientation, linear_body, qvel[3:6].copy())
        return RobotState(self.stamp_ns, qpos[self._at.qpos], qvel[self._at.dof], base)

    def hold(self, held: bool) -> None:
        self._held_pose = self._upright_pose() if held and self._at.has_base else None
        if self._held_pose is not None:
            self._place_base(self._held_pose)

    def fallen(self) -> bool:
        return has_fallen(self.spec, self.truth())

    def push(self, velocity_change_world: np.ndarray) -> None:
        if not self._at.has_base:
            raise ValueError(f"robot {self.spec.name} has no base to push")
        self.data.qvel[:3] += velocity_change_world

    def _stand(self) -> None:
        """Into stance with still joints and stance as target; other than that, as the robot is now."""
        pose = self._upright_pose() if self._at.has_base else None
        mujoco.mj_resetData(self.model, self.data)
        self.data.qpos[:] = self._stood_qpos
        if pose is not None:
            self._place_base(pose)
        else:
            for joint, address in zip(self.spec.joints, self._at.qpos, strict=True):
                if joint.start:
                    self.data.qpos[address] = self._rng.choice(joint.start)
            self.data.qpos[self._at.qpos] += self._rng.uniform(-START_SPREAD, START_SPREAD, len(self._at.qpos))
        self.data.ctrl[self._at.ctrl] = self.spec.stance
        if self._held_pose is not None:
            self._held_pose = pose
        if self._stuck_at:
            self._stuck_at = {place: self._angle(place) for place in self._stuck_at}
            self._drive()

    def _place_base(self, pose: np.ndarray) -> None:
        self.data.qpos[:7] = pose
        self.data.qvel[:6] = 0.0

    def _upright_pose(self) -> np.ndarray:
        """(7,) x, y and heading of now, standing height, upright."""
        w, x, y, z = self.data.qpos[3:7]
        yaw = np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
        turn = [np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)]
        return np.concatenate([self.data.qpos[:2], self._stood_qpos[2:3], turn])

    def _settled(self) -> np.ndarray:
        """(nq,) how the robot stands when it has been told stance for long enough; free joints hang."""
        mujoco.mj_resetData(self.model, self.data)
        for joint, address in zip(self.spec.joints, self._at.qpos, strict=True):
            self.data.qpos[address] = np.pi if joint.continuous else joint.stance
        if not self._at.has_base:
            return self.data.qpos.copy()
        self.data.qpos[2] = self.spec.base.stance_height
        self.data.ctrl[self._at.ctrl] = self.spec.stance
        mujoco.mj_step(self.model, self.data, nstep=round(SETTLE_SECONDS / self.physics_dt))
        self.data.qpos[:2] = 0.0
        return self.data.qpos.copy()


def rotation(orientation_wxyz: np.ndarray) -> np.ndarray:
    """(3, 3) body to world."""
    matrix = np.empty(9)
    mujoco.mju_quat2Mat(matrix, orientation_wxyz)
    return matrix.reshape(3, 3)


BACKEND = MujocoBackend
