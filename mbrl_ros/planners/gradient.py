"""Ascent: several plans climb the gradient of their value side by side, and the best of all their steps is the plan.

    plan <- clip(plan + rate x noise x Adam(slope)),   slope = d value / d plan

Steps are those of knots, as noise is elsewhere, in units of the action map's own noise scale, and stay in the box. The
value comes with its gradient, so no candidate is ever scored; a start whose slope is not finite climbs no further. The
first climbs from the warm start, the second from the prior, the third from what a policy proposes if there is one, all
others from the warm start with noise: ascent finds the nearest hill, so where there are several, start near several.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from mbrl_ros.planners.knots import knot_weights
from mbrl_ros.planners.problem import HOPELESS, NoPlan, PlanResult, Problem
from mbrl_ros.planners.sampling import correlated_noise, result
from mbrl_ros.planners.warm import main_plan
from mbrl_ros.search_settings import GradientConfig

FIRST, SECOND = 0.8, 0.95  # how long Adam remembers slopes and their squares: of a few steps, not of thousands


def plan(config: GradientConfig, problem: Problem, warm: Tensor, generator: Generator) -> PlanResult | NoPlan:
    if problem.gradient is None:
        return NoPlan("the gradient planner needs a model with a gradient, and this one has none")
    plans = starts(config, problem, main_plan(warm), generator)
    between, unit = knot_weights(plans.shape[1], config.knot_steps), config.noise * problem.noise
    count, best, found, lost = len(plans), plans.new_full((len(plans),), -torch.inf), plans.clone(), 0
    slope_mean = slope_square = plans.new_zeros(count, between.shape[1], plans.shape[2])
    for n in range(1, config.iterations + 2):
        values, slopes = problem.gradient(plans)
        values = values.nan_to_num(-torch.inf, -torch.inf, -torch.inf)
        lost += int((values == -torch.inf).sum())
        better = values > best
        best, found = torch.where(better, values, best), torch.where(better[:, None, None], plans, found)
        if n > config.iterations:
            break
        slopes = between.T @ slopes * unit  # (K, knots, U)
        usable = torch.isfinite(slopes).all((1, 2)) & torch.isfinite(values)
        slopes = torch.where(usable[:, None, None], slopes, 0.0)
        slope_mean = FIRST * slope_mean + (1 - FIRST) * slopes
        slope_square = SECOND * slope_square + (1 - SECOND) * slopes.square()
        size = (slope_square / (1 - SECOND**n)).sqrt() + 1e-12
        fading = config.rate * (1 - (n - 1) / config.iterations)  # long steps first; the last ones only settle
        move = between @ (fading * slope_mean / (1 - FIRST**n) / size) * unit
        plans = torch.where(usable[:, None, None], (plans + move).clamp(*problem.bounds), plans)
    if not (best > -torch.inf).any():
        return HOPELESS
    return result(problem, found[best.argmax()], best.max(), best[best > -torch.inf].mean(), lost, 1.0)


def starts(config: GradientConfig, problem: Problem, warm: Tensor, generator: Generator) -> Tensor:
    """(K, H, U) within bounds."""
    noise = correlated_noise(config.restarts, *warm.shape, config.knot_steps, generator)
    plans = warm + noise * (config.noise * problem.noise)
    plans[0] = warm
    if config.restarts > 1:
        plans[1] = problem.prior
    if config.restarts > 2 and config.proposals and problem.proposal:
        plans[2] = problem.proposal()
    return plans.clamp(*problem.bounds)
