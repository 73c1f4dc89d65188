"""How long calls take: taken in turns, so that a busy machine is as unkind to one as to another."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

WARM_UP = 3  # calls of each that are not counted


@dataclass(frozen=True)
class Row:
    """One timed part of a comparison; what does not apply to it is None."""

    comparison: str  # plan or learn
    part: str
    samples: int | None = None
    horizon: int | None = None
    members: int | None = None
    batch: int | None = None
    rollout: int | None = None
    calls: int | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    against: str | None = None  # the part that it is compared with
    ratio: float | None = None  # median over rounds of how many times as long `against` takes
    ratio_low: float | None = None  # least and most among the rounds
    ratio_high: float | None = None


def interleaved(parts: Mapping[str, Callable[[], object]], rounds: int, calls: int) -> dict[str, np.ndarray]:
    """Milliseconds (rounds, calls) of each part; one call of each, then the next of each."""
    for _ in range(WARM_UP):
        for part in parts.values():
            part()
    took = {name: np.zeros((rounds, calls)) for name in parts}
    for at in np.ndindex(rounds, calls):
        for name, part in parts.items():
            began = time.perf_counter()
            part()
            took[name][at] = 1e3 * (time.perf_counter() - began)
    return took


def timed(row: Row, took: np.ndarray) -> Row:
    """`row` with the percentiles of all calls."""
    p50, p95, p99 = np.percentile(took, (50, 95, 99))
    return dataclasses.replace(row, calls=took.size, p50_ms=float(p50), p95_ms=float(p95), p99_ms=float(p99))


def compared(row: Row, took: np.ndarray, against: str, other: np.ndarray) -> Row:
    """`row` with how many times as long `against` takes, by the medians of each round."""
    ratios = np.median(other, 1) / np.median(took, 1)
    return dataclasses.replace(
        row,
        against=against,
        ratio=float(np.median(ratios)),
        ratio_low=float(ratios.min()),
        ratio_high=float(ratios.max()),
    )
