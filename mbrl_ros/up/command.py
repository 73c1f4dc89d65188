"""`mbrl up`: a whole run as processes, watched, and ended together."""

from __future__ import annotations

import argparse
import json
import math
import os
import shlex
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from mbrl_ros.config import ConfigError, as_mapping
from mbrl_ros.control.report import parse_commands, write_report
from mbrl_ros.paths import check_report
from mbrl_ros.robots.fit import check_driven
from mbrl_ros.robots.spec import RobotSpec, load_robot
from mbrl_ros.runs import SECTIONS, RunConfig, load_run
from mbrl_ros.settings import ACTION_MAP_NAMES, MODES
from mbrl_ros.stack import Options, Process, beside, configured, processes, written_down
from mbrl_ros.up.discovery import GRAPH, environment, open_to_the_network
from mbrl_ros.up.outside import commander, judge
from mbrl_ros.up.shared_memory import remove_abandoned
from mbrl_ros.up.status import Display, Lines, LiveTable
from mbrl_ros.up.supervisor import Death, Supervisor
from mbrl_ros.up.usage import Usage

DEMO = "0.4,0,0; 0.3,0,0.5; 0,0.15,0; 0.6,0,0; 0.3,0,-0.5; -0.2,0,0; 0,0,0"
# Ended first: they have a last word about a robot that still runs.
OUTSIDE = ("commander", "judge", "bare_loop", "relay_once", "relay_twice")
LAST_WORD = 1.0  # s that they have for it
TIME_TO_END = 1.5  # s that the robot's own processes have before they are killed; all in all less than three
CONSEQUENCES = {
    "bridge": "The simulated robot is gone.",
    "guard": "The robot damps.",
    "learner": "Nothing is learned now.",
    "planner": "The guard has the robot stand, then sit, then damp.",
}
START_PATIENCE = 60.0  # s until the robot has to be driven, when a duration is asked for


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="RUN", help="a file of config/ without .yaml (quadruped_mpc), or a path to one")
    parser.add_argument("--model", help="pretrained, scratch (learn from nothing), or a folder with model.safetensors")
    parser.add_argument("--action-map", choices=ACTION_MAP_NAMES, help="in place of the run file's")
    parser.add_argument("--mode", choices=MODES, help="what the planner does")
    parser.add_argument("--commands", metavar="'VX,VY,WZ;...'", help="drive these over cmd_vel, again and again")
    parser.add_argument("--hold", type=float, default=4.0, metavar="S", help="robot time a command (default: 4)")
    parser.add_argument("--demo", action="store_true", help="drive a walk about; silent once somebody else drives")
    parser.add_argument("--headless", action="store_true", help="plain log lines instead of a live table")
    parser.add_argument("--duration", type=float, metavar="S", help="end this long after the robot is first driven")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write what the judge saw, as JSON; only watches")
    parser.add_argument(
        "--bare-hops", action="store_true", help="beside it, two processes that only pass states on: for comparison"
    )
    parser.add_argument("--hardware", action="store_true", help="a driver runs the robot: start no simulation")
    parser.add_argument("--no-learner", action="store_true", help="plan only")
    parser.add_argument("--namespace", default="", metavar="NS", help="for several robots in one graph")
    parser.add_argument("--network", action="store_true", help="other hosts may join; without it, this one alone")
    parser.add_argument("--seed", type=int, help="of all random numbers")


def run(args: argparse.Namespace) -> int:
    options = Options(
        model=args.model,
        mode=args.mode,
        seed=args.seed,
        hardware=args.hardware,
        learner=not args.no_learner,
        namespace=args.namespace,
        settings=tuple(args.settings),
    )
    settings = configured(load_run(args.name, args.action_map), options)
    spec = load_robot(settings.planner.robot)
    commands = _commands(args, spec)
    for option, seconds in (("--hold", args.hold), ("--duration", args.duration)):
        if seconds is not None and not 0 < seconds < math.inf:
            raise ConfigError(f"{option} {seconds:g}: expected a number of seconds above 0")
    check_report(args.report)
    if settings.planner.device != "cpu":
        from mbrl_ros.control.on_device import check_device  # not above: torch takes seconds to import

        check_device(settings.planner.device)
    if args.network:
        open_to_the_network()
    robot = processes(settings, options, written_down(settings))
    outside = [_judge(robot[0], settings, options, args.bare_hops)]
    bare = {"bare_loop": [sys.executable, "-m", "mbrl_ros.up.bare_loop", str(spec.dt)]} if args.report else {}
    bare |= _relays(robot[0], settings) if args.bare_hops else {}
    if commands:
        outside.append(commander(robot[0], settings, commands, args.hold))
    display = Lines() if args.headless or not sys.stdout.isatty() else LiveTable(f"mbrl up {settings.name}")
    return Session(settings, robot, outside, bare, display).run(args.duration, args.report)


def _commands(args: argparse.Namespace, spec: RobotSpec) -> str:
    """The schedule that is driven; empty: this command publishes nothing."""
    if args.commands is not None:
        parse_commands(args.commands)
        check_driven(spec)
        return args.commands
    return DEMO if args.demo and spec.floats else ""


def _judge(neighbour: Process, settings: RunConfig, options: Options, bare_hops: bool) -> Process:
    more = ["--truth", "odom"] if options.hardware else []  # the best there is
    return judge(neighbour, settings, *more, *(["--bare-hops"] if bare_hops else []))


