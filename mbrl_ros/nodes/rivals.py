"""Notices a second publisher on a topic that belongs to one."""

from __future__ import annotations

from mbrl_ros.nodes import topics

MOST_OWN = 1.5  # received for each sent; twice as many come in where a second publishes at the same rate


class Rivals:
    """The middleware lists a killed process for many seconds, so being listed is not enough: its messages count."""

    def __init__(self, node, topic: topics.Topic):
        self._node, self._topic = node, topic
        self._listener = None
        self.sent = 0  # the owner counts its messages here

    def found(self) -> bool:
        """To be called about once a second. True where others published since the last call."""
        if self._node.count_publishers(self._topic.name) < 2:
            if self._listener is not None:
                self._node.destroy_subscription(self._listener)
                self._listener = None
            return False
        if self._listener is None:
            self._listener = topics.subscription(self._node, self._topic, self._count)
            found = False
        else:
            found = self._heard > MOST_OWN * self.sent
        self._heard = self.sent = 0
        return found

    def _count(self, message) -> None:
        self._heard += 1
