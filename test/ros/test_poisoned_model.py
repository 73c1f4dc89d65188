"""A model whose weights are wrong, and whose card is right: it is not flown, or not for long."""

import pytest
from geometry_msgs.msg import Twist, Vector3
from graph import Graph
from weights import numbered, scaled, shipped

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.learning import bytes_message
from mbrl_ros.nodes.messages.status import values_of

FIRST, BAD, GOOD = shipped()[1].version, 102, 103
FORWARDS = Twist(linear=Vector3(x=0.5))
ROLLED_BACK_WITHIN = 0.5  # s of robot time


@pytest.fixture
def walking(tmp_path, domain):
    graphs = []

    def build(**options):
        options = {"learner": False, "lockstep": True, "settings": ("planner.command_timeout=1000.0",), **options}
        graph = Graph("quadruped_mpc", tmp_path, **options)
        graphs.append(graph)
        models, cmd_vel = (graph.probe.publisher(topic) for topic in (topics.MODEL, topics.CMD_VEL))
        graph.start("planner")
        graph.probe.until_connected(models, cmd_vel)
        cmd_vel.publish(FORWARDS)
        return graph, models

    yield build
    for graph in graphs:
        graph.close()


def refused(graph):
    return f"refused {BAD}" in values_of(graph.model_status[-1])


def test_poisoned_model_that_comes_while_the_robot_walks_is_never_flown(walking):
    graph, models = walking()
    graph.start("bridge", "guard")
    graph.until_steps(150)
    graph.until(lambda: any(s.base.linear_velocity_body[0] > 0.3 for s in graph.states.values()), "a robot that walks")
    models.publish(bytes_message(numbered(BAD, scaled(3.0))))
    graph.until(lambda: graph.model_status and refused(graph), "the refusal")
    assert f"refused model {BAD}: on the newest 50 steps" in graph.model_status[-1].message
    graph.until_steps(25)
    assert BAD not in {plan.model for plan in graph.plans}
    models.publish(bytes_message(numbered(GOOD)))
    graph.until(lambda: graph.plans[-1].model == GOOD, "the good one")


@pytest.mark.parametrize("factor, reason", [(3.0, "no candidate has a finite score"), (1.5, "one-step error")])
def test_poisoned_model_that_is_flown_is_rolled_back_within_half_a_second(walking, factor, reason):
    """It comes before the robot has done anything that it could be judged on."""
    graph, models = walking()
    models.publish(bytes_message(numbered(BAD, scaled(factor))))
    graph.start("bridge", "guard")
    graph.until(lambda: graph.model_status and refused(graph), "the refusal")
    assert f"back from model {BAD} to {FIRST}: {reason}" in graph.model_status[-1].message
    graph.until_steps(50)
    flown = [plan for plan in graph.plans if plan.model == BAD]
    assert flown or factor == 3.0, "whose plans are not finite never leaves the planner"
    assert len(flown) * graph.spec.dt < ROLLED_BACK_WITHIN
    assert graph.plans[-1].model == FIRST
    assert not [event for event in graph.events if event.name == "fall"]
