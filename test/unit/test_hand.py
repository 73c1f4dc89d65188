"""The hand: where its object begins, that only fingers turn it, both ways alike, and that plans find how."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mbrl_ros.backends.mujoco import MujocoBackend
from mbrl_ros.config import ConfigError
from mbrl_ros.dynamics.physics import PhysicsModel
from mbrl_ros.learning.evaluating import driving
from mbrl_ros.robots.features import FeatureLayout, mirror_actions
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run, with_settings
from mbrl_ros.tasks.hand import Task

HAND = load_robot("hand")
OBJECT = next(i for i, j in enumerate(HAND.joints) if not j.actuated)
STROKE = 12  # steps


def stroke(backend):
    """The fingers swing out, close, and swing back; (A,) targets of each step."""
    swing, close = (np.tile(move, 3) for move in ([-0.5, 0.0, 0.0], [0.0, 0.25, 0.25]))
    return [HAND.stance + where for where in [swing] * 3 + [swing + close] * 3 + [close - swing] * (STROKE - 6)]


def turned(backend, targets):
    """rad that the object turns by."""
    before = backend.truth().joint_position[OBJECT]
    return [backend.step(target) for target in targets][-1].joint_position[OBJECT] - before


def test_the_object_begins_a_quarter_turn_away_on_either_side():
    begins = np.array([MujocoBackend(HAND, seed).truth().joint_position[OBJECT] for seed in range(8)])
    np.testing.assert_allclose(np.abs(begins), np.pi / 2, atol=0.11)
    assert begins.min() < 0 < begins.max()
    assert len(set(begins.tolist())) == 8


def test_nothing_but_fingers_turns_it():
    backend = MujocoBackend(HAND, 0, noise=False)
    assert turned(backend, [HAND.stance] * 20) == pytest.approx(0.0, abs=1e-3)


def test_fingers_that_close_and_swing_turn_it_and_their_mirror_image_the_other_way():
    one, other = MujocoBackend(HAND, 0, noise=False), MujocoBackend(HAND, 0, noise=False)
    for backend in (one, other):  # random starts are not mirrored
        backend.data.qpos[:] = backend._stood_qpos
    permutation, signs = mirror_actions(HAND)
    mirrored = [HAND.stance + ((target - HAND.stance)[permutation]) * signs for target in stroke(one)]
    there, back = turned(one, stroke(one)), turned(other, mirrored)
    assert abs(there) > 0.2
    assert back == pytest.approx(-there, rel=0.05)


def test_what_is_left_to_turn_is_the_shorter_way_and_the_goal_ends_at_10_degrees():
    layout = FeatureLayout(HAND)
    task, state = Task(layout), torch.zeros(layout.size)
    cosine, sine = layout.names.index(f"cos {HAND.joints[OBJECT].name}"), layout.joint_position.stop - 1
    worth = []
    for degrees, there in ((0, True), (9, True), (-9, True), (11, False), (90, False), (-90, False), (179, False)):
        angle = np.radians(degrees)
        state[cosine], state[sine] = np.cos(angle), np.sin(angle)
        assert float(task.left(state)) == pytest.approx(angle, abs=1e-6)
        assert bool(task.at_goal(state)) == there
        worth.append((abs(degrees), float(task.reward(state, torch.zeros(0)))))
    assert worth[0][1] == pytest.approx(0.0, abs=1e-6)
    assert [w for _, w in sorted(worth)] == sorted((w for _, w in worth), reverse=True)


def test_a_robot_without_anything_to_turn_is_refused():
    with pytest.raises(ConfigError, match="needs one joint that turns freely, the object; go1_like has 0"):
        Task(FeatureLayout(load_robot("go1_like")))


def test_a_joint_without_a_start_of_its_own_hangs_as_before():
    joints = tuple(replace(j, start=()) for j in HAND.joints)
    angle = MujocoBackend(replace(HAND, joints=joints), 0).truth().joint_position[OBJECT]
    assert angle == pytest.approx(np.pi, abs=0.11)


def test_plans_through_true_physics_turn_it_towards_the_goal():
    small = ("planner.mppi.samples=40", "planner.mppi.horizon=10", "guard.max_age=0.2")
    session = driving(with_settings(load_run("hand_mpc"), small), HAND, PhysicsModel(HAND), seed=1, noise=True)
    left = [abs(session.step(np.zeros(0)).truth.joint_position[OBJECT]) for _ in range(24)]
    assert left[0] > 1.4
    assert left[-1] < left[0] - np.radians(30)
