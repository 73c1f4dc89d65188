"""How far a model is off, from data that it has not learned from: how much that usually is, and what its members'
disagreement says about it.

    D  what members disagree by over STEPS steps, e  how far their mean is off (root mean squares, in scales)
    ln e ~ normal(ln sqrt(floor^2 + (inflation D)^2), width)
    doubt(D) = P(e > usual | D)

The noise of the sensors is in the floor: it is there however well members agree. Where they part the error is in
proportion, so that what is said of a disagreement far beyond the data is no guess.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

STEPS = 5  # ahead; further on, members part even where they know everything
FEWEST = 20  # windows, from fewer nothing is said
BINS = 10  # of windows by disagreement
BEYOND_99 = 2.326  # standard deviations above the mean that 1% are beyond


@dataclass(frozen=True)
class Calibration:
    """Kept with a model, on its card. All in the usual sizes of features."""

    band: float  # 99% of one-step errors are below
    usual: float  # 99% of errors over STEPS steps are below
    floor: float  # error where members agree
    inflation: float  # error a disagreement
    width: float  # standard deviation of ln(error) around that

    def __post_init__(self):
        if not all(0 < value < math.inf for value in (self.band, self.usual, self.floor, self.inflation, self.width)):
            raise ValueError("a calibration is made of finite numbers above zero")

    def doubt(self, disagreement: float) -> float:
        """0..1, the probability that the model is off by more than usual."""
        if not math.isfinite(disagreement):
            return 1.0
        expected = math.log(math.hypot(self.floor, self.inflation * disagreement))
        return 0.5 * (1 + math.erf((expected - math.log(self.usual)) / (self.width * math.sqrt(2))))


def why_no_doubt(model) -> str:
    """Why the disagreement of a model's members says nothing of what it does not know; empty: it does."""
    if model.members < 2:
        return "the model has one member, which disagrees with nobody"
    opinions = getattr(model, "opinions", getattr(model, "networks", model.members))
    return "" if opinions > 1 else "the model is one network, and its members differ by luck"


def calibrated(model, states: np.ndarray, actions: np.ndarray, scales: np.ndarray) -> Calibration | None:
    """From held-out windows, states (B, STEPS + 1, S) and targets (B, STEPS, A); None where they say nothing, or where
    the model's members do."""
    if len(states) < FEWEST or why_no_doubt(model):
        return None
    with torch.no_grad():
        predicted = through_members(model, torch.from_numpy(states[:, 0]), torch.from_numpy(actions))
    truth, sizes = torch.from_numpy(states[:, 1:]), torch.from_numpy(scales)
    off = (predicted.mean(0) - truth) / sizes
    one_step, error = off[:, :1].square().mean((1, 2)).sqrt().numpy(), off.square().mean((1, 2)).sqrt().numpy()
    apart = disagreement(predicted, sizes).numpy()
    if not (np.isfinite(error).all() and np.isfinite(apart).all() and one_step.min() > 0 and error.min() > 0):
        return None
    floor, inflation = _growth(apart, error, 1 / model.members)
    left = np.log(error) - np.log(np.hypot(floor, inflation * apart))
    shift, width = math.exp(left.mean()), max(float(left.std()), 0.05)
    return Calibration(_below(one_step), _below(error), floor * shift, inflation * shift, width)


def disagreement(predicted: Tensor, scales: Tensor) -> Tensor:
    """Of what members expect (M, ..., H, S), in the usual sizes of features (S,) -> (...).

    Root mean square over steps and features of the standard deviation between members: 0 where they agree, 1 where they
    know as little as somebody who knows only what is usual.
    """
    return (predicted.var(0, correction=0) / scales.square()).mean((-2, -1)).sqrt()


def through_members(model, states: Tensor, actions: Tensor) -> Tensor:
    """States (B, S) and targets (B, H, A) -> what each member expects (M, B, H, S)."""
    m = model.members
    return model.rollout(states.expand(m, *states.shape), actions.expand(m, *actions.shape))


def _below(error: np.ndarray) -> float:
    """What 99% are below, by their mean and spread: of a hundred windows the largest alone would say it."""
    logarithm = np.log(error)
    return float(np.exp(logarithm.mean() + BEYOND_99 * logarithm.std()))


def _growth(apart: np.ndarray, error: np.ndarray, least: float) -> tuple[float, float]:
    """(floor, inflation) of error^2 = floor^2 + (inflation * apart)^2, by least squares over bins of equal count.

    Each bin counts by how far it is off in proportion. `least`: of inflation^2; one over the number of members is what
    is left in their mean where each is wrong by itself.
    """
    order = np.array_split(np.argsort(apart, kind="stable"), BINS)
    x = np.array([np.mean(apart[o] ** 2) for o in order])
    y = np.array([np.mean(error[o] ** 2) for o in order])
    slope, offset = np.polyfit(x, y, 1, w=1 / y)
    slope = max(least, float(slope))
    offset = max(float(np.average(y - slope * x, weights=1 / y**2)), 0.01 * float(y.min()))
    return math.sqrt(offset), math.sqrt(slope)
