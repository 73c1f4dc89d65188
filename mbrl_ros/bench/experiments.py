"""Experiments: each shows, with figures over several seeds, what a method must show before it counts as working.

An experiment is a function of a seed that really learns and really plans, and gives figures by name. A suite is a
module with EXPERIMENTS by name, BARS by how the names of figures begin, and SEEDS where one needs others than five;
YES_OR_NO says how the names of those begin that are 1 or 0 of each seed.
PICTURES by name are drawn beside the report, where its figures are there; those that begin with CURVE are in no table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from mbrl_ros.bench.intervals import Interval, interval
from mbrl_ros.bench.kept import Kept
from mbrl_ros.config import ConfigError

SUITES = {  # `mbrl bench NAME`: the module, and what it shows
    "models": ("mbrl_ros.bench.models", "what each kind of dynamics model must show"),
    "planners": ("mbrl_ros.bench.planners", "what each way of planning must show"),
    "uncertainty": ("mbrl_ros.bench.uncertainty", "what treatments of uncertainty must show, and who is calibrated"),
    "exploration": ("mbrl_ros.bench.exploration", "how much data ways of exploring and of replaying need"),
}
USUAL_SEEDS = 5
CURVE = "curve: "

Experiment = Callable[[int], dict[str, float]]


@dataclass(frozen=True)
class Bar:
    """What is asked of a figure: at least `low`, at most `high`."""

    low: float = -np.inf
    high: float = np.inf

    def holds(self, value: float) -> bool:
        return bool(self.low <= value <= self.high)

    def tells(self, sure: Interval | None) -> bool:
        """Whether all of the interval is on one side of it; of a single seed nothing is known."""
        if sure is None:
            return False
        low, high = sure
        return self.holds(low) == self.holds(high) and not (low < self.low and high > self.high)

    def __str__(self) -> str:
        if self.low == -np.inf:
            return f"<= {self.high:g}"
        return f">= {self.low:g}" if self.high == np.inf else f"{self.low:g} .. {self.high:g}"


@dataclass(frozen=True)
class Figure:
    """One figure over all seeds."""

    what: str
    value: float  # mean
    lowest: float
    highest: float
    bar: str  # empty: none
    holds: bool | None  # whether the mean is within the bar
    seeds: tuple[float, ...]  # of each seed
    interval: Interval | None  # 95%, of the mean
    told: bool | None = None  # whether the interval is all within the bar, or all outside

    @property
    def verdict(self) -> str:
        if self.holds is None:
            return ""
        if self.told:
            return "holds" if self.holds else "missed"
        return "cannot be told; the mean holds" if self.holds else "cannot be told; the mean misses"


class Suite:
    def __init__(self, name: str):
        module, _ = SUITES[name]
        module = import_module(module)
        self.name = name
        self.experiments: dict[str, Experiment] = module.EXPERIMENTS
        self._bars: dict[str, Bar] = module.BARS
        self._seeds: dict[str, int] = getattr(module, "SEEDS", {})
        self._yes_or_no: tuple[str, ...] = getattr(module, "YES_OR_NO", ())
        self.pictures: dict[str, Callable[[dict[str, Figure], Path], bool]] = getattr(module, "PICTURES", {})

    def chosen(self, names: Sequence[str] | None) -> list[str]:
        """All of them where none is asked for."""
        for name in names or ():
            if name not in self.experiments:
                raise ConfigError(
                    f"--only: no experiment {name!r} in {self.name}. Known: {', '.join(self.experiments)}"
                )
        return list(dict.fromkeys(names or self.experiments))

    def seeds(self, name: str, count: int | None) -> int:
        """How many of them, where `count` does not say it."""
        return count or self._seeds.get(name, USUAL_SEEDS)

    def figures(
        self, names: Sequence[str], first: int, count: int | None, kept: Kept, done: Callable[[str, int], None]
    ) -> Iterator[Figure]:
        """Those of each experiment in turn, of seeds from `first` on; `done` hears of every seed."""
        for name in names:
            found = []
            for seed in range(first, first + self.seeds(name, count)):
                found.append(kept.get(f"{name} {seed}", lambda name=name, seed=seed: self.experiments[name](seed)))
                done(name, seed)
            yield from (self.figure(what, tuple(each[what] for each in found)) for what in found[0])

    def figure(self, what: str, values: tuple[float, ...]) -> Figure:
        bar = next((bar for begin, bar in self._bars.items() if what.startswith(begin)), None)
        mean = float(np.mean(values))
        sure = interval(values, what.startswith(self._yes_or_no))
        holds, told = (bar.holds(mean), bar.tells(sure)) if bar else (None, None)
        return Figure(what, mean, min(values), max(values), str(bar or ""), holds, values, sure, told)
