"""A network on top of physics: it learns what the known law leaves over, and nothing where it leaves nothing.

    s' = law(constants, s, a)  + step_std * f(s, a)         minimise   error + penalty * |f|^2

Both are fitted at once, constants from where they were; the penalty has them explain what they can.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mbrl_ros.config import setting
from mbrl_ros.dynamics.ensemble import Normaliser
from mbrl_ros.dynamics.fitting import Step
from mbrl_ros.dynamics.kinds import physics
from mbrl_ros.dynamics.network import Layers, random_layers
from mbrl_ros.dynamics.sizes import Sizes, normalised
from mbrl_ros.dynamics.training import SMOOTH_L1
from mbrl_ros.robots.features import FeatureLayout

STANDS_ON = physics  # which is fitted first, where both are to be fitted
check = physics.check


@dataclass(frozen=True)
class Config:
    """Physics and an ensemble of networks that correct it."""

    members: int = setting(5, "networks", low=1, high=50)
    width: int = setting(64, "units a hidden layer", low=4, high=4096)
    layers: int = setting(2, "hidden layers", low=1, high=8)
    penalty: float = setting(0.01, "of the squared correction, in standard deviations of a step", low=0.0)


@dataclass(frozen=True)
class Residual:
    config: Config
    physics: physics.Physics
    net: Layers  # (S + A) -> S
    normaliser: Normaliser
    action_offset: Tensor  # (A,)
    action_scale: Tensor  # (A,)

    @property
    def members(self) -> int:
        return self.net.members

    networks = members

    @property
    def parameters(self) -> list[Tensor]:
        return [*self.physics.parameters, *self.net.parameters]

    def rollout(self, states: Tensor, actions: Tensor) -> Tensor:
        """States (M, B, S) and actions (M, B, H, A) in physical units -> the states that follow (M, B, H, S)."""
        return self.rolled(states, actions)[0]

    differentiable_rollout = rollout

    def rolled(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """The states that follow, and what the networks have added to each, in standard deviations of a step."""
        x, out, added, constants = states, [], [], self.physics.constants
        for k in range(actions.shape[2]):
            added.append(self.net(torch.cat(normalised(self, x, actions[:, :, k]), -1)))
            known = self.physics.law.rollout(x, actions[:, :, k : k + 1], constants)
            x = known[:, :, 0] + self.normaliser.step_std * added[-1]
            out.append(x)
        return torch.stack(out, 2), torch.stack(added, 2)


def new(config: Config, layout: FeatureLayout, seed: int) -> Residual:
    return on_top(config, physics.new(physics.Config(), layout, seed), seed)


def on_top(config: Config, base: physics.Physics, seed: int) -> Residual:
    """Of physics that may have been fitted before: constants found first are better than constants found beside."""
    known = Sizes.of(base.law.layout)
    units = [known.state + known.action, *[config.width] * config.layers, known.state]
    net = random_layers(config.members, units, torch.Generator().manual_seed(seed))
    return Residual(config, base, net, known.normaliser, known.action_offset, known.action_scale)


def loss(model: Residual, states: Tensor, actions: Tensor, step: Step) -> Tensor:
    """Physical states (E, B, K + 1, S) and actions (E, B, K, A)."""
    path, added = model.rolled(states[:, :, 0], actions)
    errors = (path - states[:, :, 1:]) / model.normaliser.step_std
    return SMOOTH_L1(errors, torch.zeros(()).expand_as(errors)) + model.config.penalty * added.square().mean()
