"""Which states the planner plans from and pairs: those that a robot of its kind can be in.

The guard judges for itself, and also by what was before. Here a state that is not believed is as one that never came.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.safety.consistency import bounds, impossible
from mbrl_ros.safety.envelope import envelope, state_fault
from mbrl_ros.types import RobotState

FAR = 1e4  # usual sizes of a feature: no robot comes near, and a model's answer, or that it has none, says nothing


class Belief:
    """Give it every state once, in order; `refused` counts by reason."""

    def __init__(self, layout: FeatureLayout):
        self.refused: Counter[str] = Counter()
        self._layout = layout
        self._limits, self._bounds = envelope(layout.spec), bounds(layout.spec)
        self._trouble = ""

    def accepts(self, state: RobotState) -> bool:
        kind, why = self._fault(state)
        if kind:
            self.refused[kind] += 1
            self._trouble = f"not planned from: {why}"
        return not kind

    def doubts(self, state: RobotState) -> bool:
        """The same, of one that has been counted."""
        return bool(self._fault(state)[0])

    def _fault(self, state: RobotState) -> tuple[str, str]:
        """What is counted, and what a person reads; empty: it is believed."""
        if kind := state_fault(self._limits, state):
            return kind, kind.replace("_", " ")
        if fault := impossible(self._bounds, state):
            return fault.kind, fault.text
        with np.errstate(over="ignore"):  # infinite is far, too
            sizes = np.abs(self._layout.encode(state)) / self._layout.scales
        if not (sizes < FAR).all():
            i = int(np.argmax(sizes))
            return "state_far_off", f"{self._layout.names[i]} at {sizes[i]:.0e} times its usual size"
        return "", ""

    def report(self) -> str:
        """The last thing that was wrong since this was asked before; empty where nothing was."""
        trouble, self._trouble = self._trouble, ""
        return trouble
