"""MPPI: perturb the shifted plan, weigh each candidate by the exponential of its return, average.

`search` decides nothing by what it finds and waits for no number, so that a GPU can run it as one recorded graph;
`judged` says what came of it.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from mbrl_ros.planners.knots import knot_weights
from mbrl_ros.planners.polish import polished
from mbrl_ros.planners.problem import NoPlan, PlanResult, Problem
from mbrl_ros.settings import MppiConfig

NUMBERS = 5  # that a search says about itself


def search(config: MppiConfig, problem: Problem, warm: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """The plan (H, U), and NUMBERS: best and mean return, effective and non-finite candidates, hopeless refinements."""
    low, high = problem.bounds
    mean, count = warm, problem.candidates
    proposed = min(round(config.proposals * count), count - 2) if problem.proposal else 0
    if proposed:
        proposal = problem.proposal()
        proposal = torch.where(torch.isfinite(proposal), proposal, problem.prior[0])
    non_finite = hopeless = warm.new_zeros(())
    for _ in range(config.iterations):
        noise = correlated_noise(count, *warm.shape, config.knot_steps, generator) * (config.noise * problem.noise)
        candidates = mean + noise
        candidates[0], candidates[1] = mean, problem.prior
        if proposed:
            noise[-1] = 0.0
            torch.add(noise[-proposed:], proposal, out=candidates[-proposed:])
        candidates = candidates.clamp_(low, high)
        returns = problem.score(candidates).nan_to_num(-torch.inf, -torch.inf, -torch.inf)
        bad = returns == -torch.inf
        lost = bad.sum()
        non_finite, hopeless = non_finite + lost, hopeless + (lost == count)
        ordered = returns.sort(descending=True).values
        best = ordered[0]
        # To the median: one exploding candidate would inflate a standard deviation and flatten all weights.
        median = ordered.take((count - lost) // 2)
        weights = torch.softmax((returns - best) / (config.temperature * (best - median) + 1e-6), 0)
        mean = (weights @ candidates.flatten(1)).view_as(warm)
    expected = weights @ returns.masked_fill(bad, 0.0)
    return mean, torch.stack([best, expected, 1 / (weights @ weights), non_finite, hopeless])


def plan(config: MppiConfig, problem: Problem, warm: Tensor, generator: Generator) -> PlanResult | NoPlan:
    """`warm` (H, U) is the previous plan, already shifted to now. Its mean and the prior are among the candidates."""
    return judged(config, problem, warm, *search(config, problem, warm, generator))


def judged(config: MppiConfig, problem: Problem, warm: Tensor, mean: Tensor, numbers: Tensor) -> PlanResult | NoPlan:
    """What `search` has found, polished where that is wanted, if it can be used."""
    best, expected, effective, non_finite, hopeless = numbers.tolist()
    if hopeless:
        return NoPlan("no candidate has a finite score")
    if not torch.isfinite(mean).all():
        return NoPlan("the plan is not finite")
    if config.polish:
        mean = polished(config, problem, torch.stack([mean, warm]))
    return PlanResult(mean, best, expected, int(non_finite), effective)


def correlated_noise(count: int, horizon: int, size: int, knot_steps: int, generator: Generator) -> Tensor:
    """(count, horizon, size) unit normal at knots, linear in between."""
    between = knot_weights(horizon, knot_steps, generator.device)
    knots = torch.randn(count, between.shape[1], size, generator=generator, device=generator.device)
    return torch.matmul(between, knots)


def shifted(actions: Tensor, steps: int, prior: Tensor, tail: float) -> Tensor:
    """The plan (H, U) as it stands `steps` later; the new end is `tail` of the last step and the rest the prior."""
    horizon = actions.shape[0]
    steps = min(steps, horizon)
    end = tail * actions[-1] + (1 - tail) * prior[-1]
    return torch.cat([actions[steps:], end.expand(steps, -1)])
