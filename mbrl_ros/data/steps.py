"""Which samples of robot time are control steps."""

from __future__ import annotations

from typing import Literal


class StepClock:
    """Step k+1 is the first sample at t_k + dt or later, less half a sample period.

    The first sample, one whose stamp goes back, and one over 1.5 dt after the last step begin anew: `restart`.
    """

    def __init__(self, dt_ns: int, sample_period_ns: int):
        self.earliest_ns = dt_ns - sample_period_ns // 2
        self.latest_ns = dt_ns * 3 // 2
        self.step_ns: int | None = None  # the last step's stamp
        self.newest_ns: int | None = None

    def accept(self, stamp_ns: int) -> Literal["step", "between", "restart"]:
        """What the sample stamped `stamp_ns` is. A `restart` is a step too, with none before it."""
        went_back = self.newest_ns is not None and stamp_ns < self.newest_ns
        self.newest_ns = stamp_ns
        if self.step_ns is None or went_back or stamp_ns - self.step_ns > self.latest_ns:
            self.step_ns = stamp_ns
            return "restart"
        if stamp_ns - self.step_ns < self.earliest_ns:
            return "between"
        self.step_ns = stamp_ns
        return "step"

    def restart(self) -> None:
        """The next sample begins anew: the robot was put somewhere else."""
        self.step_ns = None
