"""What every kind of learned model must do, whatever it is inside: be built by name, be fitted, be rolled out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from mbrl_ros.backends.environment import EnvironmentLayout, EnvironmentSpec
from mbrl_ros.bench.models_toys import DT, driven
from mbrl_ros.config import ConfigError
from mbrl_ros.dynamics.fitting import FitConfig, fit
from mbrl_ros.dynamics.storage import Card, from_bytes, to_bytes
from mbrl_ros.kind_settings import as_text
from mbrl_ros.known import MODELS, the
from mbrl_ros.robots.features import FeatureLayout
from mbrl_ros.robots.spec import load_robot

CAR = FeatureLayout(load_robot("car"))  # whose law of motion physics knows, and any network can learn
BATCH, HORIZON = 7, 4
OF_ANY_ROBOT = [name for name in MODELS if name not in ("physics", "residual")]
WITHOUT_PRIOR = {"bayes": {"divergence": 0.0}}  # which else pulls more and more while a fit goes on
every_kind = pytest.mark.parametrize("name", MODELS)


def made(name, seed=0, **settings):
    kind = the("model", name)
    return kind, kind.new(kind.Config(**settings), CAR, seed)


def recording():
    """Five runs of twelve steps."""
    runs = [driven(12 * DT, seed) for seed in range(5)]
    return torch.cat([run.states for run in runs]), torch.cat([run.actions for run in runs])


def question(model):
    generator = torch.Generator().manual_seed(2)
    states = torch.randn(model.members, BATCH, CAR.size, generator=generator)
    return states, 0.4 * torch.rand(model.members, BATCH, HORIZON, 2, generator=generator)


@every_kind
def test_states_follow_for_every_member_candidate_and_step(name):
    _, model = made(name)
    states, actions = question(model)
    before = states.clone(), actions.clone()
    path = model.rollout(states, actions)
    assert path.shape == (model.members, BATCH, HORIZON, CAR.size)
    assert torch.isfinite(path).all()
    assert torch.equal(states, before[0]) and torch.equal(actions, before[1])


@every_kind
def test_the_same_seed_gives_the_same_model_and_the_same_future(name):
    paths, losses = [], []
    for _ in range(2):
        kind, model = made(name, seed=3)
        fitted = fit(kind, model, *recording(), FitConfig(steps=5, batch=8), seed=4)
        paths.append(fitted.model.rollout(*question(fitted.model)))
        losses.append(fitted.losses)
    assert torch.equal(*paths)
    np.testing.assert_array_equal(*losses)


@every_kind
def test_what_is_read_from_a_file_foresees_the_same(name):
    kind, model = made(name, seed=3)
    model = fit(kind, model, *recording(), FitConfig(steps=3, batch=8), seed=4).model
    card = Card("car", CAR.spec.layout_hash, 1, 12.0, 0.1, 0.9, kind=name, kind_settings=as_text(kind.Config()))
    if name == "ensemble":
        card = replace(card, kind_settings="")
    read, found = from_bytes(to_bytes(model, card), CAR)
    assert found == card
    for one in (model, read):
        if hasattr(one, "generator"):
            one.generator.manual_seed(5)
    assert torch.equal(read.rollout(*question(read)), model.rollout(*question(model)))


@every_kind
def test_what_comes_later_changes_nothing_before(name):
    paths = []
    for late in (0.0, 0.5):
        _, model = made(name)
        states, actions = question(model)
        actions[:, :, 2:] += late
        paths.append(model.rollout(states, actions))
    assert torch.equal(paths[0][:, :, :2], paths[1][:, :, :2])
    assert not torch.equal(paths[0][:, :, 2:], paths[1][:, :, 2:])


@every_kind
def test_a_fit_follows_its_loss_down(name):
    kind, model = made(name, **WITHOUT_PRIOR.get(name, {}))
    config = FitConfig(steps=150, batch=32, rollout=1 if name in ("energy", "diffusion") else 2)
    losses = fit(kind, model, *recording(), config, seed=0).losses
    assert np.isfinite(losses).all()
    assert losses[-30:].mean() < losses[:30].mean()


@every_kind
def test_what_offers_a_gradient_has_one(name):
    _, model = made(name)
    if not hasattr(model, "differentiable_rollout"):
        pytest.skip(f"{name} offers none")
    states, actions = question(model)
    actions.requires_grad_(True)
    model.differentiable_rollout(states, actions).square().sum().backward()
    assert torch.isfinite(actions.grad).all() and actions.grad.abs().sum() > 0


@every_kind
def test_candidates_are_compared_under_equal_luck(name):
    _, model = made(name)
    states, actions = question(model)
    states[:, 1], actions[:, 1] = states[:, 0], actions[:, 0]
    path = model.rollout(states, actions)
    torch.testing.assert_close(path[:, 0], path[:, 1])


@pytest.mark.parametrize("name", OF_ANY_ROBOT)
def test_a_robot_file_is_enough_to_build_one(name):
    layout, kind = FeatureLayout(load_robot("cartpole")), the("model", name)
    model = kind.new(kind.Config(), layout, 0)
    states, actions = torch.zeros(model.members, 3, layout.size), torch.zeros(model.members, 3, 2, 1)
    assert torch.isfinite(model.rollout(states, actions)).all()


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"no model 'gausian'\. Known: l2, gaussian"):
        the("model", "gausian")


def test_what_is_not_finite_is_not_learned_from():
    kind, model = made("l2")
    states, actions = recording()
    states[0, 3] = torch.nan
    with pytest.raises(ValueError, match="finite"):
        fit(kind, model, states, actions, FitConfig(steps=1))


def test_runs_shorter_than_the_rollout_are_refused():
    kind, model = made("l2")
    states, actions = recording()
    with pytest.raises(ValueError, match="runs of 3 steps are too short to roll a model for 4"):
        fit(kind, model, states[:, :4], actions[:, :3], FitConfig(steps=1, rollout=4))


@every_kind
def test_an_environment_is_learned_as_a_robot_is_but_by_those_who_need_a_law(name):
    """In its units: actions from the middle of its bounds, in halves of their range."""
    bounds = np.array([[-3.0, 0.0], [1.0, 10.0]])
    spec = EnvironmentSpec("somewhere", ("x", "y", "z"), np.array([1.0, 2.0, 5.0]), bounds, dt=0.1, episode_steps=20)
    kind = the("model", name)
    if name not in OF_ANY_ROBOT:
        with pytest.raises(ConfigError, match="needs the layout of a robot.* got somewhere"):
            kind.new(kind.Config(), EnvironmentLayout(spec), 0)
        return
    model = kind.new(kind.Config(), EnvironmentLayout(spec), 0)
    assert model.action_offset.tolist() == [-1.0, 5.0] and model.action_scale.tolist() == [2.0, 5.0]
    generator = torch.Generator().manual_seed(0)
    states, actions = torch.randn(5, 9, 3, generator=generator), 4 * torch.rand(5, 8, 2, generator=generator)
    model = fit(kind, model, states, actions, FitConfig(steps=2, batch=8), seed=0).model
    path = model.rollout(torch.zeros(model.members, BATCH, 3), torch.zeros(model.members, BATCH, HORIZON, 2))
    assert path.shape == (model.members, BATCH, HORIZON, 3) and torch.isfinite(path).all()
