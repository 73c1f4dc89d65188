"""What is learned from the same transitions beside the dynamics, each by its one use."""

import numpy as np
import torch

from mbrl_ros.backends.environment import Episodes
from mbrl_ros.backends.environments import make_environment
from mbrl_ros.bench.models_reward import ended, upright
from mbrl_ros.bench.models_toys import SCALES, field_steps, pendulum, swung
from mbrl_ros.data.replay import ReplayBuffer
from mbrl_ros.dynamics.beside.action_free import action_free
from mbrl_ros.dynamics.beside.interpolation import interpolation, straight
from mbrl_ros.dynamics.beside.inverse import inverse
from mbrl_ros.dynamics.beside.joint import Config, joint
from mbrl_ros.dynamics.beside.regression import regressed
from mbrl_ros.dynamics.beside.reward import learned_reward
from mbrl_ros.dynamics.fitting import FitConfig

DATA, FRESH = swung(15, 40, 0), swung(100, 8, 1)
QUICK = FitConfig(steps=400, batch=128)


def size(off):
    return float((off / SCALES).square().mean().sqrt())


def test_a_regression_learns_a_curve_and_copes_with_what_never_changes():
    x = torch.linspace(-2, 2, 400)[:, None]
    model = regressed(torch.cat([x, torch.ones_like(x)], 1), 5 * torch.sin(2 * x), QUICK)
    assert (model(torch.cat([x, torch.ones_like(x)], 1)) - 5 * torch.sin(2 * x)).abs().mean() < 0.2


def test_a_reward_and_an_end_are_learned_from_what_was_told():
    states, fresh = DATA.states[:, 1:].flatten(0, 1), FRESH.states.flatten(0, 1)
    nobody = torch.zeros(0)
    model = learned_reward(states, states[:, :0], upright(states), ended(states), QUICK)
    assert (model.reward(fresh, nobody) - upright(fresh)).abs().mean() < 0.05
    assert model.reward(FRESH.states, nobody).shape == FRESH.states.shape[:2]
    assert (model.terminated(fresh) == ended(fresh)).float().mean() > 0.95


def test_an_inverse_model_proposes_actions_that_lead_there():
    model, start, goal = inverse(DATA.states, DATA.actions, 4, QUICK), FRESH.states[:, 0], FRESH.states[:, 4]
    proposed = model.proposed(start, goal)
    assert proposed.shape == (100, 4, 1)
    ends = []
    for actions in (proposed, torch.zeros_like(proposed)):
        x = start
        for k in range(4):
            x = pendulum(x, actions[:, k])
        ends.append(size(x - goal))
    assert ends[0] < 0.6 * ends[1]


def test_a_next_state_from_nowhere_is_far_from_usual():
    model, states = action_free(DATA.states, QUICK), FRESH.states[:, 0]
    usual, strange = (model.distance(states, following) for following in (FRESH.states[:, 1], FRESH.states[:, 5]))
    assert usual.shape == (100,) and usual.median() < 2.0
    assert strange.median() > 2 * usual.median()


def test_a_gap_is_filled_better_than_by_a_straight_line():
    model, first, last = interpolation(DATA.states, 8, QUICK), FRESH.states[:, 0], FRESH.states[:, -1]
    filled, truth = model.filled(first, last), FRESH.states[:, 1:-1]
    assert filled.shape == truth.shape
    assert size(filled - truth) < 0.6 * size(straight(first, last, 8) - truth)


def test_a_joint_density_tells_what_never_happens_together():
    data, fresh = field_steps(1000, 0), field_steps(300, 1)
    model = joint(data.states, data.actions, Config(components=10, rounds=20))
    start, told, following = fresh.states[:, 0], fresh.actions[:, 0], fresh.states[:, 1]
    usual = model.log_density(start, told, following)
    assert usual.shape == (300,) and torch.isfinite(usual).all()
    for strange in (
        (start + 4.0, told, following + 4.0),  # nobody was there
        (start, told + 4.0, following),  # nobody does that
        (start, told, following + 1.0),  # it does not follow
    ):
        assert (model.log_density(*strange) < usual.quantile(0.1)).float().mean() > 0.9


def test_fewer_steps_than_components_are_no_reason_to_fail():
    data = field_steps(8, 0)
    model = joint(data.states, data.actions, Config(components=20, rounds=5))
    assert torch.isfinite(model.log_density(data.states[:, 0], data.actions[:, 0], data.states[:, 1])).all()


def test_what_an_environment_says_of_its_steps_teaches_where_it_ends():
    """Through the buffer: next states, rewards and ends of all that was seen."""
    episodes, rng = Episodes(make_environment("own/balanced-cartpole", 0)), np.random.default_rng(0)
    buffer = ReplayBuffer(3000, len(episodes.observation), 1, episodes.spec.dt_ns)
    for _ in range(3000):
        buffer.add(episodes.step(rng.uniform(*episodes.spec.bounds)))
    after, rewards, ends = (torch.from_numpy(column) for column in buffer.outcomes())
    model = learned_reward(after[:2000], after[:2000, :0], rewards[:2000], ends[:2000], QUICK)
    said, truth = model.terminated(after[2000:]), ends[2000:]
    assert truth.any() and said[truth].float().mean() > 0.7 and (~said[~truth]).float().mean() > 0.9
