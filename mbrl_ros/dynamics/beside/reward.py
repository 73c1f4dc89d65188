"""What a step earns and whether it ends everything, learned from what was earned: a task that nobody wrote down.

reward:       least squares on r(s', command)
termination:  p(end | s', command) = sigmoid(g), by cross-entropy, ends weighed up to half of the batch at most
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from mbrl_ros.dynamics.beside.regression import LAYERS, WIDTH, Regression, Scale, regressed
from mbrl_ros.dynamics.fitting import FitConfig, descend
from mbrl_ros.dynamics.network import Layers, random_layers


@dataclass(frozen=True)
class LearnedReward:
    """In a task's place: `reward` and `terminated` of states and a command."""

    rewards: Regression
    ends: Layers
    inputs: Scale

    def reward(self, state: Tensor, command: Tensor) -> Tensor:
        """States (..., S) and command (C,) or (..., C) -> (...)"""
        return self.rewards(_seen(state, command))[..., 0]

    def terminated(self, state: Tensor, command: Tensor | None = None) -> Tensor:
        """(...) bool"""
        seen = _seen(state, state.new_zeros(0) if command is None else command)
        flat = self.inputs.inward(seen).flatten(0, -2)[None]
        return (self.ends(flat)[0, :, 0] > 0).view(seen.shape[:-1])


def learned_reward(
    states: Tensor, commands: Tensor, rewards: Tensor, ends: Tensor, config: FitConfig, seed: int = 0
) -> LearnedReward:
    """From states after a step (B, S), commands (B, C), what each earned (B,) and whether it was the last (B,) bool."""
    seen = _seen(states, commands)
    return LearnedReward(
        regressed(seen, rewards[:, None], config, seed), *_learned_ends(seen, ends.float(), config, seed)
    )


def _learned_ends(seen: Tensor, ends: Tensor, config: FitConfig, seed: int) -> tuple[Layers, Scale]:
    generator, scale = torch.Generator().manual_seed(seed), Scale.of(seen)
    net = random_layers(1, [seen.shape[1], *[WIDTH] * LAYERS, 1], generator)
    x, often = scale.inward(seen), ends.mean().clamp(min=1e-3)
    weight = ((1 - often) / often).clamp(1.0, 10.0)

    def loss(step: int) -> Tensor:
        picked = torch.randint(len(x), (config.batch,), generator=generator)
        return F.binary_cross_entropy_with_logits(net(x[picked][None])[0, :, 0], ends[picked], pos_weight=weight)

    descend(net.parameters, loss, config)
    return net, scale


def _seen(states: Tensor, commands: Tensor) -> Tensor:
    return torch.cat([states, commands.expand(*states.shape[:-1], -1)], -1)
