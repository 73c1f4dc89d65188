"""A normal distribution of what comes next: its mean and, bounded, the logarithm of its variance.

    c = normalised change of the state      -log p(c) = sum over features of ((c - mean)^2 / variance + ln variance) / 2

Rolled on its mean for K steps, the variance of step k is the sum of those before it: exact where noise adds up, and
near it where a step changes little. A rollout draws the noise anew, the same for all candidates, so that they are
compared under equal luck.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from mbrl_ros.config import ConfigError, setting
from mbrl_ros.dynamics.ensemble import Normaliser
from mbrl_ros.dynamics.fitting import Step
from mbrl_ros.dynamics.network import Layers, random_layers
from mbrl_ros.dynamics.sizes import Sizes, after, normalised, normalised_change

LOWEST, HIGHEST = -10.0, 4.0  # logarithm of the variance, in units of a step's


@dataclass(frozen=True)
class Config:
    """Normal distributions, of one network or an ensemble of them."""

    members: int = setting(1, "networks", low=1, high=50)
    particles: int = setting(5, "rows of a rollout, each with noise of its own; a multiple of members", low=1)
    width: int = setting(64, "units a hidden layer", low=4, high=4096)
    layers: int = setting(2, "hidden layers", low=1, high=8)

    def __post_init__(self):
        if self.particles % self.members:
            raise ConfigError(f"particles {self.particles}: expected a multiple of members, {self.members}")


@dataclass(frozen=True)
class Gaussian:
    """`particles` rows, shared evenly among the networks."""

    particles: int
    net: Layers  # (S + A) -> (2 S)
    normaliser: Normaliser
    action_offset: Tensor  # (A,)
    action_scale: Tensor  # (A,)
    generator: Generator  # of the noise in rollouts

    @property
    def members(self) -> int:
        return self.particles

    @property
    def networks(self) -> int:
        return self.net.members

    @property
    def parameters(self) -> list[Tensor]:
        return self.net.parameters

    def change(self, x: Tensor, action: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised (E, B, S) and (E, B, A) -> mean and logarithm of the variance of the change, (E, B, S) each."""
        mean, raw = self.net(torch.cat([x, action], -1)).chunk(2, -1)
        return mean, bounded(raw)

    def distribution(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Physical (B, S) and (B, A) -> each network's mean of the next state and its variance, (E, B, S) each."""
        wide = states.expand(self.networks, *states.shape), actions.expand(self.networks, *actions.shape)
        mean, log_variance = self.change(*normalised(self, *wide))
        return after(self, wide[0], mean), log_variance.exp() * self.normaliser.step_std**2

    def rollout(self, states: Tensor, actions: Tensor) -> Tensor:
        """States (M, B, S) and actions (M, B, H, A) in physical units -> the states that follow (M, B, H, S)."""
        rows, batch, horizon, _ = actions.shape
        noise = torch.randn(rows, horizon, states.shape[-1], generator=self.generator)
        x, out = states, []
        for step in range(horizon):
            inner, told = normalised(self, x, actions[:, :, step])
            mean, log_variance = (t.view(rows, batch, -1) for t in self.change(self._shared(inner), self._shared(told)))
            x = after(self, x, mean + (log_variance / 2).exp() * noise[:, step, None])
            out.append(x)
        return torch.stack(out, 2)

    differentiable_rollout = rollout

    def _shared(self, rows: Tensor) -> Tensor:
        """(M, B, .) -> (E, M / E * B, .), neighbours to the same network."""
        return rows.reshape(self.networks, -1, rows.shape[-1])


def new(config: Config, sizes, seed: int) -> Gaussian:
    known, generator = Sizes.of(sizes), torch.Generator().manual_seed(seed)
    units = [known.state + known.action, *[config.width] * config.layers, 2 * known.state]
    net = random_layers(config.members, units, generator)
    return Gaussian(config.particles, net, known.normaliser, known.action_offset, known.action_scale, generator)


def loss(model: Gaussian, states: Tensor, actions: Tensor, step: Step) -> Tensor:
    """Physical states (E, B, K + 1, S) and actions (E, B, K, A) -> mean of -log p over K steps and features."""
    return surprisal(model, model.change, states, actions)


def surprisal(
    model, change: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], states: Tensor, actions: Tensor
) -> Tensor:
    """Mean of -log p, less a constant, where `change` says mean and log-variance of the normalised change."""
    x, total, variance = states[:, :, 0], 0.0, 0.0
    for k in range(actions.shape[2]):
        mean, log_variance = change(*normalised(model, x, actions[:, :, k]))
        variance = variance + log_variance.exp()
        error = normalised_change(model, x, states[:, :, k + 1]) - mean
        total = total + 0.5 * (error.square() / variance + variance.log()).mean()
        x = after(model, x, mean)
    return total / actions.shape[2]


def bounded(raw: Tensor) -> Tensor:
    """Between LOWEST and HIGHEST, with a gradient everywhere."""
    below = HIGHEST - F.softplus(HIGHEST - raw)
    return LOWEST + F.softplus(below - LOWEST)
