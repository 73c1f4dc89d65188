"""Notices who else publishes on a topic that belongs to the node itself."""

from __future__ import annotations

from collections.abc import Callable

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.endpoints import Gid, gid_of, publishers_of

MOST_OWN = 1.5  # received for each sent; twice as many come in where a second publishes at the same rate


class Rivals:
    """The middleware lists a killed process for many seconds, so being listed is not enough: its messages count."""

    def __init__(self, node, topic: topics.Topic, contradicted: Callable[[], None] = lambda: None):
        """`contradicted` is called at each message of another, where messages say who sent them."""
        self._node, self._topic, self._contradicted = node, topic, contradicted
        self._name = node.get_fully_qualified_name()
        self._listener = None
        self._own: Gid | None = None
        self.sent = 0  # the owner counts its messages here; only where messages do not say who sent them

    def found(self) -> dict[Gid, str]:
        """Who else has published since the last call, and of which node. To be called about once a second."""
        alone = self._node.count_publishers(self._topic.name) < 2
        if alone:
            self._stop_listening()
        if alone and self._own is not None:
            return {}
        there = publishers_of(self._node, self._node.resolve_topic_name(self._topic.name))
        own = [gid for gid, name in there.items() if name == self._name]
        if len(own) == 1:
            self._own = own[0]
        if alone:
            return {}
        if self._listener is None:
            self._heard: set[Gid] = set()
            self._nameless = 0  # messages that do not say who sent them
            self._listener = topics.subscription(self._node, self._topic, self._hear, raw=True)
            found = {}
        else:
            found = self._others(there)
        if "latched" not in self._topic.qos:  # a latched word holds as long as who has said it is there
            self._heard.clear()
        self._nameless = self.sent = 0
        return found

    def _others(self, there: dict[Gid, str]) -> dict[Gid, str]:
        if self._nameless:
            foreign = {gid: name for gid, name in there.items() if name != self._name}
            twins = {gid: name for gid, name in there.items() if gid != self._own} if self._too_many() else {}
            return foreign or twins
        senders = {gid: there[gid] for gid in self._heard & there.keys() if gid != self._own}
        twins = [gid for gid, name in senders.items() if name == self._name]
        if self._own is None and len(twins) == 1:
            del senders[twins[0]]  # of two by this name only one speaks: this node
        return senders

    def _too_many(self) -> bool:
        return self.sent > 0 and self._nameless > MOST_OWN * self.sent

    def _hear(self, content: bytes, info) -> None:
        """What it says does not matter, so it is not opened."""
        gid = gid_of(info)
        if gid is None:
            self._nameless += 1
        else:
            self._heard.add(gid)
            if self._own is not None and gid != self._own:
                self._contradicted()

    def _stop_listening(self) -> None:
        if self._listener is not None:
            self._node.destroy_subscription(self._listener)
            self._listener = None
