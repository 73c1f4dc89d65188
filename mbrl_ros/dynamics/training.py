"""One training step: roll the model on its own predictions for K steps and correct all of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from mbrl_ros.dynamics.ensemble import Ensemble
from mbrl_ros.dynamics.sizes import normalised

CLIP = 10.0  # of the gradient's norm
MOMENTS = ("exp_avg", "exp_avg_sq")  # of each parameter, as AdamW names them
NEVER_NEGATIVE = ("step", "exp_avg_sq")
BETA = 3.0  # standard deviations of a step up to which the loss is quadratic
Penalty = Callable[[Tensor, Tensor], Tensor]
SMOOTH_L1 = partial(F.smooth_l1_loss, beta=BETA)


def of_each(said: Tensor, true: Tensor) -> Tensor:
    """(E, B, S) -> (E, B)"""
    return F.smooth_l1_loss(said, true, beta=BETA, reduction="none").mean(-1)


def multi_step_loss(model: Ensemble, states: Tensor, actions: Tensor, penalty: Penalty = SMOOTH_L1) -> Tensor:
    """Normalised states (E, B, K + 1, S) and actions (E, B, K, A) -> mean penalty over K steps, of errors in units of a
    step's standard deviation."""
    n = model.normaliser
    ratio, drift = n.step_std / n.state_std, n.step_mean / n.state_std
    x, loss = states[:, :, 0], 0.0
    steps = actions.shape[2]
    for k in range(steps):
        x = x + drift + ratio * model.change(x, actions[:, :, k])
        loss = loss + penalty(x / ratio, states[:, :, k + 1] / ratio)
    return loss / steps


class Trainer:
    """Steps an optimiser over the weights of one ensemble, in place."""

    def __init__(self, model: Ensemble, rate: float, weight_decay: float):
        self.model = model
        for parameter in model.parameters:
            parameter.requires_grad_(True)
        self._optimiser = torch.optim.AdamW(model.parameters, lr=rate, weight_decay=weight_decay, fused=True)

    def step(self, states: Tensor, actions: Tensor, counts: Tensor | None = None) -> float:
        """One step on physical states (E, B, K + 1, S) and targets (E, B, K, A); returns the loss. `counts`: (E, B) how
        much each of them does, where that is not the same for all."""
        if counts is None:
            loss = multi_step_loss(self.model, *normalised(self.model, states, actions))
        else:
            loss = (counts * multi_step_loss(self.model, *normalised(self.model, states, actions), of_each)).mean()
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters, CLIP)
        self._optimiser.step()
        return loss.item()

    @torch.no_grad()
    def errors(self, states: Tensor, actions: Tensor) -> Tensor:
        """(E, B) of each member and window, in the loss's own measure."""
        return multi_step_loss(self.model, *normalised(self.model, states, actions), of_each)

    def optimiser_state(self) -> dict[str, Tensor]:
        """What the optimiser remembers of earlier steps; empty before the first."""
        known = self._optimiser.state_dict()["state"]
        return {f"{i}.{name}": value for i, of_one in known.items() for name, value in of_one.items()}

    def set_optimiser_state(self, state: dict[str, Tensor]) -> None:
        """As `optimiser_state` gave it; ValueError where it is of a model with other shapes."""
        shapes = {f"{i}.{name}": p.shape for i, p in enumerate(self.model.parameters) for name in MOMENTS}
        shapes |= {f"{i}.step": torch.Size() for i in range(len(self.model.parameters))}
        if state and {name: value.shape for name, value in state.items()} != shapes:
            raise ValueError("the optimiser's state is of another model")
        if not all(torch.isfinite(value).all() for value in state.values()):
            raise ValueError("the optimiser's state is not finite")
        if not all((state[name] >= 0).all() for name in state if name.endswith(NEVER_NEGATIVE)):
            raise ValueError("the optimiser's state has a negative variance or step")
        found: dict[int, dict[str, Tensor]] = {}
        for key, value in state.items():
            index, _, name = key.partition(".")
            found.setdefault(int(index), {})[name] = value
        self._optimiser.load_state_dict(self._optimiser.state_dict() | {"state": found})

    def replace_values(self, model: Ensemble) -> None:
        """Give the trained tensors other values (of the same shapes) and the model another normaliser."""
        with torch.no_grad():
            for own, new in zip(self.model.parameters, model.parameters, strict=True):
                own.copy_(new)
        self.model = Ensemble(
            model.config,
            self.model.weights,
            self.model.biases,
            model.normaliser,
            model.action_offset,
            model.action_scale,
        )
