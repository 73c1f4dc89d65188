"""What the ladder's cells come to: one row a rung and task, with intervals, and what it gains over the base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mbrl_ros.bench.ladder import Rung

# Student's t at 97.5%, of 1, 2, ... degrees of freedom; the normal one from there on
T975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
        2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045)  # fmt: skip
NORMAL975 = 1.960
PAYS, LOSES, EITHER, IS_BASE = "pays", "loses", "cannot be told", "the base"

Cell = dict[str, float | None]


@dataclass(frozen=True)
class Row:
    """One rung on one task; numbers are means over the seeds, None where there is no such thing."""

    task: str
    axis: str
    name: str
    planner: str
    model: str
    treatment: str
    excuse: str  # why it was not climbed; empty where it was
    seeds: int
    unflown: int  # of these, with no model at the end: the robot stood
    returns: tuple[float, ...]  # of each seed
    mean: float | None
    interval: tuple[float, float] | None  # 95%, by Student's t; of two seeds and more
    lowest: float | None
    highest: float | None
    gain: float | None  # over the base of the task, seed by seed
    gain_interval: tuple[float, float] | None
    verdict: str  # whether the gain is beyond its interval
    at_goal: float | None  # share of the episode
    outside: float | None  # share of it beyond the bounds of the state
    falls: float | None  # an episode
    learning_falls: float | None
    robot_seconds: float | None  # of real data
    fit_seconds: float | None  # of processor time
    decision_ms: float | None  # of processor time


def row(task: str, rung: Rung, excuse: str, cells: Sequence[Cell], base: Sequence[Cell]) -> Row:
    """`cells` of this rung and `base` of the task's base, seed by seed; either may be empty."""
    returns = tuple(float(cell["return"]) for cell in cells)
    gains = [cell["return"] - other["return"] for cell, other in zip(cells, base, strict=False)]
    within = interval(gains)

    def mean(name: str) -> float | None:
        known = [cell[name] for cell in cells if cell[name] is not None]
        return float(np.mean(known)) if known else None

    return Row(
        task, rung.axis, rung.name, rung.planner, rung.model, rung.treatment, excuse,
        seeds=len(cells),
        unflown=sum(bool(cell.get("unflown")) for cell in cells),
        returns=returns,
        mean=mean("return"),
        interval=interval(returns),
        lowest=min(returns, default=None),
        highest=max(returns, default=None),
        gain=float(np.mean(gains)) if gains else None,
        gain_interval=within,
        verdict=verdict(rung, within),
        at_goal=mean("at_goal"),
        outside=mean("outside"),
        falls=mean("falls"),
        learning_falls=mean("learning_falls"),
        robot_seconds=mean("robot_seconds"),
        fit_seconds=mean("fit_seconds"),
        decision_ms=mean("decision_ms"),
    )  # fmt: skip


def interval(values: Sequence[float]) -> tuple[float, float] | None:
    """95% of the mean, by Student's t; None of fewer than two."""
    count = len(values)
    if count < 2:
        return None
    t = T975[count - 2] if count - 2 < len(T975) else NORMAL975
    mean, off = float(np.mean(values)), t * float(np.std(values, ddof=1)) / count**0.5
    return mean - off, mean + off


def verdict(rung: Rung, gain: tuple[float, float] | None) -> str:
    """By one interval a rung: of dozens of rungs that are worth the same, one in twenty still gets a word."""
    if rung.is_base:
        return IS_BASE
    if gain is None:
        return ""
    return PAYS if gain[0] > 0 else LOSES if gain[1] < 0 else EITHER
