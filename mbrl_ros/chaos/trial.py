"""One fault with one seed on a running graph: begun in mid-walk, watched, ended, and the robot brought back."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from random import Random

import numpy as np

from mbrl_ros.chaos.faults import Fault
from mbrl_ros.chaos.graph import GraphFailed, RunningGraph
from mbrl_ros.chaos.machine import MACHINE, everything_at_once, now
from mbrl_ros.chaos.presses import pressed, released
from mbrl_ros.chaos.promises import Row, broken
from mbrl_ros.chaos.timeline import At
from mbrl_ros.nodes import diagnostic_keys as keys

VELOCITIES = ((0.4, 0.0, 0.0), (0.3, 0.0, 0.4), (0.5, 0.0, 0.0), (0.3, 0.0, -0.4))  # m/s, m/s, rad/s
WALKING = 60.0  # s until it must walk, before anything is done to it
PATIENCE = 45.0  # s within which it must walk again
STRIDE = 0.44  # s: faults begin anywhere in it
SETTLED = 0.5  # s after the end of a fault in which its last effects show
IN_PASSING = 50  # transitions that a journal which works may be about to write
COUNTED = 10.0  # s within which the learner must have all transitions


def run_trial(graph: RunningGraph, fault: Fault, seed: int, presses: int) -> tuple[Row, list[float]]:
    """GraphFailed where it does not walk to begin with, or cannot be harmed as asked."""
    started, random = time.monotonic(), Random(f"{fault.name} {seed}")
    graph.probe.velocity = VELOCITIES[seed % len(VELOCITIES)]
    if not graph.bring_back(WALKING):
        raise GraphFailed(f"it did not walk within {WALKING:g} s, before {fault.name}")
    graph.watch(random.uniform(0.0, STRIDE))
    losses = Losses(graph)
    line = graph.timeline
    line.clear()
    times: list[float] = []
    if fault.presses:
        began, times = _press(graph, random, presses)
    else:
        with _injection(graph, fault, random) as at:
            graph.watch(fault.seconds)
        began = line.fault_began() or at if fault.bridge else at
    graph.watch(SETTLED)
    action, sign = line.action(began), line.first_sign(began)
    safe_ms = float(np.percentile(times, 99)) if times else _safe_ms(graph, began)
    recovered = graph.bring_back(PATIENCE)
    lost = losses.count()
    row = Row(
        fault=fault.name,
        seed=seed,
        detected_ms=_since(graph, began, sign.at if sign else None),
        action=action,
        safe_ms=safe_ms,
        falls=line.falls(),
        outside_limits=line.outside_limits(graph.lockstep),
        non_finite=line.limits.non_finite,
        transitions_lost=lost,
        recovered=recovered,
        clock="lockstep" if graph.lockstep else "real",
        seconds=time.monotonic() - started,
        said=sign.text if sign else "",
    )
    if row.outside_limits:
        row = replace(row, said=f"{line.limits.worst}; {row.said}")
    return replace(row, broken=broken(row, fault.promise)), times


def _safe_ms(graph: RunningGraph, began: At) -> float | None:
    """Where a version must not be flown, how long it was."""
    if graph.timeline.suspect is None:
        return _since(graph, began, graph.timeline.safe(began))
    flown = graph.timeline.suspected()
    return None if flown is None else _since(graph, *flown)


def _since(graph: RunningGraph, began: At, then: At | None) -> float | None:
    if then is None:
        return None
    return (then.robot_ns - began.robot_ns if graph.lockstep else then.wall_ns - began.wall_ns) / 1e6


def _injection(graph: RunningGraph, fault: Fault, random: Random) -> AbstractContextManager[At]:
    return MACHINE[fault.machine](graph, random) if fault.machine else _in_the_bridge(graph, fault, random)


@contextmanager
def _in_the_bridge(graph: RunningGraph, fault: Fault, random: Random):
    began = now(graph)
    graph.set_parameter("bridge", "faults", fault.bridge.format(joint=random.choice(graph.spec.actuated_names)))
    try:
        yield began
    finally:
        graph.set_parameter("bridge", "faults", "")


def _press(graph: RunningGraph, random: Random, presses: int) -> tuple[At, list[float]]:
    """The first one in mid-walk; after each the robot is let up again, so that it has to be damped anew."""
    with everything_at_once(graph, random):
        first, ms = pressed(graph)
        times = [ms]
        while len(times) < presses:
            released(graph, random)
            times.append(pressed(graph)[1])
    return first, times


class Losses:
    """Transitions that were sent from now on and never came to the learner.

    A learner that starts again counts what it misses from 0, so what it has is compared with what was sent.
    """

    def __init__(self, graph: RunningGraph):
        self._graph = graph
        self._lost_before = max(graph.timeline.lost, self._said(keys.MISSING))

    def count(self) -> int:
        """Once the learner has said that it has all that were sent by now, or after a while."""
        graph, sent = self._graph, len(self._graph.timeline.sent) - self._lost_before
        graph.until(lambda: self._said(keys.RECEIVED) >= sent, COUNTED)
        never = max(0, sent - self._said(keys.RECEIVED))
        graph.timeline.lost = self._lost_before + never
        graph.until(lambda: self._said(keys.NOT_JOURNALED) <= IN_PASSING, COUNTED)
        left = self._said(keys.NOT_JOURNALED)
        return never + (left if left > IN_PASSING else 0)

    def _said(self, key: str) -> int:
        return int(self._graph.timeline.values.get("learner", {}).get(key, 0))
