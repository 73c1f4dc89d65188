"""Every experiment of `mbrl bench planners` runs, with hardly any training, and what it measures is measured."""

import math

import numpy as np
import pytest
import torch

from mbrl_ros.bench import planners_car, planners_drives, planners_policy, planners_rover, planners_search
from mbrl_ros.bench.planners import EXPERIMENTS
from mbrl_ros.bench.planners_drives import DIFFERENTIATED, Counted, configured, drive
from mbrl_ros.dynamics.analytic import AnalyticModel
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.types import CHANGED, Action

CAR = load_robot("car")


@pytest.fixture
def hardly(monkeypatch):
    """Small networks that have learned nothing, drives of a few steps."""

    def unlearned(name, seconds, seed, settings=()):
        return new_ensemble(EnsembleConfig(members=2, width=8), FeatureLayout(load_robot(name.split("_")[0])), seed)

    for module in (planners_car, planners_search, planners_rover):
        monkeypatch.setattr(module, "learned", unlearned)
    monkeypatch.setattr(planners_search, "SECONDS", {"pendulum": 0.15, "cartpole": 0.12, "car": 0.15})
    monkeypatch.setattr(planners_search, "ROLLOUTS", 120)
    monkeypatch.setattr(planners_search, "FRUGAL", (200, 120))
    for module in (planners_car, planners_policy, planners_rover):
        monkeypatch.setattr(module, "SECONDS", 0.5)
    monkeypatch.setattr(planners_search, "DRIVES", {"pendulum": 1, "cartpole": 1, "car": 1})
    monkeypatch.setattr(planners_search, "OPEN", {"pendulum": 3, "cartpole": 3})
    monkeypatch.setattr(planners_car, "SAMPLES", 20)
    monkeypatch.setattr(planners_car, "BRIEF", 0.1)
    monkeypatch.setattr(planners_rover, "TREE", {"samples": 16, "horizon": 4, "batch": 16})
    monkeypatch.setattr(planners_rover, "PLAIN", {"samples": 16, "horizon": 4, "simulation": "random", "follow": 0.0})
    monkeypatch.setattr(planners_rover, "STRENGTHS", (10, 16))
    monkeypatch.setattr(planners_rover, "SHOTS", {"samples": 16, "horizon": 4, "knot_steps": 2})
    for name in ("MAPS", "SOME"):
        monkeypatch.setattr(planners_rover, name, 1)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_finite_figures_with_hardly_any_training(name, hardly):
    figures = EXPERIMENTS[name](0)
    assert figures and all(math.isfinite(value) for value in figures.values())


def test_steps_of_a_model_are_counted_and_those_with_a_gradient_as_three():
    model, states, actions = Counted(AnalyticModel(CAR)), torch.zeros(1, 4, 11), torch.zeros(1, 4, 5, 2)
    model.rollout(states, actions)
    assert model.steps == 4 * 5
    model.differentiable_rollout(states, actions)
    assert model.steps == 4 * 5 * (1 + DIFFERENTIATED)


def test_a_plan_costs_as_many_steps_as_it_has_rollouts():
    run = configured("car_mpc", "cem", samples=20, iterations=3, horizon=6)
    driven = drive(run, AnalyticModel(CAR), 0.2, seed=0)
    assert driven.steps == 20 * 3 * 6
    assert driven.reached.shape == (4, 11) and driven.outside == 0


def test_the_guard_has_nothing_to_clip_where_a_car_starts_as_fast_as_it_may():
    driven = drive(configured("car_mpc", "mppi", samples=60), AnalyticModel(CAR), 1.0, seed=0)
    assert driven.changed == 0 and Action.CLIP in CHANGED
    gained = np.diff(driven.reached[:, 4].numpy())
    assert gained.max() > 0.2, "it did start"


def test_a_tree_drives_the_rover_through_the_ordinary_agent():
    settings = {"samples": 96, "horizon": 16, "knot_steps": 4}
    driven = planners_rover.one("mcts", settings, 2)
    assert planners_rover.arrived(driven)


def test_a_car_with_a_slower_motor_is_no_faster():
    spec = planners_car.at_most(2.0)
    assert spec.target_limits[1][0] == 2.0 and CAR.target_limits[1][0] == 3.0
    assert float(planners_car.steered(spec, 2.0, seed=0)[:, 4].max()) < 2.1


def test_what_is_learned_is_learned_by_driving():
    model = planners_drives.learned(
        "rover_mpc", 3.0, 0, ("learner.first_seconds=2.5", "learner.first_steps=3", "planner.mode=explore")
    )
    assert model.members == 5


def test_a_planner_without_a_section_of_its_own_is_set_by_that_of_mppi():
    """As one that was only added to known.PLANNERS."""
    planner = configured("car_mpc", "prior", samples=40, horizon=7).planner
    assert planner.planner == "prior" and planner.search is planner.mppi
    assert (planner.mppi.samples, planner.mppi.horizon) == (40, 7)
