"""What the disagreement of members does to a return.

    expectation   mean over members
    pessimism     mean - lambda x standard deviation over members
    optimism      mean + lambda x standard deviation
    cvar          mean over the share of members that say the worst
    tsinf         each candidate goes through one member, from the first step to the last (TS-inf)
    ts1           each candidate goes through a member drawn anew at each step (TS-1)
    ts1_mean      mean over as many particles as there are members, each through members drawn anew at each step (PETS)

tsinf and ts1 are no way to sum up members but to share candidates out among them; where all members are asked about one
plan all the same (its value, its gradient, a step of a tree), they are the expectation. So is ts1_mean in a tree, which
steps all members as they are; and so would be a mean over particles that keep to one member each, which is why there is
no tsinf_mean.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

SEED = 0  # of the draws of ts1: one table a problem, the same for every plan; who is drawn by it changes with the noise


@dataclass(frozen=True)
class Treatment:
    """One of settings.TREATMENTS, with its numbers."""

    name: str
    aversion: float  # standard deviations off, or on top
    worst: float  # share of the members that count in cvar

    def of_members(self, returns: Tensor) -> Tensor:
        """(M, ...) -> (...)"""
        members = len(returns)
        if members > 1 and self.name == "pessimism":
            return returns.mean(0) - self.aversion * returns.std(0)
        if members > 1 and self.name == "optimism":
            return returns.mean(0) + self.aversion * returns.std(0)
        if members > 1 and self.name == "cvar":
            count = max(1, math.ceil(self.worst * members - 1e-9))
            returns = torch.where(torch.isfinite(returns), returns, -torch.inf)  # what is not finite is the worst
            return returns.topk(count, 0, largest=False).values.mean(0)
        return returns.mean(0)


def drawn_orders(horizon: int, members: int, columns: int, like: Tensor) -> Tensor:
    """(H, M, B) which particle of each column the members get at each step: a permutation, so all are as busy."""
    generator = torch.Generator().manual_seed(SEED)
    return torch.rand(horizon, members, columns, generator=generator, device="cpu").argsort(1).to(like.device)


def member_anew(rollout: Callable[[Tensor, Tensor], Tensor], orders: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """`rollout` step by step, each particle through a member drawn anew. Another number of rows than `orders` has
    (H, M, B) takes its columns again."""

    def stepwise(states: Tensor, actions: Tensor) -> Tensor:
        members, batch, horizon, _ = actions.shape
        columns = torch.arange(batch, device=orders.device) % orders.shape[2]
        x, out = states.expand(members, batch, -1), []
        for step in range(horizon):
            order = orders[step][:, columns, None]  # (M, B, 1)
            told = actions[:, :, step].gather(0, order.expand(-1, -1, actions.shape[-1]))
            after = rollout(x.gather(0, order.expand_as(x)), told[:, :, None])[:, :, 0]
            x = torch.empty_like(after).scatter(0, order.expand_as(after), after)
            out.append(x)
        return torch.stack(out, 2)

    return stepwise
