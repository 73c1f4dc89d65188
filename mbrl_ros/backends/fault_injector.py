"""Which faults run now, and what comes of states, commands, stamps and joints under them.

The bridge hands in every state that is measured and every command that comes, and passes on what comes out. While no
fault is set, all of it goes through as it is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mbrl_ros.backends.fault_delivery import DELIVERY, Delivery
from mbrl_ros.backends.fault_effects import Running, affected, affected_target
from mbrl_ros.backends.faults import COMMANDS, IMU, JOINT_STATES, ODOM, TOPICS, Fault
from mbrl_ros.backends.robot import Backend
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.types import NS, Event, RobotState

TORQUE_LEFT = {"joint_dead": lambda fault: 0.0, "joint_weak": lambda fault: fault.size}


class FaultInjector:
    """Times are the backend's robot time in ns; what the clock shows is `shown` of it."""

    def __init__(self, spec: RobotSpec, backend: Backend, seed: int):
        self._spec, self._backend, self._seed = spec, backend, seed
        # Joint states last, as complete states are joined when these come.
        self._topics = tuple(topic for topic in (IMU, ODOM, JOINT_STATES) if topic in spec.state_topics)
        self._lines = {topic: Delivery() for topic in TOPICS}
        self._waiting: list[tuple[int, int, Fault]] = []  # when it begins, its place in the list
        self._running: list[Running] = []

    @property
    def any(self) -> bool:
        """Whether a fault runs or will."""
        return bool(self._running or self._waiting)

    @property
    def running(self) -> tuple[Fault, ...]:
        return tuple(running.fault for running in self._running)

    def set(self, faults: tuple[Fault, ...], now_ns: int) -> list[Event]:
        """`faults` in place of all there were."""
        ended, self._running = self._running, []
        self._waiting = [(now_ns + round(f.after * NS), number, f) for number, f in enumerate(faults)]
        return [_event("end", running.fault, now_ns) for running in ended] + self._begin(now_ns, bool(ended))

    def at(self, now_ns: int) -> list[Event]:
        """To be called as robot time goes on: what began and what ended."""
        ended = [r for r in self._running if r.fault.duration and now_ns >= r.begun_ns + round(r.fault.duration * NS)]
        self._running = [running for running in self._running if running not in ended]
        return [_event("end", running.fault, now_ns) for running in ended] + self._begin(now_ns, bool(ended))

    def _begin(self, now_ns: int, changed: bool) -> list[Event]:
        begun = [(number, fault) for begins_ns, number, fault in self._waiting if begins_ns <= now_ns]
        if begun:
            self._waiting = [waiting for waiting in self._waiting if waiting[0] > now_ns]
            self._running += [Running(fault, number, now_ns, self._seed) for number, fault in begun]
        if begun or changed:
            self._impair()
        return [_event("begin", fault, now_ns) for _, fault in begun]

    def _impair(self) -> None:
        left: dict[str, float] = {}
        for fault in self.running:
            if fault.name in TORQUE_LEFT:
                left[fault.joint] = left.get(fault.joint, 1.0) * TORQUE_LEFT[fault.name](fault)
        self._backend.impair(left, {fault.joint for fault in self.running if fault.name == "joint_stuck"})

    # The clock

    def shown(self, stamp_ns: int) -> int:
        """What a clock says that may have stopped or jumped; never below 0."""
        for running in self._running:
            if running.fault.name == "clock_stop":
                stamp_ns = min(stamp_ns, running.begun_ns)
        for running in self._running:
            if running.fault.name == "clock_jump":  # back to 0 at most, from where it goes on
                stamp_ns += max(round(running.fault.size * NS), -running.begun_ns)
        return max(0, stamp_ns)

    # On the way

    def sent(self, state: RobotState) -> list[tuple[str, RobotState]]:
        """What arrives now that `state` has been measured: topics, each with the state that it tells."""
        if not self._running:
            return [(topic, state) for topic in self._topics]
        shown_ns, arrived = self.shown(state.stamp_ns), []
        for topic in self._topics:
            told = state
            for running in self._running:
                told = affected(running, topic, told, self._spec.joint_names)
            arrived += self._send(topic, replace(told, stamp_ns=shown_ns), state.stamp_ns)
        return arrived

    def commanded(self, target: np.ndarray, now_ns: int) -> list[tuple[str, np.ndarray]]:
        """What arrives now that `target` has been sent to the robot."""
        for running in self._running:
            target = affected_target(running, target, now_ns, self._spec.actuated_names)
        return self._send(COMMANDS, target, now_ns)

    def late(self, now_ns: int) -> list[tuple[str, object]]:
        """What was on its way and arrives now, commands too. All of it, where a topic is well again."""
        arrived = []
        for topic, line in self._lines.items():
            messages = line.due(now_ns) if self._delivering(topic) else line.flush()
            arrived += [(topic, message) for message in messages]
        return arrived

    def _send(self, topic: str, message, now_ns: int) -> list[tuple[str, object]]:
        return [(topic, each) for each in self._lines[topic].send(message, now_ns, self._delivering(topic))]

    def _delivering(self, topic: str) -> list[Running]:
        return [r for r in self._running if r.fault.topic == topic and r.fault.name in DELIVERY]


def _event(what: str, fault: Fault, now_ns: int) -> Event:
    return Event("fault", now_ns, f"{what} {fault.name}")
