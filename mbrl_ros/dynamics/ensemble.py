"""An ensemble of networks that predict the change of the state, all members in one batched matmul a layer.

A model works in physical units on both sides. Inside, with mu and sigma the running statistics of the data,

    x = (s - mu_s) / sigma_s,   a = (target - stance) / action_scale,   s' = s + mu_d + sigma_d * f(x, a)

Where a robot is told motions by number, `a` is one input a motion, 1 for the one that is told: the number itself says
that motion 3 is much like motion 4, and a network would have to bend between any two of them.

The statistics can move while the model lives: `renormalise` rescales the outer layers so that the function stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mbrl_ros.dynamics.network import Layers, random_layers
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import RobotSpec

INDIFFERENT = 1e4  # a unit so large that what is measured in it tells a network nothing


@dataclass(frozen=True)
class Normaliser:
    """Mean and standard deviation of states and of their one-step differences."""

    state_mean: Tensor  # (S,)
    state_std: Tensor  # (S,)
    step_mean: Tensor  # (S,)
    step_std: Tensor  # (S,)

    @staticmethod
    def of_data(states: np.ndarray, next_states: np.ndarray, floor: np.ndarray) -> Normaliser:
        """Statistics of (B, S) arrays; no state is smaller than a tenth of `floor` (S,), no step than a thousandth.

        `floor` as `feature_units` gives it: what is INDIFFERENT there stays so.
        """
        step, indifferent = next_states - states, floor >= INDIFFERENT
        return Normaliser(
            torch.tensor(states.mean(0)),
            torch.tensor(np.where(indifferent, floor, np.maximum(states.std(0), 0.1 * floor))),
            torch.tensor(step.mean(0)),
            torch.tensor(np.maximum(step.std(0), 0.001 * np.where(indifferent, 1.0, floor))),
        )


@dataclass(frozen=True)
class Ensemble:
    """Weights (E, in, out) and biases (E, 1, out) of each layer, the normaliser, and the units of actions."""

    config: EnsembleConfig
    weights: tuple[Tensor, ...]
    biases: tuple[Tensor, ...]
    normaliser: Normaliser
    action_offset: Tensor  # (A,), or one a motion
    action_scale: Tensor  # likewise

    @property
    def members(self) -> int:
        return self.config.members

    @property
    def networks(self) -> int:
        return self.config.members

    @property
    def parameters(self) -> list[Tensor]:
        return [*self.weights, *self.biases]

    def change(self, x: Tensor, action: Tensor) -> Tensor:
        """Normalised state (E, B, S) and action (E, B, A) -> the normalised change of the state (E, B, S)."""
        return Layers(self.weights, self.biases)(torch.cat([x, action], -1))

    def rollout(self, states: Tensor, actions: Tensor) -> Tensor:
        """States (E, B, S) and targets (E, B, H, A) in physical units -> the states that follow (E, B, H, S)."""
        n = self.normaliser
        x, out = states, []
        scaled = (each_motion(actions, len(self.action_offset)) - self.action_offset) / self.action_scale
        for step in range(actions.shape[2]):
            change = self.change((x - n.state_mean) / n.state_std, scaled[:, :, step])
            x = x + n.step_mean + n.step_std * change
            out.append(x)
        return torch.stack(out, 2)


def new_ensemble(config: EnsembleConfig, layout: FeatureLayout, seed: int) -> Ensemble:
    """Random members. With a small `prior` an untrained model says 'nothing changes much', and members soon agree also
    where no data is; with a large one each keeps a function of its own there."""
    generator = torch.Generator().manual_seed(seed)
    layers = random_layers(config.members, layer_sizes(config, layout), generator, config.prior)
    scales, units = torch.tensor(layout.scales), torch.tensor(feature_units(layout))
    start = Normaliser(torch.zeros(layout.size), units, torch.zeros(layout.size), scales)
    return Ensemble(config, layers.weights, layers.biases, start, *action_units(layout.spec))


def layer_sizes(config: EnsembleConfig, layout: FeatureLayout) -> list[int]:
    """Units of the input, of each hidden layer and of the output."""
    inputs = layout.size + len(action_units(layout.spec)[0])
    return [inputs, *[config.width] * config.layers, layout.size]


def feature_units(layout: FeatureLayout) -> np.ndarray:
    """(S,) before any data; so large where the dynamics do not depend on a feature that networks learn nothing from it.

    A car that has seen one curve then knows what it does in the next one.
    """
    return np.where(layout.indifferent, INDIFFERENT, layout.scales).astype(np.float32)


def action_units(spec: RobotSpec) -> tuple[Tensor, Tensor]:
    """(A,) offset and (A,) scale of the targets; of motions by number, one of each a motion."""
    if spec.primitives:
        return torch.zeros(len(spec.primitives)), torch.ones(len(spec.primitives))
    return torch.tensor(spec.posture, dtype=torch.float32), torch.tensor(spec.action_scale, dtype=torch.float32)


def each_motion(targets: Tensor, inputs: int) -> Tensor:
    """Targets (..., A) as a model with so many inputs for them takes them, (..., I): as they are, or the number of a
    motion as one input a motion.

    A number between two motions is a share of both, so that there is a slope for a gradient.
    """
    if targets.shape[-1] != 1 or inputs == 1:
        return targets
    away = (targets - torch.arange(inputs, device=targets.device)).abs()
    return (1 - away).clamp(min=0)


def renormalise(model: Ensemble, new: Normaliser) -> Ensemble:
    """The same function of physical units under other statistics."""
    old, s = model.normaliser, model.normaliser.state_mean.shape[0]
    weights = [w.detach().clone() for w in model.weights]
    biases = [b.detach().clone() for b in model.biases]
    # x_old = (x_new * new_std + new_mean - old_mean) / old_std
    inner = weights[0][:, :s]
    shift = ((new.state_mean - old.state_mean) / old.state_std) @ inner
    biases[0] += shift[:, None]
    weights[0][:, :s] = inner * (new.state_std / old.state_std)[:, None]
    ratio = old.step_std / new.step_std
    weights[-1] *= ratio
    biases[-1] = biases[-1] * ratio + (old.step_mean - new.step_mean) / new.step_std
    return replace(model, weights=tuple(weights), biases=tuple(biases), normaliser=new)
