"""Who learns an environment while acting in it, trial by trial: an ensemble, a planner, and a reward known or learned.

What a run of a robot has, without what belongs to robots: no guard, no delay, no noise of sensors.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from mbrl_ros.backends.environment import EnvironmentLayout, EnvironmentSpec, Episodes
from mbrl_ros.control.search import Search
from mbrl_ros.data.replay import ReplayBuffer, resampled
from mbrl_ros.dynamics.beside.reward import learned_reward
from mbrl_ros.dynamics.ensemble import Normaliser, new_ensemble, renormalise
from mbrl_ros.dynamics.fitting import FitConfig
from mbrl_ros.dynamics.training import Trainer
from mbrl_ros.learner_settings import EnsembleConfig, TrainConfig
from mbrl_ros.planners.problem import NoPlan
from mbrl_ros.settings import CostConfig, MppiConfig, PlannerConfig
from mbrl_ros.types import Transition

NOBODY = torch.zeros(0)  # environments have no commands
REWARD_FIT = FitConfig(steps=600, batch=64)


@dataclass(frozen=True)
class Studies:
    """How it learns and plans."""

    explored: int  # steps of random motion, before anything is learned
    train_every: int  # steps
    first: int  # steps of training on what was explored
    later: int  # each time after that
    planner: MppiConfig
    ensemble: EnsembleConfig = EnsembleConfig(members=5, width=64)
    train: TrainConfig = TrainConfig(batch=64, rollout=4)


@dataclass(frozen=True)
class Trial:
    """One trial, from its start until it is over, and all that came before it."""

    earned: float
    steps: int  # real ones so far
    seconds: float  # since the first step, of the wall clock
    processor: float  # of one core: the same where nothing else runs
    explored: bool  # by random motion


def sections(planner: str, studies: Studies) -> dict:
    """That planner, as far ahead and with as many rollouts a plan as the MPPI of the studies; the rest is its own."""
    usual, own = studies.planner, PlannerConfig(planner=planner)
    if own.searching == "mppi":
        return {"planner": planner, "mppi": usual}
    read = {f.name: getattr(own.search, f.name) for f in fields(own.search)}
    given = {name: getattr(usual, name) for name in ("horizon", "knot_steps", "tail") if name in read}
    if "samples" in read:
        given["samples"] = usual.samples * usual.iterations // read.get("iterations", 1)
    return {"planner": planner, own.searching: replace(own.search, **given)}


class Box:
    """Decisions of -1 .. 1 are the actions that an environment takes, from lowest to highest."""

    stepwise = True

    def __init__(self, spec: EnvironmentSpec):
        self.size = len(spec.actuated)
        self.bounds = torch.tensor([[-1.0] * self.size, [1.0] * self.size])
        self.noise = torch.full((self.size,), 0.5)
        self._middle, self._half = (torch.tensor(t, dtype=torch.float32) for t in (spec.posture, spec.action_scale))

    def decode(self, decisions: Tensor, phase: Tensor) -> Tensor:
        return self._middle + decisions * self._half


class Told:
    """In a task's place: what was learned of rewards and ends. Before that nothing is worth anything."""

    command_size = 0

    def __init__(self):
        self._states, self._rewards, self._ends = [], [], []
        self._learned = None

    def add(self, transition: Transition) -> None:
        self._states.append(transition.next_state)
        self._rewards.append(transition.reward)
        self._ends.append(transition.terminal)

    def learn(self, seed: int) -> None:
        states = torch.from_numpy(np.stack(self._states))
        told = torch.tensor(self._rewards, dtype=torch.float32), torch.tensor(self._ends)
        self._least = min(0.0, *self._rewards)
        self._learned = learned_reward(states, states[:, :0], *told, REWARD_FIT, seed)

    def reward(self, state: Tensor, command: Tensor) -> Tensor:
        """States (..., S) -> (...). Who has come to an end earns no more: 0, or less where others earn less."""
        if self._learned is None:
            return state[..., 0] * 0
        return torch.where(self.terminated(state), self._least, self._learned.reward(state, command))

    def terminated(self, state: Tensor) -> Tensor:
        """(...) bool"""
        return self._learned.terminated(state)


class Student:
    """It knows the environment by its transitions; the reward by `task`, or where that is None by them, too."""

    def __init__(self, spec: EnvironmentSpec, studies: Studies, seed: int, task=None, planner: str = "mppi"):
        self._layout, self._studies, self._seed = EnvironmentLayout(spec), studies, seed
        self._told = Told() if task is None else None
        self._box = Box(spec)
        cost = CostConfig(smoothness=0.001, prior=0.01)
        config = PlannerConfig(action_map="joint", learning=False, cost=cost, seed=seed, **sections(planner, studies))
        self._search = Search(spec, config, task or self._told, self._box, self._layout.size)
        self._buffer = ReplayBuffer(100_000, self._layout.size, self._box.size, spec.dt_ns)
        train = studies.train
        self._trainer = Trainer(new_ensemble(studies.ensemble, self._layout, seed), train.rate, train.weight_decay)
        self._random = np.random.default_rng(seed)

    def add(self, transition: Transition) -> None:
        self._buffer.add(transition)
        if self._told:
            self._told.add(transition)

    def learn(self, steps: int) -> None:
        """And plan with what came of it."""
        statistics = Normaliser.of_data(*self._buffer.everything(), self._layout.scales)
        self._trainer.replace_values(renormalise(self._trainer.model, statistics))
        train = self._studies.train
        starts = self._buffer.starts(train.rollout, held_out=False)
        own = resampled(self._buffer, starts, self._studies.ensemble.members, self._seed)
        for _ in range(steps):
            picked = np.stack([o[self._random.integers(len(o), size=train.batch)] for o in own])
            states, actions = self._buffer.sequences(picked, train.rollout)
            self._trainer.step(torch.from_numpy(states), torch.from_numpy(actions))
        if self._told:
            self._told.learn(self._seed)
        self._search.set_model(self._trainer.model)

    def random_action(self) -> np.ndarray:
        return self._random.uniform(*self._layout.spec.bounds)

    @torch.inference_mode()
    def action(self, observation: np.ndarray) -> np.ndarray:
        situation = self._search.situation
        situation.begin(torch.from_numpy(observation), NOBODY, torch.zeros(len(situation.phase)))
        found = self._search.plan(elapsed=1)
        if isinstance(found, NoPlan):
            return self.random_action()
        return self._box.decode(found.actions[0], situation.phase).numpy().astype(float)

    def begin(self) -> None:
        """A trial."""
        self._search.memory.forget()


def taught(student: Student, episodes: Episodes, studies: Studies, most: int) -> list[Trial]:
    """The trials of random motion, and `most` that are planned."""
    torch.set_num_threads(1)
    began, processor, found, steps = time.monotonic(), time.process_time(), [], 0

    def told(explored: bool) -> Trial:
        spent = time.monotonic() - began, time.process_time() - processor
        return Trial(episodes.earned[-1], steps, *spent, explored)

    while steps < studies.explored:
        student.add(episodes.step(student.random_action(), explored=True))
        steps += 1
        if episodes.over or steps == studies.explored:
            found.append(told(explored=True))
    student.learn(studies.first)
    for _ in range(most):
        episodes.begin()
        student.begin()
        while not episodes.over:
            student.add(episodes.step(student.action(episodes.observation)))
            steps += 1
            if steps % studies.train_every == 0:
                student.learn(studies.later)
        found.append(told(explored=False))
    return found
