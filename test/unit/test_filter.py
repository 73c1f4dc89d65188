"""Measured and expected states, merged."""

import numpy as np
import pytest

from mbrl_ros.control.filter import OUTLIER, StateFilter


def test_the_first_measurement_stands_alone():
    merged = StateFilter(np.array([0.1])).update(np.array([1.0]), np.array([5.0]))
    assert merged[0] == 1.0
    assert merged.dtype == np.float32


def test_without_a_prediction_the_measurement_is_taken():
    one = StateFilter(np.array([0.1]))
    one.update(np.array([1.0]), None)
    assert one.update(np.array([2.0]), None)[0] == 2.0


def test_a_sensor_without_noise_is_believed():
    one = StateFilter(np.array([0.0]))
    generator = np.random.default_rng(0)
    for _ in range(50):
        measured = generator.normal(size=1)
        assert one.update(measured, np.zeros(1))[0] == pytest.approx(measured[0], rel=1e-6)


def test_the_gain_is_the_share_of_the_innovation_that_is_not_noise():
    one = StateFilter(np.array([0.3]))
    one.update(np.array([0.0]), None)
    # The first innovation, 0.5, has the square 0.25, of which noise is 0.09: gain 0.16 / 0.25.
    assert one.update(np.array([0.5]), np.array([0.0]))[0] == pytest.approx(0.5 * 0.16 / 0.25)


def test_it_is_nearer_to_the_truth_than_the_sensor_when_the_model_is_good():
    generator, one = np.random.default_rng(1), StateFilter(np.full(4, 0.3))
    truth, estimate = np.zeros(4), np.zeros(4)
    off_sensor, off_estimate = [], []
    one.update(truth, None)
    for _ in range(400):
        step = generator.normal(size=4)
        truth = truth + step
        predicted = estimate + step + 0.02 * generator.normal(size=4)
        measured = truth + 0.3 * generator.normal(size=4)
        estimate = one.update(measured, predicted)
        off_sensor.append(np.square(measured - truth).mean())
        off_estimate.append(np.square(estimate - truth).mean())
    assert np.mean(off_estimate[50:]) < 0.4 * np.mean(off_sensor[50:])


def test_with_a_bad_model_it_is_not_worse_than_the_sensor():
    generator, one = np.random.default_rng(1), StateFilter(np.full(4, 0.1))
    off = []
    one.update(np.zeros(4), None)
    for _ in range(300):
        measured = 0.1 * generator.normal(size=4)
        off.append(np.square(one.update(measured, generator.normal(size=4))).mean())
    assert np.mean(off[50:]) < 1.3 * 0.1**2


def test_a_blow_that_no_model_expects_is_believed_at_once():
    generator, one = np.random.default_rng(2), StateFilter(np.array([0.3]))
    for _ in range(200):
        one.update(0.3 * generator.normal(size=1), np.zeros(1))
    blow = np.array([OUTLIER * 0.3 * 2])
    assert one.update(blow, np.zeros(1))[0] == pytest.approx(blow[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_prediction_that_is_not_finite_is_ignored_and_leaves_no_trace(bad):
    one, other = StateFilter(np.full(2, 0.2)), StateFilter(np.full(2, 0.2))
    for f in (one, other):
        f.update(np.zeros(2), None)
        f.update(np.ones(2), np.zeros(2))
    assert one.update(np.array([3.0, 3.0]), np.array([0.0, bad])).tolist() == [3.0, 3.0]
    np.testing.assert_array_equal(one.update(np.full(2, 0.5), np.zeros(2)), other.update(np.full(2, 0.5), np.zeros(2)))


def test_one_measurement_that_is_not_finite_does_not_spoil_those_after_it():
    one = StateFilter(np.array([0.2]))
    one.update(np.zeros(1), None)
    one.update(np.array([np.nan]), np.zeros(1))
    assert np.isfinite([one.update(np.array([0.1]), np.zeros(1))[0] for _ in range(3)]).all()


def test_after_forgetting_the_next_measurement_stands_alone():
    one = StateFilter(np.array([0.3]))
    one.update(np.array([0.0]), None)
    one.update(np.array([0.1]), np.array([0.0]))
    one.forget()
    assert one.update(np.array([7.0]), np.array([0.0]))[0] == 7.0


def test_features_are_merged_each_on_its_own():
    both, alone = StateFilter(np.array([0.0, 0.3])), StateFilter(np.array([0.3]))
    for measured, predicted in ([0.0, 0.0], [0.4, 0.1], [0.2, 0.3]):
        merged = both.update(np.array([measured, measured]), np.array([predicted, predicted]))
        single = alone.update(np.array([measured]), np.array([predicted]))
    assert merged[1] == single[0]
