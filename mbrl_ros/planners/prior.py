"""No planning at all: the prior, step for step. The open-loop baseline that planners are compared with."""

from __future__ import annotations

from torch import Generator, Tensor

from mbrl_ros.planners.problem import NoPlan, PlanResult, Problem
from mbrl_ros.planners.sampling import result


def plan(config, problem: Problem, warm: Tensor, generator: Generator) -> PlanResult | NoPlan:
    return result(problem, problem.prior, best=0.0, mean=0.0, non_finite=0, effective=1.0)
