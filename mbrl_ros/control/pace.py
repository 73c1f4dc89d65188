"""How many rollouts a plan can afford: as many as fit into the time there is, fewer at once where plans take long."""

from __future__ import annotations

from collections.abc import Callable, Sequence

SIZES = (50, 100, 150, 200, 300, 400, 600, 800, 1200, 1600)
LATE = 0.9  # share of a step after which a plan comes too late for comfort
PATIENCE = 150  # plans that must be quick, all in all, before there are more rollouts than ever worked
RETURN = 40  # the same, before there are as many again as worked until a moment ago
REMEMBERED = 1500  # plans for which it is known what worked; after that the machine is a slower one
SETBACK = 5  # quick plans that a slower one cancels
LONGEST_PATIENCE = 16 * PATIENCE


class Pace:
    """The steps from full planning down to a minimum, and where on them the planner stands.

    Plans take a while even without rollouts, and that while depends on who else uses the machine; so nothing is
    predicted. A late plan is a step down, at once. After a short run of quick ones it is back, in one go, where it
    worked before, however far down a moment of trouble has led; if the trouble is still there, it tries again some
    times. A long run of quick ones is a step up to what has not been tried; if that was one too many, the next try
    comes after twice as long a run.
    """

    def __init__(self, most: int, step_ms: float, budget: float):
        """`budget`: share of a step within which a plan is quick."""
        self.sizes = (*(n for n in SIZES if n < most), most)
        self.samples = most
        self.shrunk = self.grown = self.late = 0
        self._quick_ms, self._late_ms = budget * step_ms, max(budget, LATE) * step_ms
        self._quick = 0
        self._patience = PATIENCE
        self._since_growth = self._since_change = PATIENCE
        self._worked = self.sizes[0]  # the size that held for as many plans as PATIENCE
        self._since_worked = 0

    def begin(self, timed: Callable[[int], Sequence[float]]) -> None:
        """Chooses the largest size that can be quick; `timed(samples)` tries it and says how long plans took (ms)."""
        self.samples = self._worked = self.sizes[0]
        for size in self.sizes[1:]:
            times = sorted(timed(size))
            if times[len(times) // 4] > self._quick_ms:  # others may still be starting: what it can be, not what it is
                return
            self.samples = self._worked = size

    @property
    def counts(self) -> dict[str, int]:
        """Since the start, by what they are called in diagnostics."""
        return {"samples_shrunk": self.shrunk, "samples_grown": self.grown, "late_plans": self.late}

    def took(self, ms: float) -> bool:
        """A plan took so long. Whether `samples` is another one now."""
        self._since_growth += 1
        self._since_change += 1
        self._since_worked += 1
        if ms > self._late_ms:
            return self._step_down()
        held = self.samples >= self._worked and self._since_change >= PATIENCE
        if held or self._since_worked > REMEMBERED:
            self._worked, self._since_worked = self.samples, 0
        returning, quick = self.samples < self._worked, ms <= self._quick_ms
        if not quick and not returning:  # on the way back only late plans count against it
            self._quick = max(0, self._quick - SETBACK)
        self._quick += quick
        if returning:
            return self._quick >= RETURN and self._change_to(self._worked)
        return self._quick >= self._patience and self._step_up()

    def _step_down(self) -> bool:
        self.late += 1
        self._quick = 0
        if self.samples >= self._worked:  # a return that failed says nothing about what has not been tried
            hasty = self._since_growth <= PATIENCE
            self._patience = min(2 * self._patience, LONGEST_PATIENCE) if hasty else PATIENCE
        below = [n for n in self.sizes if n < self.samples]
        return bool(below) and self._change_to(below[-1])

    def _step_up(self) -> bool:
        self._quick = 0
        above = [n for n in self.sizes if n > self.samples]
        if not above:
            return False
        self._since_growth = 0
        return self._change_to(above[0])

    def _change_to(self, samples: int) -> bool:
        self.shrunk += samples < self.samples
        self.grown += samples > self.samples
        self.samples, self._quick, self._since_change = samples, 0, 0
        return True
