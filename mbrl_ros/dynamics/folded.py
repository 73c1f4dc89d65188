"""The ensemble as a planner runs it: units folded into the weights, the actions' first layer done at once."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mbrl_ros.dynamics.adjoint import DifferentiableRollout, TorchAdjoint
from mbrl_ros.dynamics.ensemble import Ensemble, each_motion


@torch.no_grad()
def folded(model: Ensemble) -> tuple[list[Tensor], list[Tensor]]:
    """Weights (E, in, out) and biases (E, 1, out) from physical units to the change of the state in physical units."""
    n, size = model.normaliser, len(model.normaliser.state_mean)
    weights = [w.detach().clone() for w in model.weights]
    biases = [b.detach().clone() for b in model.biases]
    weights[0][:, :size] /= n.state_std[:, None]
    weights[0][:, size:] /= model.action_scale[:, None]
    biases[0] -= (torch.cat([n.state_mean, model.action_offset]) @ weights[0])[:, None]
    weights[-1] *= n.step_std
    biases[-1].mul_(n.step_std).add_(n.step_mean)
    return weights, biases


class FoldedRollout:
    """Same `rollout` as Ensemble, faster, from weights and biases as `folded` makes them."""

    def __init__(self, weights: list[Tensor], biases: list[Tensor]):
        self.members, self._state_size = len(biases[-1]), biases[-1].shape[-1]
        self.weights, self.biases = weights, biases

    @torch.no_grad()
    def rollout(self, states: Tensor, actions: Tensor) -> Tensor:
        """States (E, B, S) and targets (E, B, H, A) in physical units -> the states that follow (E, B, H, S)."""
        s = self._state_size
        actions = each_motion(actions, self.weights[0].shape[1] - s)
        members, batch, horizon, size = actions.shape
        by_step = actions.transpose(1, 2).reshape(members, horizon * batch, size)
        first = torch.baddbmm(self.biases[0], by_step, self.weights[0][:, s:]).view(members, horizon, batch, -1)
        inner = self.weights[0][:, :s]
        x = states.expand(members, batch, s)
        out = x.new_empty(members, horizon, batch, s)
        for step in range(horizon):
            h = F.silu(torch.baddbmm(first[:, step], x, inner), inplace=True)
            for weight, bias in zip(self.weights[1:-1], self.biases[1:-1], strict=True):
                h = F.silu(torch.baddbmm(bias, h, weight), inplace=True)
            x = torch.baddbmm(x + self.biases[-1], h, self.weights[-1])
            out[:, step] = x
        return out.transpose(1, 2)


class FoldedEnsemble(FoldedRollout):
    """Differentiable, too. Never changes: another version is another object."""

    def __init__(self, model: Ensemble):
        super().__init__(*folded(model))
        self._adjoint = TorchAdjoint(self.weights, self.biases)

    def differentiable_rollout(self, states: Tensor, actions: Tensor) -> Tensor:
        """As `rollout`; autograd finds the way back to the targets."""
        told = each_motion(actions, self.weights[0].shape[1] - self._state_size)
        return DifferentiableRollout.apply(states, told, self.rollout, self._adjoint)
