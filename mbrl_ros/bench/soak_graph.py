"""The graph of `mbrl bench soak`: all processes of a run in lockstep, driven and watched for so much robot time."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Mapping

from mbrl_ros.bench.soak import Sample
from mbrl_ros.runs import RunConfig
from mbrl_ros.stack import Options, processes, written_down
from mbrl_ros.up.command import LAST_WORD, TIME_TO_END
from mbrl_ros.up.discovery import environment
from mbrl_ros.up.outside import commander, judge
from mbrl_ros.up.shared_memory import remove_abandoned
from mbrl_ros.up.supervisor import Death, Supervisor
from mbrl_ros.up.usage import Usage

OUTSIDE = ("commander", "judge")  # ended first: the judge has a last word
PATIENCE = 120.0  # s of wall time in which robot time must go on
HEAR_OUT = 20.0  # s of wall time, at most, to hear from everybody once the time is up


class SoakGraph:
    """From the first process to the last. `samples` grows while it runs; `crashes` says who died, `last` what the judge
    said last, `why` what ended it early."""

    def __init__(self, run: RunConfig, options: Options, commands: str, hold: float):
        """`commands`: a schedule that is driven; empty: nobody drives."""
        robot = processes(run, options, written_down(run))
        self._processes = [judge(robot[0], run), *robot]
        if commands:
            self._processes.append(commander(robot[0], run, commands, hold))
        self.samples: list[Sample] = []
        self.crashes: list[str] = []
        self.last: Mapping = {}
        self.why = ""
        self._usage = Usage()
        self._supervisor = Supervisor(environment(), self._printed, self._died, {"judge": self._judged})
        self._said: list[str] = []  # what the processes printed last, for whoever asks why one died

    def run(self, seconds: float, every: float, show: Callable[[Mapping], None]) -> None:
        """Until so much robot time has passed, a process has died for good, nothing moves any more, or Ctrl-C."""
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        remove_abandoned()
        self._began = self._moved = time.monotonic()
        self._next = self._over = 0.0
        self._every, self._show = every, show
        try:
            for process in self._processes:
                self._supervisor.start(process)
            while not self.why and (self._seconds < seconds or self._awaits_a_word()):
                self._supervisor.step(0.2)
                if time.monotonic() - self._moved > PATIENCE:
                    self.why = f"robot time stood still for {PATIENCE:g} s"
        finally:
            self._sample()
            names = self._supervisor.names()
            self._supervisor.end([name for name in OUTSIDE if name in names], LAST_WORD)
            self._supervisor.end([name for name in names if name not in OUTSIDE], TIME_TO_END)
            remove_abandoned()
            for number, handler in before.items():
                signal.signal(number, handler)

    @property
    def _seconds(self) -> float:
        return self.last.get("seconds") or 0.0

    def _awaits_a_word(self) -> bool:
        """The robot goes on meanwhile: a short run can be over before the judge has found planner and learner."""
        self._over = self._over or time.monotonic()
        heard = self.last["steps"] and None not in (self.last["model"], self.last["missing"])
        return not heard and time.monotonic() - self._over < HEAR_OUT

    def _judged(self, line: str) -> None:
        """One JSON object a second, and one with its report at the end."""
        try:
            said = json.loads(line)
        except json.JSONDecodeError:
            self._printed("judge", line)
            return
        if "report" in said:
            return
        if (said["seconds"] or 0.0) > self._seconds:
            self._moved = time.monotonic()
        self.last = said
        if said["driven"] and self._seconds >= self._next:
            self._next = self._seconds + self._every
            self._sample()
        self._show(said)

    def _sample(self) -> None:
        pids = self._supervisor.pids()
        if not self.last.get("driven") or not pids:
            return
        self._usage.look(pids)
        if not self.samples:
            self._usage.restart()  # what it took to start is not what it takes to run
        for process, used in self._usage.report().items():
            self.samples.append(
                Sample(
                    robot_seconds=self._seconds,
                    wall_seconds=time.monotonic() - self._began,
                    process=process,
                    rss_mb=used["rss_last_mb"],
                    cpu_share=used["cpu_share"],
                    steps=self.last["steps"],
                    falls=self.last["falls"],
                    version=self.last["model"],
                    sent=self.last["transitions_sent"],
                    missing=self.last["missing"],
                )
            )

    def _printed(self, name: str, line: str) -> None:
        self._said = [*self._said[-30:], f"{name}: {line}"]

    def _died(self, death: Death) -> None:
        self.crashes.append(death.name)
        self.why = "\n".join([str(death), *self._said[-15:]])  # one that starts again is a crash all the same

    def _stop(self, number: int, frame) -> None:
        self.why = "stopped"
