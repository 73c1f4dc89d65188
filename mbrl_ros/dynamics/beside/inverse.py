"""Which actions lead from here to there: p(a_t .. a_t+n-1 | s_t, s_t+n), its mean. n = 1: the inverse of one step.

Its one use: proposals for a planner that knows where to go. It is no model to plan with: where several actions lead to
the same state it says their mean, which may lead nowhere; candidates around it still find the way.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mbrl_ros.dynamics.beside.regression import Regression, regressed
from mbrl_ros.dynamics.fitting import FitConfig, cut


@dataclass(frozen=True)
class Inverse:
    steps: int  # n
    net: Regression

    def proposed(self, state: Tensor, goal: Tensor) -> Tensor:
        """States (..., S) now and in n steps -> actions (..., n, A)."""
        return self.net(torch.cat([state, goal - state], -1)).unflatten(-1, (self.steps, -1))


def inverse(states: Tensor, actions: Tensor, steps: int, config: FitConfig, seed: int = 0) -> Inverse:
    """From recorded runs, states (R, T + 1, S) and actions (R, T, A)."""
    path, told = cut(states, actions, steps)
    between = torch.cat([path[:, 0], path[:, -1] - path[:, 0]], -1)
    return Inverse(steps, regressed(between, told.flatten(1), config, seed))
