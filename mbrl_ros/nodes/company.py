"""Whom the guard is not alone with: others that plan, and others that command the robot."""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.clock import Clock, ClockType

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.endpoints import named
from mbrl_ros.nodes.one_voice import LOOK_PERIOD, Heeded
from mbrl_ros.nodes.rivals import Rivals
from mbrl_ros.nodes.self_report import DIAGNOSTICS_PERIOD
from mbrl_ros.types import NS

NOBODY = "nobody speaks any more who should not"


class Company:
    """Plans reach `on_plan` from one planner. Who else commands the robot can only be named, as it is the driver that
    listens there. `tell` hears each time that somebody comes or goes who is there now."""

    def __init__(self, node, commands: topics.Topic, on_plan: Callable, tell: Callable[[str], None]):
        self._node, self._tell = node, tell
        self._plans = Heeded(node, topics.PLAN, on_plan, self._changed)
        self._rivals = {
            commands.name: Rivals(node, commands),
            topics.ROBOT_MODE.name: Rivals(node, topics.ROBOT_MODE, self._on_other_mode),
        }
        self._mode_due_ns = 0  # steady time
        self._commanding: list[str] = []  # what is said of each
        node.create_timer(LOOK_PERIOD, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    @property
    def trouble(self) -> str:
        """Empty where there is none."""
        return "; ".join(filter(None, (self._plans.trouble, *self._commanding)))

    @property
    def unopened_plans(self) -> int:
        """Messages of the planner that were none, or too long to be a plan."""
        return self._plans.unopened

    def mode_is_due(self) -> bool:
        """Whether the robot's mode has to be said again: as often as diagnostics, and at once where another said one.
        One word of a stranger would else undo an estop for as long as that lasts."""
        now_ns = time.monotonic_ns()
        if now_ns < self._mode_due_ns:
            return False
        self._mode_due_ns = now_ns + round(DIAGNOSTICS_PERIOD * NS)
        return True

    def _on_other_mode(self) -> None:
        self._mode_due_ns = 0

    def _look(self) -> None:
        if not self._node.active:
            return
        commanding = [
            f"{topic}: {named(gid, name)} commands the robot beside the guard, and its driver listens to both"
            for topic, rivals in self._rivals.items()
            for gid, name in sorted(rivals.found().items())
        ]
        if commanding != self._commanding:
            self._commanding = commanding
            self._changed()

    def _changed(self) -> None:
        self._tell(self.trouble or NOBODY)
