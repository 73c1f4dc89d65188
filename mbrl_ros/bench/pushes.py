"""`mbrl bench pushes`: a blow to a walking robot, from anywhere at any moment of its gait. Does it stay up?

Every way to drive gets the same blows: the same directions, the same moments, the same noise of the sensors.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mbrl_ros.control.report import STRIDE, Velocity
from mbrl_ros.learning.evaluating import driving
from mbrl_ros.learning.session import Session
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.runs import RunConfig

MODES = {
    "policy": {"planner.mode": "policy"},
    "mppi": {"planner.mode": "mppi"},
    "guided": {
        "planner.mode": "mppi",
        "planner.mppi.horizon": 5,
        "planner.mppi.terminal_value": True,
        "planner.mppi.proposals": 0.25,
    },
    "hybrid": {"planner.mode": "hybrid"},
    "prior": {"planner.mode": "mppi", "planner.planner": "prior"},
}
WALK = 4.0  # s to a blow, half of it while the guard fades in; and up to one period of the gait more
JUDGED = 3.0  # s after it
RECOVERED = 0.15  # m/s off the command, as the mean over a stride


@dataclass(frozen=True)
class Blow:
    """One push of one walking robot. Two blows that differ in speed alone come in the same step of the same walk."""

    speed: float  # m/s, the change of the base's velocity
    direction: float  # rad to the left of the robot's heading
    step: int  # control step before which it comes
    command: Velocity
    seed: int  # of noise and planner


@dataclass(frozen=True)
class Outcome:
    """What became of it; times in s since the blow."""

    direction: float
    phase: float  # of the gait, when it came
    seed: int
    fell_after: float | None  # below 0: before it
    recovered_after: float | None  # from then on it walked as commanded; None: not within what is judged


@dataclass(frozen=True)
class PushRow:
    """All blows of one speed against one way to drive."""

    mode: str
    speed: float
    pushes: int
    falls: int
    falls_by_seed: list[int]
    recovered_s: float | None  # median of those that did
    recovered: int
    outcomes: list[Outcome]


def blows(
    spec: RobotSpec, speeds: Sequence[float], directions: int, commands: Sequence[Velocity], seeds: Sequence[int]
) -> list[Blow]:
    """`directions` random ones a seed, the same at every speed; commands in turns."""
    first, period = round(WALK / spec.dt), round(spec.legs.gait.period / spec.dt)
    found = []
    for seed in seeds:
        generator = np.random.default_rng(seed)
        angles = generator.uniform(-math.pi, math.pi, directions)
        steps = first + generator.integers(period, size=directions)
        for i in range(directions):
            noise = seed * directions + i
            found += [
                Blow(speed, float(angles[i]), int(steps[i]), commands[i % len(commands)], noise) for speed in speeds
            ]
    return found


def bench_pushes(
    run: RunConfig, spec: RobotSpec, model, policy, modes: Sequence[str], each: Sequence[Blow], seeds: Sequence[int]
) -> Iterator[PushRow | None]:
    """None after every blow, and each row when it is complete."""
    for speed in dict.fromkeys(blow.speed for blow in each):
        for mode in modes:
            driven, outcomes = with_mode(run, mode), []
            for blow in (b for b in each if b.speed == speed):
                outcomes.append(pushed(driving(driven, spec, model, blow.seed, run.bridge.noise, policy), blow))
                yield None
            yield row(mode, speed, outcomes, len(seeds))


def with_mode(run: RunConfig, mode: str) -> RunConfig:
    for setting, value in MODES[mode].items():
        run = run.with_setting(setting, value, "--modes")
    return run


def row(mode: str, speed: float, outcomes: list[Outcome], seeds: int) -> PushRow:
    fell = np.array([outcome.fell_after is not None for outcome in outcomes])
    recovered = [outcome.recovered_after for outcome in outcomes if outcome.recovered_after is not None]
    return PushRow(
        mode=mode,
        speed=speed,
        pushes=len(outcomes),
        falls=int(fell.sum()),
        falls_by_seed=fell.reshape(seeds, -1).sum(1).tolist(),
        recovered_s=float(np.median(recovered)) if recovered else None,
        recovered=len(recovered),
        outcomes=outcomes,
    )


def pushed(session: Session, blow: Blow, judged: float = JUDGED) -> Outcome:
    """Walks, is pushed, and is judged for `judged` s. A robot that the guard had to take over has fallen, too."""
    spec, command = session.agent.spec, np.array(blow.command)
    after, velocities = round(judged / spec.dt), []
    phase, fell_after = 0.0, None
    for k in range(blow.step + after):
        if k == blow.step:
            phase = session.agent.phase(session.backend.stamp_ns)
            session.backend.push(change(blow, session.backend.truth().base.orientation_wxyz))
        outcome = session.step(command)
        lost = outcome.fell or (k >= blow.step and not session.following)
        if lost:
            fell_after = (k + 1 - blow.step) * spec.dt
            break
        if k >= blow.step:
            velocities.append(outcome.truth.base.linear_velocity_body[:2])
    recovered = None if fell_after is not None else recovered_after(np.array(velocities), command[:2], spec.dt)
    return Outcome(blow.direction, phase, blow.seed, fell_after, recovered)


def change(blow: Blow, orientation_wxyz: np.ndarray) -> np.ndarray:
    """(3,) m/s in the world."""
    w, x, y, z = orientation_wxyz
    angle = math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)) + blow.direction
    return blow.speed * np.array([math.cos(angle), math.sin(angle), 0.0])


def recovered_after(velocities: np.ndarray, command: np.ndarray, dt: float) -> float | None:
    """(T, 2) of each step since the blow -> end of the first stride from which on all are as commanded."""
    stride = round(STRIDE / dt)
    sums = np.cumsum(np.concatenate([np.zeros((1, 2)), velocities]), 0)
    off = np.linalg.norm((sums[stride:] - sums[:-stride]) / stride - command, axis=1) > RECOVERED
    if off[-1]:
        return None
    since = int(np.flatnonzero(off)[-1]) + 1 if off.any() else 0
    return (since + stride) * dt
