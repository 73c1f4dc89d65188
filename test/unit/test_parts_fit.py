"""Settings that are right each by itself, and do nothing useful together: refused where the second of them is known."""

from dataclasses import replace

import pytest
from learning_driver import CARTPOLE, SMALL

from mbrl_ros.config import ConfigError
from mbrl_ros.control.agent import Agent
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.dynamics.storage import Card, to_bytes
from mbrl_ros.learning import train_command
from mbrl_ros.nodes.flown_model import flown_model
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.fit import LEAST_CANDIDATES, check_members
from mbrl_ros.runs import load_run
from mbrl_ros.settings import ExploreConfig, MppiConfig, PlannerConfig
from mbrl_ros.stack import Options, configured

MEMBERS = 5
FEW = LEAST_CANDIDATES * MEMBERS - 1
CONFIG = PlannerConfig(
    robot="cartpole", task="cartpole", action_map="joint", learning=False, mppi=MppiConfig(samples=FEW, horizon=8)
)
SEEKING = replace(CONFIG, mode="explore", explore=ExploreConfig(by="disagreement"), mppi=MppiConfig(samples=100))


def model(members=MEMBERS):
    return new_ensemble(replace(SMALL, members=members), FeatureLayout(CARTPOLE), 0)


def test_rollouts_that_members_share_out_to_next_to_nothing_are_refused():
    with pytest.raises(ConfigError, match=rf"planner.mppi.samples {FEW}: shared among 5 members.* Take 20 and more"):
        Agent(CARTPOLE, CONFIG).set_model(model(), 1)
    Agent(CARTPOLE, replace(CONFIG, mppi=replace(CONFIG.mppi, samples=FEW + 1))).set_model(model(), 1)
    Agent(CARTPOLE, CONFIG).set_model(model(members=4), 1)


@pytest.mark.parametrize("changes", [{"treatment": "tsinf"}, {"planner": "prior"}, {"planner": "gradient"}])
def test_who_shares_nothing_out_needs_no_more(changes):
    Agent(CARTPOLE, replace(CONFIG, **changes)).set_model(model(), 1)


def test_fewer_rollouts_where_time_is_short_are_no_setting_and_go_through():
    agent = Agent(CARTPOLE, replace(CONFIG, mppi=replace(CONFIG.mppi, samples=100)))
    agent.set_model(model(), 1)
    agent.set_samples(FEW)
    assert agent.samples == FEW


def test_a_change_while_running_is_refused_whole():
    agent = Agent(CARTPOLE, replace(CONFIG, mppi=replace(CONFIG.mppi, samples=100)))
    agent.set_model(model(), 1)
    before = agent.config
    with pytest.raises(ConfigError, match="5 members"):
        agent.configure(CONFIG)
    assert agent.config is before and agent.samples == 100


def test_a_model_that_the_settings_are_too_small_for_is_refused_by_a_planner_that_runs():
    told, agent = [], Agent(CARTPOLE, CONFIG)
    models = flown_model(agent, None, told.append, lambda what: None)
    models.offer(to_bytes(model(), Card(CARTPOLE.name, CARTPOLE.layout_hash, 3, 1.0, 0.1, 0.9)))
    models.take(wait=True)
    models.close()
    assert models.version == 0 and not agent.has_model
    assert "shared among 5 members" in told[-1] and 3 in models.refused


def test_a_single_model_disagrees_with_nobody():
    with pytest.raises(
        ConfigError, match=r"disagrees with nobody.*members of 2 and more, or planner.explore.by=counts"
    ):
        Agent(CARTPOLE, SEEKING).set_model(model(members=1), 1)
    for fine in (replace(SEEKING, mode="mppi"), replace(SEEKING, explore=ExploreConfig(by="counts"))):
        Agent(CARTPOLE, fine).set_model(model(members=1), 1)
    Agent(CARTPOLE, SEEKING).set_model(model(members=2), 1)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"planner.mppi.samples": FEW}, "shared among 5 members"),
        (
            {"planner.mode": "explore", "planner.explore.by": "disagreement", "learner.ensemble.members": 1},
            "disagrees with nobody",
        ),
    ],
)
def test_who_learns_from_nothing_is_told_at_the_start(changes, complaint):
    run = load_run("pendulum_mpc").with_all(changes)
    with pytest.raises(ConfigError, match=complaint):
        configured(run, Options(model="scratch"))
    with pytest.raises(ConfigError, match=complaint):
        train_command.check(run)
    with pytest.raises(ConfigError, match=complaint):
        check_members(run.planner, run.learner.ensemble.members)


def test_a_plan_is_not_followed_beyond_its_end():
    with pytest.raises(ConfigError, match="replan_every 9: at most planner.mppi.horizon, 8"):
        replace(CONFIG, replan_every=9)
    assert replace(CONFIG, replan_every=8).replan_every == 8
    longer = replace(CONFIG, planner="cem", replan_every=9)  # by the planner that plans
    assert longer.search.horizon >= 9
