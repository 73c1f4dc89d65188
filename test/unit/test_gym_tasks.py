"""The tasks of Gymnasium and dm_control that are compared with, where the extra `gym` is installed."""

import numpy as np
import pytest

from mbrl_ros.backends.environment import Episodes
from mbrl_ros.backends.environments import TRIED, make_environment
from mbrl_ros.config import ConfigError

SIZES = {
    "own/balanced-cartpole": (4, 1, 0.02),
    "dm_control/cartpole-swingup": (5, 1, 0.01),
    "dm_control/walker-walk": (24, 6, 0.025),
    "dm_control/cheetah-run": (17, 6, 0.01),
    "dm_control/quadruped-walk": (78, 12, 0.02),
    "gymnasium/Pendulum-v1": (3, 1, 0.05),
}


def made(name, seed=0):
    package = name.split("/")[0]
    if package != "own":
        pytest.importorskip(package, reason=f"{package} is not here: pip install mbrl_ros[gym]")
    return make_environment(name, seed)


@pytest.mark.parametrize("name", TRIED)
def test_a_task_has_the_sizes_that_it_is_published_with(name):
    spec = made(name).spec
    assert (len(spec.observation_names), len(spec.actuated), spec.dt) == SIZES[name]
    assert len(set(spec.observation_names)) == len(spec.observation_names)


@pytest.mark.parametrize("name", TRIED)
def test_a_seed_and_its_actions_give_the_same_transitions(name):
    def run(seed):
        episodes = Episodes(made(name, seed))
        rng = np.random.default_rng(0)
        given = [episodes.step(rng.uniform(*episodes.spec.bounds)) for _ in range(5)]
        return np.stack([[*t.next_state, t.reward] for t in given])

    np.testing.assert_array_equal(run(3), run(3))
    assert np.abs(run(3) - run(4)).max() > 0


def test_an_episode_of_dm_control_lasts_1000_steps_and_never_ends_for_good():
    episodes = Episodes(made("dm_control/cartpole-swingup"))
    given = []
    while not episodes.over:
        given.append(episodes.step(np.zeros(1)))
    assert len(given) == 1000
    assert not any(t.terminal for t in given)
    assert 0 <= episodes.earned[0] <= 1000


def test_a_pendulum_that_hangs_earns_what_gymnasium_says():
    episodes = Episodes(made("gymnasium/Pendulum-v1"))
    cos, sin, speed = episodes.observation
    t = episodes.step(np.array([1.0]))
    assert t.reward == pytest.approx(-(np.arctan2(sin, cos) ** 2 + 0.1 * speed**2 + 0.001), abs=1e-5)


@pytest.mark.parametrize(
    ("name", "near"), [("dm_control/walker-wlak", "walker-walk"), ("gymnasium/Pendulum-v9", "Pendulum-v1")]
)
def test_an_unknown_task_is_answered_with_the_nearest(name, near):
    made(name[: name.index("/") + 1] + near)
    with pytest.raises(ConfigError, match=f"no environment '{name}'.*{near}"):
        make_environment(name, 0)


def test_discrete_actions_are_refused():
    made("gymnasium/Pendulum-v1")
    with pytest.raises(ConfigError, match="gymnasium/CartPole-v1: actions are Discrete"):
        make_environment("gymnasium/CartPole-v1", 0)
