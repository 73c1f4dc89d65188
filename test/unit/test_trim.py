"""What is added to a commanded velocity, so that a robot that lags goes as commanded."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from gate_driver import CARTPOLE, GO1, standing

from mbrl_ros import tasks
from mbrl_ros.backends.mujoco import MujocoBackend
from mbrl_ros.bench.doubt import loaded
from mbrl_ros.config import ConfigError
from mbrl_ros.control.agent import Agent
from mbrl_ros.control.report import TrackingScore
from mbrl_ros.control.trim import SETTLE, Trim
from mbrl_ros.learning.session import Session
from mbrl_ros.planners.problem import NoPlan
from mbrl_ros.runs import load_run, with_settings
from mbrl_ros.settings import PlannerConfig, TrimConfig
from mbrl_ros.types import Action

DT = 0.02
WALK = np.array([0.3, 0.0, -0.5])
FAST = np.array([0.5, 0.0, 0.0])
CREEP = np.array([0.005, 0.0, 0.0])
STRIDE = GO1.legs.gait.period  # s
SLOWLY = np.array([0.08, 0.0, 0.0])


class Lagging:
    """A robot that reaches what it is told, less `lack`, within a few tenths of a second."""

    def __init__(self, lack, **settings):
        self.trim, self.lack, self.velocity = Trim(TrimConfig(**settings)), np.array(lack), np.zeros(3)

    def go(self, command, seconds):
        """The mean velocity of the last second."""
        ways = []
        for _ in range(round(seconds / DT)):
            self.trim.note(command, self.velocity, DT)
            self.velocity = self.velocity + 0.1 * (self.trim.told(command) - self.lack - self.velocity)
            ways.append(self.velocity)
        return np.mean(ways[-round(1 / DT) :], 0)


@pytest.mark.parametrize("lack", [[0.04, 0.0, 0.0], [-0.03, 0.02, 0.045]])
def test_who_always_lags_by_as_much_comes_to_go_as_commanded(lack):
    robot = Lagging(lack, seconds=2.0)
    np.testing.assert_allclose(robot.go(WALK, 15.0), WALK, atol=0.002)


def test_without_it_the_lag_stays():
    robot = Lagging([0.05, 0.0, 0.0], seconds=0.0)
    np.testing.assert_allclose(robot.go(WALK, 15.0), WALK - [0.05, 0.0, 0.0], atol=0.002)


def test_what_was_made_up_for_holds_for_the_next_command():
    robot = Lagging([0.04, 0.0, 0.0], seconds=2.0)
    robot.go(WALK, 15.0)
    np.testing.assert_allclose(robot.trim.told(-WALK), -WALK + [0.04, 0.0, 0.0], atol=0.003)


def test_no_more_than_the_limit_is_added():
    robot = Lagging([0.15, 0.0, 0.0], seconds=2.0, limit=0.1)
    robot.go(WALK, 15.0)
    np.testing.assert_allclose(robot.trim.told(WALK) - WALK, [0.1, 0.0, 0.0], atol=1e-4)


def test_who_lacks_far_more_than_can_be_added_is_told_the_command_as_it_is():
    """A longer stride may be what makes it slow."""
    robot = Lagging([0.04, 0.0, 0.0], seconds=2.0)
    robot.go(WALK, 15.0)
    robot.lack = np.array([0.3, 0.0, 0.0])
    robot.go(WALK, 20.0)
    np.testing.assert_allclose(robot.trim.told(WALK), WALK, atol=0.002)


@pytest.mark.parametrize("limit", [0.05, 0.1, 0.2])
def test_whatever_the_limit_a_robot_that_is_held_fast_is_told_no_more_and_more(limit):
    robot = Lagging([0.04, 0.0, 0.0], seconds=2.0, limit=limit)
    robot.go(FAST, 15.0)
    for _ in range(round(20.0 / DT)):
        robot.trim.note(FAST, np.zeros(3), DT)
    np.testing.assert_allclose(robot.trim.told(FAST), FAST, atol=0.002)


def test_a_limit_that_reaches_what_counts_as_a_push_is_refused():
    with pytest.raises(ConfigError, match="limit"):
        with_settings(load_run("quadruped_mpc"), ("planner.trim.limit=0.25",))


def test_who_is_to_creep_is_told_little():
    """Though it lags by far more than it is to go."""
    robot = Lagging([0.04, 0.0, 0.0], seconds=2.0)
    robot.go(WALK, 15.0)
    np.testing.assert_allclose(robot.trim.told(CREEP), 1.25 * CREEP, atol=1e-5)


def test_who_turns_on_the_spot_is_kept_from_drifting_aside():
    robot = Lagging([0.03, -0.02, 0.0], seconds=2.0)
    np.testing.assert_allclose(robot.go(np.array([0.0, 0.0, 0.5]), 15.0), [0.0, 0.0, 0.5], atol=0.002)


def test_creeping_teaches_no_more_than_it_may_be_told_and_takes_nothing_away():
    fresh, walked = Lagging([0.04, 0.0, 0.0], seconds=2.0), Lagging([0.04, 0.0, 0.0], seconds=2.0)
    walked.go(WALK, 15.0)
    for robot in (fresh, walked):
        robot.go(CREEP, 15.0)
    np.testing.assert_allclose(fresh.trim.told(WALK), WALK + [0.00125, 0.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(walked.trim.told(WALK), WALK + [0.04, 0.0, 0.0], atol=0.003)


def test_a_velocity_that_is_not_finite_changes_nothing():
    robot, other = Lagging([0.04, 0.0, 0.0], seconds=2.0), Lagging([0.04, 0.0, 0.0], seconds=2.0)
    for each in (robot, other):
        each.go(WALK, 5.0)
    robot.trim.note(WALK, np.array([0.3, np.nan, np.inf]), DT)
    np.testing.assert_array_equal(robot.trim.told(WALK), other.trim.told(WALK))
    np.testing.assert_array_equal(robot.go(WALK, 15.0), other.go(WALK, 15.0))


def test_a_lower_limit_holds_at_once_also_while_the_command_moves():
    robot = Lagging([0.04, 0.0, 0.0], seconds=2.0)
    robot.go(WALK, 15.0)
    for limit in (0.02, 0.0):
        robot.trim.configure(TrimConfig(seconds=2.0, limit=limit))
        np.testing.assert_allclose(robot.trim.told(FAST) - FAST, [limit, 0.0, 0.0], atol=1e-5)


def test_turned_off_and_on_again_it_begins_anew():
    robot = Lagging([0.04, 0.0, 0.0], seconds=2.0)
    robot.go(WALK, 15.0)
    robot.trim.configure(TrimConfig(seconds=0.0))
    np.testing.assert_array_equal(robot.trim.told(WALK), WALK)
    robot.trim.configure(TrimConfig(seconds=2.0))
    np.testing.assert_array_equal(robot.trim.told(WALK), WALK)


def test_what_is_added_is_said():
    robot = Lagging([0.04, -0.02, 0.0], seconds=2.0)
    robot.go(WALK, 15.0)
    said, added = robot.trim.diagnostics(WALK), robot.trim.told(WALK) - WALK
    assert said == pytest.approx(dict(zip(("trim_vx", "trim_vy", "trim_wz"), added, strict=True)))
    assert not any(robot.trim.diagnostics(np.zeros(3)).values())
    assert robot.trim.diagnostics(np.zeros(0)) == {}  # of a task that has a goal


def test_who_is_to_stand_is_told_to_stand_and_learns_nothing_from_it():
    robot = Lagging([0.04, 0.0, 0.0], seconds=2.0)
    robot.go(WALK, 15.0)
    before = robot.trim.told(WALK)
    robot.go(np.zeros(3), 5.0)
    assert not robot.trim.told(np.zeros(3)).any()
    np.testing.assert_array_equal(robot.trim.told(WALK), before)


def test_a_command_that_is_still_changing_is_not_held_against_the_robot():
    trim = Trim(TrimConfig(seconds=2.0))
    for k in range(200):
        command = WALK + [0.001 * k, 0.0, 0.0]
        trim.note(command, command - [0.1, 0.0, 0.0], DT)
    np.testing.assert_array_equal(trim.told(WALK), WALK)


def test_a_push_counts_for_little():
    trim = Trim(TrimConfig(seconds=2.0))
    for _ in range(round(SETTLE / DT) + 1):
        trim.note(WALK, WALK, DT)
    trim.note(WALK, WALK - [5.0, 0.0, 0.0], DT)
    assert 0 < trim.told(WALK)[0] - WALK[0] <= 0.005 + 1e-9


def test_after_a_fall_nothing_is_added():
    robot = Lagging([0.04, 0.0, 0.0], seconds=2.0)
    robot.go(WALK, 15.0)
    robot.trim.forget()
    np.testing.assert_array_equal(robot.trim.told(WALK), WALK)


# In an agent


def stands_still(steps, followed=True, **trim):
    """An agent whose robot was told to walk, slowly, and does not move."""
    agent = Agent(GO1, PlannerConfig(planner="prior", learning=False, trim=TrimConfig(**trim)))
    for k in range(steps):
        agent.act(standing(20 * k, GO1), SLOWLY)
        told = Action.FOLLOW if followed else Action.HOLD
        agent.note_applied(round(20e6) * k, np.asarray(GO1.stance), told)
    return agent


def test_a_robot_that_stays_behind_is_planned_for_as_if_more_were_commanded():
    agent = stands_still(200)
    assert agent.search.situation.command[0] == pytest.approx(0.10)  # by a quarter
    assert agent.command[0] == pytest.approx(0.08)  # which is what goes with its transitions


def test_nothing_is_added_while_the_guard_does_not_follow():
    agent = stands_still(100, followed=False)
    assert agent.search.situation.command[0] <= 0.08 + 1e-6


def test_while_no_plan_is_found_time_counts_once(monkeypatch):
    """However often it was tried in between."""

    def after(tries):
        agent = stands_still(40)
        before = agent.trim.added(SLOWLY)[0]
        agent.configure(replace(agent.config, trim=TrimConfig(seconds=60.0)))
        with monkeypatch.context() as patch:
            patch.setattr(agent, "_decide", lambda elapsed: NoPlan("none"))
            for k in tries:
                assert isinstance(agent.act(standing(20 * k, GO1), SLOWLY), NoPlan)
        assert agent.trim.added(SLOWLY)[0] == before
        agent.act(standing(20 * 50, GO1), SLOWLY)
        return agent.trim.added(SLOWLY)[0] - before

    assert after(range(40, 50)) == after([]) == pytest.approx(11 * DT / 60 * SLOWLY[0])


def test_a_task_without_a_goal_needs_a_base(monkeypatch):
    class Task:
        command_size, goal = 3, None

        def __init__(self, layout):
            pass

    monkeypatch.setattr(tasks, "the", lambda kind, name: SimpleNamespace(Task=Task))
    with pytest.raises(ConfigError, match="'cartpole' has no goal but to follow .* cartpole has no base"):
        Agent(CARTPOLE, PlannerConfig(robot="cartpole", task="cartpole", action_map="joint"))


def test_it_can_be_turned_off_as_the_robot_walks():
    agent = stands_still(100)
    agent.configure(replace(agent.config, trim=TrimConfig(seconds=0.0)))
    agent.act(standing(2000, GO1), SLOWLY)
    assert agent.search.situation.command[0] == pytest.approx(0.08)


def test_a_gap_forgets_it():
    agent = stands_still(100)
    agent.act(standing(60_000, GO1), SLOWLY)
    assert agent.search.situation.command[0] <= 0.08 + 1e-6


def loaded_walk(command, seconds):
    """With 3 kg on its back and the gait alone, once it walks as it will: mean velocity (3,), and m/s off."""
    settings = ("planner.planner=prior", "planner.learning=false", f"planner.trim.seconds={seconds}")
    run = with_settings(load_run("quadruped_mpc"), settings)
    session, score, velocities = (
        Session(run, MujocoBackend(GO1, 0), Agent(GO1, run.planner)),
        TrackingScore(settle=5.0),
        [],
    )
    loaded(3.0)(session)
    for _ in range(round(9.0 / GO1.dt)):
        truth = session.step(np.array(command)).truth
        velocities.append((*truth.base.linear_velocity_body[:2], truth.base.angular_velocity_body[2]))
        score.add(truth.stamp_ns * 1e-9, command, velocities[-1])
    return np.mean(velocities[-round(4 * STRIDE / GO1.dt) :], 0), score.summary()["velocity_error"]


def test_under_a_load_the_quadruped_goes_as_commanded():
    (_, trimmed), (_, untrimmed) = (loaded_walk((0.4, 0.0, 0.0), seconds) for seconds in (2.0, 0.0))
    assert trimmed < 0.5 * untrimmed


@pytest.mark.parametrize("command", [(0.4, 0.0, 0.0), (-0.3, 0.0, 0.0), (0.0, 0.2, 0.0), (0.0, 0.0, 0.5)])
def test_a_load_pulls_the_same_way_whatever_the_command(command):
    """Which is why what is added is kept from one command to the next."""
    velocity, _ = loaded_walk(command, seconds=0.0)
    assert -0.045 < velocity[0] - command[0] < -0.03
