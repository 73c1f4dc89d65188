"""MPPI: perturb the shifted plan, weigh each candidate by the exponential of its return, average.

`search` decides nothing by what it finds and waits for no number, so that a GPU can run it as one recorded graph;
`judged` says what came of it.
"""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from mbrl_ros.planners.polish import polished
from mbrl_ros.planners.problem import HOPELESS, NOT_FINITE, NoPlan, PlanResult, Problem
from mbrl_ros.planners.sampling import Proposed, around, correlated_noise, scored
from mbrl_ros.planners.warm import main_plan
from mbrl_ros.search_settings import MppiConfig

NUMBERS = 6  # that a search says about itself


def search(config: MppiConfig, problem: Problem, warm: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """The plan (H, U), and NUMBERS: best and mean return, effective and non-finite candidates, hopeless refinements,
    how far the plan was out of bounds at most."""
    mean, count, proposed = warm, problem.candidates, Proposed(config, problem)
    non_finite = hopeless = warm.new_zeros(())
    for _ in range(config.iterations):
        noise = correlated_noise(count, *warm.shape, config.knot_steps, generator) * (config.noise * problem.noise)
        candidates = around(mean, noise, problem, proposed)
        returns = scored(problem, candidates)
        bad = returns == -torch.inf
        lost = bad.sum()
        non_finite, hopeless = non_finite + lost, hopeless + (lost == count)
        ordered = returns.sort(descending=True).values
        best = ordered[0]
        # To the median: one exploding candidate would inflate a standard deviation and flatten all weights.
        median = ordered.take((count - lost) // 2)
        weights = torch.softmax((returns - best) / (config.temperature * (best - median) + 1e-6), 0)
        asked = (weights @ candidates.flatten(1)).view_as(warm)
        mean = asked.clamp(*problem.bounds)  # a sum is rounded
    expected = weights @ returns.masked_fill(bad, 0.0)
    beyond = (asked - mean).abs().max()
    return mean, torch.stack([best, expected, 1 / (weights @ weights), non_finite, hopeless, beyond])


def plan(config: MppiConfig, problem: Problem, warm: Tensor, generator: Generator) -> PlanResult | NoPlan:
    """`warm` (H, U) is the previous plan, already shifted to now. Its mean and the prior are among the candidates."""
    warm = main_plan(warm)
    return judged(config, problem, warm, *search(config, problem, warm, generator))


def judged(config: MppiConfig, problem: Problem, warm: Tensor, mean: Tensor, numbers: Tensor) -> PlanResult | NoPlan:
    """What `search` has found, polished where that is wanted, if it can be used."""
    best, expected, effective, non_finite, hopeless, beyond = numbers.tolist()
    if hopeless:
        return HOPELESS
    if not torch.isfinite(mean).all():
        return NOT_FINITE
    if config.polish:
        mean = polished(config, problem, torch.stack([mean, warm]))
    return PlanResult(mean, best, expected, int(non_finite), effective, beyond=beyond)
