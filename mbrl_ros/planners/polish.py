"""The last bit of a plan, along the gradient: sampling finds the valley, and is slow to find its floor.

The mean of a few dozen candidates in a hundred dimensions carries noise of its own, and a search as wide as falls need
never settles on small corrections. The model knows its slope, so the plan climbs it: conjugate gradients, each step as
long as the best of a geometric row of lengths. Values are those of all members, so no step is taken on one's word.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mbrl_ros.planners.knots import knot_weights
from mbrl_ros.planners.problem import Problem
from mbrl_ros.search_settings import MppiConfig

LENGTHS = 4.0 * 0.68 ** torch.arange(16)  # of a step, where the noise of one knot and decision has a sigma of one


def polished(config: MppiConfig, problem: Problem, starts: Tensor) -> Tensor:
    """The best of `starts` (K, H, U), climbed from; as it was where the model has no gradient."""
    if problem.gradient is None:
        return starts[0]
    low, high = problem.bounds
    knots, unit = knot_weights(starts.shape[1], config.knot_steps), problem.noise
    plan, value = best_of(problem, starts.clamp(low, high))
    before = direction = None
    for _ in range(config.polish):
        slope = knots.T @ problem.gradient(plan[None])[1][0] * unit  # (knots, U)
        if not torch.isfinite(slope).all():
            break
        direction = slope if before is None else slope + turn(slope, before) * direction
        before = slope
        step = knots @ (direction / (direction.norm() + 1e-12)) * unit
        candidate, gained = best_of(problem, (plan + LENGTHS[:, None, None] * step).clamp(low, high))
        if gained <= value:
            break
        plan, value = candidate, gained
    return plan


def best_of(problem: Problem, plans: Tensor) -> tuple[Tensor, Tensor]:
    values = problem.value(plans)
    best = values.argmax()
    return plans[best], values[best]


def turn(slope: Tensor, before: Tensor) -> Tensor:
    """How much of the last direction is kept (Polak and Ribiere); none where the slope has turned against it."""
    return ((slope * (slope - before)).sum() / (before.square().sum() + 1e-12)).clamp(min=0.0)
