"""Merges what the sensors say with what the model expected: a Kalman filter with a diagonal, learned gain."""

from __future__ import annotations

import numpy as np

MEMORY = 0.98  # of the running innovation, a step
OUTLIER = 5.0  # standard deviations beyond which the sensors are believed: something unmodelled happened


class StateFilter:
    """Each feature's gain is the share of its innovation that is not sensor noise."""

    def __init__(self, noise: np.ndarray):
        self._noise = np.square(noise, dtype=np.float64)  # (S,) variance of the sensors
        self._innovation = np.full(len(noise), np.inf)
        self._estimate: np.ndarray | None = None

    def forget(self) -> None:
        """After a reset or a gap the next measurement stands alone."""
        self._estimate = None

    def update(self, measured: np.ndarray, predicted: np.ndarray | None) -> np.ndarray:
        """(S,) measured and, where there was a state before, predicted -> the estimate."""
        if predicted is None or self._estimate is None or not np.isfinite(predicted).all():
            self._estimate = measured.astype(np.float64)
        else:
            innovation = measured - predicted
            square = np.square(innovation)
            known = np.isfinite(self._innovation)
            outlier = known & (square > OUTLIER**2 * self._innovation)
            self._innovation = np.where(known, MEMORY * self._innovation + (1 - MEMORY) * square, square)
            expected = np.maximum(self._innovation - self._noise, 0.05 * self._innovation)  # variance of the prediction
            gain = expected / np.maximum(expected + self._noise, 1e-12)
            gain = np.where(outlier, 1.0, gain)
            self._estimate = predicted + gain * innovation
        return self._estimate.astype(np.float32)
