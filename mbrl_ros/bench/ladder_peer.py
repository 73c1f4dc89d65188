"""pytorch_mppi as a planner of ours: it steps the same model for the same rewards, with noise and weights of its own.

What decisions cost themselves (planner.cost) it does not know, as tree search does not.
"""

from __future__ import annotations

import torch
from pytorch_mppi import MPPI
from torch import Generator, Tensor

from mbrl_ros.control.search import Search
from mbrl_ros.planners.problem import NoPlan, PlanResult, Problem
from mbrl_ros.planners.sampling import result
from mbrl_ros.planners.warm import main_plan

TEMPERATURE = 0.01  # in units of the return; 0.003 swings pendulum up as well, 0.1 and 1 do not (seed 2)


class Peer:
    """Stands where a search finds its plans."""

    def __init__(self, search: Search):
        self._search = search
        self._problem: Problem | None = None

    def find(self, warm: Tensor, generator: Generator) -> PlanResult | NoPlan:
        problem, warm = self._search.problem, main_plan(warm)
        if problem is not self._problem:
            self._problem, self._planner = problem, _planner(problem, len(warm))
        self._planner.U = warm.clone()
        self._planner.command(problem.root.flatten(), shift_nominal_trajectory=False)
        returns = -self._planner.cost_total
        well = torch.isfinite(returns)
        best = returns[well].max() if well.any() else -torch.inf
        weights = self._planner.omega[well]
        return result(problem, self._planner.U, best, weights @ returns[well], (~well).sum(), 1 / (weights @ weights))


def _planner(problem: Problem, horizon: int) -> MPPI:
    particles, states = problem.root.shape
    earned: list[Tensor] = []

    def step(state: Tensor, decision: Tensor) -> Tensor:
        """States (N, P x S), decisions (N, U)."""
        after, rewards = problem.step(state.view(-1, particles, states), decision[:, None])
        earned[:] = [problem.treated(rewards[:, 0])]
        return after[:, 0].flatten(1)

    return MPPI(
        step,
        lambda state, decision: -earned[0],
        particles * states,
        torch.diag(problem.noise.square()),
        num_samples=problem.candidates,
        horizon=horizon,
        lambda_=TEMPERATURE,
        u_min=problem.bounds[0],
        u_max=problem.bounds[1],
    )
