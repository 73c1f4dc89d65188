"""What a model must know of a robot, so that it can be built for anything that has states and actions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mbrl_ros.dynamics.ensemble import Normaliser, action_units, each_motion, feature_units
from mbrl_ros.robots.features import FeatureLayout


@dataclass(frozen=True)
class Sizes:
    """How many numbers there are, and what one unit of each is before any data."""

    state: int
    action: int  # inputs: one a target, or one a motion that targets are the number of
    scales: Tensor  # (S,)
    action_offset: Tensor  # (A,)
    action_scale: Tensor  # (A,)
    units: Tensor | None = None  # (S,) of a model's inputs before any data, where they are not the scales

    @staticmethod
    def of(known: Sizes | FeatureLayout | tuple[int, int]) -> Sizes:
        """From the layout of a robot or of an environment (backends/environment.py), which has the same names; or from
        the sizes of state and action, all in units of one."""
        if isinstance(known, Sizes):
            return known
        if isinstance(known, tuple):
            state, action = known
            return Sizes(state, action, torch.ones(state), torch.zeros(action), torch.ones(action))
        offset, scale = action_units(known.spec)
        units = torch.tensor(feature_units(known))
        return Sizes(known.size, len(offset), torch.tensor(known.scales), offset, scale, units)

    @property
    def normaliser(self) -> Normaliser:
        """Of a model that has seen no data."""
        zero = torch.zeros(self.state)
        units = self.scales if self.units is None else self.units
        return Normaliser(zero, units.clone(), zero.clone(), self.scales.clone())


def normalised(model, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
    """Physical states (..., S) and targets (..., A) in the model's own units."""
    n, told = model.normaliser, each_motion(actions, len(model.action_offset))
    return (states - n.state_mean) / n.state_std, (told - model.action_offset) / model.action_scale


def normalised_change(model, states: Tensor, next_states: Tensor) -> Tensor:
    """(..., S) in standard deviations of a step."""
    n = model.normaliser
    return (next_states - states - n.step_mean) / n.step_std


def after(model, states: Tensor, change: Tensor) -> Tensor:
    """Physical states (..., S) and normalised changes (..., S) -> the states that follow."""
    return states + model.normaliser.step_mean + model.normaliser.step_std * change
