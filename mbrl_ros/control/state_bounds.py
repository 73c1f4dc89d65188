"""Bounds of the state as a cost with a weight that adapts.

A task may say by how much a state leaves its bounds, violation(state (..., S)) -> (...), 0 inside. Plans pay for it by

    weight <- min(most, growth x weight)    after a step that left them, or whose plan does
    weight <- max(least, decay x weight)    after any other

so it is as heavy as the situation needs and lets go once it is over. Bounds of decisions need no weight: no plan leaves
them.
"""

from __future__ import annotations

from mbrl_ros.settings import BoundsConfig


class BoundWeight:
    """Held by the agent, for all planners; `weight` multiplies the violation in every score."""

    def __init__(self, config: BoundsConfig):
        self.config, self.weight = config, config.least

    def note(self, executed: float, planned: float) -> None:
        """How far outside the state is, and the states of the newest plan are, at most."""
        c = self.config
        if executed > 0 or planned > 0:
            self.weight = min(c.most, max(self.weight, c.least) * c.growth)
        else:
            self.weight = max(c.least, self.weight * c.decay)
