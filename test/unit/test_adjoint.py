"""The way back through a rollout says what autograd says of the equations, in float64."""

from dataclasses import replace

import pytest
import torch
from learning_driver import CARTPOLE, GO1
from test_ensemble import inputs, lively

from mbrl_ros.dynamics.folded import FoldedEnsemble
from mbrl_ros.dynamics.native import NativeEnsemble, why_not
from mbrl_ros.learner_settings import EnsembleConfig

MODELS = {"folded": FoldedEnsemble, "float32": lambda m: NativeEnsemble(m, "float32")}


def in_double(model):
    n = model.normaliser
    return replace(
        model,
        weights=tuple(w.double() for w in model.weights),
        biases=tuple(b.double() for b in model.biases),
        normaliser=replace(n, **{name: value.double() for name, value in vars(n).items()}),
        action_offset=model.action_offset.double(),
        action_scale=model.action_scale.double(),
    )


def slope(rollout, states, actions, weights):
    """d/d actions of a weighted sum of all states that follow."""
    actions = actions.clone().requires_grad_()
    return torch.autograd.grad((rollout(states, actions) * weights).sum(), actions)[0]


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("spec", [GO1, CARTPOLE], ids=lambda s: s.name)
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("width", [20, 128])
def test_the_gradient_is_that_of_the_equations(kind, spec, layers, width):
    if kind != "folded" and (reason := why_not(kind)):
        pytest.skip(reason)
    model = lively(EnsembleConfig(members=3, width=width, layers=layers), spec)
    model = replace(model, weights=tuple(w / (width / 20) ** 0.5 for w in model.weights))
    states, actions = inputs(spec, 3, batch=2, horizon=6)
    weights = torch.randn(3, 2, 6, states.shape[-1], generator=torch.Generator().manual_seed(1))
    expected = slope(in_double(model).rollout, states.double(), actions.double(), weights.double()).float()
    found = slope(MODELS[kind](model).differentiable_rollout, states, actions, weights)
    assert (found - expected).norm() < 1e-4 * expected.norm()


@pytest.mark.parametrize("kind", MODELS)
def test_one_candidate_does_not_touch_another(kind):
    if kind != "folded" and (reason := why_not(kind)):
        pytest.skip(reason)
    model = MODELS[kind](lively(EnsembleConfig(members=2, width=16, layers=2)))
    states, actions = inputs(GO1, 2, batch=3, horizon=4)
    weights = torch.zeros(2, 3, 4, states.shape[-1])
    weights[:, 1] = 1.0
    found = slope(model.differentiable_rollout, states, actions, weights)
    assert found[:, 1].abs().min() > 0
    assert not found[:, 0].any() and not found[:, 2].any()
