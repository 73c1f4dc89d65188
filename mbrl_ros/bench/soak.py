"""What a long run has used: memory of each process over robot time, and how much it grows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

SETTLED = 1 / 3  # of the run; before that, buffers fill
LEAST_SAMPLES = 5  # to fit a line through


@dataclass(frozen=True)
class Sample:
    """One process at one time."""

    robot_seconds: float  # since the robot was first driven
    wall_seconds: float  # since the run began
    process: str
    rss_mb: float  # resident
    cpu_share: float  # of one core, so far
    steps: int  # of control, so far
    falls: int
    version: int | None  # of the model that is flown
    sent: int  # transitions, so far
    missing: float | None  # of them, by what the learner says


def growth(samples: Sequence[Sample], process: str, until: float) -> float | None:
    """MB an hour of robot time, fitted over the last two thirds; None where there is too little to fit."""
    settled = [s for s in samples if s.process == process and s.robot_seconds >= SETTLED * until]
    hours = np.array([s.robot_seconds for s in settled]) / 3600
    if len(settled) < LEAST_SAMPLES or np.ptp(hours) == 0:
        return None
    return float(np.polyfit(hours, [s.rss_mb for s in settled], 1)[0])


def of_each_process(samples: Sequence[Sample]) -> dict[str, dict[str, float | None]]:
    until = max((s.robot_seconds for s in samples), default=0.0)
    found: dict[str, list[float]] = {}
    for sample in samples:
        found.setdefault(sample.process, []).append(sample.rss_mb)
    shares = {sample.process: sample.cpu_share for sample in samples}
    return {
        process: {
            "rss_first_mb": sizes[0],
            "rss_last_mb": sizes[-1],
            "rss_most_mb": max(sizes),
            "growth_mb_per_hour": growth(samples, process, until),
            "cpu_share": shares[process],
        }
        for process, sizes in found.items()
    }


def summary(samples: Sequence[Sample], wanted: float, crashes: Sequence[str], last: Mapping) -> dict:
    """`wanted`: s of robot time; `last`: what the judge said last."""
    first, newest = (samples[0], samples[-1]) if samples else (None, None)
    wall = newest.wall_seconds - first.wall_seconds if samples else 0.0
    steps = newest.steps - first.steps if samples else 0
    robot = newest.robot_seconds if samples else 0.0
    return {
        "robot_seconds": robot,
        "wanted_seconds": wanted,
        "whole": robot >= wanted,
        "wall_seconds": newest.wall_seconds if samples else 0.0,
        "steps_per_wall_second": steps / wall if wall > 0 else None,
        "steps": newest.steps if samples else 0,
        "falls": last.get("falls", 0),
        "version": last.get("model"),
        "transitions": last.get("transitions_sent", 0),
        "losses": None if last.get("missing") is None else int(last["missing"]),
        "crashes": len(crashes),
        "died": list(crashes),
        "processes": of_each_process(samples),
    }
