"""`mbrl bench learn`: what one training step and one held-out evaluation cost."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from mbrl_ros.bench.timing import Row, interleaved, timed
from mbrl_ros.dynamics.ensemble import new_ensemble
from mbrl_ros.dynamics.evaluation import evaluate
from mbrl_ros.dynamics.training import Trainer
from mbrl_ros.learning.learner import HELD_OUT_HORIZON, HELD_OUT_WINDOWS, Learner
from mbrl_ros.learning.trained_on import copied
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.runs import RunConfig
from mbrl_ros.types import Flag, Transition

TRANSITIONS = 2000  # to pick batches from
ENDLESS = 10**9  # training steps: a round that outlasts the measurement

TRAIN, GRADIENT, HELD_OUT = "training step (batch, mirror, gradient)", "gradient", "held-out evaluation"


def bench_learning(run: RunConfig, rounds: int, calls: int) -> list[Row]:
    """On random data: time does not depend on what is in it."""
    config = dataclasses.replace(run.learner, first_steps=ENDLESS)
    torch.set_num_threads(config.threads)
    learner, generator = Learner(load_robot(config.robot), config), np.random.default_rng(config.seed)
    _fill(learner, generator)
    model = new_ensemble(config.ensemble, learner.layout, config.seed)
    trainer = Trainer(copied(model), config.train.rate, config.train.weight_decay)
    steps, batch, members = config.train.rollout, config.train.batch, model.members
    states, actions = _sequences(learner, generator, (members, batch), steps)
    tensors = torch.from_numpy(states), torch.from_numpy(actions)
    windows = _sequences(learner, generator, (HELD_OUT_WINDOWS,), HELD_OUT_HORIZON)
    training = learner.train()
    took = interleaved(
        {
            TRAIN: lambda: next(training),
            GRADIENT: lambda: trainer.step(*tensors),
            HELD_OUT: lambda: evaluate(model, *windows, learner.layout.scales),
        },
        rounds,
        calls,
    )
    trained = {"batch": batch, "rollout": steps}
    evaluated = {"batch": HELD_OUT_WINDOWS, "rollout": HELD_OUT_HORIZON}
    shapes = {TRAIN: trained, GRADIENT: trained, HELD_OUT: evaluated}
    return [timed(Row("learn", name, members=members, **shapes[name]), ms) for name, ms in took.items()]


def _fill(learner: Learner, generator: np.random.Generator) -> None:
    states, actions = _sequences(learner, generator, (), TRANSITIONS)
    nothing = np.zeros(0)
    for k in range(TRANSITIONS):
        stamp_ns = k * learner.spec.dt_ns
        learner.add(
            Transition(
                states[k],
                actions[k],
                states[k + 1],
                nothing,
                0.0,
                0.0,
                False,
                Flag(0),
                k,
                stamp_ns,
                start_ns=0,
                model=0,
            )
        )


def _sequences(learner: Learner, generator: np.random.Generator, shape: tuple[int, ...], steps: int):
    """Random states (*shape, steps + 1, S) and targets (*shape, steps, A), in the robot's own units."""
    spec, scales = learner.spec, learner.layout.scales
    states = scales * generator.standard_normal((*shape, steps + 1, len(scales)), np.float32)
    actions = spec.stance + spec.action_scale * generator.standard_normal((*shape, steps, len(spec.actuated)))
    return states, actions.astype(np.float32)
