"""What experiments on uncertainty do with a robot: let it move, learn from what came of it, judge it on the truth."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import torch

from mbrl_ros.backends import new_backend
from mbrl_ros.bench.seen import Seen
from mbrl_ros.control.agent import Agent
from mbrl_ros.dynamics.ensemble import Ensemble
from mbrl_ros.learning.evaluating import GOAL_SECONDS, KEPT_SECONDS, driving
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.session import Session
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.runs import RunConfig
from mbrl_ros.settings import LearnerConfig
from mbrl_ros.types import Transition


class Remembering(Learner):
    """Keeps all that it was given."""

    def __init__(self, spec: RobotSpec, config: LearnerConfig):
        super().__init__(spec, config)
        self.transitions: list[Transition] = []

    def add(self, transition: Transition) -> None:
        self.transitions.append(transition)
        super().add(transition)


@dataclasses.dataclass(frozen=True)
class Drive:
    """One judged episode."""

    falls: int
    states: np.ndarray  # (T, S) true ones
    at_goal: np.ndarray  # (T,) bool

    def kept(self, dt: float) -> np.ndarray:
        """Which of the states belong to the last seconds, in which a goal should be kept."""
        return np.arange(len(self.states)) >= len(self.states) - round(KEPT_SECONDS / dt)


def alone(run: RunConfig) -> RunConfig:
    """With a single network, that says what it says and is believed."""
    return treated(run.with_all({"learner.ensemble.members": 1, "learner.train.bootstrap": False}), "expectation")


def treated(run: RunConfig, treatment: str) -> RunConfig:
    return run.with_setting("planner.treatment", treatment)


def random_motion(
    run: RunConfig, spec: RobotSpec, seconds: float, seed: int, again: float = math.inf
) -> list[Transition]:
    """What a robot sees that knows nothing; put back to where it begins every `again` seconds."""
    run, seen = run.with_setting("seed", seed).with_setting("planner.mode", "explore"), Seen()
    session = Session(
        run, new_backend(spec, seed, run.bridge.noise, run.bridge.latency), Agent(spec, run.planner), seen
    )
    for k in range(round(seconds / spec.dt)):
        if k and k * spec.dt % again < spec.dt / 2:
            session.restart()
        session.step(np.zeros(session.agent.task.command_size))
    return seen.transitions


def learned(run: RunConfig, spec: RobotSpec, data: Sequence[Transition], seed: int):
    """A model of nothing but these."""
    learner = Learner(spec, run.with_setting("seed", seed).learner)
    for transition in data:
        learner.add(transition)
    for _ in learner.train():
        pass
    learner.judge()
    return learner.incumbent


@dataclasses.dataclass(frozen=True)
class Gone:
    """What has become of a robot that went on learning."""

    model: Ensemble
    data: list[Transition]  # of all that it has learned from
    falls: int


def gone_on(run: RunConfig, spec: RobotSpec, data: Sequence[Transition], seconds: float, seed: int) -> Gone:
    """A robot that has `data` (or nothing) goes on: it plans, and learns from what comes of it."""
    run = run.with_setting("seed", seed)
    agent, learner = Agent(spec, run.planner), Remembering(spec, run.learner)
    for transition in data:
        learner.add(transition)
    session = Session(run, new_backend(spec, seed, run.bridge.noise, run.bridge.latency), agent, learner)
    falls = sum(session.step(np.zeros(agent.task.command_size)).fell for _ in range(round(seconds / spec.dt)))
    return Gone(learner.incumbent, learner.transitions, falls)


def driven(run: RunConfig, spec: RobotSpec, model, seed: int, seconds: float = GOAL_SECONDS) -> Drive:
    """Nothing learned any more: the true robot, planned with that model."""
    session = driving(run, spec, model, seed, run.bridge.noise)
    task, layout, states, falls = session.agent.task, session.agent.layout, [], 0
    for _ in range(round(seconds / spec.dt)):
        outcome = session.step(np.zeros(task.command_size))
        falls += outcome.fell
        states.append(layout.encode(outcome.truth))
    at_goal = task.at_goal(torch.from_numpy(np.array(states))).numpy()
    return Drive(falls, np.array(states), at_goal)
