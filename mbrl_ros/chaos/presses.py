"""A person presses the button, again and again, under full load: how long until the robot is told to damp?"""

from __future__ import annotations

import time
from random import Random

from mbrl_ros.chaos.graph import GraphFailed, RunningGraph
from mbrl_ros.chaos.timeline import At
from mbrl_ros.nodes import topics

PATIENCE = 2.0  # s for an answer
UP = 30.0  # s for a reset, which is granted once the robot is upright and still
NEVER_MS = 1e9  # stands for a press that nobody heard: a report holds finite numbers


def pressed(graph: RunningGraph) -> tuple[At, float]:
    """When, and ms from the request to the first damp on robot_mode, by the clock of who sent it.

    Where the guard damped for another reason a moment before, the mode does not change, and its word has to do.
    """
    line = graph.timeline
    line.modes.clear()
    at = At(time.time_ns(), line.robot_ns)
    graph.probe.ask(topics.ESTOP)

    def done() -> list[int]:
        told = [wall_ns for wall_ns, mode in line.modes if mode == "damp"]
        latched = [there.wall_ns for there, event in line.events if event.name == "estop" and there >= at]
        return told or (latched if line.mode == "damp" else [])

    if not graph.until(done, PATIENCE):
        return at, NEVER_MS
    return at, (done()[0] - at.wall_ns) / 1e6


def released(graph: RunningGraph, random: Random) -> None:
    """Until it is up enough to be damped again, which takes the guard nothing but a step."""
    line, end = graph.timeline, time.monotonic() + UP
    while time.monotonic() < end:
        line.modes.clear()
        freed, why = graph.ask(topics.ESTOP_RESET, PATIENCE)
        if freed and graph.until(lambda: any(mode == "position" for _, mode in line.modes), PATIENCE):
            graph.until(lambda: False, random.uniform(0.02, 0.2))
            return
        if "tilt" in why or "height" in why:
            graph.ask(topics.RESET_WORLD, PATIENCE)
        graph.until(lambda: False, 0.1)
    raise GraphFailed(f"waited {UP:g} s in vain for an estop to be released")
