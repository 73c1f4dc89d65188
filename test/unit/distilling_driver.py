"""What it takes to distil a policy, small enough for a test: worlds, networks, a teacher of one sentence."""

from __future__ import annotations

from dataclasses import replace

import torch
from learning_driver import GO1

from mbrl_ros.distilling.imagined import Imagined
from mbrl_ros.distilling.valuing import Valuer
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.dynamics.folded import FoldedEnsemble
from mbrl_ros.learner_settings import DistillConfig, EnsembleConfig, ValueConfig
from mbrl_ros.policies.network import new_policy
from mbrl_ros.robots.action_maps import make_action_map
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.settings import CostConfig, MppiConfig, PlannerConfig
from mbrl_ros.tasks import make_task

LAYOUT = FeatureLayout(GO1)
TASK, MAP = make_task("quadruped", LAYOUT), make_action_map("gait", GO1)
FREE = CostConfig(smoothness=0.0, prior=0.0)
PLANNER = PlannerConfig(mppi=MppiConfig(samples=20, horizon=4), seed=3)
TINY = DistillConfig(samples=20, rounds=2, robots=5, steps=4, updates=30, batch=16, judges=5)
LITTLE = ValueConfig(robots=5, steps=4, batches=2, updates=5, batch=16)
STILL = torch.zeros(8, LAYOUT.size)
STILL[:, LAYOUT.gravity.start + 2] = -1.0
STILL[:, LAYOUT.height.start] = 0.285


class Stays(FoldedEnsemble):
    """Nothing ever changes, however it is told to move."""

    def rollout(self, states, actions):
        return states[:, :, None].expand(*actions.shape[:3], -1).clone()


def model_of(kind=FoldedEnsemble):
    return kind(new_ensemble(EnsembleConfig(members=5, width=8), LAYOUT, 0))


def world(seed=3, starts=STILL, push=0.0):
    return Imagined(LAYOUT, replace(PLANNER, seed=seed), model_of(), TASK, MAP, starts, push)


def staying(starts, push=0.0):
    return Imagined(LAYOUT, replace(PLANNER, cost=FREE), model_of(Stays), TASK, MAP, starts, push)


def policy():
    return new_policy(LAYOUT, STILL + 0.1 * torch.randn(STILL.shape), 3, MAP.bounds, 0)


def valuer(imagined=None, config=LITTLE):
    return Valuer(policy(), imagined or world(), config, PLANNER.mppi, PLANNER.cost, seed=0)


class Lesson:
    """Says the same to everybody: the prior, a little to one side."""

    def __init__(self, weights=None):
        self.weights = torch.ones(MAP.size) if weights is None else weights
        self.heard = []  # whom it was told to listen to, and for how many steps

    def begin(self, priors):
        pass

    def sensitivity(self, robots):
        yield 1.0
        return self.weights

    def listen_to(self, policy, value, discount, horizon):
        self.heard.append((policy, value, horizon))

    def decisions(self, robots):
        return robots.priors + 0.1


def finished(part):
    """What comes of something that is done in slices."""
    while True:
        try:
            next(part)
        except StopIteration as end:
            return end.value
