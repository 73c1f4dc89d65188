"""The cartpole that mbrl-lib's PETS is shown on: its motion, its end, and what a model's states are worth."""

import numpy as np
import pytest
import torch

from mbrl_ros.backends.balanced_cartpole import DT, FORCE, GRAVITY, LEAN, Balance, BalancedCartpole, derivative
from mbrl_ros.backends.environment import Episodes
from mbrl_ros.backends.environments import make_environment
from mbrl_ros.config import ConfigError


def energy(state):
    """J, kinetic and potential, of cart (1 kg) and pole (0.1 kg, 1 m, as a rod)."""
    _, speed, lean, turn = state
    along = 1.1 * speed**2 / 2 + 0.1 * 0.5 * speed * turn * np.cos(lean) + 0.1 * (4 / 3) * 0.25 * turn**2 / 2
    return along + 0.1 * GRAVITY * 0.5 * np.cos(lean)


def test_without_a_force_energy_is_kept_and_a_force_does_its_work():
    rng = np.random.default_rng(0)
    for force in (0.0, 5.0, -8.0):
        state = np.array([0.0, *rng.uniform(-1, 1, 3)])
        begun, work, h = energy(state), 0.0, 1e-5
        for _ in range(2000):
            middle = state + h / 2 * derivative(state, force)
            state = state + h * derivative(middle, force)
            work += force * middle[1] * h
        assert energy(state) - begun == pytest.approx(work, abs=1e-6)


def test_a_step_is_one_of_explicit_euler():
    cartpole = BalancedCartpole(0)
    before = cartpole.reset()
    after = cartpole.step(np.array([0.5])).observation
    np.testing.assert_allclose(after, before + DT * derivative(before, 0.5 * FORCE), atol=1e-12)


def test_it_starts_near_upright_and_by_its_seed():
    starts = np.stack([BalancedCartpole(seed).reset() for seed in (0, 0, 1)])
    assert np.abs(starts).max() <= 0.05
    np.testing.assert_array_equal(starts[0], starts[1])
    assert np.abs(starts[0] - starts[2]).min() > 0


def test_left_alone_it_earns_one_a_step_until_it_has_fallen():
    episodes = Episodes(make_environment("own/balanced-cartpole", 0))
    given = []
    while not episodes.over:
        given.append(episodes.step(np.zeros(1)))
    assert given[-1].terminal and abs(given[-1].next_state[2]) > LEAN
    assert episodes.earned == [len(given)]
    assert 20 < len(given) < 120


def test_a_hand_written_controller_balances_for_the_whole_trial():
    episodes = Episodes(make_environment("own/balanced-cartpole", 0))
    while not episodes.over:
        x, speed, lean, turn = episodes.observation
        episodes.step(np.array([0.1 * x + 0.2 * speed + 3.0 * lean + 0.6 * turn]))
    assert episodes.earned == [200.0]


def test_states_of_a_model_are_worth_what_they_are_in_the_environment():
    task = Balance()
    states = torch.tensor([[0.0, 9.0, 0.2, 9.0], [0.0, 0.0, 0.22, 0.0], [2.5, 0.0, 0.0, 0.0], [-2.3, 0.0, -0.2, 0.0]])
    assert task.reward(states, torch.zeros(0)).tolist() == [1.0, 0.0, 0.0, 1.0]
    assert task.terminated(states).tolist() == [False, True, True, False]
    states[0, 3] = torch.nan
    assert not torch.isfinite(task.reward(states, torch.zeros(0))[0])


def test_another_name_is_answered_with_the_known_one():
    with pytest.raises(ConfigError, match="no environment 'own/cartpole'. Known: own/balanced-cartpole"):
        make_environment("own/cartpole", 0)
