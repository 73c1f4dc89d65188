"""CEM: draw candidates from a normal distribution over plans, fit it to the best of them, again; its mean is the plan.

    mean, spread <- (1 - momentum) (mean and standard deviation of the elites) + momentum (mean, spread)

The noise is made at knots and is linear in between, so the spread is one of knots: the elites' is read off them by
least squares. No spread falls below `least` of the first one: a search that narrowed too soon would stay there.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from mbrl_ros.planners.elites import Fitted, best_of
from mbrl_ros.planners.knots import knot_readings, knot_weights
from mbrl_ros.planners.problem import HOPELESS, NoPlan, PlanResult, Problem
from mbrl_ros.planners.sampling import Proposed, around, result, scored
from mbrl_ros.planners.warm import main_plan
from mbrl_ros.search_settings import CemConfig


def plan(config: CemConfig, problem: Problem, warm: Tensor, generator: Generator) -> PlanResult | NoPlan:
    warm, count, proposed = main_plan(warm), problem.candidates, Proposed(config, problem)
    between, readings = (of(len(warm), config.knot_steps) for of in (knot_weights, knot_readings))
    first = (config.noise * problem.noise).expand(between.shape[1], -1)
    fitted, lost, best = Fitted(warm, first), 0, -torch.inf
    for _ in range(config.iterations):
        noise = between @ (torch.randn(count, *first.shape, generator=generator) * fitted.spread)
        candidates = around(fitted.mean, noise, problem, proposed)
        returns = scored(problem, candidates)
        elites = best_of(candidates, returns, config.elites)
        if not len(elites):
            return HOPELESS
        lost += int((returns == -torch.inf).sum())
        best = max(best, float(returns.max()))
        fitted = fitted.moved(elites, readings, config.momentum, config.least * first)
    expected = returns.topk(len(elites)).values.mean()
    return result(problem, fitted.mean, best, expected, lost, len(elites))
