"""What is seen of a graph from outside during one fault, and what can be said of it afterwards.

Every entry has two times: when its sender sent it, on the wall clock, and robot time. Lockstep is judged by the second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from mbrl_ros.chaos.limits import Limits
from mbrl_ros.chaos.promises import (
    DAMPS,
    DRIVER_DAMPS,
    ESTOP,
    HOLDS,
    NAMED,
    REFUSED,
    ROLLED_BACK,
    SEVERITY,
    SITS,
    SLOWS,
    VERDICTS,
    WALKS_ON,
)
from mbrl_ros.types import NS, Action, BaseState, Command, Event, RobotMode

DONE = {Action.HOLD: HOLDS, Action.SIT: SITS, Action.DAMP: DAMPS}
SPELL_NS = NS // 2  # over which a robot has to move to be called walking
ALARMS = ("mode", "fall", "estop", "damp", "error", "stranger")  # events by which somebody says that something is wrong
SAID = {NAMED: ("beside the guard", "another robot"), REFUSED: ("refused",), ROLLED_BACK: ("back from",)}
WAYS_UP = ("follow", "rise", "stance: risen", "stance: reset", "stance: start")  # of a mode: not wrong


class At(NamedTuple):
    wall_ns: int
    robot_ns: int


class Sign(NamedTuple):
    at: At
    text: str


class Timeline:
    def __init__(self, robot: str):
        self.limits = Limits(robot)
        self.robot_ns = 0  # newest
        self.command: Command | None = None  # newest that was applied
        self.levels: dict[str, int] = {}  # of each node's diagnostics
        self.values: dict[str, Mapping[str, str]] = {}  # likewise
        self.said_ns: dict[str, int] = {}  # likewise, when it was sent
        self.sent: set[tuple[int, int]] = set()  # transitions, by the planner's start and their number
        self.lost = 0  # of these, that are known never to have come to the learner
        self.truth: deque[tuple[int, BaseState]] = deque()  # of the last SPELL
        self.estopped = False
        self.mode = ""  # newest that the robot was told
        self.clear()

    def clear(self) -> None:
        """A fault is about to begin."""
        self.limits.outside = self.limits.non_finite = 0
        self.applied: list[tuple[At, Command]] = []
        self.modes: list[tuple[int, str]] = []  # that the robot was told, and when
        self.events: list[tuple[At, Event]] = []
        self.signs: list[Sign] = []
        self._usual = dict(self.levels)
        self.suspect: int | None = None  # a version that should not be flown

    # What comes in

    def on_state(self, stamp_ns: int) -> None:
        self.robot_ns = stamp_ns

    def on_truth(self, stamp_ns: int, base: BaseState) -> None:
        self.truth.append((stamp_ns, base))
        while not 0 <= stamp_ns - self.truth[0][0] <= SPELL_NS:
            self.truth.popleft()

    def on_mode(self, wall_ns: int, mode: str) -> None:
        self.mode = mode
        self.modes.append((wall_ns, mode))

    def on_command(self, wall_ns: int, target, names: list[str]) -> None:
        self.limits.count(target, names)

    def on_applied(self, wall_ns: int, command: Command) -> None:
        at = At(wall_ns, command.stamp_ns)
        before, self.command = self.command, command
        self.applied.append((at, command))
        if follows(command) < (before is None or follows(before)):
            self.signs.append(Sign(at, f"guard: {command.action}"))

    def on_event(self, wall_ns: int, event: Event) -> None:
        at = At(wall_ns, event.stamp_ns)
        self.events.append((at, event))
        if event.name == "estop" or event.message == "estop reset":
            self.estopped = event.name == "estop"
        alarming = event.name in ALARMS and not (event.name == "mode" and event.message.startswith(WAYS_UP))
        if alarming:
            self.signs.append(Sign(at, f"{event.name}: {event.message}"))

    def on_diagnostics(self, wall_ns: int, node: str, level: int, text: str, values: Mapping[str, str]) -> None:
        self.levels[node], self.values[node], self.said_ns[node] = level, values, wall_ns
        confessed = node == "bridge" and "faults:" in text
        if level > self._usual.get(node, 0) and not confessed:
            self.signs.append(Sign(self._now(wall_ns), f"{node}: {text}"))

    def on_model_status(self, wall_ns: int, level: int, text: str) -> None:
        if level:
            self.signs.append(Sign(self._now(wall_ns), f"planner: {text}"))

    def on_death(self, wall_ns: int, text: str) -> None:
        self.signs.append(Sign(self._now(wall_ns), text))

    def on_transition(self, start_ns: int, sequence: int) -> None:
        self.sent.add((start_ns, sequence))

    def _now(self, wall_ns: int) -> At:
        return At(wall_ns, self.robot_ns)

    # What it means

    def velocity(self) -> np.ndarray | None:
        """(3,) vx, vy, wz over the last SPELL, where that is all known."""
        if not self.truth or self.truth[-1][0] - self.truth[0][0] < 0.9 * SPELL_NS:
            return None
        each = [(*base.linear_velocity_body[:2], base.angular_velocity_body[2]) for _, base in self.truth]
        return np.mean(each, axis=0)

    def fault_began(self) -> At | None:
        """As the bridge says it."""
        return next((at for at, e in self.events if e.name == "fault" and e.message.startswith("begin")), None)

    def first_sign(self, began: At) -> Sign | None:
        return min((sign for sign in self.signs if sign.at >= began), default=None, key=lambda sign: sign.at)

    def safe(self, began: At) -> At | None:
        """When nothing followed a plan any more for the first time."""
        own = [at for at, command in self.applied if at >= began and not follows(command)]
        return min(own + [at for at, event in self.events if at >= began and event.name == "damp"], default=None)

    def suspected(self) -> tuple[At, At] | None:
        """From the first command that came of the suspect to the first after the last of them."""
        flown = [i for i, (_, command) in enumerate(self.applied) if command.model == self.suspect]
        if not flown:
            return None
        return self.applied[flown[0]][0], self.applied[min(flown[-1] + 1, len(self.applied) - 1)][0]

    def outside_limits(self, lockstep: bool) -> int:
        """Commands beyond what the robot file allows, or further from those before than it allows."""
        time = (lambda at: at.robot_ns) if lockstep else (lambda at: at.wall_ns)
        told = [(time(at), c.target if c.mode == RobotMode.POSITION else None) for at, c in self.applied]
        anew = [time(at) for at, event in self.events if event.name in ("damp", "obey", "reset")]
        return self.limits.outside + self.limits.jumps(told, anew)

    def action(self, began: At) -> str:
        """The verdicts that were given, then the most severe of what the robot was made to do."""
        done = {DONE[c.action] for at, c in self.applied if at >= began and not follows(c) and c.action in DONE}
        done |= {SLOWS for at, c in self.applied if at >= began and c.action == "scale"}
        named = {event.name for at, event in self.events if at >= began}
        done |= {DRIVER_DAMPS} if "damp" in named else set()
        done |= {ESTOP} if "estop" in named else set()
        verdicts = self._verdicts(began)
        return ", ".join([*verdicts, max(done, key=SEVERITY.index, default=WALKS_ON)])

    def judged(self, began: At) -> bool:
        """Whether anybody has given a verdict, or has followed the suspect."""
        return bool(self._verdicts(began) or self.suspected())

    def _verdicts(self, began: At) -> list[str]:
        words = [sign.text for sign in self.signs if sign.at >= began]
        return [v for v in VERDICTS if any(said in text for said in SAID[v] for text in words)]

    def falls(self) -> int:
        """As the bridge saw them: by the truth."""
        return sum(event.message == "the robot has fallen" for _, event in self.events if event.name == "fall")


def follows(command: Command) -> bool:
    return command.plan_sequence >= 0
