"""`mbrl bench models`: constants of known structure, found in motion."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from mbrl_ros.bench.doubt import loaded
from mbrl_ros.bench.models_toys import CAR, DT, driven
from mbrl_ros.dynamics.fitting import FitConfig, fit
from mbrl_ros.dynamics.identification import SearchConfig, identified
from mbrl_ros.dynamics.kinds import ensemble, physics, residual
from mbrl_ros.dynamics.sizes import Sizes
from mbrl_ros.learning.evaluating import driving
from mbrl_ros.learning.models import load_model
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run

FIT = FitConfig(steps=1000, batch=64, rate=0.05, weight_decay=0.0, rollout=10)
BESIDE = FitConfig(steps=1000, batch=64, rollout=5)
SECONDS = 10.0
UNDERSTEER = 0.1  # s^2/m^2
PAYLOAD = 3.0  # kg
COMMANDS = ((0.4, 0.0, 0.0), (0.3, 0.0, 0.5), (0.0, 0.2, 0.0), (0.5, 0.0, -0.3))
READY = 3.0  # s until the robot walks as told


def car_constants(seed: int) -> dict[str, float]:
    """How far each constant is off after 10 s of driving with noisy sensors, in its own size."""
    data = driven(SECONDS, seed)
    model = fit(physics, physics.new(physics.Config(), car_sizes(), seed), data.states, data.actions, FIT, seed).model
    found = {name: float(value) for name, value in model.constants.items()}
    return {f"car, 10 s: {name} off": abs(found[name] / true - 1) for name, true in CAR.items()}


def residual_on_top(seed: int) -> dict[str, float]:
    """A car that understeers, which is in no structure: error over 20 steps, of an ensemble without physics 1."""
    data = driven(SECONDS, seed, understeer=UNDERSTEER)
    fresh = driven(60.0, seed + 1000, noise=0.0, understeer=UNDERSTEER)
    sizes, recorded = car_sizes(), (data.states, data.actions)
    known = fit(physics, physics.new(physics.Config(), sizes, seed), *recorded, FIT, seed).model
    alone = _error(known, fresh)  # before its constants go on with the residual
    both = residual.on_top(residual.Config(), known, sizes, seed)
    learned = fit(ensemble, ensemble.new(ensemble.Config(), sizes, seed), *recorded, BESIDE, seed).model
    corrected, free = (_error(m, fresh) for m in (fit(residual, both, *recorded, BESIDE, seed).model, learned))
    title = "car that understeers: error over 20 steps, ensemble is 1"
    return {f"{title}, physics": alone / free, f"{title}, residual": corrected / free}


def payload(seed: int) -> dict[str, float]:
    """The load on the quadruped's back, in kg, from 10 s of walking with noisy sensors."""
    spec = load_robot(load_run("quadruped_mpc").planner.robot)
    states, actions = walked(PAYLOAD, SECONDS, seed)
    alone = identified(spec, states, actions, ["payload"], SearchConfig(), seed)
    return {
        "payload of 3 kg, 10 s of walking: kg": alone.values["payload"],
    }


def walked(kilograms: float, seconds: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The shipped model walks the loaded robot: states (1, T + 1, S) as measured and targets (1, T, A)."""
    run = load_run("quadruped_mpc").with_setting("planner.mppi.samples", 100)
    spec = load_robot(run.planner.robot)
    model, _ = load_model("pretrained", run.name, FeatureLayout(spec))
    session, seen = driving(run, spec, model, seed, noise=True), _Seen()
    loaded(kilograms)(session)
    for _ in range(round(READY / spec.dt)):
        session.step(np.array(COMMANDS[0]))
    session.learner = seen
    count = round(seconds / spec.dt)
    for k in range(count):
        session.step(np.array(COMMANDS[k * len(COMMANDS) // count]))
    seen.check()
    states = np.stack([t.state for t in seen.transitions] + [seen.transitions[-1].next_state])
    return states[None], np.stack([t.action for t in seen.transitions])[None]


def car_sizes() -> Sizes:
    """The car's state in units of one."""
    return dataclasses.replace(Sizes.of((6, 2)), dt=DT)


class _Seen:
    """In a learner's place: keeps what it is given."""

    def __init__(self):
        self.transitions = []

    def add(self, transition) -> None:
        self.transitions.append(transition)

    def due(self) -> bool:
        return False

    def check(self) -> None:
        """One whole walk: whoever fell has walked twice."""
        numbers = [t.sequence for t in self.transitions]
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
            raise RuntimeError("the robot fell while its load was looked for")


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
