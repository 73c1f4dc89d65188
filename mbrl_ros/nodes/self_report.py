"""How a node says how it is doing: numbers on metrics/<name>, everything on diagnostics, both while it is active."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rclpy.clock import Clock, ClockType

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.status import diagnostics_message, number_message, status_message

DIAGNOSTICS_PERIOD = 0.5  # s
METRICS_PERIOD = 0.1  # s


class SelfReport:
    """Made in `configure`; `numbers()` and `health()` are asked once the node is active."""

    def __init__(
        self,
        node,
        metrics: Sequence[str],
        numbers: Callable[[], Mapping[str, float | None]],
        health: Callable[[], tuple[bytes, str, Mapping]],
    ):
        """`numbers`: of each of the `metrics`; None where there is none now. `health`: level, words, values."""
        self._node, self._numbers, self._health = node, numbers, health
        self._metrics = {name: topics.publisher(node, topics.metric(name)) for name in metrics}
        self._diagnostics = topics.publisher(node, topics.DIAGNOSTICS)
        self.every(METRICS_PERIOD, self._tell_numbers)
        self.every(DIAGNOSTICS_PERIOD, self._tell_health)

    def every(self, seconds: float, tell: Callable[[], None]) -> None:
        """On the steady clock, while the node is active."""
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._node.create_timer(seconds, lambda: tell() if self._node.active else None, clock=steady)

    def _tell_numbers(self) -> None:
        wanted = {name: to for name, to in self._metrics.items() if to.get_subscription_count()}
        if not wanted:
            return
        numbers = self._numbers()
        for name, to in wanted.items():
            if numbers[name] is not None:
                to.publish(number_message(numbers[name]))

    def _tell_health(self) -> None:
        level, text, values = self._health()
        status = status_message(self._node.get_fully_qualified_name(), text, values, level)
        self._diagnostics.publish(diagnostics_message(self._node.get_clock().now().nanoseconds, [status]))
