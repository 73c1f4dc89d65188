"""`mbrl bench models`: how far a model can be rolled, and what helps."""

from __future__ import annotations

import dataclasses

import torch

from mbrl_ros.bench.models_toys import Recording, in_scales, swung
from mbrl_ros.dynamics.fitting import FitConfig, fit
from mbrl_ros.dynamics.kinds import l2

HORIZON = 20
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


@torch.no_grad()
def _error(data: Recording, seed: int, config: FitConfig, width: int = 64) -> float:
    """Over HORIZON steps from true states, in scales."""
    model = fit(l2, l2.new(l2.Config(width=width), (3, 1), seed), data.states, data.actions, config, seed).model
    fresh = swung(200, HORIZON, seed + 1000)
    path = model.rollout(fresh.states[None, :, 0], fresh.actions[None])[0]
    return in_scales((path - fresh.states[:, 1:]).clamp(-10, 10))
