"""Lockstep with the learner: before every n-th step it trains what is due, and the planner waits for the outcome."""

from __future__ import annotations

import re
from collections.abc import Callable

from mbrl_ros.nodes import topics


def answer(sequence: int, version: int) -> str:
    """The learner's answer: the last transition consumed, and the version that should be flown."""
    return f"sequence={sequence} version={version}"


class LearnerInStep:
    """Asks the learner's `lockstep` service once every `every` steps, again while it lags behind."""

    def __init__(self, node, every: int):
        self._client = topics.client(node, topics.LOCKSTEP)
        self._every = every
        self._asked_at: int | None = None  # transitions sent when the last finished question was asked
        self._asking = False
        self._version = 0

    def ready(self, sent: int, known_version: int, again: Callable[[], None]) -> bool:
        """Whether the planner may plan, with `sent` transitions out and models up to `known_version` loaded or refused.

        Where not, `again` is called when the learner has answered.
        """
        due = sent > 0 and sent % self._every == 0 and self._asked_at != sent
        if not due:
            return known_version >= self._version
        if not self._asking and self._client.service_is_ready():
            self._asking = True
            future = self._client.call_async(topics.LOCKSTEP.type.Request())
            future.add_done_callback(lambda done: self._answered(done.result(), sent, again))
        return False

    def _answered(self, response, sent: int, again: Callable[[], None]) -> None:
        self._asking = False
        found = re.fullmatch(r"sequence=(-?\d+) version=(\d+)", response.message)
        if response.success and found and int(found[1]) >= sent - 1:
            self._asked_at, self._version = sent, int(found[2])
        again()
