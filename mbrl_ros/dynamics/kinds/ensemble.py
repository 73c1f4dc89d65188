"""Several networks that disagree where they have seen nothing: by their own data, their own start, or both.

`FitConfig.bootstrap` gives each its own data, `same_start` takes its own start away.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mbrl_ros.config import setting
from mbrl_ros.dynamics.ensemble import Ensemble
from mbrl_ros.dynamics.fitting import Step
from mbrl_ros.dynamics.network import random_layers
from mbrl_ros.dynamics.sizes import Sizes, normalised
from mbrl_ros.dynamics.training import multi_step_loss
from mbrl_ros.learner_settings import EnsembleConfig


@dataclass(frozen=True)
class Config:
    """An ensemble of deterministic models."""

    members: int = setting(5, "networks", low=1, high=50)
    width: int = setting(64, "units a hidden layer", low=4, high=4096)
    layers: int = setting(2, "hidden layers", low=1, high=8)
    prior: float = setting(0.1, "size of the random function as which each begins", low=0.0, high=10.0)
    same_start: bool = setting(False, "all members begin with the same weights")


def new(config: Config, sizes, seed: int) -> Ensemble:
    known = Sizes.of(sizes)
    units = [known.state + known.action, *[config.width] * config.layers, known.state]
    starts, generator = 1 if config.same_start else config.members, torch.Generator().manual_seed(seed)
    made = random_layers(starts, units, generator, config.prior)
    weights, biases = [
        tuple(t.repeat(config.members // len(t), 1, 1) for t in ts) for ts in (made.weights, made.biases)
    ]
    shape = EnsembleConfig(config.members, config.width, config.layers, config.prior)
    return Ensemble(shape, weights, biases, known.normaliser, known.action_offset, known.action_scale)


def loss(model: Ensemble, states: Tensor, actions: Tensor, step: Step) -> Tensor:
    """Physical states (E, B, K + 1, S) and actions (E, B, K, A)."""
    return multi_step_loss(model, *normalised(model, states, actions))
