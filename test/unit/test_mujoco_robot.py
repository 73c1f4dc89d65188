"""The simulated quadruped and cart-pole: do they behave like the robots that their files describe?"""

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from mbrl_ros.backends.mujoco import MujocoBackend
from mbrl_ros.backends.sensors import noisy
from mbrl_ros.config import ConfigError
from mbrl_ros.robots.mjcf import load_model
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.types import NS, BaseState, RobotMode, RobotState


@pytest.fixture(scope="module")
def spec():
    return load_robot("go1_like")


def with_joints(spec, **changes):
    return replace(spec, joints=tuple(replace(j, **changes) for j in spec.joints))


def test_the_quadruped_weighs_what_its_file_says(spec):
    assert load_model(spec).body_mass.sum() == pytest.approx(spec.base.mass)


def test_hips_and_links_lie_where_the_robot_file_says(spec):
    model = load_model(spec)
    for leg in spec.legs.each:
        hip, thigh, calf = (model.body(model.joint(name).bodyid[0]) for name in leg.joints)
        np.testing.assert_allclose(hip.pos, [*leg.hip, 0.0])
        np.testing.assert_allclose(thigh.pos, [0.0, leg.side * spec.legs.hip_offset, 0.0])
        np.testing.assert_allclose(calf.pos, [0.0, 0.0, -spec.legs.thigh])
        foot = model.geom(leg.joints[0].replace("hip_joint", "foot"))
        np.testing.assert_allclose(foot.pos, [0.0, 0.0, -spec.legs.calf])


def test_gains_force_limits_and_ranges_come_from_the_robot_file(spec):
    soft = load_model(with_joints(spec, kp=33.0, kv=0.7, effort=11.0))
    np.testing.assert_allclose(soft.actuator_gainprm[:, 0], 33.0)
    np.testing.assert_allclose(soft.actuator_biasprm[:, 1], -33.0)
    np.testing.assert_allclose(soft.actuator_biasprm[:, 2], -0.7)
    np.testing.assert_allclose(soft.actuator_forcerange, [[-11.0, 11.0]] * 12)
    for joint in spec.joints:
        np.testing.assert_allclose(soft.joint(joint.name).range, joint.position)


def test_stance_targets_carry_the_load_so_that_all_gains_stand_alike(spec):
    heights = [MujocoBackend(with_joints(spec, kp=kp), 0).truth().base.position[2] for kp in (25.0, 40.0, 80.0)]
    assert heights == pytest.approx([spec.base.stance_height] * 3, abs=0.003)


def test_it_stands_still_at_its_stance_height(spec):
    robot = MujocoBackend(spec, 0, noise=False)
    for _ in range(round(2.0 / spec.dt)):
        state = robot.step(spec.stance)
    assert np.linalg.norm(state.base.linear_velocity_body) < 1e-3
    assert state.base.position[2] == pytest.approx(spec.base.stance_height, abs=0.005)
    assert state.base.gravity_body[2] == pytest.approx(-1, abs=1e-3)


@pytest.mark.parametrize("direction", [(1, 0), (-1, 0), (0, 1), (0, -1)])
def test_it_survives_a_push_of_half_a_metre_a_second(spec, direction):
    robot = MujocoBackend(spec, 0, noise=False)
    robot.push(0.5 * np.array([*direction, 0.0]))
    for _ in range(round(2.0 / spec.dt)):
        robot.step(spec.stance)
        assert not robot.fallen()


def test_damped_it_sinks_slowly_and_counts_as_fallen(spec):
    robot = MujocoBackend(spec, 0, noise=False)
    robot.set_mode(RobotMode.DAMP)
    robot.advance(round(0.2 / robot.physics_dt))
    assert not robot.fallen()
    robot.advance(round(3.0 / robot.physics_dt))
    assert robot.fallen()


def test_switched_off_no_motor_pulls(spec):
    robot = MujocoBackend(spec, 0, noise=False)
    robot.set_mode(RobotMode.OFF)
    robot.step(spec.stance + 0.3)
    assert not robot.data.actuator_force.any()


