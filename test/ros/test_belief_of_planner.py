"""States that no robot can be in come to the planner: they are left out and named, and cost no model."""

import numpy as np
import pytest
from graph import Graph
from planner_alone import SAYS_NOTHING, PlannerAlone
from robot_stub import RobotStub
from weights import shipped

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.status import OK, WARN, values_of
from mbrl_ros.robots.spec import load_robot

ROBOT = load_robot("go1_like")


@pytest.fixture
def closing(domain):
    """Whatever it is given is closed in the end."""
    opened = []
    yield lambda one: opened.append(one) or one
    for one in opened:
        one.close()


def odometry_gone_mad(joints, imu, odom):
    odom.twist.twist.linear.x = 1e25


def gyro_gone_mad(joints, imu, odom):
    imu.angular_velocity.y = 1e25


def stood(planner, plan):
    return np.array_equal(plan.targets, np.tile(planner.spec.stance, (len(plan.targets), 1)))


def test_states_that_no_robot_can_be_in_are_stood_through_and_not_held_against_the_model(tmp_path, closing):
    planner = closing(PlannerAlone(tmp_path))
    first = shipped()[1].version
    planner.steps(5)
    for spoil in (odometry_gone_mad, gyro_gone_mad):
        assert all(stood(planner, planner.step(spoil)) for _ in range(10))
    planner.steps(2)
    assert not stood(planner, planner.step()) and planner.step().model == first
    said = planner.graph.said_anew("planner")
    assert (said["state_base_speed"], said["state_far_off"], said["no_plans"]) == ("10", "10", "0")
    assert said["model_version"] == str(first) and said["swaps"] == "0"
    planner.probe.until(lambda: planner.graph.transitions[-1].stamp_ns > 22 * ROBOT.dt_ns, "a step after it")
    for transition in planner.graph.transitions:
        assert max(np.abs(transition.state).max(), np.abs(transition.next_state).max()) < 100.0


def test_states_that_no_robot_can_be_in_are_named_and_not_planned_from_in_real_time(tmp_path, closing):
    graph = closing(Graph("quadruped_mpc", tmp_path, mode="stand", model="scratch", learner=False))
    robot = RobotStub(graph.probe, ROBOT)
    graph.start("planner")
    robot.until(lambda: graph.plans, "a plan")
    said = graph.probe.collect(topics.DIAGNOSTICS, lambda message: message.status[0])
    robot.spoil = odometry_gone_mad
    robot.until(lambda: said and "not planned from: odom at" in said[-1].message, "a warning")
    assert said[-1].level == WARN
    graph.probe.spin(SAYS_NOTHING)  # plans of what came before
    plans = len(graph.plans)
    refused = int(graph.said_anew("planner")["state_base_speed"])
    robot.until(lambda: int(values_of(said[-1])["state_base_speed"]) > refused, "more of them")
    assert len(graph.plans) == plans
    robot.spoil = None
    robot.until(lambda: len(graph.plans) > plans and said[-1].level == OK, "plans again")
