"""Composes model, task, action map and treatment of uncertainty into the Problem that a planner sees."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mbrl_ros.planners.problem import Problem
from mbrl_ros.settings import CostConfig


@dataclass(frozen=True)
class Situation:
    """The fixed buffers that a tick overwrites."""

    state: Tensor  # (S,) features at the first planned step
    command: Tensor  # (C,)
    phase: Tensor  # (H,) of the gait at each step
    prior: Tensor  # (H, U)
    before: Tensor  # (U,) the decision of the step before

    @staticmethod
    def empty(state_size: int, command_size: int, decision_size: int, horizon: int) -> Situation:
        return Situation(
            torch.zeros(state_size),
            torch.zeros(command_size),
            torch.zeros(horizon),
            torch.zeros(horizon, decision_size),
            torch.zeros(decision_size),
        )


def make_problem(
    situation: Situation, model, task, action_map, cost: CostConfig, treatment: str, pessimism: float, samples: int
) -> Problem:
    """`samples` rollouts in all: as many candidates with one member each (tsinf), or fewer that visit every member."""
    members = model.members if model is not None else 1  # without a model nothing can be scored, only the prior used
    each = max(2, samples // members)
    candidates = each * members if treatment == "tsinf" else each

    def score(decisions: Tensor) -> Tensor:
        targets = action_map.decode(decisions, situation.phase)  # (N, H, A)
        if treatment == "tsinf":
            told = targets.unflatten(0, (members, -1))
        else:
            told = targets.expand(members, *targets.shape)
        states = model.rollout(situation.state.expand(members, told.shape[1], -1), told)  # (M, B, H, S)
        returns = task.reward(states, situation.command).sum(-1)  # (M, B)
        if treatment == "tsinf":
            returns = returns.flatten()
        elif treatment == "expectation" or members == 1:
            returns = returns.mean(0)
        else:
            returns = returns.mean(0) - pessimism * returns.std(0)
        previous = torch.cat([situation.before.expand(len(decisions), 1, -1), decisions[:, :-1]], 1)
        returns = returns - cost.smoothness * (decisions - previous).square().sum((1, 2))
        returns = returns - cost.prior * (decisions - situation.prior).square().sum((1, 2))
        return torch.where(torch.isfinite(returns), returns, -torch.inf)

    return Problem(score, action_map.bounds, action_map.noise, situation.prior, candidates)
