"""torchrl's CEM as a planner of ours: it steps the same model for the same rewards, as an environment of its own kind.

It begins every plan anew, around 0 with a spread of 1, and hands out the first decision alone, which is held here. What
decisions cost themselves (planner.cost) it does not know, as tree search does not.
"""

from __future__ import annotations

import torch
from tensordict import TensorDict
from torch import Generator, Tensor
from torchrl.data import Bounded, Composite, Unbounded
from torchrl.envs import EnvBase
from torchrl.modules import CEMPlanner

from mbrl_ros.control.search import Search
from mbrl_ros.planners.problem import NoPlan, PlanResult, Problem
from mbrl_ros.planners.sampling import result

ROUNDS, ELITES = 4, 0.1  # as our CEM: fits of its distribution, and the share of the candidates that it is fitted to
REWARD = "next", "reward"


class Steps(EnvBase):
    """A problem, stepped one decision at a time; `state` is that of all particles in a row."""

    batch_locked = False

    def __init__(self, problem: Problem):
        super().__init__(device="cpu", batch_size=[])
        self._problem = problem
        low, high = problem.bounds
        self.observation_spec = Composite(state=Unbounded(problem.root.numel()))
        self.action_spec = Bounded(low, high, low.shape, dtype=torch.float32)
        self.reward_spec = Unbounded(1)

    def _reset(self, tensordict: TensorDict | None = None, **_) -> TensorDict:
        return TensorDict({"state": self._problem.root.flatten().clone()}, [])

    def _step(self, tensordict: TensorDict) -> TensorDict:
        states = tensordict["state"].unflatten(-1, self._problem.root.shape)  # (N, P, S)
        after, rewards = self._problem.step(states, tensordict["action"][:, None])
        worth = self._problem.treated(rewards[:, 0]).nan_to_num(-1e9, -1e9, -1e9)
        never = torch.zeros(len(worth), 1, dtype=torch.bool)
        found = {"state": after[:, 0].flatten(1), "reward": worth[:, None], "done": never, "terminated": never}
        return TensorDict(found, tensordict.batch_size)

    def _set_seed(self, seed: int | None) -> None:
        """It draws nothing."""


class Peer:
    """Stands where a search finds its plans."""

    def __init__(self, search: Search):
        self._search = search
        self._problem: Problem | None = None

    def find(self, warm: Tensor, generator: Generator) -> PlanResult | NoPlan:
        problem = self._search.problem
        if problem is not self._problem:
            count = max(4, problem.candidates // ROUNDS)
            self._problem, self._steps = problem, Steps(problem)
            self._planner = CEMPlanner(
                self._steps, len(problem.prior), ROUNDS, count, max(2, round(ELITES * count)), reward_key=REWARD
            )
        decision = self._planner.planning(self._steps.reset()).float()
        earned = problem.treated(problem.step(problem.root[None], decision[None, None])[1])  # (1, 1), of the first step
        best = earned.nan_to_num(-torch.inf, -torch.inf, -torch.inf)
        return result(problem, decision.expand(len(problem.prior), -1).clone(), best, best, 0, 1.0)
