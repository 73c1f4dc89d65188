"""The figures by which models' own doubts are judged."""

import numpy as np
import pytest

from mbrl_ros.dynamics import uncertainty

RNG = np.random.default_rng(0)
TRUTH = RNG.standard_normal(20_000)


def test_the_split_adds_up_to_the_variance_of_the_mixture():
    means, variances = RNG.standard_normal((5, 3)), RNG.uniform(0.1, 1.0, (5, 3))
    found = uncertainty.split(means, variances)
    second_moment = (variances + means**2).mean(0)
    np.testing.assert_allclose(found.total, second_moment - means.mean(0) ** 2)


def test_members_that_agree_leave_noise_alone():
    found = uncertainty.split(np.ones((4, 3)), np.full((4, 3), 0.25))
    np.testing.assert_allclose(found.epistemic, 0)
    np.testing.assert_allclose(found.aleatoric, 0.25)


def test_coverage_of_the_true_distribution_is_its_level():
    covered = uncertainty.coverage(TRUTH, np.zeros_like(TRUTH), np.ones_like(TRUTH))
    np.testing.assert_allclose(covered, uncertainty.LEVELS, atol=0.015)
    assert uncertainty.calibration_error(covered) < 0.01


def test_who_is_too_sure_covers_too_little():
    sure = uncertainty.coverage(TRUTH, np.zeros_like(TRUTH), np.full_like(TRUTH, 0.5))
    assert (sure < uncertainty.LEVELS).all()
    assert uncertainty.calibration_error(sure) > 0.1


def test_the_likelihood_is_best_at_the_true_deviation():
    said = [uncertainty.negative_log_likelihood(TRUTH, 0.0, np.full_like(TRUTH, s)) for s in (0.7, 1.0, 1.4)]
    assert said[1] == min(said)
    assert said[1] == pytest.approx(0.5 * np.log(2 * np.pi * np.e), abs=0.02)


def test_the_sharper_says_less_deviation():
    assert uncertainty.sharpness(np.array([0.1, 0.3])) == pytest.approx(0.2)
