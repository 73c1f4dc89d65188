"""A policy without delay: what it decides in a state is what the joints are told from that state on."""

import numpy as np
import pytest
from geometry_msgs.msg import Twist
from graph import Graph

from mbrl_ros.nodes import topics
from mbrl_ros.types import Action

STEPS = 250
SEEN = 20  # of them at least: a graph that nobody holds up is faster than who only listens
SETTINGS = ("planner.delay=0", "planner.command_timeout=1000.0")


@pytest.fixture(scope="module")
def walked(tmp_path_factory, domain):
    """In lockstep, STEPS steps far. Much may be lost on its way here."""
    graph = Graph(
        "quadruped_mpc", tmp_path_factory.mktemp("robot"), settings=SETTINGS, model="pretrained", mode="policy",
        learner=False, lockstep=True,
    )  # fmt: skip
    try:
        publisher = graph.probe.publisher(topics.CMD_VEL)
        graph.start("planner")
        graph.probe.until_connected(publisher)
        command = Twist()
        command.linear.x = 0.4
        publisher.publish(command)
        graph.start("guard")
        graph.probe.until_hears(topics.PLAN, topics.APPLIED)
        graph.start("bridge")
        graph.until_steps(STEPS)
        graph.mode = graph.said_anew("planner")["mode"]
        graph.probe.call(topics.SET_PAUSE, data=True)
        yield graph
    finally:
        graph.close()


def test_every_command_is_the_plan_of_that_very_state(walked):
    plans = {plan.stamp_ns: plan for plan in walked.plans}
    planned = {c.stamp_ns: c for c in walked.applied if c.plan_sequence >= 0 and c.stamp_ns in plans}
    followed = [command for command in planned.values() if command.action is Action.FOLLOW]
    assert walked.mode == "policy" and len(followed) > SEEN
    for stamp_ns, command in planned.items():
        assert command.plan_sequence == plans[stamp_ns].sequence and plans[stamp_ns].offsets_ns[0] == 0
    for command in followed:
        np.testing.assert_allclose(command.target, plans[command.stamp_ns].targets[0], atol=1e-12)


def test_what_is_learned_from_names_the_target_that_was_in_force_from_the_state_on(walked):
    told = {command.stamp_ns: command.target for command in walked.applied}
    followed = [t for t in walked.transitions if t.stamp_ns in told]
    assert len(followed) > SEEN
    for transition in followed:
        np.testing.assert_allclose(transition.action, told[transition.stamp_ns], atol=1e-12)


def test_robot_walks_where_it_is_told(walked):
    last = walked.states[max(walked.states)]
    assert last.base.position[0] > 0.5
    assert not [event for event in walked.events if event.name == "fall"]
