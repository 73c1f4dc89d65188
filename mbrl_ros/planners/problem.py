"""The narrow waist between planners and everything that they plan with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Problem:
    """What a planner may know. Built once for each model, task and shape; the state lies in buffers behind it."""

    score: Callable[[Tensor], Tensor]  # decisions (N, H, U) -> returns (N,); non-finite is already the worst, -inf
    bounds: Tensor  # (2, U)
    noise: Tensor  # (U,) one sigma of a planner's search
    prior: Tensor  # (H, U) where to look first; a buffer, overwritten before a tick
    candidates: int  # how many decisions one score takes
    value: Callable[[Tensor], Tensor] | None = None  # as `score`, of any number of decisions, each through every member
    gradient: Callable[[Tensor], Tensor] | None = None  # decisions (H, U) -> (H, U) of their value; None: has none
    proposal: Callable[[], Tensor] | None = None  # -> (U,) what a policy would do now; None: there is none


@dataclass(frozen=True)
class PlanResult:
    actions: Tensor  # (H, U)
    best: float  # the highest return among the candidates
    mean: float  # weighted by the planner's weights
    non_finite: int  # candidates whose return was not finite
    effective: float  # effective number of candidates behind the plan, 1 .. N


@dataclass(frozen=True)
class NoPlan:
    """The planner has nothing to offer; the ladder steps down."""

    reason: str
