"""The newest velocity command, for as long as it counts."""

from dataclasses import replace

import numpy as np
import pytest
from gate_driver import GO1, standing

from mbrl_ros.control.agent import Agent
from mbrl_ros.control.velocity_command import VelocityCommand, approached
from mbrl_ros.settings import PlannerConfig
from mbrl_ros.types import NS, Action

WALK = np.array([0.3, 0.0, 0.0])
WALKING = PlannerConfig(planner="prior", learning=False, acceleration_limit=2.0, yaw_acceleration_limit=4.0)


def commanded(value, age=0.0, timeout=0.5, speed_limit=1.0, yaw_rate_limit=1.0):
    command = VelocityCommand()
    assert command.receive(np.array(value), 10 * NS)
    return command.at(10 * NS + round(age * NS), timeout, speed_limit, yaw_rate_limit)


def test_before_anybody_commanded_it_is_zero():
    assert not VelocityCommand().at(0, 0.5, 1.0, 1.0).any()


def test_a_fresh_command_within_limits_is_passed_on():
    np.testing.assert_array_equal(commanded([0.3, -0.2, 0.5]), [0.3, -0.2, 0.5])


def test_a_command_counts_until_its_timeout_and_is_zero_after():
    assert commanded([0.3, 0.0, 0.0], age=0.5)[0] == 0.3
    assert not commanded([0.3, 0.2, 0.5], age=0.501).any()


@pytest.mark.parametrize("size", [2.0, 1e6, 1e150])
def test_too_fast_is_scaled_down_in_the_same_direction(size):
    found = commanded([0.6 * size, -0.8 * size, 0.0])
    np.testing.assert_allclose(found, [0.6, -0.8, 0.0], rtol=1e-9)


def test_turning_is_limited_either_way_without_slowing_the_rest():
    np.testing.assert_array_equal(commanded([0.3, 0.0, 1e9]), [0.3, 0.0, 1.0])
    np.testing.assert_array_equal(commanded([0.3, 0.0, -1e9]), [0.3, 0.0, -1.0])


def test_a_speed_limit_of_zero_stands():
    assert not commanded([0.5, 0.1, 0.0], speed_limit=0.0).any()


@pytest.mark.parametrize("bad", [[np.nan, 0, 0], [0, np.inf, 0], [0, 0, -np.inf], [0.1, 0.2], []])
def test_what_is_no_velocity_is_refused_and_counted_and_the_one_before_stays(bad):
    command = VelocityCommand()
    command.receive(np.array([0.3, 0.0, 0.0]), 0)
    assert not command.receive(np.array(bad), NS // 4)
    assert command.refused == 1
    assert command.at(NS // 4, 0.5, 1.0, 1.0)[0] == 0.3
    assert not command.at(NS * 3 // 4, 0.5, 1.0, 1.0).any()  # and is not made fresh


def test_a_sender_that_reuses_its_array_changes_nothing():
    command, value = VelocityCommand(), np.array([0.3, 0.0, 0.0])
    command.receive(value, 0)
    value[:] = 9.0
    assert command.at(0, 0.5, 1.0, 1.0)[0] == 0.3


def test_a_velocity_within_reach_is_taken_at_once():
    np.testing.assert_array_equal(approached(np.zeros(3), np.array([0.1, 0.0, -0.2]), 0.1, 0.2), [0.1, 0.0, -0.2])


def test_a_velocity_out_of_reach_is_approached_on_a_straight_line():
    found = approached(np.array([0.8, 0.0, 0.0]), np.array([-0.4, 0.5, 1.0]), 0.13, 0.2)
    np.testing.assert_allclose(found, [0.8 - 0.12, 0.05, 0.2])


def test_what_is_approached_is_reached_and_kept():
    now, wanted = np.array([0.8, 0.0, 0.5]), np.array([-0.3, 0.2, -0.5])
    for _ in range(30):
        now = approached(now, wanted, 0.04, 0.08)
    np.testing.assert_allclose(now, wanted)


# In an agent, step by step


def test_a_command_is_approached_no_faster_than_the_limits_and_then_kept():
    agent = Agent(GO1, WALKING)
    wanted = np.array([0.3, 0.0, -0.6])
    ways = []
    for k in range(12):
        agent.act(standing(20 * k, GO1), wanted)
        ways.append(agent.command)
    np.testing.assert_allclose(ways[0], [0.04, 0.0, -0.08])
    steps = np.abs(np.diff(ways, axis=0))
    assert (steps[:, 0] <= 0.04 + 1e-9).all() and (steps[:, 2] <= 0.08 + 1e-9).all()
    np.testing.assert_allclose(ways[-1], wanted)


def test_after_a_reset_a_command_is_approached_from_zero():
    agent = Agent(GO1, WALKING)
    for k in range(12):
        agent.act(standing(20 * k, GO1), WALK)
    agent.forget(standing=True)
    agent.act(standing(240, GO1), WALK)
    assert 0 < agent.command[0] < 0.1


def test_steps_that_were_not_planned_count_on_the_way_to_a_command():
    agent = Agent(GO1, WALKING)
    agent.act(standing(0, GO1), WALK)
    agent.act(standing(80, GO1), WALK)
    assert agent.command[0] == pytest.approx(5 * 2.0 * GO1.dt)


def walking_agent():
    agent = Agent(GO1, WALKING)
    for k in range(12):
        agent.act(standing(20 * k, GO1), WALK)
    np.testing.assert_allclose(agent.command, WALK)
    return agent


def test_a_gap_in_the_state_does_not_brake_a_walking_robot():
    agent = walking_agent()
    agent.forget()
    agent.act(standing(300, GO1), WALK)
    np.testing.assert_allclose(agent.command, WALK)


def test_while_the_guard_does_not_follow_the_command_falls_back_to_zero_and_is_then_approached_anew():
    agent = walking_agent()
    agent.note_applied(standing(240, GO1).stamp_ns, GO1.stance, Action.HOLD)
    agent.act(standing(240, GO1), WALK)
    np.testing.assert_allclose(agent.command, [0.26, 0.0, 0.0])  # a moment's hold is no stop
    for k in range(13, 25):
        agent.act(standing(20 * k, GO1), WALK)
    assert not agent.command.any()
    agent.note_applied(standing(500, GO1).stamp_ns, GO1.stance, Action.FOLLOW)
    agent.act(standing(500, GO1), WALK)
    assert 0 < agent.command[0] <= 0.04 + 1e-9


@pytest.mark.parametrize("mode", ["stand", "explore"])
def test_in_modes_that_follow_no_command_it_stays_at_zero(mode):
    agent = Agent(GO1, replace(WALKING, mode=mode))
    for k in range(12):
        agent.act(standing(20 * k, GO1), WALK)
    assert not agent.command.any()
