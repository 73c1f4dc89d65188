"""How sure a mean over seeds is: 95% intervals, Wilson's where a seed is a yes or a no, else Student's t."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Z = 1.960  # the normal distribution's at 97.5%
# Student's t at 97.5%, of 1, 2, ... degrees of freedom; the normal one from there on
T975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
        2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045)  # fmt: skip

Interval = tuple[float, float]


def interval(values: Sequence[float], yes_or_no: bool = False) -> Interval | None:
    """Of seeds' values, None of fewer than two; `yes_or_no`: each is 1 or 0, and the mean is the share of ones."""
    count = len(values)
    if yes_or_no:
        if not set(values) <= {0.0, 1.0}:
            raise ValueError(f"neither yes nor no: {sorted(set(values) - {0.0, 1.0})}")
        return wilson(sum(values), count) if count else None
    if count < 2:
        return None
    t = T975[count - 2] if count - 2 < len(T975) else Z
    mean, off = float(np.mean(values)), t * float(np.std(values, ddof=1)) / count**0.5
    return mean - off, mean + off


def wilson(ones: float, count: int) -> tuple[float, float]:
    """Where the true share may lie: no wider than that also at 0 and at 1."""
    share, more = ones / count, Z**2 / count
    middle = (share + more / 2) / (1 + more)
    reach = Z * math.sqrt(share * (1 - share) / count + more / (4 * count)) / (1 + more)
    return max(0.0, middle - reach), min(1.0, middle + reach)
