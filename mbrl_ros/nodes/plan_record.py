"""What became of the planner's ticks: how long plans took, which came late, and which rung of its ladder it stands on.

The rungs are those of the planner itself: a policy's decision, all the rollouts that are asked for, fewer of them, a
plan that the ensemble doubts too much to be sent, no plan. Without a plan, or with one that is late, the guard goes on
alone: safety/ladder.py.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from mbrl_ros.control.rung_times import RungTimes
from mbrl_ros.nodes import diagnostic_keys as keys
from mbrl_ros.planners.problem import NoPlan, PlanResult

POLICY, FULL, FEWER, DOUBT, NO_PLAN = "policy", "full", "fewer", "doubt", "no_plan"
RECENT = 500  # plans behind the percentiles


class PlanRecord:
    """Times are nanoseconds of the steady clock, or milliseconds where the name says so."""

    def __init__(self, dt: float):
        """`dt`: s, after which a plan is late."""
        self._dt_ms = dt * 1e3
        self._times_ms: deque[float] = deque(maxlen=RECENT)
        self._late = self._no_plans = self._non_finite = 0
        self._effective = 0.0
        self._rungs = RungTimes((POLICY, FULL, FEWER, DOUBT, NO_PLAN))

    @property
    def newest_ms(self) -> float:
        return self._times_ms[-1] if self._times_ms else 0.0

    def planned(self, took_ms: float, result: PlanResult | NoPlan | None, rung: str, now_ns: int) -> None:
        """`result`: the planner's; None where the plan is a policy's, or a motion that needed none."""
        self._rungs.stand(rung, now_ns)
        self._times_ms.append(took_ms)
        self._late += took_ms > self._dt_ms
        planned = isinstance(result, PlanResult)
        self._effective = result.effective if planned else 0.0
        self._non_finite += result.non_finite if planned else 0

    def failed(self, now_ns: int) -> None:
        self._rungs.stand(NO_PLAN, now_ns)
        self._no_plans += 1

    def diagnostics(self, now_ns: int) -> dict:
        times = np.array(self._times_ms) if self._times_ms else np.zeros(1)
        return {
            keys.PLAN_MS_P50: float(np.percentile(times, 50)),
            keys.PLAN_MS_P99: float(np.percentile(times, 99)),
            keys.LATE_STEPS: self._late,
            "no_plans": self._no_plans,
            "effective_samples": self._effective,
            "non_finite_samples": self._non_finite,
            **self._rungs.diagnostics(now_ns),
        }
