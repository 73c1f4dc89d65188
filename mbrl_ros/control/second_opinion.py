"""What the ensemble thinks of a decision, once it is made: how far its members disagree about what comes of it.

A policy answers whatever it is asked, and a planner finds a best plan wherever it is. Where no robot has been, the
members have learned nothing that they could agree on, so their disagreement says how much the answer is worth.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mbrl_ros.control.agent import Agent
from mbrl_ros.dynamics.calibration import STEPS, disagreement, why_no_doubt
from mbrl_ros.settings import DRIVING_MODES

PERIOD = 0.1  # s from one to the next
SPARE = 0.8  # of a step may have passed: whoever is late is not held up any more
PATIENCE = 5  # periods without an answer, after which it is asked all the same: a late tick is coasted over
OLD = 1.0  # s, from which on a doubt is no news
UNKNOWN = "unknown, "  # and why


class SecondOpinion:
    """Asked now and then, after the plan has been sent; the agent's `trust` hears of it."""

    def __init__(self, agent: Agent, every: int | None = None):
        """`every`: ticks from one to the next, if not PERIOD."""
        self._agent, self._every = agent, every or max(1, round(PERIOD / agent.spec.dt))
        self._scales = torch.tensor(agent.layout.scales)
        self._ticks = 0  # steps since the last one
        self._seen: int | None = None  # stamp of the newest plan
        self.disagreement: float | None = None  # newest

    def after_plan(self, took: float, stamp_ns: int | None = None) -> None:
        """`took`: s, of the tick so far. `stamp_ns`: of the plan; one that is only repeated is not looked at again."""
        if not self._passed(stamp_ns):
            return
        if self._agent.mode not in DRIVING_MODES:
            self._say(None)
            return
        late = took > SPARE * self._agent.spec.dt
        if self._ticks < self._every * (PATIENCE if late else 1):
            return
        trace = self._agent.trace(STEPS)
        self._say(None if trace is None else doubted_by(trace, self._scales))

    def without_plan(self, stamp_ns: int) -> None:
        """There is nothing to look at: what is known grows old, and the next plan is looked at if it is time."""
        self._passed(stamp_ns)

    @property
    def age(self) -> float:
        """s of the newest answer."""
        return self._ticks * self._agent.spec.dt

    @property
    def trouble(self) -> str:
        """Empty while the doubt is news."""
        if self._agent.mode not in DRIVING_MODES or self._agent.trust.calibration is None or self.age <= OLD:
            return ""
        return f"nobody has looked at a plan for {self.age:.1f} s: the doubt is as old"

    def diagnostics(self) -> dict[str, float | str]:
        trust = self._agent.trust
        values = {} if self.disagreement is None else {"disagreement": self.disagreement}
        if trust.calibration is None and self._agent.has_model:
            why = why_no_doubt(self._agent.search.model) or "the model carries no calibration"
            return values | {"doubt": UNKNOWN + why}
        if trust.doubt is None:
            return values
        share = 0.0 if trust.stopped else trust.share
        return values | {"doubt": trust.doubt, "doubt_age": self.age, "speed_share": share}

    def _passed(self, stamp_ns: int | None) -> bool:
        """Whether it is another step than the last one; those between two that a slow planner left out count too."""
        if stamp_ns is not None and stamp_ns == self._seen:
            return False
        steps = 1
        if stamp_ns is not None and self._seen is not None:
            steps = round((stamp_ns - self._seen) / self._agent.spec.dt_ns)
        self._seen = stamp_ns
        self._ticks += min(max(1, steps), self._every)  # a gap is none: nothing was planned
        return True

    def _say(self, found: float | None) -> None:
        self.disagreement = found
        self._agent.trust.hear(found, self._ticks * self._agent.spec.dt)
        self._ticks = 0


def doubted_by(trace: Tensor, scales: Tensor) -> float:
    """What members disagree by in a trace (M, H, S); infinite where one expects what is not finite."""
    return float(disagreement(trace, scales)) if torch.isfinite(trace).all() else float("inf")
