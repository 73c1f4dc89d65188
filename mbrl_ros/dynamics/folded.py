"""The ensemble as the planner runs it: units folded into the weights, the actions' part of the first layer done for all
steps at once, buffers that stay. A new model version is a copy into them."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from mbrl_ros.dynamics.ensemble import Ensemble


class FoldedEnsemble:
    """Same `rollout` as Ensemble, without gradients and faster."""

    def __init__(self, model: Ensemble):
        self._weights = [w.detach().clone() for w in model.weights]
        self._biases = [b.detach().clone() for b in model.biases]
        self._state_size = model.normaliser.state_mean.shape[0]
        self.members = model.members
        self.load(model)

    def fits(self, model: Ensemble) -> bool:
        """Whether `load` can take it."""
        return [w.shape for w in self._weights] == [w.shape for w in model.weights]

    @torch.no_grad()
    def load(self, model: Ensemble) -> None:
        """Take over another version of the same shapes."""
        n, s = model.normaliser, self._state_size
        for buffer, value in zip(self._weights + self._biases, [*model.weights, *model.biases], strict=True):
            buffer.copy_(value)
        first, last = self._weights[0], self._weights[-1]
        first[:, :s] /= n.state_std[:, None]
        first[:, s:] /= model.action_scale[:, None]
        offset = torch.cat([n.state_mean, model.action_offset])
        self._biases[0] -= (offset @ first)[:, None]
        last *= n.step_std
        self._biases[-1].mul_(n.step_std).add_(n.step_mean)

    @torch.no_grad()
    def rollout(self, states: Tensor, actions: Tensor) -> Tensor:
        """States (E, B, S) and targets (E, B, H, A) in physical units -> the states that follow (E, B, H, S)."""
        members, batch, horizon, size = actions.shape
        s = self._state_size
        by_step = actions.transpose(1, 2).reshape(members, horizon * batch, size)
        first = torch.baddbmm(self._biases[0], by_step, self._weights[0][:, s:]).view(members, horizon, batch, -1)
        inner = self._weights[0][:, :s]
        x = states.expand(members, batch, s)
        out = x.new_empty(members, horizon, batch, s)
        for step in range(horizon):
            h = F.silu(torch.baddbmm(first[:, step], x, inner), inplace=True)
            for weight, bias in zip(self._weights[1:-1], self._biases[1:-1], strict=True):
                h = F.silu(torch.baddbmm(bias, h, weight), inplace=True)
            x = torch.baddbmm(x + self._biases[-1], h, self._weights[-1])
            out[:, step] = x
        return out.transpose(1, 2)
