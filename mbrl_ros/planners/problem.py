"""The narrow waist between planners and everything that they plan with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


def _mean(returns: Tensor) -> Tensor:
    """(..., P) -> (...)"""
    return returns.mean(-1)


@dataclass(frozen=True)
class Problem:
    """What a planner may know. Built once for each model, task and shape; the state lies in buffers behind it."""

    score: Callable[[Tensor], Tensor]  # decisions (N, H, U) -> returns (N,); non-finite is already the worst, -inf
    bounds: Tensor  # (2, U)
    noise: Tensor  # (U,) one sigma of a planner's search
    prior: Tensor  # (H, U) where to look first; a buffer, overwritten before a tick
    candidates: int  # how many decisions one score takes
    value: Callable[[Tensor], Tensor] | None = None  # as `score`, of any number of decisions, each through every member
    gradient: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None  # (K, H, U) -> values (K,), slopes (K, H, U)
    proposal: Callable[[], Tensor] | None = None  # -> (U,) what a policy would do now; None: there is none
    # For tree search. P particles of a state, one a member; decisions of T steps in a row.
    root: Tensor | None = None  # (P, S) where a plan begins; a buffer, overwritten before a tick
    step: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
    # states (B, P, S), decisions (B, T, U) -> states (B, T, P, S), rewards (B, T, P)
    choices: Tensor | None = None  # (K, U) the decisions there are, where they are discrete
    treated: Callable[[Tensor], Tensor] = _mean  # returns of particles (..., P) -> what they are worth (...)
    ends: Callable[[Tensor], Tensor] | None = None  # states (B, P, S) at the horizon -> the worth of what comes after
    # (B, P); None: nobody knows


@dataclass(frozen=True)
class PlanResult:
    actions: Tensor  # (H, U) finite, within bounds
    best: float  # the highest return among the candidates
    mean: float  # weighted by the planner's weights
    non_finite: int  # candidates whose return was not finite
    effective: float  # effective number of candidates behind the plan, 1 .. N
    others: Tensor | None = None  # (K, H, U) plans that the next search wants to see again, after `actions`
    beyond: float = 0.0  # how far the plan was out of bounds at most, before it was clamped to them


@dataclass(frozen=True)
class NoPlan:
    """The planner has nothing to offer; the ladder steps down."""

    reason: str


HOPELESS = NoPlan("no candidate has a finite score")
NOT_FINITE = NoPlan("the plan is not finite")
