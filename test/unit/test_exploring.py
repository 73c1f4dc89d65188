"""Ways to explore: random motion, and plans for what members disagree about or for places rarely visited."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from learning_driver import CARTPOLE, SMALL

from mbrl_ros.backends import new_backend
from mbrl_ros.control.agent import Agent
from mbrl_ros.control.curiosity import Counts, Disagreement, curious, scouting
from mbrl_ros.control.exploring import RandomMotion
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.session import Session
from mbrl_ros.planners.problem import NoPlan
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run, with_settings
from mbrl_ros.settings import ExploreConfig, MppiConfig, PlannerConfig
from mbrl_ros.tasks import make_task
from mbrl_ros.types import RobotState

LAYOUT = FeatureLayout(CARTPOLE)
TASK = make_task("cartpole", LAYOUT)
NONE = torch.zeros(0)
CONFIG = PlannerConfig(
    robot="cartpole", task="cartpole", action_map="joint", filter=False, mode="explore",
    mppi=MppiConfig(samples=120, horizon=8, knot_steps=4), explore=ExploreConfig(while_learning=0.0, cell=0.25),
)  # fmt: skip
EXPLORE = CONFIG.explore
GAIN = 0.025  # m a newton and step
LITTLE = (
    "planner.mode=explore", "planner.explore.cell=0.25", "planner.mppi.samples=300", "learner.first_steps=150",
    "learner.steps=20", "learner.train.rollout=2", "learner.train.rate=0.003", "learner.ensemble.width=32",
    "learner.ensemble.members=3",
)  # fmt: skip


class Rail:
    """The push moves the cart. Members disagree about what comes of pushes to the left, or have seen everything."""

    members = 3

    def __init__(self, unknown=True):
        self.unknown = unknown

    def rollout(self, states, actions):
        path = states[:, :, None].expand(-1, -1, actions.shape[2], -1).clone()
        gone = actions[..., 0].cumsum(2) * GAIN
        path[..., 0] = (path[..., 0] + gone).clamp(-1.8, 1.8)
        if self.unknown:
            path[..., 0] += torch.arange(3)[:, None, None] * gone.clamp(max=0.0)
        return path


def agent(by, model=None, **changes):
    made = Agent(CARTPOLE, replace(CONFIG, explore=replace(EXPLORE, by=by), **changes))
    made.set_model(model, 1)
    return made


def act(made, k, x=0.0):
    return made.act(RobotState(k * CARTPOLE.dt_ns, np.array([x, 0.3]), np.zeros(2)), np.zeros(0))


def test_disagreement_is_worth_more_the_more_members_part_and_nothing_where_they_agree():
    states = torch.zeros(3, 2, LAYOUT.size)
    states[:, 1, 0] = torch.tensor([-1.0, 0.0, 1.0])
    worth = Disagreement(TASK, LAYOUT, EXPLORE).reward(states, NONE)
    assert worth.shape == (3, 2) and (worth[:, 0] == 0).all() and (worth[:, 1] == worth[0, 1]).all()
    noise = max(float(LAYOUT.noise[0]), 0.02 * float(LAYOUT.scales[0]))
    assert worth[0, 1] == pytest.approx(0.5 * np.log1p(2 / 3 / noise**2) / LAYOUT.size)


def test_counts_are_worth_less_with_every_visit_and_elsewhere_as_before():
    counts = Counts(TASK, LAYOUT, EXPLORE)
    here, there = torch.full((LAYOUT.size,), 0.01), torch.full((LAYOUT.size,), 2.0)
    assert counts.reward(here, NONE) == 1
    for _ in range(3):
        counts.note(here.numpy())
    assert counts.reward(here, NONE) == pytest.approx(0.5) and counts.reward(there, NONE) == 1


def test_neighbours_share_a_cell_and_its_size_says_who_they_are():
    a, b = torch.full((2, LAYOUT.size), 0.01)
    b = b + 0.4 * torch.tensor(LAYOUT.scales)
    for cell, shared in ((0.2, False), (1.0, True)):
        counts = Counts(TASK, LAYOUT, replace(EXPLORE, cell=cell))
        counts.note(a.numpy())
        assert (counts.reward(b, NONE) < 1) == shared


def test_what_is_not_finite_is_worth_nothing_that_one_could_plan_for():
    broken = torch.tensor([[0.0] * LAYOUT.size, [torch.nan] * LAYOUT.size, [torch.inf] * LAYOUT.size])
    assert torch.isfinite(Counts(TASK, LAYOUT, EXPLORE).reward(broken, NONE)).tolist() == [True, False, False]
    assert not torch.isfinite(Disagreement(TASK, LAYOUT, EXPLORE).reward(broken[:, None], NONE)).any()


def test_plans_go_where_members_disagree():
    """The prior is to stay; random motion goes either way, and a model that knows all of it says neither."""
    left = [float(act(agent("disagreement", Rail(), seed=s), 0).targets[0, 0]) for s in range(6)]
    known = [float(act(agent("disagreement", Rail(unknown=False), seed=s), 0).targets[0, 0]) for s in range(6)]
    assert max(left) < 0 and np.mean(left) < -2.0
    assert np.mean(known) > np.mean(left) + 2.0


def test_counts_drive_a_cart_over_more_of_its_rail_than_random_motion():
    places = {"random": [], "counts": []}
    for by, reached in places.items():
        for seed in range(3):
            made, x, seen = agent(by, Rail(unknown=False), delay=0, seed=seed), 0.0, set()
            for k in range(60):
                x = float(np.clip(x + act(made, k, x).targets[0, 0] * GAIN, -1.8, 1.8))
                seen.add(round(x / 0.25))
            reached.append(len(seen))
    assert min(places["counts"]) > max(places["random"])


def test_without_a_model_all_of_them_begin_with_the_same_random_motion():
    plans = [[act(made, k).targets for k in range(6)] for made in map(agent, ("random", "disagreement", "counts"))]
    np.testing.assert_array_equal(plans[0], plans[1])
    np.testing.assert_array_equal(plans[0], plans[2])
    motion = RandomMotion(1, EXPLORE.knot_steps, 0)
    assert not np.allclose(plans[0], 0.0) and motion.between(1, 1).shape == (1, 1)


def test_only_mode_explore_is_curious_and_what_it_does_is_marked_as_explored():
    made = agent("disagreement", Rail())
    assert made.seeking and act(made, 0).exploring
    made.configure(replace(made.config, mode="mppi"))
    assert not made.seeking and not act(made, 1).exploring
    assert not agent("random", Rail()).seeking


def test_a_broken_model_is_not_followed():
    model = Rail()
    model.rollout = lambda states, actions: torch.full((*actions.shape[:3], states.shape[-1]), torch.nan)
    assert isinstance(act(agent("disagreement", model), 0), NoPlan)
    assert isinstance(act(agent("counts", model), 0), NoPlan)


@pytest.mark.parametrize("by", ["disagreement", "counts"])
@pytest.mark.parametrize("planner", ["mppi", "cem", "icem", "shooting", "gradient"])
def test_every_planner_of_continuous_decisions_explores_a_learned_model(by, planner):
    made = agent(by, new_ensemble(SMALL, LAYOUT, 0), planner=planner)
    for k in range(3):
        assert np.isfinite(act(made, k).targets).all()
    assert made.search.trace().shape == (3, made.config.search.horizon, LAYOUT.size)


def test_plans_for_curiosity_listen_to_all_members_and_to_no_policy():
    config = replace(CONFIG, treatment="tsinf", mppi=replace(CONFIG.mppi, proposals=0.3, terminal_value=True))
    scout = scouting(config)
    assert (scout.treatment, scout.search.proposals, scout.search.terminal_value) == ("expectation", 0.0, False)
    assert curious(TASK, LAYOUT, EXPLORE) is None


@pytest.mark.parametrize("by", ["disagreement", "counts"])
def test_a_pendulum_that_looks_for_what_it_does_not_know_finds_the_way_up_and_random_motion_does_not(by):
    """Through session, learner and replay as `mbrl train` has them. 1 is upright."""
    highest = {}
    for way in ("random", by):
        run = with_settings(load_run("pendulum_mpc"), (f"planner.explore.by={way}", *LITTLE))
        spec = load_robot(run.planner.robot)
        learner = Learner(spec, run.learner)
        session = Session(run, new_backend(spec, 0, noise=True), Agent(spec, run.planner), learner)
        for _ in range(round(9.0 / spec.dt)):
            session.step(np.zeros(0))
        highest[way] = float(learner.buffer.windows(1, False)[0][..., 0].max())
        assert learner.promoted > 1 and session.agent.seeking == (way == by)
    assert highest["random"] < -0.5 and highest[by] > 0.5
