"""How many rollouts a plan can afford: as many as fit into the time there is, fewer at once where plans take long."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

SIZES = (50, 100, 150, 200, 300, 400, 600, 800, 1200, 1600)
COMFORT = 0.75  # share of the budget up to which a size is chosen
LONGEST_PATIENCE = 16  # times the first one


@dataclass(frozen=True)
class Budget:
    """What a plan may take, and how long all must be well before it may be larger."""

    ms: float
    patience: int = 150  # plans


class Pace:
    """The steps from full planning down to a minimum, and where on them the planner stands.

    Down is immediate: to the size that would have fitted. Up is one step after a run of plans that left room for it;
    the run that is asked for doubles each time when a step up was one too many.
    """

    def __init__(self, most: int, budget: Budget):
        self.sizes = (*(n for n in SIZES if n < most), most)
        self.samples = self.sizes[-1]
        self.shrunk = self.grown = self.overruns = 0
        self._budget = budget
        self._good = 0  # plans in a row that left room for the next size
        self._patience = budget.patience
        self._since_growth = budget.patience  # plans

    @property
    def full(self) -> bool:
        return self.samples == self.sizes[-1]

    def begin(self, timed: Callable[[int], Sequence[float]]) -> None:
        """Chooses the largest size whose plans fit; `timed(samples)` tries it and says how long plans took (ms)."""
        self.samples = self.sizes[0]
        for size in self.sizes[1:]:
            if _typical(timed(size)) > COMFORT * self._budget.ms:
                return
            self.samples = size

    def took(self, ms: float) -> bool:
        """A plan took so long. Whether `samples` is another one now."""
        self._since_growth += 1
        if ms > self._budget.ms:
            return self._overrun(ms)
        above = self._above()
        if above is None or ms * above / self.samples > COMFORT * self._budget.ms:
            self._good = 0
            return False
        self._good += 1
        if self._good < self._patience:
            return False
        self.samples, self._good, self._since_growth = above, 0, 0
        self.grown += 1
        return True

    def _overrun(self, ms: float) -> bool:
        self.overruns += 1
        self._good = 0
        if self._since_growth <= self._budget.patience:
            self._patience = min(2 * self._patience, LONGEST_PATIENCE * self._budget.patience)
        else:
            self._patience = self._budget.patience
        fitting = [n for n in self.sizes if n < self.samples and ms * n / self.samples <= COMFORT * self._budget.ms]
        below = [n for n in self.sizes if n < self.samples]
        if not below:
            return False
        self.samples = fitting[-1] if fitting else below[0]
        self.shrunk += 1
        return True

    def _above(self) -> int | None:
        return next((n for n in self.sizes if n > self.samples), None)


def _typical(times: Sequence[float]) -> float:
    """ms that three of four plans keep below."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, math.ceil(0.75 * len(ordered)) - 1)]
