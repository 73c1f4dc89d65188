"""Who may speak on a topic that belongs to one node: that node, and nobody beside it.

The middleware says with each message which publisher it came from (its gid), and of each publisher that it knows to
which node it belongs. Of the publishers of a topic one has the word:

- the first that speaks; a node by another name than the owner's (topics.py: `plan` belongs to `planner`, in the
  listener's own namespace) only as long as no owner is known;
- the owner takes it from a node by another name at once. From one of its own name, as a planner that starts again after
  a SIGKILL, once that one is silent: the middleware lists the dead for many seconds, so being listed says little.
  Where messages are rare, whether it still lives is heard on diagnostics (heartbeats.py);
- who has spoken beside the owner never gets it. It may start again, once it is alone;
- who is not listed yet, or has no name yet, waits where another has the word: a raw publisher never gets a name.

All others are refused and named, before their messages are opened, as a long one takes many steps of control to open.
Names can be forged, gids cannot be taken over: this stops mistakes and careless neighbours; who forges names is stopped
by a key (authentic.py) or by SROS2 (docs/security.md).
"""

from __future__ import annotations

import time
from collections.abc import Callable

from rclpy.clock import Clock, ClockType

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.endpoints import NAMELESS, Gid, gid_of, named, publishers_of
from mbrl_ros.nodes.heartbeats import Heartbeats
from mbrl_ros.nodes.messages.fields import Refused
from mbrl_ros.types import NS

SILENT_NS = NS // 2  # without a message for so long, who speaks all the time has fallen silent
PRESENT_NS = 2 * NS  # since its last message, a stranger counts as there
INTRODUCED_NS = NS  # from its first message on, a node of ROS is listed with its name
LOOK_PERIOD = 1.0  # s
ROOM = 10  # messages in the queue, so that a stranger's do not push out the owner's before they are taken


class OneVoice:
    """Decides whose messages are taken. `listed()`: the topic's publishers, each with the full name of its node."""

    def __init__(
        self,
        owner: str,
        listed: Callable[[], dict[Gid, str]],
        outlived: Callable[[Gid, Gid, int], bool | None] | None = None,
    ):
        """`outlived(older, newer, now)`: whether only the newer one lives, None: not known yet; needed where messages
        are rare, as silence says nothing there."""
        self.owner = owner
        self._listed, self._outlived, self._speaks_all_the_time = listed, outlived, outlived is None
        self._holder: Gid | None = None
        self._heard_ns = 0  # when the holder last was; steady time
        self._barred: set[Gid] = set()  # have spoken beside the owner
        self._unknown: dict[Gid, int] = {}  # not listed or without a name: first heard
        self._strangers: dict[Gid, tuple[str, int]] = {}  # refused: name, last heard

    def hears(self, gid: Gid | None, now_ns: int) -> bool:
        """Whether the message is to be taken. `gid`: None where rclpy does not say, as that of Jazzy."""
        if gid is not None and gid == self._holder:
            self._heard_ns = now_ns
            return True
        if gid in self._strangers and (gid in self._barred or self._holder_speaks(now_ns)):
            self._strangers[gid] = self._strangers[gid][0], now_ns
            return False
        listed = self._listed()
        if gid is None:
            return self._all_is_well(listed, now_ns)
        if listed.get(gid, NAMELESS) == NAMELESS:
            return self._hears_unknown(gid, listed, now_ns)
        self._unknown.pop(gid, None)
        verdict = self._may_have_the_word(gid, listed, now_ns)
        if verdict:
            self._holder, self._heard_ns = gid, now_ns
            self._strangers.pop(gid, None)
            return True
        if verdict is not None:
            self._strangers[gid] = listed[gid], now_ns
            if listed[gid] != self.owner and self.owner in listed.values():
                self._barred.add(gid)
        return False

    def strangers(self, now_ns: int) -> dict[Gid, str]:
        """Who is refused now, by the names of their nodes; to be asked now and then."""
        recent = {gid for gid, since_ns in self._unknown.items() if now_ns - since_ns < PRESENT_NS}
        self._unknown = {gid: ns for gid, ns in self._unknown.items() if gid in recent | self._strangers.keys()}
        if not self._strangers:
            return {}
        listed = self._listed()
        self._barred &= listed.keys()
        for gid, (_, heard_ns) in list(self._strangers.items()):
            fell_silent = self._speaks_all_the_time and now_ns - heard_ns > PRESENT_NS
            if fell_silent or (gid not in listed and gid not in self._unknown):
                del self._strangers[gid]
                self._unknown.pop(gid, None)
        return {gid: name for gid, (name, _) in self._strangers.items()}

    def bars(self, gid: Gid) -> bool:
        """Whether it will never have the word."""
        return gid in self._barred

    def waits(self, gid: Gid, now_ns: int) -> bool:
        """Whether it may still be listed, with its name."""
        return now_ns - self._unknown.get(gid, -INTRODUCED_NS) < INTRODUCED_NS

    def _hears_unknown(self, gid: Gid, listed: dict[Gid, str], now_ns: int) -> bool:
        """Only where nobody else has the word, nor could take it."""
        if self._holder not in listed and self.owner not in listed.values():
            return True
        self._unknown.setdefault(gid, now_ns)
        if not self.waits(gid, now_ns):
            self._strangers[gid] = NAMELESS, now_ns
        return False

    def _holder_speaks(self, now_ns: int) -> bool:
        return self._speaks_all_the_time and self._holder is not None and now_ns - self._heard_ns <= SILENT_NS

    def _may_have_the_word(self, gid: Gid, listed: dict[Gid, str], now_ns: int) -> bool | None:
        """None: not known yet."""
        is_owner = listed[gid] == self.owner
        if gid in self._barred or (not is_owner and self.owner in listed.values()):
            return False
        if self._holder is None or self._holder not in listed:
            return True
        if is_owner and listed[self._holder] != self.owner:
            return True
        if self._speaks_all_the_time:
            return not self._holder_speaks(now_ns)
        return self._outlived(self._holder, gid, now_ns)

    def _all_is_well(self, listed: dict[Gid, str], now_ns: int) -> bool:
        """Without knowing who it was: nobody is trusted while another stands beside the owner."""
        if self.owner not in listed.values():
            return True
        others = {gid: name for gid, name in listed.items() if name not in (self.owner, NAMELESS)}
        self._strangers |= {gid: (name, now_ns) for gid, name in others.items()}
        return not others


