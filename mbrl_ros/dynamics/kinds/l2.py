"""One network, squared error: the mean of what comes next, and nothing about how sure that is."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from mbrl_ros.config import setting
from mbrl_ros.dynamics.ensemble import Ensemble
from mbrl_ros.dynamics.fitting import Step
from mbrl_ros.dynamics.kinds import ensemble
from mbrl_ros.dynamics.sizes import normalised
from mbrl_ros.dynamics.training import multi_step_loss


@dataclass(frozen=True)
class Config:
    """A deterministic model."""

    width: int = setting(64, "units a hidden layer", low=4, high=4096)
    layers: int = setting(2, "hidden layers", low=1, high=8)


def new(config: Config, sizes, seed: int) -> Ensemble:
    return ensemble.new(ensemble.Config(members=1, width=config.width, layers=config.layers), sizes, seed)


def loss(model: Ensemble, states: Tensor, actions: Tensor, step: Step) -> Tensor:
    """Physical states (1, B, K + 1, S) and actions (1, B, K, A)."""
    return multi_step_loss(model, *normalised(model, states, actions), F.mse_loss)
