"""Monte Carlo tree search among discrete decisions.

    uct    take the branch of the largest   Q + c sqrt(ln N / n)
    puct   take the branch of the largest   Q + c P sqrt(N) / (1 + n)

Q is the mean return through a branch, scaled to 0..1 by the returns seen, n its visits and N those of its node. From a
branch that nobody has played, a simulation plays on to the horizon: by the priors P, or by even chances. P is near the
warm start (`trust`), or near what a policy proposes now where `proposals` asks for it; where the problem has `advice`,
a policy gives the priors of every node, and its value takes the simulation's place.

Several simulations go down the tree before the model is called once for all of them: the way of each is marked as
visited in vain until its return is known (virtual loss), so that they spread. Where the action map names no discrete
decisions, each of its few variables gets `levels` values within its bounds. What decisions cost themselves
(planner.cost) is not counted: tree search goes by the task's rewards.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Generator, Tensor

from mbrl_ros.planners.problem import HOPELESS, NoPlan, PlanResult, Problem
from mbrl_ros.planners.sampling import result
from mbrl_ros.planners.tree import Descent, Tree, puct, uct
from mbrl_ros.planners.warm import main_plan
from mbrl_ros.search_settings import MctsConfig

MOST_CHOICES = 256  # a branch that is never tried teaches nothing
SURE = 8  # visits a branch, below which the most visited one is an accident, and the best simulation counts


def plan(config: MctsConfig, problem: Problem, warm: Tensor, generator: Generator) -> PlanResult | NoPlan:
    if problem.step is None or problem.root is None:
        return NoPlan("tree search needs a problem that can be stepped, and this one cannot")
    choices = discrete(problem, config.levels)
    if isinstance(choices, NoPlan):
        return choices
    simulations, warm = max(problem.candidates, len(choices)), main_plan(warm)
    guesses = priors(config, problem, choices, warm)
    played_by = guesses if config.simulation == "priors" else torch.full_like(guesses, 1 / len(choices))
    chance = torch.multinomial(played_by, simulations, replacement=True, generator=generator).T.numpy()  # (N, H)
    chance[0] = guesses.argmax(-1)  # the plan before, as far as the choices allow
    ties = torch.rand(simulations + 1, len(choices), generator=generator).numpy()
    tree = Tree(problem.root, simulations, guesses.double().numpy(), ties)
    rule = (puct if config.rule == "puct" else uct)(config.exploration)
    for first in range(0, simulations, config.batch):
        numbers, lent = range(first, min(first + config.batch, simulations)), tree.least
        ways = [tree.descend(rule) for _ in numbers]
        taken = np.stack([np.append(w.branches, c[w.depth :]) for w, c in zip(ways, chance[numbers], strict=True)])
        for number, way, outcome in zip(numbers, ways, played(tree, problem, choices, ways, taken), strict=True):
            tree.back_up(number, way, float(outcome), taken[number - first], lent)
    well = tree.returns > -np.inf
    if not well.any():
        return HOPELESS
    found = tree.plan(SURE * len(choices))
    mean = tree.totals[0, found[0]] / tree.visits[0, found[0]]
    return result(problem, choices[found], tree.returns.max(), mean, (~well).sum(), tree.visits[0, found[0]])


def played(tree: Tree, problem: Problem, choices: Tensor, ways: list[Descent], taken: np.ndarray) -> np.ndarray:
    """(B,) returns from the root to the horizon; the tree grows by the ends of `ways`. `taken` (B, H) choices."""
    parents, depths = np.array([way.nodes[-1] for way in ways]), np.array([way.depth for way in ways])
    ahead = np.arange(1 if problem.advice else tree.horizon - depths.min() + 1)
    steps = depths[:, None] - 1 + ahead  # (B, T) of the plan; beyond the horizon nothing counts
    decisions = choices[np.take_along_axis(taken, np.minimum(steps, tree.horizon - 1), 1)]
    states, rewards = problem.step(tree.states[parents], decisions)
    rewards = rewards.double().numpy()
    outcomes, advised = tree.earned[parents] + np.where(steps < tree.horizon, rewards, 0.0).sum(1), [None] * len(ways)
    if problem.advice:
        thought, values = problem.advice(states[:, 0])
        advised, outcomes = thought.double().numpy(), outcomes + values.double().numpy()
    for b, way in enumerate(ways):
        tree.grow(way, states[b, 0], float(rewards[b, 0]), advised[b])
    return outcomes


def discrete(problem: Problem, levels: int) -> Tensor | NoPlan:
    """(K, U) the decisions there are; else a grid within the bounds."""
    if problem.choices is not None:
        return problem.choices.clamp(*problem.bounds)
    size = problem.bounds.shape[1]
    if levels**size > MOST_CHOICES:
        return NoPlan(f"tree search would have {levels}^{size} choices a step: it is for few, or discrete decisions")
    low, high = problem.bounds
    grid = torch.cartesian_prod(*[torch.linspace(0.0, 1.0, levels)] * size).view(-1, size)
    return low + grid * (high - low)


def priors(config: MctsConfig, problem: Problem, choices: Tensor, warm: Tensor) -> Tensor:
    """(H, K) how likely each choice is at each step, before anything is known."""
    near = warm
    if config.proposals and problem.proposal:
        near = problem.proposal().expand_as(warm)
    near = torch.where(torch.isfinite(near), near, problem.prior)
    away = ((choices - near[:, None]) / problem.noise).square().sum(-1)
    return config.trust * torch.softmax(-away / 2, -1) + (1 - config.trust) / len(choices)
