"""Correlated random motion in decision space, the same for a seed and reproducible from any step on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class RandomMotion:
    """Normal noise at knots `knot_steps` apart, linear in between; step 0 is rest."""

    def __init__(self, size: int, knot_steps: int, seed: int):
        self._size, self._knot_steps, self._seed = size, knot_steps, seed

    def between(self, first: int, count: int) -> Tensor:
        """(count, U) of the steps from `first` on, one sigma at the knots."""
        position = np.arange(first, first + count) / self._knot_steps
        lower = np.floor(position).astype(int)
        share = (position - lower)[:, None]
        knots = {k: self._knot(k) for k in range(int(lower[0]), int(lower[-1]) + 2)}
        low = np.stack([knots[k] for k in lower])
        high = np.stack([knots[k + 1] for k in lower])
        return torch.tensor((1 - share) * low + share * high, dtype=torch.float32)

    def _knot(self, number: int) -> np.ndarray:
        if number <= 0:
            return np.zeros(self._size)
        return np.random.default_rng((self._seed, number)).standard_normal(self._size)
