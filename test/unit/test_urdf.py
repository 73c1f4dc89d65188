"""The URDF that rviz shows is the robot that MuJoCo simulates."""

import math
from xml.etree import ElementTree as ET

import mujoco
import numpy as np
import pytest

from mbrl_ros.backends.urdf import roll_pitch_yaw, urdf_text
from mbrl_ros.paths import share
from mbrl_ros.robots.mjcf import load_model
from mbrl_ros.robots.spec import load_robot

ROBOTS = ["go1_like", "cartpole", "pendulum", "hand"]
WITHOUT_A_SCENE = ["car", "cliff_cart", "rover"]


def numbers(text):
    return np.array([float(n) for n in text.split()])


def turn(roll, pitch, yaw):
    c, s = math.cos, math.sin
    x = np.array([[1, 0, 0], [0, c(roll), -s(roll)], [0, s(roll), c(roll)]])
    y = np.array([[c(pitch), 0, s(pitch)], [0, 1, 0], [-s(pitch), 0, c(pitch)]])
    z = np.array([[c(yaw), -s(yaw), 0], [s(yaw), c(yaw), 0], [0, 0, 1]])
    return z @ y @ x


def frame(element):
    """(4, 4) of an <origin>."""
    matrix = np.eye(4)
    origin = element.find("origin")
    matrix[:3, :3] = turn(*numbers(origin.get("rpy")))
    matrix[:3, 3] = numbers(origin.get("xyz"))
    return matrix


def motion(joint, position):
    """(4, 4) of a joint at `position`."""
    matrix, axis = np.eye(4), numbers(joint.find("axis").get("xyz"))
    if joint.get("type") == "prismatic":
        matrix[:3, 3] = axis * position
    else:
        cross = np.array([[0, -axis[2], axis[1]], [axis[2], 0, -axis[0]], [-axis[1], axis[0], 0]])
        matrix[:3, :3] += math.sin(position) * cross + (1 - math.cos(position)) * cross @ cross
    return matrix


@pytest.mark.parametrize("name", ROBOTS + WITHOUT_A_SCENE)
def test_the_file_in_sim_is_the_one_written_now(name):
    stored = (share() / "sim" / f"{name}.urdf").read_text()
    assert stored == urdf_text(load_robot(name)), f"run: python -m mbrl_ros.backends.urdf {name}"


@pytest.mark.parametrize("name", ROBOTS)
def test_masses_and_limits_are_those_of_the_model(name):
    spec = load_robot(name)
    model, urdf = load_model(spec), ET.fromstring(urdf_text(spec))
    for link in urdf.iter("link"):
        mass = link.find("inertial/mass")
        assert float(mass.get("value") if mass is not None else 0) == pytest.approx(
            model.body(link.get("name")).mass[0]
        )
    joints = {j.get("name"): j for j in urdf.iter("joint")}
    assert set(joints) == set(spec.joint_names)
    for joint in spec.joints:
        limit = joints[joint.name].find("limit")
        assert float(limit.get("effort")) == joint.effort
        assert float(limit.get("velocity")) == joint.velocity
        if joint.position is None:
            assert joints[joint.name].get("type") == "continuous"
        else:
            assert (float(limit.get("lower")), float(limit.get("upper"))) == joint.position


@pytest.mark.parametrize("name", ROBOTS)
def test_every_shape_lies_where_mujoco_has_it_in_a_random_posture(name):
    spec = load_robot(name)
    model, urdf = load_model(spec), ET.fromstring(urdf_text(spec))
    data = mujoco.MjData(model)
    posture = dict(zip(spec.joint_names, np.random.default_rng(0).uniform(-0.8, 0.8, len(spec.joints)), strict=True))
    for joint, position in posture.items():
        data.joint(joint).qpos[0] = position
    mujoco.mj_forward(model, data)

    joints = list(urdf.iter("joint"))
    root = ({link.get("name") for link in urdf.iter("link")} - {j.find("child").get("link") for j in joints}).pop()
    at = {root: np.eye(4)}
    at[root][:3, :3] = data.body(root).xmat.reshape(3, 3)
    at[root][:3, 3] = data.body(root).xpos
    for joint in joints:
        parent, child = (joint.find(side).get("link") for side in ("parent", "child"))
        at[child] = at[parent] @ frame(joint) @ motion(joint, posture[joint.get("name")])

    for link in urdf.iter("link"):
        body = model.body(link.get("name"))
        geoms = range(body.geomadr[0], body.geomadr[0] + body.geomnum[0])
        seen = [at[link.get("name")] @ frame(v) for v in link.iter("visual")]
        for geom in geoms:
            distance = min(np.linalg.norm(s[:3, 3] - data.geom_xpos[geom]) for s in seen)
            assert distance < 1e-5, f"{link.get('name')}: geom {geom} is {distance:.4f} m from its visual"


@pytest.mark.parametrize("pitch", [-math.pi / 2, -0.4, 0.0, 1.1, math.pi / 2])
def test_roll_pitch_yaw_turn_as_the_quaternion_does(pitch):
    wanted = turn(0.3, pitch, -2.0)
    quat, back = np.empty(4), np.empty(9)
    mujoco.mju_mat2Quat(quat, wanted.ravel())
    np.testing.assert_allclose(turn(*roll_pitch_yaw(quat)), wanted, atol=1e-6)
    mujoco.mju_quat2Mat(back, quat)
    np.testing.assert_allclose(back.reshape(3, 3), wanted, atol=1e-9)
