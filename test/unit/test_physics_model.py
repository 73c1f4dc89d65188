"""The oracle predicts what the simulated robot does."""

import numpy as np
import pytest
import torch

from mbrl_ros.backends.mujoco import MujocoBackend
from mbrl_ros.dynamics.physics import PhysicsModel
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot


@pytest.mark.parametrize("name", ["go1_like", "cartpole", "hand"])
def test_its_rollout_is_what_the_simulated_robot_does(name):
    spec = load_robot(name)
    layout, robot, model = FeatureLayout(spec), MujocoBackend(spec, 0, noise=False), PhysicsModel(spec)
    draws = np.random.default_rng(0).normal(size=(45, len(spec.actuated)))
    targets = spec.stance + 0.5 * spec.action_scale * draws
    for target in targets[:25]:
        state = robot.step(target)
    start = torch.tensor(layout.encode(state), dtype=torch.float64)
    seen = np.stack([layout.encode(robot.step(target)) for target in targets[25:]])
    predicted = model.rollout(start[None, None], torch.tensor(targets[25:])[None, None])
    assert predicted.shape == (1, 1, 20, layout.size)
    np.testing.assert_allclose(predicted[0, 0], seen, atol=1e-4)


def test_features_and_physics_state_are_two_ways_to_say_the_same():
    spec = load_robot("go1_like")
    model = PhysicsModel(spec)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(7, 5, model.layout.size)) * 0.4
    gravity = rng.normal(size=(7, 5, 3))
    features[..., model.layout.gravity] = gravity / np.linalg.norm(gravity, axis=-1, keepdims=True)
    np.testing.assert_allclose(model.encode(model.decode(features)), features, atol=1e-9)


def test_each_candidate_is_rolled_out_on_its_own():
    spec = load_robot("cartpole")
    model = PhysicsModel(spec, threads=2)
    states = torch.randn(1, 6, model.layout.size, dtype=torch.float64)
    states[..., 1:3] /= states[..., 1:3].norm(dim=-1, keepdim=True)
    actions = torch.randn(1, 6, 4, 1, dtype=torch.float64)
    together = model.rollout(states, actions)
    for i in range(6):
        alone = model.rollout(states[:, i : i + 1], actions[:, i : i + 1])
        torch.testing.assert_close(together[:, i : i + 1], alone)
    shared = model.rollout(states[:, :1], actions)
    torch.testing.assert_close(shared[:, :1], together[:, :1])
