"""Models and policies on their way from the learner to the planner: of one learner alone, and signed if there is a key.

Who has no key reads what is signed, too: the signature stands in the layout of the message, beside its bytes.
"""

from __future__ import annotations

from collections.abc import Callable

from std_msgs.msg import UInt8MultiArray

from mbrl_ros.authentic import is_signed, read_key, signature
from mbrl_ros.config import VersionRefused
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.messages.learning import bytes_of, sign_message, signature_of
from mbrl_ros.nodes.one_voice import Heeded

Content = Callable[[], bytes]  # a copy of what came; VersionRefused where it is not signed as it should be


class Offers:
    """What the planner is offered. Made in `configure`."""

    def __init__(
        self,
        node,
        key_file: str,
        model: Callable[[Content], None],
        policy: Callable[[Content], None],
        tell: Callable[[str], None],
    ):
        """`model` and `policy` are given what came, to be opened in another thread; `tell` hears, each time that this
        changes, who is refused."""
        self._key = read_key(key_file)
        self._tell = tell
        self._heeded = [
            Heeded(node, topic, lambda message, to=to, kind=topic.name: to(self._opening(message, kind)), self._changed)
            for topic, to in ((topics.MODEL, model), (topics.POLICY, policy))
        ]

    @property
    def signed(self) -> bool:
        """Whether all that is taken has to be."""
        return self._key is not None

    @property
    def trouble(self) -> str:
        """Who is refused now; empty where nobody is."""
        return "; ".join(filter(None, (heeded.trouble for heeded in self._heeded)))

    def _changed(self) -> None:
        self._tell(self.trouble)

    def _opening(self, message: UInt8MultiArray, kind: str) -> Content:
        return lambda: opened(message, kind, self._key)


def opened(message: UInt8MultiArray, kind: str, key: bytes | None) -> bytes:
    """The bytes in it. VersionRefused where there is a key, and it has not signed them."""
    content = bytes_of(message)
    if key is None:
        return content
    signed = signature_of(message)
    if not signed:
        raise VersionRefused(f"it is not signed, and this run's {kind} has to be: start its learner with the same key")
    if not is_signed(key, kind, content, signed):
        raise VersionRefused(f"its signature is wrong: another key, or another content than was signed as a {kind}")
    return content


class SigningPublisher:
    """Of models or policies; without a key, one like any other."""

    def __init__(self, node, topic: topics.Topic, key_file: str):
        self._publisher, self._kind, self._key = topics.publisher(node, topic), topic.name, read_key(key_file)

    def publish(self, message: UInt8MultiArray) -> None:
        if self._key is not None:
            sign_message(message, signature(self._key, self._kind, bytes_of(message)))
        self._publisher.publish(message)
