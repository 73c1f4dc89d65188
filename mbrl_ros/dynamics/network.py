"""Small networks, all members in one batched matmul a layer: what every learned model is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Generator, Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Layers:
    """Weights (E, in, out) and biases (E, 1, out) of each layer, with SiLU in between."""

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]

    @property
    def members(self) -> int:
        return self.weights[0].shape[0]

    @property
    def parameters(self) -> list[Tensor]:
        return [*self.weights, *self.biases]

    def __call__(self, inputs: Tensor) -> Tensor:
        """(E, B, in) -> (E, B, out)"""
        h = inputs
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            h = F.silu(torch.baddbmm(bias, h, weight))
        return torch.baddbmm(self.biases[-1], h, self.weights[-1])


def random_layers(members: int, sizes: Sequence[int], generator: Generator, last: float = 0.1) -> Layers:
    """`sizes`: units of the input, of each hidden layer and of the output, whose weights are `last` times as large."""
    weights, biases = [], []
    for i, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        scale = (last if i == len(sizes) - 2 else 1.0) / fan_in**0.5
        weights.append(torch.randn(members, fan_in, fan_out, generator=generator) * scale)
        biases.append(torch.zeros(members, 1, fan_out))
    return Layers(tuple(weights), tuple(biases))
