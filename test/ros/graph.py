"""A whole robot as `mbrl up` would start it, but each process by hand; and a probe in its namespace that records."""

from __future__ import annotations

import subprocess
from pathlib import Path

from conftest import Probe, Processes

from mbrl_ros.nodes import topics
from mbrl_ros.nodes.assembler import subscribe_state
from mbrl_ros.nodes.messages.learning import transition_of
from mbrl_ros.nodes.messages.motion import applied_of, plan_of
from mbrl_ros.nodes.messages.status import values_of
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import load_run
from mbrl_ros.stack import Options, configured, written_down
from mbrl_ros.stack import processes as processes_of


class Graph:
    """Nodes are started by name, in any order, and may be killed and started again."""

    def __init__(self, run: str, folder: Path, namespace: str = "", settings: tuple[str, ...] = (), **options):
        folder.mkdir(parents=True, exist_ok=True)
        settings = (f"learner.folder={folder / 'versions'}", *settings)
        options = Options(namespace=namespace, settings=settings, **options)
        self.run = configured(load_run(run), options)
        self.spec = load_robot(self.run.planner.robot)
        parameters = written_down(self.run)
        self.described = {p.name: p for p in processes_of(self.run, options, parameters)}
        self._processes = Processes(folder)
        self.running: dict[str, subprocess.Popen] = {}
        self.probe = Probe(namespace)
        self.states = {}  # by stamp
        subscribe_state(self.probe.node, self.spec, lambda state: self.states.setdefault(state.stamp_ns, state))
        self.transitions = self.probe.collect(topics.TRANSITION, transition_of)
        self.applied = self.probe.collect(topics.APPLIED, lambda message: applied_of(message, self.spec))
        self.plans = self.probe.collect(topics.PLAN, lambda message: plan_of(message, self.spec))
        self.events = self.probe.collect(topics.EVENTS)
        self.model_status = self.probe.collect(topics.MODEL_STATUS)
        self._diagnostics = self.probe.collect(topics.DIAGNOSTICS)

    def start(self, *names: str) -> None:
        for name in names or self.described:
            process = self.described[name]
            self.running[name] = self._processes.run(name, process.command, dict(process.environment))

    def kill(self, name: str) -> None:
        """As a crash would: nothing is said, nothing is cleaned up."""
        self.running[name].kill()
        self.running[name].wait()

    def diagnostics(self, node: str) -> dict[str, str]:
        """The newest that the node said about itself."""
        for array in reversed(self._diagnostics):
            if array.status[0].name.rpartition("/")[2] == node:
                return values_of(array.status[0])
        return {}

    def said_anew(self, node: str) -> dict[str, str]:
        """What the node says about itself from now on."""
        self._diagnostics.clear()
        self.until(lambda: self.diagnostics(node), f"diagnostics of the {node}")
        return self.diagnostics(node)

    def until(self, condition, what: str) -> None:
        self.probe.until(condition, what)
        self.all_alive()

    def until_steps(self, count: int) -> None:
        """Until so many more transitions have come."""
        wanted = len(self.transitions) + count
        self.until(lambda: len(self.transitions) >= wanted, f"{count} more steps")

    def all_alive(self) -> None:
        dead = {name: process.returncode for name, process in self.running.items() if process.poll() not in (None, -9)}
        assert not dead, f"ended by themselves: {dead}"

    def close(self) -> None:
        self._processes.end()
        self._processes.show()
        self.probe.close()
