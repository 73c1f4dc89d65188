"""A network whose weights are normal distributions: mean-field variational inference.

    minimise   E_q[-log p(data | w)] + anneal * KL(q(w) || prior) / rows        q(w) = normal(mu, sigma^2), each alone

In training the noise is drawn in the units, not the weights (local reparametrisation), which has far less variance:
of h = x W the mean is x mu and the variance x^2 sigma^2. The likelihood is that of the Gaussian model. A rollout draws
`members` networks, each for all of its steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from mbrl_ros.config import setting
from mbrl_ros.dynamics.ensemble import Normaliser
from mbrl_ros.dynamics.fitting import Step
from mbrl_ros.dynamics.kinds import gaussian
from mbrl_ros.dynamics.network import Layers, random_layers
from mbrl_ros.dynamics.sizes import Sizes

ANNEALED = 0.5  # share of a fit after which the divergence counts in full


@dataclass(frozen=True)
class Config:
    """A Bayesian network."""

    members: int = setting(10, "networks drawn for a rollout", low=1, high=200)
    width: int = setting(64, "units a hidden layer", low=4, high=4096)
    layers: int = setting(2, "hidden layers", low=1, high=8)
    prior: float = setting(1.0, "sigma of a weight before any data, times 1 / sqrt(inputs)", low=1e-3, high=100.0)
    start: float = setting(0.05, "sigma of a weight at the start, likewise", low=1e-6, high=10.0)
    divergence: float = setting(
        0.1, "weight of the divergence; 1 is what Bayes says, below it is colder", low=0.0, high=10.0
    )


@dataclass(frozen=True)
class Bayes:
    """Of each weight its mean and the logarithm of its sigma; biases are plain numbers."""

    config: Config
    means: Layers  # E = 1
    log_sigma: tuple[Tensor, ...]  # (1, in, out) a layer
    normaliser: Normaliser
    action_offset: Tensor  # (A,)
    action_scale: Tensor  # (A,)
    generator: Generator  # of weights and noise in rollouts

    networks = 1

    @property
    def members(self) -> int:
        return self.config.members

    opinions = members  # of networks that are drawn, however many are fitted

    @property
    def parameters(self) -> list[Tensor]:
        return [*self.means.parameters, *self.log_sigma]

    def drawn(self, members: int | None = None) -> gaussian.Gaussian:
        """So many networks (as many as `members` says), weights drawn once."""
        count = members or self.members
        weights = tuple(
            mean + log_sigma.exp() * torch.randn(count, *mean.shape[1:], generator=self.generator)
            for mean, log_sigma in zip(self.means.weights, self.log_sigma, strict=True)
        )
        layers = Layers(weights, tuple(b.expand(count, -1, -1) for b in self.means.biases))
        units = self.normaliser, self.action_offset, self.action_scale
        return gaussian.Gaussian(count, layers, *units, self.generator)

    def distribution(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """Physical (B, S) and (B, A) -> mean of the next state and its variance by each drawn network, (M, B, S)."""
        return self.drawn().distribution(states, actions)

    def rollout(self, states: Tensor, actions: Tensor) -> Tensor:
        """States (M, B, S) and actions (M, B, H, A) in physical units -> the states that follow (M, B, H, S)."""
        return self.drawn(len(states)).rollout(states, actions)

    differentiable_rollout = rollout

    def change(self, x: Tensor, action: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
        """As Gaussian.change, with other weights for every row."""
        h, last = torch.cat([x, action], -1), len(self.log_sigma) - 1
        for i, (mean, log_sigma) in enumerate(zip(self.means.weights, self.log_sigma, strict=True)):
            spread = torch.bmm(h.square(), (2 * log_sigma).exp())
            h = torch.baddbmm(self.means.biases[i], h, mean)
            h = h + (spread + 1e-12).sqrt() * torch.randn(h.shape, generator=generator)
            h = h if i == last else F.silu(h)
        mean, raw = h.chunk(2, -1)
        return mean, gaussian.bounded(raw)

    def divergence(self) -> Tensor:
        """KL(q || prior) over all weights, in nats."""
        total = torch.zeros(())
        for mean, log_sigma in zip(self.means.weights, self.log_sigma, strict=True):
            prior = self.config.prior / mean.shape[1] ** 0.5
            ratio = (2 * log_sigma).exp() / prior**2
            total = total + 0.5 * (ratio + mean.square() / prior**2 - 1 - ratio.log()).sum()
        return total


def new(config: Config, sizes, seed: int) -> Bayes:
    known, generator = Sizes.of(sizes), torch.Generator().manual_seed(seed)
    units = [known.state + known.action, *[config.width] * config.layers, 2 * known.state]
    means = random_layers(1, units, generator)
    log_sigma = tuple(torch.full_like(w, config.start / w.shape[1] ** 0.5).log() for w in means.weights)
    return Bayes(config, means, log_sigma, known.normaliser, known.action_offset, known.action_scale, generator)


def loss(model: Bayes, states: Tensor, actions: Tensor, step: Step) -> Tensor:
    """Physical states (1, B, K + 1, S) and actions (1, B, K, A) -> nats a row and feature."""
    weight = model.config.divergence * min(1.0, step.done / ANNEALED)
    fit = gaussian.surprisal(model, partial(model.change, generator=step.generator), states, actions)
    return fit + weight * model.divergence() / (step.rows * states.shape[-1])
