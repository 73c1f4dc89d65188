"""`mbrl bench doubt`: does the ensemble's doubt keep quiet where the model is right, and speak where it is not?

The same robot, the same commands, and something that the model has never learned: a load, a weak leg, ice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mbrl_ros.bench.seen import Seen
from mbrl_ros.control.report import Velocity
from mbrl_ros.dynamics.calibration import STEPS, Calibration, through_members
from mbrl_ros.dynamics.ensemble import Ensemble
from mbrl_ros.dynamics.uncertainty import area_under_curve
from mbrl_ros.learning.evaluating import COMMANDS, driving
from mbrl_ros.learning.session import Session
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.runs import RunConfig
from mbrl_ros.types import Transition

READY = 3.0  # s until the guard has faded in, after which it begins
HOLD = 4.0  # s a command
WHOLE_RANGE = (("planner.speed_limit", 3.0), ("planner.yaw_rate_limit", 4.0))
BEYOND_DATA: tuple[Velocity, ...] = (
    (1.2, 0.0, 0.0),
    (1.6, 0.0, 0.0),
    (2.0, 0.0, 0.0),
    (0.0, 0.8, 0.0),
    (0.0, 0.0, 2.5),
)


@dataclass(frozen=True)
class Situation:
    name: str
    change: Callable[[Session], None] = lambda session: None
    commands: tuple[Velocity, ...] = COMMANDS
    settings: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class DoubtRow:
    """One walk through all commands of a situation."""

    situation: str
    seed: int
    falls: int
    doubt_p50: float
    doubt_p99: float
    limited: float  # share of the steps in which less than the commanded speed was left
    stood: float  # share in which the robot stood because of it
    velocity_error: float  # m/s, mean over all steps
    wrong: float  # share of the looks after which the model was off by more than usual
    auroc: float | None  # of disagreement along the plan, as a warning of that; None: always or never off


def loaded(kilograms: float) -> Callable[[Session], None]:
    def change(session: Session) -> None:
        session.backend.model.body_mass[1] += kilograms  # the base, next to the world

    return change


def slippery(friction: float) -> Callable[[Session], None]:
    def change(session: Session) -> None:
        session.backend.model.geom_friction[:, 0] = friction

    return change


def weak(share: float) -> Callable[[Session], None]:
    def change(session: Session) -> None:
        session.backend.impair({session.agent.spec.actuated_names[2]: share}, ())

    return change


def turned_over(session: Session) -> None:
    """And nobody stands it up."""
    session.backend.data.qpos[2:7] = 0.15, 0.0, 1.0, 0.0, 0.0
    session.backend.fallen = lambda: False


SITUATIONS = (
    Situation("as learned"),
    Situation("slippery, friction 0.15", slippery(0.15)),
    Situation("load of 5 kg", loaded(5.0)),
    Situation("load of 8 kg", loaded(8.0)),
    Situation("a joint with 0.3 of its torque", weak(0.3)),
    Situation("faster than any data", commands=BEYOND_DATA, settings=WHOLE_RANGE),
    Situation("on its back", turned_over, commands=COMMANDS[:1]),
)


def bench_doubt(
    run: RunConfig, spec: RobotSpec, model: Ensemble, known: Calibration, seeds: Sequence[int]
) -> Iterator[DoubtRow]:
    for situation in SITUATIONS:
        for seed in seeds:
            yield walked(run, spec, model, known, situation, seed)


def walked(
    run: RunConfig, spec: RobotSpec, model: Ensemble, known: Calibration, situation: Situation, seed: int
) -> DoubtRow:
    run = run.with_all(dict(situation.settings))
    session, seen = driving(run, spec, model, seed, run.bridge.noise), Seen()
    session.agent.trust.calibration, session.learner = known, seen
    for _ in range(round(READY / spec.dt)):
        session.step(np.zeros(3))
    situation.change(session)
    seen.transitions.clear()
    trust, falls, off, looks, shares = session.agent.trust, 0, [], [], []
    for command in situation.commands:
        for _ in range(round(HOLD / spec.dt)):
            outcome = session.step(np.array(command))
            falls += outcome.fell
            off.append(np.linalg.norm(outcome.truth.base.linear_velocity_body[:2] - command[:2]))
            looks.append((session.backend.stamp_ns, session.opinion.disagreement or 0.0, trust.doubt or 0.0))
            shares.append((trust.share < 1.0, trust.stopped))
    wrong, auroc = _warned(seen.transitions, model, known, session.agent.layout.scales, looks)
    doubts, (limited, stood) = [doubt for _, _, doubt in looks], np.mean(shares, 0)
    p50, p99 = np.percentile(doubts, [50, 99])
    return DoubtRow(
        situation.name, seed, falls, float(p50), float(p99), float(limited), float(stood), float(np.mean(off)),
        wrong, auroc,
    )  # fmt: skip


def _warned(transitions: Sequence[Transition], model, known: Calibration, scales, looks) -> tuple[float, float | None]:
    """Over STEPS steps after each look: how often the model was off by more than usual, and whether it was said."""
    said = {stamp_ns: disagreement for stamp_ns, disagreement, _ in looks}
    score, windows = [], []
    for first in range(0, len(transitions) - STEPS, STEPS):
        window = transitions[first : first + STEPS]
        whole = window[-1].sequence - window[0].sequence == STEPS - 1
        if whole and window[0].stamp_ns in said:
            score.append(said[window[0].stamp_ns])
            windows.append(window)
    if not windows:
        return 0.0, None
    states = torch.from_numpy(np.stack([w[0].state for w in windows]))
    actions = torch.from_numpy(np.array([[t.action for t in w] for w in windows], np.float32))
    truth = np.array([[t.next_state for t in w] for w in windows])
    mean = through_members(model, states, actions).detach().mean(0).numpy()
    off = np.sqrt((((mean - truth) / scales) ** 2).mean((1, 2))) > known.usual
    return float(off.mean()), area_under_curve(np.array(score), off)
