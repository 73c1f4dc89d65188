"""What the ensemble thinks of a decision, once it is made: how far its members disagree about what comes of it.

A policy answers whatever it is asked, and a planner finds a best plan wherever it is. Where no robot has been, the
members have learned nothing that they could agree on, so their disagreement says how much the answer is worth.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mbrl_ros.control.agent import Agent
from mbrl_ros.dynamics.calibration import STEPS
from mbrl_ros.settings import DRIVING_MODES

PERIOD = 0.1  # s from one to the next
SPARE = 0.8  # of a step may have passed: whoever is late is not held up any more


class SecondOpinion:
    """Asked now and then, after the plan has been sent; the agent's `trust` hears of it."""

    def __init__(self, agent: Agent, every: int | None = None):
        """`every`: ticks from one to the next, if not PERIOD."""
        self._agent, self._every = agent, every or max(1, round(PERIOD / agent.spec.dt))
        self._scales = torch.tensor(agent.layout.scales)
        self._ticks = 0  # since the last one
        self._seen: int | None = None  # stamp of the newest plan
        self.disagreement: float | None = None  # newest

    def after_plan(self, took: float, stamp_ns: int | None = None) -> None:
        """`took`: s, of the tick so far. `stamp_ns`: of the plan; one that is only repeated is not looked at again."""
        if stamp_ns is not None and stamp_ns == self._seen:
            return
        self._seen = stamp_ns
        self._ticks += 1
        if self._agent.mode not in DRIVING_MODES:
            self._say(None)
            return
        if self._ticks < self._every or took > SPARE * self._agent.spec.dt:
            return
        trace = self._agent.trace(STEPS)
        self._say(None if trace is None else disagreement(trace, self._scales))

    def diagnostics(self) -> dict[str, float]:
        trust = self._agent.trust
        if trust.doubt is None:
            return {} if self.disagreement is None else {"disagreement": self.disagreement}
        share = 0.0 if trust.stopped else trust.share
        return {"disagreement": self.disagreement, "doubt": trust.doubt, "speed_share": share}

    def _say(self, found: float | None) -> None:
        self.disagreement = found
        self._agent.trust.hear(found, self._ticks * self._agent.spec.dt)
        self._ticks = 0


def disagreement(trace: Tensor, scales: Tensor) -> float:
    """Of what members expect (M, H, S), in the usual sizes of features (S,).

    Root mean square over steps and features of the standard deviation between members: 0 where they agree, 1 where they
    know as little as somebody who knows only what is usual. Infinite where one expects what is not finite.
    """
    if not torch.isfinite(trace).all():
        return float("inf")
    return float((trace.var(0, correction=0) / scales.square()).mean().sqrt())
