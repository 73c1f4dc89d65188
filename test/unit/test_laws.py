"""Laws of motion, against what the algebra says of them; and as a model, against the robots that they move."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from mbrl_ros.backends import new_backend
from mbrl_ros.dynamics.analytic import AnalyticModel, true_model
from mbrl_ros.dynamics.physics import PhysicsModel
from mbrl_ros.learning.evaluating import driving
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.laws import bicycle, hill, primitives
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run

CAR, CART, ROVER = (load_robot(name) for name in ("car", "cliff_cart", "rover"))


@pytest.mark.parametrize("spec", [CAR, CART, ROVER], ids=lambda spec: spec.name)
def test_the_model_foresees_what_the_robot_does(spec):
    robot, model, layout = new_backend(spec, 3, noise=False), AnalyticModel(spec), FeatureLayout(spec)
    low, high = spec.target_limits
    targets = np.random.default_rng(0).uniform(0.3 * low, 0.3 * high, (12, len(spec.actuated)))
    start = torch.tensor(layout.encode(robot.truth()))[None, None]
    foreseen = model.rollout(start, torch.tensor(targets, dtype=torch.float32)[None, None])[0, 0]
    came = np.stack([layout.encode(robot.step(target)) for target in targets])
    assert np.abs(came[-1] - came[0]).max() > 0.05
    np.testing.assert_allclose(foreseen.numpy(), came, atol=2e-4)


def test_the_true_model_is_the_law_where_there_is_one_and_physics_elsewhere():
    assert isinstance(true_model(CAR), AnalyticModel)
    assert isinstance(true_model(load_robot("pendulum")), PhysicsModel)


def test_a_car_that_keeps_its_wheels_turned_drives_on_a_circle():
    speed, steer = 1.5, 0.3
    motion = np.zeros(10)
    motion[6:8] = speed, steer
    radius = CAR.constant("wheelbase") / math.tan(steer)
    for _ in range(400):
        motion = bicycle.after(np, CAR, motion, np.array([speed, steer]), 0.01)
        assert math.hypot(motion[0], motion[1] - radius) == pytest.approx(radius, rel=1e-3)
    assert motion[2] == pytest.approx(4.0 * speed / radius, rel=1e-6)
    assert motion[5] == pytest.approx(speed / radius)


def test_neither_speed_nor_steering_changes_faster_than_the_robot_file_says():
    motion = np.zeros(10)
    after = bicycle.after(np, CAR, motion, np.array([3.0, 0.42]), 0.01)
    assert after[9] == CAR.joints[1].velocity == 2.5
    assert after[8] == pytest.approx(CAR.joints[0].kp * 3.0)


def test_the_slope_is_that_of_the_height_and_the_crest_is_where_it_is_level():
    x = np.linspace(-1.0, 5.0, 601)
    found = np.gradient(hill.height(np, CART, x), x)
    np.testing.assert_allclose(hill.slope(np, CART, x)[1:-1], found[1:-1], atol=3e-3)
    where, height = hill.crest(CART)
    assert hill.slope(np, CART, np.array(where)) == pytest.approx(0.0, abs=0.02)
    assert height > 0.15 and where < CART.constant("edge")


@pytest.mark.parametrize(("x", "falls"), [(2.2, False), (2.5, False), (3.0, True), (3.2, True)])
def test_behind_the_crest_there_is_a_place_from_which_no_force_leads_back(x, falls):
    robot = new_backend(replace(CART, constants={**CART.constants, "start": x}), 0, noise=False)
    for _ in range(60):
        robot.step(np.array([-6.0]))
    assert robot.fallen() == falls


def test_who_has_fallen_moves_no_more_until_reset():
    robot = new_backend(replace(CART, constants={**CART.constants, "start": 3.5}), 0, noise=False)
    robot.step(np.array([6.0]))
    assert robot.fallen()
    lying = robot.truth().joint_position
    assert robot.step(np.array([-6.0])).joint_position == pytest.approx(lying)


def test_an_arc_in_one_step_is_the_arc_in_many():
    start = np.array([0.3, -0.2, 0.7, 0.0, 0.0, 0.0, 0.0, 0.0])
    for number in range(len(ROVER.primitives)):
        target = np.array([number + 0.3])  # rounded
        once, often = primitives.after(np, ROVER, start, target, 0.25), start
        for _ in range(25):
            often = primitives.after(np, ROVER, often, target, 0.01)
        np.testing.assert_allclose(once, often, atol=1e-12)
        assert once[6] == number


@pytest.mark.parametrize(("law", "spec"), [(bicycle, CART), (hill, CAR), (primitives, CAR)])
def test_a_robot_that_a_law_does_not_fit_is_refused(law, spec):
    with pytest.raises(ValueError, match=spec.name):
        law.begun(spec, np.random.default_rng(0))


def test_a_number_that_the_robot_file_lacks_is_named():
    with pytest.raises(ValueError, match="constants.wheelbase"):
        replace(CAR, constants={}).constant("wheelbase")


@pytest.mark.parametrize("spec", [CAR, CART, ROVER], ids=lambda spec: spec.name)
def test_a_law_that_is_smooth_has_a_slope_and_one_that_rounds_offers_none(spec):
    """Of what is said to be smooth, a slightly other target leads elsewhere by what the slope says."""
    model, layout = AnalyticModel(spec), FeatureLayout(spec)
    assert hasattr(model, "differentiable_rollout") == (spec is not ROVER)
    if spec is ROVER:
        return
    start = torch.tensor(layout.encode(new_backend(spec, 0, noise=False).truth()))[None, None]
    targets = (0.05 * torch.ones(1, 1, 4, len(spec.actuated))).requires_grad_()
    reached = model.differentiable_rollout(start, targets)[..., -1, :].sum()
    (slope,) = torch.autograd.grad(reached, targets)
    other = model.rollout(start, (targets + 0.01 * slope.sign()).detach())[..., -1, :].sum()
    assert float(other - reached.detach()) == pytest.approx(0.01 * float(slope.abs().sum()), rel=0.1) and slope.any()


@pytest.mark.parametrize(
    "setting, planned", [({"planner.planner": "gradient"}, False), ({"planner.mppi.polish": 1}, True)]
)
def test_plans_through_a_law_without_a_slope_are_refused_or_left_as_they_are(setting, planned):
    """A rover's motions are chosen by number: ascent has no plan and a reason, and a plan is not polished."""
    run = load_run("rover_mpc").with_all({"planner.mppi.samples": 20, **setting})
    session = driving(run, ROVER, AnalyticModel(ROVER), seed=0, noise=False)
    session.step(np.zeros(0))
    assert (session.no_plans == 0) == planned
    assert planned or "needs a model with a gradient" in session.why_no_plan
