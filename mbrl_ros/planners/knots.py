"""Plans that are linear between knots."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

CPU = torch.device("cpu")


@lru_cache(maxsize=32)
def knot_weights(horizon: int, knot_steps: int, device: torch.device = CPU) -> Tensor:
    """(H, knots) how much of each knot every step has."""
    with torch.inference_mode(False):  # kept, and whoever asks next may want gradients
        position = torch.arange(horizon, device=CPU) / knot_steps
        knots = torch.arange(math.ceil(position[-1]) + 1, device=CPU)
        return (1 - (position[:, None] - knots).abs()).clamp(min=0).to(device)


@lru_cache(maxsize=32)
def knot_readings(horizon: int, knot_steps: int) -> Tensor:
    """(knots, H) what reads the knots off a plan, by least squares."""
    with torch.inference_mode(False):
        return torch.linalg.pinv(knot_weights(horizon, knot_steps))
