"""A normal distribution over plans, and its fit to the best candidates: what CEM and iCEM share."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Fitted:
    """`spread` may be of fewer rows than `mean`, where noise is made at knots."""

    mean: Tensor  # (H, U)
    spread: Tensor  # (R, U) one standard deviation

    def moved(self, elites: Tensor, rows: Tensor | None, momentum: float, least: Tensor) -> Fitted:
        """Towards `elites` (K, H, U); `rows` (R, H) makes rows of a spread from a plan, None: they are its steps."""
        mean = elites.mean(0)
        away = elites - mean
        spread = (away if rows is None else rows @ away).std(0, correction=0)
        mean = momentum * self.mean + (1 - momentum) * mean
        spread = momentum * self.spread + (1 - momentum) * spread
        return Fitted(mean, torch.maximum(spread, least))


def best_of(candidates: Tensor, returns: Tensor, share: float) -> Tensor:
    """(K, H, U) the best first; fewer than the share where fewer have a finite return."""
    count = max(2, round(share * len(returns)))
    finite = int((returns > -torch.inf).sum())
    return candidates[returns.topk(min(count, finite)).indices]
