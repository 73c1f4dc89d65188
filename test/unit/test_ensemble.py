"""Learned dynamics: one function in two forms, moved statistics, and training."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from learning_driver import CARTPOLE, GO1, SMALL, linear_run

from mbrl_ros.dynamics.ensemble import Normaliser, new_ensemble, renormalise
from mbrl_ros.dynamics.evaluation import evaluate
from mbrl_ros.dynamics.folded import FoldedEnsemble
from mbrl_ros.dynamics.training import Trainer, multi_step_loss
from mbrl_ros.learner_settings import EnsembleConfig
from mbrl_ros.robots.features import FeatureLayout

BATCH, HORIZON = 7, 6
SHAPES = [EnsembleConfig(members=3, width=24, layers=2), EnsembleConfig(members=1, width=8, layers=1),
          EnsembleConfig(members=2, width=16, layers=4)]  # fmt: skip


def lively(config=SHAPES[0], spec=GO1, seed=0):
    """An ensemble that says something: larger weights, biases that are not zero, statistics that are not trivial."""
    layout, generator = FeatureLayout(spec), torch.Generator().manual_seed(seed)

    def draw(like, size=0.3):
        return size * torch.randn(like.shape, generator=generator)

    model = new_ensemble(config, layout, seed)
    some = torch.ones(layout.size)
    normaliser = Normaliser(draw(some), draw(some).abs() + 0.5, draw(some, 0.05), draw(some).abs() * 0.3 + 0.05)
    return replace(
        model,
        weights=tuple(w + draw(w, 0.1) for w in model.weights),
        biases=tuple(draw(b) for b in model.biases),
        normaliser=normaliser,
    )


def inputs(spec=GO1, members=3, batch=BATCH, horizon=HORIZON, seed=1):
    generator, layout = torch.Generator().manual_seed(seed), FeatureLayout(spec)
    states = torch.randn(members, batch, layout.size, generator=generator)
    told = torch.randn(members, batch, horizon, len(spec.actuated), generator=generator)
    return states, torch.tensor(spec.stance, dtype=torch.float32) + told * torch.tensor(
        spec.action_scale, dtype=torch.float32
    )


def by_the_book(model, states, actions) -> np.ndarray:
    """The equations of the ensemble, one rollout and one member at a time, in float64."""
    weights, biases = [w.double().numpy() for w in model.weights], [b.double().numpy() for b in model.biases]
    n = {name: value.double().numpy() for name, value in vars(model.normaliser).items()}
    offset, scale = model.action_offset.double().numpy(), model.action_scale.double().numpy()
    out = np.zeros((*actions.shape[:3], states.shape[-1]))
    for e in range(actions.shape[0]):
        for b in range(actions.shape[1]):
            s = states[e, b].double().numpy()
            for h in range(actions.shape[2]):
                a = (actions[e, b, h].double().numpy() - offset) / scale
                y = np.concatenate([(s - n["state_mean"]) / n["state_std"], a])
                for w, c in zip(weights[:-1], biases[:-1], strict=True):
                    y = y @ w[e] + c[e, 0]
                    y = y / (1 + np.exp(-y))
                s = s + n["step_mean"] + n["step_std"] * (y @ weights[-1][e] + biases[-1][e, 0])
                out[e, b, h] = s
    return out


@pytest.mark.parametrize("config", SHAPES, ids=lambda c: f"{c.members}x{c.layers}x{c.width}")
@pytest.mark.parametrize("spec", [GO1, CARTPOLE], ids=lambda s: s.name)
def test_plain_and_folded_say_what_the_equations_say(config, spec):
    model = lively(config, spec)
    states, actions = inputs(spec, config.members)
    expected = by_the_book(model, states, actions)
    for rollout in (model.rollout, FoldedEnsemble(model).rollout):
        np.testing.assert_allclose(rollout(states, actions).numpy(), expected, atol=2e-4, rtol=2e-4)


def test_a_new_member_says_as_much_as_its_prior_is_large():
    layout = FeatureLayout(GO1)
    states, actions = inputs(horizon=1)
    start = states[:, :, None]
    small, large, none = (
        new_ensemble(replace(SHAPES[0], prior=prior), layout, 0).rollout(states, actions) - start
        for prior in (0.1, 1.0, 0.0)
    )
    torch.testing.assert_close(large, 10 * small, rtol=1e-3, atol=1e-4)
    assert small.std(0).mean() > 0 and not none.any()


def test_one_start_for_all_may_be_given_once():
    model = lively()
    states, actions = inputs()
    shared = states[:, :1].expand(-1, BATCH, -1)
    expected = model.rollout(shared.contiguous(), actions)
    torch.testing.assert_close(FoldedEnsemble(model).rollout(shared, actions), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("poison", [float("nan"), float("inf"), 1e30])
@pytest.mark.parametrize("folded", [False, True])
def test_a_poisoned_candidate_changes_no_other(folded, poison):
    model, (states, actions) = lively(), inputs()
    model = FoldedEnsemble(model) if folded else model
    clean = model.rollout(states, actions)
    actions[1, 3, 2] = poison
    poisoned = model.rollout(states, actions)
    others = torch.ones(3, BATCH, dtype=torch.bool)
    others[1, 3] = False
    assert torch.equal(poisoned[others], clean[others])
    assert torch.equal(poisoned[1, 3, :2], clean[1, 3, :2])
    assert not torch.equal(poisoned[1, 3, 2:], clean[1, 3, 2:])


def test_folding_leaves_the_model_as_it_was_and_does_not_follow_it():
    model, (states, actions) = lively(), inputs()
    before = [p.clone() for p in model.parameters]
    folded = FoldedEnsemble(model)
    said = folded.rollout(states, actions)
    assert all(torch.equal(p, b) for p, b in zip(model.parameters, before, strict=True))
    for p in model.parameters:
        p.zero_()
    assert torch.equal(folded.rollout(states, actions), said)


def test_new_statistics_leave_the_function_as_it_is():
    model, (states, actions) = lively(), inputs()
    moved = renormalise(model, lively(seed=5).normaliser)
    assert not torch.equal(moved.weights[0], model.weights[0])
    torch.testing.assert_close(moved.rollout(states, actions), model.rollout(states, actions), atol=2e-4, rtol=2e-4)


def test_statistics_of_data_are_its_means_and_deviations_and_never_vanish():
    states = np.array([[0.0, 5.0], [2.0, 5.0]], np.float32)
    found = Normaliser.of_data(states, states + np.array([[1.0, 0.0], [3.0, 0.0]], np.float32), np.ones(2, np.float32))
    assert found.state_mean.tolist() == [1.0, 5.0]
    assert found.state_std.tolist() == pytest.approx([1.0, 0.1])
    assert found.step_mean.tolist() == [2.0, 0.0]
    assert found.step_std.tolist() == pytest.approx([1.0, 0.001])
    assert all(v.dtype == torch.float32 for v in vars(found).values())


def test_members_begin_apart_and_the_same_seed_begins_the_same():
    layout = FeatureLayout(CARTPOLE)
    one, again, other = (new_ensemble(SMALL, layout, s) for s in (0, 0, 1))
    states, actions = inputs(CARTPOLE)
    said = one.rollout(states[:1].expand(3, -1, -1), actions[:1].expand(3, -1, -1, -1))
    assert (said[0] - said[1]).abs().max() > 1e-4
    assert all(torch.equal(a, b) for a, b in zip(one.weights, again.weights, strict=True))
    assert not torch.equal(one.weights[0], other.weights[0])


def test_an_untrained_model_says_that_little_changes():
    layout = FeatureLayout(GO1)
    model, (states, actions) = new_ensemble(SMALL, layout, 0), inputs()
    scales = torch.tensor(layout.scales)
    change = (model.rollout(states * scales, actions)[:, :, 0] - states * scales) / scales
    assert change.square().mean().sqrt() < 0.3


def normalised(model, states, actions):
    n = model.normaliser
    return (states - n.state_mean) / n.state_std, (actions - model.action_offset) / model.action_scale


@pytest.mark.parametrize("steps", [1, 4])
def test_a_perfect_model_has_no_loss_over_any_number_of_steps(steps):
    model = lively()
    start, actions = inputs(horizon=steps)
    states = torch.cat([start[:, :, None], model.rollout(start, actions)], 2)
    assert multi_step_loss(model, *normalised(model, states, actions)) < 1e-8


def test_the_loss_is_in_units_of_a_steps_deviation_and_sees_the_last_step():
    model = lively()
    start, actions = inputs(horizon=2)
    states = torch.cat([start[:, :, None], model.rollout(start, actions)], 2)
    states[:, :, 2] += 0.6 * model.normaliser.step_std
    loss = multi_step_loss(model, *normalised(model, states, actions))
    # Half of the steps are off by 0.6 deviations; smooth L1 with beta 3 is x^2 / 6.
    assert loss.item() == pytest.approx(0.5 * 0.6**2 / 6, rel=1e-3)


def sequences(run, members, steps=2):
    states = np.stack([t.state for t in run])
    actions = np.stack([t.action for t in run]).astype(np.float32)
    first = np.arange(len(run) - steps)
    states, actions = states[first[:, None] + np.arange(steps + 1)], actions[first[:, None] + np.arange(steps)]
    return torch.tensor(states).expand(members, -1, -1, -1), torch.tensor(actions).expand(members, -1, -1, -1)


def test_training_steps_learn_a_linear_world():
    model = new_ensemble(SMALL, FeatureLayout(CARTPOLE), 0)
    states, actions = sequences(linear_run(200), SMALL.members)
    trainer = Trainer(model, rate=1e-2, weight_decay=0.0)
    losses = [trainer.step(states, actions) for _ in range(150)]
    assert losses[1] < losses[0]
    assert losses[-1] < 0.05 * losses[0]
    unseen, pushes = (x[0].numpy() for x in sequences(linear_run(100, seed=8), 1, steps=5))
    quality = evaluate(trainer.model, unseen, pushes, np.ones(5, np.float32))
    assert quality.one_step_r2 > 0.9


def test_values_can_be_replaced_while_training():
    trainer = Trainer(new_ensemble(SMALL, FeatureLayout(CARTPOLE), 0), rate=1e-2, weight_decay=0.0)
    states, actions = sequences(linear_run(60), SMALL.members)
    trainer.step(states, actions)
    other = lively(SMALL, CARTPOLE, seed=4)
    trainer.replace_values(other)
    start, told = inputs(CARTPOLE)
    with torch.no_grad():
        torch.testing.assert_close(trainer.model.rollout(start, told), other.rollout(start, told))
    before = trainer.model.weights[0].detach().clone()
    trainer.step(states, actions)
    assert not torch.equal(trainer.model.weights[0], before)


class Off:
    """Two members that know the linear world but for a constant error each."""

    members = 2

    def __init__(self, first, second):
        self._errors = torch.tensor([first, second])[:, None, None]

    def rollout(self, states, actions):
        x, out = states, []
        for h in range(actions.shape[2]):
            x = 0.9 * x + 0.01 * actions[:, :, h]
            out.append(x + self._errors)
        return torch.stack(out, 2)


def test_held_out_quality_of_a_perfect_model_and_of_one_that_is_off():
    states, actions = (x[0].numpy() for x in sequences(linear_run(60), 1, steps=3))
    scales = np.full(5, 0.5, np.float32)
    perfect = evaluate(Off(0.0, 0.0), states, actions, scales)
    assert perfect.error == pytest.approx(0.0, abs=1e-5)
    assert perfect.one_step_r2 == pytest.approx(1.0)
    assert (perfect.windows, perfect.horizon) == (57, 3)
    # Members off by 0.1 and 0.3 are off by 0.2 on average, and 0.1 from their mean: 0.4 and 0.2 scales.
    off = evaluate(Off(0.1, 0.3), states, actions, scales)
    assert off.error == pytest.approx(0.4, rel=1e-4)
    assert off.spread == pytest.approx(0.2, rel=1e-4)


def test_a_model_that_explodes_has_no_finite_quality_or_a_huge_one():
    states, actions = (x[0].numpy() for x in sequences(linear_run(60), 1, steps=3))
    assert not np.isfinite(evaluate(Off(float("nan"), 0.0), states, actions, np.ones(5)).error)
    assert evaluate(Off(1e20, 1e20), states, actions, np.ones(5)).error == pytest.approx(1000.0)
