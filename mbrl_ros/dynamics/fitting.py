"""One way to fit every kind of model: windows of what was recorded, a loss, and steps down its gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Generator, Tensor

from mbrl_ros.config import setting
from mbrl_ros.dynamics.corrective import corrected
from mbrl_ros.dynamics.ensemble import Normaliser

CLIP = 10.0  # of the gradient's norm
TOGETHER = 20  # steps of one run that are resampled together: neighbours say nearly the same
LAST_RATE = 0.02  # share of the learning rate that is left at the end


@dataclass(frozen=True)
class FitConfig:
    """How a model is fitted to what was recorded."""

    steps: int = setting(1500, "steps down the gradient", low=1)
    batch: int = setting(128, "windows a member and step", low=1)
    rate: float = setting(3e-3, "learning rate at the start; it falls to nearly nothing", low=1e-6, high=1.0)
    weight_decay: float = setting(1e-5, "of AdamW", low=0.0)
    rollout: int = setting(1, "K: steps that the model is rolled on its own predictions", low=1, high=50)
    bootstrap: bool = setting(True, "each member sees its own resampling of the data")
    corrective: int = setting(0, "rounds of corrective labels, after the first fit", low=0)
    drift: int = setting(3, "steps of each drift that is corrected", low=1, high=50)


@dataclass(frozen=True)
class Step:
    """What a loss may know of the fit: where its random numbers come from, and how far it has come."""

    generator: Generator
    done: float  # share of all steps, 0..1
    rows: int  # transitions in the data


Loss = Callable[[Any, Tensor, Tensor, Step], Tensor]  # of a model, on states (E, B, K + 1, S) and actions (E, B, K, A)


@dataclass(frozen=True)
class Fitted:
    model: Any
    losses: np.ndarray  # of each step


def fit(kind: ModuleType, model, states, actions, config: FitConfig, seed: int = 0) -> Fitted:
    """Recorded runs, states (R, T + 1, S) and actions (R, T, A) in physical units -> the new model, fitted to them.

    Its tensors are changed in place. Units are those of the data from here on, so that weights which were fitted to
    others would mean something else: for more data, fit a new one.
    """
    states, actions = torch.as_tensor(states, dtype=torch.float32), torch.as_tensor(actions, dtype=torch.float32)
    if states.shape[1] <= config.rollout:
        raise ValueError(f"runs of {states.shape[1] - 1} steps are too short to roll a model for {config.rollout}")
    model = in_units_of(model, states, actions)
    windows = cut(states, actions, config.rollout)
    losses = list(descents(kind.loss, model, *windows, config, seed))
    for turn in range(config.corrective):
        own = corrected(model, states, actions, config.drift, config.rollout)
        both = [torch.cat(pair) for pair in zip(windows, own, strict=True)]
        losses += descents(kind.loss, model, *both, config, seed + turn + 1)
    return Fitted(model, np.array(losses))


def in_units_of(model, states: Tensor, actions: Tensor):
    """The model with the statistics of what it is going to be fitted to, (R, T + 1, S) and (R, T, A)."""
    if not (torch.isfinite(states).all() and torch.isfinite(actions).all()):
        raise ValueError("what a model is fitted to must be finite")
    return replace(model, normaliser=_statistics(model, states))


def cut(states: Tensor, actions: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """All windows of so many steps, (W, steps + 1, S) and (W, steps, A), run after run."""
    return (
        states.unfold(1, steps + 1, 1).transpose(2, 3).flatten(0, 1),
        actions.unfold(1, steps, 1).transpose(2, 3).flatten(0, 1),
    )


def descend(parameters: Sequence[Tensor], loss: Callable[[int], Tensor], config: FitConfig) -> np.ndarray:
    """All steps of `stepwise`, the loss of each."""
    return np.fromiter(stepwise(parameters, loss, config), np.float64, config.steps)


def stepwise(parameters: Sequence[Tensor], loss: Callable[[int], Tensor], config: FitConfig) -> Iterator[float]:
    """`config.steps` steps; `loss` of the number of a step. A step without a finite gradient is left out.

    The length of each is bounded: by the clipped gradient, and by Adam's own division.
    """
    for parameter in parameters:
        parameter.requires_grad_(True)
    optimiser = torch.optim.AdamW(parameters, lr=config.rate, weight_decay=config.weight_decay, fused=True)
    for step in range(config.steps):
        optimiser.param_groups[0]["lr"] = config.rate * max(LAST_RATE, 1 - step / config.steps)
        with torch.enable_grad():
            value = loss(step)
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        if torch.isfinite(torch.nn.utils.clip_grad_norm_(parameters, CLIP)):
            optimiser.step()
        yield value.item()
    for parameter in parameters:
        parameter.requires_grad_(False)


def descents(loss_of: Loss, model, states: Tensor, actions: Tensor, config: FitConfig, seed: int) -> Iterator[float]:
    """The loss of each step on windows (W, K + 1, S) and (W, K, A); after the last one the model is fitted."""
    generator, count, members = torch.Generator().manual_seed(seed), len(states), model.networks
    own = resampled(count, members, generator) if config.bootstrap and members > 1 else None

    def loss(step: int) -> Tensor:
        picked = torch.randint(count, (members, config.batch), generator=generator)
        if own is not None:
            picked = own.gather(1, picked)
        done = Step(generator, step / config.steps, count)
        return loss_of(model, states[picked], actions[picked], done)

    yield from stepwise(model.parameters, loss, config)


def resampled(count: int, members: int, generator: Generator) -> Tensor:
    """(E, count) for each member its own windows, drawn with repetition, TOGETHER at a time."""
    length = min(TOGETHER, max(1, count // 10))
    chunks = -(-count // length)
    drawn = torch.randint(chunks, (members, chunks), generator=generator)
    rows = drawn[..., None] * length + torch.arange(length)
    return rows.flatten(1)[:, :count] % count


def _statistics(model, states: Tensor) -> Normaliser:
    before, following = states[:, :-1].flatten(0, 1).numpy(), states[:, 1:].flatten(0, 1).numpy()
    return Normaliser.of_data(before, following, model.normaliser.state_std.numpy())
