"""Environments without joints: sizes, bounds, episodes, and what is recorded of each step. No extra is needed here."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mbrl_ros.backends.environment import EnvironmentLayout, EnvironmentSpec, Episodes
from mbrl_ros.backends.environments import make_environment
from mbrl_ros.backends.gym import GymnasiumEnvironment, scales_of
from mbrl_ros.config import ConfigError
from mbrl_ros.data.replay import ReplayBuffer
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.dynamics.training import Trainer
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.types import Flag


class Slider:
    """A mass that is pushed along a line, by Gymnasium's rules. Its episode ends beyond 1 m, or after 30 steps."""

    dt = 0.1
    observation_space = SimpleNamespace(low=np.array([-1.0, -np.inf]), high=np.array([1.0, np.inf]), shape=(2,))
    action_space = SimpleNamespace(low=np.array([-1.0]), high=np.array([3.0]), shape=(1,), dtype=np.float32)
    spec = SimpleNamespace(max_episode_steps=30)

    def reset(self, seed=None):
        if seed is not None:
            self.rng = np.random.default_rng(seed)
        self.state = self.rng.uniform(-0.1, 0.1, 2)
        return self.state.astype(np.float32), {}

    def step(self, action):
        assert action.dtype == np.float32
        x, v = self.state
        self.state = np.array([x + self.dt * v, v + self.dt * float(action[0])])
        gone = abs(self.state[0]) > 1.0
        return self.state.astype(np.float32), 1.0 - float(x) ** 2, gone, False, {}


@pytest.fixture
def episodes():
    return Episodes(GymnasiumEnvironment(Slider(), "local/slider", seed=0))


def test_sizes_bounds_and_times_are_those_that_the_environment_says(episodes):
    spec = episodes.spec
    assert (spec.dt, spec.dt_ns, spec.episode_steps) == (0.1, 100_000_000, 30)
    np.testing.assert_array_equal(spec.bounds, [[-1.0], [3.0]])
    np.testing.assert_array_equal((spec.posture, spec.action_scale), [[1.0], [2.0]])
    assert EnvironmentLayout(spec).transition_sizes == (2, 1, 2)


def test_each_step_is_a_transition_with_the_environments_own_reward_and_end(episodes):
    given = [episodes.step(np.array([3.0]), explored=True, model=4) for _ in range(8)]
    for t, after in zip(given, given[1:], strict=False):
        np.testing.assert_array_equal(t.next_state, after.state)
        assert t.reward == pytest.approx(1.0 - t.state[0] ** 2, abs=1e-6)
        assert (t.flags, t.model, t.terminal) == (Flag.EXPLORED, 4, False)
    assert [t.sequence for t in given] == list(range(8))
    assert episodes.earned[0] == pytest.approx(sum(t.reward for t in given))


def test_an_episode_that_ended_by_what_happened_is_terminal_and_the_next_step_begins_anew(episodes):
    given = []
    while not episodes.over:
        given.append(episodes.step(np.array([3.0])))
    assert [t.terminal for t in given] == [False] * (len(given) - 1) + [True]
    assert abs(given[-1].next_state[0]) > 1.0
    again = episodes.step(np.array([0.0]))
    assert (episodes.number, episodes.steps, len(episodes.earned)) == (1, 1, 2)
    assert abs(again.state[0]) <= 0.1


def test_an_episode_whose_time_is_up_is_over_but_not_terminal(episodes):
    given = []
    while not episodes.over:
        given.append(episodes.step(np.array([0.0])))
    assert len(given) == 30
    assert not any(t.terminal for t in given)


def test_a_buffer_sees_the_gap_between_two_episodes(episodes):
    buffer = ReplayBuffer(100, 2, 1, episodes.spec.dt_ns)
    for _ in range(35):
        buffer.add(episodes.step(np.array([0.0])))
    assert len(buffer.starts(5, held_out=False)) == 26 + 1


def test_an_action_beyond_the_bounds_is_brought_within_them_and_flagged(episodes):
    t = episodes.step(np.array([7.0]))
    assert t.action == pytest.approx([3.0])
    assert t.flags == Flag.CLIPPED
    assert t.next_state[1] - t.state[1] == pytest.approx(0.3, abs=1e-6)


