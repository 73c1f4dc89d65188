"""How well a fixed model drives the robot, judged on the truth: are commands followed, is the goal reached and kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from mbrl_ros.backends import new_backend
from mbrl_ros.control.agent import Agent
from mbrl_ros.control.report import TrackingScore
from mbrl_ros.learning.session import Session
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.runs import RunConfig
from mbrl_ros.settings import DRIVING_MODES
from mbrl_ros.types import CHANGED

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
GOAL_SECONDS = 15.0  # of robot time to reach a goal and to keep it
KEPT_SECONDS = 5.0  # at the end, in which it should be kept
KEPT_SHARE, FOR_GOOD = "_share_last_5s", "_for_good_after_s"  # keys of a report, after the name of the goal
OUTSIDE = "out_of_bounds_share"  # likewise: of all steps, where the task bounds the state
NO_PLANS, WHY_NO_PLAN = "no_plans", "why_no_plan"  # steps without a plan, and what was said in the last of them


@dataclass(frozen=True)
class Evaluation:
    score: TrackingScore
    falls: int
    clipped_share: float
    cost: float  # mean of what the task takes off a step, on the truth
    no_plans: int  # steps without a plan
    why_no_plan: str  # in the last of them


def evaluate_tracking(
    run: RunConfig,
    spec: RobotSpec,
    model,
    commands: Sequence[tuple[float, float, float]] = COMMANDS,
    hold: float = 4.0,
    seed: int = 0,
    perfect_state: bool = False,
    progress: Callable[[float], None] = lambda share: None,
    policy=None,
) -> Evaluation:
    """One continuous run over all commands."""
    session = driving(run, spec, model, seed, not perfect_state, policy)
    task, layout = session.agent.task, session.agent.layout
    score, falls, earned = TrackingScore(), 0, 0.0
    falls += until_followed(session)
    steps = round(hold / spec.dt)
    for number, command in enumerate(commands):
        score.begin()
        for k in range(steps):
            outcome = session.step(np.array(command))
            falls += outcome.fell
            base = outcome.truth.base
            velocity = (*base.linear_velocity_body[:2], base.angular_velocity_body[2])
            score.add(outcome.truth.stamp_ns * 1e-9, command, velocity)
            reached = torch.from_numpy(layout.encode(outcome.truth))
            earned += float(task.reward(reached, torch.tensor(command, dtype=torch.float32)))
            progress((number * steps + k + 1) / (len(commands) * steps))
    session.check_planned()
    clipped = sum(session.actions[action] for action in CHANGED) / max(1, session.steps)
    missed = session.no_plans, session.why_no_plan
    return Evaluation(score, falls, clipped, -earned / (steps * len(commands)), *missed)


def evaluate_goal(
    run: RunConfig,
    spec: RobotSpec,
    model,
    seconds: float = GOAL_SECONDS,
    seed: int = 0,
    perfect_state: bool = False,
    policy=None,
) -> dict:
    """From the start of the robot: when it reached the goal of its task for good, how well it kept it, and how often it
    was out of the bounds of the state, where there are some; steps without a plan, and why the last had none."""
    session = driving(run, spec, model, seed, not perfect_state, policy)
    task, layout = session.agent.task, session.agent.layout
    violation = getattr(task, "violation", None)
    there, outside, falls, command = [], [], 0, np.zeros(task.command_size)
    for _ in range(round(seconds / spec.dt)):
        outcome = session.step(command)
        reached = torch.from_numpy(layout.encode(outcome.truth))
        there.append(bool(task.at_goal(reached)))
        if violation is not None:
            outside.append(bool(violation(reached) > 0))
        falls += outcome.fell
    session.check_planned()
    bounded = {OUTSIDE: float(np.mean(outside))} if violation is not None else {}
    missed = {NO_PLANS: session.no_plans, WHY_NO_PLAN: session.why_no_plan}
    return goal_kept(task.goal, np.array(there), spec.dt) | bounded | {"falls": falls} | missed


def goal_kept(goal: str, there: np.ndarray, dt: float) -> dict:
    """(T,) bool, at the goal or not -> the share of the last 5 s there, and since when for good (None: not at all)."""
    away = np.flatnonzero(~there)
    since = away[-1] + 1 if len(away) else 0
    return {
        f"{goal}{KEPT_SHARE}": float(there[-round(KEPT_SECONDS / dt) :].mean()),
        f"{goal}{FOR_GOOD}": float(since * dt) if since < len(there) else None,
    }


def driving(run: RunConfig, spec: RobotSpec, model, seed: int, noise: bool, policy=None) -> Session:
    """Nothing explored, nothing learned: as the run's mode says, or by plans where that is no way to drive."""
    mode = run.planner.mode if run.planner.mode in DRIVING_MODES else "mppi"
    agent = Agent(spec, dataclasses.replace(run.planner, learning=False, mode=mode, seed=seed))
    if model is not None:
        agent.set_model(model, 1)
    agent.set_policy(policy)
    return Session(run, new_backend(spec, seed + 1000, noise, run.bridge.latency), agent)


def until_followed(session: Session) -> int:
    """A robot that stands takes a moment to be let go. How often it fell meanwhile."""
    falls = 0
    for _ in range(round(WARM_UP / session.agent.spec.dt)):
        if session.following:
            break
        falls += session.step(np.zeros(session.agent.task.command_size)).fell
    return falls
