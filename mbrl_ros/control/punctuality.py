"""Did each control step get the plan it should have had? Judged from outside, by what the guard says it applied.

With delay d the plan from the state at t_k holds from t_k + d dt on. So what is applied at robot time t may come from a
plan of at most (d + 1) dt ago; an older one, or none, means that a plan came late or never: a miss. Without delay a
plan holds from its arrival on: a step is missed where it ended without one from the state that it began with. Not
judged is the time from the start, a fall, a reset or a stop until the robot follows a plan and has faded in. The
fade-in after lost plans is judged (the guard holds, and names the plan that it is fading in): or losing plans would
hide what follows.
"""

from __future__ import annotations

from mbrl_ros.types import FOLLOWED, Action

STOPPED = (Action.SIT, Action.DAMP)
INTERRUPTIONS = ("reset", "fall", "estop")
_SLACK_NS = 1000
_KEPT = 500  # plans remembered


class Punctuality:
    """Fed with plans, what was applied, and events, each in the order of its topic."""

    def __init__(self, dt_ns: int, delay: int):
        self._dt, self._delay = dt_ns, delay
        self._plans: dict[int, int] = {}  # sequence: stamp
        self._newest_plan: int | None = None  # its stamp
        self._newest_sequence = -1
        self._step: int | None = None  # where the step that is being judged starts
        self._late = False
        self.judging = False  # now
        self.driven_since: int | None = None  # robot time at which the robot first followed a plan
        self.steps = 0
        self.missed: list[int] = []  # robot times at which the missed steps began

    @property
    def misses(self) -> int:
        return len(self.missed)

    def plan(self, sequence: int, stamp_ns: int) -> None:
        self._plans[sequence] = stamp_ns
        self._newest_plan, self._newest_sequence = stamp_ns, sequence
        if len(self._plans) > _KEPT:
            del self._plans[next(iter(self._plans))]

    def event(self, name: str) -> None:
        if name in INTERRUPTIONS:
            self._interrupt()

    def applied(self, stamp_ns: int, plan_sequence: int, action: Action) -> None:
        """What the guard sent at robot time `stamp_ns`, and the plan behind it; -1: none."""
        following = action in FOLLOWED
        if following and self.driven_since is None:
            self.driven_since = stamp_ns
        self.judging = following or (self.judging and action not in STOPPED)
        if not self.judging or self._newest_plan is None:
            self._step = None
            return
        step = self._step_of(stamp_ns)
        if self._step is not None and step > self._step:
            self._close(step)
        elif step != self._step:  # the first one, or robot time went back
            self._step, self._late = step, False
        late = self._is_late(stamp_ns, plan_sequence)
        # With no delay a plan holds from its arrival on, so the last word of the step counts.
        self._late = late if self._delay == 0 else self._late or late

    def _interrupt(self) -> None:
        self.judging, self._step = False, None

    def _step_of(self, stamp_ns: int) -> int:
        anchor = self._newest_plan
        return anchor + (stamp_ns - anchor + _SLACK_NS) // self._dt * self._dt

    def _is_late(self, stamp_ns: int, plan_sequence: int) -> bool:
        planned = self._plans.get(plan_sequence)
        if planned is None:  # none, forgotten, or so new that the guard had it before us
            return plan_sequence <= self._newest_sequence
        return stamp_ns - planned >= (self._delay + 1) * self._dt + _SLACK_NS

    def _close(self, next_step: int) -> None:
        """The step is over; whole steps without a word before the next one are misses too."""
        silent = max(0, round((next_step - self._step) / self._dt) - 1)
        self.steps += 1 + silent
        if self._late:
            self.missed.append(self._step)
        self.missed += [self._step + k * self._dt for k in range(1, silent + 1)]
        self._step, self._late = next_step, False
