"""`mbrl bench planners`: sampling, the gradient, and following a plan for longer than a step."""

from __future__ import annotations

from dataclasses import replace

import torch

from mbrl_ros.bench.planners_drives import configured, drive, learned
from mbrl_ros.dynamics.analytic import AnalyticModel
from mbrl_ros.known import the
from mbrl_ros.learning.models import load_model
from mbrl_ros.planners.problem import Problem
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.settings import PlannerConfig

SECONDS = {"pendulum": 5.0, "cartpole": 5.0, "car": 3.0}  # of a drive from the start
OPEN = {"pendulum": 60, "cartpole": 75}  # steps that are planned once
PRACTICE = {"pendulum": 20.0, "car": 25.0}  # s, that the model has learned from
ROLLOUTS, ROUNDS = 240, 4  # a plan; those who refine have a quarter in each round
REFINING = ("mppi", "cem", "icem")


def model_of(robot: str, seed: int):
    """The car's own law; of the pendulum what it has learned from nothing, of the cartpole what is shipped."""
    spec = load_robot(robot)
    if robot == "car":
        return AnalyticModel(spec)
    if robot == "pendulum":
        return learned("pendulum_mpc", PRACTICE[robot], seed)
    return load_model("pretrained", "cartpole_mpc", FeatureLayout(spec))[0]


def open_loop(seed: int) -> dict[str, float]:
    """Mean reward a step of plans made anew at every step, less that of one plan for all of the drive."""
    found = {}
    for robot, horizon in OPEN.items():
        run = configured(f"{robot}_mpc", "mppi", horizon=horizon, samples=ROLLOUTS, iterations=2)
        spec, model = load_robot(robot), model_of(robot, seed)
        seconds = horizon * spec.dt
        again = drive(run, model, seconds, seed).reward
        once = drive(run.with_setting("planner.replan_every", horizon), model, seconds, seed).reward
        found[f"open loop, {robot}: reward a step lost by planning once"] = again - once
    return found


def sampling(seed: int) -> dict[str, float]:
    """Mean reward a step less that of hard shooting, every rollout of a plan counted; what a plan of carts is worth."""
    found = {}
    for robot, seconds in SECONDS.items():
        model, name = model_of(robot, seed), f"{robot}_mpc"
        shot = drive(configured(name, "shooting", samples=ROLLOUTS), model, seconds, seed)
        found[f"{robot}, shooting: reward a step"] = shot.reward
        for planner in REFINING:
            run = configured(name, planner, samples=ROLLOUTS // ROUNDS, iterations=ROUNDS)
            driven = drive(run, model, seconds, seed)
            if driven.steps > shot.steps:
                raise RuntimeError(f"{planner} had {driven.steps} steps of the model, shooting {shot.steps}")
            found[f"beyond shooting, {robot}, {planner}: reward a step"] = driven.reward - shot.reward
    shot = _carts("shooting", ROLLOUTS, seed)
    for planner in REFINING:
        gained = _carts(planner, ROLLOUTS // ROUNDS, seed, iterations=ROUNDS) - shot
        found[f"beyond shooting, carts, {planner}: worth of a plan"] = gained
    return found


def gradient(seed: int) -> dict[str, float]:
    """Return of the gradient planner, CEM's is 1; and the steps of the model, and the processor's time, likewise."""
    found = {}
    for what, robot in (("car, known", "car"), ("car, learned", "car"), ("pendulum, learned", "pendulum")):
        model = model_of(robot, seed) if what != "car, learned" else learned("car_mpc", PRACTICE["car"], seed)
        sampled, few = (100, {"restarts": 1}) if what == "car, known" else (500, {"restarts": 2})
        name, seconds = f"{robot}_mpc", SECONDS[robot]
        cem = drive(configured(name, "cem", samples=sampled, iterations=ROUNDS), model, seconds, seed)
        climbed = drive(configured(name, "gradient", iterations=5, **few), model, seconds, seed)
        found[f"gradient, {what}: return, CEM's is 1"] = climbed.reward / cem.reward
        found[f"gradient, {what}: steps of the model, CEM's are 1"] = climbed.steps / cem.steps
        found[f"{what}: ms a plan, CEM's are 1"] = climbed.ms / cem.ms
    return found


def _carts(planner: str, samples: int, seed: int, horizon: int = 20, size: int = 4, **settings) -> float:
    """What one plan from nothing is worth: carts that a force of at most 1 brings to where they should be."""

    def returns(forces: torch.Tensor) -> torch.Tensor:
        speed = 0.1 * forces.cumsum(1)
        place = 0.1 * speed.cumsum(1)
        return -((place - 0.6).square() + 0.02 * speed.square() + 0.01 * forces.square()).sum((1, 2))

    bounds = torch.tensor([[-1.0] * size, [1.0] * size])
    problem = Problem(returns, bounds, torch.full((size,), 0.5), torch.zeros(horizon, size), samples)
    config = replace(PlannerConfig(planner=planner).search, horizon=horizon, knot_steps=3, **settings)
    generator = torch.Generator().manual_seed(seed)
    return float(returns(the("planner", planner).plan(config, problem, problem.prior, generator).actions[None]))
