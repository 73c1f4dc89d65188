"""Known structure with unknown constants, fitted by gradient through K steps of it.

s' = step(constants, s, a),   constants = low + (high - low) sigmoid(theta)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mbrl_ros.config import setting
from mbrl_ros.dynamics.ensemble import Normaliser
from mbrl_ros.dynamics.fitting import Step
from mbrl_ros.dynamics.sizes import Sizes
from mbrl_ros.dynamics.structure import STRUCTURES, Structure
from mbrl_ros.dynamics.training import SMOOTH_L1


@dataclass(frozen=True)
class Config:
    """Physics with constants to be found. One member: it has no doubt."""

    structure: str = setting("bicycle", "what is known", choices=tuple(STRUCTURES))


@dataclass(frozen=True)
class Physics:
    structure: Structure
    theta: Tensor  # (P,)
    dt: float
    normaliser: Normaliser  # only the loss asks for it
    action_offset: Tensor  # (A,)
    action_scale: Tensor  # (A,)

    members = networks = 1

    @property
    def parameters(self) -> list[Tensor]:
        return [self.theta]

    @property
    def constants(self) -> dict[str, Tensor]:
        share = torch.sigmoid(self.theta)
        return {
            name: low + (high - low) * share[i] for i, (name, (low, high)) in enumerate(self.structure.ranges.items())
        }

    def rollout(self, states: Tensor, actions: Tensor) -> Tensor:
        """States (M, B, S) and actions (M, B, H, A) in physical units -> the states that follow (M, B, H, S)."""
        x, out, constants = states, [], self.constants
        for k in range(actions.shape[2]):
            x = self.structure.step(constants, x, actions[:, :, k], self.dt)
            out.append(x)
        return torch.stack(out, 2)

    differentiable_rollout = rollout


def new(config: Config, sizes, seed: int) -> Physics:
    """Every constant in the geometric middle of its range; there is nothing random about it."""
    known, structure = Sizes.of(sizes), STRUCTURES[config.structure]
    share = [((low * high) ** 0.5 - low) / (high - low) for low, high in structure.ranges.values()]
    theta = torch.logit(torch.tensor(share))
    return Physics(structure, theta, known.dt, known.normaliser, known.action_offset, known.action_scale)


def loss(model, states: Tensor, actions: Tensor, step: Step) -> Tensor:
    """Physical states (E, B, K + 1, S) and actions (E, B, K, A) -> mean smooth-L1 in standard deviations of a step."""
    errors = (model.rollout(states[:, :, 0], actions) - states[:, :, 1:]) / model.normaliser.step_std
    return SMOOTH_L1(errors, torch.zeros(()).expand_as(errors))
