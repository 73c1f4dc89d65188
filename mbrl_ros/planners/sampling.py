"""What all planners share that sample: noise around a plan, and who is always among the candidates."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from mbrl_ros.planners.knots import knot_weights
from mbrl_ros.planners.problem import HOPELESS, NOT_FINITE, NoPlan, PlanResult, Problem
from mbrl_ros.search_settings import Drawn


def correlated_noise(count: int, horizon: int, size: int, knot_steps: int, generator: Generator) -> Tensor:
    """(count, horizon, size) unit normal at knots, linear in between."""
    between = knot_weights(horizon, knot_steps, generator.device)
    knots = torch.randn(count, between.shape[1], size, generator=generator, device=generator.device)
    return torch.matmul(between, knots)


class Proposed:
    """A share of the candidates is around what a policy would do now, held; asked once a plan."""

    def __init__(self, config: Drawn, problem: Problem):
        count = problem.candidates
        self.count = min(round(config.proposals * count), count - 2) if problem.proposal else 0
        if self.count:
            proposal = problem.proposal()
            self.proposal = torch.where(torch.isfinite(proposal), proposal, problem.prior[0])


def around(mean: Tensor, noise: Tensor, problem: Problem, proposed: Proposed) -> Tensor:
    """(N, H, U) within bounds: `mean` (H, U) and `noise` (N, H, U); the first two are the mean and the prior."""
    candidates = mean + noise
    candidates[0], candidates[1] = mean, problem.prior
    if proposed.count:
        noise[-1] = 0.0
        torch.add(noise[-proposed.count :], proposed.proposal, out=candidates[-proposed.count :])
    return candidates.clamp_(*problem.bounds)


def scored(problem: Problem, candidates: Tensor) -> Tensor:
    """(N,) returns, -inf where they are not finite."""
    return problem.score(candidates).nan_to_num(-torch.inf, -torch.inf, -torch.inf)


def result(problem: Problem, actions: Tensor, best, mean, non_finite, effective, others=None) -> PlanResult | NoPlan:
    """A plan that can be used, exactly within bounds; numbers may be tensors."""
    numbers = [float(number) for number in (best, mean, effective)]
    if numbers[0] == -torch.inf:
        return HOPELESS
    within = actions.clamp(*problem.bounds)
    if not torch.isfinite(within).all():
        return NOT_FINITE
    beyond = float((actions - within).abs().max())
    return PlanResult(within, numbers[0], numbers[1], int(non_finite), numbers[2], others, beyond)
