"""As many rollouts a plan as fit into a step, where time is real; else as many as are asked for."""

from __future__ import annotations

from mbrl_ros.control.agent import Agent
from mbrl_ros.control.pace import Pace
from mbrl_ros.search_settings import Counted
from mbrl_ros.settings import PlannerConfig

COSTLY = ("samples", "horizon", "polish")  # live settings on which the time for a plan depends


class Affordable:
    def __init__(self, agent: Agent):
        self._agent = agent
        self._pace = self._paced(agent.config)

    @property
    def sizes(self) -> tuple[int, ...]:
        """That there may be; none but what is asked for, where time is not real."""
        return self._pace.sizes if self._pace else ()

    @property
    def counts(self) -> dict[str, int]:
        return self._pace.counts if self._pace else {}

    def begin(self) -> str:
        """Tries what fits, and says so; without a model nothing can be tried, and all that are asked for are made."""
        if not (self._pace and self._agent.has_model):
            return ""
        self._pace.begin(self._agent.rehearse)
        self._agent.set_samples(self._pace.samples)
        return f"{self._pace.samples} of {self._agent.config.search.samples} rollouts a plan fit into the time there is"

    def configured(self, before: PlannerConfig, now: PlannerConfig) -> None:
        """Begins with all again, once plans are to take another time."""
        if any(getattr(now.search, name, 0) != getattr(before.search, name, 0) for name in COSTLY):
            self._pace = self._paced(now)
            self._agent.set_samples(now.search.samples)

    def took(self, ms: float) -> None:
        if self._pace and self._pace.took(ms):
            self._agent.set_samples(self._pace.samples)

    def _paced(self, config: PlannerConfig) -> Pace | None:
        anytime = isinstance(config.search, Counted) and config.search.anytime and config.planner != "prior"
        if config.lockstep or not anytime or config.mode == "observe":
            return None
        return Pace(config.search.samples, self._agent.spec.dt * 1e3, config.search.budget)
