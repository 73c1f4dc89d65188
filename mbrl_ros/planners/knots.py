"""Plans that are linear between knots."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor


@lru_cache(maxsize=32)
def knot_weights(horizon: int, knot_steps: int) -> Tensor:
    """(H, knots) how much of each knot every step has."""
    with torch.inference_mode(False):  # kept, and whoever asks next may want gradients
        position = torch.arange(horizon) / knot_steps
        knots = int(position[-1].ceil()) + 1
        return (1 - (position[:, None] - torch.arange(knots)).abs()).clamp(min=0)
