"""The network of a policy: from what is seen and the prior of the action map to one step's decisions.

    decisions = clip(prior + f(normalised seen), bounds),    seen = (state, command, sin and cos of the gait's phase)

The prior is what the action map would do by itself, so an untrained policy is that motion, and only the difference has
to be learned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from mbrl_ros.robots.features import FeatureLayout

HIDDEN = (256, 128)
PHASE_INPUTS = 2
FIRST = 0.01  # times the usual size of the last layer's weights at first: a new policy is nearly its prior


@dataclass(frozen=True)
class Policy:
    """Weights (in, out) and biases (out,) of each layer; all else is fixed when the policy is made."""

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    mean: Tensor  # (I,) of what is seen
    std: Tensor  # (I,)
    bounds: Tensor  # (2, U)

    @property
    def parameters(self) -> list[Tensor]:
        return [*self.weights, *self.biases]

    def wish(self, seen: Tensor, prior: Tensor) -> Tensor:
        """Seen (B, I) and prior (B, U) -> decisions (B, U), which may be out of bounds."""
        h = (seen - self.mean) / self.std
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            h = F.elu(h @ weight + bias)
        return prior + h @ self.weights[-1] + self.biases[-1]

    def decide(self, seen: Tensor, prior: Tensor) -> Tensor:
        return torch.minimum(torch.maximum(self.wish(seen, prior), self.bounds[0]), self.bounds[1])


def seen_from(states: Tensor, commands: Tensor, phases: Tensor) -> Tensor:
    """(B, S), (B, C) and (B,) -> (B, I)"""
    turn = 2 * math.pi * phases[:, None]
    return torch.cat([states, commands, turn.sin(), turn.cos()], 1)


def new_policy(layout: FeatureLayout, states: Tensor, command_size: int, bounds: Tensor, seed: int) -> Policy:
    """`states` (B, S) of the kind that it will see are what it normalises by; commands are of the size of one."""
    generator = torch.Generator().manual_seed(seed)
    floor = 0.1 * torch.tensor(layout.scales)
    rest = command_size + PHASE_INPUTS
    mean = torch.cat([states.mean(0), torch.zeros(rest)])
    std = torch.cat([torch.maximum(states.std(0), floor), torch.ones(rest)])
    sizes = [len(mean), *HIDDEN, bounds.shape[1]]
    weights = [torch.randn(a, b, generator=generator) / a**0.5 for a, b in zip(sizes[:-1], sizes[1:], strict=True)]
    weights[-1] *= FIRST
    return Policy(tuple(weights), tuple(torch.zeros(b) for b in sizes[1:]), mean, std, bounds)
