"""How sure a mean over seeds is: 95% intervals, Wilson's where a seed is a yes or a no, else by resampling seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Z = 1.96
RESAMPLED = 2000


def interval(values: Sequence[float], yes_or_no: bool = False) -> tuple[float, float]:
    """Of seeds' values; `yes_or_no`: each is 1 or 0, and the mean is the share of ones."""
    if yes_or_no:
        if not set(values) <= {0.0, 1.0}:
            raise ValueError(f"neither yes nor no: {sorted(set(values) - {0.0, 1.0})}")
        return wilson(sum(values), len(values))
    drawn = np.random.default_rng(0).choice(np.asarray(values, float), (RESAMPLED, len(values)))
    low, high = np.percentile(drawn.mean(1), [2.5, 97.5])
    return float(low), float(high)


def wilson(ones: float, count: int) -> tuple[float, float]:
    """Where the true share may lie: no wider than that also at 0 and at 1."""
    share, more = ones / count, Z**2 / count
    middle = (share + more / 2) / (1 + more)
    reach = Z * math.sqrt(share * (1 - share) / count + more / (4 * count)) / (1 + more)
    return max(0.0, middle - reach), min(1.0, middle + reach)
