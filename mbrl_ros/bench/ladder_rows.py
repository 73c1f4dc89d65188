"""What the ladder's cells come to: one row a rung and task, with intervals, and what it gains over the base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mbrl_ros.bench.intervals import Interval, interval
from mbrl_ros.bench.ladder import Rung

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
    twin: str  # the rung before it that is the same; empty: none
    excuse: str  # why it was not climbed; empty where it was
    seeds: int
    unflown: int  # of these, with no model at the end: the robot stood
    no_plans: int  # steps of all episodes in which there was none
    returns: tuple[float, ...]  # of each seed
    mean: float | None
    interval: Interval | None  # 95%, by Student's t; of two seeds and more
    lowest: float | None
    highest: float | None
    gain: float | None  # over the base of the task, seed by seed
    gain_interval: Interval | None
    verdict: str  # whether the gain is beyond its interval
    at_goal: float | None  # share of the episode
    outside: float | None  # share of it beyond the bounds of the state
    falls: float | None  # an episode
    learning_falls: float | None
    robot_seconds: float | None  # of real data
    fit_seconds: float | None  # of processor time
    decision_ms: float | None  # of processor time
    step_ms: float  # what there is time for


def row(task: str, rung: Rung, excuse: str, cells: Sequence[Cell], base: Sequence[Cell], dt: float) -> Row:
    """`cells` of this rung and `base` of the task's base, seed by seed; either may be empty."""
    returns = tuple(float(cell["return"]) for cell in cells)
    gains = [cell["return"] - other["return"] for cell, other in zip(cells, base, strict=False)]
    within = interval(gains)

    def mean(name: str) -> float | None:
        known = [cell[name] for cell in cells if cell[name] is not None]
        return float(np.mean(known)) if known else None

    return Row(
        task, rung.axis, rung.name, rung.planner, rung.model, rung.treatment, rung.twin, excuse,
        seeds=len(cells),
        unflown=sum(bool(cell.get("unflown")) for cell in cells),
        no_plans=sum(int(cell.get("no_plans", 0)) for cell in cells),
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
        step_ms=1e3 * dt,
    )  # fmt: skip


def verdict(rung: Rung, gain: Interval | None) -> str:
    """By one interval a rung: of dozens of rungs that are worth the same, one in twenty still gets a word."""
    if rung.is_base:
        return IS_BASE
    if gain is None:
        return ""
    return PAYS if gain[0] > 0 else LOSES if gain[1] < 0 else EITHER
