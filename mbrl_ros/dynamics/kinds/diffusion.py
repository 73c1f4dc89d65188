"""A diffusion model of the change of the state: noise is added to it in training and taken away to sample.

    c_t = alpha c + sigma noise,   alpha = cos(pi t / 2), sigma = sin(pi t / 2)
    minimise |f(s, a, c_t, t) - (alpha noise - sigma c)|^2               which is denoising score matching

A sample starts as pure noise at t = 1 and goes to t = 0 in `steps` equal steps, without any further noise, so that one
draw decides which of several answers it becomes and a gradient goes through. Each step is one pass of the network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from mbrl_ros.config import setting
from mbrl_ros.dynamics.ensemble import Normaliser
from mbrl_ros.dynamics.fitting import Step
from mbrl_ros.dynamics.network import Layers, random_layers
from mbrl_ros.dynamics.sizes import Sizes, after, normalised, normalised_change

CLOCK = 5  # numbers that tell the network the time
FARTHEST = 5.0  # standard deviations of a step that a sample may be

SINGLE_STEPS = True  # the loss knows nothing of windows


@dataclass(frozen=True)
class Config:
    """A diffusion model with a deterministic sampler."""

    particles: int = setting(5, "rows of a rollout, each with noise of its own", low=1)
    width: int = setting(64, "units a hidden layer", low=4, high=4096)
    layers: int = setting(2, "hidden layers", low=1, high=8)
    steps: int = setting(10, "passes of the network a sample", low=1, high=1000)


@dataclass(frozen=True)
class Diffusion:
    config: Config
    net: Layers  # E = 1: (S + A + S + CLOCK) -> S
    normaliser: Normaliser
    action_offset: Tensor  # (A,)
    action_scale: Tensor  # (A,)
    generator: Generator  # of the noise that rollouts begin with

    networks = 1

    @property
    def members(self) -> int:
        return self.config.particles

    @property
    def parameters(self) -> list[Tensor]:
        return self.net.parameters

    def velocity(self, given: Tensor, noisy: Tensor, time: Tensor) -> Tensor:
        """Given (B, S + A), noisy changes (B, S) and times (B, 1) -> alpha noise - sigma c, (B, S)."""
        return self.net(torch.cat([given, noisy, clock(time)], -1)[None])[0]

    def sampled(self, given: Tensor, noise: Tensor) -> Tensor:
        """Given (B, S + A) and unit normal noise (B, S) -> changes (B, S)."""
        at, steps = noise, self.config.steps
        for k in range(steps, 0, -1):
            alpha, sigma = _share(k / steps)
            velocity = self.velocity(given, at, at.new_full((len(at), 1), k / steps))
            clean = (alpha * at - sigma * velocity).clamp(-FARTHEST, FARTHEST)
            alpha_next, sigma_next = _share((k - 1) / steps)
            at = alpha_next * clean + sigma_next * (sigma * at + alpha * velocity)
        return at

    def rollout(self, states: Tensor, actions: Tensor) -> Tensor:
        """States (M, B, S) and actions (M, B, H, A) in physical units -> the states that follow (M, B, H, S).

        The noise is drawn anew, and the same for all candidates, so that they are compared under equal luck.
        """
        rows, batch, horizon, _ = actions.shape
        noise = torch.randn(rows, horizon, states.shape[-1], generator=self.generator)
        x, out = states, []
        for step in range(horizon):
            given = torch.cat(normalised(self, x, actions[:, :, step]), -1).flatten(0, 1)
            change = self.sampled(given, noise[:, step, None].expand(-1, batch, -1).flatten(0, 1))
            x = after(self, x, change.view(x.shape))
            out.append(x)
        return torch.stack(out, 2)

    differentiable_rollout = rollout


def new(config: Config, sizes, seed: int) -> Diffusion:
    known, generator = Sizes.of(sizes), torch.Generator().manual_seed(seed)
    units = [2 * known.state + known.action + CLOCK, *[config.width] * config.layers, known.state]
    net = random_layers(1, units, generator)
    return Diffusion(config, net, known.normaliser, known.action_offset, known.action_scale, generator)


def loss(model: Diffusion, states: Tensor, actions: Tensor, step: Step) -> Tensor:
    """Physical states (1, B, K + 1, S) and actions (1, B, K, A); every step of a window counts by itself."""
    before, following = states[0, :, :-1].flatten(0, 1), states[0, :, 1:].flatten(0, 1)
    given = torch.cat(normalised(model, before, actions[0].flatten(0, 1)), -1)
    change = normalised_change(model, before, following).clamp(-FARTHEST, FARTHEST)
    time = torch.rand(len(change), 1, generator=step.generator)
    noise = torch.randn(change.shape, generator=step.generator)
    alpha, sigma = (math.pi / 2 * time).cos(), (math.pi / 2 * time).sin()
    predicted = model.velocity(given, alpha * change + sigma * noise, time)
    return (predicted - (alpha * noise - sigma * change)).square().mean()


def clock(time: Tensor) -> Tensor:
    """(B, 1) in 0..1 -> (B, CLOCK) smooth functions of it."""
    angle = math.pi * time
    return torch.cat([time, angle.cos(), angle.sin(), (2 * angle).cos(), (2 * angle).sin()], -1)


def _share(time: float) -> tuple[float, float]:
    """(alpha, sigma): what is left of the change, and how much noise there is."""
    return math.cos(math.pi / 2 * time), math.sin(math.pi / 2 * time)
