"""The planner's order in lockstep: what a state waits for before it is planned from."""

import numpy as np
import pytest

from mbrl_ros.nodes.lockstep import Turns
from mbrl_ros.types import RobotState

DT = 20_000_000


class Learner:
    """Done when it is told to be; asked again once it has answered."""

    def __init__(self):
        self.done, self.again = False, None

    def ready(self, again):
        self.again = again
        return self.done


class Order:
    def __init__(self, **options):
        self.log = []
        self.turns = Turns(
            DT, lambda state: self._note("in", state), lambda state: self._note("plan", state), **options
        )

    def _note(self, what, state):
        self.log.append((what, state.stamp_ns // DT))

    def state(self, k):
        """The log of what it brings about, here and below."""
        return self._news(lambda: self.turns.state(RobotState(k * DT, np.zeros(2), np.zeros(2))))

    def applied(self, k):
        return self._news(lambda: self.turns.applied(k * DT))

    def _news(self, act):
        known = len(self.log)
        act()
        return self.log[known:]


def test_a_state_waits_until_what_was_applied_in_the_step_before_is_known():
    order = Order()
    assert order.state(0) == [("in", 0), ("plan", 0)]
    assert order.state(1) == []
    assert order.applied(0) == [("in", 1), ("plan", 1)]
    assert order.applied(1) == []
    assert order.state(2) == [("in", 2), ("plan", 2)]


def test_a_repeated_state_is_planned_from_again_and_taken_in_once():
    order = Order()
    order.state(0)
    assert order.state(0) == [("plan", 0)]
    assert order.state(1) == order.state(1) == []
    assert order.applied(0) == [("in", 1), ("plan", 1)]


def test_after_a_gap_or_a_new_beginning_of_robot_time_nothing_is_waited_for():
    order = Order()
    order.state(0)
    assert order.state(5) == [("in", 5), ("plan", 5)]
    assert order.state(1) == [("in", 1), ("plan", 1)]
    assert order.state(2) == []
    assert order.applied(1) == [("in", 2), ("plan", 2)]


def test_a_state_repeated_while_the_learner_is_busy_is_taken_in_once():
    learner = Learner()
    order = Order(learner=learner)
    assert order.state(0) == [("in", 0)]
    assert order.state(0) == order.state(0) == []
    learner.done = True
    assert order.state(0) == [("plan", 0)]


@pytest.mark.parametrize("word", ["again", "model"])
def test_a_state_waits_for_the_learner_and_is_taken_in_before(word):
    learner = Learner()
    order = Order(learner=learner)
    assert order.state(0) == [("in", 0)]
    assert order._news(order.turns.go_on) == []
    learner.done = True
    assert order._news(learner.again if word == "again" else order.turns.go_on) == [("plan", 0)]


def test_a_late_answer_to_a_state_that_was_given_up_plans_nothing():
    learner = Learner()
    order = Order(learner=learner)
    order.state(0)
    learner.done, order.turns.waiting = True, None
    assert order._news(learner.again) == []
