"""Monte Carlo tree search among discrete decisions.

    uct    take the branch of the largest   Q + c sqrt(ln N / n)
    puct   take the branch of the largest   Q + c P sqrt(N) / (1 + n)

Q is what a branch is worth, the best return through it or the mean, scaled to 0..1 by the returns seen; n its visits
and N those of its node. From a branch that nobody has played, a simulation plays on to the horizon (simulations.py);
whatever way is the best so far is laid into the tree, to be left anywhere. The first simulation is the plan before.
The priors P are near the warm start (`trust`), or near what a policy proposes now where `proposals` asks for it; what
comes after the horizon is worth what its value says, where `terminal_value` asks for that.

Members of an ensemble go down side by side, as in the score of a plan: what they disagree by is treated once, on what a
whole simulation has earned.

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
from mbrl_ros.planners.simulations import Chances, Played, play
from mbrl_ros.planners.tree import NONE, Descent, Tree, puct, uct
from mbrl_ros.planners.warm import main_plan
from mbrl_ros.search_settings import MctsConfig

MOST_CHOICES = 256  # a branch that is never tried teaches nothing
NODES = 2  # at most a simulation, beside the plan before
ROUNDS = 8  # in which the model is called at least: who goes down all at once has learned nothing on the way
SURE = 8  # visits a branch, below which the most visited one is an accident, and the best simulation counts


def plan(config: MctsConfig, problem: Problem, warm: Tensor, generator: Generator) -> PlanResult | NoPlan:
    if problem.step is None or problem.root is None:
        return NoPlan("tree search needs a model, and targets that each come from one decision (not spline, not gait)")
    choices = discrete(problem, config.levels)
    if isinstance(choices, NoPlan):
        return choices
    simulations, warm = max(problem.candidates, len(choices)), main_plan(warm)
    guesses = priors(config, problem, choices, warm)
    likely = guesses if config.simulation == "priors" else torch.full_like(guesses, 1 / len(choices))
    chances = Chances.drawn(config, likely, simulations, generator)
    chances.late[0], chances.greedy_from[0] = NONE, len(warm)
    chances.choices[0] = guesses.argmax(-1)  # the plan before, as far as the choices allow
    ties = torch.rand(NODES * simulations + len(warm), len(choices), generator=generator).numpy()
    tree = Tree(problem.root, simulations, guesses.double().numpy(), ties, config.worth)
    rule = (puct if config.rule == "puct" else uct)(config.exploration)
    batch = min(config.batch, -(-simulations // ROUNDS))
    for first in range(0, simulations, batch):
        count, best, lent = min(batch, simulations - first), tree.high, tree.least
        ways = [tree.descend(rule) if n else tree.begin(chances.choices[0, 0]) for n in range(first, first + count)]
        played = play(tree, problem, choices, ways, chances, first)
        for b, (way, outcome) in enumerate(zip(ways, ended(tree, problem, ways, played), strict=True)):
            tree.back_up(first + b, way, float(outcome), played.choices[b], lent)
        tree.judge()
        if tree.high > best:
            b = int(tree.returns[first : first + count].argmax())
            tree.lay(first + b, ways[b], played.states[b], played.rewards[b])
    well = tree.returns > -np.inf
    if not well.any():
        return HOPELESS
    found = tree.plan(SURE * len(choices))
    mean = tree.totals[0, found[0]] / tree.visits[0, found[0]]
    return result(problem, choices[found], tree.returns.max(), mean, (~well).sum(), tree.visits[0, found[0]])


def ended(tree: Tree, problem: Problem, ways: list[Descent], played: Played) -> np.ndarray:
    """(B,) returns from the root to the horizon; the tree grows by the ends of `ways`."""
    for b, way in enumerate(ways):
        tree.grow(way, played.states[b, 0], played.rewards[b, 0], way.depth)
    returns = torch.from_numpy(tree.earned[[way.nodes[-1] for way in ways]] + played.rewards.sum(1))  # (B, P)
    if problem.ends:
        last = [tree.horizon - way.depth for way in ways]
        returns = returns + problem.ends(played.states[range(len(ways)), last])
    return problem.treated(returns).numpy()


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
