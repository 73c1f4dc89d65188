"""Windows drawn more often where the model is wrong, and counted less for it."""

from copy import deepcopy
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from learning_driver import CARTPOLE, linear_run, quick_config

from mbrl_ros.learner_settings import TrainConfig
from mbrl_ros.learning.drawing import AGAIN, chances, drawn
from mbrl_ros.learning.learner import Learner

OWN = [np.arange(10, 30), np.arange(10, 40)]
PRIORITISED = TrainConfig(replay="prioritised", batch=400)


def hard_at(*starts):
    """Errors of 1 there and next to nothing elsewhere."""
    return lambda asked: np.where(np.isin(asked, starts), 1.0, 1e-3)


def draws(config, errors, count=5, seed=0):
    found = list(islice(drawn(OWN, config, errors, np.random.default_rng(seed)), count))
    return np.stack([picked for picked, _ in found]), [counts for _, counts in found]


def test_uniform_draws_all_windows_alike_and_counts_them_alike():
    picked, counts = draws(TrainConfig(batch=4000), hard_at(12))
    assert counts == [None] * 5
    _, times = np.unique(picked[:, 0], return_counts=True)
    assert len(times) == 20 and times.max() / times.min() < 1.3


def test_a_window_with_a_larger_error_is_drawn_more_often_by_the_exponent():
    picked, _ = draws(PRIORITISED, hard_at(12), count=20)
    share = float(np.mean(picked[:, 0] == 12))
    hard, easy, all_others = (error + 0.01 * (1 + 19e-3) / 20 for error in (1.0, 1e-3, 1e-3))
    expected = hard**0.6 / (hard**0.6 + 19 * easy**0.6)
    assert all_others == easy and share == pytest.approx(expected, rel=0.05)
    nothing, _ = draws(replace(PRIORITISED, priority=0.0), hard_at(12), count=20)
    assert float(np.mean(nothing[:, 0] == 12)) == pytest.approx(1 / 20, rel=0.2)


def test_the_whole_correction_takes_the_bias_out_and_half_of_it_some():
    """The mean of what is drawn, each counted as is said, is then that of all windows."""
    means = {}
    for correction in (0.0, 0.5, 1.0):
        picked, counts = draws(replace(PRIORITISED, correction=correction), hard_at(12), count=40)
        means[correction] = np.mean((picked[:, 0] == 12) * np.stack(counts)[:, 0])
        assert np.mean(np.stack(counts)[:, 0]) == pytest.approx(1.0, rel=0.02)
    assert means[1.0] == pytest.approx(1 / 20, rel=0.1)
    assert means[0.0] > means[0.5] > means[1.0]


def test_each_member_draws_from_its_own_and_everything_is_drawn_some_time():
    picked, _ = draws(replace(PRIORITISED, batch=100), hard_at(12), count=20 * AGAIN)
    for member, own in enumerate(OWN):
        assert set(picked[:, member].ravel()) == set(own)


def test_errors_that_are_not_finite_are_as_the_largest_that_is():
    chance = chances(np.array([[np.nan, 2.0, 1.0, np.inf]]), 1.0)
    assert chance.sum() == pytest.approx(1.0) and chance[0, 0] == chance[0, 1] == chance[0, 3] > chance[0, 2]
    assert np.isfinite(chances(np.full((1, 3), np.nan), 0.6)).all()


def learner(**train):
    config = quick_config()
    made = Learner(CARTPOLE, replace(config, train=replace(config.train, **train)))
    for transition in linear_run(150):
        made.add(transition)
    return made


def test_a_learner_learns_as_well_from_either():
    errors = {}
    for replay in ("uniform", "prioritised"):
        made = learner(replay=replay)
        for _ in range(3):
            losses = list(made.train())
        errors[replay] = made.judge().candidate.error
        assert np.isfinite(losses).all()
    untrained = learner().judge().candidate.error
    assert max(errors.values()) < 0.7 * untrained and errors["uniform"] != errors["prioritised"]


def test_who_goes_on_from_its_progress_draws_the_same():
    """Nothing is remembered of errors: they are looked up anew."""
    first, second = learner(replay="prioritised"), learner(replay="prioritised")
    list(first.train())
    second.go_on(deepcopy(first.progress()))
    assert list(first.train()) == list(second.train())


def test_counts_say_how_much_a_window_weighs_in_a_step():
    made = learner(replay="prioritised")
    states, actions = made.buffer.sequences(made.buffer.starts(4, False)[:32][None].repeat(3, 0), 4)
    windows = torch.from_numpy(states), torch.from_numpy(actions)
    each = made.candidate.trainer.errors(*windows)
    assert each.shape == (3, 32)
    counts = torch.zeros(3, 32)
    counts[:, 5] = 32.0
    loss = made.candidate.trainer.step(*windows, counts)
    assert loss == pytest.approx(float(each[:, 5].mean()), rel=1e-5)
