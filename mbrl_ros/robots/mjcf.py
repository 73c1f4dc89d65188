"""The MuJoCo model of a robot: its scene from sim/, with the joint limits and the gains of the robot file.

The scene says what the robot is made of; actuators in it do not count. Each actuated joint gets its own here, so that
the robot file is the only place where a gain or a force limit is written.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from mbrl_ros.config import ConfigError
from mbrl_ros.robots.parts import Joint
from mbrl_ros.robots.spec import RobotSpec


@dataclass(frozen=True)
class Addresses:
    """Where the robot file's joints and targets stand in MuJoCo's vectors."""

    qpos: np.ndarray  # (J,)
    dof: np.ndarray  # (J,)
    ctrl: np.ndarray  # (A,)
    has_base: bool  # then the base is qpos[0:7] and qvel[0:6]


def load_model(spec: RobotSpec) -> mujoco.MjModel:
    """The compiled scene of `spec`, driven and limited as the robot file says."""
    try:
        scene = mujoco.MjSpec.from_file(str(spec.scene_path))
    except ValueError as error:
        raise ConfigError(f"robot {spec.name}: scene {spec.scene_path}: {error}") from error
    for actuator in list(scene.actuators):
        scene.delete(actuator)
    for joint in spec.joints:
        element = scene.joint(joint.name)
        if element is None:
            known = ", ".join(j.name for j in scene.joints if j.type != mujoco.mjtJoint.mjJNT_FREE)
            raise ConfigError(f"robot {spec.name}: {spec.scene} has no joint {joint.name!r}. Known: {known}")
        element.limited = joint.position is not None
        if joint.position is not None:
            element.range = joint.position
        if joint.actuated:
            _drive(scene, spec, joint)
    try:
        model = scene.compile()
    except ValueError as error:
        raise ConfigError(f"robot {spec.name}: scene {spec.scene_path}: {error}") from error
    physics_steps(spec, model)
    return model


def _drive(scene: mujoco.MjSpec, spec: RobotSpec, joint: Joint) -> None:
    if not joint.effort > 0:
        raise ConfigError(f"robot {spec.name}: joint {joint.name}: an actuated joint needs effort > 0")
    gain, bias = servo(spec.interface, joint)
    scene.add_actuator(
        name=joint.name,
        target=joint.name,
        trntype=mujoco.mjtTrn.mjTRN_JOINT,
        gaintype=mujoco.mjtGain.mjGAIN_FIXED,
        biastype=mujoco.mjtBias.mjBIAS_AFFINE,
        gainprm=[gain] + [0.0] * 9,
        biasprm=list(bias) + [0.0] * 7,
        forcelimited=True,
        forcerange=[-joint.effort, joint.effort],
    )


def servo(interface: str, joint: Joint) -> tuple[float, tuple[float, float, float]]:
    """(gain, bias) of the force = gain * target + bias[0] + bias[1] * position + bias[2] * velocity."""
    if interface == "position":
        return joint.kp, (0.0, -joint.kp, -joint.kv)
    if interface == "velocity":
        return joint.kv, (0.0, 0.0, -joint.kv)
    return 1.0, (0.0, 0.0, 0.0)


def addresses(spec: RobotSpec, model: mujoco.MjModel) -> Addresses:
    has_base = model.njnt > 0 and model.jnt_type[0] == mujoco.mjtJoint.mjJNT_FREE
    if has_base != (spec.base is not None):
        raise ConfigError(f"robot {spec.name}: `base` in the robot file and the first joint of {spec.scene} disagree")
    joints = [model.joint(name) for name in spec.joint_names]
    return Addresses(
        qpos=np.array([j.qposadr[0] for j in joints]),
        dof=np.array([j.dofadr[0] for j in joints]),
        ctrl=np.array([model.actuator(name).id for name in spec.actuated_names]),
        has_base=has_base,
    )


def physics_steps(spec: RobotSpec, model: mujoco.MjModel) -> int:
    """Physics steps in one step of the robot."""
    steps = round(spec.dt / model.opt.timestep)
    if steps < 1 or abs(steps * model.opt.timestep - spec.dt) > 1e-9:
        raise ConfigError(
            f"robot {spec.name}: the timestep {model.opt.timestep:g} s of {spec.scene} does not divide dt {spec.dt:g} s"
        )
    return steps