def test_reset_stands_it_up_where_it_fell_with_the_same_heading(spec):
    robot = MujocoBackend(spec, 0, noise=False)
    turn = np.array([np.cos(0.5), 0.0, 0.0, np.sin(0.5)])  # heading 1 rad
    robot.data.qpos[:7] = [2.0, -1.0, 0.05, *turn]
    assert robot.fallen()
    base = robot.reset().base
    np.testing.assert_allclose(base.position[:2], [2.0, -1.0])
    np.testing.assert_allclose(base.orientation_wxyz, turn, atol=1e-9)
    assert not robot.fallen()


def test_velocities_are_reported_in_the_body_frame(spec):
    robot = MujocoBackend(spec, 0, noise=False)
    robot.data.qpos[3:7] = [np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)]  # looking along world y
    robot.push(np.array([0.0, 0.4, 0.0]))
    np.testing.assert_allclose(robot.truth().base.linear_velocity_body, [0.4, 0.0, 0.0], atol=1e-9)


def test_what_it_does_depends_on_neither_place_nor_heading(spec):
    def run(heading):
        robot = MujocoBackend(spec, 0, noise=False)
        robot.data.qpos[3:7] = [np.cos(heading / 2), 0.0, 0.0, np.sin(heading / 2)]
        moves = np.random.default_rng(1).normal(0.0, 0.15, (25, 12))
        return np.array([robot.step(spec.stance + m).joint_velocity for m in moves])

    np.testing.assert_allclose(run(0.0), run(0.7), atol=1e-6)


def test_sensor_noise_has_the_sigmas_of_the_robot_file(spec):
    still = BaseState(np.array([0.0, 0.0, 0.28]), np.array([0.8, 0.0, 0.0, 0.6]), np.zeros(3), np.zeros(3))
    states = [noisy(RobotState(k * NS, np.zeros(12), np.zeros(12), still), spec, 5) for k in range(2000)]
    assert np.std([s.joint_velocity for s in states]) == pytest.approx(spec.noise.joint_velocity, rel=0.05)
    assert np.std([s.base.linear_velocity_body for s in states]) == pytest.approx(spec.noise.linear_velocity, rel=0.05)
    assert np.std([s.base.position[2] for s in states]) == pytest.approx(spec.noise.height, rel=0.05)
    gravity = np.array([s.base.gravity_body for s in states])
    np.testing.assert_allclose(gravity[:, :2].std(axis=0), spec.noise.gravity, rtol=0.06)
    np.testing.assert_allclose(np.linalg.norm(gravity, axis=1), 1.0, atol=1e-9)


def test_a_robot_file_that_names_a_joint_the_scene_lacks_is_an_error():
    spec = load_robot("cartpole")
    wrong = replace(spec, joints=(spec.joints[0], replace(spec.joints[1], name="mast_joint", mirror=None)))
    with pytest.raises(ConfigError, match="no joint 'mast_joint'. Known: cart_joint, pole_joint"):
        load_model(wrong)


def test_a_step_that_the_physics_step_does_not_divide_is_an_error(spec):
    with pytest.raises(ConfigError, match="does not divide"):
        load_model(replace(spec, dt=0.025))


def test_the_pole_hangs_at_the_start_and_zero_is_upright():
    robot = MujocoBackend(load_robot("cartpole"), 0, noise=False)
    assert abs(robot.reset().joint_position[1] - np.pi) < 0.2
    robot.data.qpos[:] = 0.0
    mujoco.mj_forward(robot.model, robot.data)
    assert robot.data.body("pole").xipos[2] > robot.data.body("cart").xpos[2] + 0.4


def test_the_cart_takes_no_more_force_than_its_file_allows():
    robot = MujocoBackend(load_robot("cartpole"), 0, noise=False)
    robot.set_target(np.array([1000.0]))
    robot.advance(1)
    assert robot.data.actuator_force[0] == pytest.approx(robot.spec.actuated[0].effort)
