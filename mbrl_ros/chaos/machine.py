"""Faults of the machine and of whoever else is on it: done to processes by whoever runs the matrix.

Each is a context: entered, it has begun and says when; left, it is over.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from random import Random

from mbrl_ros.chaos.graph import GraphFailed, RunningGraph
from mbrl_ros.chaos.poison import damage_newest_version, poison_newest_version
from mbrl_ros.chaos.timeline import At
from mbrl_ros.nodes.intruder import VERSION as FOREIGN

BURN = "while True: pass"
KILLS = 3  # of a learner in a loop
PLANS = ("absurd-plans", "plans-that-are-no-numbers", "huge-plans")  # deeds by which a robot would be led astray
JUDGED = 10.0  # s in which a version comes to be flown or refused, or never will
AT_WORK = 30.0  # s until a process that was started says something
MORE = 20  # times the rollouts
HEADROOM = 1_000_000  # bytes that a process out of memory may still have


def now(graph: RunningGraph) -> At:
    return At(time.time_ns(), graph.timeline.robot_ns)


@contextmanager
def stopped(name: str, graph: RunningGraph, random: Random) -> Iterator[At]:
    """It hangs: the kernel gives it no time."""
    pid = graph.pid(name)
    began = now(graph)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield began
    finally:
        with suppress(ProcessLookupError):  # killed meanwhile
            os.kill(pid, signal.SIGCONT)


@contextmanager
def killed(name: str, graph: RunningGraph, random: Random) -> Iterator[At]:
    began = now(graph)
    _kill(graph, name)
    yield began


@contextmanager
def killed_in_a_loop(name: str, graph: RunningGraph, random: Random) -> Iterator[At]:
    """As soon as it works again; where it is started again no more, a person does it."""
    began = now(graph)
    for _ in range(KILLS):
        _kill(graph, name)
        _until_back(graph, name)
    yield began


@contextmanager
def killed_after(
    prepare: Callable[[Path, Path], int], judged: float, graph: RunningGraph, random: Random
) -> Iterator[At]:
    """The learner starts again and finds a newer version in its folder, which `prepare` has put there.

    `judged`: s in which that comes to be flown or refused, or never will.
    """
    graph.timeline.suspect = prepare(graph.folder, Path(graph.run.learner.model))
    began = now(graph)
    _kill(graph, "learner")
    _until_back(graph, "learner")
    graph.until(lambda: graph.timeline.judged(began), judged)
    yield began


def _kill(graph: RunningGraph, name: str) -> None:
    pid = graph.pid(name)
    os.kill(pid, signal.SIGKILL)
    graph.until(lambda: graph.pids().get(name) != pid, AT_WORK)


def _until_back(graph: RunningGraph, name: str) -> None:
    since = time.time_ns()
    graph.revive()
    graph.until(lambda: graph.said_since(name, since), AT_WORK)


@contextmanager
def cores_burnt(graph: RunningGraph, random: Random) -> Iterator[At]:
    """As many busy processes as there are cores, at the priority of everybody."""
    names = [f"burner_{core}" for core in range(len(os.sched_getaffinity(0)))]
    with ExitStack() as ending:
        ending.callback(graph.end_beside, *names)
        for name in names:
            graph.start_beside(name, [sys.executable, "-c", BURN])
        yield now(graph)


@contextmanager
def intruding(deed: str, graph: RunningGraph, random: Random) -> Iterator[At]:
    """Begins with its first message."""
    arguments = (deed, "--robot", graph.run.planner.robot, "--seed", str(random.randrange(1000)))
    with ExitStack() as ending:
        ending.callback(graph.end_beside, "intruder")
        graph.intruded_ns = None
        graph.start_beside("intruder", None, *arguments)
        graph.timeline.suspect = FOREIGN if deed in PLANS else None
        if not graph.until(lambda: graph.intruded_ns, AT_WORK):
            raise GraphFailed(f"the intruder did nothing for {AT_WORK:g} s")
        yield At(graph.intruded_ns, graph.timeline.robot_ns)


@contextmanager
def no_more(what: int, left: Callable[[int], int], name: str, graph: RunningGraph, random: Random) -> Iterator[At]:
    """A resource of the process is limited to `left(pid)` for a while, so that whoever asks for more gets none."""
    pid = graph.pid(name)
    soft, hard = resource.prlimit(pid, what)
    began = now(graph)
    resource.prlimit(pid, what, (left(pid), hard))
    try:
        yield began
    finally:
        if graph.pids().get(name) == pid:
            resource.prlimit(pid, what, (soft, hard))


def _memory_in_use(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[0])
    return pages * resource.getpagesize()


@contextmanager
def out_of_memory(graph: RunningGraph, random: Random) -> Iterator[At]:
    """The planner needs more than there is: a person asks for many more rollouts at that moment."""
    samples = graph.run.planner.mppi.samples
    with no_more(resource.RLIMIT_AS, lambda pid: _memory_in_use(pid) + HEADROOM, "planner", graph, random) as began:
        graph.probe.set_parameter("planner", "mppi.samples", MORE * samples)
        yield began
    graph.until(lambda: "planner" in graph.pids(), AT_WORK)
    graph.set_parameter("planner", "mppi.samples", samples)


@contextmanager
def everything_at_once(graph: RunningGraph, random: Random) -> Iterator[At]:
    """Full load: cores burnt, ten times the traffic, and a planner that hangs."""
    with intruding("flood", graph, random), cores_burnt(graph, random), stopped("planner", graph, random) as began:
        yield began


MACHINE: dict[str, Callable[[RunningGraph, Random], AbstractContextManager[At]]] = {
    "planner hangs": lambda *on: stopped("planner", *on),
    "planner killed": lambda *on: killed("planner", *on),
    "guard hangs": lambda *on: stopped("guard", *on),
    "guard killed": lambda *on: killed("guard", *on),
    "learner hangs": lambda *on: stopped("learner", *on),
    "learner killed": lambda *on: killed_in_a_loop("learner", *on),
    "cores burnt": cores_burnt,
    "disk full": lambda *on: no_more(resource.RLIMIT_FSIZE, lambda pid: 0, "learner", *on),
    "out of memory": out_of_memory,
    "model file damaged": lambda *on: killed_after(damage_newest_version, 0.0, *on),
    "model poisoned": lambda *on: killed_after(poison_newest_version, JUDGED, *on),
    "flood": lambda *on: intruding("flood", *on),
    "absurd plans": lambda *on: intruding("absurd-plans", *on),
    "plans that are no numbers": lambda *on: intruding("plans-that-are-no-numbers", *on),
    "huge plans": lambda *on: intruding("huge-plans", *on),
    "commands": lambda *on: intruding("commands", *on),
    "garbage models": lambda *on: intruding("garbage-models", *on),
    "everything": everything_at_once,
}
