"""What a model learns of a robot that is told motions by number: each motion by itself, wherever the robot heads."""

import numpy as np
import pytest
import torch
from learning_driver import transition

from mbrl_ros.config import ConfigError
from mbrl_ros.dynamics.analytic import AnalyticModel
from mbrl_ros.dynamics.ensemble import Normaliser, each_motion, feature_units, new_ensemble, renormalise
from mbrl_ros.dynamics.folded import FoldedEnsemble
from mbrl_ros.dynamics.native import NativeEnsemble, why_not
from mbrl_ros.dynamics.training import Trainer
from mbrl_ros.learner_settings import EnsembleConfig, TrainConfig
from mbrl_ros.learning.learner import Learner
from mbrl_ros.robots.features import FeatureLayout, turned
from mbrl_ros.robots.spec import load_robot
from mbrl_ros.settings import LearnerConfig

ROVER = load_robot("rover")
LAYOUT, KNOWN, MOTIONS = FeatureLayout(ROVER), AnalyticModel(ROVER), len(ROVER.primitives)


def headed(angle: torch.Tensor) -> torch.Tensor:
    """(B, S) at rest in the origin."""
    states = torch.zeros(len(angle), LAYOUT.size)
    states[:, LAYOUT.heading] = torch.stack([angle.cos(), angle.sin()], -1)
    return states


def driven(angle: torch.Tensor, steps: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """States (B, T + 1, S) and targets (B, T, 1) of random motions, by the law."""
    start, told = headed(angle), torch.randint(MOTIONS, (len(angle), steps, 1), generator=generator).float()
    return torch.cat([start[:, None], KNOWN.rollout(start[None], told[None])[0]], 1), told


def test_a_network_has_one_input_for_each_motion_and_shares_between_two():
    np.testing.assert_array_equal(each_motion(torch.arange(6.0)[:, None], 6), torch.eye(6))
    np.testing.assert_allclose(each_motion(torch.tensor([2.25]), 6), [0, 0, 0.75, 0.25, 0, 0])
    other = torch.randn(4, 3)
    assert each_motion(other, 3) is other
    model = new_ensemble(EnsembleConfig(members=2, width=8), LAYOUT, seed=0)
    assert model.weights[0].shape[1] == LAYOUT.size + MOTIONS


@pytest.mark.parametrize("form", ["folded", "native"])
def test_every_form_of_a_model_sees_motions_alike_and_so_does_its_gradient(form):
    if form == "native" and why_not("float32"):
        pytest.skip(why_not("float32"))
    generator = torch.Generator().manual_seed(0)
    model = new_ensemble(EnsembleConfig(members=2, width=16), LAYOUT, seed=1)
    planned = FoldedEnsemble(model) if form == "folded" else NativeEnsemble(model, "float32")
    states = torch.randn(2, 7, LAYOUT.size, generator=generator)
    told = 5 * torch.rand(2, 7, 4, 1, generator=generator)
    np.testing.assert_allclose(planned.rollout(states, told), model.rollout(states, told).detach(), atol=1e-4)
    slopes = []
    for rollout in (model.rollout, planned.differentiable_rollout):
        variable = told.clone().requires_grad_()
        slopes.append(torch.autograd.grad(rollout(states, variable).square().sum(), variable)[0])
    assert slopes[0].abs().max() > 1e-3
    np.testing.assert_allclose(*slopes, atol=1e-3)


def test_six_motions_are_learned_as_six_and_not_as_points_of_a_line():
    generator = torch.Generator().manual_seed(0)
    states, told = driven(2 * np.pi * torch.rand(400, generator=generator), 2, generator)
    model = new_ensemble(EnsembleConfig(members=1, width=64), LAYOUT, seed=0)
    seen = states[:, :2].flatten(0, 1).numpy(), states[:, 1:].flatten(0, 1).numpy()
    trainer = Trainer(renormalise(model, Normaliser.of_data(*seen, feature_units(LAYOUT))), 3e-3, 0.0)
    for _ in range(700):
        picked = torch.randint(len(states), (1, 128), generator=generator)
        trainer.step(states[picked], told[picked])
    states, told = driven(2 * np.pi * torch.rand(300, generator=generator), 1, generator)
    with torch.no_grad():
        found = trainer.model.rollout(states[None, :, 0], told[None])[0]
    away = (found - states[:, 1:])[..., LAYOUT.position].norm(dim=-1)
    assert away.mean() < 0.05, "m, of steps of 0.25"


def test_a_turned_path_is_what_the_robot_would_have_driven_from_there():
    generator = torch.Generator().manual_seed(1)
    states, told = driven(torch.full((20,), 0.3), 12, generator)
    found = torch.from_numpy(turned(LAYOUT, states[None].numpy(), np.random.default_rng(0))[0])
    ways = torch.atan2(found[:, 0, 3], found[:, 0, 2])
    assert ways.std() > 1.0, "each has a heading of its own"
    np.testing.assert_allclose(KNOWN.rollout(found[None, :, 0], told[None])[0], found[:, 1:], atol=1e-4)


def error_elsewhere(turn: bool) -> float:
    """Of a learner that has only seen headings near zero, m a step, on those that look back."""
    generator = torch.Generator().manual_seed(0)
    config = TrainConfig(turn=turn, rollout=1, rate=3e-3, bootstrap=False)
    size = EnsembleConfig(members=2, width=32)
    learner = Learner(ROVER, LearnerConfig(robot="rover", first_steps=500, ensemble=size, train=config))
    angle = 0.5 * torch.randn(300, generator=generator)
    states, told = driven(angle, 1, generator)
    for k in range(len(angle)):
        learner.add(transition(k, states[k, 0], told[k, 0], states[k, 1], spec=ROVER))
    list(learner.train())
    learner.judge()
    states, told = driven(np.pi + 0.5 * torch.randn(200, generator=generator), 1, generator)
    found = learner.incumbent.rollout(states[:, 0].expand(2, -1, -1), told.expand(2, -1, -1, -1))[:, :, 0].mean(0)
    return float((found - states[:, 1])[:, LAYOUT.position].norm(dim=-1).mean())


def test_a_learner_that_turns_what_it_has_seen_knows_headings_where_it_never_was():
    known = error_elsewhere(turn=True)
    assert known < 0.12 and error_elsewhere(turn=False) > 1.5 * known


def test_turning_what_stands_fast_is_refused():
    config = LearnerConfig(robot="cartpole", task="cartpole", model="scratch", train=TrainConfig(turn=True))
    with pytest.raises(ConfigError, match="learner.train.turn turns a planar base, and cartpole has none"):
        Learner(load_robot("cartpole"), config)
