"""`mbrl bench planners`: sampling, the gradient, and following a plan for longer than a step."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from mbrl_ros.bench.planners_car import practised
from mbrl_ros.bench.planners_drives import configured, drive, learned
from mbrl_ros.dynamics.analytic import AnalyticModel
from mbrl_ros.known import the
from mbrl_ros.learning.models import load_model
from mbrl_ros.planners.problem import Problem
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.search_settings import Knotted
from mbrl_ros.settings import PlannerConfig

SECONDS = {"pendulum": 5.0, "cartpole": 5.0, "car": 2.5}  # of a drive from the start
OPEN_ROLLOUTS = 240
OPEN = {"pendulum": 60, "cartpole": 75}  # steps that are planned once
PRACTICE = 20.0  # s, that the pendulum's model has learned from
ROLLOUTS = 600  # a plan, of all rounds together
ROUNDS = {"mppi": 2, "cem": 4, "icem": 3}  # of those who refine: each has so many fewer in one
FRUGAL = 2000, 1000, 400, 200, 100  # rollouts of CEM that the gradient is held against
CARTS = 240  # likewise, where there is one plan from nothing
DRIVES = {"pendulum": 2, "cartpole": 3, "car": 1}  # a seed: when a swing-up succeeds is luck, too


def model_of(robot: str, seed: int):
    """The car's own law; of the pendulum what it has learned from nothing, of the cartpole what is shipped."""
    spec = load_robot(robot)
    if robot == "car":
        return AnalyticModel(spec)
    if robot == "pendulum":
        return learned("pendulum_mpc", PRACTICE, seed)
    return load_model("pretrained", "cartpole_mpc", FeatureLayout(spec))[0]


def open_loop(seed: int) -> dict[str, float]:
    """Mean reward a step of plans made anew at every step, less that of one plan for all of the drive."""
    found = {}
    for robot, horizon in OPEN.items():
        run = configured(f"{robot}_mpc", "mppi", horizon=horizon, samples=OPEN_ROLLOUTS, iterations=2)
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
        seeds = range(seed * DRIVES[robot], (seed + 1) * DRIVES[robot])
        shot = _driven(configured(name, "shooting", samples=ROLLOUTS), model, seconds, seeds)
        found[f"{robot}, shooting: reward a step"] = shot[0]
        for planner, rounds in ROUNDS.items():
            run = configured(name, planner, samples=ROLLOUTS // rounds, iterations=rounds)
            reward, steps = _driven(run, model, seconds, seeds)
            if steps > shot[1]:
                raise RuntimeError(f"{planner} had {steps} steps of the model, shooting {shot[1]}")
            found[f"beyond shooting, {robot}, {planner}: reward a step"] = reward - shot[0]
    shot = _carts("shooting", CARTS, seed)
    for planner, rounds in ROUNDS.items():
        gained = _carts(planner, CARTS // rounds, seed, iterations=rounds) - shot
        found[f"beyond shooting, carts, {planner}: worth of a plan"] = gained
    return found


def gradient(seed: int) -> dict[str, float]:
    """Return of the gradient planner, CEM's is 1; and the steps of the model, and the processor's time, likewise: the
    car by its own law, the pendulum by what it has learned."""
    car = _climbed("car, known", "car", model_of("car", seed), 100, 1, seed)
    return car | _climbed("pendulum, learned", "pendulum", model_of("pendulum", seed), 500, 2, seed)


def gradient_learned(seed: int) -> dict[str, float]:
    """The same for the car by what it has learned."""
    return _climbed("car, learned", "car", practised(seed), 500, 2, seed)


def gradient_frugal(seed: int) -> dict[str, float]:
    """What CEM earns with fewer and fewer rollouts, the gradient's return and steps of the model being 1."""
    found = {}
    for what, robot, restarts in (("car, known", "car", 1), ("pendulum, learned", "pendulum", 2)):
        name, seconds, model = f"{robot}_mpc", SECONDS[robot], model_of(robot, seed)
        climbed = drive(configured(name, "gradient", iterations=5, restarts=restarts), model, seconds, seed)
        for rollouts in FRUGAL:
            rounds = ROUNDS["cem"]
            cem = drive(configured(name, "cem", samples=rollouts // rounds, iterations=rounds), model, seconds, seed)
            label = f"{what}: CEM with {rollouts} rollouts"
            found[f"{label}, return, the gradient's is 1"] = cem.reward / climbed.reward
            found[f"{label}, steps of the model, the gradient's are 1"] = cem.steps / climbed.steps
    return found


def _climbed(what: str, robot: str, model, samples: int, restarts: int, seed: int) -> dict[str, float]:
    """`samples` of one of CEM's rounds."""
    name, seconds = f"{robot}_mpc", SECONDS[robot]
    cem = drive(configured(name, "cem", samples=samples, iterations=ROUNDS["cem"]), model, seconds, seed)
    climbed = drive(configured(name, "gradient", iterations=5, restarts=restarts), model, seconds, seed)
    return {
        f"gradient, {what}: return, CEM's is 1": climbed.reward / cem.reward,
        f"gradient, {what}: steps of the model, CEM's are 1": climbed.steps / cem.steps,
        f"{what}: ms a plan, CEM's are 1": climbed.ms / cem.ms,
    }


def _driven(run, model, seconds: float, seeds: range) -> tuple[float, float]:
    """Mean reward a step, and steps of the model a plan."""
    drives = [drive(run, model, seconds, seed) for seed in seeds]
    return tuple(float(np.mean([getattr(one, what) for one in drives])) for what in ("reward", "steps"))


def _carts(planner: str, samples: int, seed: int, horizon: int = 20, size: int = 4, **settings) -> float:
    """What one plan from nothing is worth: carts that a force of at most 1 brings to where they should be."""

    def returns(forces: torch.Tensor) -> torch.Tensor:
        speed = 0.1 * forces.cumsum(1)
        place = 0.1 * speed.cumsum(1)
        return -((place - 0.6).square() + 0.02 * speed.square() + 0.01 * forces.square()).sum((1, 2))

    bounds = torch.tensor([[-1.0] * size, [1.0] * size])
    problem = Problem(returns, bounds, torch.full((size,), 0.5), torch.zeros(horizon, size), samples)
    usual = PlannerConfig(planner=planner).search
    knots = {"knot_steps": 3} if isinstance(usual, Knotted) else {}
    config = replace(usual, horizon=horizon, **knots, **settings)
    generator = torch.Generator().manual_seed(seed)
    return float(returns(the("planner", planner).plan(config, problem, problem.prior, generator).actions[None]))
