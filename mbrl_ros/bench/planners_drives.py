"""Robots driven by plans, and what these cost: what the experiments of `mbrl bench planners` are made of."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from mbrl_ros.backends import new_backend
from mbrl_ros.control.agent import Agent
from mbrl_ros.dynamics.ensemble import Ensemble
from mbrl_ros.dynamics.native import planning_model
from mbrl_ros.learning.evaluating import driving
from mbrl_ros.learning.learner import Learner
from mbrl_ros.learning.session import Session
from mbrl_ros.planners.problem import PlanResult
from mbrl_ros.robots.spec import RobotSpec, load_robot
from mbrl_ros.runs import RunConfig, load_run, with_settings
from mbrl_ros.types import CHANGED

ROUNDED = 1e-5  # of a sum of weights, and of what is within bounds but for that
DIFFERENTIATED = 3  # rollouts that one with its gradient counts for: forward, and backward, which is two of them


class Counted:
    """A model that counts the steps it is asked for: members x rows x horizon."""

    def __init__(self, model):
        self._model = planning_model(model) if isinstance(model, Ensemble) else model
        self.members, self.steps = self._model.members, 0
        if hasattr(self._model, "differentiable_rollout"):
            self.differentiable_rollout = self._differentiable_rollout

    def rollout(self, states: Tensor, actions: Tensor) -> Tensor:
        self.steps += actions[..., 0].numel()
        return self._model.rollout(states, actions)

    def _differentiable_rollout(self, states: Tensor, actions: Tensor) -> Tensor:
        self.steps += DIFFERENTIATED * actions[..., 0].numel()
        return self._model.differentiable_rollout(states, actions)


@dataclass(frozen=True)
class Driven:
    """One drive, judged on the truth."""

    task: object
    reached: Tensor  # (T, S)
    reward: float  # mean a step
    steps: float  # of the model, a plan
    ms: float  # of the processor, a plan
    outside: int  # plans that were out of bounds by more than rounding, before they were clamped to them
    slowed: int  # first targets that were asked for faster than the joints' targets may change
    changed: int  # targets that the guard had to change, but for the first three: it begins by holding the robot
    fell: bool  # and then it ended


def configured(name: str, planner: str, **settings) -> RunConfig:
    """A run with another planner: its horizon and knots, if it has any, are those of the run's MPPI where not said
    otherwise."""
    run = load_run(name)
    usual = {"horizon": run.planner.mppi.horizon, "knot_steps": run.planner.mppi.knot_steps}
    run = run.with_setting("planner.planner", planner)
    read = {f.name for f in fields(run.planner.search)}
    chosen = {key: value for key, value in usual.items() if key in read} | settings
    return with_settings(run, [f"planner.{run.planner.searching}.{key}={value}" for key, value in chosen.items()])


def drive(
    run: RunConfig, model, seconds: float, seed: int, policy=None, spec: RobotSpec | None = None, until=None
) -> Driven:
    """From the start of the robot, under sensor noise; to the end, a fall, or where `until` (task, state) says so."""
    spec = spec or load_robot(run.planner.robot)
    counted = Counted(model)
    session = driving(run, spec, counted, seed, run.bridge.noise, policy)
    task, layout, search = session.agent.task, session.agent.layout, session.agent.search
    costs, find = [], search.find

    def found(*given):
        steps, began = counted.steps, time.process_time()
        result = find(*given)
        costs.append((counted.steps - steps, 1e3 * (time.process_time() - began)))
        return result

    search.find = found
    reached, outside, slowed, changed, fell = [], 0, 0, 0, False
    for k in range(round(seconds / spec.dt)):
        outcome = session.step(np.zeros(task.command_size))
        changed += k > 2 and outcome.action in CHANGED
        reached.append(layout.encode(outcome.truth))
        result, fell = session.agent.last_result, outcome.fell
        if isinstance(result, PlanResult):
            outside += result.beyond > ROUNDED
            slowed += too_fast(search, session.agent.map, result.actions)
        if fell or (until and until(task, torch.from_numpy(reached[-1]))):
            break
    states = torch.from_numpy(np.array(reached))
    steps, ms = np.mean(costs, 0) if costs else (0.0, 0.0)
    reward = float(task.reward(states, torch.zeros(task.command_size)).mean())
    return Driven(task, states, reward, float(steps), float(ms), outside, slowed, changed, fell)


def too_fast(search, action_map, decisions: Tensor) -> bool:
    """Whether the first of decisions (H, U) asks for more than one step's change of what was told before."""
    told = search.situation.told
    target = action_map.decode(decisions[None, :1], search.situation.phase[:1])[0, 0]
    return bool(told.numel() and ((target - told).abs() > action_map.rate * (1 + ROUNDED)).any())


@lru_cache(maxsize=16)
def learned(name: str, seconds: float, seed: int, settings: Sequence[str] = ()) -> Ensemble:
    """The ensemble that a run has learned from so much driving, as `mbrl train` does it."""
    run = with_settings(load_run(name), settings).with_setting("seed", seed)
    spec = load_robot(run.planner.robot)
    agent, learner = Agent(spec, run.planner), Learner(spec, run.learner)
    session = Session(run, new_backend(spec, seed, run.bridge.noise, run.bridge.latency), agent, learner)
    for _ in range(round(seconds / spec.dt)):
        session.step(np.zeros(agent.task.command_size))
    return learner.incumbent