class Heeded:
    """A subscription to a topic that belongs to one node. `changed` is called whenever there is another `trouble`.

    Where messages are rare, the newest of one who may get the word later is kept for then: of a learner that has
    started again, until its predecessor is known to be dead.
    """

    def __init__(self, node, topic: topics.Topic, callback: Callable, changed: Callable[[], None]):
        self._node, self._topic, self._callback, self._changed = node, topic, callback, changed
        owner = f"{node.get_namespace().rstrip('/')}/{topic.publishers}"
        self._heartbeats = Heartbeats(node) if "latched" in topic.qos else None
        self._voice = OneVoice(owner, self._publishers, self._heartbeats.outlived if self._heartbeats else None)
        self._kept: dict[Gid, bytes] = {}  # of rare ones; newest last
        self.unopened = 0  # messages of who is heard that were none
        self._strangers: dict[Gid, str] = {}
        self._looked_ns = 0  # steady time
        self._subscription = topics.subscription(node, topic, self._take, ROOM, raw=True)
        node.create_timer(LOOK_PERIOD, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    @property
    def trouble(self) -> str:
        """Who is refused now; empty where nobody is."""
        return "; ".join(map(self._refusal, self._strangers.items()))

    def _take(self, content: bytes, info) -> None:
        gid = gid_of(info)
        now_ns = time.monotonic_ns()
        self._kept.pop(gid, None)
        if self._voice.hears(gid, now_ns):
            self._open(content)
            return
        if self._heartbeats and gid is not None:
            self._kept[gid] = content
        if gid not in self._strangers and now_ns - self._looked_ns > LOOK_PERIOD * NS:
            self._look()  # at once; but who sends many messages, or comes back again and again, is told of by the timer

    def _open(self, content: bytes) -> None:
        try:
            message = topics.opened(content, self._topic)
        except Refused as refusal:
            self.unopened += 1
            topics.log_unopened(self._node, self._topic, refusal)
            return
        self._callback(message)

    def _look(self) -> None:
        if not getattr(self._node, "active", True):
            return
        self._looked_ns = now_ns = time.monotonic_ns()
        strangers = self._voice.strangers(now_ns)
        if strangers != self._strangers:
            self._strangers = strangers
            self._changed()
        if self._kept:
            self._reconsider(now_ns)
        elif self._heartbeats:
            self._heartbeats.stop()

    def _reconsider(self, now_ns: int) -> None:
        there = self._publishers()
        for gid, content in reversed(list(self._kept.items())):
            if self._voice.bars(gid) or (gid not in there and not self._voice.waits(gid, now_ns)):
                del self._kept[gid]
            elif self._voice.hears(gid, now_ns):
                del self._kept[gid]
                self._open(content)

    def _refusal(self, stranger: tuple[Gid, str]) -> str:
        owner = self._voice.owner
        why = "one of this name has the word" if stranger[1] == owner else f"the topic is {owner}'s"
        return f"{self._topic.name}: {named(*stranger)} is refused, {why}"

    def _publishers(self) -> dict[Gid, str]:
        return publishers_of(self._node, self._subscription.topic_name)
