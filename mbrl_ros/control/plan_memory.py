"""The plan that is followed, from tick to tick: where the next search begins, or what is done without one."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from mbrl_ros.planners.problem import PlanResult
from mbrl_ros.planners.warm import shifted


class PlanMemory:
    """Empty until something was planned or decided."""

    def __init__(self):
        self.forget()

    def forget(self) -> None:
        self.plan: Tensor | None = None  # (H, U) the newest
        self._found: PlanResult | None = None  # by the newest search
        self._age = 0  # steps since then

    def keep(self, result: PlanResult) -> None:
        """What came of a search, or of `followed`."""
        if result is not self._found:
            self._found, self._age = result, 0
        self.plan = result.actions

    def decided(self, plan: Tensor) -> None:
        """By a policy, (H, U)."""
        self.plan, self._found = plan, None

    def still_followed(self, elapsed: int, replan_every: int) -> bool:
        """Whether it is too early to search again."""
        return self._found is not None and self._age + elapsed < replan_every

    def followed(self, warm: Tensor, elapsed: int) -> PlanResult:
        """Instead of a search: the plan as `warm` has moved it on."""
        self._age += elapsed
        plans = warm if warm.dim() == 3 else warm[None]
        self._found = replace(self._found, actions=plans[0], others=plans[1:] if len(plans) > 1 else None)
        return self._found

    def before(self, elapsed: int, prior: Tensor) -> Tensor:
        """(U,) the decision of the step before the one that is planned from."""
        return prior[0] if self.plan is None else self.plan[min(elapsed, len(self.plan)) - 1]

    def warm(self, elapsed: int, prior: Tensor, tail: float) -> Tensor:
        """(H, U) the plan as it stands `elapsed` steps later, or (1 + K, H, U) with the others; else the prior."""
        if self.plan is None:
            return prior.clone()
        others = self._found.others if self._found else None
        plans = self.plan if others is None else torch.cat([self.plan[None], others])
        return shifted(plans, elapsed, prior, tail)

    def fit(self, horizon: int) -> None:
        """Cut or prolonged; after that nothing is followed blindly."""
        if self.plan is not None and len(self.plan) != horizon:
            last = self.plan[-1:].expand(max(0, horizon - len(self.plan)), -1)
            self.plan, self._found = torch.cat([self.plan, last])[:horizon], None
