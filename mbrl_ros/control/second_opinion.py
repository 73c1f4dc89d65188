"""What the ensemble thinks of a decision that it did not make: how far its members disagree about what comes of it.

A policy answers whatever it is asked. Where no robot has been, the members have learned nothing that they could agree
on, so their disagreement says how much the answer is worth.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mbrl_ros.control.agent import Agent
from mbrl_ros.settings import POLICY_MODES

STEPS = 5  # ahead; further on, members part even where they know everything
SPARE = 0.5  # of a step must be left: whoever is late is not held up any more


class SecondOpinion:
    """Asked now and then, after the plan has been sent."""

    def __init__(self, agent: Agent, every: int):
        """`every`: ticks from one to the next."""
        self._agent, self._every = agent, every
        self._scales = torch.tensor(agent.layout.scales)
        self._ticks = 0  # since the last one
        self.disagreement: float | None = None  # newest

    def after_plan(self, took: float) -> None:
        """`took`: s, of the tick so far."""
        if self._agent.mode not in POLICY_MODES:
            self.disagreement = None
            return
        self._ticks += 1
        if self._ticks < self._every or took > SPARE * self._agent.spec.dt:
            return
        self._ticks = 0
        trace = self._agent.trace()
        self.disagreement = None if trace is None else disagreement(trace[:, :STEPS], self._scales)


def disagreement(trace: Tensor, scales: Tensor) -> float:
    """Of what members expect (M, H, S), in the usual sizes of features (S,).

    Root mean square over steps and features of the standard deviation between members: 0 where they agree, 1 where they
    know as little as somebody who knows only what is usual. Infinite where one expects what is not finite.
    """
    if not torch.isfinite(trace).all():
        return float("inf")
    return float((trace.var(0, correction=0) / scales.square()).mean().sqrt())
