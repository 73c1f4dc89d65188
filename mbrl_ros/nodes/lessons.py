"""What the robot goes through, told to the learner: after the plan, as that cannot wait and this can."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from mbrl_ros.control.achieved import Achieved
from mbrl_ros.control.experience import Experience
from mbrl_ros.nodes import diagnostic_keys as keys
from mbrl_ros.types import Transition


class Lessons:
    """Give `later` what was seen and told, in order; `tell` hears of each transition in `now`."""

    def __init__(self, experience: Experience, achieved: Achieved, tell: Callable[[Transition], None], at_once: bool):
        """`at_once`: somebody waits for them, as in lockstep."""
        self.experience, self._achieved = experience, achieved
        self._tell, self._at_once = tell, at_once
        self._waiting: deque[Callable[[], list[Transition]]] = deque()

    def later(self, found: Callable[[Experience], list[Transition]]) -> None:
        self._waiting.append(lambda: found(self.experience))
        if self._at_once:
            self.now()

    def now(self) -> None:
        while self._waiting:
            for transition in self._waiting.popleft()():
                self._tell(transition)
                self._achieved.note(transition)

    def numbers(self) -> dict[str, float | None]:
        achieved = self._achieved
        return {keys.REWARD: achieved.reward, keys.AT_GOAL: achieved.share, keys.OUTSIDE: achieved.outside}

    def diagnostics(self) -> dict[str, float | int | str | None]:
        return {
            keys.TRANSITIONS: self.experience.sent,
            "pairs_dropped": self.experience.dropped,
            "applied_ahead": self.experience.ahead,
            keys.GOAL: self._achieved.goal or "",
            keys.VIOLATIONS: self._achieved.violations,
            **self.numbers(),
        }
