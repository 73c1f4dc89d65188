"""How good a model is on data it has not seen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

MOST_DEVIATIONS = 10.0  # that a single number counts as off, whatever it is


@dataclass(frozen=True)
class HeldOut:
    """Held-out quality of a model."""

    one_step_r2: float  # 1: perfect; 0: no better than the mean change
    error: float  # over the horizon, in units of the features' scales (root mean square of the members' mean)
    spread: float  # disagreement of the members over the horizon, same units
    deviations: float  # root mean square of errors, in what spread and sensor noise say of each; above 1: too sure
    windows: int
    horizon: int


def evaluate(
    model, states: np.ndarray, actions: np.ndarray, scales: np.ndarray, noise: np.ndarray | None = None
) -> HeldOut:
    """States (B, H + 1, S) and targets (B, H, A) as recorded -> quality of the members' mean open-loop rollout.

    `noise`: (S,) one sigma of the sensors; a hundredth of the scales where nothing is said.
    """
    with torch.no_grad():
        start = torch.tensor(states[None, :, 0]).expand(model.members, -1, -1)
        told = torch.tensor(actions)[None].expand(model.members, -1, -1, -1)
        predicted = model.rollout(start, told).numpy()  # (E, B, H, S)
    mean = predicted.mean(0)
    truth = states[:, 1:]
    step = truth[:, 0] - states[:, 0]
    residual = ((truth[:, 0] - mean[:, 0]) / scales) ** 2
    spread = ((step - step.mean(0)) / scales) ** 2
    r2 = 1.0 - float(residual.sum() / max(float(spread.sum()), 1e-12))
    error = float(np.sqrt(np.mean(np.clip(((mean - truth) / scales) ** 2, 0, 1e6))))
    disagreement = float(np.sqrt(np.mean(np.clip((predicted.std(0) / scales) ** 2, 0, 1e6))))
    return HeldOut(r2, error, disagreement, _deviations(predicted, truth, scales, noise), len(states), actions.shape[1])


def _deviations(predicted: np.ndarray, truth: np.ndarray, scales: np.ndarray, noise: np.ndarray | None) -> float:
    variance = predicted.var(0) / scales**2 + (0.01 if noise is None else noise / scales) ** 2
    off = np.minimum(((predicted.mean(0) - truth) / scales) ** 2 / variance, MOST_DEVIATIONS**2)
    return float(np.sqrt(np.mean(off)))
