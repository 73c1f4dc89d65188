"""Pairing: from states, and from what was really applied between them, to steps that a model can learn from."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from mbrl_ros.data.steps import StepClock
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.types import CHANGED, Action, Event, RobotState

# Events after which the next state does not follow from the last.
BREAKS = ("reset", "estop", "damp", "obey")
MOST_RECORDS = 1000  # while no state comes, the guard goes on telling
MOST_AHEAD_NS = 100_000_000  # of the newest state: as far as stamps are extrapolated between samples, and more


@dataclass(frozen=True, eq=False)
class Step:
    """In `state`, `target` was applied for one step, and `next` came of it."""

    state: RobotState
    target: np.ndarray  # (A,) time-weighted mean over the step, units of the robot's interface
    next: RobotState
    clipped: bool
    held: bool
    model: int  # version that planned what was in force when the step ended; 0 where none did


@dataclass(frozen=True, eq=False)
class _Applied:
    stamp_ns: int
    target: np.ndarray
    action: Action
    model: int


class Pairing:
    """Give it every state, applied record and event; take the steps that each call returns, usually none or one.

    A step is known to be complete once something applied at or after its end has come, since `applied` keeps its order.
    `delay_ns` is how much later than its stamp a target takes effect in the driver.
    """

    def __init__(self, spec: RobotSpec, delay_ns: int = 0):
        self.clock = StepClock(spec.dt_ns, spec.sample_period_ns)
        self.longest_ns = spec.dt_ns + spec.sample_period_ns // 2
        self.delay_ns = delay_ns
        self.last: RobotState | None = None  # the newest step's state
        self.waiting: deque[tuple[RobotState, RobotState]] = deque()
        self.records: deque[_Applied] = deque(maxlen=MOST_RECORDS)
        self.dropped = 0  # pairs of consecutive steps that could not be used
        self.ahead = 0  # applied records that were told for a time that the robot had not come to

    def state(self, state: RobotState) -> list[Step]:
        if not state.is_finite():
            return []
        went_back = self.clock.newest_ns is not None and state.stamp_ns < self.clock.newest_ns
        verdict = self.clock.accept(state.stamp_ns)
        if went_back:
            self._forget(state.stamp_ns)
        if verdict == "between":
            return []
        complete = self._finish(self.last.stamp_ns) if self.last is not None else []
        if verdict == "step" and self.last is not None:
            # A lost sample makes a step longer than the model's.
            if state.stamp_ns - self.last.stamp_ns <= self.longest_ns:
                self.waiting.append((self.last, state))
            else:
                self.dropped += 1
        self.last = state
        return complete

    def applied(self, stamp_ns: int, target: np.ndarray, action: Action, model: int) -> list[Step]:
        newest_ns = self.clock.newest_ns
        if newest_ns is None or stamp_ns > newest_ns + MOST_AHEAD_NS:
            # Robot time has not begun, has gone back, or this is nonsense: all that comes after it would count as late.
            self.ahead += newest_ns is not None
            return []
        effective_ns = stamp_ns + self.delay_ns
        if self.records and effective_ns < self.records[-1].stamp_ns:
            # Stamps are extrapolated between samples, so they may overlap a little.
            effective_ns = self.records[-1].stamp_ns
        self.records.append(_Applied(effective_ns, np.array(target, dtype=float), Action(action), model))
        return self._finish(effective_ns)

    def event(self, event: Event) -> list[Step]:
        """After a reset, an estop or damping, no step reaches across it; those that ended before are complete."""
        if event.name not in BREAKS:
            return []
        complete = self._finish(event.stamp_ns)
        self.dropped += len(self.waiting)
        self.waiting.clear()
        self.last = None
        self.clock.restart()
        return complete

    def shift(self, delay_ns: int) -> None:
        """The driver's delay is another one: what was told comes into force by that much later or earlier."""
        difference, self.delay_ns = delay_ns - self.delay_ns, delay_ns
        shifted = (replace(r, stamp_ns=r.stamp_ns + difference) for r in self.records)
        self.records = deque(shifted, MOST_RECORDS)
        self.dropped += len(self.waiting)
        self.waiting.clear()
        self.last = None
        self.clock.restart()

    def _forget(self, stamp_ns: int) -> None:
        """Robot time has begun again: what was applied in the old time says nothing about the new."""
        self.dropped += len(self.waiting)
        self.waiting.clear()
        self.last = None
        self.records = deque((r for r in self.records if r.stamp_ns <= stamp_ns), MOST_RECORDS)

    def _finish(self, known_until_ns: int) -> list[Step]:
        """The waiting pairs that end by `known_until_ns`."""
        complete = []
        while self.waiting and self.waiting[0][1].stamp_ns <= known_until_ns:
            state, next_state = self.waiting.popleft()
            step = self._step(state, next_state)
            if step is None:
                self.dropped += 1
            else:
                complete.append(step)
        return complete

    def _step(self, state: RobotState, next_state: RobotState) -> Step | None:
        begin, end = state.stamp_ns, next_state.stamp_ns
        while len(self.records) > 1 and self.records[1].stamp_ns <= begin:
            self.records.popleft()
        within = [r for r in self.records if r.stamp_ns < end]
        # A guard that runs applies something in every step. Where it did not, nobody knows what the driver did.
        if not any(r.stamp_ns >= begin for r in within) or any(r.action is Action.DAMP for r in within):
            return None
        starts = np.array([max(r.stamp_ns, begin) for r in within[1:]] + [end]) - begin
        shares = np.diff(starts, prepend=0) / (end - begin)
        return Step(
            state=state,
            target=shares @ np.stack([r.target for r in within]),
            next=next_state,
            clipped=any(r.action in CHANGED for r in within),
            held=any(r.action in (Action.HOLD, Action.SIT) for r in within),
            model=within[-1].model,
        )
