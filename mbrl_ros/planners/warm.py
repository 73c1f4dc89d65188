"""Where a search begins: the plan before, moved on in time.

`warm` is (H, U), or (1 + K, H, U) after a planner that named others beside its plan (PlanResult.others).
"""

from __future__ import annotations

import torch
from torch import Tensor


def shifted(actions: Tensor, steps: int, prior: Tensor, tail: float) -> Tensor:
    """Plans (..., H, U) as they stand `steps` later; the new end is `tail` of the last step and the rest the prior."""
    horizon = actions.shape[-2]
    steps = min(steps, horizon)
    end = tail * actions[..., -1:, :] + (1 - tail) * prior[-1]
    return torch.cat([actions[..., steps:, :], end.expand(*actions.shape[:-2], steps, -1)], -2)


def main_plan(warm: Tensor) -> Tensor:
    """(H, U), without the others."""
    return warm if warm.dim() == 2 else warm[0]
