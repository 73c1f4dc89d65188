"""Robots driven through the law that moves them: each task can be done, and what makes it hard is there."""

import numpy as np
import pytest
import torch

from mbrl_ros.backends import new_backend
from mbrl_ros.dynamics.analytic import AnalyticModel
from mbrl_ros.learning.evaluating import driving
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run, with_settings
from mbrl_ros.tasks import make_task


def driven(name, seconds, *settings):
    """The task, what was reached step by step (T, S), and the falls."""
    run = with_settings(load_run(name), settings)
    spec = load_robot(run.planner.robot)
    session, reached, falls = driving(run, spec, AnalyticModel(spec), seed=0, noise=True), [], 0
    for _ in range(round(seconds / spec.dt)):
        outcome = session.step(np.zeros(0))
        reached.append(session.agent.layout.encode(outcome.truth))
        falls += outcome.fell
    return session.agent.task, torch.tensor(np.array(reached)), falls


def test_a_car_that_knows_itself_takes_the_curve_at_full_speed():
    task, reached, _ = driven("car_mpc", 3.5, "planner.mppi.samples=200")
    error, along, _ = task.beside(reached)
    assert error.abs().max() < 0.15 and not task.violation(reached).any()
    assert along[25:].mean() > 2.7
    assert reached[-1, 1] > 0.5, "the curve was reached"


def test_a_rover_that_knows_its_motions_comes_to_the_goal_between_the_obstacles():
    task, reached, falls = driven("rover_mpc", 10.0, "planner.mppi.samples=400")
    assert falls == 0
    assert task.at_goal(reached[-1])


def test_a_cart_that_knows_of_the_cliff_stops_on_the_crest():
    task, reached, falls = driven("cliff_mpc", 4.0, "planner.mppi.samples=200", "planner.mppi.horizon=20")
    assert falls == 0
    assert task.at_goal(reached[-20:]).all()


@pytest.mark.parametrize("torque", [-2.0, 2.0])
def test_a_pendulum_is_too_heavy_to_be_lifted_at_once(torque):
    spec = load_robot("pendulum")
    robot, layout = new_backend(spec, 0, noise=False), FeatureLayout(spec)
    task = make_task("pendulum", layout)
    states = torch.tensor(np.array([layout.encode(robot.step(np.array([torque]))) for _ in range(80)]))
    assert states[:, 0].max() < 0.0, "not even level"
    assert not task.at_goal(states).any()
