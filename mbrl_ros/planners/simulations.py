"""What plays on from the leaf of a search tree to the horizon, where nobody has been yet.

By chance: choices drawn beforehand, each held for a while, since those that change at every step lead nowhere.
After another: the choices of the best simulation that has come this way, as they were or a step later, as if one had
been put in between. What is nearly good becomes good by that.
Greedily: by chance for some steps, and from there on whatever brings most at once. That runs into nothing which one
step foresees, and an excursion has to be right only until the rest is easy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Generator, Tensor

from mbrl_ros.planners.problem import Problem
from mbrl_ros.planners.tree import NONE, Descent, Tree
from mbrl_ros.search_settings import MctsConfig

TIE = 1e-4  # of what the choices of a step differ by: less is decided by chance


@dataclass(frozen=True)
class Chances:
    """What chance decides in N simulations, drawn before the first."""

    choices: np.ndarray  # (N, H)
    late: np.ndarray  # (N,) steps by which the best simulation is followed, 0 or 1; NONE: it is not
    greedy_from: np.ndarray  # (N,) step of the plan; H: never
    ties: np.random.Generator

    @staticmethod
    def drawn(config: MctsConfig, likely: Tensor, count: int, generator: Generator) -> Chances:
        """`likely` (H, K): how often each choice is drawn."""
        horizon = len(likely)
        choices = torch.multinomial(likely, count, replacement=True, generator=generator).T.numpy()
        anew, follows, excursion = torch.rand(3, count, horizon, generator=generator).numpy()
        since = np.maximum.accumulate(np.where(anew * config.knot_steps < 1, np.arange(horizon), 0), 1)
        late = np.where(follows[:, 0] < config.follow, (follows[:, 1] < 0.5).astype(int), NONE)
        greedy = config.simulation == "greedy"
        until = np.floor(excursion[:, 0] * horizon / 2).astype(int)
        return Chances(
            np.take_along_axis(choices, since, 1),
            late,
            np.where((late == NONE) & greedy, until, horizon),
            np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator))),
        )


@dataclass(frozen=True)
class Played:
    """B simulations, from the ends of their ways on."""

    choices: np.ndarray  # (B, H) from the root on
    states: Tensor  # (B, T, P, S) the ends of the ways first
    rewards: np.ndarray  # (B, T, P), 0 beyond the horizon


def play(
    tree: Tree, problem: Problem, choices: Tensor, ways: Sequence[Descent], chances: Chances, first: int
) -> Played:
    """Simulations number `first` and those after it."""
    numbers = np.arange(first, first + len(ways))
    taken = np.stack(
        [np.append(way.branches, _rest(tree, way, chances, n)) for way, n in zip(ways, numbers, strict=True)]
    )
    depths, states = np.array([way.depth for way in ways]), tree.states[[way.nodes[-1] for way in ways]]
    steps = depths[:, None] - 1 + np.arange(tree.horizon - depths.min() + 1)  # (B, T)
    within, real = np.minimum(steps, tree.horizon - 1), (steps < tree.horizon)[..., None]
    chosen_from = np.maximum(chances.greedy_from[numbers], depths)
    if not (chosen_from < tree.horizon).any():
        states, rewards = problem.step(states, choices[np.take_along_axis(taken, within, 1)])
        return Played(taken, states, np.where(real, rewards.double().numpy(), 0.0))
    found, earned, rows = [], [], np.arange(len(ways))
    for at, counts in zip(within.T, real.swapaxes(0, 1), strict=True):
        states, rewards, best = _every_choice(problem, choices, states, chances.ties)
        taken[rows, at] = np.where(counts[:, 0] & (at >= chosen_from), best, taken[rows, at])
        states, rewards = states[rows, taken[rows, at]], rewards[rows, taken[rows, at]]
        found.append(states)
        earned.append(np.where(counts, rewards, 0.0))
    return Played(taken, torch.stack(found, 1), np.stack(earned, 1))


def _rest(tree: Tree, way: Descent, chances: Chances, number: int) -> np.ndarray:
    """(H - depth,) what is to be played after the way."""
    best = tree.best_through(way.nodes[-1]) if chances.late[number] != NONE else NONE
    if best == NONE:
        return chances.choices[number, way.depth :]
    return tree.choices[best, way.depth - chances.late[number] : tree.horizon - chances.late[number]]


def _every_choice(problem: Problem, choices: Tensor, states: Tensor, ties: np.random.Generator):
    """From states (B, P, S): those after each choice (B, K, P, S), rewards (B, K, P), and the best choice (B,)."""
    batch, count = len(states), len(choices)
    after, rewards = problem.step(states.repeat_interleave(count, 0), choices.repeat(batch, 1)[:, None])
    rewards = rewards.double().view(batch, count, -1)
    worth = problem.treated(rewards).numpy()
    worth = np.where(np.isfinite(worth), worth, -np.inf)
    low, high = (np.where(np.isfinite(worth), worth, filler) for filler in (np.inf, -np.inf))
    span = high.max(1, keepdims=True) - low.min(1, keepdims=True)
    nearly = worth >= worth.max(1, keepdims=True) - TIE * np.where(np.isfinite(span), span, 0.0)
    return after[:, 0].unflatten(0, (batch, count)), rewards.numpy(), (nearly * ties.random(worth.shape)).argmax(1)
