"""`mbrl bench models`: constants of a known law, found in how a car has moved, and what the law lacks."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from mbrl_ros.backends import new_backend
from mbrl_ros.bench.models_toys import CAR_FILE, driven
from mbrl_ros.bench.seen import Seen
from mbrl_ros.control.agent import Agent
from mbrl_ros.dynamics.fitting import FitConfig, fit
from mbrl_ros.dynamics.kinds import ensemble, physics, residual
from mbrl_ros.known import the
from mbrl_ros.learning.evaluating import KEPT_SHARE, evaluate_goal
from mbrl_ros.learning.session import Session
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import RunConfig, load_run

FIT = FitConfig(steps=150, batch=128, rate=physics.RATE, weight_decay=0.0, rollout=2)
BESIDE = FitConfig(steps=300, batch=64, rollout=5)
ON_TOP = residual.Config(width=16, penalty=0.1)  # what the law lacks is simple, and the data little
SECONDS = 10.0
JUDGED = 8.0  # s on the road, through what was found
UNDERSTEER = 0.3  # s^2/m^2


def car_constants(seed: int) -> dict[str, float]:
    """How far each constant is off, in its own size, after 10 s of random motion; then the car drives by them."""
    run = load_run("car_mpc")
    spec = load_robot(run.planner.robot)
    model = law_found(run, seed)
    truth = the("law", spec.law).constants(spec)
    found = {f"car, 10 s: {name} off": abs(float(model.constants[name]) / truth[name] - 1) for name in truth}
    kept = evaluate_goal(run, spec, model, JUDGED, seed)
    return found | {"car that drives by what was found: share on the road": kept[f"on_the_road{KEPT_SHARE}"]}


def law_found(run: RunConfig, seed: int) -> physics.Physics:
    """The robot's law with the constants that 10 s of random motion show."""
    fresh = physics.new(physics.Config(), FeatureLayout(load_robot(run.planner.robot)), seed)
    return _fitted(physics, fresh, explored(run, seed), FIT, seed)


def residual_on_top(seed: int) -> dict[str, float]:
    """A car that understeers, which is in no law: error over 20 steps, over that without one of both."""
    data = driven(SECONDS, seed, understeer=UNDERSTEER)
    fresh = driven(60.0, seed + 1000, noise=0.0, understeer=UNDERSTEER)
    layout, recorded = FeatureLayout(load_robot(CAR_FILE)), (data.states, data.actions)
    known = _fitted(physics, physics.new(physics.Config(), layout, seed), recorded, FIT, seed)
    alone = _error(known, fresh)  # before its constants go on with the residual
    both = _fitted(residual, residual.on_top(ON_TOP, known, seed), recorded, BESIDE, seed)
    corrected = _error(both, fresh)
    free = _error(_fitted(ensemble, ensemble.new(ensemble.Config(), layout, seed), recorded, BESIDE, seed), fresh)
    title = "car that understeers: error over 20 steps"
    return {
        f"{title}, ensemble is 1, physics": alone / free,
        f"{title}, ensemble is 1, residual": corrected / free,
        f"{title}, physics is 1, residual": corrected / alone,
    }


def explored(run: RunConfig, seed: int, seconds: float = SECONDS) -> tuple[np.ndarray, np.ndarray]:
    """As a run begins that knows nothing: states (1, T + 1, S) as measured and targets (1, T, A)."""
    spec, seen = load_robot(run.planner.robot), Seen()
    agent = Agent(spec, dataclasses.replace(run.planner, mode="explore", seed=seed))
    session = Session(run, new_backend(spec, seed, run.bridge.noise, run.bridge.latency), agent)
    session.learner = seen
    for _ in range(round(seconds / spec.dt)):
        session.step(np.zeros(agent.task.command_size))
    return seen.run()


def _fitted(kind, model, recorded, config: FitConfig, seed: int):
    return fit(kind, model, *recorded, config, seed).model


@torch.no_grad()
def _error(model, fresh, horizon: int = 20) -> float:
    """Of position, in m, at the end of windows of so many steps, members' mean."""
    starts = range(0, fresh.actions.shape[1] - horizon, horizon)
    states = torch.stack([fresh.states[0, t] for t in starts])
    told = torch.stack([fresh.actions[0, t : t + horizon] for t in starts])
    ends = torch.stack([fresh.states[0, t + horizon] for t in starts])
    m = model.members
    path = model.rollout(states.expand(m, -1, -1), told.expand(m, -1, -1, -1)).mean(0)
    return float((path[:, -1, :2] - ends[:, :2]).norm(dim=-1).mean())
