"""Lockstep: the planner plans once what was applied before is known and the learner is done. Same seed, same run."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import Future

from mbrl_ros.control.experience import Experience
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.flown import Flown
from mbrl_ros.types import RobotState

PATIENCE = 2.0  # s of wall time: by then a learner that was asked may have died, and another taken its place


def answer(sequence: int, version: int) -> str:
    """The learner's answer: the last transition consumed, and the version that should be flown."""
    return f"sequence={sequence} version={version}"


class Turns:
    """Holds a state back until it may be planned from; a repeated one is planned from again, for the same plan.

    A new state waits for `applied` of the step before it; then it is given to `take_in`, once,
    and waits for the learner, where there is one; then it is given to `plan`.
    """

    def __init__(
        self,
        dt_ns: int,
        take_in: Callable[[RobotState], None],
        plan: Callable[[RobotState], None],
        learner: LearnerInStep | None = None,
    ):
        self.waiting: RobotState | None = None  # must not be planned from yet
        self._longest_step_ns = dt_ns * 3 // 2
        self._take_in, self._plan = take_in, plan
        self._learner = learner
        self._taken_in_ns: int | None = None  # robot time of the state last taken in
        self._planned_ns: int | None = None  # robot time of the state last planned from
        self._applied_until_ns: int | None = None  # robot time of the newest `applied`

    def state(self, state: RobotState) -> None:
        self.waiting = state
        self.go_on()

    def applied(self, stamp_ns: int) -> None:
        self._applied_until_ns = stamp_ns
        self.go_on()

    def go_on(self) -> None:
        """Something has come that the waiting state may have waited for."""
        state = self.waiting
        if state is None or self._lacks_applied(state.stamp_ns):
            return
        if state.stamp_ns != self._planned_ns:
            if state.stamp_ns != self._taken_in_ns:
                self._taken_in_ns = state.stamp_ns
                self._take_in(state)
            if self._learner and not self._learner.ready(lambda: self._again(state)):
                return
        self.waiting, self._planned_ns = None, state.stamp_ns
        self._plan(state)

    def _lacks_applied(self, stamp_ns: int) -> bool:
        if self._planned_ns is None:
            return False
        since = stamp_ns - self._planned_ns
        if since < 0:  # robot time began again
            self._applied_until_ns = None
        if not 0 < since < self._longest_step_ns:
            return False
        return self._applied_until_ns is None or self._applied_until_ns < self._planned_ns

    def _again(self, state: RobotState) -> None:
        if self.waiting is state:
            self.go_on()


class LearnerInStep:
    """Asks the learner's `lockstep` service once every `every` steps, again while it lags behind or says nothing.

    Asking twice does no harm: the learner has nothing left to train, and answers at once. A model is taken over when
    the learner has named it, and not already when it comes: the same step every time.
    """

    def __init__(self, client, every: int, models: Flown, experience: Experience):
        self._client, self._every = client, every
        self._models, self._experience = models, experience
        self._asked_at: int | None = None  # transitions sent when the last finished question was asked
        self._asking: Future | None = None
        self._asked_since = 0.0  # steady time
        self._version = 0  # to be flown, as last answered

    def ready(self, again: Callable[[], None]) -> bool:
        """Whether the planner may plan: the learner is done with all transitions, and its model flown or refused.

        Where not, `again` is called when the learner has answered; when a model comes, ask again.
        """
        sent = self._experience.sent
        if self._models.newest_known < self._version:
            self._models.take(wait=True)
        due = sent > 0 and sent % self._every == 0 and self._asked_at != sent
        if not due:
            return self._models.newest_known >= self._version
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
            self._asked_at, self._version = sent, int(found[2])
        again()
