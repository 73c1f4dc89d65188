"""iCEM: CEM with coloured noise and a memory. The plan is the best candidate that was ever scored in it.

The noise of a whole plan is coloured: its power falls with frequency f as f^-colour, so candidates go somewhere instead
of trembling. Some elites are candidates again in the next fit. They are so in the next plan, too: nothing is kept in
here, they are handed out as `PlanResult.others`, and who plans hands them back behind the plan in `warm` (1 + K, H, U),
shifted as it is. Without them (`warm` (H, U)) the first fit begins with noise alone.

Where each candidate has one member of the ensemble (tsinf, ts1), the best is also the one with the kindest member; with
other treatments it is not.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Generator, Tensor

from mbrl_ros.planners.elites import Fitted, best_of
from mbrl_ros.planners.problem import HOPELESS, NoPlan, PlanResult, Problem
from mbrl_ros.planners.sampling import Proposed, around, result, scored
from mbrl_ros.planners.warm import main_plan
from mbrl_ros.search_settings import IcemConfig


def plan(config: IcemConfig, problem: Problem, warm: Tensor, generator: Generator) -> PlanResult | NoPlan:
    again = warm[1:] if warm.dim() == 3 else warm[None][:0]
    start, count, proposed = main_plan(warm), problem.candidates, Proposed(config, problem)
    colours = coloured(len(start), config.colour)
    first = (config.noise * problem.noise).expand_as(start)
    fitted, lost, best, found = Fitted(start, first), 0, -torch.inf, start
    for _ in range(config.iterations):
        noise = colours @ torch.randn(count, colours.shape[1], start.shape[1], generator=generator) * fitted.spread
        candidates = around(fitted.mean, noise, problem, proposed)
        again = again[: max(0, count - 2 - proposed.count)]
        candidates[2 : 2 + len(again)] = again.clamp(*problem.bounds)
        returns = scored(problem, candidates)
        elites = best_of(candidates, returns, config.elites)
        if not len(elites):
            return HOPELESS
        lost += int((returns == -torch.inf).sum())
        if returns.max() > best:
            best, found = float(returns.max()), elites[0]
        fitted = fitted.moved(elites, None, config.momentum, config.least * first)
        again = elites[: math.ceil(config.kept * len(elites))]
    expected = returns.topk(len(elites)).values.mean()
    return result(problem, found, best, expected, lost, len(elites), others=again.clone())


@lru_cache(maxsize=32)
def coloured(horizon: int, exponent: float) -> Tensor:
    """(H, 2F) what turns white numbers into noise of the power spectrum f^-exponent, of unit variance at every step.

    A sum of waves with random cosine and sine parts. The longest is twice the plan: else its two ends would be tied.
    """
    with torch.inference_mode(False):
        waves = torch.arange(1, horizon + 1)
        power = waves.double() ** -exponent
        size = (power / power.sum()).sqrt()
        angle = 2 * math.pi * torch.arange(horizon)[:, None] * waves / (2 * horizon)
        return torch.cat([size * angle.cos(), size * angle.sin()], 1).float()
