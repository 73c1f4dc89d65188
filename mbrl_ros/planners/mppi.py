"""MPPI: perturb the shifted plan, weigh each candidate by the exponential of its return, average."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from mbrl_ros.planners.knots import knot_weights
from mbrl_ros.planners.polish import polished
from mbrl_ros.planners.problem import NoPlan, PlanResult, Problem
from mbrl_ros.settings import MppiConfig


def plan(config: MppiConfig, problem: Problem, warm: Tensor, generator: Generator) -> PlanResult | NoPlan:
    """`warm` (H, U) is the previous plan, already shifted to now. Its mean and the prior are among the candidates."""
    low, high = problem.bounds
    mean = warm
    non_finite = 0
    for _ in range(config.iterations):
        noise = correlated_noise(problem.candidates, *warm.shape, config.knot_steps, generator)
        candidates = mean + noise * (config.noise * problem.noise)
        candidates[0], candidates[1] = mean, problem.prior
        candidates = candidates.clamp_(low, high)
        returns = problem.score(candidates)
        finite = torch.isfinite(returns)
        bad = int((~finite).sum())
        non_finite += bad
        if bad == len(returns):
            return NoPlan("no candidate has a finite score")
        if bad:
            returns = returns.masked_fill(~finite, -torch.inf)
        best = returns.max()
        # To the median: one exploding candidate would inflate a standard deviation and flatten all weights.
        spread = best - returns[finite].median()
        weights = torch.softmax((returns - best) / (config.temperature * spread + 1e-6), 0)
        mean = torch.tensordot(weights, candidates, 1)
        if not torch.isfinite(mean).all():
            return NoPlan("the plan is not finite")
    if config.polish:
        mean = polished(config, problem, torch.stack([mean, warm]))
    return PlanResult(
        actions=mean,
        best=float(best),
        mean=float((weights * returns.nan_to_num(neginf=0.0)).sum()),
        non_finite=non_finite,
        effective=float(1 / weights.square().sum()),
    )


def correlated_noise(count: int, horizon: int, size: int, knot_steps: int, generator: Generator) -> Tensor:
    """(count, horizon, size) unit normal at knots, linear in between."""
    between = knot_weights(horizon, knot_steps)
    knots = torch.randn(count, between.shape[1], size, generator=generator)
    return torch.matmul(between, knots)


def shifted(actions: Tensor, steps: int, prior: Tensor, tail: float) -> Tensor:
    """The plan (H, U) as it stands `steps` later; the new end is `tail` of the last step and the rest the prior."""
    horizon = actions.shape[0]
    steps = min(steps, horizon)
    end = tail * actions[-1] + (1 - tail) * prior[-1]
    return torch.cat([actions[steps:], end.expand(steps, -1)])
