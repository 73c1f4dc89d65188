"""The phase of an agent's gait: in robot time, from an origin that stays while time does."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from gate_driver import standing
from learning_driver import CARTPOLE, GO1
from test_agent import CARTPOLE_CONFIG, DT, WALK

from mbrl_ros.control.agent import Agent
from mbrl_ros.robots.gait import GaitMap
from mbrl_ros.settings import PlannerConfig
from mbrl_ros.types import RobotState

PRIOR_GAIT = PlannerConfig(planner="prior", learning=False, acceleration_limit=100.0)  # commands at once


def gait_targets(phase):
    gait = GaitMap(GO1)
    one = gait.prior(torch.tensor([0.3, 0.0, 0.0]))
    return gait.decode(one.expand(1, len(phase), -1), torch.tensor(phase, dtype=torch.float32))[0].numpy()


@pytest.mark.parametrize("delay", [0, 1])
def test_the_gait_follows_robot_time_from_its_origin(delay):
    agent = Agent(GO1, replace(PRIOR_GAIT, delay=delay))
    begin = 12_340
    for ms in (0, 20, 40, 60, 400):
        plan = agent.act(standing(begin + ms, GO1), WALK)
        held = (ms / 1000 + 0.02 * (delay + np.arange(4))) / 0.44
        np.testing.assert_allclose(plan.targets, gait_targets(held % 1.0), atol=2e-4)
        assert plan.gait_origin_ns == begin * 1_000_000
        assert agent.phase(plan.stamp_ns) == pytest.approx(ms / 440 % 1.0)


def test_a_few_missed_steps_or_a_reset_do_not_move_the_gaits_origin():
    agent = Agent(GO1, PRIOR_GAIT)
    agent.act(standing(0, GO1), WALK)
    agent.forget()
    assert agent.act(standing(200, GO1), WALK).gait_origin_ns == 0
    assert agent.phase(220_000_000) == pytest.approx(0.5)


@pytest.mark.parametrize("now", [10_000, 1_000])
def test_the_gait_goes_on_where_it_was_when_robot_time_jumps(now):
    agent = Agent(GO1, PRIOR_GAIT)
    for ms in (4_900, 5_000):
        agent.act(standing(ms, GO1), WALK)
    before = agent.phase(5_000_000_000)
    agent.forget()
    agent.act(standing(now, GO1), WALK)
    assert agent.phase(now * 1_000_000) == pytest.approx((before + 0.02 / 0.44) % 1.0)


def test_a_robot_without_legs_has_no_phase():
    agent = Agent(CARTPOLE, CARTPOLE_CONFIG)
    agent.act(RobotState(3 * DT, np.array([0.0, 0.3]), np.zeros(2)), np.zeros(0))
    assert agent.phase(10 * DT) == 0.0


def test_a_horizon_shorter_than_a_plan_stays_at_its_last_decision():
    agent = Agent(GO1, PRIOR_GAIT)
    agent.act(standing(0, GO1), WALK)
    agent.configure(replace(agent.config, mppi=replace(agent.config.mppi, horizon=2)))
    plan = agent.act(standing(20, GO1), WALK)
    np.testing.assert_allclose(plan.targets, gait_targets((0.02 + 0.02 * (1 + np.arange(4))) / 0.44), atol=2e-4)
