"""Lockstep with the learner: before every n-th step the planner waits until what was due has been trained."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import Future

from mbrl_ros.nodes import topics

PATIENCE = 2.0  # s of wall time: by then a learner that was asked may have died, and another taken its place


def answer(sequence: int, version: int) -> str:
    """The learner's answer: the last transition consumed, and the version that should be flown."""
    return f"sequence={sequence} version={version}"


class LearnerInStep:
    """Asks the learner's `lockstep` service once every `every` steps, again while it lags behind or says nothing.

    Asking twice does no harm: the learner has nothing left to train, and answers at once.
    """

    def __init__(self, node, every: int):
        self._client = topics.client(node, topics.LOCKSTEP)
        self._every = every
        self._asked_at: int | None = None  # transitions sent when the last finished question was asked
        self._asking: Future | None = None
        self._asked_since = 0.0  # steady time
        self.version = 0  # to be flown, as last answered

    def ready(self, sent: int, known_version: int, again: Callable[[], None]) -> bool:
        """Whether the planner may plan, with `sent` transitions out and models up to `known_version` loaded or refused.

        Where not, `again` is called when the learner has answered.
        """
        due = sent > 0 and sent % self._every == 0 and self._asked_at != sent
        if not due:
            return known_version >= self.version
        now = time.monotonic()
        if self._asking is not None and now - self._asked_since > PATIENCE:
            self._client.remove_pending_request(self._asking)
            self._asking = None
        if self._asking is None and self._client.service_is_ready():
            self._asked_since = now
            self._asking = self._client.call_async(topics.LOCKSTEP.type.Request())
            self._asking.add_done_callback(lambda done: self._answered(done.result(), sent, again))
        return False

    def _answered(self, response, sent: int, again: Callable[[], None]) -> None:
        self._asking = None
        found = re.fullmatch(r"sequence=(-?\d+) version=(\d+)", response.message)
        if response.success and found and int(found[1]) >= sent - 1:
            self._asked_at, self.version = sent, int(found[2])
        again()
