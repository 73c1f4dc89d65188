"""Robot, agent, guard and learner stepped together: what becomes of each step, and of a fall."""

import numpy as np
import pytest
from learning_driver import GO1

from mbrl_ros.backends.mujoco import MujocoBackend
from mbrl_ros.control.agent import Agent
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.session import NeverPlanned, Session
from mbrl_ros.planners.problem import NoPlan
from mbrl_ros.runs import load_run, with_settings
from mbrl_ros.types import Action, Flag

WALK = np.array([0.3, 0.0, 0.0])


class Kept(Learner):
    """Keeps what it was given, in order, and never trains."""

    def __init__(self, spec, config):
        super().__init__(spec, config)
        self.given = []

    def add(self, transition):
        self.given.append(transition)
        super().add(transition)

    def due(self):
        return False


def build(*settings):
    run = with_settings(load_run("quadruped_mpc"), ("planner.planner=prior", "planner.learning=false", *settings))
    learner = Kept(GO1, run.learner)
    return Session(run, MujocoBackend(GO1, 0), Agent(GO1, run.planner), learner), learner


@pytest.fixture(scope="module")
def fallen():
    """Walks for 3 s, is knocked over, and walks on for 3 s."""
    session, learner = build()
    actions = [session.step(WALK).action for _ in range(150)]
    session.backend.push(np.array([0.0, 6.0, 0.0]))
    outcome = session.step(WALK)
    while not outcome.fell:
        outcome = session.step(WALK)
    actions += [session.step(WALK).action for _ in range(150)]
    return learner.given, actions


def test_the_guard_fades_in_and_then_follows_every_plan():
    session, _ = build()
    actions = [session.step(WALK).action for _ in range(200)]
    faded = actions.index(Action.FOLLOW)
    assert faded * GO1.dt <= GO1.gate.fade_in + 0.1
    assert set(actions[faded:]) == {Action.FOLLOW}
    assert session.following


def test_every_step_becomes_one_transition_with_what_was_applied_and_the_command():
    session, learner = build()
    followed = []
    for k in range(150):
        session.step(np.array([0.003 * k, 0.0, 0.0]))
        followed.append(session.agent.command[0])
    given = learner.given
    assert followed[-1] > 0.4  # once the guard followed the plan
    assert len(given) == 149  # the last step is not over before the next state
    assert [t.sequence for t in given] == list(range(149))
    assert np.diff([t.stamp_ns for t in given]).tolist() == [GO1.dt_ns] * 148
    np.testing.assert_allclose([t.command[0] for t in given], followed[:-1])
    for earlier, later in zip(given, given[1:], strict=False):
        np.testing.assert_array_equal(earlier.next_state, later.state)


def test_the_step_of_a_fall_is_learned_from(fallen):
    given, _ = fallen
    ends = [t for t in given if t.terminal]
    assert len(ends) == 1
    assert ends[0].reward < -50


def test_no_transition_reaches_across_the_standing_up(fallen):
    given, _ = fallen
    end = next(i for i, t in enumerate(given) if t.terminal)
    assert given[end + 1].stamp_ns - given[end].stamp_ns > 1.5 * GO1.dt_ns
    assert not given[end + 1].terminal
    assert [t.sequence for t in given] == list(range(len(given)))


def test_after_a_fall_the_guard_fades_in_again_and_follows(fallen):
    _, actions = fallen
    after = actions[-150:]
    faded = after.index(Action.FOLLOW)
    assert 0 < faded * GO1.dt <= GO1.gate.fade_in + 0.1
    assert set(after[faded:]) == {Action.FOLLOW}


def test_held_steps_are_flagged(fallen):
    given, actions = fallen
    held = [bool(t.flags & Flag.HELD) for t in given]
    assert held[0] == (actions[0] is not Action.FOLLOW)
    assert not held[-1]


def test_the_same_seed_gives_the_same_run():
    def run():
        session, learner = build("planner.planner=mppi", "planner.learning=true", "seed=3")
        for _ in range(40):
            session.step(WALK)
        return np.stack([t.next_state for t in learner.given])

    np.testing.assert_array_equal(run(), run())


def test_begun_anew_on_request_it_loses_no_step_and_bridges_none():
    session, learner = build()
    for again in (False, True):
        if again:
            session.restart()
        for _ in range(10):
            session.step(WALK)
    gaps = np.diff([t.stamp_ns for t in learner.given])
    assert len(learner.given) == 10 + 9
    assert np.flatnonzero(gaps != GO1.dt_ns).tolist() == [9]
    assert gaps[9] > 1.5 * GO1.dt_ns


def without_plans(session, steps):
    """The agent has none in so many steps, each time for another reason."""
    act, left = session.agent.act, iter(range(steps))

    def none(*given):
        plan = act(*given)
        return plan if (number := next(left, None)) is None else NoPlan(f"reason {number}")

    session.agent.act = none


def test_steps_without_a_plan_are_counted_and_the_last_reason_is_kept():
    session, _ = build()
    without_plans(session, 3)
    for _ in range(5):
        session.step(WALK)
    assert (session.no_plans, session.steps, session.why_no_plan) == (3, 5, "reason 2")
    session.check_planned()


def test_a_drive_without_any_plan_is_nothing_to_judge():
    session, _ = build()
    session.check_planned()  # nothing was done yet
    without_plans(session, 5)
    for _ in range(5):
        session.step(WALK)
    with pytest.raises(NeverPlanned, match="planner prior had no plan in any of 5 steps.*reason 4"):
        session.check_planned()
