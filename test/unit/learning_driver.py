"""Small worlds to learn: transitions by hand, and a cart on a rail that obeys a linear law."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mbrl_ros.learner_settings import EnsembleConfig, TrainConfig
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.settings import LearnerConfig
from mbrl_ros.types import Flag, Transition

_FILE = load_robot("cartpole")
_CART, _POLE = _FILE.joints
# Numbers of our own, so that tuning the robot file moves no expectation here.
_CART = replace(_CART, effort=20.0, reach=20.0, action_scale=10.0)
CARTPOLE = replace(_FILE, joints=(_CART, _POLE), dt=0.04, sample_rate=100.0)
GO1 = load_robot("go1_like")
SMALL = EnsembleConfig(members=3, width=16, layers=2)


def transition(
    number: int, state=None, action=None, following=None, spec=CARTPOLE, stamp_ns=None, start_ns=0
) -> Transition:
    """Number `number` of an unbroken run; by default its state says its own number and its next state the next."""
    layout = FeatureLayout(spec)
    state = np.full(layout.size, number, np.float32) if state is None else np.asarray(state, np.float32)
    following = np.full(layout.size, number + 1, np.float32) if following is None else np.asarray(following, np.float32)
    action = np.full(len(spec.actuated), number, float) if action is None else np.asarray(action, float)
    stamp_ns = number * spec.dt_ns if stamp_ns is None else stamp_ns
    return Transition(
        state, action, following, np.zeros(0), 0.0, 0.0, False, Flag(0), number, stamp_ns, start_ns, model=0
    )


def linear_run(count: int, seed: int = 0, first: int = 0, gain: float = 0.1) -> list[Transition]:
    """A run of s' = 0.9 s + gain * a, a in tens of newtons, under random pushes."""
    generator = np.random.default_rng(seed)
    size = FeatureLayout(CARTPOLE).size
    state, found = generator.normal(size=size), []
    for k in range(first, first + count):
        push = generator.normal(size=1)
        following = 0.9 * state + gain * push
        found.append(transition(k, state, 10.0 * push, following))
        state = following
    return found


def quick_config(**changes) -> LearnerConfig:
    """A learner of the cartpole that is done in a blink; first training after 4 s (100 transitions), then each 2 s."""
    settings = {
        "robot": "cartpole",
        "task": "cartpole",
        "model": "scratch",
        "first_seconds": 4.0,
        "first_steps": 60,
        "every_seconds": 2.0,
        "steps": 20,
        "ensemble": SMALL,
        "train": TrainConfig(batch=32, rollout=2, mirror=False, rate=3e-3),
    }
    return LearnerConfig(**(settings | changes))
