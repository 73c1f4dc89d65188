"""A kind of model that learns in the loop: a new one again and again, as often and for as many steps as any other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from mbrl_ros.bench.ladder_budgets import Budget
from mbrl_ros.data.replay import ReplayBuffer
from mbrl_ros.dynamics.evaluation import HeldOut
from mbrl_ros.dynamics.fitting import FitConfig, fit
from mbrl_ros.dynamics.storage import Card
from mbrl_ros.kind_settings import kind_config, single_steps
from mbrl_ros.known import the
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.learning.learner import Verdict
from mbrl_ros.robots.features import FeatureLayout, turned
from mbrl_ros.robots.spec import RobotSpec
from mbrl_ros.settings import LearnerConfig
from mbrl_ros.types import Transition

PARTICLES = 5  # of what has several answers for one state
DIFFUSION_STEPS = 4
STARTS, WALK = 8, 1  # of a sample of the energy model: starts looked at, and steps down from the best
ENERGY = {"particles": 1, "starts": STARTS, "steps": WALK, "offered": 16, "chains": 2, "chain_steps": 3}
PASSES = {"diffusion": DIFFUSION_STEPS, "energy": STARTS + 3 * WALK}  # of a network a step; 1 of the others
ROLLOUT = 4  # steps of a window at most
HEADINGS = 8  # each window is turned to, where what a robot does is the same whichever way it heads
SEEDS_APART = 1000


class Refits:
    """Stands where the learner of a session does, for any kind of model."""

    def __init__(self, spec: RobotSpec, name: str, config: LearnerConfig, budget: Budget, seed: int):
        self._spec, self._budget, self._seed = spec, budget, seed
        self.layout = FeatureLayout(spec)
        self.kind, self._config = the("model", name), of_kind(name, config.ensemble)
        rollout = 1 if single_steps(name) else min(config.train.rollout, ROLLOUT)
        self._fit = FitConfig(steps=budget.steps, batch=budget.batch, rollout=rollout)
        if hasattr(self.kind, "RATE"):  # what is fitted then are constants of the world, which are not to be small
            self._fit = replace(self._fit, rate=self.kind.RATE, weight_decay=0.0)
        self.buffer = ReplayBuffer(config.capacity, self.layout.size, len(spec.actuated), spec.dt_ns)
        self.incumbent, self._newest, self.version, self.fit_seconds = None, None, 0, 0.0
        self._turn = config.train.turn
        self._rounds = 0

    def add(self, transition: Transition) -> None:
        self.buffer.add(transition)

    def due(self) -> bool:
        """Whether the next share of the data is there; the last fit is for whoever ends the session to ask for."""
        share = self._budget.seconds / self._budget.fits
        return self._rounds + 1 < self._budget.fits and self.buffer.seconds >= (self._rounds + 1) * share - 1e-6

    def train(self) -> Iterator[float]:
        """A new model, fitted to all data there is."""
        self._rounds += 1
        states, actions = self._windows()
        if not len(states):
            return
        began = time.process_time()
        seed = self._seed + SEEDS_APART * self._rounds
        fitted = fit(self.kind, self.kind.new(self._config, self.layout, seed), states, actions, self._fit, seed)
        self.fit_seconds += time.process_time() - began
        self._newest = fitted.model
        yield from fitted.losses

    def judge(self, loss: float) -> Verdict:
        """Whatever is finite is flown: what a kind of model is worth shows in what it earns."""
        finite = bool(np.isfinite(loss)) and all(torch.isfinite(p).all() for p in self._newest.parameters)
        self.version += finite
        self.incumbent = self._newest if finite else None
        unknown = HeldOut(float("nan"), float("nan"), float("nan"), float("nan"), 0, 0)
        card = Card(self._spec.name, self._spec.layout_hash, self.version, self.buffer.seconds, 0.0, 0.0)
        return Verdict(finite, card, unknown, None, loss, "" if finite else "it is not finite")

    def _windows(self) -> tuple[np.ndarray, np.ndarray]:
        """(W, K + 1, S), (W, K, A): nothing is held out, no rung is judged by a model's error."""
        both = [self.buffer.windows(self._fit.rollout, held_out) for held_out in (False, True)]
        states, actions = (np.concatenate(parts) for parts in zip(*both, strict=True))
        if self._turn and len(states):
            random = np.random.default_rng((self._seed, self._rounds))
            states = np.concatenate([turned(self.layout, states, random) for _ in range(HEADINGS)])
            actions = np.concatenate([actions] * HEADINGS)
        return states, actions


def of_kind(name: str, shape: EnsembleConfig):
    """The Config of a kind, with networks as wide and deep as the run's own."""
    more = {
        "gaussian": {"particles": PARTICLES},
        "ensemble": {"members": shape.members},
        "bayes": {"members": PARTICLES},
        "energy": ENERGY,
        "diffusion": {"particles": PARTICLES, "steps": DIFFUSION_STEPS},
    }
    return replace(kind_config(name, shape), **more.get(name, {}))
