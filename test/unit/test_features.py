"""A state as a flat vector, and the same state seen in a mirror."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mbrl_ros.backends.mujoco import MujocoBackend
from mbrl_ros.dynamics.physics import PhysicsModel
from mbrl_ros.robots.features import FeatureLayout, is_symmetric, mirror_actions
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.types import BaseState, RobotState

GO1 = load_robot("go1_like")
CARTPOLE = load_robot("cartpole")


def mirrored(layout, state):
    permutation, signs = layout.mirror
    return state[..., permutation] * signs


def mirrored_targets(spec, targets):
    permutation, signs = mirror_actions(spec)
    return (targets - spec.stance)[..., permutation] * signs + spec.stance


def test_a_quadruped_that_lies_on_its_right_side_is_encoded_part_by_part():
    joints = np.array([j.stance for j in GO1.joints]) + 0.01 * np.arange(12)
    on_its_right = np.array([np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0])  # 90 degrees about x
    base = BaseState(np.array([5.0, -3.0, 0.1]), on_its_right, np.array([1.0, 2.0, 3.0]), np.array([4.0, 5.0, 6.0]))
    found = FeatureLayout(GO1).encode(RobotState(0, joints, 0.1 * np.arange(12), base))
    expected = [0, -1, 0, 1, 2, 3, 4, 5, 6, 0.1, *(0.01 * np.arange(12)), *(0.1 * np.arange(12))]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found.dtype == np.float32


def test_neither_place_nor_heading_is_a_feature():
    joints = np.zeros(12)

    def seen(x, y, heading):
        turn = np.array([np.cos(heading / 2), 0.0, 0.0, np.sin(heading / 2)])
        base = BaseState(np.array([x, y, 0.3]), turn, np.ones(3), np.ones(3))
        return FeatureLayout(GO1).encode(RobotState(0, joints, joints, base))

    np.testing.assert_allclose(seen(0, 0, 0), seen(7, -8, 2.5), atol=1e-6)


def test_a_joint_that_turns_freely_is_its_cosine_and_sine():
    layout = FeatureLayout(CARTPOLE)
    found = layout.encode(RobotState(0, np.array([0.5, np.pi / 3]), np.array([-1.0, 2.0])))
    np.testing.assert_allclose(found, [0.5, 0.5, np.sqrt(0.75), -1.0, 2.0], atol=1e-6)
    assert layout.names == ("cart_joint", "cos pole_joint", "sin pole_joint", "d cart_joint", "d pole_joint")


def test_a_full_turn_changes_no_feature():
    layout = FeatureLayout(CARTPOLE)
    once, twice = (layout.encode(RobotState(0, np.array([0.0, a]), np.zeros(2))) for a in (1.0, 1.0 + 2 * np.pi))
    np.testing.assert_allclose(once, twice, atol=1e-6)


def test_scales_and_noise_of_the_robot_file_reach_each_feature_of_their_kind():
    layout = FeatureLayout(GO1)
    assert len(layout.scales) == len(layout.noise) == layout.size == 34
    assert layout.scales[layout.height] == pytest.approx(0.05)
    np.testing.assert_allclose(layout.noise[layout.joint_velocity], 0.3)
    np.testing.assert_allclose(layout.noise[layout.joint_position], 0.0)


@pytest.mark.parametrize("spec", [GO1, CARTPOLE], ids=lambda s: s.name)
def test_a_mirror_in_a_mirror_shows_the_original(spec):
    layout, generator = FeatureLayout(spec), np.random.default_rng(0)
    state = generator.normal(size=(4, layout.size))
    targets = spec.stance + generator.normal(size=(4, len(spec.actuated)))
    np.testing.assert_allclose(mirrored(layout, mirrored(layout, state)), state)
    np.testing.assert_allclose(mirrored_targets(spec, mirrored_targets(spec, targets)), targets)


def test_in_the_mirror_left_is_right():
    layout = FeatureLayout(GO1)
    state = np.zeros(layout.size)
    at = {name: i for i, name in enumerate(layout.names)}
    state[[at["vx"], at["vy"], at["wz"], at["gy"]]] = 1.0
    state[[at["FL_hip_joint"], at["FL_calf_joint"], at["d RR_thigh_joint"]]] = 0.2, 0.3, 0.4
    seen = mirrored(layout, state)
    assert [seen[at[n]] for n in ("vx", "vy", "wz", "gy")] == [1.0, -1.0, -1.0, -1.0]
    assert [seen[at[n]] for n in ("FR_hip_joint", "FR_calf_joint", "d RL_thigh_joint")] == [-0.2, 0.3, 0.4]
    assert seen[at["FL_calf_joint"]] == 0.0


@pytest.mark.parametrize(("spec", "steps"), [(GO1, 10), (CARTPOLE, 10)], ids=["go1_like", "cartpole"])
def test_the_physics_cannot_tell_which_side_of_the_mirror_it_is_on(spec, steps):
    layout, robot, model = FeatureLayout(spec), MujocoBackend(spec, 3, noise=False), PhysicsModel(spec)
    generator = np.random.default_rng(5)
    for _ in range(20):
        state = robot.step(spec.stance + 0.4 * spec.action_scale * generator.normal(size=len(spec.actuated)))
    start = layout.encode(state).astype(np.float64)
    assert np.abs(mirrored(layout, start) - start).max() > 0.1  # there is a difference to be mirrored
    targets = spec.stance + 0.4 * spec.action_scale * generator.normal(size=(steps, len(spec.actuated)))

    def rolled(s, t):
        return model.rollout(torch.tensor(s)[None, None], torch.tensor(t)[None, None])[0, 0].numpy()

    ours, theirs = rolled(start, targets), rolled(mirrored(layout, start), mirrored_targets(spec, targets))
    np.testing.assert_allclose(theirs / layout.scales, mirrored(layout, ours) / layout.scales, atol=2e-3)


def test_a_robot_that_names_no_mirror_joints_is_not_symmetric():
    lone = replace(CARTPOLE, joints=(CARTPOLE.joints[0], replace(CARTPOLE.joints[1], mirror=None)))
    assert is_symmetric(GO1) and is_symmetric(CARTPOLE)
    assert not is_symmetric(lone)
