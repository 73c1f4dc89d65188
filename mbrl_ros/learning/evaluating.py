"""How well a fixed model drives the robot, judged on the truth: commands followed, or the pole kept up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mbrl_ros.backends.mujoco import MujocoBackend
from mbrl_ros.control.agent import Agent
from mbrl_ros.control.report import TrackingScore
from mbrl_ros.learning.session import Session
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.settings import RunConfig

# Commands that no training favours: forwards, backwards, sideways, turning, mixed, and standing still.
COMMANDS = (
    (0.3, 0.0, 0.0),
    (0.5, 0.0, 0.0),
    (0.8, 0.0, 0.0),
    (-0.3, 0.0, 0.0),
    (0.0, 0.2, 0.0),
    (0.4, -0.2, 0.3),
    (0.3, 0.0, -0.6),
    (0.0, 0.0, 0.0),
)
WARM_UP = 5.0  # s at most for the guard to fade in before the first command


@dataclass(frozen=True)
class Evaluation:
    score: TrackingScore
    falls: int
    clipped_share: float


def evaluate_tracking(
    run: RunConfig,
    spec: RobotSpec,
    model,
    commands: Sequence[tuple[float, float, float]] = COMMANDS,
    hold: float = 4.0,
    seed: int = 0,
    perfect_state: bool = False,
    progress: Callable[[float], None] = lambda share: None,
) -> Evaluation:
    """One continuous run over all commands, nothing explored, nothing learned."""
    config = dataclasses.replace(run.planner, learning=False, mode="mppi", seed=seed)
    agent = Agent(spec, config)
    if model is not None:
        agent.set_model(model, 1)
    session = Session(run, MujocoBackend(spec, seed + 1000, noise=not perfect_state), agent)
    score, falls = TrackingScore(), 0
    falls += _wait_until_followed(session)
    steps = round(hold / spec.dt)
    for number, command in enumerate(commands):
        score.begin()
        for k in range(steps):
            outcome = session.step(np.array(command))
            falls += outcome.fell
            base = outcome.truth.base
            velocity = (*base.linear_velocity_body[:2], base.angular_velocity_body[2])
            score.add(outcome.truth.stamp_ns * 1e-9, command, velocity)
            progress((number * steps + k + 1) / (len(commands) * steps))
    total = max(1, sum(session.actions.values()))
    return Evaluation(score, falls, session.actions["clip"] / total)


def evaluate_balance(run: RunConfig, spec: RobotSpec, model, seconds: float = 15.0, seed: int = 0) -> dict:
    """From hanging: share of the last 5 s in which the pole is upright (within 15 degrees)."""
    config = dataclasses.replace(run.planner, learning=False, mode="mppi", seed=seed)
    agent = Agent(spec, config)
    agent.set_model(model, 1)
    session = Session(run, MujocoBackend(spec, seed + 1000, noise=run.bridge.noise), agent)
    pole = [session.step(np.zeros(0)).truth.joint_position[1] for _ in range(round(seconds / spec.dt))]
    return balance(np.array(pole), spec.dt)


def balance(pole: np.ndarray, dt: float) -> dict:
    """Pole angles (T,), 0 upright -> when it came up for good (None: never), and how it stood in the last 5 s."""
    upright = np.cos(pole) > np.cos(np.radians(15))
    last = upright[-round(5 / dt) :]
    down = np.flatnonzero(~upright)
    standing_from = down[-1] + 1 if len(down) else 0
    return {
        "upright_share_last_5s": float(last.mean()),
        "up_for_good_after_s": float(standing_from * dt) if standing_from < len(pole) else None,
    }


def _wait_until_followed(session: Session) -> int:
    falls = 0
    for _ in range(round(WARM_UP / session.agent.spec.dt)):
        falls += session.step(np.zeros(3)).fell
        if session.following:
            break
    return falls
