"""What every driver owes its robot, around a simulated one: hold it until told, damp when nobody tells, stand it up.

No ROS here: the bridge hands in what it hears and sends on the events that come out.
"""

from __future__ import annotations

import numpy as np

from mbrl_ros.backends.robot import Backend
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.types import NS, Event, RobotMode

SILENCE_NS = 50_000_000  # of robot time without a command, after which the robot damps by itself


class SimulatedDriver:
    """Drives `backend` by modes and commands.

    At first, and after each reset, the robot is held in stance, as a person's hands would, until the mode is position
    and a command comes. From the first command on they must keep coming, in every mode: that they stop is said even
    where the robot is damped already, as the next guard has no other way to know that it is not the first.
    """

    def __init__(self, spec: RobotSpec, backend: Backend, stand_up_after: float):
        """`stand_up_after`: s of robot time from a fall until the robot is stood up; 0 leaves it lying."""
        self._spec = spec
        self._backend = backend
        self._stand_up_after_ns = round(stand_up_after * NS)
        self.mode: RobotMode | None = None  # as told; none yet
        self._hold()

    @property
    def stamp_ns(self) -> int:
        return self._backend.stamp_ns

    def set_mode(self, mode: RobotMode) -> None:
        """Damp and off hold at once, position from the next command on."""
        self.mode = mode
        if mode != RobotMode.POSITION and not self.held:
            self._following = False
            self._backend.set_mode(mode)

    def command(self, target: np.ndarray) -> list[Event]:
        """(A,) in units of the interface, followed in position mode only; ValueError for what is no target.

        Where commands had stopped, that is over, and said.
        """
        if self.mode is None:
            return []
        if self.mode == RobotMode.POSITION:
            self._follow(target)
        self._commanded_ns = self.stamp_ns
        if not self.silent:
            return []
        self.silent = False
        return [self._event("obey", f"hears commands again after {(self.stamp_ns - self._silent_ns) / 1e6:.0f} ms")]

    def _follow(self, target: np.ndarray) -> None:
        self._backend.set_target(target)
        if self.held:
            self.held = False
            self._backend.hold(False)
        if not self._following:
            self._following = True
            self._backend.set_mode(RobotMode.POSITION)

    def advance(self, steps: int) -> list[Event]:
        """`steps` physics steps, after damping where the last command is too old."""
        events = []
        if self._commanded_ns is not None and not self.silent and self.stamp_ns - self._commanded_ns >= SILENCE_NS:
            self.silent, self._silent_ns = True, self.stamp_ns
            if self._following:
                self._following = False
                self._backend.set_mode(RobotMode.DAMP)
            events.append(self._event("damp", f"no command for {SILENCE_NS // 1_000_000} ms"))
        self._backend.advance(steps)
        return events

    def watch_for_falls(self) -> list[Event]:
        """Announces a fall once, and stands the robot up when it has lain long enough."""
        if self._fallen_ns is None:
            if self.held or not self._backend.fallen():
                return []
            self._fallen_ns = self.stamp_ns
            return [self._event("fall", "the robot has fallen")]
        if not self._stand_up_after_ns or self.stamp_ns - self._fallen_ns < self._stand_up_after_ns:
            return []
        return [self.reset("stood up after a fall")]

    def reset(self, why: str) -> Event:
        """Stands the robot up and holds it. Robot time goes on, with a gap."""
        self._backend.reset()
        self._hold()
        return self._event("reset", why)

    def _hold(self) -> None:
        self.held = True
        self.silent = False  # commands have stopped: the robot damps by itself, where it was not told to
        self._following = False  # the joints obey commands
        self._commanded_ns: int | None = None  # none yet
        self._fallen_ns: int | None = None
        self._backend.set_mode(RobotMode.POSITION)
        self._backend.set_target(self._spec.stance)
        self._backend.hold(True)

    def _event(self, name: str, message: str) -> Event:
        return Event(name, self.stamp_ns, message)
