"""What a model says about its own errors, and whether that is so. numpy only.

With E members that each say a mean and a variance, of what is left over by all of them together

    total = aleatoric + epistemic = mean of the variances + variance of the means

The first is noise that no data takes away, the second is ignorance, which shrinks as data grows.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

LEVELS = np.linspace(0.05, 0.95, 19)


@dataclass(frozen=True)
class Split:
    aleatoric: np.ndarray  # (...) mean over members of their variances
    epistemic: np.ndarray  # (...) variance over members of their means

    @property
    def total(self) -> np.ndarray:
        return self.aleatoric + self.epistemic


def split(means: np.ndarray, variances: np.ndarray) -> Split:
    """Means and variances (E, ...) of the members."""
    return Split(np.asarray(variances).mean(0), np.asarray(means).var(0))


def coverage(truth: np.ndarray, mean: np.ndarray, std: np.ndarray, levels: np.ndarray = LEVELS) -> np.ndarray:
    """Share of the truth within the central interval of each level (L,), of normal distributions of any shape.

    Calibrated: as the levels themselves. Below them: too sure.
    """
    reach = np.array([NormalDist().inv_cdf(0.5 + level / 2) for level in levels])
    off = np.abs(truth - mean) / np.maximum(std, 1e-12)
    return np.array([np.mean(off <= r) for r in reach])


def calibration_error(covered: np.ndarray, levels: np.ndarray = LEVELS) -> float:
    """Mean distance of coverage and level; 0 where calibrated."""
    return float(np.mean(np.abs(covered - levels)))


def sharpness(std: np.ndarray) -> float:
    """Mean predicted standard deviation: of two calibrated models the sharper knows more."""
    return float(np.mean(std))


def negative_log_likelihood(truth: np.ndarray, mean: np.ndarray, std: np.ndarray) -> float:
    """Mean of -ln p of the truth under normal distributions, in nats a number."""
    variance = np.maximum(std, 1e-12) ** 2
    return float(np.mean(0.5 * ((truth - mean) ** 2 / variance + np.log(2 * np.pi * variance))))


def area_under_curve(score: np.ndarray, positive: np.ndarray) -> float | None:
    """AUROC: the probability that one of the positive has a higher score than one of the others; None without both."""
    if positive.all() or not positive.any():
        return None
    above = score[positive][:, None] - score[~positive]
    return float(np.mean((above > 0) + 0.5 * (above == 0)))
