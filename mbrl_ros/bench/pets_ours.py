"""Our side of `mbrl bench pets`: the cartpole of mbrl-lib, learned while it is balanced, with the reward known.

An ensemble, expectation over its members, MPPI: what a run of a robot has, with little random motion before, and
training within trials. Only the environment is another.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from mbrl_ros.backends.balanced_cartpole import Balance
from mbrl_ros.backends.environment import EnvironmentLayout, EnvironmentSpec, Episodes
from mbrl_ros.backends.environments import make_environment
from mbrl_ros.bench.pets import Trial
from mbrl_ros.control.search import Search
from mbrl_ros.data.replay import ReplayBuffer, resampled
from mbrl_ros.dynamics.ensemble import Normaliser, new_ensemble, renormalise
from mbrl_ros.dynamics.training import Trainer
from mbrl_ros.planners.problem import NoPlan
from mbrl_ros.settings import CostConfig, EnsembleConfig, MppiConfig, PlannerConfig, TrainConfig

EXPLORED = 40  # steps of random motion: about two trials
TRAIN_EVERY = 25  # steps
FIRST, LATER = 500, 150  # steps of training
ENSEMBLE = EnsembleConfig(members=5, width=64)
TRAIN = TrainConfig(batch=64, rollout=4)
PLANNER = PlannerConfig(
    action_map="joint",
    learning=False,
    mppi=MppiConfig(samples=400, horizon=25, knot_steps=3, temperature=0.1, tail=0.0),
    cost=CostConfig(smoothness=0.001, prior=0.01),
)


class Box:
    """Decisions of -1 .. 1 are the actions that an environment takes, from lowest to highest."""

    def __init__(self, spec: EnvironmentSpec):
        self.size = len(spec.actuated)
        self.bounds = torch.tensor([[-1.0] * self.size, [1.0] * self.size])
        self.noise = torch.full((self.size,), 0.5)
        self._middle, self._half = (torch.tensor(t, dtype=torch.float32) for t in (spec.posture, spec.action_scale))

    def decode(self, decisions: Tensor, phase: Tensor) -> Tensor:
        return self._middle + decisions * self._half


class Student:
    """What learns and plans; it knows the environment by its transitions, and the reward by its definition."""

    def __init__(self, spec: EnvironmentSpec, seed: int):
        layout = EnvironmentLayout(spec)
        self._layout, self._seed = layout, seed
        self._box = Box(spec)
        self._search = Search(spec, replace(PLANNER, seed=seed), Balance(), self._box, layout.size)
        self._buffer = ReplayBuffer(100_000, layout.size, self._box.size, spec.dt_ns)
        self._trainer = Trainer(new_ensemble(ENSEMBLE, layout, seed), TRAIN.rate, TRAIN.weight_decay)
        self._random = np.random.default_rng(seed)

    def add(self, transition) -> None:
        self._buffer.add(transition)

    def learn(self, steps: int) -> None:
        """And plan with what came of it."""
        statistics = Normaliser.of_data(*self._buffer.everything(), self._layout.scales)
        self._trainer.replace_values(renormalise(self._trainer.model, statistics))
        starts = self._buffer.starts(TRAIN.rollout, held_out=False)
        own = resampled(self._buffer, starts, ENSEMBLE.members, self._seed)
        for _ in range(steps):
            picked = np.stack([o[self._random.integers(len(o), size=TRAIN.batch)] for o in own])
            states, actions = self._buffer.sequences(picked, TRAIN.rollout)
            self._trainer.step(torch.from_numpy(states), torch.from_numpy(actions))
        self._search.set_model(self._trainer.model)

    def random_action(self) -> np.ndarray:
        return self._random.uniform(*self._layout.spec.bounds)

    @torch.inference_mode()
    def action(self, observation: np.ndarray) -> np.ndarray:
        situation = self._search.situation
        situation.begin(torch.from_numpy(observation), torch.zeros(0), torch.zeros(len(situation.phase)))
        found = self._search.plan(elapsed=1)
        if isinstance(found, NoPlan):
            return self.random_action()
        return self._box.decode(found.actions[0], situation.phase).numpy().astype(float)

    def forget(self) -> None:
        """A trial is over."""
        self._search.memory.forget()


def trials(seed: int, most: int) -> list[Trial]:
    """The explored ones, and `most` that are planned."""
    torch.set_num_threads(1)
    began, processor = time.monotonic(), time.process_time()
    episodes = Episodes(make_environment("own/balanced-cartpole", seed))
    student, found, steps = Student(episodes.spec, seed), [], 0

    def told(explored: bool) -> Trial:
        seconds = time.monotonic() - began, time.process_time() - processor
        return Trial(episodes.earned[-1], steps, *seconds, explored)

    while steps < EXPLORED:
        student.add(episodes.step(student.random_action(), explored=True))
        steps += 1
        if episodes.over or steps == EXPLORED:
            found.append(told(explored=True))
    student.learn(FIRST)
    for _ in range(most):
        episodes.begin()
        student.forget()
        while not episodes.over:
            student.add(episodes.step(student.action(episodes.observation)))
            steps += 1
            if steps % TRAIN_EVERY == 0:
                student.learn(LATER)
        found.append(told(explored=False))
    return found
