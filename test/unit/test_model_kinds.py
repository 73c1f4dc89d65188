"""What each kind of model is there for, at the smallest size at which it shows."""

import pytest
import torch

from mbrl_ros.bench import models_modes, models_uncertainty
from mbrl_ros.bench.models_toys import SCALES, field_noise, field_steps, forked, swung
from mbrl_ros.dynamics import uncertainty
from mbrl_ros.dynamics.corrective import corrected
from mbrl_ros.dynamics.fitting import FitConfig, cut, fit, resampled
from mbrl_ros.dynamics.kinds import bayes, diffusion, energy, ensemble, gaussian, l2

QUICK, LONGER = FitConfig(steps=400, batch=128), FitConfig(steps=1000, batch=128)


def fitted(kind, config, data, sizes, fitting=QUICK):
    return fit(kind, kind.new(config, sizes, 0), data.states, data.actions, fitting, 0).model


def test_a_gaussian_says_how_noisy_each_place_is():
    data, fresh = field_steps(2000, 0), field_steps(500, 1)
    model = fitted(gaussian, gaussian.Config(width=32), data, (2, 1), LONGER)
    _, variance = model.distribution(fresh.states[:, 0], fresh.actions[:, 0])
    predicted, true = variance[0].sqrt(), field_noise(fresh.states[:, 0])
    assert (predicted.mean(0) / true.mean(0) - 1).abs().max() < 0.3
    assert torch.corrcoef(torch.stack([predicted[:, 1], true[:, 1]]))[0, 1] > 0.8


def test_rollouts_of_a_gaussian_are_as_wide_as_it_says():
    model = fitted(gaussian, gaussian.Config(width=32, particles=2000), field_steps(500, 0), (2, 1))
    start, told = torch.zeros(1, 2), torch.zeros(1, 1)
    mean, variance = model.distribution(start, told)
    drawn = model.rollout(start.expand(2000, 1, 2), told.expand(2000, 1, 1, 1))[:, 0, 0]
    torch.testing.assert_close(drawn.std(0), variance[0, 0].sqrt(), rtol=0.1, atol=0)
    torch.testing.assert_close(drawn.mean(0), mean[0, 0], rtol=0, atol=0.02)


@pytest.mark.parametrize(
    "kind, config",
    [
        (ensemble, ensemble.Config(width=32)),
        (ensemble, ensemble.Config(width=32, same_start=True)),
        (bayes, bayes.Config(width=32)),
    ],
    ids=["ensemble", "bootstrap alone", "bayes"],
)
def test_members_disagree_where_no_data_came_from(kind, config):
    region = models_uncertainty.in_region
    data, fresh = field_steps(500, 0, keep=lambda s: ~region(s)), field_steps(500, 1)
    model = fitted(kind, config, data, (2, 1))
    score = models_uncertainty.disagreement(model, fresh).numpy()
    assert uncertainty.area_under_curve(score, region(fresh.states[:, 0]).numpy()) > 0.7


def test_members_that_begin_as_larger_functions_disagree_more_where_no_data_came_from():
    region = models_uncertainty.in_region
    data, fresh = field_steps(500, 0, keep=lambda s: ~region(s)), field_steps(500, 1)
    unseen, found = region(fresh.states[:, 0]), []
    for prior in (0.1, 10.0):
        model = fitted(ensemble, ensemble.Config(width=32, prior=prior), data, (2, 1))
        found.append(models_uncertainty.disagreement(model, fresh)[unseen].mean())
    assert found[1] > 2 * found[0]


def test_more_data_takes_ignorance_away_and_leaves_the_noise():
    fresh, found = field_steps(300, 1), []
    for count in (100, 2000):
        model = fitted(gaussian, gaussian.Config(members=5, width=32), field_steps(count, 0), (2, 1), LONGER)
        means, variances = model.distribution(fresh.states[:, 0], fresh.actions[:, 0])
        found.append(uncertainty.split(means.numpy(), variances.numpy()))
    little, much = found
    assert much.epistemic.mean() < 0.5 * little.epistemic.mean()
    assert much.aleatoric.mean() == pytest.approx(field_noise(fresh.states[:, 0]).square().mean().item(), rel=0.4)


