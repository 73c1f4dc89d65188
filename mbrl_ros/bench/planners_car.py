"""`mbrl bench planners`: a car where a PID leaves the road, and bounds of decisions and of the state."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from mbrl_ros.backends import new_backend
from mbrl_ros.bench.models_physics import law_found
from mbrl_ros.bench.planners_drives import configured, drive, learned
from mbrl_ros.dynamics.analytic import AnalyticModel
from mbrl_ros.known import PLANNERS
from mbrl_ros.policies.steering import GAINS, Pid
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import RobotSpec, load_robot
from mbrl_ros.runs import load_run
from mbrl_ros.search_settings import Counted
from mbrl_ros.settings import BoundsConfig, PlannerConfig

SPEEDS = 2.0, 3.0  # m/s
SECONDS = 5.0
PRACTICE = 40.0  # s of random motion, off the road and on it
LEARNED = (f"learner.first_seconds={PRACTICE - 0.5:g}", "learner.first_steps=6000", "planner.mode=explore")
BRIEF = 1.0  # s, in which every planner drives
SAMPLES = 200
SHORT_SIGHTED = 7  # steps ahead, too few to brake in
HORIZON = 10  # of those


def limit(seed: int) -> dict[str, float]:
    """Planned by the car's own law: path error, the PID's at the same speed is 1; steps off the road, and targets
    that the guard had to change."""
    return _at_the_limit(seed, "known", lambda spec: AnalyticModel(spec))


def limit_found(seed: int) -> dict[str, float]:
    """The same by the law with constants that were found in 10 s of random motion."""
    model = law_found(load_run("car_mpc"), seed)
    return _at_the_limit(seed, "constants found", lambda spec: model)


def limit_learned(seed: int) -> dict[str, float]:
    """The same by an ensemble that was learned from 40 s of random motion."""
    model = practised(seed)
    return _at_the_limit(seed, "learned", lambda spec: model)


def _at_the_limit(seed: int, which: str, model_of) -> dict[str, float]:
    found = {}
    for speed in SPEEDS:
        spec = at_most(speed)
        off = steered(spec, speed, seed)
        driven = drive(configured("car_mpc", "mppi", samples=SAMPLES), model_of(spec), SECONDS, seed, spec=spec)
        error, along, _ = driven.task.beside(driven.reached)
        beside, what = driven.task.beside(off)[0].abs().mean(), f"{which}, {speed:g} m/s"
        found[f"PID at {speed:g} m/s: steps off the road"] = float((driven.task.violation(off) > 0).sum())
        found[f"limit, error, {what}: the PID's is 1"] = float(error.abs().mean() / beside)
        found[f"limit, steps off the road, {what}"] = float((driven.task.violation(driven.reached) > 0).sum())
        found[f"limit, inputs out of bounds, {what}"] = float(driven.outside + driven.changed)
        found[f"targets slowed to what the joints may do, {what}: of the steps"] = driven.slowed / len(driven.reached)
        found[f"speed along the road, {what}: m/s"] = float(along[len(along) // 4 :].mean())
    return found


def constraints(seed: int) -> dict[str, float]:
    """Decisions beyond their bounds in all plans of every planner; steps off the road, by what leaving it costs."""
    found, spec = {}, load_robot("car")
    model = AnalyticModel(spec)
    for planner in PLANNERS:
        few = {"samples": 40} if isinstance(PlannerConfig(planner=planner).search, Counted) else {"iterations": 2}
        run = configured("car_mpc", planner, horizon=HORIZON, **few)
        found[f"constraints, decisions out of bounds, {planner}"] = float(drive(run, model, BRIEF, seed).outside)
    for what, least, most in (("nothing", 0.0, 0.0), ("a fixed weight", 1.0, 1.0), ("adaptive", 1.0, 1000.0)):
        run = configured("car_mpc", "mppi", samples=SAMPLES, horizon=SHORT_SIGHTED, knot_steps=3)
        run = replace(run, planner=replace(run.planner, bounds=BoundsConfig(least=least, most=most)))
        driven = drive(run, model, SECONDS, seed)
        beyond = driven.task.violation(driven.reached)
        found[f"{SHORT_SIGHTED} steps ahead, leaving the road costs {what}: steps off it"] = float((beyond > 0).sum())
        found[f"{SHORT_SIGHTED} steps ahead, leaving the road costs {what}: m off it at most"] = float(beyond.max())
    return found


def practised(seed: int):
    """The car's ensemble."""
    return learned("car_mpc", PRACTICE, seed, LEARNED)


def at_most(speed: float) -> RobotSpec:
    """The car with a motor that is no faster."""
    spec = load_robot("car")
    motor, steer = spec.joints
    return replace(spec, joints=(replace(motor, position=(motor.position[0], speed)), steer))


def steered(spec: RobotSpec, speed: float, seed: int, gains=None, seconds: float = SECONDS) -> torch.Tensor:
    """(T, S) where a PID drives at this speed; by the best gains for it where none are given."""
    layout = FeatureLayout(spec)
    car, pid, reached = new_backend(spec, seed + 1000, noise=True), Pid(layout, speed, *(gains or GAINS[speed])), []
    for _ in range(round(seconds / spec.dt)):
        car.step(pid(layout.encode(car.measure())))
        reached.append(layout.encode(car.truth()))
    return torch.from_numpy(np.array(reached))
