"""What is seen and told becomes transitions, shifted by the latency that is found in them."""

from dataclasses import replace

import numpy as np
import pytest
from gate_driver import GO1

from mbrl_ros.backends.mujoco import MujocoBackend
from mbrl_ros.control.agent import Agent
from mbrl_ros.control.experience import Experience
from mbrl_ros.settings import PlannerConfig
from mbrl_ros.types import Action, Event, Flag

CONFIG = PlannerConfig(planner="prior", learning=False, mode="explore", estimate_latency=True)
SECONDS = 16.0


def random_motion(latency, config):
    """Transitions of a robot that moves at random, and the agent that shifts them."""
    robot, agent = MujocoBackend(GO1, 0, True, latency), Agent(GO1, config)
    experience, transitions, sent = Experience(agent, start_ns=5), [], []
    rng, target = np.random.default_rng(0), GO1.stance
    for k in range(round(SECONDS / GO1.dt)):
        state = robot.measure()
        transitions += experience.state(state)
        target = GO1.stance + 0.8 * (target - GO1.stance) + 0.04 * rng.normal(size=12)
        transitions += experience.applied(state.stamp_ns, target, Action.FOLLOW, 1)
        sent.append(target)
        robot.step(target)
        assert not robot.fallen(), k
    return agent, transitions, sent


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_a_latency_in_the_robot_is_found_and_planned_by(steps):
    agent, transitions, sent = random_motion(steps * GO1.dt, CONFIG)
    assert agent.latency_steps == steps
    assert [t.sequence for t in transitions] == list(range(len(transitions)))
    anew = [t.sequence for t in transitions if Flag.ANEW in t.flags]
    assert len(anew) == (steps > 0)
    last = transitions[-1]
    np.testing.assert_allclose(last.action, sent[round(last.stamp_ns / GO1.dt_ns) - steps])


def test_where_nothing_is_to_be_estimated_the_latency_is_what_was_configured():
    config = replace(CONFIG, estimate_latency=False, latency=2 * GO1.dt)
    agent, transitions, sent = random_motion(0.0, config)
    assert agent.latency_steps == 2
    last = transitions[-1]
    np.testing.assert_allclose(last.action, sent[round(last.stamp_ns / GO1.dt_ns) - 2])


def test_no_transition_reaches_over_an_event():
    robot, experience = MujocoBackend(GO1, 0), Experience(Agent(GO1, CONFIG), start_ns=5)
    stamps = []
    for k in range(10):
        state = robot.measure()
        complete = experience.state(state)
        if k == 5:
            complete += experience.event(Event("reset", state.stamp_ns, ""))
        complete += experience.applied(state.stamp_ns, GO1.stance, Action.FOLLOW, 1)
        stamps += [t.stamp_ns // GO1.dt_ns for t in complete]
        robot.step(GO1.stance)
    assert 4 in stamps and 5 not in stamps and experience.sent == len(stamps)


def test_what_was_decided_in_doubt_is_marked():
    robot, agent = MujocoBackend(GO1, 0), Agent(GO1, replace(CONFIG, estimate_latency=False))
    experience, found = Experience(agent, start_ns=5), []
    for k in range(6):
        agent.trust.doubt = 1.0 if k == 3 else None
        state = robot.measure()
        found += experience.state(state)
        experience.note(state.stamp_ns, np.zeros(3), False)
        found += experience.applied(state.stamp_ns, GO1.stance, Action.FOLLOW, 1)
        robot.step(GO1.stance)
    assert [Flag.UNSURE in t.flags for t in found] == [False, False, False, True, False]
