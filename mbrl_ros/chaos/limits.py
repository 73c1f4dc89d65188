"""Whether a command is one that the robot may be told: by an own reading of the robot file, at the driver's side.

Nothing of the guard's is used, so that an error in it cannot hide itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import numpy as np
import yaml

from mbrl_ros.paths import named

ROUNDING = 1e-4  # rad (m)
TOLD_NS = 100_000_000  # after a break, in which the guard hears of it and begins anew
LATENESS = 1.5  # steps within which the command lies that a step of control began with
TOUCHED = 3  # steps of control, some of them in part, that lie within so long


class Limits:
    """`count` is fed with one command after another; `jumps` looks at all that were applied, afterwards."""

    def __init__(self, robot: str):
        content = yaml.safe_load(named("config/robots", robot, ".yaml").read_text())
        joints = [joint for joint in content["joints"] if joint.get("actuated", True)]
        self._names = [joint["name"] for joint in joints]
        self._low, self._high = np.array([_bounds(joint, content["interface"]) for joint in joints]).T
        self._window_ns = round(LATENESS * content["dt"] * 1e9)
        moves = content["interface"] == "position"
        self._step = np.array([joint["velocity"] for joint in joints]) * content["dt"] if moves else None
        self.outside = self.non_finite = 0
        self.worst = ""  # what was found last, for people

    def count(self, target: np.ndarray, names: list[str]) -> None:
        if sorted(names) == sorted(self._names):
            target = target[[names.index(name) for name in self._names]]
        if target.shape != self._low.shape or not np.isfinite(target).all():
            self.non_finite += 1
        else:
            beyond = np.maximum(self._low - target, target - self._high)
            if beyond.max() > ROUNDING:
                self.outside += 1
                self.worst = f"{self._names[beyond.argmax()]} {beyond.max():.3f} beyond its limits"

    def jumps(self, applied: Iterable[tuple[int, np.ndarray]], breaks: Iterable[int]) -> int:
        """Targets that are more than one step's change away from all that was sent within the step before.

        And those that came there on a longer way than the steps since then allow: what goes to and fro moves, too.
        `applied`: when each was sent, in order, with None for the target where the robot was not to follow it.
        `breaks`: when the robot did not follow what it was told, and targets have to begin anew where the joints are.
        """
        recent: deque[tuple[int, np.ndarray]] = deque()
        breaks, found = sorted(breaks), 0
        for at_ns, target in applied:
            if any(began <= at_ns < began + TOLD_NS for began in breaks):
                recent.clear()
            while recent and not 0 <= at_ns - recent[0][0] <= self._window_ns:
                recent.popleft()
            if target is None or self._step is None:
                recent.clear()
                continue
            if recent:
                nearest = np.min([np.abs(target - before) for _, before in recent], axis=0)
                way = np.abs(np.diff([*(before for _, before in recent), target], axis=0)).sum(axis=0)
                beyond = np.maximum(nearest - self._step, way - TOUCHED * self._step)
                if beyond.max() > ROUNDING:
                    found += 1
                    joint, ms = beyond.argmax(), (at_ns - recent[-1][0]) / 1e6
                    went = f"{nearest[joint]:.3f}, all in all {way[joint]:.3f}"
                    self.worst = f"{self._names[joint]} moved {went} within a step, {ms:.1f} ms apart"
            recent.append((at_ns, target))
        return found


def _bounds(joint: dict, interface: str) -> tuple[float, float]:
    if interface == "position":
        return tuple(joint.get("position") or (-np.inf, np.inf))
    limit = joint["effort" if interface == "effort" else "velocity"]
    return -limit, limit
