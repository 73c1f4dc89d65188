"""Drives the gate by hand on fake times, in milliseconds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mbrl_ros.robots.parts import GateSpec
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.safety import gate
from mbrl_ros.settings import GuardConfig
from mbrl_ros.types import BaseState, Plan, RobotState

MS = 1_000_000
GO1 = load_robot("go1_like")
CARTPOLE = load_robot("cartpole")
# Asks nothing of a robot whose joints never move, for tests that look at the ladder alone.
FADING = replace(
    GO1,
    gate=GateSpec(GO1.gate.tilt_gravity_z, GO1.gate.min_height, fade_in=2.0),
    joints=tuple(replace(joint, acceleration=None) for joint in GO1.joints),
)
QUICK = replace(FADING, gate=replace(FADING.gate, fade_in=0.0))  # follows plans at once


def standing(ms: float, spec=QUICK, **base) -> RobotState:
    """The robot in stance, upright and still, but for the named parts of its base (or `joints`)."""
    joints = base.pop("joints", np.array([j.stance for j in spec.joints]))
    still = BaseState(np.array([0.0, 0.0, 0.285]), np.array([1.0, 0.0, 0.0, 0.0]), np.zeros(3), np.zeros(3))
    return RobotState(
        round(ms * MS), joints, np.zeros(len(joints)), replace(still, **base) if spec.base is not None else None
    )


LYING_ON_SIDE = np.array([np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0])


def plan(
    ms: float, sequence: int, target, spec=QUICK, first_ms: float | None = None, points: int = 4, **changes
) -> Plan:
    """All points at `target`, or one row a point; the first is `first_ms` (default dt) after `ms`."""
    dt_ms = spec.dt * 1000
    first_ms = dt_ms if first_ms is None else first_ms
    targets = np.array(np.broadcast_to(target, (points, len(spec.actuated))), dtype=float)
    offsets = tuple(round((first_ms + i * dt_ms) * MS) for i in range(points))
    return replace(Plan(round(ms * MS), sequence, 1, 0, offsets, targets), **changes)


class Driver:
    """A gate and its steady clock, which runs `ahead_ms` ahead of robot time."""

    def __init__(self, spec=QUICK, simulation: bool = True, ahead_ms: float = 0.0, config: GuardConfig | None = None):
        self.spec, self.ahead_ms = spec, ahead_ms
        self.memory = gate.initial(spec, config or GuardConfig(), simulation)
        self.told: list[str] = []  # names of events
        self.sequence = 0

    def steady(self, ms: float) -> int:
        return round((ms + self.ahead_ms) * MS)

    def state(self, ms: float, at_ms: float | None = None, **base) -> None:
        received = self.steady(ms if at_ms is None else at_ms)
        self.memory = gate.receive_state(self.memory, standing(ms, self.spec, **base), received)

    def give(self, p: Plan, at_ms: float | None = None) -> None:
        received = self.steady(p.stamp_ns / MS if at_ms is None else at_ms)
        self.memory = gate.receive_plan(self.memory, p, received)

    def ask(self, wanted: gate.Request, ms: float) -> bool:
        self.memory, accepted, self.message = gate.request(self.memory, wanted, self.steady(ms))
        return accepted

    def decide(self, ms: float):
        self.memory, decision = gate.decide(self.memory, round(ms * MS), self.steady(ms))
        self.told += [event.name for event in decision.events]
        self.decision = decision
        return decision.command

    def step(self, ms: float, target=None, **base):
        """One step of a running stack: a state, a plan made from it (with a target), a decision."""
        self.state(ms, **base)
        if target is not None:
            self.give(plan(ms, self.sequence, target, self.spec))
            self.sequence += 1
        return self.decide(ms)

    def run(self, begin_ms: float, end_ms: float, target=None, **base):
        """Steps from `begin_ms` to `end_ms`, the last one included."""
        dt_ms = self.spec.dt * 1000
        for i in range(round((end_ms - begin_ms) / dt_ms) + 1):
            command = self.step(begin_ms + i * dt_ms, target, **base)
        return command

    def following(self, target=None):
        """Follows plans at 100 ms."""
        self.run(0, 100, self.spec.stance if target is None else target)
        return self
