"""What lies between two states n steps apart. Its one use: to fill gaps in a recording.

    s_t+k = straight line from s_t to s_t+n + f(s_t, s_t+n - s_t, k / n),   0 < k < n

The line is what anybody would guess; the network learns how this robot bends it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mbrl_ros.dynamics.beside.regression import Regression, regressed
from mbrl_ros.dynamics.fitting import FitConfig


@dataclass(frozen=True)
class Interpolation:
    steps: int  # n
    net: Regression

    def filled(self, first: Tensor, last: Tensor) -> Tensor:
        """States (B, S) n steps apart -> the n - 1 states between them (B, n - 1, S)."""
        share = _shares(self.steps).expand(len(first), -1, -1)
        line = straight(first, last, self.steps)
        wide = (t[:, None].expand(-1, self.steps - 1, -1) for t in (first, last - first))
        return line + self.net(torch.cat([*wide, share], -1))


def interpolation(states: Tensor, steps: int, config: FitConfig, seed: int = 0) -> Interpolation:
    """From recorded states without gaps, (R, T + 1, S)."""
    path = states.unfold(1, steps + 1, 1).transpose(2, 3).flatten(0, 1)  # (W, n + 1, S)
    first, last = path[:, 0], path[:, -1]
    bend = path[:, 1:-1] - straight(first, last, steps)
    wide = (t[:, None].expand(-1, steps - 1, -1) for t in (first, last - first))
    inputs = torch.cat([*wide, _shares(steps).expand(len(path), -1, -1)], -1)
    return Interpolation(steps, regressed(inputs.flatten(0, 1), bend.flatten(0, 1), config, seed))


def straight(first: Tensor, last: Tensor, steps: int) -> Tensor:
    """States (B, S) n steps apart -> the line between them (B, n - 1, S)."""
    return first[:, None] + _shares(steps) * (last - first)[:, None]


def _shares(steps: int) -> Tensor:
    """(n - 1, 1)"""
    return (torch.arange(1, steps) / steps)[:, None]