def _relays(neighbour: Process, settings: RunConfig) -> dict[str, list[str]]:
    """Commands of two processes that pass states on, as urgent as the planner and the guard that they stand for."""
    found = {}
    for hop, node in (("once", settings.planner), ("twice", settings.guard)):
        urgency = ("--priority", str(node.realtime.priority), "--cores", node.realtime.cores)
        found[f"relay_{hop}"] = beside(neighbour, "relay", hop, *urgency).command
    return found


class Session:
    """One run from the first process to the last."""

    def __init__(
        self,
        settings: RunConfig,
        robot: tuple[Process, ...],
        outside: list[Process],
        bare: Mapping[str, list[str]],
        display: Display,
    ):
        """`bare`: commands of what does nothing, by name, to compare the run with."""
        self._settings, self._robot, self._outside, self._display = settings, robot, outside, display
        self._bare = bare
        self._processes = {process.name: process for process in robot}
        self._status: Mapping = {}
        self._report: dict | None = None
        self._bare_loop: dict | None = None
        self._usage = Usage()
        self._supervisor = Supervisor(
            environment(), display.line, self._died, {"judge": self._judged, "bare_loop": self._bare_loop_ended}
        )
        self._lost = False  # whether a process of the robot is dead for good
        self._stop_signal: int | None = None

    def run(self, duration: float | None, report: Path | None) -> int:
        """Until a signal, or `duration` seconds after the robot was first driven. Returns the exit status."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)
        remove_abandoned()
        driven = None
        try:
            self._start()
            driven = self._watch(duration)
        finally:
            self._end()
        if report is not None:
            self._write(report)
        if duration is not None and driven is None and self._stop_signal is None:
            why = "its processes died" if self._lost else f"not within {START_PATIENCE:g} s"
            self._display.line("up", f"the robot was never driven: {why}")
            return 1
        return 1 if self._supervisor.deaths else 0

    def _start(self) -> None:
        for process in (*self._outside, *self._robot):
            self._supervisor.start(process)
        for name, command in self._bare.items():
            self._supervisor.start(Process(name), command)

    def _watch(self, duration: float | None) -> float | None:
        """Returns when the robot was first driven, on the steady clock."""
        began, driven, next_look = time.monotonic(), None, time.monotonic()
        while self._stop_signal is None:
            self._supervisor.step(0.1)
            now = time.monotonic()
            if now >= next_look:
                next_look = now + 1.0
                self._usage.look({**self._supervisor.pids(), "up": os.getpid()})
            if driven is None and self._is_driven():
                driven = now
                self._usage.restart()
            if duration is not None and driven is None and (self._lost or now >= began + START_PATIENCE):
                break
            if duration is not None and driven is not None and now >= driven + duration:
                break
        self._usage.look({**self._supervisor.pids(), "up": os.getpid()})
        return driven

    def _is_driven(self) -> bool:
        if self._settings.planner.mode == "observe":
            return bool(self._status.get("transitions_sent"))
        return bool(self._status.get("driven"))

    def _end(self) -> None:
        names = self._supervisor.names()
        self._supervisor.end([name for name in OUTSIDE if name in names], LAST_WORD)
        self._supervisor.end([name for name in names if name not in OUTSIDE], TIME_TO_END)
        remove_abandoned()
        self._display.close()

    def _stop(self, number: int, frame) -> None:
        self._stop_signal = number

    def _judged(self, line: str) -> None:
        """The judge prints one JSON object a second, and one with its report at the end."""
        try:
            said = json.loads(line)
        except json.JSONDecodeError:
            self._display.line("judge", line)
            return
        if "report" in said:
            self._report = said["report"]
        else:
            self._status = said
            self._display.show(said, self._usage.now())

    def _bare_loop_ended(self, line: str) -> None:
        self._bare_loop = json.loads(line)

    def _died(self, death: Death) -> None:
        self._display.line("up", str(death))
        if death.restart_in is None and death.name in CONSEQUENCES:
            self._lost = True
            by_hand = _by_hand(self._processes[death.name])
            self._display.line("up", f"{CONSEQUENCES[death.name]} Once you know why, start it by hand: {by_hand}")

    def _write(self, path: Path) -> None:
        if self._report is None:
            self._display.line("up", f"the judge gave no report: {path} is not written")
            return
        deaths = [{"name": death.name, "code": death.code} for death in self._supervisor.deaths]
        config = {name: as_mapping(getattr(self._settings, name)) for name in SECTIONS}
        bare = self._bare_loop and self._bare_loop["missed_share"]
        whole = {
            **self._report,
            "summary": {**self._report["summary"], "bare_loop_missed_share": bare},
            "config": {"run": self._settings.name, **config},
            "seeds": [self._settings.planner.seed],
            "processes": self._usage.report(),
            "deaths": deaths,
            "bare_loop": self._bare_loop,
        }
        write_report(path, whole)
        self._display.line("up", f"report written to {path}")


def _by_hand(process: Process) -> str:
    """What a person types to start it, in any shell."""
    ours = environment()
    needed = {name: ours[name] for name in GRAPH if name in ours} | dict(process.environment)
    nice = ["nice", "-n", str(process.nice)] if process.nice else []
    return shlex.join([*nice, "env", *(f"{name}={value}" for name, value in needed.items()), *process.command])
