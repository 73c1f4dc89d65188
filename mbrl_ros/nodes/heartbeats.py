"""Which of two processes lives. The middleware lists the dead for many seconds; but every node of ours says on
diagnostics, twice a second, how it is."""

from __future__ import annotations

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.endpoints import gid_of
from mbrl_ros.types import NS

SILENT_NS = 3 * NS  # a busy machine lets some reports wait
PROCESS = 12  # bytes of a gid that say which process it belongs to, in DDS


class Heartbeats:
    """Listens from the first question on, until told to stop."""

    def __init__(self, node):
        self._node = node
        self._listener = None
        self._since_ns = 0
        self._heard: dict[bytes, int] = {}  # process: when last
        self._arrived: set[bytes] = set()  # since the last question

    def outlived(self, older: bytes, newer: bytes, now_ns: int) -> bool | None:
        """Whether only the newer one of two publishers, by their gids, is heard of. None: too early to say."""
        if self._listener is None:
            self._listener = topics.subscription(self._node, topics.DIAGNOSTICS, self._hear, raw=True)
            self._since_ns = now_ns
        self._heard |= dict.fromkeys(self._arrived, now_ns)
        self._arrived.clear()
        if now_ns - self._since_ns <= SILENT_NS:
            return None
        older_said, newer_said = (now_ns - self._heard.get(gid[:PROCESS], 0) <= SILENT_NS for gid in (older, newer))
        return newer_said and not older_said

    def stop(self) -> None:
        if self._listener is not None:
            self._node.destroy_subscription(self._listener)
            self._listener = None
            self._heard.clear()
            self._arrived.clear()

    def _hear(self, content: bytes, info) -> None:
        if gid := gid_of(info):
            self._arrived.add(gid[:PROCESS])
