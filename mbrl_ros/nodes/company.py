"""Whom the guard is not alone with: others that plan, and others that command the robot."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.clock import Clock, ClockType

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.endpoints import named
from mbrl_ros.nodes.one_voice import Heeded
from mbrl_ros.nodes.rivals import Rivals

LOOK_PERIOD = 1.0  # s
NOBODY = "nobody speaks any more who should not"


class Company:
    """Plans reach `on_plan` from one planner. Who else commands the robot can only be named, as it is the driver that
    listens there. `tell` hears each time that somebody comes or goes who is there now."""

    def __init__(self, node, commands: topics.Topic, on_plan: Callable, tell: Callable[[str], None]):
        self._node, self._tell = node, tell
        self._plans = Heeded(node, topics.PLAN, on_plan, self._changed)
        self._rivals = {topic.name: Rivals(node, topic) for topic in (commands, topics.ROBOT_MODE)}
        self._commanding: list[str] = []  # what is said of each
        node.create_timer(LOOK_PERIOD, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    @property
    def trouble(self) -> str:
        """Empty where there is none."""
        return "; ".join(filter(None, (self._plans.trouble, *self._commanding)))

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
