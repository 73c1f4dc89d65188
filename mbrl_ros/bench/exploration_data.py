"""`mbrl bench exploration`: how well a robot is known at every second of its data, on states of its task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import numpy as np

from mbrl_ros.backends import new_backend
from mbrl_ros.control.agent import Agent
from mbrl_ros.dynamics.evaluation import evaluate
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.session import Session
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import RunConfig, load_run
from mbrl_ros.types import Transition

TASKS = ("pendulum", "cartpole", "car")
SECONDS = 18  # of data that each way has
LEARNING = {  # the same for all ways; the first seconds are random motion for all
    "first_seconds": 3.0,
    "first_steps": 400,
    "every_seconds": 1.0,
    "steps": 30,
    "train.rollout": 4,
}
HORIZON = 10  # steps of the open-loop error
WINDOWS = 500
OTHERS = 1000  # seeds from here on are those of data to judge by
AGAIN = 5.0  # s after which a robot begins anew while data to judge by are collected


def settings(task: str, seed: int) -> RunConfig:
    learning = {f"learner.{name}": value for name, value in LEARNING.items()}
    return load_run(f"{task}_mpc").with_all({"seed": seed, **learning})


def sessions(run: RunConfig, learner: Learner | None, seed: int, again: float = 0.0) -> Iterator[Session]:
    """For ever, after each step; begun anew after so many seconds."""
    spec = load_robot(run.planner.robot)
    agent = Agent(spec, run.planner)
    session = Session(run, new_backend(spec, seed, run.bridge.noise, run.bridge.latency), agent, learner)
    steps, command = 0, np.zeros(agent.task.command_size)
    while True:
        session.step(command)
        steps += 1
        yield session
        if again and steps % round(again / spec.dt) == 0:
            session.restart()


@lru_cache
def judges(task: str) -> tuple[np.ndarray, np.ndarray]:
    """Windows, states (B, HORIZON + 1, S) and targets (B, HORIZON, A), of robots that learn the task from other seeds
    and begin anew again and again: the way to the goal, being there, and what random motion comes to. No sensor noise.
    """
    found = []
    for seed in (OTHERS, OTHERS + 1):
        run = settings(task, seed).with_setting("bridge.noise", False)
        run = run.with_setting("planner.explore.while_learning", 0.2)
        spec = load_robot(run.planner.robot)
        learner = Learner(spec, run.learner)
        for _, _ in zip(range(round(SECONDS / spec.dt)), sessions(run, learner, seed, AGAIN), strict=False):
            pass
        found.append(learner.buffer.windows(HORIZON, False, WINDOWS))
    states, actions = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return states, actions


def error(learner: Learner, task: str) -> float:
    """Of the incumbent over HORIZON steps, in scales."""
    return evaluate(learner.incumbent, *judges(task), learner.layout.scales, learner.layout.noise).error


def curve(learner: Learner, task: str, transitions: Iterable[Transition | None]) -> dict[int, float]:
    """Error after each round of training, by the seconds of data that it had; each step brings a transition to learn,
    or (None) has been learned already."""
    errors, rounds = {}, 0
    for transition in transitions:
        if transition is not None:
            learner.add(transition)
            if learner.due():
                for _ in learner.train():
                    pass
                learner.judge()
        if learner.rounds > rounds and learner.incumbent is not None:
            rounds = learner.rounds
            errors[round(learner.seconds)] = error(learner, task)
    return errors


def seconds_to(errors: dict[int, float], target: float) -> float:
    """Of data, to the first error as small, between seconds on a straight line; all of it where there is none."""
    before = None
    for second, now in errors.items():
        if now <= target:
            if before is None or before[1] <= now:
                return float(second)
            return float(before[0] + (second - before[0]) * (before[1] - target) / (before[1] - now))
        before = second, now
    return float(max(errors))


def final(errors: dict[int, float]) -> float:
    """Mean of the last three: one round of training says little."""
    return float(np.mean(list(errors.values())[-3:]))
