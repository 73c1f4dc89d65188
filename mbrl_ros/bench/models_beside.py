"""`mbrl bench models`: what is learned beside the dynamics, each by its one use."""

from __future__ import annotations

import torch
from torch import Tensor

from mbrl_ros.bench.models_toys import SCALES, Recording, field_steps, in_scales, pendulum, swung
from mbrl_ros.bench.models_uncertainty import in_region
from mbrl_ros.dynamics.beside.action_free import action_free
from mbrl_ros.dynamics.beside.interpolation import interpolation, straight
from mbrl_ros.dynamics.beside.inverse import inverse
from mbrl_ros.dynamics.beside.joint import Config, joint
from mbrl_ros.dynamics.fitting import FitConfig, cut, fit
from mbrl_ros.dynamics.kinds import gaussian
from mbrl_ros.dynamics.uncertainty import area_under_curve

FIT = FitConfig(steps=1200, batch=128)
RUNS, LENGTH = 15, 40  # what is learned from
Steps = tuple[Tensor, Tensor, Tensor]


def fills_gaps(seed: int) -> dict[str, float]:
    """Error of the states within a gap of 8 steps, over that of a straight line."""
    data, fresh, steps = swung(RUNS, LENGTH, seed), swung(50, 8, seed + 1000), 8
    model = interpolation(data.states, steps, FIT, seed)
    first, last, truth = fresh.states[:, 0], fresh.states[:, -1], fresh.states[:, 1:-1]
    off, line = (in_scales(filled - truth) for filled in (model.filled(first, last), straight(first, last, steps)))
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
        off, by_chance = (in_scales(end - goal) for end in ends)
        found[f"inverse of {steps} steps: distance to the goal, random actions are 1"] = off / by_chance
    return found


def warns(seed: int) -> dict[str, float]:
    """AUROC of the distance from what usually follows: true next states beside those of other moments."""
    data, fresh = swung(RUNS, LENGTH, seed), swung(50, LENGTH, seed + 1000)
    model = action_free(data.states, FIT, seed)
    states, following = fresh.states[:, :-1].flatten(0, 1), fresh.states[:, 1:].flatten(0, 1)
    strange = following + 0.3 * SCALES * torch.randn(following.shape, generator=torch.Generator().manual_seed(seed))
    far, near = model.distance(states, strange), model.distance(states, following)
    return {"action-free: AUROC, next states from nowhere": _told_apart(far[::4], near[::4])}


def tells_common(seed: int) -> dict[str, float]:
    """AUROC of the joint density: true transitions beside others; of the next state alone, given the rest, likewise.

    Actions and changes of other moments, of a pendulum; and true steps of a noisy world from where no data came.
    """
    data, other = swung(RUNS, LENGTH, seed), torch.Generator().manual_seed(seed)
    state, action, following = usual = _steps(swung(50, LENGTH, seed + 1000))
    mixed = torch.randperm(len(state), generator=other)
    found = _told_by(data, usual, seed, "actions of other moments", (state, action[mixed], following))
    changed = state, action, state + (following - state)[mixed]
    found |= _told_by(data, usual, seed, "changes of other moments", changed)
    data = field_steps(1000, seed, keep=lambda s: ~in_region(s))
    here, there = (
        _steps(field_steps(500, seed + 1000 + i, keep=k)) for i, k in enumerate((lambda s: ~in_region(s), in_region))
    )
    return found | _told_by(data, here, seed, "steps in a region without data", there)


def _told_by(data: Recording, usual: Steps, seed: int, what: str, strange: Steps) -> dict[str, float]:
    whole = joint(data.states, data.actions, Config(), seed)
    alone = gaussian.new(gaussian.Config(particles=1), (data.states.shape[2], data.actions.shape[2]), seed)
    alone = fit(gaussian, alone, data.states, data.actions, FIT, seed).model
    densities = {"joint": whole.log_density, "next state alone": lambda *steps: _log_density(alone, *steps)}
    return {f"{name}: AUROC, {what}": _told_apart(-of(*strange), -of(*usual)) for name, of in densities.items()}


def _steps(data: Recording) -> Steps:
    """States (B, S), actions (B, A) and next states (B, S)."""
    path, told = cut(data.states, data.actions, 1)
    return path[:, 0], told[:, 0], path[:, 1]


def _log_density(model: gaussian.Gaussian, states: Tensor, actions: Tensor, following: Tensor) -> Tensor:
    """(B,) of the next state alone, up to a constant."""
    mean, variance = (t[0] for t in model.distribution(states, actions))
    return -((following - mean).square() / variance + variance.log()).sum(-1) / 2


def _told_apart(strange: Tensor, usual: Tensor) -> float:
    """AUROC of a score that should be higher for the strange."""
    both = torch.cat([strange, usual])
    return area_under_curve(both.numpy(), (torch.arange(len(both)) < len(strange)).numpy())


def _driven(states: torch.Tensor, actions: torch.Tensor) -> torch.Tensor:
    for k in range(actions.shape[1]):
        states = pendulum(states, actions[:, k])
    return states
