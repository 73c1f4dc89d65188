"""The networks of a policy: from what is seen and the prior of the action map to one step's decisions; and what it is
worth to be there.

    decisions = clip(prior + f(normalised seen), bounds),    seen = (state, command, sin and cos of the gait's phase)

The prior is what the action map would do by itself, so an untrained policy is that motion, and only the difference has
to be learned.

    value = offset + scale g(normalised seen)

is the discounted sum of what the policy earns from there on, step for step what a plan's return counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from mbrl_ros.robots.features import FeatureLayout

HIDDEN = (256, 128)
VALUE_HIDDEN = (64, 64)  # a plan asks it of every candidate
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
        return prior + _through(self.weights, self.biases, (seen - self.mean) / self.std)

    def decide(self, seen: Tensor, prior: Tensor) -> Tensor:
        return torch.minimum(torch.maximum(self.wish(seen, prior), self.bounds[0]), self.bounds[1])


@dataclass(frozen=True)
class Value:
    """Of a policy, which shares its normalisation."""

    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    mean: Tensor  # (I,)
    std: Tensor  # (I,)
    offset: Tensor  # () of returns
    scale: Tensor  # ()

    @property
    def parameters(self) -> list[Tensor]:
        return [*self.weights, *self.biases]

    def normal(self, seen: Tensor) -> Tensor:
        """(B, I) -> (B,) in units of `scale`."""
        return _through(self.weights, self.biases, (seen - self.mean) / self.std)[:, 0]

    def worth(self, seen: Tensor) -> Tensor:
        return self.offset + self.scale * self.normal(seen)


def _through(weights: tuple[Tensor, ...], biases: tuple[Tensor, ...], h: Tensor) -> Tensor:
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        h = F.elu(h @ weight + bias)
    return h @ weights[-1] + biases[-1]


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
    weights, biases = _layers((len(mean), *HIDDEN, bounds.shape[1]), generator)
    return Policy(weights, biases, mean, std, bounds)


def new_value(policy: Policy, seed: int) -> Value:
    """Knows nothing: 0 everywhere, nearly."""
    weights, biases = _layers((len(policy.mean), *VALUE_HIDDEN, 1), torch.Generator().manual_seed(seed))
    return Value(weights, biases, policy.mean, policy.std, torch.zeros(()), torch.ones(()))


def _layers(sizes: tuple[int, ...], generator: torch.Generator) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    weights = [torch.randn(a, b, generator=generator) / a**0.5 for a, b in zip(sizes[:-1], sizes[1:], strict=True)]
    weights[-1] *= FIRST
    return tuple(weights), tuple(torch.zeros(b) for b in sizes[1:])
