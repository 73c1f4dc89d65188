"""Numbers from numbers: the small network that everything learned beside the dynamics is made of.

y = mean_y + sigma_y * f((x - mean_x) / sigma_x)         least squares
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mbrl_ros.dynamics.fitting import FitConfig, descend
from mbrl_ros.dynamics.network import Layers, random_layers

WIDTH, LAYERS = 64, 2


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation (D,) of data."""

    mean: Tensor
    std: Tensor

    @staticmethod
    def of(data: Tensor) -> Scale:
        """Of (B, D); what never changes counts in units of one."""
        std = data.std(0, correction=0)
        return Scale(data.mean(0), torch.where(std > 1e-6, std, torch.ones_like(std)))

    def inward(self, data: Tensor) -> Tensor:
        return (data - self.mean) / self.std

    def outward(self, data: Tensor) -> Tensor:
        return self.mean + self.std * data


@dataclass(frozen=True)
class Regression:
    net: Layers
    inputs: Scale
    outputs: Scale

    def __call__(self, inputs: Tensor) -> Tensor:
        """(..., X) -> (..., Y)"""
        flat = self.inputs.inward(inputs).flatten(0, -2)[None]
        return self.outputs.outward(self.net(flat)[0]).view(*inputs.shape[:-1], -1)


def regressed(inputs: Tensor, outputs: Tensor, config: FitConfig, seed: int = 0) -> Regression:
    """Fitted to inputs (B, X) and outputs (B, Y)."""
    generator, known, wanted = torch.Generator().manual_seed(seed), Scale.of(inputs), Scale.of(outputs)
    net = random_layers(1, [inputs.shape[1], *[WIDTH] * LAYERS, outputs.shape[1]], generator)
    x, y = known.inward(inputs), wanted.inward(outputs)

    def loss(step: int) -> Tensor:
        picked = torch.randint(len(x), (config.batch,), generator=generator)
        return (net(x[picked][None])[0] - y[picked]).square().mean()

    descend(net.parameters, loss, config)
    return Regression(net, known, wanted)