@pytest.mark.parametrize(
    "kind, config, steps",
    [
        (energy, energy.Config(particles=20, offered=16, chains=2, chain_steps=3), 300),
        (diffusion, diffusion.Config(particles=50), 1000),
    ],
    ids=["energy", "diffusion"],
)
def test_a_world_with_two_answers_gets_both(kind, config, steps):
    model = fitted(kind, config, forked(1000, 0), (1, 1), FitConfig(steps=steps, batch=128))
    reached, _ = models_modes.samples(model, 0)
    assert 0.25 < (reached > 0).float().mean() < 0.75
    assert (reached.abs() - 1).abs().median() < 0.25


def test_a_mean_is_neither_of_two_answers():
    model = fitted(l2, l2.Config(width=32), forked(1000, 0), (1, 1))
    assert models_modes.in_modes(model, 0) == 0.0


def test_rolling_in_training_helps_rolling_afterwards():
    data, fresh = swung(10, 40, 0, noise=0.1), swung(100, 20, 1)
    errors = []
    for k in (1, 5):
        model = fitted(l2, l2.Config(), data, (3, 1), FitConfig(steps=500, batch=64, rollout=k))
        path = model.rollout(fresh.states[None, :, 0], fresh.actions[None])[0]
        errors.append(((path - fresh.states[:, 1:]) / SCALES).square().mean())
    assert errors[1] < errors[0]


def test_corrective_labels_lead_from_drifted_states_to_true_ones():
    data = swung(4, 12, 0)
    model = l2.new(l2.Config(), (3, 1), 0)  # untrained: it drifts at once
    pairs, told = corrected(model, data.states, data.actions, 4)
    truth, _ = cut(data.states, data.actions, 1)
    assert len(pairs) == len(told) == 4 * 3 * 3  # all but the first step of every stretch
    assert all((truth[:, 1] == target).all(1).any() for target in pairs[:, 1])
    assert not any((truth[:, 0] == start).all(1).any() for start in pairs[:, 0])


def test_corrective_labels_lead_as_many_steps_back_as_the_model_is_rolled():
    data = swung(4, 12, 0)
    model = l2.new(l2.Config(), (3, 1), 0)
    windows, told = corrected(model, data.states, data.actions, 4, rollout=3)
    truth, truly_told = cut(data.states, data.actions, 3)
    assert windows.shape == (4 * 7, 4, 3) and told.shape == (4 * 7, 3, 1)  # of nine, two have no three steps after them
    for path, actions in zip(windows[:, 1:], told, strict=True):
        (place,) = (truth[:, 1:] == path).all((1, 2)).nonzero()[0]
        assert torch.equal(truly_told[place], actions)
    assert not any((truth[:, 0] == start).all(1).any() for start in windows[:, 0])


def test_rounds_of_corrective_labels_go_on_rolling_the_model(monkeypatch):
    seen, whole = [], l2.loss
    monkeypatch.setattr(l2, "loss", lambda m, states, *rest: seen.append(states.shape[2]) or whole(m, states, *rest))
    data = swung(4, 12, 0)
    fit(l2, l2.new(l2.Config(), (3, 1), 0), data.states, data.actions, FitConfig(steps=2, rollout=5, corrective=1))
    assert seen == [6] * 4


def test_what_an_energy_model_is_offered_is_never_the_true_change_itself():
    changes = torch.randn(300, 6)
    for rows in (2, 100, 300):
        others = energy._others(changes[:rows])
        assert others.shape[1] == min(rows - 1, energy.MOST_OFFERED)
        assert not (others == changes[:rows, None]).all(-1).any()


def test_corrective_labels_are_off_unless_asked_for():
    data, asked = swung(4, 12, 0), FitConfig(steps=20, batch=16, corrective=2)
    assert FitConfig().corrective == 0
    fit_of = fit(l2, l2.new(l2.Config(), (3, 1), 0), data.states, data.actions, asked)
    assert len(fit_of.losses) == 20 * 3


def test_a_bootstrap_leaves_each_member_without_some_of_the_data():
    own = resampled(1000, 4, torch.Generator().manual_seed(0))
    assert own.shape == (4, 1000) and own.min() >= 0 and own.max() < 1000
    shares = [len(set(row.tolist())) / 1000 for row in own]
    assert all(0.5 < share < 0.8 for share in shares)
    assert not torch.equal(own[0], own[1])
