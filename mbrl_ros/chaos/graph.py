"""One running graph, as `mbrl up` starts it, with a probe in it: watched, used by a person, and ended."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from mbrl_ros.chaos.timeline import Timeline, follows
from mbrl_ros.nodes import topics
from mbrl_ros.nodes.chaos_probe import ChaosProbe, answered
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import RunConfig
from mbrl_ros.stack import Options, beside, configured, processes, written_down
from mbrl_ros.types import RobotMode
from mbrl_ros.up.supervisor import Death, Supervisor

LOOK = 0.02  # s between two looks at the processes
TIME_TO_END = 2.0  # s that processes have before they are killed
START_PATIENCE = 90.0  # s
ASK_AGAIN = 2.0  # s without an answer after which it is taken for lost


class GraphFailed(Exception):
    """It does not do what a sound graph does; says what."""


class RunningGraph:
    """Stepped by whoever waits for something: no threads."""

    def __init__(
        self,
        run: RunConfig,
        options: Options,
        folder: Path,
        environment: Mapping[str, str],
        log: Callable[[str, str], None],
    ):
        """`folder` holds what the learner keeps; `log(name, line)` gets what processes print."""
        options = Options(**{**vars(options), "settings": (f"learner.folder={folder}", *options.settings)})
        self.run, self.folder, self.lockstep = configured(run, options), folder, options.lockstep
        self.spec = load_robot(self.run.planner.robot)
        self._described = {p.name: p for p in processes(self.run, options, written_down(self.run))}
        self._supervisor = Supervisor(environment, log, self._died, {"intruder": self._intruded})
        self.intruded_ns: int | None = None  # wall time of an intruder's first message
        self.timeline = Timeline(self.run.planner.robot)
        self.probe = ChaosProbe(self.spec, self.timeline)
        self._dead: set[str] = set()  # that nobody starts again by itself
        self._look_at = 0.0

    def start(self) -> None:
        for process in self._described.values():
            self._supervisor.start(process)
        self._require(lambda: not self.probe.missing(), "its services", START_PATIENCE)

    def end(self) -> None:
        """Called again where it was broken off, it does the rest."""
        self._supervisor.end(self._supervisor.names(), TIME_TO_END)
        self.probe.close()

    def _died(self, death: Death) -> None:
        self.timeline.on_death(time.time_ns(), str(death))
        if death.restart_in is None and death.name in self._described:
            self._dead.add(death.name)

    def _intruded(self, line: str) -> None:
        if line.isdecimal():
            self.intruded_ns = int(line)

    # Waiting

    def spin(self) -> None:
        self.probe.spin(LOOK)
        if time.monotonic() >= self._look_at:
            self._supervisor.step(0.0)
            self._look_at = time.monotonic() + LOOK

    def until(self, condition: Callable[[], object], patience: float) -> bool:
        end = time.monotonic() + patience
        while not condition():
            if time.monotonic() >= end:
                return False
            self.spin()
        return True

    def _require(self, condition: Callable[[], object], what: str, patience: float) -> None:
        if not self.until(condition, patience):
            raise GraphFailed(f"waited {patience:g} s in vain for {what}")

    def watch(self, seconds: float) -> None:
        """For so long of robot time in lockstep, else of everybody's."""
        if not self.lockstep:
            self.until(lambda: False, seconds)
            return
        end = self.timeline.robot_ns + round(seconds * 1e9)
        self._require(lambda: self.timeline.robot_ns >= end, f"{seconds:g} s of robot time", START_PATIENCE)

    def ask(self, entry: topics.ServiceEntry, patience: float = 5.0) -> tuple[bool, str]:
        return self._answer(lambda: self.probe.ask(entry), patience)

    def set_parameter(self, node: str, name: str, value: str | int) -> None:
        accepted, why = self._answer(lambda: self.probe.set_parameter(node, name, value), 20.0)
        if not accepted:
            raise GraphFailed(f"the {node} refuses {name} = {value!r}: {why}")

    def _answer(self, ask: Callable, patience: float) -> tuple[bool, str]:
        """Asked again where no answer comes; what is asked must bear being asked twice."""
        end, futures, asked = time.monotonic() + patience, [], float("-inf")
        while time.monotonic() < end:
            if time.monotonic() > asked + ASK_AGAIN:
                asked = time.monotonic()
                futures.append(ask())
            self.spin()
            for future in futures:
                if future.done():
                    return answered(future)
        return False, "no answer"

    # Processes

    def pid(self, name: str) -> int:
        """Waits for one that is about to start again."""
        self._require(lambda: name in self._supervisor.pids(), f"a running {name}", START_PATIENCE)
        return self._supervisor.pids()[name]

    def pids(self) -> dict[str, int]:
        return self._supervisor.pids()

    def said_since(self, name: str, wall_ns: int) -> bool:
        return self.timeline.said_ns.get(name, 0) > wall_ns

    def start_beside(self, name: str, command: list[str] | None = None, *arguments: str) -> None:
        """A process that is no part of the robot: `command`, or the node of that name with its arguments."""
        process = beside(next(iter(self._described.values())), name, *arguments)
        self._supervisor.start(process, command)

    def end_beside(self, *names: str) -> None:
        self._supervisor.end(names, TIME_TO_END)

    # As a person

    def walks(self) -> bool:
        """Plans are followed, and the robot goes about as fast as it is to."""
        line, wanted = self.timeline, self.probe.velocity
        if line.command is None or not follows(line.command) or line.command.action == "hold":
            return False
        reached = line.velocity()
        if reached is None or wanted is None:
            return False
        return bool(reached @ wanted >= 0.5 * sum(w * w for w in wanted))

    def bring_back(self, patience: float) -> bool:
        """What docs/safety.md says leads back, until the robot walks."""
        end, next_try = time.monotonic() + patience, 0.0
        while time.monotonic() < end:
            self.spin()
            if self.walks():
                return True
            if time.monotonic() >= next_try:
                self._help()
                next_try = time.monotonic() + 1.0
        return False

    def revive(self) -> None:
        """Starts by hand what nobody starts again."""
        while self._dead:
            self._supervisor.start(self._described[self._dead.pop()])

    def _help(self) -> None:
        self.revive()
        command = self.timeline.command
        if command is None or (command.mode == RobotMode.POSITION and command.action != "sit"):
            return
        if self.timeline.estopped:
            self.ask(topics.ESTOP_RESET, 2.0)
            return
        freed, why = self.ask(topics.STAND_UP, 2.0)
        if not freed and ("tilt" in why or "height" in why):
            self.ask(topics.RESET_WORLD, 2.0)
