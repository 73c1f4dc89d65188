"""Random shooting: perturb the shifted plan, take the best candidate, or the softmax mean of all.

    hard   the candidate of the highest return
    soft   sum of w_i candidate_i,   w = softmax(returns / (temperature x their standard deviation))

The plan before is among the candidates, so a hard plan is never worse than that, by the model's word.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from mbrl_ros.planners.problem import HOPELESS, NoPlan, PlanResult, Problem
from mbrl_ros.planners.sampling import Proposed, around, correlated_noise, result, scored
from mbrl_ros.planners.warm import main_plan
from mbrl_ros.search_settings import ShootingConfig


def plan(config: ShootingConfig, problem: Problem, warm: Tensor, generator: Generator) -> PlanResult | NoPlan:
    mean, count, proposed = main_plan(warm), problem.candidates, Proposed(config, problem)
    lost = 0
    for _ in range(config.iterations):
        noise = correlated_noise(count, *mean.shape, config.knot_steps, generator) * (config.noise * problem.noise)
        candidates = around(mean, noise, problem, proposed)
        returns = scored(problem, candidates)
        well = returns > -torch.inf
        if not well.any():
            return HOPELESS
        lost += count - int(well.sum())
        weights = soft(returns, well, config.temperature) if config.choice == "soft" else best_alone(returns)
        mean = (weights[well] @ candidates[well].flatten(1)).view_as(mean)
    expected = weights[well] @ returns[well]
    return result(problem, mean, returns.max(), expected, lost, 1 / (weights @ weights))


def best_alone(returns: Tensor) -> Tensor:
    """(N,)"""
    return torch.zeros_like(returns).index_fill_(0, returns.argmax(), 1.0)


def soft(returns: Tensor, well: Tensor, temperature: float) -> Tensor:
    """(N,)"""
    spread = returns[well].std(correction=0)
    return torch.softmax((returns - returns.max()) / (temperature * spread + 1e-6), 0)
