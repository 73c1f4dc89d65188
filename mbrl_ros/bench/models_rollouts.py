"""`mbrl bench models`: how far a model can be rolled, and what helps."""

from __future__ import annotations

import dataclasses

import torch

from mbrl_ros.bench.models_toys import Recording, pendulum, swung
from mbrl_ros.dynamics.beside.action_free import action_free
from mbrl_ros.dynamics.beside.interpolation import interpolation, straight
from mbrl_ros.dynamics.beside.inverse import inverse
from mbrl_ros.dynamics.fitting import FitConfig, fit
from mbrl_ros.dynamics.kinds import l2
from mbrl_ros.dynamics.uncertainty import area_under_curve

HORIZON = 20
SCALES = torch.tensor([1.0, 1.0, 4.0])  # of the pendulum's features
FIT = FitConfig(steps=1200, batch=128)
RUNS, LENGTH, NOISE = 15, 40, 0.1  # what is learned from; the noise in scales


def several_steps(seed: int) -> dict[str, float]:
    """H = 20 open-loop error of a model trained over K steps, over that of one trained over one, same data and seed."""
    found = {}
    for measured, noise in (("noisy data", NOISE), ("exact data", 0.0)):
        data = swung(RUNS, LENGTH, seed, noise)
        one = _error(data, seed, FIT)
        for k in (3, 8):
            ratio = _error(data, seed, dataclasses.replace(FIT, rollout=k)) / one
            found[f"K = {k}, {measured}: error over 20 steps, K = 1 is 1"] = ratio
    return found


def corrective_labels(seed: int) -> dict[str, float]:
    """H = 20 open-loop error with corrective labels, over that without, same data and same number of steps."""
    corrected, found = dataclasses.replace(FIT, steps=FIT.steps // 2, corrective=1), {}
    for name, noise, width in (("exact data", 0.0, 64), ("small network", 0.0, 12), ("noisy data", NOISE, 64)):
        data = swung(RUNS, LENGTH, seed, noise)
        ratio = _error(data, seed, corrected, width) / _error(data, seed, FIT, width)
        found[f"corrective labels, {name}: error over 20 steps, without is 1"] = ratio
    return found


def fills_gaps(seed: int) -> dict[str, float]:
    """Error of the states within a gap of 8 steps, over that of a straight line."""
    data, fresh, steps = swung(RUNS, LENGTH, seed), swung(50, 8, seed + 1000), 8
    model = interpolation(data.states, steps, FIT, seed)
    first, last, truth = fresh.states[:, 0], fresh.states[:, -1], fresh.states[:, 1:-1]
    off, line = (_size(filled - truth) for filled in (model.filled(first, last), straight(first, last, steps)))
    return {"interpolation: error in a gap of 8 steps, a straight line is 1": off / line}


def proposes(seed: int) -> dict[str, float]:
    """How far from its goal a pendulum ends that does what an inverse model proposes; random actions end at 1."""
    data, fresh, found = swung(RUNS, LENGTH, seed), swung(200, 8, seed + 1000), {}
    generator = torch.Generator().manual_seed(seed)
    for steps in (1, 4):
        model = inverse(data.states, data.actions, steps, FIT, seed)
        start, goal = fresh.states[:, 0], fresh.states[:, steps]
        random = 2 * torch.rand(len(start), steps, 1, generator=generator) - 1
        ends = [_driven(start, actions) for actions in (model.proposed(start, goal), random)]
        off, by_chance = (_size(end - goal) for end in ends)
        found[f"inverse of {steps} steps: distance to the goal, random actions are 1"] = off / by_chance
    return found


def warns(seed: int) -> dict[str, float]:
    """AUROC of the distance from what usually follows: true next states beside those of other moments."""
    data, fresh = swung(RUNS, LENGTH, seed), swung(50, LENGTH, seed + 1000)
    model = action_free(data.states, FIT, seed)
    states, following = fresh.states[:, :-1].flatten(0, 1), fresh.states[:, 1:].flatten(0, 1)
    strange = following + 0.3 * SCALES * torch.randn(following.shape, generator=torch.Generator().manual_seed(seed))
    score = torch.cat([model.distance(states, following), model.distance(states, strange)])
    is_strange = torch.arange(len(score)) >= len(states)
    return {
        "action-free: AUROC, next states from nowhere": area_under_curve(score.numpy()[::4], is_strange.numpy()[::4])
    }


@torch.no_grad()
def _error(data: Recording, seed: int, config: FitConfig, width: int = 64) -> float:
    """Over HORIZON steps from true states, in scales."""
    model = fit(l2, l2.new(l2.Config(width=width), (3, 1), seed), data.states, data.actions, config, seed).model
    fresh = swung(200, HORIZON, seed + 1000)
    path = model.rollout(fresh.states[None, :, 0], fresh.actions[None])[0]
    return _size((path - fresh.states[:, 1:]).clamp(-10, 10))


def _driven(states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    for k in range(actions.shape[1]):
        states = pendulum(states, actions[:, k])
    return states


def _size(off: torch.Tensor) -> float:
    """Root mean square, in scales."""
    return float((off / SCALES).square().mean().sqrt())
