"""How common a whole transition is: the joint density p(s, a, s'), a mixture of normal distributions.

    p(x) = sum over k of w_k normal(x; mu_k, Sigma_k),   x = (s, a, s' - s) in standard deviations

fitted by expectation and maximisation. Each component is a piece of the world that is nearly linear, so what never
happens together lies beside all of them: a state where no data was, an action that nobody takes there, a next state
that does not follow. Its one use: the density as a measure of novelty, which asks all three questions at once, where a
model of dynamics asks the last alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mbrl_ros.config import setting
from mbrl_ros.dynamics.beside.regression import Scale
from mbrl_ros.dynamics.fitting import cut


@dataclass(frozen=True)
class Config:
    components: int = setting(20, "pieces of the world", low=1, high=1000)
    rounds: int = setting(40, "of expectation and maximisation", low=1)
    floor: float = setting(1e-4, "least variance in any direction, that of all data being 1", low=1e-9)


@dataclass(frozen=True)
class Joint:
    scale: Scale  # of (s, a, s' - s), D numbers
    log_weight: Tensor  # (K,)
    mean: Tensor  # (K, D)
    factor: Tensor  # (K, D, D) lower triangular, of the covariance

    def log_density(self, states: Tensor, actions: Tensor, next_states: Tensor) -> Tensor:
        """(..., S), (..., A), (..., S) -> (...), up to a constant."""
        whole = self.scale.inward(torch.cat([states, actions, next_states - states], -1))
        return self.log_each(whole.flatten(0, -2)).logsumexp(-1).view(whole.shape[:-1])

    def log_each(self, whole: Tensor) -> Tensor:
        """(B, D) -> (B, K), by component, weighed."""
        off = (whole - self.mean[:, None]).mT  # (K, D, B)
        inward = torch.linalg.solve_triangular(self.factor, off, upper=False)
        spread = self.factor.diagonal(dim1=1, dim2=2).log().sum(-1)  # (K,)
        size = whole.shape[1] * math.log(2 * math.pi) / 2
        return self.log_weight - spread - size - inward.square().sum(1).T / 2


def joint(states: Tensor, actions: Tensor, config: Config, seed: int = 0) -> Joint:
    """From recorded runs, states (R, T + 1, S) and actions (R, T, A)."""
    path, told = cut(states, actions, 1)
    whole = torch.cat([path[:, 0], told[:, 0], path[:, 1] - path[:, 0]], -1)
    scale, count = Scale.of(whole), min(config.components, len(whole))
    whole = scale.inward(whole)
    picked = torch.randperm(len(whole), generator=torch.Generator().manual_seed(seed))[:count]
    unit = torch.eye(whole.shape[1]).expand(count, -1, -1)
    found = Joint(scale, torch.full((count,), -math.log(count)), whole[picked], 0.5 * unit)
    for _ in range(config.rounds):
        found = _maximised(found, whole, torch.softmax(found.log_each(whole), -1), config.floor)
    return found


def _maximised(before: Joint, whole: Tensor, share: Tensor, floor: float) -> Joint:
    """The most likely mixture, for the share (B, K) that each component has in each row (B, D)."""
    rows = share.sum(0) + 1e-6  # (K,)
    mean = share.T @ whole / rows[:, None]
    second = torch.einsum("bk,bi,bj->kij", share, whole, whole) / rows[:, None, None]
    covariance = second - mean[:, :, None] * mean[:, None] + floor * torch.eye(whole.shape[1])
    factor, failed = torch.linalg.cholesky_ex(covariance)
    factor = torch.where((failed == 0)[:, None, None], factor, before.factor)
    return Joint(before.scale, (rows / rows.sum()).log(), mean, factor)
