"""How long calls take: taken in turns, so that a busy machine is as unkind to one as to another."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

Parts = Mapping[str, Callable[[], object]]
WARM_UP = 3  # calls of each that are not counted


@dataclass(frozen=True)
class Row:
    """One timed part of a training step."""

    comparison: str
    part: str
    members: int
    batch: int
    rollout: int
    calls: int | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


@dataclass(frozen=True)
class Times:
    """Of all calls, in ms."""

    p50: float
    p95: float
    p99: float
    most: float

    @staticmethod
    def of(took: np.ndarray) -> Times:
        return Times(*(float(ms) for ms in (*np.percentile(took, (50, 95, 99)), took.max())))


@dataclass(frozen=True)
class Ratio:
    """How many times as long one takes as the other: medians of all calls, least and most of the rounds' medians."""

    value: float
    low: float
    high: float

    @staticmethod
    def of(took: np.ndarray, against: np.ndarray) -> Ratio:
        rounds = np.median(took, 1) / np.median(against, 1)
        value = float(np.median(took) / np.median(against))
        return Ratio(value, min(value, float(rounds.min())), max(value, float(rounds.max())))


def interleaved(parts: Parts, rounds: int, calls: int, seconds: float = np.inf) -> dict[str, np.ndarray]:
    """Milliseconds (rounds, calls) of each part: in every round some calls of one, then of the next.

    The first call of a turn is not counted: it finds the caches full of what the part before left, and may find that
    part's threads still spinning. `seconds`: fewer calls, then fewer rounds, where all of them would take longer.
    """
    once = sum(min(_timed(part) for _ in range(WARM_UP)) for part in parts.values()) / 1e3
    calls = int(max(1, min(calls, seconds / (once * rounds) - 1)))
    rounds = int(max(1, min(rounds, seconds / (once * (calls + 1)))))
    took = {name: np.zeros((rounds, calls)) for name in parts}
    for turn in range(rounds):
        for name, part in parts.items():
            _timed(part)
            took[name][turn] = [_timed(part) for _ in range(calls)]
    return took


def _timed(part: Callable[[], object]) -> float:
    began = time.perf_counter()
    part()
    return 1e3 * (time.perf_counter() - began)


def timed(row: Row, took: np.ndarray) -> Row:
    """`row` with the percentiles of all calls."""
    times = Times.of(took)
    return dataclasses.replace(row, calls=took.size, p50_ms=times.p50, p95_ms=times.p95, p99_ms=times.p99)