@pytest.mark.parametrize(("action", "complaint"), [([np.nan], "not finite"), ([0.0, 0.0], r"takes \(1,\)")])
def test_an_action_that_is_none_is_refused(episodes, action, complaint):
    with pytest.raises(ValueError, match=f"local/slider.*{complaint}"):
        episodes.step(np.array(action))


def test_what_is_not_finite_never_becomes_a_transition(episodes):
    episodes.environment._environment.state = np.array([0.0, np.inf])
    with pytest.raises(FloatingPointError, match="local/slider: observation is not finite in step 0 of episode 0"):
        episodes.step(np.array([0.0]))


def test_the_same_seed_gives_the_same_episodes_and_each_begins_elsewhere():
    def firsts(seed):
        episodes = Episodes(GymnasiumEnvironment(Slider(), "local/slider", seed))
        return np.stack([episodes.observation, episodes.begin()])

    np.testing.assert_array_equal(firsts(3), firsts(3))
    assert np.abs(firsts(3) - firsts(4)).min() > 0
    assert np.abs(firsts(3)[0] - firsts(3)[1]).max() > 0


def test_a_model_of_an_environment_is_built_and_trained_as_that_of_a_robot(episodes):
    layout, rng = EnvironmentLayout(episodes.spec), np.random.default_rng(0)
    buffer = ReplayBuffer(1000, *layout.transition_sizes[:2], episodes.spec.dt_ns)
    for _ in range(300):
        buffer.add(episodes.step(rng.uniform(*episodes.spec.bounds)))
    trainer = Trainer(new_ensemble(EnsembleConfig(members=2, width=16), layout, 0), 1e-2, 0.0)
    starts = buffer.starts(1, held_out=False)
    for _ in range(150):
        states, actions = buffer.sequences(rng.choice(starts, (2, 64)), 1)
        trainer.step(torch.from_numpy(states), torch.from_numpy(actions))
    with torch.no_grad():
        found = trainer.model.rollout(torch.zeros(2, 1, 2), torch.full((2, 1, 1, 1), 2.0))
    torch.testing.assert_close(found.mean(0)[0, 0], torch.tensor([0.0, 0.2]), atol=0.05, rtol=0)


def test_units_of_observations_are_half_their_range_where_there_is_one():
    most = float(np.finfo(np.float32).max)
    np.testing.assert_array_equal(scales_of(np.array([[-8.0, -np.inf, -most], [8.0, np.inf, most]])), [8.0, 1.0, 1.0])


@pytest.mark.parametrize(
    ("part", "space", "complaint"),
    [
        ("observation_space", SimpleNamespace(low=np.zeros((8, 8)), shape=(8, 8)), "observations are .* a row of"),
        ("action_space", "Discrete(2)", r"actions are Discrete\(2\): only a row of numbers"),
    ],
)
def test_what_is_not_a_row_of_numbers_is_refused(part, space, complaint):
    slider = Slider()
    setattr(slider, part, space)
    with pytest.raises(ConfigError, match=f"(?s)local/slider: {complaint}"):
        GymnasiumEnvironment(slider, "local/slider", 0)


def test_actions_without_bounds_are_refused():
    with pytest.raises(ValueError, match="local/endless: actions need finite bounds"):
        EnvironmentSpec("local/endless", ("x",), np.ones(1), np.array([[-np.inf], [np.inf]]), 0.1, 10)


@pytest.mark.parametrize("name", ["Pendulum-v1", "atari/Pong", "gymnasium"])
def test_a_name_of_no_family_is_answered_with_the_families(name):
    with pytest.raises(ConfigError, match=f"no environment '{name}': expected own/NAME, dm_control/NAME, gym"):
        make_environment(name, 0)


@pytest.mark.parametrize("package", ["gymnasium", "dm_control"])
def test_without_the_extra_the_error_says_how_to_get_it(monkeypatch, package):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(ConfigError, match=rf"{package}/walker-walk: .*pip install mbrl_ros\[gym\]"):
        make_environment(f"{package}/walker-walk", 0)
